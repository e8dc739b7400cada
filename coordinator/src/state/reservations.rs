//! Space promised to grants: from the grant until its commit, or until its tickets have expired.

use std::collections::{BTreeSet, HashMap};

use nodio_wire::{NodeId, UnixMs};

use super::nodes::Nodes;

#[derive(Debug)]
pub(crate) struct Reservations {
    open: HashMap<u64, Reservation>,
    expiries: BTreeSet<(UnixMs, u64)>,
    next: u64,
}

#[derive(Debug)]
struct Reservation {
    expires: UnixMs,
    /// Per donor.
    bytes: u64,
    nodes: Vec<NodeId>,
}

impl Reservations {
    /// Grant numbers begin at `first`: random, so that one from before a restart names nothing now.
    pub(crate) fn new(first: u64) -> Self {
        Self { open: HashMap::new(), expiries: BTreeSet::new(), next: first }
    }

    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn reserve(&mut self, nodes: &mut Nodes, chosen: &[NodeId], bytes: u64, expires: UnixMs) -> u64 {
        let grant = number(expires, self.next);
        self.next = self.next.wrapping_add(1);
        for id in chosen {
            if let Some(node) = nodes.get_mut(*id) {
                node.space.reserve(bytes);
            }
        }
        self.expiries.insert((expires, grant));
        self.open.insert(grant, Reservation { expires, bytes, nodes: chosen.to_vec() });
        grant
    }

    /// The grant's shards are stored: its promise ends. Unknown ones (expired, or from before a restart) are no error.
    pub(crate) fn settle(&mut self, nodes: &mut Nodes, grant: u64) {
        if let Some(reservation) = self.open.remove(&grant) {
            self.expiries.remove(&(reservation.expires, grant));
            give_back(nodes, &reservation);
        }
    }

    /// Ends the promises whose tickets are dead, at most `limit` of them; true if there may be more.
    pub(crate) fn expire(&mut self, nodes: &mut Nodes, now: UnixMs, limit: usize) -> bool {
        for _ in 0..limit {
            match self.expiries.first().copied() {
                Some((expires, grant)) if expires <= now => self.settle(nodes, grant),
                _ => return false,
            }
        }
        true
    }
}

/// A grant's number says when its tickets end (seconds since 1970 in the upper half), so that an old one is known for what it is even by a
/// coordinator that has restarted since.
pub(crate) fn number(expires: UnixMs, count: u64) -> u64 {
    ((expires / 1000) << 32) | (count & u64::from(u32::MAX))
}

/// When the tickets of a grant with this number end or ended, to the second.
pub(crate) fn ends(grant: u64) -> UnixMs {
    (grant >> 32) * 1000
}

fn give_back(nodes: &mut Nodes, reservation: &Reservation) {
    for id in &reservation.nodes {
        if let Some(node) = nodes.get_mut(*id) {
            node.space.unreserve(reservation.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::nodes::tests::up;
    use super::*;

    fn available(nodes: &Nodes, id: u32) -> u64 {
        nodes.get(NodeId(id)).expect("known").space.available()
    }

    #[test]
    fn a_promise_ends_with_its_commit_or_its_expiry_and_only_once() {
        let (mut nodes, mut book) = (up(2, 1000), Reservations::new(7));
        let both = [NodeId(1), NodeId(2)];
        let early = book.reserve(&mut nodes, &both, 100, 50);
        let late = book.reserve(&mut nodes, &both, 300, 60);
        assert_eq!((available(&nodes, 1), book.open()), (600, 2));
        book.settle(&mut nodes, late);
        book.settle(&mut nodes, late);
        assert_eq!(available(&nodes, 2), 900);
        assert!(!book.expire(&mut nodes, 49, 10));
        assert_eq!(available(&nodes, 2), 900);
        assert!(!book.expire(&mut nodes, 50, 10));
        book.settle(&mut nodes, early);
        assert_eq!((available(&nodes, 1), available(&nodes, 2), book.open()), (1000, 1000, 0));
    }

    #[test]
    fn a_grants_number_tells_its_age() {
        let mut nodes = up(1, 1000);
        let expires = 1_790_000_000_500;
        for first in [0, u64::MAX] {
            let mut book = Reservations::new(first);
            let two = [(); 2].map(|()| book.reserve(&mut nodes, &[NodeId(1)], 1, expires));
            assert_ne!(two[0], two[1]);
            assert_eq!(two.map(ends), [1_790_000_000_000; 2]);
        }
    }

    #[test]
    fn expiry_is_bounded_by_its_step() {
        let (mut nodes, mut book) = (up(1, 1000), Reservations::new(0));
        for _ in 0..5 {
            book.reserve(&mut nodes, &[NodeId(1)], 1, 10);
        }
        assert!(book.expire(&mut nodes, 10, 3));
        assert_eq!(book.open(), 2);
    }
}
