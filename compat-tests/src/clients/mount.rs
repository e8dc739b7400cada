//! A bucket as a folder, by s3fs, in a mount namespace of its own.
//!
//! ```text
//!   s3fs (alone in the namespace) ── the bucket at FOLDER      this side: /proc/S3FS/root/FOLDER
//! ```
//! Nobody else sees the mount, and it ends with its process, however that ends.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nodio_xtask::clients as installed;

use super::Access;
use crate::process::{Process, run_captured, tail};
use crate::wait;

/// What is written or copied in parts begins at 8 MiB; s3fs counts the first try as one. Its size of copied parts stays as it is: with a
/// smaller one it makes parts that S3 refuses.
const OPTIONS: &str = "use_path_request_style,sigv4,retries=1,multipart_size=5,multipart_threshold=8,singlepart_copy_limit=8";
const MOUNT_PATIENCE: Duration = Duration::from_secs(20);
const UNMOUNT_PATIENCE: Duration = Duration::from_secs(30);

/// s3fs.
pub struct S3fs {
    program: PathBuf,
    access: Access,
}

impl S3fs {
    /// `None` where nothing can be mounted, in CI too: a machine gives that right or doesn't, and no installation changes it. A missing
    /// program is an error there.
    pub fn find(access: &Access) -> Result<Option<Self>> {
        if let Err(error) = may_mount() {
            eprintln!("\n*** SKIPPED: nothing is tested with s3fs, for nothing can be mounted here: {error:#}\n");
            return Ok(None);
        }
        let found = installed::or_skip("s3fs", installed::s3fs())?;
        Ok(found.map(|program| Self { program, access: access.clone() }))
    }

    /// Mounts `bucket` and returns once it is a folder.
    pub async fn mount(&self, bucket: &str) -> Result<Mount> {
        let (s3, home) = (&self.access.s3, &self.access.home);
        let (folder, passwd, log) = (home.join("mounted"), home.join("passwd-s3fs"), home.join("s3fs.log"));
        fs::create_dir_all(&folder)?;
        fs::write(&passwd, format!("{}:{}", s3.key.id, s3.key.secret))?;
        fs::set_permissions(&passwd, Permissions::from_mode(0o600))?;
        let options = format!("url={},endpoint={},passwd_file={},{OPTIONS}", s3.endpoint, s3.region, passwd.display());
        let mut command = self.access.command(Path::new("unshare"));
        command.arg("--mount").arg(&self.program).arg(bucket).arg(&folder).args(["-f", "-o", &options]);
        let mut mount = Mount { process: Process::spawn("s3fs", &mut command, &log)?, folder };
        wait::until("the bucket is mounted", MOUNT_PATIENCE, async || {
            mount.process.check_alive()?;
            let mounts = fs::read_to_string(format!("/proc/{}/mounts", mount.process.pid()))?;
            ensure!(mounts.contains(&format!("s3fs {} fuse", mount.folder.display())), "{}", tail(&log, 3));
            Ok(())
        })
        .await?;
        Ok(mount)
    }
}

/// FUSE, and the right to a mount namespace.
fn may_mount() -> Result<()> {
    OpenOptions::new().read(true).write(true).open("/dev/fuse").context("/dev/fuse")?;
    run_captured(Command::new("unshare").args(["--mount", "true"]), MOUNT_PATIENCE)?.ok().map(drop)
}

/// A mounted bucket; dropping it kills s3fs, and with it the mount.
pub struct Mount {
    process: Process,
    folder: PathBuf,
}

impl Mount {
    /// The bucket as seen from outside.
    pub fn folder(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.process.pid()));
        root.join(self.folder.strip_prefix("/").unwrap_or(&self.folder))
    }

    /// As a person would: s3fs is told to end, and must end well.
    pub fn unmount(mut self) -> Result<()> {
        let ended = self.process.terminate(UNMOUNT_PATIENCE)?;
        ensure!(ended.success(), "s3fs ended with {ended}");
        Ok(())
    }
}
