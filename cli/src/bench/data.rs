//! Bodies: random bytes that cost next to nothing to make, send and check.
//!
//! ```text
//!   block of 64 KiB:  stamp (16 bytes: object, block) | the pool, from a place that the object decides, on
//! ```
//! Promises: no two objects and no two generations of one share a block; the same bytes come again after 4 MiB at the earliest, so
//! that no server gains by compressing or by storing equal blocks once; any byte is known from its object and position alone.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

const POOL_BYTES: usize = 4 << 20;
const BLOCK_BYTES: usize = 64 << 10;
const STAMP_BYTES: usize = 16;

/// One state of one key: an overwrite makes the next generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Object {
    pub(super) number: u32,
    pub(super) generation: u32,
}

impl Object {
    fn id(self) -> u64 {
        u64::from(self.number) << 32 | u64::from(self.generation)
    }
}

/// SplitMix64: for bodies and draws, not for secrets.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Below `bound`, which is not 0; evenly as far as anybody can tell.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(bound)) >> 64) as u64
    }
}

fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The random bytes that all bodies are cut from. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    /// One block longer than it counts for, the start once more, so that no block wraps.
    bytes: Bytes,
    seed: u64,
}

impl Pool {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut bytes: Vec<u8> = (0..POOL_BYTES / 8).flat_map(|_| dice.word().to_le_bytes()).collect();
        bytes.extend_from_within(..BLOCK_BYTES);
        Self { bytes: bytes.into(), seed }
    }

    /// The object's stamp in `block`, and what of the pool it stands upon.
    fn block(&self, object: Object, block: u64) -> ([u8; STAMP_BYTES], std::ops::Range<usize>) {
        let mut stamp = [0; STAMP_BYTES];
        stamp[..8].copy_from_slice(&mix(object.id() ^ self.seed).to_le_bytes());
        stamp[8..].copy_from_slice(&mix(object.id().wrapping_add(mix(block + 1))).to_le_bytes());
        let start = (mix(object.id()) % POOL_BYTES as u64 + block * BLOCK_BYTES as u64) % POOL_BYTES as u64;
        (stamp, start as usize..start as usize + BLOCK_BYTES)
    }

    /// True if `bytes` are what stands at `from` in the object.
    pub(super) fn matches(&self, object: Object, mut from: u64, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let within = (from % BLOCK_BYTES as u64) as usize;
            let (here, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - within));
            if !self.block_matches(object, from / BLOCK_BYTES as u64, within, here) {
                return false;
            }
            from += here.len() as u64;
            bytes = rest;
        }
        true
    }

    fn block_matches(&self, object: Object, block: u64, within: usize, bytes: &[u8]) -> bool {
        let (stamp, range) = self.block(object, block);
        let stamped = STAMP_BYTES.saturating_sub(within).min(bytes.len());
        let (head, tail) = bytes.split_at(stamped);
        let start = range.start + within + stamped;
        (head.is_empty() || head == &stamp[within..within + stamped]) && tail == &self.bytes[start..start + tail.len()]
    }

    /// A request body of the first `size` bytes of the object.
    pub(super) fn body(&self, object: Object, size: u64) -> Pieces {
        Pieces { pool: self.clone(), object, at: 0, size }
    }
}

/// A body made while it is sent: a stamp of its own, then a slice of the pool, block after block.
#[derive(Debug, Clone)]
pub(super) struct Pieces {
    pool: Pool,
    object: Object,
    at: u64,
    size: u64,
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let left = usize::try_from(self.size - self.at).unwrap_or(usize::MAX);
        if left == 0 {
            return None;
        }
        let (stamp, range) = self.pool.block(self.object, self.at / BLOCK_BYTES as u64);
        let stamping = self.at.is_multiple_of(BLOCK_BYTES as u64);
        let piece = if stamping {
            Bytes::copy_from_slice(&stamp[..left.min(STAMP_BYTES)])
        } else {
            let start = range.start + STAMP_BYTES;
            self.pool.bytes.slice(start..range.end.min(start + left))
        };
        self.at += piece.len() as u64;
        Some(piece)
    }
}

/// What requests carry.
#[derive(Debug)]
pub(super) enum Upload {
    Text(Bytes),
    Pieces(Pieces),
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match self.get_mut() {
            Self::Text(text) => (!text.is_empty()).then(|| std::mem::take(text)),
            Self::Pieces(pieces) => pieces.next(),
        };
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Text(text) => text.len() as u64,
            Self::Pieces(pieces) => pieces.size - pieces.at,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn whole(pool: &Pool, object: Object, size: u64) -> Vec<u8> {
        pool.body(object, size).flatten().collect()
    }

    const OBJECT: Object = Object { number: 7, generation: 1 };

    #[test]
    fn bodies_have_their_length_and_any_slice_is_known() {
        let pool = Pool::new(1);
        for size in [0, 1, 15, 16, 17, 4096, 65_535, 65_536, 65_537, 300_000, 5 << 20] {
            let bytes = whole(&pool, OBJECT, size);
            assert_eq!(bytes.len() as u64, size);
            for from in [0, 1, 10, 16, 20, 65_530, 65_545, 131_072] {
                let from = bytes.len().min(from);
                let to = bytes.len().min(from + 70_001);
                assert!(pool.matches(OBJECT, from as u64, &bytes[from..to]), "{size} {from}");
            }
        }
    }

    #[test]
    fn one_wrong_byte_is_noticed_wherever_it_is() {
        let pool = Pool::new(1);
        let mut bytes = whole(&pool, OBJECT, 200_000);
        for at in [0, 15, 16, 65_535, 65_536, 65_551, 65_552, 199_999] {
            bytes[at] ^= 1;
            assert!(!pool.matches(OBJECT, 0, &bytes), "{at}");
            bytes[at] ^= 1;
        }
        assert!(!pool.matches(Object { generation: 2, ..OBJECT }, 0, &bytes[..8]));
        assert!(!pool.matches(OBJECT, 1, &bytes[..100]) && !Pool::new(2).matches(OBJECT, 0, &bytes));
    }

    #[test]
    fn no_block_comes_twice() {
        let pool = Pool::new(1);
        let objects = (0..6).flat_map(|number| [1, 2].map(|generation| Object { number, generation }));
        let bodies: Vec<_> = objects.map(|object| whole(&pool, object, 4 << 20)).collect();
        for block in [4096, 65_536] {
            let seen: HashSet<&[u8]> = bodies.iter().flat_map(|body| body.chunks(block)).collect();
            assert_eq!(seen.len(), bodies.len() * (4 << 20) / block);
        }
    }

    #[test]
    fn draws_stay_below_and_reach_everything() {
        let mut dice = Dice::new(3);
        let drawn: HashSet<u64> = (0..1000).map(|_| dice.below(10)).collect();
        assert_eq!(drawn, (0..10).collect());
    }
}
