//! Rows of segments, and of what is to be done about them and their shards.

use nodio_meta::row::{NoPrevious, Record};
use nodio_wire::{Code, NodeId, ShardId, UnixMs};
use serde::{Deserialize, Serialize};

/// Where the shards of one segment are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentRow {
    pub code: Code,
    pub shard_bytes: u32,
    pub committed: UnixMs,
    /// `n` of them, by position.
    pub shards: Vec<Place>,
}

/// One shard, and the donors that hold it: usually one; none while it is missing; several after one came back or while it is moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub id: ShardId,
    /// In the order they were named.
    pub holders: Vec<NodeId>,
}

impl SegmentRow {
    /// Position, shard and donor for every donor that is named.
    pub(crate) fn placed(&self) -> impl Iterator<Item = (u8, ShardId, NodeId)> + '_ {
        let numbered = (0u8..).zip(&self.shards);
        numbered.flat_map(|(position, place)| place.holders.iter().map(move |node| (position, place.id, *node)))
    }

    /// True if the donor is named for any position: then it gets no other.
    pub(crate) fn names(&self, node: NodeId) -> bool {
        self.shards.iter().any(|place| place.holders.contains(&node))
    }

    /// The position that the donor is named for.
    pub(crate) fn position_of(&self, node: NodeId) -> Option<u8> {
        (0u8..).zip(&self.shards).find(|(_, place)| place.holders.contains(&node)).map(|(position, _)| position)
    }
}

/// The segment row of format 1: one donor at most for each shard.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SegmentRowV1 {
    code: Code,
    shard_bytes: u32,
    committed: UnixMs,
    shards: Vec<PlaceV1>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct PlaceV1 {
    id: ShardId,
    node: Option<NodeId>,
}

impl From<SegmentRowV1> for SegmentRow {
    fn from(old: SegmentRowV1) -> Self {
        let place = |place: PlaceV1| Place { id: place.id, holders: place.node.into_iter().collect() };
        let shards = old.shards.into_iter().map(place).collect();
        Self { code: old.code, shard_bytes: old.shard_bytes, committed: old.committed, shards }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HoldingRow {
    pub position: u8,
    /// When the donor was first named for it.
    pub since: UnixMs,
    /// Length of the shard; 0 is unknown (a row of format 1): then the segment's row says it.
    pub bytes: u32,
}

/// The holding of format 1: without a length.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HoldingRowV1 {
    position: u8,
    since: UnixMs,
}

impl From<HoldingRowV1> for HoldingRow {
    fn from(old: HoldingRowV1) -> Self {
        Self { position: old.position, since: old.since, bytes: 0 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MendRow {
    pub since: UnixMs,
    /// An operator asked: what is away is rebuilt without waiting for it to be lost.
    pub forced: bool,
}

/// The mend row of format 1.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MendRowV1 {
    since: UnixMs,
}

impl From<MendRowV1> for MendRow {
    fn from(old: MendRowV1) -> Self {
        Self { since: old.since, forced: false }
    }
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
first_shape!(SegmentRowV1, HoldingRowV1, MendRowV1, DoomedRow, ReleaseRow);

macro_rules! second_shape {
    ($($name:ident after $previous:ident),*) => {$(
        impl Record for $name {
            const FORMAT: u8 = 2;
            type Previous = $previous;
        }
    )*};
}
second_shape!(SegmentRow after SegmentRowV1, HoldingRow after HoldingRowV1, MendRow after MendRowV1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::decode;
    use nodio_meta::row;
    use proptest::prelude::*;

    fn place() -> impl Strategy<Value = Place> {
        let holders = prop::collection::vec(any::<u32>().prop_map(NodeId), 0..4);
        (any::<[u8; 32]>(), holders).prop_map(|(id, holders)| Place { id: ShardId(id), holders })
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
        fn small_rows_read_back(position: u8, since: u64, bytes: u32, forced: bool) {
            prop_assert_eq!(back(&HoldingRow { position, since, bytes }), HoldingRow { position, since, bytes });
            prop_assert_eq!(back(&MendRow { since, forced }), MendRow { since, forced });
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
        let place = |holders: &[u32]| Place { id: ShardId([7; 32]), holders: holders.iter().copied().map(NodeId).collect() };
        let code = Code::new(1, 2).expect("a code");
        let want = SegmentRow { code, shard_bytes: 1024, committed: 9, shards: vec![place(&[3]), place(&[])] };
        assert_eq!(decode::<SegmentRow>(&bytes).expect("decodes"), want);
    }

    #[test]
    fn yesterdays_small_rows_still_open() {
        let holding = HoldingRow { position: 3, since: 9, bytes: 0 };
        assert_eq!(decode::<HoldingRow>(&[1, 3, 9]).expect("decodes"), holding);
        assert_eq!(decode::<MendRow>(&[1, 9]).expect("decodes"), MendRow { since: 9, forced: false });
    }

    #[test]
    fn a_row_of_today_is_these_bytes() {
        let mut bytes = vec![2, 1, 2, 0x80, 0x08, 9, 2];
        bytes.extend([7; 32]);
        bytes.extend([2, 3, 4]);
        bytes.extend([7; 32]);
        bytes.push(0);
        let place = |holders: &[u32]| Place { id: ShardId([7; 32]), holders: holders.iter().copied().map(NodeId).collect() };
        let code = Code::new(1, 2).expect("a code");
        let row = SegmentRow { code, shard_bytes: 1024, committed: 9, shards: vec![place(&[3, 4]), place(&[])] };
        assert_eq!(row::encode(&row), bytes);
        assert_eq!(row::encode(&HoldingRow { position: 3, since: 9, bytes: 1 })[..], [2, 3, 9, 1]);
        assert_eq!(row::encode(&MendRow { since: 9, forced: true })[..], [2, 9, 1]);
    }
}
