//! Work given to donors, each piece on a lease.
//!
//! ```text
//!   planned ──► waiting in the worker's outbox ──► handed out ──► reported
//!                        └──── lease over ────────────┴──► forgotten; the r/, n/ or x/ row behind it plans it anew
//! ```
//! Of what waits in an outbox the most urgent goes first. A report counts only from the donor the work was handed to, and only once. One
//! worker does a rebuild: it downloads `k` shards and makes all that is missing, keeps what is its own and pushes the rest.

use std::collections::{BTreeSet, HashMap};

use nodio_wire::proof::Slice;
use nodio_wire::{Code, NodeId, SegmentId, ShardId, UnixMs};

use super::pace::Pace;
use super::setbacks::Setbacks;

/// A live shard that a rebuild may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    pub position: u8,
    pub shard: ShardId,
    pub node: NodeId,
}

/// A shard that shall be with `node`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aim {
    pub position: u8,
    pub shard: ShardId,
    pub node: NodeId,
}

/// Shards of one segment to be brought to donors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mending {
    pub segment: SegmentId,
    pub shard_bytes: u32,
    pub targets: Vec<Aim>,
    pub how: How,
    /// Its place on the mend queue, and in the worker's outbox.
    pub urgency: u8,
    /// The donor that is relieved of the one target's shard once it is done: then it is a move.
    pub relieves: Option<NodeId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum How {
    /// The worker, usually one of the targets, rebuilds them from these.
    Rebuild { code: Code, sources: Vec<Source> },
    /// The worker holds the one target's shard and pushes it.
    Push,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Job {
    Mend(Mending),
    Delete(Vec<ShardId>),
}

/// What a target's evidence is checked against, drawn when the work is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// The worker proves this slice of its own store's shard.
    Probe(Slice),
    /// The receiving donor acknowledges the put ticket with this nonce.
    Nonce(u64),
}

/// A piece of work and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub node: NodeId,
    pub job: Job,
    /// One for each target, once handed out.
    pub checks: Vec<Check>,
    lease_end: UnixMs,
    handed_out: bool,
}

#[derive(Debug)]
pub(crate) struct TaskBook {
    entries: HashMap<u64, Entry>,
    lease_ends: BTreeSet<(UnixMs, u64)>,
    outboxes: HashMap<NodeId, BTreeSet<(u8, u64)>>,
    by_segment: HashMap<SegmentId, Vec<u64>>,
    /// Work that a donor does or receives shards of.
    by_node: HashMap<NodeId, Vec<u64>>,
    next: u64,
    rebuilding: usize,
    pub pace: Pace,
    pub setbacks: Setbacks,
    /// Shards rebuilt since the coordinator started, and their bytes.
    pub rebuilt: u64,
    pub rebuilt_bytes: u64,
    /// Shards copied away from donors that leave, shrink or stand too close, since the coordinator started.
    pub moved: u64,
}

impl TaskBook {
    /// Task numbers begin at `first`: random, so that one from before a restart names nothing now.
    pub(crate) fn new(first: u64) -> Self {
        Self {
            entries: HashMap::new(),
            lease_ends: BTreeSet::new(),
            outboxes: HashMap::new(),
            by_segment: HashMap::new(),
            by_node: HashMap::new(),
            next: first,
            rebuilding: 0,
            pace: Pace::default(),
            setbacks: Setbacks::default(),
            rebuilt: 0,
            rebuilt_bytes: 0,
            moved: 0,
        }
    }

    /// Puts work into the worker's outbox.
    pub(crate) fn assign(&mut self, worker: NodeId, mending: Mending, lease_end: UnixMs) -> u64 {
        let (segment, urgency) = (mending.segment, mending.urgency);
        self.rebuilding += usize::from(mending.is_rebuild());
        let id = self.insert(Entry { node: worker, job: Job::Mend(mending), checks: Vec::new(), lease_end, handed_out: false });
        self.by_segment.entry(segment).or_default().push(id);
        self.outboxes.entry(worker).or_default().insert((urgency, id));
        id
    }

    /// Notes a batch of deletes as handed out.
    pub(crate) fn hand_out_delete(&mut self, node: NodeId, shards: Vec<ShardId>, lease_end: UnixMs) -> u64 {
        self.insert(Entry { node, job: Job::Delete(shards), checks: Vec::new(), lease_end, handed_out: true })
    }

    /// The most urgent work in the worker's outbox, taken out of it, its lease renewed. [`Self::checked_by`] must follow.
    pub(crate) fn hand_out(&mut self, worker: NodeId, lease_end: UnixMs) -> Option<(u64, Mending)> {
        let (_, id) = self.outboxes.get_mut(&worker)?.pop_first()?;
        let entry = self.entries.get_mut(&id)?;
        self.lease_ends.remove(&(entry.lease_end, id));
        self.lease_ends.insert((lease_end, id));
        (entry.lease_end, entry.handed_out) = (lease_end, true);
        entry.mending().cloned().map(|mending| (id, mending))
    }

    /// What the report on this work will be checked against.
    pub(crate) fn checked_by(&mut self, id: u64, checks: Vec<Check>) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.checks = checks;
        }
    }

    /// The work that `node` reports on, unless it isn't its own, was reported already or was forgotten. It stays under way, so that nobody
    /// plans it anew, until [`Self::close`].
    pub(crate) fn claim(&mut self, node: NodeId, id: u64) -> Option<Entry> {
        let entry = self.entries.get_mut(&id).filter(|entry| entry.node == node && entry.handed_out)?;
        entry.handed_out = false;
        Some(entry.clone())
    }

    /// The report on this work could not be recorded: the next one like it counts.
    pub(crate) fn unclaim(&mut self, id: u64) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.handed_out = true;
        }
    }

    /// The report on this work is through.
    pub(crate) fn close(&mut self, id: u64) -> Option<Entry> {
        self.remove(id)
    }

    /// Forgets work whose lease is over, at most `limit` pieces. What was handed out and not reported is a setback.
    pub(crate) fn expire(&mut self, now: UnixMs, limit: usize) -> Vec<Entry> {
        let over: Vec<u64> = self.lease_ends.iter().take_while(|(end, _)| *end <= now).take(limit).map(|(_, id)| *id).collect();
        let expired: Vec<Entry> = over.into_iter().filter_map(|id| self.remove(id)).collect();
        for entry in expired.iter().filter(|entry| entry.handed_out) {
            if let Some(mending) = entry.mending() {
                self.setbacks.note(mending.segment, [entry.node], now);
            }
        }
        expired
    }

    /// Forgets all work of a donor that went away. What it was to receive from others may still come to something.
    pub(crate) fn drop_node(&mut self, node: NodeId) -> Vec<Entry> {
        let own: Vec<u64> = self.ids_of(node).filter(|(_, entry)| entry.node == node).map(|(id, _)| id).collect();
        own.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Positions of a segment that are on their way, and where to.
    pub(crate) fn under_way(&self, segment: &SegmentId) -> Vec<(u8, NodeId)> {
        let ids = self.by_segment.get(segment).into_iter().flatten();
        let targets = ids.filter_map(|id| self.entries.get(id)).flat_map(Entry::targets);
        targets.map(|aim| (aim.position, aim.node)).collect()
    }

    /// True if the donor may be storing this shard right now.
    pub(crate) fn is_rebuilding(&self, node: NodeId, shard: &ShardId) -> bool {
        let targets = self.ids_of(node).flat_map(|(_, entry)| entry.targets());
        targets.into_iter().any(|aim| aim.node == node && aim.shard == *shard)
    }

    pub(crate) fn is_deleting(&self, node: NodeId) -> bool {
        self.ids_of(node).any(|(_, entry)| matches!(entry.job, Job::Delete(_)))
    }

    /// Pieces of work that a donor does or receives shards of, deletes aside.
    pub(crate) fn load_of(&self, node: NodeId) -> usize {
        self.ids_of(node).filter(|(_, entry)| entry.mending().is_some()).count()
    }

    /// Bytes that a donor is about to have pushed to others.
    pub(crate) fn leaving(&self, node: NodeId) -> u64 {
        let own = self.ids_of(node).filter(|(_, entry)| entry.node == node).filter_map(|(_, entry)| entry.mending());
        own.filter(|mending| !mending.is_rebuild()).map(|mending| u64::from(mending.shard_bytes)).sum()
    }

    pub(crate) fn has_waiting(&self, node: NodeId) -> bool {
        self.outboxes.get(&node).is_some_and(|waiting| !waiting.is_empty())
    }

    /// Rebuilds planned or handed out, and not reported.
    pub(crate) fn rebuilding(&self) -> usize {
        self.rebuilding
    }

    fn ids_of(&self, node: NodeId) -> impl Iterator<Item = (u64, &Entry)> {
        let ids = self.by_node.get(&node).into_iter().flatten();
        ids.filter_map(|id| self.entries.get(id).map(|entry| (*id, entry)))
    }

    fn insert(&mut self, entry: Entry) -> u64 {
        let id = self.next;
        self.next += 1;
        self.lease_ends.insert((entry.lease_end, id));
        for node in entry.parties() {
            self.by_node.entry(node).or_default().push(id);
        }
        self.entries.insert(id, entry);
        id
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.lease_ends.remove(&(entry.lease_end, id));
        entry.parties().iter().for_each(|node| unlist(&mut self.by_node, node, id));
        if let Some(mending) = entry.mending() {
            unlist(&mut self.by_segment, &mending.segment, id);
            self.rebuilding -= usize::from(mending.is_rebuild());
            if let Some(waiting) = self.outboxes.get_mut(&entry.node) {
                waiting.remove(&(mending.urgency, id));
            }
        }
        Some(entry)
    }
}

fn unlist<K: std::hash::Hash + Eq>(lists: &mut HashMap<K, Vec<u64>>, key: &K, id: u64) {
    if let Some(list) = lists.get_mut(key) {
        list.retain(|other| *other != id);
        if list.is_empty() {
            lists.remove(key);
        }
    }
}

impl Mending {
    pub(crate) fn is_rebuild(&self) -> bool {
        matches!(self.how, How::Rebuild { .. })
    }

    /// Shards read and shards stored.
    pub(crate) fn shards_moved(&self) -> (usize, usize) {
        let read = match &self.how {
            How::Rebuild { code, .. } => code.k(),
            How::Push => 1,
        };
        (read, self.targets.len())
    }
}

impl Entry {
    pub(crate) fn mending(&self) -> Option<&Mending> {
        match &self.job {
            Job::Mend(mending) => Some(mending),
            Job::Delete(_) => None,
        }
    }

    pub(crate) fn targets(&self) -> &[Aim] {
        self.mending().map_or(&[], |mending| &mending.targets)
    }

    /// The worker, and the donors that get something: each once.
    fn parties(&self) -> Vec<NodeId> {
        let receivers = self.targets().iter().map(|aim| aim.node).filter(|node| *node != self.node);
        std::iter::once(self.node).chain(receivers).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodio_wire::PartId;

    fn segment(index: u32) -> SegmentId {
        SegmentId { part: PartId([1; 16]), index }
    }

    fn aim(index: u32, position: u8, node: u32) -> Aim {
        Aim { position, shard: ShardId([index as u8; 32]), node: NodeId(node) }
    }

    fn rebuild(index: u32, targets: &[(u8, u32)]) -> Mending {
        Mending {
            segment: segment(index),
            shard_bytes: 10,
            targets: targets.iter().map(|(position, node)| aim(index, *position, *node)).collect(),
            how: How::Rebuild { code: Code::new(2, 3).expect("a code"), sources: Vec::new() },
            urgency: 50,
            relieves: None,
        }
    }

    fn push(index: u32, to: u32) -> Mending {
        Mending { how: How::Push, ..rebuild(index, &[(0, to)]) }
    }

    #[test]
    fn the_most_urgent_is_handed_out_first_and_counts_once() {
        let mut book = TaskBook::new(40);
        for index in 0..3u8 {
            book.assign(NodeId(1), Mending { urgency: 9 - index, ..rebuild(index.into(), &[(0, 1)]) }, 100);
        }
        assert!(book.claim(NodeId(1), 42).is_none(), "not handed out yet");
        let order: Vec<u64> = (0..2).filter_map(|_| book.hand_out(NodeId(1), 200)).map(|(id, _)| id).collect();
        assert_eq!(order, [42, 41]);
        assert!(book.has_waiting(NodeId(1)) && book.hand_out(NodeId(2), 200).is_none());
        book.checked_by(42, vec![Check::Nonce(5)]);
        assert!(book.claim(NodeId(2), 42).is_none(), "another donor's work");
        assert_eq!(book.claim(NodeId(1), 42).map(|entry| entry.checks), Some(vec![Check::Nonce(5)]));
        assert!(book.claim(NodeId(1), 42).is_none(), "twice");
        assert_eq!(book.under_way(&segment(2)).len(), 1, "until the report is through");
        assert!(book.close(42).is_some() && book.close(42).is_none() && book.under_way(&segment(2)).is_empty());
        assert_eq!((book.rebuilding(), book.load_of(NodeId(1))), (2, 2));
    }

    #[test]
    fn a_lease_that_is_over_frees_the_segment_and_is_a_setback_for_who_had_it() {
        let mut book = TaskBook::new(0);
        book.assign(NodeId(1), rebuild(7, &[(2, 1), (1, 4)]), 100);
        book.hand_out(NodeId(1), 300);
        assert_eq!(book.under_way(&segment(7)), [(2, NodeId(1)), (1, NodeId(4))]);
        assert!(book.is_rebuilding(NodeId(4), &ShardId([7; 32])) && !book.is_rebuilding(NodeId(2), &ShardId([7; 32])));
        assert!(book.expire(299, 10).is_empty());
        assert_eq!(book.expire(300, 10).len(), 1);
        assert!(book.under_way(&segment(7)).is_empty() && book.rebuilding() == 0 && book.load_of(NodeId(4)) == 0);
        assert!(book.claim(NodeId(1), 0).is_none(), "a late report names nothing");
        assert_eq!(book.setbacks.nodes_of(&segment(7)), [NodeId(1)]);
        book.assign(NodeId(1), rebuild(8, &[(2, 1)]), 100);
        book.expire(300, 10);
        assert!(book.setbacks.nodes_of(&segment(8)).is_empty(), "it was never asked");
    }

    #[test]
    fn a_donor_that_went_away_has_no_work_left_but_may_still_receive() {
        let mut book = TaskBook::new(0);
        book.assign(NodeId(1), rebuild(0, &[(0, 1)]), 100);
        book.assign(NodeId(2), rebuild(1, &[(1, 2), (0, 1)]), 100);
        book.assign(NodeId(1), push(2, 3), 100);
        book.hand_out_delete(NodeId(1), vec![ShardId([9; 32])], 100);
        assert!(book.is_deleting(NodeId(1)) && !book.is_deleting(NodeId(2)));
        assert_eq!((book.leaving(NodeId(1)), book.leaving(NodeId(3)), book.load_of(NodeId(1))), (10, 0, 3));
        assert_eq!(book.drop_node(NodeId(1)).len(), 3);
        assert!(!book.is_deleting(NodeId(1)) && !book.has_waiting(NodeId(1)));
        assert_eq!((book.load_of(NodeId(1)), book.load_of(NodeId(3)), book.rebuilding()), (1, 0, 1));
        assert_eq!(book.under_way(&segment(1)), [(1, NodeId(2)), (0, NodeId(1))]);
    }
}
