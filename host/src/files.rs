//! A role's folder: made private, held by one process, written so that a file is complete or absent.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file in a folder whose lock says that a process owns the folder.
pub const LOCK_FILE: &str = ".lock";

const PRIVATE_FOLDER_MODE: u32 = 0o700;
const PRIVATE_FILE_MODE: u32 = 0o600;

/// A folder that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    #[error("can't create the folder {}: {source}", folder.display())]
    Create { folder: PathBuf, source: io::Error },
    #[error("can't write in the folder {}: {source}", folder.display())]
    NotWritable { folder: PathBuf, source: io::Error },
    #[error("can't lock the folder {}: {source}", folder.display())]
    Lock { folder: PathBuf, source: io::Error },
}

/// Holds the folder until dropped, or until the process ends in whatever way: the kernel lets go of the lock.
#[derive(Debug)]
#[must_use = "the folder is free again as soon as this is dropped"]
pub struct FolderLock {
    _file: File,
}

/// Takes the folder for this process. The folder must be there.
///
/// # Errors
/// [`FolderError::InUse`] if another process (or this one) holds it.
pub fn lock_folder(dir: &Path) -> Result<FolderLock, FolderError> {
    let failed = |source| FolderError::Lock { folder: dir.to_owned(), source };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(PRIVATE_FILE_MODE)
        .open(dir.join(LOCK_FILE))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(FolderLock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(FolderError::InUse(dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Makes the folder (0700, parents too) unless it is there, and checks that a file can be written in it.
///
/// # Errors
/// [`FolderError`] naming the folder.
pub fn ensure_folder(dir: &Path) -> Result<(), FolderError> {
    match dir.metadata() {
        Ok(found) if !found.is_dir() => return Err(FolderError::NotAFolder(dir.to_owned())),
        Ok(_) => {}
        Err(_) => DirBuilder::new()
            .recursive(true)
            .mode(PRIVATE_FOLDER_MODE)
            .create(dir)
            .map_err(|source| FolderError::Create { folder: dir.to_owned(), source })?,
    }
    probe(dir).map_err(|source| FolderError::NotWritable { folder: dir.to_owned(), source })
}

fn probe(dir: &Path) -> io::Result<()> {
    let path = temporary(dir, "probe");
    create_private(&path)?;
    std::fs::remove_file(&path)
}

/// Writes the file with mode 0600, replacing what was there. After a crash at any point the file holds either the old bytes or the new
/// ones, on stable storage once this returns; a temporary `.NAME.*.tmp` may be left beside it.
///
/// # Errors
/// What the file system says; the old file is then unchanged, unless only the last step (making the rename durable) failed.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (dir, name) = split(path)?;
    let temporary = temporary(dir, name);
    let written = write_durably(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    if let Err(error) = written {
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    File::open(dir)?.sync_all()
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_private(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE_MODE).open(path)
}

fn split(path: &Path) -> io::Result<(&Path, &str)> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("{} names no file", path.display())))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    Ok((dir.unwrap_or(Path::new(".")), name))
}

fn temporary(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!(".{name}.{:016x}.tmp", rand::random::<u64>()))
}

/// Bytes that this user may still write on the file system of `dir`.
///
/// # Errors
/// What the file system says, for example that there is no such folder.
pub fn free_bytes(dir: &Path) -> io::Result<u64> {
    let system = rustix::fs::statvfs(dir)?;
    Ok(system.f_bavail.saturating_mul(system.f_frsize))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use tempfile::tempdir;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_private_file_is_written_replaced_and_leaves_no_litter() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("master.key");
        write_private(&path, b"first, and the longer of the two").unwrap();
        write_private(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(names(dir.path()), ["master.key"]);
    }

    #[test]
    fn replacing_a_readable_file_makes_it_private() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("aws.env");
        fs::write(&path, "open").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write_private(&path, b"closed").unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_write_that_fails_leaves_nothing() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("taken");
        fs::create_dir(&path).unwrap();
        assert!(write_private(&path, b"bytes").is_err());
        assert_eq!(names(dir.path()), ["taken"]);
        assert!(write_private(&dir.path().join("missing/file"), b"bytes").is_err());
        assert!(write_private(Path::new("/"), b"bytes").is_err());
    }

    #[test]
    fn a_folder_is_made_with_its_parents_and_is_private() {
        let dir = tempdir().unwrap();
        let folder = dir.path().join("a/b");
        ensure_folder(&folder).unwrap();
        ensure_folder(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&dir.path().join("a")), 0o700);
        assert!(names(&folder).is_empty());
    }

    #[test]
    fn a_file_in_the_folders_place_is_named() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("data");
        fs::write(&path, "").unwrap();
        assert_eq!(ensure_folder(&path).unwrap_err().to_string(), format!("{} is not a folder", path.display()));
        let below = path.join("below");
        assert!(ensure_folder(&below).unwrap_err().to_string().contains(&below.display().to_string()));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        // Read-only for everyone, root included.
        let error = ensure_folder(Path::new("/proc/self")).unwrap_err().to_string();
        assert!(error.starts_with("can't write in the folder /proc/self: "), "{error}");
    }

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let dir = tempdir().unwrap();
        let owner = lock_folder(dir.path()).unwrap();
        let error = lock_folder(dir.path()).unwrap_err().to_string();
        assert_eq!(error, format!("{} is in use by another process", dir.path().display()));
        drop(owner);
        drop(lock_folder(dir.path()).unwrap());
        assert!(lock_folder(&dir.path().join("missing")).is_err());
    }

    #[test]
    fn free_space_is_told_and_a_missing_folder_is_an_error() {
        assert!(free_bytes(tempdir().unwrap().path()).unwrap() > 0);
        assert!(free_bytes(Path::new("/no/such/folder")).is_err());
    }
}
