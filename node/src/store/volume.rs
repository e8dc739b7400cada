//! The files: names, creation, appending at a known place, reading exactly. No decisions.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::buffer::Buffer;

/// Slices of one system call; the kernel takes no more.
const SLICES_MAX: usize = 1024;

pub(crate) fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08}.vol"))
}

/// Numbers begin at 1; 0 is no volume but the mark of a format (see `format`).
fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".vol")?;
    let number = digits.parse().ok()?;
    (number > 0 && format!("{number:08}") == digits).then_some(number)
}

/// The volumes of a folder, ascending. Other files are left alone.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        numbers.extend(entry?.file_name().to_str().and_then(number_of));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

pub(crate) fn open(dir: &Path, number: u32) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path(dir, number))
}

/// Opens a volume for writes past the page cache. They take whole blocks only, in memory as on the disk.
pub(crate) fn open_direct(dir: &Path, number: u32) -> io::Result<File> {
    let flags = rustix::fs::OFlags::DIRECT.bits().cast_signed();
    OpenOptions::new().write(true).custom_flags(flags).open(path(dir, number))
}

/// Makes a new volume; its name is durable before this returns if `durable`.
pub(crate) fn create(dir: &Path, number: u32, durable: bool) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path(dir, number))?;
    if durable && let Err(error) = sync_dir(dir) {
        // Left in place it would fail every later attempt at this number.
        std::fs::remove_file(path(dir, number))?;
        return Err(error);
    }
    Ok(file)
}

pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Writes all slices one after the other, beginning at `offset`. No copies, no file position.
pub(crate) fn write_all_at(file: &File, mut slices: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
    // Advancing also drops empty slices at the front, so what is left at the front has bytes.
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match rustix::io::pwritev(file, &slices[..slices.len().min(SLICES_MAX)], offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut slices, written);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Reads exactly `len` bytes at `offset`, without clearing the buffer first.
pub(crate) fn read_at(file: &File, len: usize, offset: u64) -> io::Result<Bytes> {
    let mut buffer = Buffer::new(len);
    let bytes = buffer.as_mut_vec();
    while bytes.len() < len {
        let at = offset + bytes.len() as u64;
        match rustix::io::pread(file, rustix::buffer::spare_capacity(bytes), at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // A pooled buffer may be longer than asked for, and the file goes on.
    bytes.truncate(len);
    Ok(buffer.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_we_give_are_volumes() {
        assert_eq!(number_of("00000012.vol"), Some(12));
        assert_eq!(number_of("123456789.vol"), Some(123_456_789));
        for other in ["12.vol", "00000012.tmp", "0000001x.vol", ".vol", "+0000012.vol", "000000012.vol", "00000000.vol"] {
            assert_eq!(number_of(other), None, "{other}");
        }
    }

    #[test]
    fn many_slices_some_empty_come_back_in_order() {
        let file = tempfile::tempfile().unwrap();
        let parts: Vec<Vec<u8>> = (0..3000usize).map(|i| vec![i as u8; i % 7]).collect();
        let mut slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
        write_all_at(&file, &mut slices, 10).unwrap();
        let whole = parts.concat();
        assert_eq!(read_at(&file, whole.len(), 10).unwrap(), whole);
        assert!(read_at(&file, whole.len() + 1, 10).is_err());
    }
}
