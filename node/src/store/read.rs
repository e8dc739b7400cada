//! Reads that are checked before they are believed: a whole shard against its id, a range against the checksums of the chunks
//! it touches.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use nodio_wire::ShardId;

use super::index::Location;
use super::limits::{REREAD_MS, VERIFY_BYTES};
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

/// Reads the shard piece by piece, for who only wants to know that it is whole: what this holds in memory is one piece.
pub(crate) fn verify(file: &File, id: ShardId, at: Location) -> Result<(), ReadFault> {
    let mut hasher = blake3::Hasher::new();
    for from in (0..at.len).step_by(VERIFY_BYTES) {
        let piece = read_at(file, (at.len - from).min(VERIFY_BYTES as u32) as usize, data_offset(at) + u64::from(from))?;
        hasher.update(&piece);
    }
    if ShardId(*hasher.finalize().as_bytes()) == id { Ok(()) } else { Err(ReadFault::Rotten) }
}

/// The bytes that are read, and held until the last of them is let go, for `range` of a shard of `len` bytes.
pub(crate) fn span(range: &Range<u32>, len: u32) -> Range<u32> {
    let from = range.start as usize / CHUNK_BYTES * CHUNK_BYTES;
    let to = (range.end as usize).next_multiple_of(CHUNK_BYTES).min(len as usize);
    from as u32..to.max(from) as u32
}

/// Bytes `range` of the shard; `range` lies within it. Where a checksum doesn't hold the whole shard decides: it may be the
/// checksum that rotted.
pub(crate) fn range(file: &File, id: ShardId, at: Location, range: Range<u32>) -> Result<Bytes, ReadFault> {
    if range.start == 0 && range.end == at.len {
        return whole(file, id, at);
    }
    match chunks(file, at, &range)? {
        Some(bytes) => Ok(bytes),
        // Copied, so as not to hold more than was asked for.
        None => Ok(Bytes::copy_from_slice(&whole(file, id, at)?[range.start as usize..range.end as usize])),
    }
}

/// The range out of the chunks around it, if their checksums hold.
fn chunks(file: &File, at: Location, range: &Range<u32>) -> Result<Option<Bytes>, ReadFault> {
    let span = span(range, at.len);
    let data = read_at(file, span.len(), data_offset(at) + u64::from(span.start))?;
    let (first, count) = (span.start as usize / CHUNK_BYTES, span.len().div_ceil(CHUNK_BYTES));
    let sums_at = data_offset(at) + u64::from(at.len) + (first * SUM_BYTES) as u64;
    let sums = read_at(file, count * SUM_BYTES, sums_at)?;
    let hold = data.chunks(CHUNK_BYTES).zip(sums.chunks_exact(SUM_BYTES)).all(|(chunk, sum)| chunk_sum(chunk) == sum);
    Ok(hold.then(|| data.slice((range.start - span.start) as usize..(range.end - span.start) as usize)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_the_chunks_around_a_range() {
        let chunk = CHUNK_BYTES as u32;
        let len = 2 * chunk + 100;
        for (range, want) in [
            (0..1, 0..chunk),
            (chunk - 1..chunk, 0..chunk),
            (chunk - 1..chunk + 1, 0..2 * chunk),
            (chunk..2 * chunk, chunk..2 * chunk),
            (2 * chunk + 5..len, 2 * chunk..len),
            (0..len, 0..len),
            (len..len, 2 * chunk..len),
        ] {
            assert_eq!(span(&range, len), want, "{range:?}");
        }
        assert_eq!(span(&(0..0), 0), 0..0);
    }
}
