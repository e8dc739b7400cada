//! The coordinator's keys. One kind, one first letter; numbers are big-endian, so that a scan walks them in order.
//!
//! ```text
//!   d/{node 4}                          NodeRow     a donor, from its first registration on, for good
//!   s/{part 16}{index 4}                SegmentRow  where a segment's shards are, from its commit to its release
//!   n/{node 4}{shard 32}{part 16}{index 4}  HoldingRow  the reverse: this donor is named for this shard by this segment
//!   r/{urgency 1}{part 16}{index 4}     MendRow     the segment may need mending, soonest first; gone when nothing is missing
//!   x/{node 4}{shard 32}                DoomedRow   the donor shall delete this shard; gone when it says so
//!   q/{part 16}                         ReleaseRow  the part is being forgotten; gone when its last segment row is
//! ```
//! An `n/` row exists exactly while its `s/` row names that donor at that position: both are always written by one commit.
//! The segment is part of the holding's key because short segments may have shards with the same bytes. A segment may be queued under
//! several urgencies at once: the planner judges it anew whenever it meets it, and drops what says nothing (any more).

use std::ops::Bound;

use bytes::Bytes;
use nodio_meta::{KeyRange, StoreError};
use nodio_wire::{NodeId, PartId, SegmentId, ShardId};

const NODE: &[u8] = b"d/";
const SEGMENT: &[u8] = b"s/";
const HOLDING: &[u8] = b"n/";
const MEND: &[u8] = b"r/";
const DOOMED: &[u8] = b"x/";
const RELEASE: &[u8] = b"q/";

fn join(fields: &[&[u8]]) -> Bytes {
    Bytes::from(fields.concat())
}

pub(crate) fn node(id: NodeId) -> Bytes {
    join(&[NODE, &id.0.to_be_bytes()])
}

pub(crate) fn segment(id: &SegmentId) -> Bytes {
    join(&[SEGMENT, &id.part.0, &id.index.to_be_bytes()])
}

pub(crate) fn holding(node: NodeId, shard: &ShardId, segment: &SegmentId) -> Bytes {
    join(&[HOLDING, &node.0.to_be_bytes(), &shard.0, &segment.part.0, &segment.index.to_be_bytes()])
}

pub(crate) fn mend(urgency: u8, id: &SegmentId) -> Bytes {
    join(&[MEND, &[urgency], &id.part.0, &id.index.to_be_bytes()])
}

pub(crate) fn doomed(node: NodeId, shard: &ShardId) -> Bytes {
    join(&[DOOMED, &node.0.to_be_bytes(), &shard.0])
}

pub(crate) fn release(part: PartId) -> Bytes {
    join(&[RELEASE, &part.0])
}

pub(crate) fn nodes() -> KeyRange {
    prefix(NODE)
}

pub(crate) fn segments() -> KeyRange {
    prefix(SEGMENT)
}

pub(crate) fn mends() -> KeyRange {
    prefix(MEND)
}

/// Segments queued under an urgency below `urgency`.
pub(crate) fn mends_below(urgency: u8) -> KeyRange {
    KeyRange { start: mends().start, end: Bound::Excluded(join(&[MEND, &[urgency]])) }
}

pub(crate) fn dooms() -> KeyRange {
    prefix(DOOMED)
}

pub(crate) fn releases() -> KeyRange {
    prefix(RELEASE)
}

pub(crate) fn segments_of(part: PartId) -> KeyRange {
    prefix(&join(&[SEGMENT, &part.0]))
}

/// Segments `first..=last` of a part.
pub(crate) fn segments_between(part: PartId, first: u32, last: u32) -> KeyRange {
    let at = |index| segment(&SegmentId { part, index });
    KeyRange { start: Bound::Included(at(first)), end: Bound::Included(at(last)) }
}

/// All segments of the parts after `part`; `None`: of all parts.
pub(crate) fn segments_after(part: Option<PartId>) -> KeyRange {
    match part {
        None => segments(),
        Some(part) => after(segments(), &segment(&SegmentId { part, index: u32::MAX })),
    }
}

pub(crate) fn holdings_of(node: NodeId) -> KeyRange {
    prefix(&join(&[HOLDING, &node.0.to_be_bytes()]))
}

/// Every segment that names this donor for this shard.
pub(crate) fn holdings_of_shard(node: NodeId, shard: &ShardId) -> KeyRange {
    prefix(&join(&[HOLDING, &node.0.to_be_bytes(), &shard.0]))
}

/// Holdings of a donor with shard ids from `from` up to and including `through`.
pub(crate) fn holdings_between(node: NodeId, from: &ShardId, through: &ShardId) -> KeyRange {
    KeyRange { start: holdings_of_shard(node, from).start, end: holdings_of_shard(node, through).end }
}

pub(crate) fn dooms_of(node: NodeId) -> KeyRange {
    prefix(&join(&[DOOMED, &node.0.to_be_bytes()]))
}

/// What is left of `range` behind `key`.
pub(crate) fn after(range: KeyRange, key: &Bytes) -> KeyRange {
    KeyRange { start: Bound::Excluded(key.clone()), end: range.end }
}

fn prefix(prefix: &[u8]) -> KeyRange {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    let end = if end.is_empty() { Bound::Unbounded } else { Bound::Excluded(Bytes::from(end)) };
    KeyRange { start: Bound::Included(Bytes::copy_from_slice(prefix)), end }
}

/// A holding's key, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HoldingKey {
    pub shard: ShardId,
    pub segment: SegmentId,
}

pub(crate) fn parse_node(key: &[u8]) -> Result<NodeId, StoreError> {
    let mut fields = Fields::of(key, NODE)?;
    Ok(NodeId(fields.number()?))
}

pub(crate) fn parse_segment(key: &[u8]) -> Result<SegmentId, StoreError> {
    Fields::of(key, SEGMENT)?.segment()
}

/// A place on the mend queue. `urgency` is `None` for a key of the first layout, which had none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MendKey {
    pub urgency: Option<u8>,
    pub segment: SegmentId,
}

pub(crate) fn parse_mend(key: &[u8]) -> Result<MendKey, StoreError> {
    let mut fields = Fields::of(key, MEND)?;
    let urgency = match fields.0.len() {
        20 => None,
        _ => Some(u8::from_be_bytes(fields.take()?)),
    };
    Ok(MendKey { urgency, segment: fields.segment()? })
}

pub(crate) fn parse_release(key: &[u8]) -> Result<PartId, StoreError> {
    Ok(PartId(Fields::of(key, RELEASE)?.take()?))
}

pub(crate) fn parse_holding(key: &[u8]) -> Result<HoldingKey, StoreError> {
    let mut fields = Fields::of(key, HOLDING)?;
    fields.number()?;
    Ok(HoldingKey { shard: ShardId(fields.take()?), segment: fields.segment()? })
}

pub(crate) fn parse_doomed(key: &[u8]) -> Result<ShardId, StoreError> {
    let mut fields = Fields::of(key, DOOMED)?;
    fields.number()?;
    Ok(ShardId(fields.take()?))
}

/// What is left of a key that is being read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn of(key: &'a [u8], kind: &[u8]) -> Result<Self, StoreError> {
        key.strip_prefix(kind).map(Self).ok_or_else(malformed)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or_else(malformed)?;
        self.0 = rest;
        Ok(*head)
    }

    fn number(&mut self) -> Result<u32, StoreError> {
        self.take().map(u32::from_be_bytes)
    }

    fn segment(&mut self) -> Result<SegmentId, StoreError> {
        Ok(SegmentId { part: PartId(self.take()?), index: self.number()? })
    }
}

fn malformed() -> StoreError {
    StoreError::Failed("a key of the shard map is malformed".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holds(range: &KeyRange, key: &Bytes) -> bool {
        let bounds = (range.start.clone(), range.end.clone());
        std::ops::RangeBounds::<Bytes>::contains(&bounds, key)
    }

    fn segment_id() -> impl Strategy<Value = SegmentId> {
        (any::<[u8; 16]>(), any::<u32>()).prop_map(|(part, index)| SegmentId { part: PartId(part), index })
    }

    proptest! {
        #[test]
        fn keys_read_back_and_lie_in_their_ranges(id in segment_id(), urgency: u8, number: u32, shard: [u8; 32]) {
            let (donor, shard) = (NodeId(number), ShardId(shard));
            prop_assert_eq!(parse_node(&node(donor)).ok(), Some(donor));
            prop_assert_eq!(parse_segment(&segment(&id)).ok(), Some(id));
            let (key, old) = (mend(urgency, &id), join(&[MEND, &id.part.0, &id.index.to_be_bytes()]));
            prop_assert_eq!(parse_mend(&key).ok(), Some(MendKey { urgency: Some(urgency), segment: id }));
            prop_assert_eq!(parse_mend(&old).ok(), Some(MendKey { urgency: None, segment: id }));
            prop_assert!(holds(&mends(), &key) && holds(&mends_below(200), &key) == (urgency < 200));
            prop_assert_eq!(parse_release(&release(id.part)).ok(), Some(id.part));
            prop_assert_eq!(parse_doomed(&doomed(donor, &shard)).ok(), Some(shard));
            let key = holding(donor, &shard, &id);
            prop_assert_eq!(parse_holding(&key).ok(), Some(HoldingKey { shard, segment: id }));
            prop_assert!(holds(&holdings_of(donor), &key) && holds(&holdings_of_shard(donor, &shard), &key));
            prop_assert!(holds(&segments_of(id.part), &segment(&id)) && holds(&segments(), &segment(&id)));
            prop_assert!(!holds(&segments_after(Some(id.part)), &segment(&id)));
            prop_assert!(holds(&dooms_of(donor), &doomed(donor, &shard)));
        }

        #[test]
        fn a_page_of_holdings_covers_what_lies_from_one_shard_through_another(a: [u8; 32], b: [u8; 32], c: [u8; 32], id in segment_id()) {
            let (donor, a, b, c) = (NodeId(7), ShardId(a), ShardId(b), ShardId(c));
            prop_assert_eq!(holds(&holdings_between(donor, &a, &b), &holding(donor, &c, &id)), a <= c && c <= b);
        }
    }

    #[test]
    fn the_edges_of_the_id_space_are_covered() {
        let id = SegmentId { part: PartId([0xff; 16]), index: u32::MAX };
        let (lowest, highest) = (ShardId([0; 32]), ShardId([0xff; 32]));
        for edge in [lowest, highest] {
            assert!(holds(&holdings_between(NodeId(1), &lowest, &highest), &holding(NodeId(1), &edge, &id)));
            assert!(!holds(&holdings_between(NodeId(1), &lowest, &highest), &holding(NodeId(2), &edge, &id)));
        }
        assert!(!holds(&holdings_of(NodeId(1)), &holding(NodeId(2), &ShardId([0; 32]), &id)));
        assert!(parse_segment(b"s/short").is_err() && parse_node(b"s/").is_err() && parse_mend(b"r/").is_err());
    }
}
