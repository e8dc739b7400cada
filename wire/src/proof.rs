//! Proofs that somebody holds a shard: a slice of its bytes and the BLAKE3 chaining values around it, checked against the shard's id alone.
//!
//! ```text
//!                 id                      a slice covers whole chunks of 1 KiB;
//!              ┌──┴──┐                    what is hashed from the slice itself isn't sent,
//!             [h]    ·                    what lies beside it is sent as one hash a subtree: [h]
//!                  ┌─┴─┐
//!               slice  [h]
//! ```
//! The tree is BLAKE3's own (section 2.1 of the BLAKE3 paper), so every shard can be audited without anything stored for it.
//! A proof is worth as much as its slice was unpredictable.

use blake3::hazmat::{ChainingValue, HasherExt, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::ids::ShardId;

/// Slices begin and end at multiples of this, or end with the shard.
pub const CHUNK_BYTES: u32 = 1024;
const HASH_BYTES: usize = 32;

/// The bytes asked for: not empty, within the shard, on chunk boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slice {
    pub start: u32,
    pub len: u32,
}

impl Slice {
    /// The slice of about `want` bytes around the byte at `at` modulo the shard's length. `None` for an empty shard.
    pub fn around(at: u32, want: u32, shard_bytes: u32) -> Option<Self> {
        let start = at.checked_rem(shard_bytes)? / CHUNK_BYTES * CHUNK_BYTES;
        let len = want.max(1).checked_next_multiple_of(CHUNK_BYTES)?.min(shard_bytes - start);
        Some(Self { start, len })
    }

    fn end(self) -> u32 {
        self.start.saturating_add(self.len)
    }

    fn fits(self, shard_bytes: u32) -> bool {
        let whole = |at: u32| at.is_multiple_of(CHUNK_BYTES);
        let ends = whole(self.end()) || self.end() == shard_bytes;
        self.len > 0 && whole(self.start) && ends && self.end() <= shard_bytes
    }

    fn place(self, start: u32, end: u32) -> Place {
        if end <= self.start || self.end() <= start {
            Place::Beside
        } else if self.start <= start && end <= self.end() {
            Place::Within
        } else {
            Place::Across
        }
    }
}

/// How a subtree lies to the slice.
enum Place {
    Beside,
    Within,
    Across,
}

/// The hashes beside the slice in pre-order, then the slice. Base64 in JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct Proof(Vec<u8>);

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proof({} bytes)", self.0.len())
    }
}

impl Serialize for Proof {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Proof {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text).map(Self).map_err(de::Error::custom)
    }
}

impl Proof {
    /// Proves `slice` of these bytes; `None` if it doesn't lie within them on chunk boundaries.
    pub fn of(shard: &[u8], slice: Slice) -> Option<Self> {
        let len = u32::try_from(shard.len()).ok().filter(|len| slice.fits(*len))?;
        let mut hashes = Vec::new();
        beside(shard, slice, 0, len, &mut hashes);
        hashes.extend_from_slice(&shard[slice.start as usize..slice.end() as usize]);
        Some(Self(hashes))
    }

    /// True if this proves that whoever made it had `slice` of the shard named `id`, which is `shard_bytes` long.
    pub fn proves(&self, id: &ShardId, shard_bytes: u32, slice: Slice) -> bool {
        let Some(split) = self.0.len().checked_sub(slice.len as usize) else { return false };
        if !slice.fits(shard_bytes) || !split.is_multiple_of(HASH_BYTES) {
            return false;
        }
        let (hashes, bytes) = self.0.split_at(split);
        let mut reader = Reader { hashes, bytes, slice };
        let root = reader.root(shard_bytes);
        root.is_some_and(|root| root == id.0) && reader.hashes.is_empty()
    }

    /// Bytes that travel.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Where the left subtree of `start..end` ends; `None` for a single chunk.
fn middle(start: u32, end: u32) -> Option<u32> {
    let len = end - start;
    (len > CHUNK_BYTES).then(|| start + left_subtree_len(len.into()) as u32)
}

fn chaining_value(bytes: &[u8], start: u32) -> ChainingValue {
    blake3::Hasher::new().set_input_offset(start.into()).update(bytes).finalize_non_root()
}

/// Collects the hashes of the subtrees of `start..end` that lie beside the slice.
fn beside(shard: &[u8], slice: Slice, start: u32, end: u32, hashes: &mut Vec<u8>) {
    match (slice.place(start, end), middle(start, end)) {
        (Place::Within, _) => {}
        (Place::Across, Some(middle)) => {
            beside(shard, slice, start, middle, hashes);
            beside(shard, slice, middle, end, hashes);
        }
        (Place::Beside | Place::Across, _) => {
            hashes.extend_from_slice(&chaining_value(&shard[start as usize..end as usize], start));
        }
    }
}

/// What is left of a proof that is being checked.
struct Reader<'a> {
    hashes: &'a [u8],
    bytes: &'a [u8],
    slice: Slice,
}

impl Reader<'_> {
    fn root(&mut self, shard_bytes: u32) -> Option<[u8; 32]> {
        match middle(0, shard_bytes) {
            Some(middle) => {
                let (left, right) = (self.node(0, middle)?, self.node(middle, shard_bytes)?);
                Some(*merge_subtrees_root(&left, &right, Mode::Hash).as_bytes())
            }
            None => Some(*blake3::hash(self.bytes).as_bytes()),
        }
    }

    fn node(&mut self, start: u32, end: u32) -> Option<ChainingValue> {
        match (self.slice.place(start, end), middle(start, end)) {
            (Place::Within, _) => {
                let (head, rest) = self.bytes.split_at_checked((end - start) as usize)?;
                self.bytes = rest;
                Some(chaining_value(head, start))
            }
            (Place::Across, Some(middle)) => {
                let (left, right) = (self.node(start, middle)?, self.node(middle, end)?);
                Some(merge_subtrees_non_root(&left, &right, Mode::Hash))
            }
            (Place::Beside | Place::Across, _) => {
                let (head, rest) = self.hashes.split_first_chunk::<HASH_BYTES>()?;
                self.hashes = rest;
                Some(*head)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 31 % 251) as u8).collect()
    }

    #[test]
    fn every_slice_of_every_shape_is_proven() {
        for len in [1, 500, 1024, 1025, 2048, 3000, 16_384, 17_000, 31 * 1024 + 1] {
            let bytes = shard(len);
            let id = ShardId::of(&bytes);
            for start in (0..len as u32).step_by(CHUNK_BYTES as usize) {
                for want in [1, 1024, 4096, 16_384, 1 << 20] {
                    let slice = Slice::around(start, want, len as u32).expect("not empty");
                    let proof = Proof::of(&bytes, slice).expect("within");
                    assert!(proof.proves(&id, len as u32, slice), "{slice:?} of {len}");
                }
            }
        }
    }

    #[test]
    fn a_proof_of_another_slice_shard_or_length_is_none() {
        let (bytes, other) = (shard(40_000), vec![7; 40_000]);
        let (id, at) = (ShardId::of(&bytes), |start| Slice { start, len: 2048 });
        let proof = Proof::of(&bytes, at(4096)).expect("within");
        assert!(proof.proves(&id, 40_000, at(4096)));
        assert!(!proof.proves(&id, 40_000, at(8192)), "another slice");
        assert!(!proof.proves(&id, 70_000, at(4096)), "another tree");
        assert!(!proof.proves(&ShardId::of(&other), 40_000, at(4096)), "another shard");
        assert!(!Proof::of(&other, at(4096)).expect("within").proves(&id, 40_000, at(4096)), "other bytes");
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_noticed() {
        let bytes = shard(9000);
        let (id, slice) = (ShardId::of(&bytes), Slice { start: 2048, len: 1024 });
        let proof = Proof::of(&bytes, slice).expect("within");
        for at in 0..proof.0.len() {
            let mut wrong = proof.clone();
            wrong.0[at] ^= 1;
            assert!(!wrong.proves(&id, 9000, slice), "byte {at}");
            assert!(!Proof(proof.0[..at].to_vec()).proves(&id, 9000, slice), "cut at {at}");
        }
        assert!(!Proof([&proof.0[..], &[0; 32]].concat()).proves(&id, 9000, slice), "longer");
    }

    #[test]
    fn slices_off_the_chunks_or_the_shard_are_refused() {
        let bytes = shard(5000);
        for (start, len) in [(1, 1024), (0, 0), (0, 1000), (4096, 905), (5120, 1024), (u32::MAX - 1023, 1024)] {
            assert_eq!(Proof::of(&bytes, Slice { start, len }), None, "{start}+{len}");
        }
        assert_eq!(Slice::around(7, 1024, 0), None);
    }

    #[test]
    fn a_proof_of_a_longest_shard_is_small() {
        let bytes = shard(crate::limits::SHARD_BYTES_MAX);
        let slice = Slice::around(700_000, 1024, bytes.len() as u32).expect("not empty");
        assert!(Proof::of(&bytes, slice).expect("within").len() <= 1024 + 12 * HASH_BYTES);
    }
}
