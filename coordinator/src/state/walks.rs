//! Passes over the map that are under way, a page at a time.
//!
//! ```text
//!   Mend    a donor that went away, or is to be emptied: what must be had from elsewhere     ┐ each lane takes its own steps,
//!   Count   donors that are there, what they should hold; the whole map, for what was missed ┘ walks within one take turns
//! ```
//! So mending waits for no count, however many donors there are to be counted, and no count for a mending. A donor is walked over in one
//! lane at a time: a walk that mends counts as well.

use std::collections::VecDeque;

use nodio_meta::KeyRange;
use nodio_wire::api::{Contents, Left};
use nodio_wire::{NodeId, ShardId};
use rand::Rng;

use super::audit::{Pick, Sample};
use crate::keyspace;

/// What is walked over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// One donor's holdings: to mend what it no longer gives, or to count what it should hold.
    Node(NodeId),
    /// Every segment: for those whose mending was missed.
    Map,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    Mend,
    Count,
}

#[derive(Debug, Clone)]
pub(crate) struct Walk {
    pub over: Over,
    pub lane: Lane,
    /// What is still ahead.
    pub rest: KeyRange,
    /// What was passed, of a donor's holdings.
    pub contents: Contents,
    pub bytes: u64,
    /// Those of them to be asked about until the next walk.
    pub sample: Sample,
    last: Option<ShardId>,
}

impl Walk {
    fn new(over: Over, lane: Lane) -> Self {
        let rest = match over {
            Over::Node(id) => keyspace::holdings_of(id),
            Over::Map => keyspace::segments(),
        };
        Self { over, lane, rest, contents: Contents::default(), bytes: 0, sample: Sample::default(), last: None }
    }

    /// True before its first step.
    pub(crate) fn is_new(&self) -> bool {
        self.last.is_none()
    }

    /// Takes in a holding that was passed; a shard that several segments share counts once.
    pub(crate) fn pass(&mut self, holding: Pick, shard_bytes: u32, rng: &mut impl Rng) {
        if self.last != Some(holding.shard) {
            self.contents.add(&holding.shard);
            self.bytes += u64::from(shard_bytes);
            self.sample.offer(holding, shard_bytes, rng);
            self.last = Some(holding.shard);
        }
    }

    /// What the map names the donor for.
    pub(crate) fn named(&self) -> Left {
        Left { shards: self.contents.shards, bytes: self.bytes }
    }
}

/// Walks in the order they were begun; of each lane one at a time takes a step.
#[derive(Debug, Default)]
pub(crate) struct Walks {
    mending: VecDeque<Walk>,
    counting: VecDeque<Walk>,
}

impl Walks {
    /// Begins a walk; one over the same that is under way begins anew, but for a walk that mends where only a count is wanted.
    pub(crate) fn begin(&mut self, over: Over, lane: Lane) {
        if lane == Lane::Count && self.mending.iter().any(|walk| walk.over == over) {
            return;
        }
        self.mending.retain(|walk| walk.over != over);
        self.counting.retain(|walk| walk.over != over);
        self.lane(lane).push_back(Walk::new(over, lane));
    }

    pub(crate) fn take(&mut self, lane: Lane) -> Option<Walk> {
        self.lane(lane).pop_front()
    }

    /// Puts back a walk that isn't at its end; in turn with the others, and not if it was begun anew meanwhile. A count that was begun while
    /// a walk that mends took its step isn't needed.
    pub(crate) fn put_back(&mut self, walk: Walk) {
        let is_same = |other: &Walk| other.over == walk.over;
        if self.mending.iter().any(is_same) || (walk.lane == Lane::Count && self.counting.iter().any(is_same)) {
            return;
        }
        self.counting.retain(|other| other.over != walk.over);
        self.lane(walk.lane).push_back(walk);
    }

    pub(crate) fn is_empty(&self, lane: Lane) -> bool {
        match lane {
            Lane::Mend => self.mending.is_empty(),
            Lane::Count => self.counting.is_empty(),
        }
    }

    fn lane(&mut self, lane: Lane) -> &mut VecDeque<Walk> {
        match lane {
            Lane::Mend => &mut self.mending,
            Lane::Count => &mut self.counting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodio_wire::api::set_digest;
    use nodio_wire::{PartId, SegmentId};

    const NODE: Over = Over::Node(NodeId(1));

    fn drain(walks: &mut Walks, lane: Lane) -> Vec<Over> {
        std::iter::from_fn(|| walks.take(lane)).map(|walk| walk.over).collect()
    }

    #[test]
    fn a_walk_begun_anew_replaces_the_one_under_way() {
        let mut walks = Walks::default();
        walks.begin(NODE, Lane::Count);
        walks.begin(Over::Map, Lane::Count);
        walks.begin(NODE, Lane::Count);
        let map = walks.take(Lane::Count).expect("queued");
        assert_eq!(map.over, Over::Map);
        walks.begin(Over::Map, Lane::Count);
        walks.put_back(map);
        assert_eq!(drain(&mut walks, Lane::Count), [NODE, Over::Map]);
        assert!(walks.is_empty(Lane::Count));
    }

    #[test]
    fn mending_waits_for_no_count_and_is_one() {
        let mut walks = Walks::default();
        (2..1000).for_each(|other| walks.begin(Over::Node(NodeId(other)), Lane::Count));
        walks.begin(NODE, Lane::Count);
        walks.begin(NODE, Lane::Mend);
        let walk = walks.take(Lane::Mend).expect("next, whatever is counted");
        walks.begin(NODE, Lane::Count);
        walks.put_back(walk);
        walks.begin(NODE, Lane::Count);
        assert_eq!(drain(&mut walks, Lane::Mend), [NODE]);
        assert_eq!(drain(&mut walks, Lane::Count).len(), 998, "not among them");
    }

    #[test]
    fn a_count_gives_way_to_mending_in_the_midst_of_its_step() {
        let mut walks = Walks::default();
        walks.begin(NODE, Lane::Count);
        let walk = walks.take(Lane::Count).expect("queued");
        walks.begin(NODE, Lane::Mend);
        walks.put_back(walk);
        assert!(walks.is_empty(Lane::Count));
        assert_eq!(drain(&mut walks, Lane::Mend), [NODE]);
    }

    #[test]
    fn a_shared_shard_is_counted_once() {
        let mut walk = Walk::new(NODE, Lane::Count);
        let ids = [ShardId([1; 32]), ShardId([2; 32])];
        for id in [ids[0], ids[0], ids[1]] {
            let segment = SegmentId { part: PartId([0; 16]), index: 0 };
            walk.pass(Pick { shard: id, segment, position: 0, tries: 0, run: None, accused: false }, 10, &mut rand::rng());
        }
        assert_eq!(walk.named(), Left { shards: 2, bytes: 20 });
        assert_eq!(walk.contents, Contents { shards: 2, digest: set_digest(ids) });
    }
}
