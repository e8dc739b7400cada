//! One record: a header of 64 bytes, the shard, its chunk checksums, padding to the next multiple of 64.
//!
//! ```text
//!   0     4 5 6   8      12     16        24              56      64
//!   magic v k g   a      b      time ms   shard id        check   data .. | crc64 per chunk .. | 0 ..
//! ```
//! | kind | is | a, b | g | time |
//! |---|---|---|---|---|
//! | 1 | a shard | its length, the second it was set aside in or 0 | 0 | stored |
//! | 2 | a tombstone: kills one record | volume and slot of that record | 0 | 0 |
//! | 3 | a void: was a shard, is litter; or a pad | its length, 0 | 0 | as it was |
//! | 4 | a mark: one shard's record is set aside | volume and slot of that record | generation | of the mark |
//! | 5 | a mark: it is taken back out | the same | generation | of the mark |
//!
//! Of all marks of a record the one of the highest generation holds; the record itself is generation 0. So marks may be moved,
//! doubled and read in any order. Kinds 4 and 5, and a shard set aside, are format 2 of a store (see `format`).
//!
//! `check` is BLAKE3 over the volume number, the slot and the header, cut to 8 bytes: a header is valid only where it was
//! written, so neither bytes of a shard nor a block that strayed are ever taken for one. All numbers are little-endian.

use bytes::Bytes;
use nodio_wire::{ShardId, UnixMs};

use crate::limits::{CHUNK_BYTES, SHARD_MAX_BYTES};

/// Every record begins at a multiple of this.
pub(crate) const SLOT_BYTES: u64 = 64;
pub(crate) const HEADER_BYTES: usize = 64;
/// Bytes of one chunk's checksum.
pub(crate) const SUM_BYTES: usize = 8;
const MAGIC: [u8; 4] = *b"NdRc";
const VERSION: u8 = 1;
const CHECKED: usize = 56;
/// What a header says, without what shows that it is one.
pub(crate) const FIELDS_BYTES: usize = 51;
const FIELDS: std::ops::Range<usize> = CHECKED - FIELDS_BYTES..CHECKED;

/// Where a record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) volume: u32,
    /// Offset divided by [`SLOT_BYTES`].
    pub(crate) slot: u32,
}

impl Place {
    /// `None` beyond 256 GiB or between slots.
    pub(crate) fn at(volume: u32, offset: u64) -> Option<Self> {
        let slot = u32::try_from(offset / SLOT_BYTES).ok()?;
        offset.is_multiple_of(SLOT_BYTES).then_some(Self { volume, slot })
    }

    pub(crate) fn offset(self) -> u64 {
        u64::from(self.slot) * SLOT_BYTES
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Shard {
        len: u32,
        /// When it was set aside, if it was when this record was written. Never 0.
        aside_s: Option<u32>,
    },
    /// Kills exactly the record at `target`, wherever the tombstone itself is moved later.
    Tombstone { target: Place },
    /// Was a shard, is litter: overwritten in place when a start found it torn or superseded. Or never was one: a pad.
    Void { len: u32 },
    /// Sets the record at `target` aside or takes it back out.
    Mark { target: Place, aside: bool, generation: u16 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) id: ShardId,
    /// Of a shard: when it was stored; of a mark: when it was made.
    pub(crate) time_ms: UnixMs,
}

impl Header {
    pub(crate) fn encode(&self, place: Place) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        bytes[FIELDS].copy_from_slice(&self.fields());
        let check = check(&bytes, place);
        bytes[CHECKED..].copy_from_slice(&check);
        bytes
    }

    /// `None` if these bytes are no header written at `place`.
    pub(crate) fn decode(bytes: &[u8; HEADER_BYTES], place: Place) -> Option<Self> {
        if bytes[..4] != MAGIC || bytes[4] != VERSION || bytes[CHECKED..] != check(bytes, place) {
            return None;
        }
        Self::of_fields(bytes[FIELDS].first_chunk()?)
    }

    pub(crate) fn fields(&self) -> [u8; FIELDS_BYTES] {
        let (kind, a, b, g) = match self.kind {
            Kind::Shard { len, aside_s } => (1, len, aside_s.unwrap_or(0), 0),
            Kind::Tombstone { target } => (2, target.volume, target.slot, 0),
            Kind::Void { len } => (3, len, 0, 0),
            Kind::Mark { target, aside, generation } => (if aside { 4 } else { 5 }, target.volume, target.slot, generation),
        };
        let mut bytes = [0; FIELDS_BYTES];
        bytes[0] = kind;
        bytes[1..3].copy_from_slice(&u16::to_le_bytes(g));
        bytes[3..7].copy_from_slice(&u32::to_le_bytes(a));
        bytes[7..11].copy_from_slice(&u32::to_le_bytes(b));
        bytes[11..19].copy_from_slice(&self.time_ms.to_le_bytes());
        bytes[19..].copy_from_slice(&self.id.0);
        bytes
    }

    /// `None` of a kind or a length that there is not.
    pub(crate) fn of_fields(bytes: &[u8; FIELDS_BYTES]) -> Option<Self> {
        let (a, b, generation) = (u32_at(bytes, 3), u32_at(bytes, 7), u16::from_le_bytes([bytes[1], bytes[2]]));
        let target = Place { volume: a, slot: b };
        let kind = match bytes[0] {
            1 if a <= SHARD_MAX_BYTES => Kind::Shard { len: a, aside_s: (b > 0).then_some(b) },
            2 => Kind::Tombstone { target },
            3 if a <= SHARD_MAX_BYTES => Kind::Void { len: a },
            4 | 5 => Kind::Mark { target, aside: bytes[0] == 4, generation },
            _ => return None,
        };
        let mut id = ShardId([0; 32]);
        id.0.copy_from_slice(&bytes[19..]);
        let mut time = [0; 8];
        time.copy_from_slice(&bytes[11..19]);
        Some(Self { kind, id, time_ms: u64::from_le_bytes(time) })
    }

    /// Bytes of the whole record, a multiple of [`SLOT_BYTES`].
    pub(crate) fn record_bytes(&self) -> u64 {
        match self.kind {
            Kind::Shard { len, .. } | Kind::Void { len } => record_bytes(len),
            Kind::Tombstone { .. } | Kind::Mark { .. } => SLOT_BYTES,
        }
    }

    /// Seconds since 1970, as the index keeps them.
    pub(crate) fn time_s(&self) -> u32 {
        seconds(self.time_ms)
    }
}

/// Whole seconds of a time.
pub(crate) fn seconds(time_ms: UnixMs) -> u32 {
    u32::try_from(time_ms / 1000).unwrap_or(u32::MAX)
}

fn check(header: &[u8; HEADER_BYTES], place: Place) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&place.volume.to_le_bytes()).update(&place.slot.to_le_bytes()).update(&header[..CHECKED]);
    let mut check = [0; 8];
    check.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    check
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn chunks(len: u32) -> usize {
    (len as usize).div_ceil(CHUNK_BYTES)
}

/// Bytes of the record of a shard of `len` bytes.
pub(crate) fn record_bytes(len: u32) -> u64 {
    let unpadded = HEADER_BYTES as u64 + u64::from(len) + (chunks(len) * SUM_BYTES) as u64;
    unpadded.next_multiple_of(SLOT_BYTES)
}

/// The longest pad.
const PAD_MAX_BYTES: usize = 4096;
static ZEROS: [u8; PAD_MAX_BYTES] = [0; PAD_MAX_BYTES];

/// A void that takes exactly `bytes`, a multiple of [`SLOT_BYTES`] up to a block: what every node skips. `None` for no bytes.
pub(crate) fn pad(bytes: u64) -> Option<(Header, Bytes)> {
    let behind = usize::try_from(bytes).ok()?.checked_sub(HEADER_BYTES)?;
    let len = u32::try_from(behind.saturating_sub(SUM_BYTES)).ok()?;
    let header = Header { kind: Kind::Void { len }, id: ShardId([0; 32]), time_ms: 0 };
    (header.record_bytes() == bytes).then_some((header, Bytes::from_static(ZEROS.get(..behind)?)))
}

/// CRC-64/NVME of one chunk: against rot, not against malice, which BLAKE3 over the whole shard is for.
pub(crate) fn chunk_sum(chunk: &[u8]) -> [u8; SUM_BYTES] {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, chunk).to_le_bytes()
}

/// What follows a shard's bytes: the checksum of every chunk, then padding.
pub(crate) fn trailer(data: &[u8]) -> Vec<u8> {
    let sums = data.len().div_ceil(CHUNK_BYTES) * SUM_BYTES;
    let before = HEADER_BYTES + data.len();
    let len = (before + sums).next_multiple_of(SLOT_BYTES as usize) - before;
    let mut bytes = Vec::with_capacity(len);
    data.chunks(CHUNK_BYTES).for_each(|chunk| bytes.extend_from_slice(&chunk_sum(chunk)));
    bytes.resize(len, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { volume: 7, slot: 12 };

    fn header(kind: Kind) -> Header {
        Header { kind, id: ShardId::of(b"x"), time_ms: 1_700_000_000_123 }
    }

    #[test]
    fn a_header_reads_as_written_and_only_where_it_was_written() {
        let target = Place { volume: 1, slot: 2 };
        let shards = [None, Some(1), Some(u32::MAX)].map(|aside_s| Kind::Shard { len: 99, aside_s });
        let marks = [true, false].map(|aside| Kind::Mark { target, aside, generation: 0xfffe });
        for kind in shards.into_iter().chain(marks).chain([Kind::Tombstone { target }, Kind::Void { len: 0 }]) {
            let bytes = header(kind).encode(PLACE);
            assert_eq!(Header::decode(&bytes, PLACE), Some(header(kind)));
            assert_eq!(Header::decode(&bytes, Place { slot: 13, ..PLACE }), None);
            assert_eq!(Header::decode(&bytes, Place { volume: 8, ..PLACE }), None);
        }
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        let bytes = header(Kind::Shard { len: 99, aside_s: None }).encode(PLACE);
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&flipped, PLACE), None, "bit {bit}");
        }
    }

    #[test]
    fn a_record_is_as_long_as_it_says() {
        for len in [0, 1, 63, 64, 65, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, SHARD_MAX_BYTES as usize] {
            let data = vec![5; len];
            assert_eq!((HEADER_BYTES + len + trailer(&data).len()) as u64, record_bytes(len as u32), "length {len}");
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_no_header() {
        let bytes = header(Kind::Shard { len: SHARD_MAX_BYTES + 1, aside_s: None }).encode(PLACE);
        assert_eq!(Header::decode(&bytes, PLACE), None);
    }
    /// What nodes before the trash wrote, byte by byte: a shard, a tombstone and a void read as ever.
    #[test]
    fn headers_of_format_1_read_as_ever() {
        let target = Place { volume: 3, slot: 9 };
        let kinds = [(1, 99, 0, Kind::Shard { len: 99, aside_s: None }), (2, 3, 9, Kind::Tombstone { target })];
        for (kind, a, b, read) in kinds.into_iter().chain([(3, 99, 0, Kind::Void { len: 99 })]) {
            let mut bytes = [0; HEADER_BYTES];
            bytes[..6].copy_from_slice(&[b'N', b'd', b'R', b'c', 1, kind]);
            bytes[8..12].copy_from_slice(&u32::to_le_bytes(a));
            bytes[12..16].copy_from_slice(&u32::to_le_bytes(b));
            bytes[16..24].copy_from_slice(&1_700_000_000_123u64.to_le_bytes());
            bytes[24..56].copy_from_slice(&ShardId::of(b"x").0);
            let mut hasher = blake3::Hasher::new();
            hasher.update(&7u32.to_le_bytes()).update(&12u32.to_le_bytes()).update(&bytes[..56]);
            bytes[56..].copy_from_slice(&hasher.finalize().as_bytes()[..8]);
            assert_eq!(Header::decode(&bytes, PLACE), Some(header(read)));
            assert_eq!(header(read).encode(PLACE), bytes, "and are written as ever");
        }
    }
}
