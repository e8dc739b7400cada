//! A minute of repairs: those that are through are stored, and donors with bandwidth left in it get more.

use std::time::Instant;

use nodio_wire::NodeId;

use super::decide::{Mend, PLAIN};
use super::layout::NOBODY;
use super::world::{MINUTE_MS, World};
use crate::state::footprint;
use crate::state::liveness::Presence;
use crate::state::view::View;

/// Segments in a row that can't be mended for want of bandwidth before the minute is given up.
const FUTILE_MAX: usize = 8;
/// One segment in so many asks the donors themselves, by the clock, instead of the table.
const TIMED_EVERY: u64 = 32;

/// A shard on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rebuild {
    segment: u32,
    position: u8,
    receiver: u16,
    /// When it is stored.
    at: u64,
}

/// What became of a segment that was to be mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Settled,
    /// Some of it has to wait.
    Waits,
    /// Nobody is free to receive anything.
    NobodyIsFree,
}

impl World<'_> {
    /// Hands out rebuilds until the queue is empty or nobody has bandwidth left in this minute.
    pub(super) fn mend(&mut self) {
        if self.settings.repair_mbit <= 0.0 {
            return;
        }
        let mut later = Vec::new();
        while later.len() < FUTILE_MAX {
            let Some(segment) = self.queue.pop() else { break };
            if self.is_lost[segment as usize] {
                continue;
            }
            match self.mend_one(segment) {
                Outcome::Settled => {}
                Outcome::Waits => later.push(segment),
                Outcome::NobodyIsFree => {
                    later.push(segment);
                    break;
                }
            }
        }
        later.into_iter().for_each(|segment| self.enqueue(segment));
    }

    fn mend_one(&mut self, segment: u32) -> Outcome {
        if self.is_under_way[segment as usize] {
            return Outcome::Waits;
        }
        let timed = self.tally.decided.is_multiple_of(TIMED_EVERY);
        self.tally.decided += 1;
        let begun = timed.then(Instant::now);
        let holders = self.layout.row(segment);
        let (known, nodes) = (&self.known, &self.state.nodes);
        let decided = if timed {
            self.rules.mend(holders, |id| nodes.view(id))
        } else {
            let table = |id: NodeId| &known[id.0 as usize];
            self.rules.mend(holders, |id| View { presence: table(id).presence, domain: table(id).domain, ..PLAIN })
        };
        let Some(mut mend) = decided else { return Outcome::Settled };
        let receivers = self.receivers(&mut mend);
        if let Some(begun) = begun {
            self.tally.timed(begun.elapsed());
        }
        self.hand_out(segment, &mend, &receivers)
    }

    /// As many receivers as positions, or as there are.
    fn receivers(&mut self, mend: &mut Mend) -> Vec<NodeId> {
        let free_before = self.now + MINUTE_MS;
        let Self { state, donors, rng, .. } = self;
        let pool = state.nodes.pool();
        let load = |id: NodeId| usize::from(donors[id.0 as usize].busy_until >= free_before);
        let mut chosen = Vec::with_capacity(mend.positions.len());
        for _ in &mend.positions {
            let Some(one) = pool.receiver(&mend.need, load, rng) else { break };
            mend.need.also(&one);
            chosen.push(one.node);
        }
        chosen
    }

    /// One receiver reads `k` shards and passes on what others are to hold.
    fn hand_out(&mut self, segment: u32, mend: &Mend, receivers: &[NodeId]) -> Outcome {
        let (k, shard) = (self.settings.code.k(), u64::from(self.settings.shard_bytes));
        let Some((first, others)) = receivers.split_first() else { return Outcome::NobodyIsFree };
        let able = |donor: &&u16| self.donors[usize::from(**donor)].busy_until < self.now + MINUTE_MS;
        let sources: Vec<u16> = mend.sources.iter().filter(able).take(k).copied().collect();
        if sources.len() < k {
            return Outcome::Waits;
        }
        let bytes = (k + others.len()) as u64 * shard;
        for donor in sources {
            self.moves(donor, shard);
        }
        let at = self.moves(first.0 as u16, bytes);
        for id in others {
            self.moves(id.0 as u16, shard);
        }
        for (position, id) in mend.positions.iter().zip(receivers) {
            self.reserve(*id, true);
            self.under_way.push(Rebuild { segment, position: *position, receiver: id.0 as u16, at });
        }
        self.is_under_way[segment as usize] = true;
        self.tally.segments += 1;
        self.tally.urgent += u64::from(self.layout.live(segment) <= k + usize::from(self.settings.emergency_margin));
        self.tally.bytes += bytes;
        if receivers.len() == mend.positions.len() { Outcome::Settled } else { Outcome::Waits }
    }

    /// Gives a donor so many bytes to move; when it is through with them.
    fn moves(&mut self, donor: u16, bytes: u64) -> u64 {
        let bytes_per_ms = self.settings.repair_mbit * 125.0;
        let donor = &mut self.donors[usize::from(donor)];
        donor.busy_until = donor.busy_until.max(self.now) + (bytes as f64 / bytes_per_ms) as u64;
        donor.busy_until
    }

    fn reserve(&mut self, id: NodeId, begins: bool) {
        let bytes = footprint(self.settings.shard_bytes);
        if let Some(node) = self.state.nodes.get_mut(id) {
            if begins { node.space.reserve(bytes) } else { node.space.unreserve(bytes) }
        }
    }

    /// What is through is stored, unless its receiver went away or the shard's donor came back.
    pub(super) fn land(&mut self) {
        let (through, still): (Vec<Rebuild>, Vec<Rebuild>) =
            std::mem::take(&mut self.under_way).into_iter().partition(|rebuild| rebuild.at <= self.now);
        self.under_way = still;
        for Rebuild { segment, position, receiver, .. } in through {
            self.reserve(NodeId(receiver.into()), false);
            self.is_under_way[segment as usize] = false;
            let before = self.layout.row(segment)[usize::from(position)];
            let needed = before == NOBODY || self.known[usize::from(before)].presence != Presence::Live;
            if !self.donors[usize::from(receiver)].there {
                self.enqueue(segment);
            } else if needed {
                self.layout.place(segment, position, receiver, self.donors[usize::from(before)].dead);
                self.tally.shards += 1;
                self.measure(receiver);
            }
        }
    }
}
