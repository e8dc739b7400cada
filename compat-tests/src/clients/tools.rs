//! Clients of the command line that carry files.

use std::path::PathBuf;

use anyhow::Result;
use nodio_xtask::clients as installed;

use super::{Access, PATIENCE};
use crate::process::{Captured, run_captured};

/// Version 1 of aws-cli presigns for us-east-1 with the signature of 2006 unless told otherwise.
const CONFIG: &str = "[default]\ns3 =\n  signature_version = s3v4\n";

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
