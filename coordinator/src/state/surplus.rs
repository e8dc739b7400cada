//! Holders too many, and holders too close.
//!
//! ```text
//!   position   holders                      goes
//!   0          a Live, b Live               the worse of both: Draining, then clumped, then the lighter record
//!   1          c Away, d Live               nobody: c may be back before d is gone
//!   2          e Refused or Draining, f Live   e
//!   3          more than HOLDERS_MAX        those away, the longest named first
//! ```
//! The last Live holder of a position never goes, and Live means here: seen to hold what the map says since it was last away, or since it or the
//! coordinator started. A donor that was only heard neither goes nor lets another go.

use nodio_wire::NodeId;

use super::view::{View, best_holder};
use crate::limits::HOLDERS_MAX;
use crate::tables::{Place, SegmentRow};

/// Takes surplus holders off the row; returns who they were, with the position.
pub(crate) fn trim(row: &mut SegmentRow, view: impl Fn(NodeId) -> View) -> Vec<(u8, NodeId)> {
    let mut gone = Vec::new();
    for position in 0..row.shards.len() {
        while let Some(node) = one_too_many(row, position, &view) {
            row.shards[position].holders.retain(|holder| *holder != node);
            gone.push((position as u8, node));
        }
    }
    gone
}

/// True if some holder of the row may go.
pub(crate) fn has_surplus(row: &SegmentRow, view: impl Fn(NodeId) -> View) -> bool {
    let several = |position: &usize| row.shards[*position].holders.len() > 1;
    (0..row.shards.len()).filter(several).any(|position| one_too_many(row, position, &view).is_some())
}

fn one_too_many(row: &SegmentRow, position: usize, view: &impl Fn(NodeId) -> View) -> Option<NodeId> {
    let holders: Vec<(NodeId, View)> = row.shards[position].holders.iter().map(|node| (*node, view(*node))).collect();
    let live: Vec<&(NodeId, View)> = holders.iter().filter(|(_, seen)| seen.sure).collect();
    if live.is_empty() || holders.len() == 1 {
        return None;
    }
    let stays = live.iter().any(|(_, seen)| !seen.draining);
    let unwanted = holders.iter().find(|(_, seen)| seen.dismissed || (seen.draining && stays));
    let away = holders.iter().find(|(_, seen)| !seen.is_live()).filter(|_| holders.len() > HOLDERS_MAX);
    let found = match (unwanted, live.len()) {
        (Some(found), _) => Some(found),
        (None, 2..) => worst(row, position, live, view),
        (None, _) => away,
    };
    found.map(|(node, _)| *node)
}

/// Of several live holders of one position, the one that is worth least.
fn worst<'a>(
    row: &SegmentRow,
    position: usize,
    live: Vec<&'a (NodeId, View)>,
    view: &impl Fn(NodeId) -> View,
) -> Option<&'a (NodeId, View)> {
    let taken = domains_of_others(row, position, view);
    let worth = |seen: &View| (!seen.draining, !taken.contains(&seen.domain));
    live.into_iter().min_by(|(_, a), (_, b)| worth(a).cmp(&worth(b)).then(a.weight.total_cmp(&b.weight)))
}

/// Domains in which another position of the segment lives.
fn domains_of_others(row: &SegmentRow, position: usize, view: &impl Fn(NodeId) -> View) -> Vec<u32> {
    let others = row.shards.iter().enumerate().filter(|(at, _)| *at != position);
    others.filter_map(|(_, place)| home(place, view)).map(|(_, seen)| seen.domain).collect()
}

/// Where a shard lives, if it does.
fn home(place: &Place, view: &impl Fn(NodeId) -> View) -> Option<(NodeId, View)> {
    best_holder(place, view).filter(|(_, seen)| seen.is_live())
}

/// Of two live positions in one failure domain, the one to be moved: that of the lighter holder.
pub(crate) fn clumped(row: &SegmentRow, view: impl Fn(NodeId) -> View) -> Option<(u8, NodeId)> {
    let homes: Vec<(u8, NodeId, View)> =
        (0u8..).zip(&row.shards).filter_map(|(at, place)| home(place, &view).map(|(node, seen)| (at, node, seen))).collect();
    let shares =
        |(at, _, seen): &&(u8, NodeId, View)| homes.iter().any(|(other, _, beside)| other != at && beside.domain == seen.domain);
    let lightest = homes.iter().filter(shares).min_by(|(_, _, a), (_, _, b)| a.weight.total_cmp(&b.weight));
    lightest.map(|(at, node, _)| (*at, *node))
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::view;
    use super::*;
    use nodio_wire::{Code, ShardId};
    use proptest::prelude::*;

    fn row(places: &[&[u32]]) -> SegmentRow {
        let place = |holders: &&[u32]| Place { id: ShardId([1; 32]), holders: holders.iter().copied().map(NodeId).collect() };
        let code = Code::new(1, places.len() as u8).expect("a code");
        SegmentRow { code, shard_bytes: 100, committed: 0, shards: places.iter().map(place).collect() }
    }

    fn trimmed(places: &[&[u32]], view: impl Fn(NodeId) -> View) -> Vec<Vec<u32>> {
        let mut row = row(places);
        trim(&mut row, view);
        row.shards.iter().map(|place| place.holders.iter().map(|node| node.0).collect()).collect()
    }

    #[test]
    fn the_lightest_live_holder_goes_and_those_away_stay() {
        let weigh = |id: NodeId| View { weight: f64::from(id.0 % 100), ..view(id) };
        assert_eq!(trimmed(&[&[5, 3, 4], &[106, 7], &[108], &[]], weigh), [vec![5], vec![106, 7], vec![108], vec![]]);
    }

    #[test]
    fn draining_refused_and_clumped_go_before_the_light() {
        assert_eq!(trimmed(&[&[401, 2]], view), [[2]]);
        assert_eq!(trimmed(&[&[401, 102]], view), [[401, 102]], "the only one that lives stays, whoever it is");
        assert_eq!(trimmed(&[&[301, 2], &[303, 104]], view), [vec![2], vec![303, 104]]);
        let close = |id: NodeId| View { domain: if id.0 == 3 { 1 } else { id.0 }, weight: f64::from(id.0), ..view(id) };
        assert_eq!(trimmed(&[&[1], &[2, 3]], close), [[1], [2]], "the heavier one lives beside another shard");
    }

    #[test]
    fn who_was_not_seen_to_hold_its_shards_neither_goes_nor_lets_another_go() {
        let unsure = |id: NodeId| View { sure: id.0 != 2, weight: f64::from(id.0), ..view(id) };
        assert_eq!(trimmed(&[&[1, 2]], unsure), [[1, 2]], "after a restart the second may be long gone");
        assert_eq!(trimmed(&[&[401, 2]], unsure), [[401, 2]], "the draining one may have the only copy");
        assert_eq!(trimmed(&[&[1, 2, 3]], unsure), [[2, 3]], "of those that are sure the lighter one goes");
    }

    #[test]
    fn a_row_does_not_grow_without_end() {
        let many: Vec<u32> = (100..100 + 2 * HOLDERS_MAX as u32).chain([1]).collect();
        let left = &trimmed(&[&many], view)[0];
        assert_eq!((left.len(), left.last()), (HOLDERS_MAX, Some(&1)));
        let away = &many[..many.len() - 1];
        assert_eq!(trimmed(&[away], view)[0].len(), away.len(), "without a live one nobody is given up");
    }

    #[test]
    fn of_two_shards_in_one_domain_the_lighter_holder_gives_up_its_own() {
        let close = |id: NodeId| View { domain: id.0 / 10, weight: f64::from(id.0), ..view(id) };
        assert_eq!(clumped(&row(&[&[1], &[12], &[11], &[102]]), close), Some((2, NodeId(11))));
        assert_eq!(clumped(&row(&[&[1], &[12], &[21]]), close), None);
        assert_eq!(clumped(&row(&[&[1], &[102]]), |id| View { domain: 0, ..view(id) }), None, "one of them isn't there");
    }

    proptest! {
        #[test]
        fn trimming_leaves_what_lived_alive_and_ends_with_one_live_holder(places in prop::collection::vec(prop::collection::hash_set(0u32..500, 0..7), 1..6)) {
            let places: Vec<Vec<u32>> = places.into_iter().map(|place| place.into_iter().collect()).collect();
            let places: Vec<&[u32]> = places.iter().map(Vec::as_slice).collect();
            let before = row(&places);
            let mut after = before.clone();
            let gone = trim(&mut after, view);
            for (was, is) in before.shards.iter().zip(&after.shards) {
                let live = |place: &Place| place.holders.iter().filter(|node| view(**node).is_live()).count();
                prop_assert_eq!(live(is), live(was).min(1));
                prop_assert!(live(was) > 0 || is == was, "where none is live, nothing changes");
            }
            prop_assert_eq!(before.placed().count(), after.placed().count() + gone.len());
            prop_assert!(!has_surplus(&after, view));
            prop_assert_eq!(has_surplus(&before, view), !gone.is_empty());
        }
    }
}
