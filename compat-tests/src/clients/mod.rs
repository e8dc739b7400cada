//! Other people's S3 clients, run as a person would run them, with an environment of their own and without retries of their own.

mod backups;
mod mount;
mod scripts;
mod tools;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub use self::backups::{Duplicity, Restic};
pub use self::mount::{Mount, S3fs};
pub use self::scripts::{Node, Python};
pub use self::tools::{Aws, Rclone, S3cmd};

use crate::s3::S3;

/// One run of a client at most.
const PATIENCE: Duration = Duration::from_secs(180);

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
