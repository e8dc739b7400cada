//! Donors that give shards away, or got surplus back: passes over what they are named for, a page at a time.
//!
//! ```text
//!   Draining                     Drain    each shard is pushed elsewhere
//!   uses more than its capacity  Count ─► Shed    as many as the map places there beyond it
//!   returned                     Trim     what was rebuilt meanwhile has a holder too many
//! ```
//! Lost on restart: what drains or is too full begins anew, what is to be trimmed is found by the next walk over the whole map.

use std::collections::{BTreeMap, HashMap, HashSet};

use nodio_meta::KeyRange;
use nodio_wire::api::StandingState;
use nodio_wire::{NodeId, ShardId, UnixMs};

use super::node::Node;
use super::nodes::Nodes;
use crate::keyspace;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    Drain,
    Trim,
    /// Bytes that the map places there, so far; a shard that several segments share counts once.
    Count {
        bytes: u64,
        last: Option<ShardId>,
    },
    /// Bytes still to be given away.
    Shed {
        surplus: u64,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Pass {
    pub node: NodeId,
    pub goal: Goal,
    /// What is still ahead.
    pub rest: KeyRange,
    due: UnixMs,
}

#[derive(Debug, Default)]
pub(crate) struct Moves {
    passes: BTreeMap<NodeId, Pass>,
    /// Donors that were passed over lately, until when.
    resting: HashMap<NodeId, UnixMs>,
    away: HashSet<NodeId>,
}

/// True if a donor that was away is there and what it holds is known to be what the map says.
fn is_back(node: &Node) -> bool {
    !node.liveness.is_away() && node.checked
}

impl Moves {
    /// Begins the passes that donors as they are now call for.
    pub(crate) fn begin(&mut self, nodes: &Nodes, now: UnixMs) {
        self.resting.retain(|_, until| now < *until);
        for node in nodes.all() {
            let returned = self.away.contains(&node.id) && is_back(node);
            let goal = if returned { Some(Goal::Trim) } else { goal_of(node).filter(|_| !self.resting.contains_key(&node.id)) };
            if let Some(goal) = goal
                && (returned || !self.passes.contains_key(&node.id))
            {
                self.passes.insert(node.id, Pass { node: node.id, goal, rest: keyspace::holdings_of(node.id), due: now });
            }
        }
        let still = |node: &&Node| node.liveness.is_away() || (self.away.contains(&node.id) && !is_back(node));
        self.away = nodes.all().filter(still).map(|node| node.id).collect();
    }

    /// The pass whose turn it is; one of [`Self::put_back`] and [`Self::ended`] must follow.
    pub(crate) fn take(&mut self, now: UnixMs) -> Option<Pass> {
        let next = self.passes.values().filter(|pass| pass.due <= now).min_by_key(|pass| pass.due)?.node;
        self.passes.remove(&next)
    }

    /// Goes on with a pass from `due` on, in turn with the others; not if it was begun anew meanwhile.
    pub(crate) fn put_back(&mut self, pass: Pass, due: UnixMs) {
        self.passes.entry(pass.node).or_insert(Pass { due, ..pass });
    }

    /// The pass came to its end; the next over this donor begins after `until`.
    pub(crate) fn ended(&mut self, node: NodeId, until: UnixMs) {
        self.resting.insert(node, until);
    }

    pub(crate) fn has_due(&self, now: UnixMs) -> bool {
        self.passes.values().any(|pass| pass.due <= now)
    }
}

fn goal_of(node: &Node) -> Option<Goal> {
    let over = node.space.used > node.space.capacity && node.liveness.is_up();
    match node.standing.state {
        StandingState::Draining => Some(Goal::Drain),
        StandingState::Vetting | StandingState::Trusted if over => Some(Goal::Count { bytes: 0, last: None }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::nodes::tests::up;
    use super::*;

    fn goals(moves: &mut Moves, now: UnixMs) -> Vec<(u32, Goal)> {
        let mut found = Vec::new();
        while let Some(pass) = moves.take(now) {
            found.push((pass.node.0, pass.goal));
            moves.ended(pass.node, now + 10);
        }
        found
    }

    #[test]
    fn donors_that_leave_shrink_or_return_are_passed_over() {
        let (mut nodes, mut moves) = (up(4, 1000), Moves::default());
        nodes.get_mut(NodeId(2)).expect("known").standing.state = StandingState::Draining;
        nodes.get_mut(NodeId(3)).expect("known").space.measured(100, 101, 0);
        nodes.heard(NodeId(4), true, 0);
        moves.begin(&nodes, 0);
        assert_eq!(goals(&mut moves, 0), [(2, Goal::Drain), (3, Goal::Count { bytes: 0, last: None })]);
        nodes.heard(NodeId(4), false, 5);
        moves.begin(&nodes, 5);
        assert_eq!(goals(&mut moves, 5), [], "the others rest, and what the fourth still holds isn't known yet");
        nodes.get_mut(NodeId(4)).expect("known").checked = true;
        moves.begin(&nodes, 6);
        assert_eq!(goals(&mut moves, 6), [(4, Goal::Trim)]);
        moves.begin(&nodes, 15);
        assert_eq!(goals(&mut moves, 15).len(), 2, "and are looked at again");
    }

    #[test]
    fn passes_take_turns_and_wait_until_they_are_due() {
        let (mut nodes, mut moves) = (up(2, 1000), Moves::default());
        for id in [1, 2] {
            nodes.get_mut(NodeId(id)).expect("known").standing.state = StandingState::Draining;
        }
        moves.begin(&nodes, 0);
        let first = moves.take(0).expect("due");
        moves.put_back(first, 3);
        moves.begin(&nodes, 1);
        let second = moves.take(1).expect("due");
        assert_eq!(second.node, NodeId(2));
        moves.put_back(second, 9);
        assert!(moves.take(2).is_none() && !moves.has_due(2) && moves.has_due(3));
        assert_eq!(moves.take(9).map(|pass| pass.node), Some(NodeId(1)));
    }
}
