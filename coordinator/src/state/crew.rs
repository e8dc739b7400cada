//! Donors that may be given a shard to mend or to take over, during one step of planning.

use nodio_wire::NodeId;
use rand::Rng;

use super::State;
use super::placement::Candidate;
use super::repair::{Need, receiver};

/// A snapshot, kept in step with what is planned from it.
#[derive(Debug)]
pub(crate) struct Crew {
    /// Those with room for more work.
    free: Vec<Candidate>,
    /// How much more, for each of `free`.
    slots: Vec<usize>,
    /// Those without as well.
    all: Vec<Candidate>,
}

impl Crew {
    /// `most`: pieces of work that one donor may have at a time.
    pub(crate) fn of(state: &State, most: usize) -> Self {
        let all = state.nodes.candidates();
        let left = |candidate: &Candidate| (*candidate, most.saturating_sub(state.tasks.load_of(candidate.node)));
        let (free, slots) = all.iter().map(left).filter(|(_, left)| *left > 0).unzip();
        Self { free, slots, all }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    pub(crate) fn choose(&self, need: &Need, rng: &mut impl Rng) -> Option<Candidate> {
        receiver(&self.free, need, rng).map(|at| self.free[at])
    }

    /// True if no donor would do, however little it had to do.
    pub(crate) fn nobody_fits(&self, need: &Need, rng: &mut impl Rng) -> bool {
        receiver(&self.all, need, rng).is_none()
    }

    /// A donor was given work, and a shard of so many bytes is on its way to it.
    pub(crate) fn take(&mut self, node: NodeId, bytes: u64) {
        let Some(at) = self.free.iter().position(|candidate| candidate.node == node) else { return };
        self.free[at].available = self.free[at].available.saturating_sub(bytes);
        self.free[at].pending += bytes;
        self.slots[at] -= 1;
        if self.slots[at] == 0 {
            self.free.swap_remove(at);
            self.slots.swap_remove(at);
        }
    }
}
