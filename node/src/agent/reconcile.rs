//! Finds, with the coordinator, exactly the shards that only one of the two believes in.
//!
//! ```text
//!   digests of 2^bits ranges ─▶ the ranges that differ ─▶ their shards, page by page ─▶ surplus ─▶ trash
//!                                                                     the last says so └ restore ─▶ out of it
//! ```
//! Promises: only what differs is told; only a shard told in a page is set aside for that page's answer; nothing is deleted
//! here. What fails midway is made good by the next time digests differ.

use std::error::Error;

use nodio_host::blocking;
use nodio_wire::api::{Digests, HeldShard, Inventory, InventoryReply, range_bounds};
use nodio_wire::client::NodeApi;
use nodio_wire::limits::RANGE_BITS_MAX;
use nodio_wire::{NodeId, ShardId};

use crate::limits::{INVENTORY_PAGE, RANGE_SHARDS};
use crate::store::{Store, StoreError};

/// Ranges are halved until one holds about [`RANGE_SHARDS`].
fn bits_for(shards: u64) -> u8 {
    let ranges = shards.div_ceil(RANGE_SHARDS).max(1).next_power_of_two();
    (ranges.ilog2() as u8).min(RANGE_BITS_MAX)
}

/// What came of it, for the log.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    ranges: usize,
    shards: usize,
    set_aside: u64,
    restored: u64,
}

/// Compares once, to the end or to the first failure.
pub(crate) async fn reconcile(api: NodeApi, store: Store, node: NodeId) {
    match compare(&api, &store, node).await {
        Ok(Told { ranges: 0, .. }) => tracing::info!("the coordinator and this donor agree on every shard held"),
        Ok(Told { ranges, shards, set_aside, restored }) => {
            tracing::info!(ranges, shards, set_aside, restored, "compared the shards held with the coordinator's");
        }
        Err(error) => tracing::warn!("the shards held could not be compared to the end: {error}"),
    }
}

async fn compare(api: &NodeApi, store: &Store, node: NodeId) -> Result<Told, Box<dyn Error + Send + Sync>> {
    let bits = bits_for(store.totals().shards);
    let index = store.clone();
    let ranges = blocking(move || index.range_digests(bits)).await?;
    let digests = Digests { node, bits, ranges };
    let differing = api.digests(&digests).await?.differing;
    drop(digests);
    let mut pages = Pages::new(bits, differing, INVENTORY_PAGE);
    let mut told = Told { ranges: pages.ranges.len(), ..Told::default() };
    while let Some(page) = pages.next(store, node) {
        let reply = api.inventory(&page).await?;
        told.shards += page.shards.len();
        let (set_aside, restored) = heed(store, &page, reply).await?;
        told.set_aside += set_aside;
        told.restored += restored;
    }
    Ok(told)
}

/// The inventory pages of the ranges that differ, drawn when they are asked for.
struct Pages {
    bits: u8,
    /// Still to be told, the next one last.
    ranges: Vec<u32>,
    /// Where the range in hand goes on, if it didn't fit one page.
    after: Option<ShardId>,
    /// Shards of one page, at most.
    page_max: usize,
}

impl Pages {
    fn new(bits: u8, mut ranges: Vec<u32>, page_max: usize) -> Self {
        ranges.retain(|range| range >> bits == 0);
        ranges.sort_unstable_by(|a, b| b.cmp(a));
        ranges.dedup();
        Self { bits, ranges, after: None, page_max }
    }

    fn next(&mut self, store: &Store, node: NodeId) -> Option<Inventory> {
        let (low, high) = range_bounds(self.bits, *self.ranges.last()?);
        let shards = store.range(low, high, self.after, self.page_max);
        let from = self.after.map_or(low, above);
        let cut = shards.last().filter(|last| shards.len() == self.page_max && last.id < high).map(|last| last.id);
        self.after = cut;
        if cut.is_none() {
            self.ranges.pop();
        }
        Some(Inventory { node, from, through: cut.unwrap_or(high), shards, last: self.ranges.is_empty() })
    }
}

/// The id that follows.
fn above(id: ShardId) -> ShardId {
    let mut bytes = id.0;
    for byte in bytes.iter_mut().rev() {
        let (next, carry) = byte.overflowing_add(1);
        *byte = next;
        if !carry {
            break;
        }
    }
    ShardId(bytes)
}

/// Does what the reply says of the shards in this very page; answers how many were set aside and how many restored.
async fn heed(store: &Store, page: &Inventory, reply: InventoryReply) -> Result<(u64, u64), StoreError> {
    let (surplus, restore) = (told(page, reply.surplus, false), told(page, reply.restore, true));
    let set_aside = store.trash(&surplus, store.now_ms()).await?;
    let restored = store.restore(&restore).await?;
    Ok((set_aside, restored))
}

/// Those of `ids` that the page told of, in the trash or not.
fn told(page: &Inventory, ids: Vec<ShardId>, trashed: bool) -> Vec<ShardId> {
    let named = |id: &ShardId| page.shards.binary_search_by_key(id, |held: &HeldShard| held.id);
    ids.into_iter().filter(|id| named(id).is_ok_and(|at| page.shards[at].trashed == trashed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_about_five_hundred_shards() {
        for (shards, bits) in [(0, 0), (1, 0), (500, 0), (501, 1), (1000, 1), (100_000, 8), (u64::MAX, RANGE_BITS_MAX)] {
            assert_eq!(bits_for(shards), bits, "{shards}");
        }
    }

    #[test]
    fn only_shards_of_the_page_are_touched() {
        let held = |byte: u8, trashed| HeldShard { id: ShardId([byte; 32]), age_s: 0, trashed };
        let (from, through) = range_bounds(0, 0);
        let page = Inventory { node: NodeId(1), from, through, shards: vec![held(1, false), held(2, true)], last: true };
        let ids = vec![ShardId([1; 32]), ShardId([2; 32]), ShardId([3; 32])];
        assert_eq!(told(&page, ids.clone(), false), [ShardId([1; 32])]);
        assert_eq!(told(&page, ids, true), [ShardId([2; 32])]);
    }

    #[test]
    fn the_id_above_carries() {
        let mut id = [0; 32];
        id[30..].copy_from_slice(&[4, 255]);
        let mut next = [0; 32];
        next[30] = 5;
        assert_eq!(above(ShardId(id)), ShardId(next));
    }

    /// Pages cover every differing range without a gap, say each shard once, and only the final one is the last.
    #[tokio::test]
    async fn pages_cover_what_differs_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let options = crate::store::StoreOptions {
            dir: dir.path().to_owned(),
            capacity_bytes: 64 << 20,
            volume_bytes: 16 << 20,
            disk_reserve_bytes: 0,
            direct_min_bytes: 0,
            fsync: false,
        };
        let store = Store::open(options).unwrap();
        let mut ids = Vec::new();
        for seed in 0..200u32 {
            let bytes = seed.to_le_bytes().to_vec();
            ids.push(ShardId::of(&bytes));
            store.put(ShardId::of(&bytes), bytes.into(), 0).await.unwrap();
        }
        ids.retain(|id| [1, 3].contains(&nodio_wire::api::range_of(2, id)));
        ids.sort_unstable();
        for page_max in [1000, 7] {
            let mut pages = Pages::new(2, vec![3, 1, 9, 1], page_max);
            let drawn: Vec<Inventory> = std::iter::from_fn(|| pages.next(&store, NodeId(1))).collect();
            let told: Vec<ShardId> = drawn.iter().flat_map(|page| page.shards.iter().map(|held| held.id)).collect();
            assert_eq!(told, ids, "each once, ascending");
            for page in &drawn {
                assert!(
                    page.shards.len() <= page_max && page.shards.iter().all(|held| (page.from..=page.through).contains(&held.id))
                );
            }
            let ends: Vec<_> = drawn.iter().map(|page| page.through).filter(|through| !ids.contains(through)).collect();
            assert_eq!(ends, [range_bounds(2, 1).1, range_bounds(2, 3).1]);
            let firsts = drawn.iter().skip(1).zip(&drawn).filter(|(page, before)| page.from == above(before.through)).count();
            assert_eq!(firsts, drawn.len() - 2, "no gap but that between the two ranges");
            assert_eq!(drawn.iter().map(|page| page.last).filter(|last| *last).count(), 1);
            assert!(drawn.last().unwrap().last);
        }
        assert!(Pages::new(2, vec![], 7).next(&store, NodeId(1)).is_none(), "both agree: nothing is sent");
        store.close().await;
    }
}
