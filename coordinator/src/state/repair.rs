//! What a segment needs, and who mends it. Rules:
//!
//! - A shard that no donor is named for, or whose donors are all Lost, is rebuilt.
//! - At or under `k + margin` live shards, those of Offline donors are rebuilt as well, without waiting for Lost; and where an operator
//!   asked for it.
//! - The receiver is Up, has room, holds no shard of the segment, and lies in a domain of which that is true too; if no such
//!   domain is left, in any. Never two shards of a segment on one donor.
//! - Below `k` live shards, those of donors that are there and count for nothing (refused, released) are read as well: what they hand out
//!   is checked like anything else. Where that isn't enough either, nothing can be rebuilt until a donor returns.
//!
//! The order of the queue, soonest first:
//! ```text
//!     0          not judged yet            2 ..= 99    at or under k + margin  ┐ by the sum of the live holders' weights
//!     1          an operator asked       100 ..= 199   the others              ┘ beyond k, in quarters of a shard
//!   200          holders too many or too close
//!   254          no donor can take it now                255   too few live shards to rebuild from
//!   252          the same, and an operator asked         253   the same, and an operator asked
//! ```

use nodio_wire::{NodeId, UnixMs};

use super::footprint;
use super::liveness::Presence;
use super::placement::Need;
use super::surplus::has_surplus;
use super::tasks::Source;
use super::view::{View, best_holder, best_of};
use crate::tables::{Place, SegmentRow};

/// What is to be done about a segment now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Whole,
    /// Rebuild these positions.
    Mend { positions: Vec<u8> },
    /// Nothing is missing, and some position has a holder too many.
    Tidy,
    /// An operator asked, and of some position it isn't known yet whether it is there: its donors are about to be heard, or to be Offline.
    Wait,
    /// Too few shards that can be read to rebuild from.
    Stuck,
}

/// Places on the queue; see the picture above.
pub(crate) mod urgency {
    pub(crate) const UNJUDGED: u8 = 0;
    pub(crate) const FORCED: u8 = 1;
    pub(super) const EMERGENCY: (u8, u8) = (2, 99);
    pub(super) const REST: (u8, u8) = (100, 199);
    pub(crate) const TIDY: u8 = 200;
    /// From here on nothing can be done until something changes among the donors.
    pub(crate) const TAIL: u8 = 250;
    pub(crate) const BLOCKED: u8 = 254;
    pub(crate) const STUCK: u8 = 255;

    /// Where what an operator asked for stands in the tail: apart, so that nobody else's row for the segment takes its place.
    pub(crate) fn asked_for(at: u8, forced: bool) -> u8 {
        if forced && at >= BLOCKED { at - 2 } else { at }
    }

    /// True if no donor could take it when it was looked at last.
    pub(crate) fn is_blocked(at: u8) -> bool {
        at == BLOCKED || at == asked_for(BLOCKED, true)
    }
}

/// Quarters of a shard by which the light weights of its donors may put a segment below `k` and still be told from others.
const QUARTERS_BELOW: f64 = 40.0;

/// Positions that are readable now.
fn live(row: &SegmentRow, presence: impl Fn(NodeId) -> Presence) -> usize {
    let lives = |place: &&Place| place.holders.iter().any(|node| presence(*node) == Presence::Live);
    row.shards.iter().filter(lives).count()
}

/// `forced`: what is Offline isn't waited for.
pub(crate) fn survey(row: &SegmentRow, margin: usize, forced: bool, view: impl Fn(NodeId) -> View) -> Verdict {
    let live = live(row, |id| view(id).presence);
    let hurry = forced || live <= row.code.k() + margin;
    let needs_mending = |place: &Place| match prospect(place, &view) {
        Presence::Live => false,
        Presence::Away => hurry,
        Presence::Gone => true,
    };
    let numbered = (0u8..).zip(&row.shards);
    let positions: Vec<u8> = numbered.filter(|(_, place)| needs_mending(place)).map(|(position, _)| position).collect();
    match positions.is_empty() {
        true if forced && !row.shards.iter().all(|place| is_heard(place, &view)) => Verdict::Wait,
        true if has_surplus(row, &view) => Verdict::Tidy,
        true => Verdict::Whole,
        false if live < row.code.k() && sources(row, &view).len() < row.code.k() => Verdict::Stuck,
        false => Verdict::Mend { positions },
    }
}

/// True if a donor that holds the shard is Up: not only not given up yet, as for three beats after the coordinator's start.
fn is_heard(place: &Place, view: &impl Fn(NodeId) -> View) -> bool {
    place.holders.iter().any(|node| view(*node).is_live() && view(*node).up)
}

/// The best that can be hoped for from the holders of a shard.
fn prospect(place: &Place, view: &impl Fn(NodeId) -> View) -> Presence {
    let hopes = || place.holders.iter().map(|node| view(*node).prospect());
    if hopes().any(|hope| hope == Presence::Live) {
        Presence::Live
    } else if hopes().any(|hope| hope == Presence::Away) {
        Presence::Away
    } else {
        Presence::Gone
    }
}

/// How soon a segment that is to be mended comes: its weighted live shards beyond `k`.
pub(crate) fn mend_urgency(row: &SegmentRow, margin: usize, view: impl Fn(NodeId) -> View) -> u8 {
    let homes: Vec<View> = row.shards.iter().filter_map(|place| best_holder(place, &view)).map(|(_, view)| view).collect();
    let live = homes.iter().filter(|view| view.is_live());
    let (count, weight) = live.fold((0, 0.0), |(count, sum), view| (count + 1, sum + view.weight));
    let (first, last) = if count <= row.code.k() + margin { urgency::EMERGENCY } else { urgency::REST };
    let quarters = ((weight - row.code.k() as f64) * 4.0).floor() + QUARTERS_BELOW;
    first + quarters.clamp(0.0, f64::from(last - first)) as u8
}

/// The place on the queue that goes with a verdict; `None` for a segment that needs nothing.
pub(crate) fn urgency_of(verdict: &Verdict, row: &SegmentRow, margin: usize, view: impl Fn(NodeId) -> View) -> Option<u8> {
    match verdict {
        Verdict::Whole => None,
        Verdict::Mend { .. } => Some(mend_urgency(row, margin, view)),
        Verdict::Tidy => Some(urgency::TIDY),
        Verdict::Wait => Some(urgency::FORCED),
        Verdict::Stuck => Some(urgency::STUCK),
    }
}

/// True if the segment can be read now.
pub(crate) fn readable(row: &SegmentRow, presence: impl Fn(NodeId) -> Presence) -> bool {
    live(row, presence) >= row.code.k()
}

/// True if as many shards are live as a write would need.
pub(crate) fn at_quorum(row: &SegmentRow, presence: impl Fn(NodeId) -> Presence) -> bool {
    live(row, presence) >= row.code.write_quorum()
}

/// The shards that a rebuild may read, of each position the best: the live ones, and where these are too few those of the last resort.
pub(crate) fn sources(row: &SegmentRow, view: impl Fn(NodeId) -> View) -> Vec<Source> {
    let live = gather(row, &view, View::is_live);
    if live.len() >= row.code.k() {
        return live;
    }
    gather(row, &view, |seen| seen.is_live() || seen.is_last_resort())
}

fn gather(row: &SegmentRow, view: impl Fn(NodeId) -> View, may: impl Fn(&View) -> bool) -> Vec<Source> {
    let best = |(position, place): (u8, &Place)| {
        let (node, _) = best_of(place, &view, &may)?;
        Some(Source { position, shard: place.id, node })
    };
    (0u8..).zip(&row.shards).filter_map(best).collect()
}

impl Need {
    /// For the shards at `positions`, while work for the segment is under way to `receivers`.
    pub(crate) fn of(
        row: &SegmentRow,
        positions: &[u8],
        receivers: &[NodeId],
        most: usize,
        view: impl Fn(NodeId) -> View,
    ) -> Self {
        let not = row.placed().map(|(_, _, node)| node).chain(receivers.iter().copied()).collect();
        let others = (0u8..).zip(&row.shards).filter(|(at, _)| !positions.contains(at));
        let homes = others.filter_map(|(_, place)| best_holder(place, &view));
        let staying = homes.filter(|(_, view)| view.presence != Presence::Gone).map(|(_, view)| view.domain);
        let domains = staying.chain(receivers.iter().map(|id| view(*id).domain)).collect();
        Self { bytes: footprint(row.shard_bytes), not, domains, apart: false, most }
    }
}

/// When a rebuild assigned now is planned anew.
pub(crate) fn lease_end(now: UnixMs, lease_ms: u64) -> UnixMs {
    now.saturating_add(lease_ms)
}

#[cfg(test)]
mod tests {
    use super::super::nodes::tests::up;
    use super::super::view::tests::view;
    use super::*;
    use nodio_wire::{Code, ShardId};
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    /// A row with one holder a position; 0 is none.
    fn row(k: u8, holders: &[u32]) -> SegmentRow {
        let named = |node: &u32| if *node > 0 { vec![NodeId(*node)] } else { Vec::new() };
        let place = |(at, node): (usize, &u32)| Place { id: ShardId([at as u8; 32]), holders: named(node) };
        let code = Code::new(k, holders.len() as u8).expect("a code");
        SegmentRow { code, shard_bytes: 100, committed: 0, shards: holders.iter().enumerate().map(place).collect() }
    }

    fn verdict(k: u8, holders: &[u32]) -> Verdict {
        survey(&row(k, holders), 1, false, view)
    }

    fn mend(positions: &[u8]) -> Verdict {
        Verdict::Mend { positions: positions.to_vec() }
    }

    #[test]
    fn a_shard_without_a_donor_or_with_a_lost_one_is_rebuilt() {
        assert_eq!(verdict(4, &[1, 2, 3, 4, 5, 6]), Verdict::Whole);
        assert_eq!(verdict(4, &[1, 2, 3, 4, 5, 0]), mend(&[5]));
        assert_eq!(verdict(2, &[1, 200, 3, 4, 0, 6]), mend(&[1, 4]));
    }

    #[test]
    fn offline_donors_are_waited_for_unless_the_margin_is_reached_or_somebody_asks() {
        assert_eq!(verdict(2, &[1, 2, 3, 4, 105, 106]), Verdict::Whole);
        assert_eq!(survey(&row(2, &[1, 2, 3, 4, 105, 106]), 1, true, view), mend(&[4, 5]));
        assert_eq!(verdict(2, &[1, 2, 3, 104, 105, 106]), mend(&[3, 4, 5]));
        assert_eq!(verdict(2, &[1, 2, 3, 4, 0, 106]), mend(&[4]));
        assert_eq!(survey(&row(4, &[1, 2, 3, 4, 5, 106]), 0, false, view), Verdict::Whole);
    }

    #[test]
    fn an_operator_is_not_told_that_nothing_is_missing_before_everybody_was_heard() {
        let unheard = |id: NodeId| View { up: id.0 != 6, ..view(id) };
        let waits = row(2, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(survey(&waits, 0, true, unheard), Verdict::Wait);
        assert_eq!(urgency_of(&Verdict::Wait, &waits, 0, unheard), Some(urgency::FORCED));
        assert_eq!(survey(&waits, 0, false, unheard), Verdict::Whole, "others are waited for anyway");
        assert_eq!(
            survey(&row(2, &[1, 2, 3, 4, 105, 6]), 0, true, unheard),
            mend(&[4]),
            "what is known to be missing isn't put off"
        );
    }

    #[test]
    fn a_leaving_donor_that_is_away_is_not_waited_for() {
        let leaving = |id: NodeId| View { draining: id.0 == 106, ..view(id) };
        assert_eq!(survey(&row(2, &[1, 2, 3, 4, 5, 106]), 0, false, leaving), mend(&[5]));
    }

    #[test]
    fn any_live_holder_will_do_and_a_second_one_is_to_be_tidied() {
        let mut one = row(2, &[1, 2, 203, 4]);
        one.shards[2].holders.push(NodeId(3));
        assert_eq!(survey(&one, 0, false, view), Verdict::Whole, "a lost one may return and counts again");
        one.shards[3].holders.push(NodeId(5));
        assert_eq!(survey(&one, 0, false, view), Verdict::Tidy);
        one.shards[0].holders.clear();
        assert_eq!(survey(&one, 0, false, view), mend(&[0]), "what is missing comes first");
    }

    #[test]
    fn below_k_nothing_can_be_done_until_a_donor_returns() {
        assert_eq!(verdict(4, &[1, 2, 3, 104, 105, 206]), Verdict::Stuck);
        assert_eq!(verdict(1, &[101]), Verdict::Stuck);
        assert_eq!(verdict(1, &[1]), Verdict::Whole);
    }

    #[test]
    fn below_k_a_donor_that_counts_for_nothing_is_read_if_it_is_there() {
        let there = |id: NodeId| View { up: id.0 < 100 || id.0 >= 300, ..view(id) };
        let positions =
            |row: &SegmentRow| sources(row, there).iter().map(|source| (source.position, source.node.0)).collect::<Vec<_>>();
        let mut one = row(4, &[1, 2, 3, 304, 205, 106]);
        assert_eq!(survey(&one, 0, false, view), Verdict::Stuck, "it isn't there");
        assert_eq!(survey(&one, 0, false, there), mend(&[3, 4, 5]));
        assert_eq!(positions(&one), [(0, 1), (1, 2), (2, 3), (3, 304)]);
        one.shards[3].holders = vec![NodeId(304), NodeId(104)];
        assert_eq!(positions(&one)[3], (3, 304), "one that may return can't be read now");
        one.shards[4].holders = vec![NodeId(4)];
        assert_eq!(positions(&one).len(), 4, "with enough that count it is left alone");
        assert_eq!(positions(&one)[3], (4, 4));
    }

    #[test]
    fn danger_is_ordered_by_weighted_spares_and_emergencies_come_first() {
        let urgency = |holders: &[u32], weight: f64| {
            let row = row(4, holders);
            let weigh = |id: NodeId| View { weight, ..view(id) };
            urgency_of(&survey(&row, 0, false, weigh), &row, 0, weigh).expect("needs something")
        };
        let at_k = [1, 2, 3, 4, 0, 0, 0, 0];
        let beyond = [1, 2, 3, 4, 5, 6, 0, 0];
        let order = [
            urgency(&at_k, 0.5),
            urgency(&at_k, 1.0),
            urgency(&beyond, 0.6),
            urgency(&beyond, 1.0),
            urgency(&[1, 2, 3, 4, 5, 6, 7, 0], 1.0),
            urgency::TIDY,
            urgency(&[1, 2, 3, 0, 0, 0, 0, 0], 1.0),
        ];
        assert!(order.is_sorted_by(|a, b| a < b), "{order:?}");
        assert!(order[0] > urgency::FORCED && order[6] == urgency::STUCK);
    }

    #[test]
    fn only_live_positions_count_for_reading_and_for_the_quorum() {
        let presence = |id| view(id).presence;
        let mut three = row(2, &[1, 2, 103, 204]);
        assert!(readable(&three, presence) && !at_quorum(&three, presence));
        three.shards[2].holders.push(NodeId(3));
        assert!(at_quorum(&three, presence));
        three.shards[0].holders.clear();
        three.shards[1].holders.clear();
        assert!(!readable(&three, presence));
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
        let need = Need::of(&row, &[2], &[], 1, |id| nodes.view(id));
        let mut chosen = |need: &Need| {
            let found = nodes.pool().receiver(need, |_| 0, &mut rng)?;
            Some(found.node)
        };
        for _ in 0..100 {
            let found = chosen(&need).expect("there is one");
            assert!([4, 5, 6].contains(&found.0), "donor {found} is too close");
        }
        let need = Need { not: [1, 2, 4, 5, 6].map(NodeId).to_vec(), ..need };
        assert_eq!(chosen(&need), Some(NodeId(3)), "a shared domain is better than none");
        assert_eq!(chosen(&Need { apart: true, ..need.clone() }), None, "unless it is about the domain");
        assert_eq!(chosen(&Need { most: 0, ..need.clone() }), None, "nor is a busy one asked");
        assert_eq!(chosen(&Need { bytes: 1 << 30, ..need }), None);
    }

    #[test]
    fn only_live_shards_are_sources() {
        let mut some = row(2, &[1, 102, 203, 4, 0]);
        some.shards[1].holders.push(NodeId(7));
        let found = sources(&some, view);
        assert_eq!(found.iter().map(|source| (source.position, source.node.0)).collect::<Vec<_>>(), [(0, 1), (1, 7), (3, 4)]);
    }
}
