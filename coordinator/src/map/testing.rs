//! Small things that the tests of the map share.

use std::sync::Arc;

use bytes::Bytes;
use nodio_meta::memory::MemoryStore;
use nodio_meta::{Direction, KeyRange, Store};
use nodio_wire::fleet::{PlacedShard, SegmentCommit};
use nodio_wire::{Code, NodeId, PartId, SegmentId, ShardId};
use std::ops::Bound;

pub(crate) fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

pub(crate) const PART: PartId = PartId([7; 16]);

pub(crate) fn segment(index: u32) -> SegmentId {
    SegmentId { part: PART, index }
}

/// The shard at `position` of segment `index`.
pub(crate) fn shard(index: u32, position: u8) -> ShardId {
    ShardId::of(&[index as u8, position])
}

/// A segment with shards on these donors; 0 is none.
pub(crate) fn commit_of(index: u32, k: u8, holders: &[u32]) -> SegmentCommit {
    let place =
        |(at, node): (usize, &u32)| PlacedShard { id: shard(index, at as u8), node: (*node > 0).then_some(NodeId(*node)) };
    SegmentCommit {
        segment: segment(index),
        code: Code::new(k, holders.len() as u8).expect("a code"),
        shard_bytes: 1000,
        shards: holders.iter().enumerate().map(place).collect(),
        grant: 0,
    }
}

/// Every row of the store.
pub(crate) async fn rows_of(store: &dyn Store) -> Vec<(Bytes, Bytes)> {
    let all = KeyRange { start: Bound::Unbounded, end: Bound::Unbounded };
    let rows = store.scan(all, 100_000, Direction::Ascending).await.expect("scans");
    rows.into_iter().map(|row| (row.key, row.value)).collect()
}

/// The holders of a segment by position.
pub(crate) async fn named(store: &dyn Store, index: u32) -> Vec<Vec<u32>> {
    let row = crate::tables::read_segment(store, &segment(index)).await.expect("reads").expect("known").row;
    row.shards.iter().map(|place| place.holders.iter().map(|node| node.0).collect()).collect()
}

/// The one holder of each position of a segment; 0 is none.
pub(crate) async fn holders(store: &dyn Store, index: u32) -> Vec<u32> {
    let one = |holders: &Vec<u32>| {
        assert!(holders.len() <= 1, "several holders: {holders:?}");
        holders.first().copied().unwrap_or(0)
    };
    named(store, index).await.iter().map(one).collect()
}

pub(crate) async fn has(store: &dyn Store, key: Bytes) -> bool {
    store.get(&key).await.expect("reads").is_some()
}

/// Every `n/` row has its place in an `s/` row and the other way round.
pub(crate) async fn assert_consistent(store: &dyn Store) {
    use crate::keyspace;
    use crate::tables::{HoldingRow, SegmentRow, decode};
    let (mut named, mut held) = (Vec::new(), Vec::new());
    for (key, value) in rows_of(store).await {
        if let Ok(id) = keyspace::parse_segment(&key) {
            let row: SegmentRow = decode(&value).expect("decodes");
            let nodes: Vec<NodeId> = row.placed().map(|(_, _, node)| node).collect();
            assert_eq!(
                nodes.iter().collect::<std::collections::HashSet<_>>().len(),
                nodes.len(),
                "a donor is named twice: {row:?}"
            );
            let bytes = row.shard_bytes;
            named.extend(row.placed().map(|(at, shard, node)| (keyspace::holding(node, &shard, &id), at, bytes)));
        } else if keyspace::parse_holding(&key).is_ok() {
            let row = decode::<HoldingRow>(&value).expect("decodes");
            held.push((key, row.position, row.bytes));
        }
    }
    named.sort();
    assert_eq!(named, held, "holdings and segments disagree");
}
