//! The rows behind [`crate::keyspace`], and reading and writing them by name.

use bytes::Bytes;
use nodio_meta::row::{self, NoPrevious, Record};
use nodio_meta::{Check, Commit, Direction, KeyRange, Row, Store, StoreError, Version, Write};
use nodio_wire::api::{AuditCounts, Receipt, StandingState};
use nodio_wire::auth::Secret;
use nodio_wire::{Code, NodeId, SegmentId, ShardId, UnixMs};
use serde::{Deserialize, Serialize};

use crate::state::record::{Recent, Record as History};
use crate::state::reputation::Cause;

/// A donor as it registered, and what must outlive a restart of its history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Shards found missing or corrupt there, ever.
    pub faults: u64,
    pub kept: Kept,
}

/// What is learned of a donor while it is watched. Written now and then; a change of standing at once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Set while the donor is Offline or Lost: since when.
    pub away_since: Option<UnixMs>,
    pub record: History,
    pub recent: Recent,
    pub audits: AuditCounts,
    /// Bytes held, times hours.
    pub byte_hours: f64,
    pub standing: StandingRow,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct StandingRow {
    pub state: StandingState,
    /// Who began a draining.
    pub cause: Option<Cause>,
    pub since: UnixMs,
    pub reason: String,
    pub receipt: Option<Receipt>,
}

/// The first shape of a [`NodeRow`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeRow1 {
    addr: String,
    nonce: [u8; 16],
    coordinator_nonce: [u8; 16],
    secret: Secret,
    capacity_bytes: u64,
    operator: Option<String>,
    zone: Option<String>,
    version: String,
    registered: UnixMs,
    away_since: Option<UnixMs>,
    faults: u64,
}

impl Record for NodeRow {
    const FORMAT: u8 = 2;
    type Previous = NodeRow1;
}

impl From<NodeRow1> for NodeRow {
    /// A donor that nobody watched so far is a stranger.
    fn from(old: NodeRow1) -> Self {
        Self {
            addr: old.addr,
            nonce: old.nonce,
            coordinator_nonce: old.coordinator_nonce,
            secret: old.secret,
            capacity_bytes: old.capacity_bytes,
            operator: old.operator,
            zone: old.zone,
            version: old.version,
            faults: old.faults,
            kept: Kept {
                away_since: old.away_since,
                standing: StandingRow { since: old.registered, ..StandingRow::default() },
                ..Kept::default()
            },
            registered: old.registered,
        }
    }
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
first_shape!(NodeRow1, SegmentRowV1, HoldingRowV1, MendRowV1, DoomedRow, ReleaseRow);

macro_rules! second_shape {
    ($($name:ident after $previous:ident),*) => {$(
        impl Record for $name {
            const FORMAT: u8 = 2;
            type Previous = $previous;
        }
    )*};
}
second_shape!(SegmentRow after SegmentRowV1, HoldingRow after HoldingRowV1, MendRow after MendRowV1);

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
        fn node_rows_read_back(nonce: [u8; 16], secret: [u8; 32], capacity_bytes: u64, zone: Option<String>, away_since: Option<u64>) {
            let row = NodeRow {
                addr: "http://h:1".into(), nonce, coordinator_nonce: nonce, secret: Secret::new(secret), capacity_bytes,
                operator: zone.clone(), zone, version: "1".into(), registered: 5, faults: 2, kept: Kept { away_since, byte_hours: 0.5, ..Kept::default() },
            };
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
    fn yesterdays_node_row_still_opens_as_a_strangers() {
        let mut bytes = vec![1, 3, b'u', b'r', b'l'];
        bytes.extend([4; 32]);
        bytes.push(64);
        bytes.extend(b"0707070707070707070707070707070707070707070707070707070707070707");
        bytes.extend([0x80, 0x08, 0, 1, 1, b'z', 1, b'v', 5, 1, 9, 2]);
        let row: NodeRow = decode(&bytes).expect("decodes");
        let want = NodeRow {
            addr: "url".into(),
            nonce: [4; 16],
            coordinator_nonce: [4; 16],
            secret: Secret::new([7; 32]),
            capacity_bytes: 1024,
            operator: None,
            zone: Some("z".into()),
            version: "v".into(),
            registered: 5,
            faults: 2,
            kept: Kept { away_since: Some(9), standing: StandingRow { since: 5, ..StandingRow::default() }, ..Kept::default() },
        };
        assert_eq!(row, want);
    }

    #[test]
    fn todays_node_row_has_these_bytes() {
        let receipt = Receipt { node: NodeId(3), joined: 1, released: 2, gib_hours: 3, audits_passed: 4, mac: "m".into() };
        let standing = StandingRow {
            state: StandingState::Released,
            cause: Some(Cause::Operator),
            since: 6,
            reason: "r".into(),
            receipt: Some(receipt),
        };
        let mut recent = Recent::default();
        [true, false].into_iter().for_each(|passed| recent.audited(passed));
        let kept = Kept {
            away_since: Some(9),
            record: History { passed: 1.0, failed: 2.0, there_ms: 0.5, away_ms: 0.0 },
            recent,
            audits: AuditCounts { passed: 7, failed: 8, offline: 9 },
            byte_hours: 1.0,
            standing,
        };
        let one = 1.0_f64.to_le_bytes();
        let mut want = vec![1, 9];
        [1.0_f64, 2.0, 0.5, 0.0].iter().for_each(|number| want.extend(number.to_le_bytes()));
        want.extend([1, 2, 7, 8, 9]);
        want.extend(one);
        want.extend([4, 1, 2, 6, 1, b'r', 1, 3, 1, 2, 3, 4, 1, b'm']);
        let row = NodeRow {
            addr: "url".into(),
            nonce: [4; 16],
            coordinator_nonce: [4; 16],
            secret: Secret::new([7; 32]),
            capacity_bytes: 1024,
            operator: None,
            zone: None,
            version: "v".into(),
            registered: 5,
            faults: 2,
            kept,
        };
        let bytes = row::encode(&row);
        assert_eq!((bytes[0], &bytes[bytes.len() - want.len()..]), (2, &want[..]));
        assert_eq!(decode::<NodeRow>(&bytes).expect("decodes"), row);
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
