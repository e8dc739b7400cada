//! What reconciliation asks: digests of ranges of ids, and the shards of one range with their ages.
//!
//! The index is walked in pieces, each under its own short lock: what changes meanwhile may be seen or not, which costs at most
//! a range compared in vain.

use std::ops::Bound;

use nodio_wire::ShardId;
use nodio_wire::api::{Contents, HeldShard, range_of};
use nodio_wire::limits::RANGE_BITS_MAX;

use super::Store;
use super::clock::age_s;
use super::index::Index;
use super::limits::INDEX_CHUNK;

impl Store {
    /// Number and digest of the shards held in each of `2^bits` ranges ([`nodio_wire::api::range_bounds`]), those set aside left
    /// out. Walks the whole index: not for a thread that serves.
    pub fn range_digests(&self, bits: u8) -> Vec<Contents> {
        let bits = bits.min(RANGE_BITS_MAX);
        let mut ranges = vec![Contents::default(); 1 << bits];
        let mut from = Bound::Unbounded;
        while let Some(last) = add_some(&self.shared.index(), from, bits, &mut ranges) {
            from = Bound::Excluded(last);
        }
        ranges
    }

    /// Up to `limit` shards from `from` up to and including `through` and above `after`, ascending, those set aside as well.
    pub fn range(&self, from: ShardId, through: ShardId, after: Option<ShardId>, limit: usize) -> Vec<HeldShard> {
        let now_ms = self.now_ms();
        let start = after.filter(|after| *after >= from).map_or(Bound::Included(from), Bound::Excluded);
        let index = self.shared.index();
        let shards = index.walk(start).take_while(|(id, _)| *id <= through).take(limit);
        let told = |(id, held): (ShardId, super::index::Held)| {
            let (age_s, trashed) = (age_s(now_ms, held.since_s()), held.aside_s().is_some());
            HeldShard { id, age_s, trashed }
        };
        shards.map(told).collect()
    }

    /// Seconds since a shard was stored or last taken back out of the trash, at least: never more than they are (see `clock`).
    pub fn age_s(&self, id: &ShardId) -> Option<u32> {
        let held = self.shared.index().held(id)?;
        Some(age_s(self.now_ms(), held.since_s()))
    }
}

/// Adds the next shards to their ranges and answers the last one walked over.
fn add_some(index: &Index, from: Bound<ShardId>, bits: u8, ranges: &mut [Contents]) -> Option<ShardId> {
    let mut last = None;
    for (id, held) in index.walk(from).take(INDEX_CHUNK) {
        if held.aside_s().is_none() {
            ranges[range_of(bits, &id) as usize].add(&id);
        }
        last = Some(id);
    }
    last
}
