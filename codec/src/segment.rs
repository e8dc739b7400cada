//! A segment: sealed, cut into `k` data shards, joined by `n - k` parity shards; and which bytes of which shard a range needs.

use std::ops::Range;

use crate::erasure::{self, CodecError};
use crate::seal::{BLOCK_BYTES, OpenError, PartCipher, SEALED_BLOCK_BYTES, sealed_len};

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

    /// Bytes of all shards that differ: of one where all are the same.
    pub fn coded_len(&self) -> usize {
        if self.k == 1 { self.shard_len() } else { self.n * self.shard_len() }
    }

    /// Where the shard at `position` lies among [`Self::coded_len`] bytes.
    pub fn shard(&self, position: usize) -> Range<usize> {
        let start = if self.k == 1 { 0 } else { position * self.shard_len() };
        start..start + self.shard_len()
    }

    /// What must be read to have plaintext bytes `range` of this segment. The range is not empty and inside the segment.
    pub fn window(&self, range: Range<usize>) -> Window {
        assert!(range.start < range.end && range.end <= self.plain, "the range lies in the segment");
        let blocks = range.start / BLOCK_BYTES..range.end.div_ceil(BLOCK_BYTES);
        let sealed = blocks.start * SEALED_BLOCK_BYTES..(blocks.end * SEALED_BLOCK_BYTES).min(self.sealed());
        let ends = sealed.end == self.sealed();
        Window { sealed, blocks, range, plain: self.plain, shard_len: self.shard_len(), ends }
    }
}

/// The sealed bytes that hold a plaintext range: whole blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    sealed: Range<usize>,
    blocks: Range<usize>,
    /// Plaintext bytes within the segment, which has `plain`.
    range: Range<usize>,
    plain: usize,
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

    /// Begins to open the window's blocks, which lie one after another in the pieces' bytes.
    pub fn open(self) -> Opening {
        Opening { block: self.blocks.start, window: self, piece: 0, at: 0 }
    }
}

/// Plaintext where it was opened.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// In these bytes of the piece of this number.
    Within(usize, Range<usize>),
    /// Of a block that lay in several pieces.
    Apart(Vec<u8>),
}

/// A window being opened, block by block, in place.
#[derive(Debug)]
pub struct Opening {
    window: Window,
    /// The next block, and where it begins.
    block: usize,
    piece: usize,
    at: usize,
}

impl Opening {
    /// Opens the next block of `segment`; `None` behind the last. `pieces` are the same at every step. After an error they are spoilt.
    pub fn step(
        &mut self,
        cipher: &PartCipher,
        segment: u32,
        pieces: &mut [impl AsMut<[u8]>],
    ) -> Option<Result<Opened, OpenError>> {
        if self.block >= self.window.blocks.end {
            return None;
        }
        let opened = self.open_next(cipher, segment, pieces);
        self.block += 1;
        Some(opened)
    }

    fn open_next(&mut self, cipher: &PartCipher, segment: u32, pieces: &mut [impl AsMut<[u8]>]) -> Result<Opened, OpenError> {
        let start = self.block * SEALED_BLOCK_BYTES;
        let len = SEALED_BLOCK_BYTES.min(self.window.sealed.end - start);
        while self.piece + 1 < pieces.len() && self.at == pieces[self.piece].as_mut().len() {
            (self.piece, self.at) = (self.piece + 1, 0);
        }
        let (piece, at) = (self.piece, self.at);
        if let Some(block) = pieces.get_mut(piece).and_then(|piece| piece.as_mut().get_mut(at..at + len)) {
            let plain = cipher.open_block(segment, self.window.plain, self.block, block)?;
            self.at += len;
            let part = self.part(plain);
            return Ok(Opened::Within(piece, at + part.start..at + part.end));
        }
        let mut block = self.collect(len, pieces);
        let plain = cipher.open_block(segment, self.window.plain, self.block, &mut block)?;
        let part = self.part(plain);
        block.truncate(part.end);
        Ok(Opened::Apart(block.split_off(part.start)))
    }

    /// The next `len` bytes, as far as there are so many.
    fn collect(&mut self, len: usize, pieces: &mut [impl AsMut<[u8]>]) -> Vec<u8> {
        let mut block = Vec::with_capacity(len);
        while let Some(piece) = pieces.get_mut(self.piece).filter(|_| block.len() < len) {
            let rest = &piece.as_mut()[self.at..];
            let take = rest.len().min(len - block.len());
            block.extend_from_slice(&rest[..take]);
            self.at += take;
            if block.len() < len {
                (self.piece, self.at) = (self.piece + 1, 0);
            }
        }
        block
    }

    /// What of the block's `plain` bytes lies in the range.
    fn part(&self, plain: usize) -> Range<usize> {
        let start = self.block * BLOCK_BYTES;
        self.window.range.start.saturating_sub(start)..plain.min(self.window.range.end - start)
    }
}

/// Seals and encodes one segment into `out`, which must be `shape.coded_len()` long and may hold anything.
pub fn encode(cipher: &PartCipher, index: u32, plain: &[u8], shape: Shape, out: &mut [u8]) -> Result<(), CodecError> {
    assert!(plain.len() == shape.plain && out.len() == shape.coded_len(), "bytes and shape agree");
    let (data, parity) = out.split_at_mut(shape.k * shape.shard_len());
    cipher.seal_segment(index, plain, &mut data[..shape.sealed()]);
    data[shape.sealed()..].fill(0);
    if shape.k == 1 || shape.shard_len() == 0 {
        return Ok(());
    }
    let data: Vec<&[u8]> = data.chunks(shape.shard_len()).collect();
    let mut parity: Vec<&mut [u8]> = parity.chunks_mut(shape.shard_len()).collect();
    erasure::encode(&data, &mut parity)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::DataKey;

    fn plain(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 13 % 241) as u8).collect()
    }

    fn open(cipher: &PartCipher, window: &Window, mut pieces: Vec<Vec<u8>>) -> Vec<u8> {
        let (mut opening, mut out) = (window.clone().open(), Vec::new());
        while let Some(opened) = opening.step(cipher, 7, &mut pieces) {
            match opened.expect("opens") {
                Opened::Within(piece, bytes) => out.extend_from_slice(&pieces[piece][bytes]),
                Opened::Apart(bytes) => out.extend_from_slice(&bytes),
            }
        }
        out
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
            let (bytes, shape) = (plain(len), Shape::new(k, n, len));
            let mut coded = vec![0xEE; shape.coded_len()];
            encode(&cipher, 7, &bytes, shape, &mut coded).expect("encodes");
            let shards: Vec<&[u8]> = (0..n).map(|position| &coded[shape.shard(position)]).collect();

            let window = shape.window(range.clone());
            let pieces = window.pieces().map(|(shard, piece)| shards[shard][piece].to_vec()).collect();
            prop_assert_eq!(&open(&cipher, &window, pieces), &bytes[range.clone()]);

            let columns = window.columns();
            let last: Vec<(usize, &[u8])> = (parity..n).map(|i| (i, &shards[i][columns.clone()])).collect();
            let rebuilt = window.pieces().map(|(shard, piece)| {
                let column = erasure::rebuild_one(k, n, &last, shard).expect("rebuilds");
                column[piece.start - columns.start..piece.end - columns.start].to_vec()
            }).collect();
            prop_assert_eq!(&open(&cipher, &window, rebuilt), &bytes[range]);
        }
    }

    #[test]
    fn pieces_of_the_wrong_length_do_not_open() {
        let cipher = PartCipher::new([3; 16], &DataKey::random());
        let shape = Shape::new(1, 1, 100_000);
        let mut coded = vec![0; shape.coded_len()];
        encode(&cipher, 7, &plain(100_000), shape, &mut coded).expect("encodes");
        for pieces in [vec![], vec![coded[..70_000].to_vec()], vec![vec![], coded[..1].to_vec()]] {
            let (mut opening, mut pieces) = (shape.window(0..100_000).open(), pieces);
            let steps: Vec<_> = std::iter::from_fn(|| opening.step(&cipher, 7, &mut pieces)).collect();
            assert!(steps.last().is_some_and(Result::is_err));
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
