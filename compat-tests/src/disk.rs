//! A disk of a few megabytes that really runs full: a tmpfs in a mount namespace of its own.
//!
//! ```text
//!   holder (sleeps in the namespace) ── keeps the tmpfs alive while its donor is killed and comes back
//!      donor: nsenter into it           this side: /proc/HOLDER/root/FOLDER
//! ```
//! Nothing is mounted where anybody else could see it; when the holder is killed, which dropping does, the disk is gone.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{Process, tail};
use crate::wait;

const MOUNT_PATIENCE: Duration = Duration::from_secs(10);
const FILLER: &str = "somebody-elses-file";

pub struct SmallDisk {
    holder: Process,
    folder: PathBuf,
    /// In a user namespace as well: without the right to mount in the system's own.
    as_user: bool,
}

impl SmallDisk {
    /// Mounts a disk of `bytes` at `folder`, which is made.
    ///
    /// # Errors
    /// Where neither root nor a user namespace may mount. No test passes without its disk.
    pub async fn mount(folder: &Path, bytes: u64, log: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let as_root = Self::try_mount(folder, bytes, log, false).await;
        match as_root {
            Ok(disk) => Ok(disk),
            Err(_) => Self::try_mount(folder, bytes, log, true)
                .await
                .context("a full disk can't be had here: mounting a tmpfs needs root, or user namespaces (unshare -rm)"),
        }
    }

    async fn try_mount(folder: &Path, bytes: u64, log: &Path, as_user: bool) -> Result<Self> {
        let script = format!("mount -t tmpfs -o size={bytes},mode=0700 tmpfs \"$0\" && exec sleep infinity");
        let mut command = Command::new("unshare");
        command.arg(if as_user { "-rm" } else { "-m" }).args(["sh", "-c", &script]).arg(folder);
        let mut disk = Self { holder: Process::spawn("small disk", &mut command, log)?, folder: folder.to_owned(), as_user };
        wait::until("the small disk is mounted", MOUNT_PATIENCE, async || {
            disk.holder.check_alive()?;
            let mounts = fs::read_to_string(format!("/proc/{}/mounts", disk.holder.pid()))?;
            ensure!(mounts.contains(&format!("tmpfs {} tmpfs", folder.display())), "{}", tail(log, 3));
            Ok(())
        })
        .await?;
        Ok(disk)
    }

    /// What stands before a command that shall see the disk at its place.
    pub fn enter(&self) -> Vec<String> {
        let mut words = vec!["nsenter".to_owned(), format!("--target={}", self.holder.pid()), "--mount".to_owned()];
        if self.as_user {
            words.extend(["--user".to_owned(), "--preserve-credentials".to_owned()]);
        }
        words
    }

    /// The disk as seen from outside.
    pub fn folder(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.pid()));
        root.join(self.folder.strip_prefix("/").unwrap_or(&self.folder))
    }

    /// Somebody else takes all the room that is left.
    pub fn fill(&self) -> Result<()> {
        let mut filler = File::options().append(true).create(true).open(self.folder().join(FILLER))?;
        let mut block = &[7u8; 1 << 20][..];
        while !block.is_empty() {
            match filler.write_all(block) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => block = &block[..block.len() / 2],
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Somebody else makes room again.
    pub fn free(&self) -> Result<()> {
        match fs::remove_file(self.folder().join(FILLER)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_small_disk_runs_full_and_is_gone_with_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let (at, log) = (folder.path().join("disk"), folder.path().join("log"));
        let disk = SmallDisk::mount(&at, 4 << 20, &log).await.unwrap();
        disk.fill().unwrap();
        let full = fs::write(disk.folder().join("mine"), [1; 8192]).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        disk.free().unwrap();
        fs::write(disk.folder().join("mine"), [1; 8192]).unwrap();
        let words = disk.enter();
        let seen = Command::new(&words[0]).args(&words[1..]).arg("ls").arg(&at).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&seen.stdout).trim(), "mine");
        assert!(!at.join("mine").exists());
        drop(disk);
        assert_eq!(fs::read_dir(&at).unwrap().count(), 0);
    }
}
