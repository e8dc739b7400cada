//! A segment: sealed, cut into `k` data shards, joined by `n - k` parity shards; and which bytes of which shard a range needs.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::erasure::{self, CodecError};
use crate::seal::{BLOCK_BYTES, PartCipher, SEALED_BLOCK_BYTES, sealed_len};

/// The measures of one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    k: usize,
    n: usize,
    plain: usize,
}

impl Shape {
    /// `plain` plaintext bytes under `k/n`; `1 <= k <= n`.
    pub fn new(k: usize, n: usize, plain: usize) -> Self {
        assert!(k >= 1 && k <= n, "a code has 1 <= k <= n");
        Self { k, n, plain }
    }

    /// Sealed bytes, before padding.
    pub fn sealed(&self) -> usize {
        sealed_len(self.plain)
    }

    /// Bytes of every shard.
    pub fn shard_len(&self) -> usize {
        self.sealed().div_ceil(self.k)
    }

    /// What must be read to have plaintext bytes `range` of this segment. The range is not empty and inside the segment.
    pub fn window(&self, range: Range<usize>) -> Window {
        assert!(range.start < range.end && range.end <= self.plain, "the range lies in the segment");
        let first_block = range.start / BLOCK_BYTES;
        let start = first_block * SEALED_BLOCK_BYTES;
        let end = (range.end.div_ceil(BLOCK_BYTES) * SEALED_BLOCK_BYTES).min(self.sealed());
        let skip = range.start - first_block * BLOCK_BYTES;
        let ends = end == self.sealed();
        Window { sealed: start..end, first_block, skip, take: range.len(), shard_len: self.shard_len(), ends }
    }
}

/// The sealed bytes that hold a plaintext range: whole blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    sealed: Range<usize>,
    /// The block that `sealed` begins with.
    pub first_block: usize,
    /// Plaintext bytes of the first block before the range ...
    pub skip: usize,
    /// ... and the length of the range.
    pub take: usize,
    shard_len: usize,
    /// True when the window reaches the segment's end.
    ends: bool,
}

impl Window {
    /// The data shards that hold the window, and the bytes of each. A piece that reaches the segment's end takes the few bytes of padding
    /// behind it too: then the pieces of a whole segment are whole shards, fit to rebuild from.
    pub fn pieces(&self) -> impl Iterator<Item = (usize, Range<usize>)> + '_ {
        let shards = self.sealed.start / self.shard_len..self.sealed.end.div_ceil(self.shard_len);
        shards.map(|shard| {
            let base = shard * self.shard_len;
            let end = if self.ends { self.shard_len } else { (self.sealed.end - base).min(self.shard_len) };
            (shard, self.sealed.start.saturating_sub(base)..end)
        })
    }

    /// The byte columns that cover every piece: read these of any `k` shards and each piece can be rebuilt.
    pub fn columns(&self) -> Range<usize> {
        self.pieces().map(|(_, piece)| piece).reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)).unwrap_or(0..0)
    }

    /// Joins the pieces' bytes, in order, to the sealed blocks of the window.
    pub fn join(&self, pieces: &[Bytes]) -> Bytes {
        let mut sealed = match pieces {
            [only] => only.clone(),
            pieces => {
                let mut sealed = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
                pieces.iter().for_each(|piece| sealed.extend_from_slice(piece));
                sealed.freeze()
            }
        };
        sealed.truncate(self.sealed.len());
        sealed
    }
}

/// Seals and encodes one segment: `n` shards, by position, sharing one allocation.
pub fn encode(cipher: &PartCipher, index: u32, plain: &[u8], k: usize, n: usize) -> Result<Vec<Bytes>, CodecError> {
    let shape = Shape::new(k, n, plain.len());
    let (sealed, shard) = (shape.sealed(), shape.shard_len());
    let coded = if k == 1 { 1 } else { n };
    let mut all = BytesMut::zeroed(coded * shard);
    cipher.seal_segment(index, plain, &mut all[..sealed]);
    if coded > 1 {
        let (data, parity) = all.split_at_mut(k * shard);
        let data: Vec<&[u8]> = data.chunks(shard).collect();
        let mut parity: Vec<&mut [u8]> = parity.chunks_mut(shard).collect();
        erasure::encode(&data, &mut parity)?;
    }
    let all = all.freeze();
    Ok((0..n).map(|position| if k == 1 { all.clone() } else { all.slice(position * shard..(position + 1) * shard) }).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::DataKey;

    fn plain(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 13 % 241) as u8).collect()
    }

    fn open(cipher: &PartCipher, len: usize, window: &Window, sealed: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        cipher.open_blocks(7, len, window.first_block, sealed, &mut out).expect("opens");
        out[window.skip..window.skip + window.take].to_vec()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_range_reads_back_healthy_and_degraded(
            k in 1usize..6, parity in 0usize..3, len in 1usize..400_000, a: prop::sample::Index, b: prop::sample::Index,
        ) {
            let n = k + parity;
            let (a, b) = (a.index(len), b.index(len));
            let range = a.min(b)..a.max(b) + 1;
            let cipher = PartCipher::new([3; 16], &DataKey::random());
            let bytes = plain(len);
            let shards = encode(&cipher, 7, &bytes, k, n).expect("encodes");
            let shape = Shape::new(k, n, len);
            prop_assert!(shards.len() == n && shards.iter().all(|shard| shard.len() == shape.shard_len()));

            let window = shape.window(range.clone());
            let pieces: Vec<Bytes> = window.pieces().map(|(shard, piece)| shards[shard].slice(piece)).collect();
            prop_assert_eq!(&open(&cipher, len, &window, &window.join(&pieces)), &bytes[range.clone()]);

            let columns = window.columns();
            let last: Vec<(usize, &[u8])> = (parity..n).map(|i| (i, &shards[i][columns.clone()])).collect();
            let rebuilt: Vec<Bytes> = window.pieces().map(|(shard, piece)| {
                let column = erasure::rebuild_one(k, n, &last, shard).expect("rebuilds");
                Bytes::from(column).slice(piece.start - columns.start..piece.end - columns.start)
            }).collect();
            prop_assert_eq!(&open(&cipher, len, &window, &window.join(&rebuilt)), &bytes[range]);
        }
    }

    #[test]
    fn a_range_of_a_full_segment_touches_only_the_shards_that_hold_it() {
        let mib = 1024 * 1024;
        let window = Shape::new(4, 6, 4 * mib).window(mib..mib + 100);
        assert_eq!(window.pieces().collect::<Vec<_>>(), vec![(1, 0..SEALED_BLOCK_BYTES)]);
        let window = Shape::new(4, 6, 4 * mib).window(mib - 1..mib + 1);
        assert_eq!(window.pieces().map(|(shard, _)| shard).collect::<Vec<_>>(), vec![0, 1]);
    }
}
