//! Programs that keep backups in a bucket.

use std::path::PathBuf;

use anyhow::Result;
use nodio_xtask::clients as installed;

use super::{Access, PATIENCE};
use crate::process::{Captured, run_captured};

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

/// duplicity with one backup, in a bucket, unencrypted.
pub struct Duplicity {
    program: PathBuf,
    access: Access,
    bucket: String,
}

impl Duplicity {
    pub fn find(access: &Access, bucket: &str) -> Result<Option<Self>> {
        let found = installed::or_skip("duplicity", installed::duplicity())?;
        Ok(found.map(|program| Self { program, access: access.clone(), bucket: bucket.to_owned() }))
    }

    /// Where the backup lies.
    pub fn url(&self) -> String {
        format!("s3:///{}/backup", self.bucket)
    }

    /// Removes what it remembers on this side, so that all it knows is in the bucket.
    pub fn forget(&self) -> Result<()> {
        Ok(std::fs::remove_dir_all(self.archive())?)
    }

    fn archive(&self) -> PathBuf {
        self.access.home.join("duplicity-archive")
    }

    pub fn try_run(&self, words: &[&str]) -> Result<Captured> {
        let s3 = &self.access.s3;
        let mut command = self.access.command(&self.program);
        command.args(words).args(["--no-encryption", "--num-retries", "1", "--volsize", "5", "--s3-endpoint-url", &s3.endpoint]);
        command.args(["--s3-region-name", &s3.region, "--archive-dir"]).arg(self.archive());
        run_captured(&mut command, PATIENCE)
    }

    pub fn run(&self, words: &[&str]) -> Result<String> {
        self.try_run(words)?.ok()
    }
}
