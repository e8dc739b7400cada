//! What a segment needs, and who mends it. Rules:
//!
//! - A shard that no donor is named for, or whose donor is Lost, is rebuilt.
//! - At or under `k + margin` live shards, those of Offline donors are rebuilt as well, without waiting for Lost.
//! - The receiver is Up, has room, holds no shard of the segment, and lies in a domain of which that is true too; if no such
//!   domain is left, in any. Never two shards of a segment on one donor.
//! - Below `k` live shards nothing can be rebuilt until a donor returns.

use nodio_wire::api::SegmentHealth;
use nodio_wire::{Code, NodeId, UnixMs};
use rand::Rng;

use super::liveness::Presence;
use super::nodes::Nodes;
use super::placement::{Candidate, better_of_two};
use super::tasks::Source;
use crate::tables::SegmentRow;

/// What is to be done about a segment now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing is missing that must be rebuilt already.
    Whole,
    /// Rebuild these positions. The lower `spare`, the sooner: how many live shards may still be lost.
    Mend { spare: usize, positions: Vec<u8> },
    /// Too few live shards to rebuild from.
    Stuck,
}

/// How many shards of the segment are readable now.
fn live(row: &SegmentRow, presence: impl Fn(NodeId) -> Presence) -> usize {
    row.shards.iter().filter(|place| place.node.is_some_and(|node| presence(node) == Presence::Live)).count()
}

pub(crate) fn survey(row: &SegmentRow, margin: usize, presence: impl Fn(NodeId) -> Presence) -> Verdict {
    let live = live(row, &presence);
    let emergency = live <= row.code.k() + margin;
    let needs_mending = |node: Option<NodeId>| match node.map(&presence) {
        None | Some(Presence::Gone) => true,
        Some(Presence::Away) => emergency,
        Some(Presence::Live) => false,
    };
    let numbered = (0u8..).zip(&row.shards);
    let positions: Vec<u8> = numbered.filter(|(_, place)| needs_mending(place.node)).map(|(position, _)| position).collect();
    match (live.checked_sub(row.code.k()), positions.is_empty()) {
        (_, true) => Verdict::Whole,
        (None, false) => Verdict::Stuck,
        (Some(spare), false) => Verdict::Mend { spare, positions },
    }
}

/// Adds one segment to the count that an operator sees.
pub(crate) fn count_health(
    health: &mut SegmentHealth,
    code: Code,
    row: &SegmentRow,
    margin: usize,
    presence: impl Fn(NodeId) -> Presence,
) {
    let live = live(row, presence);
    let class = match live {
        live if live >= code.n() => &mut health.full,
        live if live < code.k() => &mut health.lost,
        live if live <= code.k() + margin => &mut health.at_risk,
        _ => &mut health.degraded,
    };
    *class += 1;
}

/// True if forgetting these positions leaves enough live shards to read the segment.
pub(crate) fn readable_without(row: &SegmentRow, positions: &[u8], presence: impl Fn(NodeId) -> Presence) -> bool {
    let left = row.placed().filter(|(position, _, node)| !positions.contains(position) && presence(*node) == Presence::Live);
    left.count() >= row.code.k()
}

/// The live shards that a rebuild may read.
pub(crate) fn sources(row: &SegmentRow, presence: impl Fn(NodeId) -> Presence) -> Vec<Source> {
    let live = row.placed().filter(|(_, _, node)| presence(*node) == Presence::Live);
    live.map(|(position, shard, node)| Source { position, shard, node }).collect()
}

/// What a receiver must be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Need {
    pub bytes: u64,
    /// Donors that hold, or are getting, a shard of the segment, or that can't take this one now.
    pub not: Vec<NodeId>,
    /// Domains that hold, or are getting, one.
    pub domains: Vec<u32>,
}

impl Need {
    /// For the shard at `position`, while rebuilds of the segment are under way to `receivers`.
    pub(crate) fn of(row: &SegmentRow, position: u8, receivers: &[NodeId], bytes: u64, nodes: &Nodes) -> Self {
        let holders: Vec<NodeId> = row.placed().map(|(_, _, node)| node).chain(receivers.iter().copied()).collect();
        let others = row.placed().filter(|(at, _, node)| *at != position && nodes.presence(*node) != Presence::Gone);
        let staying = others.map(|(_, _, node)| node).chain(receivers.iter().copied());
        let domains = staying.filter_map(|id| nodes.get(id).map(|node| node.domain_number)).collect();
        Self { bytes, not: holders, domains }
    }
}

/// A receiver for one shard, if there is one now.
pub(crate) fn receiver(pool: &[Candidate], need: &Need, rng: &mut impl Rng) -> Option<NodeId> {
    let fits = |at: &usize| pool[*at].available >= need.bytes && !need.not.contains(&pool[*at].node);
    let fitting: Vec<usize> = (0..pool.len()).filter(fits).collect();
    let apart: Vec<usize> = fitting.iter().copied().filter(|at| !need.domains.contains(&pool[*at].domain)).collect();
    let best = better_of_two(pool, if apart.is_empty() { &fitting } else { &apart }, rng)?;
    Some(pool[best].node)
}

/// When a rebuild assigned now is planned anew.
pub(crate) fn lease_end(now: UnixMs, lease_ms: u64) -> UnixMs {
    now.saturating_add(lease_ms)
}

#[cfg(test)]
mod tests {
    use super::super::nodes::tests::up;
    use super::*;
    use crate::tables::Place;
    use nodio_wire::ShardId;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn row(k: u8, holders: &[u32]) -> SegmentRow {
        let place = |(at, node): (usize, &u32)| Place { id: ShardId([at as u8; 32]), node: (*node > 0).then_some(NodeId(*node)) };
        let code = Code::new(k, holders.len() as u8).expect("a code");
        SegmentRow { code, shard_bytes: 100, committed: 0, shards: holders.iter().enumerate().map(place).collect() }
    }

    /// Donors from 100 on are Away, from 200 on Gone.
    fn presence(id: NodeId) -> Presence {
        match id.0 {
            200.. => Presence::Gone,
            100.. => Presence::Away,
            _ => Presence::Live,
        }
    }

    fn verdict(k: u8, holders: &[u32]) -> Verdict {
        survey(&row(k, holders), 1, presence)
    }

    #[test]
    fn a_shard_without_a_donor_or_with_a_lost_one_is_rebuilt() {
        assert_eq!(verdict(4, &[1, 2, 3, 4, 5, 6]), Verdict::Whole);
        assert_eq!(verdict(4, &[1, 2, 3, 4, 5, 0]), Verdict::Mend { spare: 1, positions: vec![5] });
        assert_eq!(verdict(2, &[1, 200, 3, 4, 0, 6]), Verdict::Mend { spare: 2, positions: vec![1, 4] });
    }

    #[test]
    fn offline_donors_are_waited_for_unless_the_margin_is_reached() {
        assert_eq!(verdict(2, &[1, 2, 3, 4, 105, 106]), Verdict::Whole);
        assert_eq!(verdict(2, &[1, 2, 3, 104, 105, 106]), Verdict::Mend { spare: 1, positions: vec![3, 4, 5] });
        assert_eq!(verdict(2, &[1, 2, 3, 4, 0, 106]), Verdict::Mend { spare: 2, positions: vec![4] });
        assert_eq!(survey(&row(4, &[1, 2, 3, 4, 5, 106]), 0, presence), Verdict::Whole);
    }

    #[test]
    fn below_k_nothing_can_be_done_until_a_donor_returns() {
        assert_eq!(verdict(4, &[1, 2, 3, 104, 105, 206]), Verdict::Stuck);
        assert_eq!(verdict(1, &[101]), Verdict::Stuck);
        assert_eq!(verdict(1, &[1]), Verdict::Whole);
    }

    #[test]
    fn health_is_counted_in_the_classes_an_operator_sees() {
        let mut health = SegmentHealth::default();
        for holders in
            [[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 105, 206], [1, 2, 3, 0, 0, 106], [1, 2, 0, 0, 0, 0], [1, 0, 0, 0, 0, 106]]
        {
            let row = row(2, &holders);
            count_health(&mut health, row.code, &row, 1, presence);
        }
        assert_eq!(health, SegmentHealth { full: 1, degraded: 1, at_risk: 2, lost: 1 });
    }

    #[test]
    fn a_donors_word_never_makes_a_segment_unreadable() {
        let row = row(2, &[1, 2, 3, 104]);
        assert!(readable_without(&row, &[0], presence));
        assert!(!readable_without(&row, &[0, 1], presence));
    }

    #[test]
    fn the_receiver_lies_apart_from_all_other_shards_while_that_is_possible() {
        let mut nodes = up(6, 1 << 20);
        for shared in [5, 6] {
            let node = nodes.get_mut(NodeId(shared)).expect("known");
            node.domain_number = 4 - (6 - shared);
        }
        let row = row(2, &[1, 2, 0]);
        let mut rng = StdRng::seed_from_u64(1);
        let domain_of_2 = nodes.get(NodeId(2)).expect("known").domain_number;
        nodes.get_mut(NodeId(3)).expect("known").domain_number = domain_of_2;
        for _ in 0..100 {
            let need = Need::of(&row, 2, &[], 10, &nodes);
            let chosen = receiver(&nodes.candidates(), &need, &mut rng).expect("there is one");
            assert!([4, 5, 6].contains(&chosen.0), "donor {chosen} is too close");
        }
        let need = Need { not: [1, 2, 4, 5, 6].map(NodeId).to_vec(), ..Need::of(&row, 2, &[], 10, &nodes) };
        assert_eq!(receiver(&nodes.candidates(), &need, &mut rng), Some(NodeId(3)), "a shared domain is better than none");
        let full = Need { bytes: 1 << 30, ..need };
        assert_eq!(receiver(&nodes.candidates(), &full, &mut rng), None);
    }

    #[test]
    fn only_live_shards_are_sources() {
        let found = sources(&row(2, &[1, 102, 203, 4, 0]), presence);
        assert_eq!(found.iter().map(|source| source.node.0).collect::<Vec<_>>(), [1, 4]);
    }
}
