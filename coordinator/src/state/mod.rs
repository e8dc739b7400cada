//! What the coordinator decides, as plain values: who is alive, who takes a shard, what must be mended and where.
//!
//! ```text
//!   nodes ◄── node, liveness, domain, space  every known donor                       loaded from d/ rows, then kept by heartbeats
//!   reservations                             space promised to open grants           lost on restart; donors refuse what is too much
//!   view, repair, surplus                    what a segment needs, how soon, from whom
//!   tasks ◄── pace, setbacks                 work handed to donors, each on a lease  lost on restart; r/, n/, x/ rows plan it anew
//!   durability                               how safe segments are                   nothing kept
//!   walks                                    passes over the map that are under way  lost on restart; begun anew then
//! ```
//! Nothing here reads a clock, a file or a socket: `now` and randomness are arguments. Nothing here is the only copy of
//! anything that matters.

pub(crate) mod audit;
pub(crate) mod audit_runs;
pub(crate) mod domain;
pub(crate) mod durability;
pub(crate) mod liveness;
pub(crate) mod moves;
pub(crate) mod node;
pub(crate) mod nodes;
pub(crate) mod pace;
pub(crate) mod placement;
pub(crate) mod pool;
pub(crate) mod record;
pub(crate) mod repair;
pub(crate) mod reputation;
pub(crate) mod reservations;
pub(crate) mod setbacks;
pub(crate) mod space;
pub(crate) mod surplus;
pub(crate) mod tasks;
pub(crate) mod view;
pub(crate) mod walks;
pub(crate) mod weights;

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
        let held = ask.holding.len();
        let wanted = placement::Ask {
            bytes,
            segments: ask.segments.into(),
            quorum: ask.code.write_quorum().saturating_sub(held).max(1),
            donors: ask.code.n().saturating_sub(held).max(1) + usize::from(ask.spares),
            taken: ask.holding.iter().filter_map(|id| self.nodes.get(*id)).map(|node| node.domain_number).collect(),
        };
        let chosen = self.nodes.pool().plan(&wanted, rng)?;
        let reserve = |nodes: Vec<NodeId>| {
            let grant = self.reservations.reserve(&mut self.nodes, &nodes, bytes, expires);
            Reserved { grant, nodes }
        };
        Ok(chosen.into_iter().map(reserve).collect())
    }
}

impl State {
    /// A donor for one shard to be mended or moved, if there is one now.
    pub(crate) fn receiver(&mut self, need: &placement::Need, rng: &mut impl Rng) -> Option<placement::Candidate> {
        let Self { nodes, tasks, .. } = self;
        nodes.pool().receiver(need, |id| tasks.load_of(id), rng)
    }

    /// True if a donor that takes shards has less than `most` pieces of work.
    pub(crate) fn has_idle(&mut self, most: usize, rng: &mut impl Rng) -> bool {
        let Self { nodes, tasks, .. } = self;
        nodes.pool().has_idle(most, |id| tasks.load_of(id), rng)
    }

    /// Gives work to a donor and reserves space at every donor that gets a shard; false if one of them has no room left.
    pub(crate) fn assign(&mut self, worker: NodeId, mending: tasks::Mending, lease_end: UnixMs) -> bool {
        let bytes = footprint(mending.shard_bytes);
        let fits = |aim: &tasks::Aim| {
            self.nodes.get(aim.node).is_some_and(|node| node.takes_shards() && node.space.available() >= bytes)
        };
        let works = self.nodes.get(worker).is_some_and(|node| node.liveness.is_up());
        if !works || !mending.targets.iter().all(fits) {
            return false;
        }
        for aim in &mending.targets {
            if let Some(node) = self.nodes.get_mut(aim.node) {
                node.space.reserve(bytes);
            }
        }
        self.tasks.assign(worker, mending, lease_end);
        true
    }

    /// The next work for a donor, within the limits on bytes moved, which it is charged to.
    pub(crate) fn hand_out(&mut self, worker: NodeId, lease_end: UnixMs, now: UnixMs) -> Option<(u64, tasks::Mending)> {
        if !self.tasks.pace.allows(worker, now) {
            return None;
        }
        let (id, mending) = self.tasks.hand_out(worker, lease_end)?;
        let (read, stored) = mending.shards_moved();
        let bytes = |shards: usize| shards as u64 * u64::from(mending.shard_bytes);
        let pace = &mut self.tasks.pace;
        pace.charge(bytes(read + stored), now);
        pace.charge_donor(worker, bytes(read + stored), now);
        for aim in mending.targets.iter().filter(|aim| aim.node != worker) {
            pace.charge_donor(aim.node, bytes(1), now);
        }
        if let tasks::How::Rebuild { sources, .. } = &mending.how {
            for source in sources {
                pace.charge_donor(source.node, bytes(read) / sources.len() as u64, now);
            }
        }
        Some((id, mending))
    }

    /// Ends a piece of work, its space no longer reserved.
    pub(crate) fn close(&mut self, id: u64) {
        if let Some(entry) = self.tasks.close(id) {
            self.give_back(&entry);
        }
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
        let Some(mending) = entry.mending() else { return };
        for aim in &mending.targets {
            if let Some(node) = self.nodes.get_mut(aim.node) {
                node.space.unreserve(footprint(mending.shard_bytes));
            }
        }
    }

    /// Bytes that were durably stored at a donor since its last heartbeat.
    pub(crate) fn stored(&mut self, node: NodeId, shard_bytes: u32) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.space.stored(footprint(shard_bytes));
        }
    }
}
