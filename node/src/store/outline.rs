//! Outlines: what the headers of one volume say, in one file beside it, so that a start reads a few MB and not every volume.
//!
//! ```text
//!   00000012.vol   [rec][rec] .. [rec]
//!   00000012.out   head | slot, header's fields | slot, header's fields | .. | BLAKE3 of all that
//!                  └ magic, version, volume's number, its length, when it was last written to
//! ```
//! An outline is made of a volume that nobody writes to and is believed only while the volume is as it was then. Whoever
//! overwrites a record in place removes the outline first, durably; the time catches what a node without outlines did
//! meanwhile. Every other outline is removed at the start that finds it, before anything is written: a volume that was cut may
//! grow to the same length again. Losing an outline costs the reading of its volume's headers.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::held::Volume;
use super::limits::OUTLINE_BUFFER_ROWS;
use super::record::{FIELDS_BYTES, Header, Place};
use super::scan::Headers;
use super::volume;

const MAGIC: [u8; 4] = *b"NdOl";
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 32;
const SLOT_NUMBER_BYTES: usize = 4;
const ROW_BYTES: usize = SLOT_NUMBER_BYTES + FIELDS_BYTES;

pub(crate) fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08}.out"))
}

fn unfinished(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08}.out.new"))
}

/// Ties an outline to one state of one volume.
fn head(number: u32, volume: &File) -> io::Result<([u8; HEAD_BYTES], u64)> {
    let about = volume.metadata()?;
    let mut bytes = [0; HEAD_BYTES];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..8].copy_from_slice(&VERSION.to_le_bytes());
    bytes[8..12].copy_from_slice(&number.to_le_bytes());
    bytes[12..20].copy_from_slice(&about.len().to_le_bytes());
    bytes[20..28].copy_from_slice(&about.mtime().to_le_bytes());
    // Less than 10^9.
    bytes[28..].copy_from_slice(&(about.mtime_nsec() as u32).to_le_bytes());
    Ok((bytes, about.len()))
}

/// Tells the records of volume `number` to `found`, in order, and answers the outline's length. `None` where no outline holds:
/// then what was told is worth nothing.
pub(crate) fn read(dir: &Path, number: u32, volume: &File, found: impl FnMut(Place, Header)) -> Option<u64> {
    let read = match File::open(path(dir, number)) {
        Ok(outline) => believe(number, volume, outline, found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => Err(error),
    };
    match read {
        Ok(Some(bytes)) => return Some(bytes),
        Ok(None) => tracing::debug!(volume = number, "its outline is of another state of it"),
        Err(error) => tracing::warn!(volume = number, "its outline can't be read: {error}"),
    }
    None
}

fn believe(number: u32, volume: &File, mut outline: File, mut found: impl FnMut(Place, Header)) -> io::Result<Option<u64>> {
    let bytes = outline.metadata()?.len();
    let around = (HEAD_BYTES + blake3::OUT_LEN) as u64;
    let Some(mut rows) = bytes.checked_sub(around).filter(|rows| rows.is_multiple_of(ROW_BYTES as u64)) else {
        return Ok(None);
    };
    let (expected, len) = head(number, volume)?;
    let mut head = [0; HEAD_BYTES];
    outline.read_exact(&mut head)?;
    if head != expected {
        return Ok(None);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&head);
    let (mut buffer, mut end) = (vec![0; OUTLINE_BUFFER_ROWS * ROW_BYTES], 0);
    while rows > 0 {
        let some = rows.min(buffer.len() as u64) as usize;
        outline.read_exact(&mut buffer[..some])?;
        hasher.update(&buffer[..some]);
        for row in buffer[..some].chunks_exact(ROW_BYTES) {
            let Some((place, header)) = decode(number, row).filter(|(place, _)| place.offset() >= end) else { return Ok(None) };
            end = place.offset() + header.record_bytes();
            found(place, header);
        }
        rows -= some as u64;
    }
    let mut sum = [0; blake3::OUT_LEN];
    outline.read_exact(&mut sum)?;
    Ok((hasher.finalize() == sum && end <= len).then_some(bytes))
}

fn decode(volume: u32, row: &[u8]) -> Option<(Place, Header)> {
    let (slot, fields) = row.split_first_chunk::<SLOT_NUMBER_BYTES>()?;
    let place = Place { volume, slot: u32::from_le_bytes(*slot) };
    Some((place, Header::of_fields(fields.first_chunk()?)?))
}

/// Takes an outline away, if there is one; for good, if `durable`.
pub(crate) fn remove(dir: &Path, number: u32, durable: bool) -> io::Result<()> {
    match std::fs::remove_file(path(dir, number)) {
        Ok(()) if durable => volume::sync_dir(dir),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes outlines whose volume is gone, and those that were never finished.
pub(crate) fn sweep(dir: &Path, volumes: &[u32]) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let digits = name.strip_suffix(".out").or_else(|| name.strip_suffix(".out.new"));
        let Some(number) = digits.and_then(|digits| digits.parse().ok()) else { continue };
        let path = dir.join(name);
        if path == unfinished(dir, number) || (path == self::path(dir, number) && volumes.binary_search(&number).is_err()) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// An outline on its way.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) number: u32,
    volume: Arc<File>,
    dir: PathBuf,
    head: [u8; HEAD_BYTES],
    /// Of the volume.
    pub(crate) len: u64,
    at: u64,
    out: File,
    buffer: Vec<u8>,
    hasher: blake3::Hasher,
    /// Of the outline, once it is finished.
    pub(crate) bytes: u64,
}

impl Draft {
    pub(crate) fn begin(dir: &Path, number: u32, volume: &Volume) -> io::Result<Self> {
        let (volume, known) = (volume.file.clone(), volume.bytes);
        let (head, len) = head(number, &volume)?;
        if len != known {
            return Err(io::Error::other(format!("it is {len} bytes long and not {known}")));
        }
        let new = unfinished(dir, number);
        let out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(new)?;
        let bytes = (HEAD_BYTES + blake3::OUT_LEN) as u64;
        let (dir, buffer) = (dir.to_owned(), head.to_vec());
        Ok(Self { number, volume, dir, head, len, at: 0, out, buffer, hasher: blake3::Hasher::new(), bytes })
    }

    /// Reads up to `records` more headers; true if there are more. A volume that can't be read whole gets no outline.
    pub(crate) fn step(&mut self, records: usize) -> io::Result<bool> {
        let mut headers = Headers::new(&self.volume, self.number, self.at, self.len);
        for _ in 0..records {
            let Some((place, header)) = headers.next()? else {
                return if headers.is_whole() { Ok(false) } else { Err(io::Error::other("not all of it can be read")) };
            };
            self.buffer.extend_from_slice(&place.slot.to_le_bytes());
            self.buffer.extend_from_slice(&header.fields());
            self.bytes += ROW_BYTES as u64;
        }
        if !headers.is_whole() {
            return Err(io::Error::other("not all of it can be read"));
        }
        self.at = headers.position();
        self.write()?;
        Ok(true)
    }

    fn write(&mut self) -> io::Result<()> {
        self.hasher.update(&self.buffer);
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Puts it in place of an older one. False if the volume was written to meanwhile.
    pub(crate) fn finish(mut self, durable: bool) -> io::Result<bool> {
        self.write()?;
        let sum = self.hasher.finalize();
        self.out.write_all(sum.as_bytes())?;
        if durable {
            self.volume.sync_all()?;
            self.out.sync_all()?;
        }
        if head(self.number, &self.volume)?.0 != self.head {
            return Ok(false);
        }
        std::fs::rename(unfinished(&self.dir, self.number), path(&self.dir, self.number))?;
        if durable {
            volume::sync_dir(&self.dir)?;
        }
        Ok(true)
    }
}

impl Drop for Draft {
    /// Of one that is finished nothing is left under this name.
    fn drop(&mut self) {
        let _ = std::fs::remove_file(unfinished(&self.dir, self.number));
    }
}
