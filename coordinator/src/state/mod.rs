//! What the coordinator decides, as plain values: who is alive, who takes a shard, what must be mended and where.
//!
//! ```text
//!   nodes ◄── liveness, domain, space      every known donor                       loaded from d/ rows, then kept by heartbeats
//!   reservations                           space promised to open grants           lost on restart; donors refuse what is too much
//!   tasks                                  work handed to donors, each on a lease  lost on restart; r/ and x/ rows plan it anew
//!   walks                                  passes over the map that are under way  lost on restart; begun anew then
//! ```
//! Nothing here reads a clock, a file or a socket: `now` and randomness are arguments. Nothing here is the only copy of
//! anything that matters.

pub(crate) mod domain;
pub(crate) mod liveness;
pub(crate) mod nodes;
pub(crate) mod placement;
pub(crate) mod repair;
pub(crate) mod reservations;
pub(crate) mod space;
pub(crate) mod tasks;
pub(crate) mod walks;

#[cfg(test)]
mod churn;

use nodio_wire::fleet::{FleetError, GrantRequest};
use nodio_wire::{NodeId, UnixMs};
use rand::Rng;

use crate::limits::{GRANTS_OPEN_MAX, SHARD_OVERHEAD_BYTES};
use nodes::Nodes;
use reservations::Reservations;
use tasks::TaskBook;
use walks::Walks;

/// All that is kept in memory, behind one lock that is never held across an await.
#[derive(Debug)]
pub(crate) struct State {
    pub nodes: Nodes,
    pub reservations: Reservations,
    pub tasks: TaskBook,
    pub walks: Walks,
}

/// The donors chosen for one segment, and the reservation's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reserved {
    pub grant: u64,
    pub nodes: Vec<NodeId>,
}

/// Disk space that a shard takes on a donor.
pub(crate) fn footprint(shard_bytes: u32) -> u64 {
    u64::from(shard_bytes) + SHARD_OVERHEAD_BYTES
}

impl State {
    /// Chooses donors for every segment asked for and reserves their space until `expires`; all of them or none.
    pub(crate) fn grant(&mut self, ask: &GrantRequest, expires: UnixMs, rng: &mut impl Rng) -> Result<Vec<Reserved>, FleetError> {
        if self.reservations.open() + usize::from(ask.segments) > GRANTS_OPEN_MAX {
            return Err(FleetError::Unavailable("too many grants are open".into()));
        }
        let bytes = footprint(ask.shard_bytes);
        let wanted = placement::Ask {
            bytes,
            segments: ask.segments.into(),
            quorum: ask.code.write_quorum(),
            donors: ask.code.n() + usize::from(ask.spares),
        };
        let chosen = placement::plan(self.nodes.candidates(), &wanted, rng)?;
        let reserve = |nodes: Vec<NodeId>| {
            let grant = self.reservations.reserve(&mut self.nodes, &nodes, bytes, expires);
            Reserved { grant, nodes }
        };
        Ok(chosen.into_iter().map(reserve).collect())
    }
}

impl State {
    /// Gives a rebuild to a donor and reserves its space; false if the donor has no room left.
    pub(crate) fn assign(&mut self, node: NodeId, rebuild: tasks::Rebuild, lease_end: UnixMs) -> bool {
        let bytes = footprint(rebuild.shard_bytes);
        let Some(receiver) = self.nodes.get_mut(node).filter(|node| node.liveness.is_up() && node.space.available() >= bytes)
        else {
            return false;
        };
        receiver.space.reserve(bytes);
        self.tasks.assign(node, rebuild, lease_end);
        true
    }

    /// The work a donor reports on, its space no longer reserved.
    pub(crate) fn finish(&mut self, node: NodeId, id: u64) -> Option<tasks::Entry> {
        let entry = self.tasks.finish(node, id)?;
        self.give_back(&entry);
        Some(entry)
    }

    /// Forgets work whose lease is over; how much it was.
    pub(crate) fn expire_tasks(&mut self, now: UnixMs, limit: usize) -> usize {
        let over = self.tasks.expire(now, limit);
        over.iter().for_each(|entry| self.give_back(entry));
        over.len()
    }

    /// Forgets the work of a donor that went away.
    pub(crate) fn drop_tasks_of(&mut self, node: NodeId) {
        for entry in self.tasks.drop_node(node) {
            self.give_back(&entry);
        }
    }

    fn give_back(&mut self, entry: &tasks::Entry) {
        if let (Some(rebuild), Some(node)) = (entry.rebuild(), self.nodes.get_mut(entry.node)) {
            node.space.unreserve(footprint(rebuild.shard_bytes));
        }
    }

    /// Bytes that were durably stored at a donor since its last heartbeat.
    pub(crate) fn stored(&mut self, node: NodeId, shard_bytes: u32) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.space.stored(footprint(shard_bytes));
        }
    }
}
