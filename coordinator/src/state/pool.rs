//! The donors that take shards, ready to be drawn from at ten thousand of them.
//!
//! ```text
//!   Nodes: a donor changes ──► touch(id) ──► stale ──► refresh, before the next draw ──► slot and weight
//! ```
//! A draw costs the logarithm of the number of donors: by weight from all of them, drawn again while it doesn't fit. When too few fit
//! for that, all are looked at once, which draws with the same likelihoods: [`super::placement`] says what those are.
//! What a plan takes is taken here at once and marked stale, so the next refresh puts right what was never reserved.

use std::collections::HashMap;

use nodio_wire::NodeId;
use nodio_wire::fleet::FleetError;
use rand::Rng;

use super::placement::{Ask, Candidate, Need, better_of_two, is_better};
use super::weights::Weights;
use crate::limits::DRAWS_MAX;

#[derive(Debug, Default)]
pub(crate) struct Pool {
    slots: Vec<Slot>,
    by_id: HashMap<NodeId, usize>,
    weights: Weights,
    stale: Vec<usize>,
}

#[derive(Debug)]
struct Slot {
    node: NodeId,
    /// None while the donor takes no shards.
    candidate: Option<Candidate>,
    stale: bool,
}

impl Pool {
    /// The donor may have changed.
    pub(crate) fn touch(&mut self, node: NodeId) {
        let at = *self.by_id.entry(node).or_insert(self.slots.len());
        if at == self.slots.len() {
            self.slots.push(Slot { node, candidate: None, stale: false });
            self.weights.push();
        }
        self.mark(at);
    }

    /// Any donor may have changed.
    pub(crate) fn touch_all(&mut self) {
        (0..self.slots.len()).for_each(|at| self.mark(at));
    }

    /// Looks again at the donors that may have changed.
    pub(crate) fn refresh(&mut self, current: impl Fn(NodeId) -> Option<Candidate>) {
        while let Some(at) = self.stale.pop() {
            self.slots[at].stale = false;
            self.set(at, current(self.slots[at].node));
        }
    }

    /// Donors for every segment, or the reason why there are none. What one segment takes is not there for the next.
    pub(crate) fn plan(&mut self, ask: &Ask, rng: &mut impl Rng) -> Result<Vec<Vec<NodeId>>, FleetError> {
        let mut segments = Vec::with_capacity(ask.segments);
        for _ in 0..ask.segments {
            let picked = self.pick(ask, rng);
            if picked.len() < ask.quorum {
                return Err(FleetError::NotEnoughDonors { need: ask.quorum, have: picked.len() });
            }
            picked.iter().for_each(|at| self.take(*at, ask.bytes));
            segments.push(picked.into_iter().map(|at| self.slots[at].node).collect());
        }
        Ok(segments)
    }

    /// A donor for one shard: in a domain apart if there is such a one. `load`: pieces of work that a donor has.
    pub(crate) fn receiver(&self, need: &Need, load: impl Fn(NodeId) -> usize, rng: &mut impl Rng) -> Option<Candidate> {
        let fits = |one: &Candidate| need.is_met_by(one) && load(one.node) < need.most;
        let best = match self.better_of_two(|one| need.is_apart(one) && fits(one), rng) {
            None if !need.apart => self.better_of_two(fits, rng),
            apart => apart,
        };
        self.slots[best?].candidate
    }

    /// True if some donor has less than `most` pieces of work.
    pub(crate) fn has_idle(&self, most: usize, load: impl Fn(NodeId) -> usize, rng: &mut impl Rng) -> bool {
        let idle = |one: &Candidate| load(one.node) < most;
        self.draw(idle, rng).is_some() || self.slots.iter().filter_map(|slot| slot.candidate.as_ref()).any(idle)
    }

    fn pick(&self, ask: &Ask, rng: &mut impl Rng) -> Vec<usize> {
        let mut picked = Vec::with_capacity(ask.donors);
        let mut domains = ask.taken.clone();
        while picked.len() < ask.donors {
            let open = |one: &Candidate| one.available >= ask.bytes && !domains.contains(&one.domain);
            let Some(best) = self.better_of_two(open, rng) else { break };
            picked.push(best);
            domains.extend(self.slots[best].candidate.map(|one| one.domain));
        }
        picked
    }

    /// Of two that fit the better one; `None` if none fits.
    fn better_of_two(&self, fits: impl Fn(&Candidate) -> bool, rng: &mut impl Rng) -> Option<usize> {
        match (self.draw(&fits, rng), self.draw(&fits, rng)) {
            (Some((a, first)), Some((b, second))) => Some(if is_better(&second, &first) { b } else { a }),
            _ => self.look_at_all(fits, rng),
        }
    }

    fn draw(&self, fits: impl Fn(&Candidate) -> bool, rng: &mut impl Rng) -> Option<(usize, Candidate)> {
        for _ in 0..DRAWS_MAX {
            let at = self.weights.draw(rng)?;
            if let Some(one) = self.slots[at].candidate.filter(&fits) {
                return Some((at, one));
            }
        }
        None
    }

    fn look_at_all(&self, fits: impl Fn(&Candidate) -> bool, rng: &mut impl Rng) -> Option<usize> {
        let fitting: Vec<Candidate> = self.slots.iter().filter_map(|slot| slot.candidate).filter(fits).collect();
        let all: Vec<usize> = (0..fitting.len()).collect();
        let best = better_of_two(&fitting, &all, rng)?;
        self.by_id.get(&fitting[best].node).copied()
    }

    fn take(&mut self, at: usize, bytes: u64) {
        let left = self.slots[at].candidate.map(|one| Candidate {
            available: one.available.saturating_sub(bytes),
            pending: one.pending.saturating_add(bytes),
            ..one
        });
        self.set(at, left);
        self.mark(at);
    }

    fn set(&mut self, at: usize, candidate: Option<Candidate>) {
        self.slots[at].candidate = candidate;
        self.weights.set(at, candidate.map_or(0, |one| one.weight()));
    }

    fn mark(&mut self, at: usize) {
        if !std::mem::replace(&mut self.slots[at].stale, true) {
            self.stale.push(at);
        }
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
