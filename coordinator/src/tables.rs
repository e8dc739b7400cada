//! The rows behind [`crate::keyspace`], and reading and writing them by name.

use bytes::Bytes;
use nodio_meta::row::{self, NoPrevious, Record};
use nodio_meta::{Check, Commit, Direction, KeyRange, Row, Store, StoreError, Version, Write};
use nodio_wire::auth::Secret;
use nodio_wire::{Code, NodeId, SegmentId, ShardId, UnixMs};
use serde::{Deserialize, Serialize};

/// A donor as it registered, and what must outlive a restart of its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeRow {
    pub addr: String,
    /// The donor's half of its secret, and what makes a repeated first registration the same donor.
    pub nonce: [u8; 16],
    pub coordinator_nonce: [u8; 16],
    pub secret: Secret,
    pub capacity_bytes: u64,
    pub operator: Option<String>,
    pub zone: Option<String>,
    pub version: String,
    pub registered: UnixMs,
    /// Set while the donor is Offline or Lost: since when.
    pub away_since: Option<UnixMs>,
    /// Shards found missing or corrupt there, ever.
    pub faults: u64,
}

/// Where the shards of one segment are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentRow {
    pub code: Code,
    pub shard_bytes: u32,
    pub committed: UnixMs,
    /// `n` of them, by position.
    pub shards: Vec<Place>,
}

/// One shard, and the donor that holds it; none while it is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub id: ShardId,
    pub node: Option<NodeId>,
}

impl SegmentRow {
    /// Positions and donors of the shards that some donor is named for.
    pub(crate) fn placed(&self) -> impl Iterator<Item = (u8, ShardId, NodeId)> + '_ {
        let numbered = (0u8..).zip(&self.shards);
        numbered.filter_map(|(position, place)| place.node.map(|node| (position, place.id, node)))
    }

    pub(crate) fn names(&self, node: NodeId) -> bool {
        self.shards.iter().any(|place| place.node == Some(node))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HoldingRow {
    pub position: u8,
    /// When the donor was first named for it.
    pub since: UnixMs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MendRow {
    pub since: UnixMs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DoomedRow {
    pub since: UnixMs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReleaseRow {
    pub asked: UnixMs,
}

macro_rules! first_shape {
    ($($name:ident),*) => {$(
        impl Record for $name {
            const FORMAT: u8 = 1;
            type Previous = NoPrevious<Self>;
        }
    )*};
}
first_shape!(NodeRow, SegmentRow, HoldingRow, MendRow, DoomedRow, ReleaseRow);

pub(crate) fn decode<R: Record>(bytes: &[u8]) -> Result<R, StoreError> {
    Ok(row::decode(bytes)?)
}

/// A row with the version to check when it is written again.
#[derive(Debug, Clone)]
pub(crate) struct Held<R> {
    pub row: R,
    pub version: Version,
}

pub(crate) async fn read<R: Record>(store: &dyn Store, key: &Bytes) -> Result<Option<Held<R>>, StoreError> {
    let found = store.get(key).await?;
    found.map(|held| Ok(Held { row: decode(&held.value)?, version: held.version })).transpose()
}

pub(crate) async fn read_segment(store: &dyn Store, id: &SegmentId) -> Result<Option<Held<SegmentRow>>, StoreError> {
    read(store, &crate::keyspace::segment(id)).await
}

/// The next page of a walk, and the range that is left behind it, if any row may be.
pub(crate) async fn page(store: &dyn Store, range: KeyRange, limit: usize) -> Result<(Vec<Row>, Option<KeyRange>), StoreError> {
    let rows = store.scan(range.clone(), limit, Direction::Ascending).await?;
    let rest = match rows.last() {
        Some(last) if rows.len() >= limit => Some(crate::keyspace::after(range, &last.key)),
        _ => None,
    };
    Ok((rows, rest))
}

pub(crate) async fn any_row(store: &dyn Store, range: KeyRange) -> Result<bool, StoreError> {
    Ok(!store.scan(range, 1, Direction::Ascending).await?.is_empty())
}

/// A commit being put together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    commit: Commit,
}

impl Batch {
    pub(crate) fn at(&mut self, key: Bytes, version: Version) {
        self.commit.checks.push(Check::At(key, version));
    }

    pub(crate) fn absent(&mut self, key: Bytes) {
        self.commit.checks.push(Check::Absent(key));
    }

    pub(crate) fn empty(&mut self, range: KeyRange) {
        self.commit.checks.push(Check::Empty(range));
    }

    pub(crate) fn put<R: Record>(&mut self, key: Bytes, record: &R) {
        self.commit.writes.push(Write::Put(key, row::encode(record)));
    }

    pub(crate) fn delete(&mut self, key: Bytes) {
        self.commit.writes.push(Write::Delete(key));
    }

    pub(crate) fn writes_nothing(&self) -> bool {
        self.commit.writes.is_empty()
    }

    pub(crate) fn into_commit(self) -> Commit {
        self.commit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place() -> impl Strategy<Value = Place> {
        (any::<[u8; 32]>(), any::<Option<u32>>()).prop_map(|(id, node)| Place { id: ShardId(id), node: node.map(NodeId) })
    }

    fn back<R: Record>(row: &R) -> R {
        decode(&row::encode(row)).expect("decodes")
    }

    proptest! {
        #[test]
        fn segment_rows_read_back(k in 1u8..=20, more in 0u8..=20, shard_bytes: u32, committed: u64, shards in prop::collection::vec(place(), 0..40)) {
            let code = Code::new(k, k + more).expect("a code");
            let row = SegmentRow { code, shard_bytes, committed, shards };
            prop_assert_eq!(back(&row), row);
        }

        #[test]
        fn node_rows_read_back(nonce: [u8; 16], secret: [u8; 32], capacity_bytes: u64, zone: Option<String>, away_since: Option<u64>) {
            let row = NodeRow {
                addr: "http://h:1".into(), nonce, coordinator_nonce: nonce, secret: Secret::new(secret), capacity_bytes,
                operator: zone.clone(), zone, version: "1".into(), registered: 5, away_since, faults: 2,
            };
            prop_assert_eq!(back(&row), row);
        }

        #[test]
        fn small_rows_read_back(position: u8, since: u64) {
            prop_assert_eq!(back(&HoldingRow { position, since }), HoldingRow { position, since });
            prop_assert_eq!(back(&MendRow { since }), MendRow { since });
            prop_assert_eq!(back(&DoomedRow { since }), DoomedRow { since });
            prop_assert_eq!(back(&ReleaseRow { asked: since }), ReleaseRow { asked: since });
        }
    }

    #[test]
    fn yesterdays_segment_row_still_opens() {
        let mut bytes = vec![1, 1, 2, 0x80, 0x08, 9, 2];
        bytes.extend([7; 32]);
        bytes.extend([1, 3]);
        bytes.extend([7; 32]);
        bytes.push(0);
        let shards = vec![Place { id: ShardId([7; 32]), node: Some(NodeId(3)) }, Place { id: ShardId([7; 32]), node: None }];
        let want = SegmentRow { code: Code::new(1, 2).expect("a code"), shard_bytes: 1024, committed: 9, shards };
        assert_eq!(decode::<SegmentRow>(&bytes).expect("decodes"), want);
    }
}
