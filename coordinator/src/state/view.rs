//! What a donor is to the shards it is named for.

use std::cmp::Ordering;

use nodio_wire::NodeId;
use nodio_wire::api::StandingState;

use super::liveness::Presence;
use super::node::Node;
use super::nodes::Nodes;
use crate::tables::Place;

/// One donor, as far as the decisions about a segment need to know it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct View {
    pub presence: Presence,
    /// Heard in time: it can be given work.
    pub up: bool,
    /// Up, counted, and since it was last away, or it or the coordinator started, what it holds was seen to agree with the map: its copy is
    /// good enough for another to be given up.
    pub sure: bool,
    /// Still read, and to be emptied.
    pub draining: bool,
    /// Refused, released or unknown: what it holds counts for nothing. See [`Self::is_last_resort`].
    pub dismissed: bool,
    /// See [`super::record::Record::weight`].
    pub weight: f64,
    pub domain: u32,
}

impl View {
    /// Of a donor that nobody knows.
    const STRANGER: Self = Self {
        presence: Presence::Gone,
        up: false,
        sure: false,
        draining: false,
        dismissed: true,
        weight: 0.0,
        domain: u32::MAX,
    };

    fn of(node: &Node) -> Self {
        Self {
            presence: node.presence(),
            up: node.liveness.is_up(),
            sure: node.liveness.is_up() && node.checked && !node.is_out(),
            draining: node.standing.state == StandingState::Draining,
            dismissed: node.is_out(),
            weight: node.record.weight(),
            domain: node.domain_number,
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.presence == Presence::Live
    }

    /// Not counted on, and there: it may still hand out a shard that is to be had nowhere else.
    pub(crate) fn is_last_resort(&self) -> bool {
        self.dismissed && self.up
    }

    /// What its shards count for in the long run: one that is to leave isn't waited for.
    pub(crate) fn prospect(&self) -> Presence {
        match self.presence {
            Presence::Away if self.draining => Presence::Gone,
            presence => presence,
        }
    }

    /// Greater is better to read from: Live before Away before Gone, there before not there, then by weight.
    fn compare(&self, other: &Self) -> Ordering {
        let place = |seen: &Self| (rank(seen.presence), seen.is_last_resort());
        place(self).cmp(&place(other)).then(self.weight.total_cmp(&other.weight))
    }
}

fn rank(presence: Presence) -> u8 {
    match presence {
        Presence::Gone => 0,
        Presence::Away => 1,
        Presence::Live => 2,
    }
}

impl Nodes {
    pub(crate) fn view(&self, id: NodeId) -> View {
        self.get(id).map_or(View::STRANGER, View::of)
    }
}

/// The holder to read a shard from.
pub(crate) fn best_holder(place: &Place, view: impl Fn(NodeId) -> View) -> Option<(NodeId, View)> {
    best_of(place, view, |_| true)
}

/// The best of those holders that `may` lets through.
pub(crate) fn best_of(place: &Place, view: impl Fn(NodeId) -> View, may: impl Fn(&View) -> bool) -> Option<(NodeId, View)> {
    let holders = place.holders.iter().map(|node| (*node, view(*node)));
    holders.filter(|(_, seen)| may(seen)).max_by(|(_, a), (_, b)| a.compare(b))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::state::nodes::tests::up;
    use nodio_wire::ShardId;

    /// Donors from 100 on are Away, from 200 on Gone, from 300 on refused, from 400 on draining. Each in a domain of its own; weight 1.
    pub(crate) fn view(id: NodeId) -> View {
        let presence = match id.0 {
            200..400 => Presence::Gone,
            100..200 => Presence::Away,
            _ => Presence::Live,
        };
        let dismissed = (300..400).contains(&id.0);
        View {
            presence,
            up: presence == Presence::Live,
            sure: presence == Presence::Live,
            draining: id.0 >= 400,
            dismissed,
            weight: 1.0,
            domain: id.0,
        }
    }

    #[test]
    fn the_best_holder_is_live_then_heavy() {
        let weigh = |id: NodeId| View { weight: f64::from(id.0 % 100) / 100.0, ..view(id) };
        let best = |holders: &[u32]| {
            let place = Place { id: ShardId([1; 32]), holders: holders.iter().copied().map(NodeId).collect() };
            best_holder(&place, weigh).map(|(node, _)| node.0)
        };
        assert_eq!(best(&[290, 180, 5, 7, 3]), Some(7));
        assert_eq!(best(&[299, 101]), Some(101));
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn standing_and_liveness_both_count() {
        let mut nodes = up(2, 1 << 20);
        assert!(nodes.view(NodeId(1)).is_live() && nodes.view(NodeId(9)).dismissed);
        nodes.get_mut(NodeId(1)).expect("known").standing.state = StandingState::Draining;
        nodes.get_mut(NodeId(2)).expect("known").standing.state = StandingState::Refused;
        assert!(nodes.view(NodeId(1)).draining && nodes.view(NodeId(1)).is_live());
        nodes.get_mut(NodeId(2)).expect("known").checked = true;
        let refused = nodes.view(NodeId(2));
        assert!(refused.dismissed && !refused.is_live() && refused.is_last_resort());
        assert!(!refused.sure, "its copy is no reason to give up another, nor is it given up while it is the only one there");
        nodes.heard(NodeId(1), true, 5);
        assert_eq!((nodes.view(NodeId(1)).presence, nodes.view(NodeId(1)).prospect()), (Presence::Away, Presence::Gone));
    }
}
