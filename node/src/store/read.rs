//! Reads that are checked before they are believed: a whole shard against its id, a range against the checksums of the chunks
//! it touches.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use nodio_wire::ShardId;

use super::index::Location;
use super::limits::REREAD_MS;
use super::record::{HEADER_BYTES, SUM_BYTES, chunk_sum};
use super::volume::read_at;
use crate::limits::CHUNK_BYTES;

/// Why a record can't be read.
#[derive(Debug)]
pub(crate) enum ReadFault {
    /// The bytes are not the shard's, or the disk can't give them back.
    Rotten,
    Io(io::Error),
}

impl From<io::Error> for ReadFault {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Rotten } else { Self::Io(error) }
    }
}

/// True where the disk says that it can't read this. A cable may be at fault as well as the medium, so once is not believed.
pub(crate) fn is_unreadable(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// As [`whole`], for who reads to find damage: what can't be read twice, a moment apart, is lost.
pub(crate) fn insisting(file: &File, id: ShardId, at: Location) -> Result<Bytes, ReadFault> {
    match whole(file, id, at) {
        Err(ReadFault::Io(error)) if is_unreadable(&error) => std::thread::sleep(Duration::from_millis(REREAD_MS)),
        read => return read,
    }
    match whole(file, id, at) {
        Err(ReadFault::Io(error)) if is_unreadable(&error) => Err(ReadFault::Rotten),
        read => read,
    }
}

/// The shard, checked against its id.
pub(crate) fn whole(file: &File, id: ShardId, at: Location) -> Result<Bytes, ReadFault> {
    let data = read_at(file, at.len as usize, data_offset(at))?;
    if ShardId::of(&data) == id { Ok(data) } else { Err(ReadFault::Rotten) }
}

/// Bytes `range` of the shard; `range` lies within it. Where a checksum doesn't hold the whole shard decides: it may be the
/// checksum that rotted.
pub(crate) fn range(file: &File, id: ShardId, at: Location, range: Range<u32>) -> Result<Bytes, ReadFault> {
    let (start, end) = (range.start as usize, range.end as usize);
    if start == 0 && range.end == at.len {
        return whole(file, id, at);
    }
    match chunks(file, at, start, end)? {
        Some(bytes) => Ok(bytes),
        None => Ok(whole(file, id, at)?.slice(start..end)),
    }
}

/// The range out of the chunks around it, if their checksums hold.
fn chunks(file: &File, at: Location, start: usize, end: usize) -> Result<Option<Bytes>, ReadFault> {
    let (first, last) = (start / CHUNK_BYTES, end.div_ceil(CHUNK_BYTES));
    let from = first * CHUNK_BYTES;
    let to = (last * CHUNK_BYTES).min(at.len as usize);
    let data = read_at(file, to.saturating_sub(from), data_offset(at) + from as u64)?;
    let sums_at = data_offset(at) + u64::from(at.len) + (first * SUM_BYTES) as u64;
    let sums = read_at(file, (last - first) * SUM_BYTES, sums_at)?;
    let hold = data.chunks(CHUNK_BYTES).zip(sums.chunks_exact(SUM_BYTES)).all(|(chunk, sum)| chunk_sum(chunk) == sum);
    Ok(hold.then(|| data.slice(start - from..end - from)))
}

fn data_offset(at: Location) -> u64 {
    at.place.offset() + HEADER_BYTES as u64
}

/// True if the record of the shard ends in these bytes.
pub(crate) fn is_followed_by(file: &File, at: Location, trailer: &[u8]) -> io::Result<bool> {
    match read_at(file, trailer.len(), data_offset(at) + u64::from(at.len)) {
        Ok(bytes) => Ok(bytes == trailer),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof || is_unreadable(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
