//! Other people's S3 clients, run as a person would run them, with an environment of their own and without retries of their own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use nodio_xtask::clients as installed;

use crate::process::{Captured, run_captured};
use crate::s3::S3;

/// One run of a client at most.
const PATIENCE: Duration = Duration::from_secs(180);

/// Version 1 of aws-cli presigns for us-east-1 with the signature of 2006 unless told otherwise.
const CONFIG: &str = "[default]\ns3 =\n  signature_version = s3v4\n";

/// What a client needs to know of a network.
#[derive(Debug, Clone)]
pub struct Access {
    pub s3: S3,
    /// Stands in for the home folder, so that nobody's own settings are read.
    pub home: PathBuf,
}

impl Access {
    /// A command with nothing in its environment but PATH, a home and the access key.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", &self.home).env("LANG", "C.UTF-8");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("AWS_ACCESS_KEY_ID", &self.s3.key.id).env("AWS_SECRET_ACCESS_KEY", &self.s3.key.secret);
        command.env("AWS_REGION", &self.s3.region).env("AWS_DEFAULT_REGION", &self.s3.region);
        command.env("AWS_ENDPOINT_URL", &self.s3.endpoint).env("AWS_MAX_ATTEMPTS", "1");
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }
}

/// aws-cli.
pub struct Aws {
    program: PathBuf,
    access: Access,
}

impl Aws {
    /// `None` where it is missing and that is allowed.
    pub fn find(access: &Access) -> Result<Option<Self>> {
        let found = installed::or_skip("aws-cli", installed::python())?;
        std::fs::write(access.home.join("aws-config"), CONFIG)?;
        Ok(found.map(|found| Self { program: found.aws, access: access.clone() }))
    }

    pub fn try_run(&self, words: &[&str]) -> Result<Captured> {
        let mut command = self.access.command(&self.program);
        command.env("AWS_CONFIG_FILE", self.access.home.join("aws-config")).args(words);
        run_captured(&mut command, PATIENCE)
    }

    /// Runs `aws WORDS` and returns what it printed; fails when it does.
    pub fn run(&self, words: &[&str]) -> Result<String> {
        self.try_run(words)?.ok()
    }

    /// The same, with the answer read as JSON.
    pub fn json(&self, words: &[&str]) -> Result<serde_json::Value> {
        let text = self.run(words)?;
        Ok(if text.trim().is_empty() { serde_json::Value::Null } else { serde_json::from_str(&text)? })
    }
}

/// A script of `clients/` under the Python that has boto3.
pub struct Python {
    program: PathBuf,
    access: Access,
}

impl Python {
    pub fn find(access: &Access) -> Result<Option<Self>> {
        let found = installed::or_skip("boto3", installed::python())?;
        Ok(found.map(|found| Self { program: found.python, access: access.clone() }))
    }

    pub fn run(&self, script: &str, words: &[&str]) -> Result<String> {
        // Asked for when it runs: one target folder may serve several checkouts.
        let root = std::env::var("CARGO_MANIFEST_DIR").context("not run by cargo")?;
        let script = Path::new(&root).join("clients").join(script);
        let mut command = self.access.command(&self.program);
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script).args(words);
        run_captured(&mut command, PATIENCE)?.ok()
    }
}

/// rclone with one remote, `nodio:`.
pub struct Rclone {
    program: PathBuf,
    access: Access,
}

impl Rclone {
    pub fn find(access: &Access) -> Result<Option<Self>> {
        let found = installed::or_skip("rclone", installed::rclone())?;
        Ok(found.map(|program| Self { program, access: access.clone() }))
    }

    pub fn try_run(&self, words: &[&str]) -> Result<Captured> {
        let s3 = &self.access.s3;
        let mut command = self.access.command(&self.program);
        command.env("RCLONE_CONFIG", self.access.home.join("rclone.conf"));
        command.env("RCLONE_CONFIG_NODIO_TYPE", "s3").env("RCLONE_CONFIG_NODIO_PROVIDER", "Other");
        command.env("RCLONE_CONFIG_NODIO_ACCESS_KEY_ID", &s3.key.id);
        command.env("RCLONE_CONFIG_NODIO_SECRET_ACCESS_KEY", &s3.key.secret);
        command.env("RCLONE_CONFIG_NODIO_ENDPOINT", &s3.endpoint).env("RCLONE_CONFIG_NODIO_REGION", &s3.region);
        command.args(["--retries", "1", "--low-level-retries", "1"]).args(words);
        run_captured(&mut command, PATIENCE)
    }

    pub fn run(&self, words: &[&str]) -> Result<String> {
        self.try_run(words)?.ok()
    }
}

/// restic with one repository, in a bucket.
pub struct Restic {
    program: PathBuf,
    access: Access,
    bucket: String,
}

impl Restic {
    pub fn find(access: &Access, bucket: &str) -> Result<Option<Self>> {
        let found = installed::or_skip("restic", installed::restic())?;
        Ok(found.map(|program| Self { program, access: access.clone(), bucket: bucket.to_owned() }))
    }

    pub fn try_run(&self, words: &[&str]) -> Result<Captured> {
        let mut command = self.access.command(&self.program);
        command.env("RESTIC_REPOSITORY", format!("s3:{}/{}/repository", self.access.s3.endpoint, self.bucket));
        command.env("RESTIC_PASSWORD", "a password").env("RESTIC_CACHE_DIR", self.access.home.join("restic-cache"));
        run_captured(command.args(words), PATIENCE)
    }

    pub fn run(&self, words: &[&str]) -> Result<String> {
        self.try_run(words)?.ok()
    }
}

/// s3cmd.
pub struct S3cmd {
    program: PathBuf,
    access: Access,
}

impl S3cmd {
    pub fn find(access: &Access) -> Result<Option<Self>> {
        let found = installed::or_skip("s3cmd", installed::python())?;
        let (s3, host) = (&access.s3, access.s3.endpoint.trim_start_matches("http://"));
        let config = format!(
            "[default]\naccess_key = {}\nsecret_key = {}\nhost_base = {host}\nhost_bucket = {host}\nuse_https = False\n\
             bucket_location = {}\nmultipart_chunk_size_mb = 5\n",
            s3.key.id, s3.key.secret, s3.region
        );
        std::fs::write(access.home.join("s3cfg"), config)?;
        Ok(found.map(|found| Self { program: found.s3cmd, access: access.clone() }))
    }

    pub fn try_run(&self, words: &[&str]) -> Result<Captured> {
        let mut command = self.access.command(&self.program);
        run_captured(command.arg("--config").arg(self.access.home.join("s3cfg")).args(words), PATIENCE)
    }

    pub fn run(&self, words: &[&str]) -> Result<String> {
        self.try_run(words)?.ok()
    }
}
