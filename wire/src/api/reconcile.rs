//! Comparing what a donor holds with what the map says.

use serde::{Deserialize, Serialize};

use crate::ids::{NodeId, ShardId};

/// Number and digest of a set of shards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    pub shards: u64,
    /// See [`set_digest`].
    #[serde(with = "hex_u128")]
    pub digest: u128,
}

impl Contents {
    pub fn add(&mut self, shard: &ShardId) {
        self.shards += 1;
        self.digest = self.digest.wrapping_add(digest_of(shard));
    }
}

mod hex_u128 {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(value: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{value:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        u128::from_str_radix(&String::deserialize(deserializer)?, 16).map_err(de::Error::custom)
    }
}

/// A donor's shards by range: range `i` of `2^bits` takes in the ids whose first `bits` bits are `i`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    pub node: NodeId,
    /// At most `limits::RANGE_BITS_MAX`.
    pub bits: u8,
    /// `2^bits` of them.
    pub ranges: Vec<Contents>,
}

/// The ranges whose shards are to be told one by one, ascending. None: both sides agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestsReply {
    pub differing: Vec<u32>,
}

/// The lowest and the highest id of range `i` of `2^bits`.
pub fn range_bounds(bits: u8, i: u32) -> (ShardId, ShardId) {
    let shift = 32 - u32::from(bits);
    let first = i.checked_shl(shift).unwrap_or(0);
    let last = first | 1u32.checked_shl(shift).map_or(u32::MAX, |span| span - 1);
    let (mut low, mut high) = ([0; 32], [u8::MAX; 32]);
    low[..4].copy_from_slice(&first.to_be_bytes());
    high[..4].copy_from_slice(&last.to_be_bytes());
    (ShardId(low), ShardId(high))
}

/// The range of `2^bits` that an id lies in.
pub fn range_of(bits: u8, id: &ShardId) -> u32 {
    let head = u32::from_be_bytes([id.0[0], id.0[1], id.0[2], id.0[3]]);
    head.checked_shr(32 - u32::from(bits)).unwrap_or(0)
}

/// The shards that a donor holds between two ids, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    pub node: NodeId,
    /// The page covers ids from this ...
    pub from: ShardId,
    /// ... up to and including this.
    pub through: ShardId,
    /// Those in the trash as well.
    pub shards: Vec<HeldShard>,
    /// Nothing more follows until the next time digests differ.
    pub last: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldShard {
    pub id: ShardId,
    /// Seconds since it was stored: a fresh one may belong to a write not yet committed.
    pub age_s: u32,
    /// Set aside as surplus, and still whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trashed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryReply {
    /// Shards of the page that the map doesn't know at this donor and that are old enough to be litter: into the trash with them.
    pub surplus: Vec<ShardId>,
    /// Shards of the page that lie in the trash and are needed: out of it.
    pub restore: Vec<ShardId>,
}

/// Sum modulo 2^128 of the first 16 bytes of every id: the same for any order, changed by any one shard, updated in O(1).
pub fn set_digest(ids: impl IntoIterator<Item = ShardId>) -> u128 {
    ids.into_iter().fold(0, |sum: u128, id| sum.wrapping_add(digest_of(&id)))
}

/// One id's share of [`set_digest`].
pub fn digest_of(id: &ShardId) -> u128 {
    let mut head = [0; 16];
    head.copy_from_slice(&id.0[..16]);
    u128::from_be_bytes(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_ignores_order_and_notices_every_shard() {
        let ids: Vec<_> = (0u8..50).map(|i| ShardId::of(&[i])).collect();
        let whole = set_digest(ids.iter().copied());
        assert_eq!(whole, set_digest(ids.iter().rev().copied()));
        for skip in 0..ids.len() {
            let rest = ids.iter().enumerate().filter(|(i, _)| *i != skip).map(|(_, id)| *id);
            assert_eq!(set_digest(rest).wrapping_add(digest_of(&ids[skip])), whole);
        }
    }

    #[test]
    fn ranges_tile_all_ids() {
        for bits in [0, 1, 5, 16] {
            let mut expected = ShardId([0; 32]);
            for i in 0..1u32 << bits {
                let (low, high) = range_bounds(bits, i);
                assert_eq!(low, expected, "range {i} of 2^{bits}");
                assert_eq!((range_of(bits, &low), range_of(bits, &high)), (i, i));
                let head = u32::from_be_bytes([high.0[0], high.0[1], high.0[2], high.0[3]]).wrapping_add(1);
                expected.0[..4].copy_from_slice(&head.to_be_bytes());
            }
            assert_eq!(expected, ShardId([0; 32]), "the last range ends with the last id");
        }
    }
}
