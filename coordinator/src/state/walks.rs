//! Passes over the map that are under way, a page at a time.

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

#[derive(Debug, Clone)]
pub(crate) struct Walk {
    pub over: Over,
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
    fn new(over: Over) -> Self {
        let rest = match over {
            Over::Node(id) => keyspace::holdings_of(id),
            Over::Map => keyspace::segments(),
        };
        Self { over, rest, contents: Contents::default(), bytes: 0, sample: Sample::default(), last: None }
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

/// Walks in the order they were begun; one at a time takes a step.
#[derive(Debug, Default)]
pub(crate) struct Walks {
    queue: VecDeque<Walk>,
}

impl Walks {
    /// Begins a walk; one over the same that is under way begins anew.
    pub(crate) fn begin(&mut self, over: Over) {
        self.queue.retain(|walk| walk.over != over);
        self.queue.push_back(Walk::new(over));
    }

    pub(crate) fn take(&mut self) -> Option<Walk> {
        self.queue.pop_front()
    }

    /// Puts back a walk that isn't at its end; in turn with the others, and not if it was begun anew meanwhile.
    pub(crate) fn put_back(&mut self, walk: Walk) {
        if self.queue.iter().all(|other| other.over != walk.over) {
            self.queue.push_back(walk);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodio_wire::api::set_digest;
    use nodio_wire::{PartId, SegmentId};

    #[test]
    fn a_walk_begun_anew_replaces_the_one_under_way() {
        let mut walks = Walks::default();
        walks.begin(Over::Node(NodeId(1)));
        walks.begin(Over::Map);
        walks.begin(Over::Node(NodeId(1)));
        let map = walks.take().expect("queued");
        assert_eq!(map.over, Over::Map);
        walks.begin(Over::Map);
        walks.put_back(map);
        assert_eq!(walks.take().map(|walk| walk.over), Some(Over::Node(NodeId(1))));
        assert_eq!(walks.take().map(|walk| walk.over), Some(Over::Map));
        assert!(walks.is_empty());
    }

    #[test]
    fn a_shared_shard_is_counted_once() {
        let mut walk = Walk::new(Over::Node(NodeId(1)));
        let ids = [ShardId([1; 32]), ShardId([2; 32])];
        for id in [ids[0], ids[0], ids[1]] {
            let segment = SegmentId { part: PartId([0; 16]), index: 0 };
            walk.pass(Pick { shard: id, segment, position: 0, tries: 0, run: None }, 10, &mut rand::rng());
        }
        assert_eq!(walk.named(), Left { shards: 2, bytes: 20 });
        assert_eq!(walk.contents, Contents { shards: 2, digest: set_digest(ids) });
    }
}
