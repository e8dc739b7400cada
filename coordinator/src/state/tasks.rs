//! Work given to donors, each piece on a lease.
//!
//! ```text
//!   planned ──► waiting in the donor's outbox ──► handed out ──► reported
//!                        └──── lease over ────────────┴──► forgotten; the r/ or x/ row behind it plans it anew
//! ```
//! A report counts only from the donor the work was handed to, and only once.

use std::collections::{BTreeSet, HashMap, VecDeque};

use nodio_wire::{Code, NodeId, SegmentId, ShardId, UnixMs};

/// A live shard that a rebuild may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    pub position: u8,
    pub shard: ShardId,
    pub node: NodeId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rebuild {
    pub segment: SegmentId,
    pub code: Code,
    pub shard_bytes: u32,
    pub position: u8,
    pub shard: ShardId,
    pub sources: Vec<Source>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Job {
    Rebuild(Rebuild),
    Delete(Vec<ShardId>),
}

/// A piece of work and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub node: NodeId,
    pub job: Job,
    lease_end: UnixMs,
    handed_out: bool,
}

#[derive(Debug)]
pub(crate) struct TaskBook {
    entries: HashMap<u64, Entry>,
    lease_ends: BTreeSet<(UnixMs, u64)>,
    outboxes: HashMap<NodeId, VecDeque<u64>>,
    by_segment: HashMap<SegmentId, Vec<u64>>,
    by_node: HashMap<NodeId, Vec<u64>>,
    next: u64,
    rebuilding: usize,
    /// Shards rebuilt since the coordinator started.
    pub rebuilt: u64,
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
            rebuilt: 0,
        }
    }

    /// Puts a rebuild into the donor's outbox.
    pub(crate) fn assign(&mut self, node: NodeId, rebuild: Rebuild, lease_end: UnixMs) -> u64 {
        let segment = rebuild.segment;
        let id = self.insert(Entry { node, job: Job::Rebuild(rebuild), lease_end, handed_out: false });
        self.by_segment.entry(segment).or_default().push(id);
        self.outboxes.entry(node).or_default().push_back(id);
        self.rebuilding += 1;
        id
    }

    /// Notes a batch of deletes as handed out.
    pub(crate) fn hand_out_delete(&mut self, node: NodeId, shards: Vec<ShardId>, lease_end: UnixMs) -> u64 {
        self.insert(Entry { node, job: Job::Delete(shards), lease_end, handed_out: true })
    }

    /// Takes up to `slots` rebuilds from the donor's outbox, their leases renewed.
    pub(crate) fn hand_out(&mut self, node: NodeId, slots: usize, lease_end: UnixMs) -> Vec<(u64, Rebuild)> {
        let waiting = self.outboxes.entry(node).or_default();
        let ids: Vec<u64> = waiting.drain(..slots.min(waiting.len())).collect();
        let mut handed = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            self.lease_ends.remove(&(entry.lease_end, id));
            self.lease_ends.insert((lease_end, id));
            (entry.lease_end, entry.handed_out) = (lease_end, true);
            if let Job::Rebuild(rebuild) = &entry.job {
                handed.push((id, rebuild.clone()));
            }
        }
        handed
    }

    /// The work that `node` reports on, unless it isn't its own or was forgotten.
    pub(crate) fn finish(&mut self, node: NodeId, id: u64) -> Option<Entry> {
        let entry = self.entries.get(&id)?;
        if entry.node == node && entry.handed_out { self.remove(id) } else { None }
    }

    /// Forgets work whose lease is over, at most `limit` pieces.
    pub(crate) fn expire(&mut self, now: UnixMs, limit: usize) -> Vec<Entry> {
        let over: Vec<u64> = self.lease_ends.iter().take_while(|(end, _)| *end <= now).take(limit).map(|(_, id)| *id).collect();
        over.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Forgets all work of a donor that went away.
    pub(crate) fn drop_node(&mut self, node: NodeId) -> Vec<Entry> {
        let ids = self.by_node.get(&node).cloned().unwrap_or_default();
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Positions of a segment that are being rebuilt, and where.
    pub(crate) fn under_way(&self, segment: &SegmentId) -> Vec<(u8, NodeId)> {
        let ids = self.by_segment.get(segment).into_iter().flatten();
        let entries = ids.filter_map(|id| self.entries.get(id));
        entries.filter_map(|entry| entry.rebuild().map(|rebuild| (rebuild.position, entry.node))).collect()
    }

    /// True if the donor may be storing this shard right now.
    pub(crate) fn is_rebuilding(&self, node: NodeId, shard: &ShardId) -> bool {
        self.of_node(node).any(|entry| entry.rebuild().is_some_and(|rebuild| rebuild.shard == *shard))
    }

    pub(crate) fn is_deleting(&self, node: NodeId) -> bool {
        self.of_node(node).any(|entry| matches!(entry.job, Job::Delete(_)))
    }

    pub(crate) fn rebuilds_of(&self, node: NodeId) -> usize {
        self.of_node(node).filter(|entry| entry.rebuild().is_some()).count()
    }

    pub(crate) fn has_waiting(&self, node: NodeId) -> bool {
        self.outboxes.get(&node).is_some_and(|waiting| !waiting.is_empty())
    }

    /// Rebuilds planned or handed out, and not reported.
    pub(crate) fn rebuilding(&self) -> usize {
        self.rebuilding
    }

    fn of_node(&self, node: NodeId) -> impl Iterator<Item = &Entry> {
        let ids = self.by_node.get(&node).into_iter().flatten();
        ids.filter_map(|id| self.entries.get(id))
    }

    fn insert(&mut self, entry: Entry) -> u64 {
        let id = self.next;
        self.next += 1;
        self.lease_ends.insert((entry.lease_end, id));
        self.by_node.entry(entry.node).or_default().push(id);
        self.entries.insert(id, entry);
        id
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.lease_ends.remove(&(entry.lease_end, id));
        unlist(&mut self.by_node, &entry.node, id);
        if let Some(rebuild) = entry.rebuild() {
            unlist(&mut self.by_segment, &rebuild.segment, id);
            self.rebuilding -= 1;
            if let Some(waiting) = self.outboxes.get_mut(&entry.node) {
                waiting.retain(|other| *other != id);
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

impl Entry {
    pub(crate) fn rebuild(&self) -> Option<&Rebuild> {
        match &self.job {
            Job::Rebuild(rebuild) => Some(rebuild),
            Job::Delete(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodio_wire::PartId;

    fn rebuild(index: u32, position: u8) -> Rebuild {
        Rebuild {
            segment: SegmentId { part: PartId([1; 16]), index },
            code: Code::new(2, 3).expect("a code"),
            shard_bytes: 10,
            position,
            shard: ShardId([index as u8; 32]),
            sources: Vec::new(),
        }
    }

    #[test]
    fn work_is_handed_out_within_the_slots_and_counts_once() {
        let mut book = TaskBook::new(40);
        for index in 0..3 {
            book.assign(NodeId(1), rebuild(index, 0), 100);
        }
        assert!(book.finish(NodeId(1), 40).is_none(), "not handed out yet");
        let handed = book.hand_out(NodeId(1), 2, 200);
        assert_eq!(handed.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [40, 41]);
        assert!(book.has_waiting(NodeId(1)) && book.hand_out(NodeId(2), 5, 200).is_empty());
        assert!(book.finish(NodeId(2), 40).is_none(), "another donor's work");
        assert!(book.finish(NodeId(1), 40).is_some());
        assert!(book.finish(NodeId(1), 40).is_none(), "twice");
        assert_eq!((book.rebuilding(), book.rebuilds_of(NodeId(1))), (2, 2));
    }

    #[test]
    fn a_lease_that_is_over_frees_the_segment_for_a_new_plan() {
        let mut book = TaskBook::new(0);
        book.assign(NodeId(1), rebuild(7, 2), 100);
        book.hand_out(NodeId(1), 1, 300);
        let segment = rebuild(7, 2).segment;
        assert_eq!(book.under_way(&segment), [(2, NodeId(1))]);
        assert!(book.is_rebuilding(NodeId(1), &ShardId([7; 32])));
        assert!(book.expire(299, 10).is_empty());
        assert_eq!(book.expire(300, 10).len(), 1);
        assert!(book.under_way(&segment).is_empty() && book.rebuilding() == 0);
        assert!(book.finish(NodeId(1), 0).is_none(), "a late report names nothing");
    }

    #[test]
    fn a_donor_that_went_away_has_no_work_left() {
        let mut book = TaskBook::new(0);
        book.assign(NodeId(1), rebuild(0, 0), 100);
        book.assign(NodeId(2), rebuild(0, 1), 100);
        book.hand_out_delete(NodeId(1), vec![ShardId([9; 32])], 100);
        assert!(book.is_deleting(NodeId(1)) && !book.is_deleting(NodeId(2)));
        assert_eq!(book.drop_node(NodeId(1)).len(), 2);
        assert!(!book.is_deleting(NodeId(1)) && !book.has_waiting(NodeId(1)));
        assert_eq!(book.under_way(&rebuild(0, 0).segment), [(1, NodeId(2))]);
    }
}
