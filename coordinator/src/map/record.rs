//! Shards that were rebuilt or pushed.

use nodio_meta::{Outcome, Store, StoreError, transact};
use nodio_wire::{NodeId, SegmentId, ShardId, UnixMs};

use super::holders::rewrite;
use crate::keyspace;
use crate::state::surplus::trim;
use crate::state::view::View;
use crate::tables::{Batch, DoomedRow, Held, SegmentRow, read_segment};

/// A shard that `node` has stored, as was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rebuilt {
    pub segment: SegmentId,
    pub position: u8,
    pub shard: ShardId,
    pub node: NodeId,
    /// The donor it was pushed by, which gives up its own.
    pub replaces: Option<NodeId>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// The map names the donor now, or did already.
    Placed,
    /// Not needed any more: the donor shall delete it.
    Surplus,
}

/// Names the donor as a holder, unless it has another shard of the segment or the segment was released meanwhile; then trims, so that
/// of several live holders the best one stays.
pub(crate) async fn record(
    store: &dyn Store,
    done: &Rebuilt,
    view: impl Fn(NodeId) -> View,
    now: UnixMs,
) -> Result<Recorded, StoreError> {
    transact(store, async || {
        let Some(held) = read_segment(store, &done.segment).await? else { return Ok(discard(done, now)) };
        match fit(&held.row, done) {
            Fit::There => Ok(Outcome::Done(Recorded::Placed)),
            Fit::NotNeeded => Ok(discard(done, now)),
            Fit::Adds => {
                let row = with(&held.row, done, &view);
                Ok(if row.names(done.node) { place(&held, &row, done, now) } else { discard(done, now) })
            }
        }
    })
    .await
}

enum Fit {
    There,
    NotNeeded,
    Adds,
}

fn fit(row: &SegmentRow, done: &Rebuilt) -> Fit {
    match row.shards.get(usize::from(done.position)).filter(|place| place.id == done.shard) {
        None => Fit::NotNeeded,
        Some(place) if place.holders.contains(&done.node) => Fit::There,
        Some(_) if row.names(done.node) => Fit::NotNeeded,
        Some(_) => Fit::Adds,
    }
}

/// The row with the new holder; the donor that pushed it goes only if the new one is there, and still counts.
fn with(row: &SegmentRow, done: &Rebuilt, view: impl Fn(NodeId) -> View) -> SegmentRow {
    let mut row = row.clone();
    let holders = &mut row.shards[usize::from(done.position)].holders;
    if view(done.node).up && view(done.node).is_live() {
        holders.retain(|node| Some(*node) != done.replaces);
    }
    holders.push(done.node);
    trim(&mut row, view);
    row
}

fn place(held: &Held<SegmentRow>, row: &SegmentRow, done: &Rebuilt, now: UnixMs) -> Outcome<Recorded> {
    let mut batch = Batch::default();
    rewrite(&mut batch, &done.segment, held, row, |_, _| true, now);
    Outcome::Commit(batch.into_commit(), Recorded::Placed)
}

/// The copy goes. The delete is held back for as long as some segment names the donor for that shard.
fn discard(done: &Rebuilt, now: UnixMs) -> Outcome<Recorded> {
    let mut batch = Batch::default();
    batch.put(keyspace::doomed(done.node, &done.shard), &DoomedRow { since: now });
    Outcome::Commit(batch.into_commit(), Recorded::Surplus)
}

#[cfg(test)]
mod tests {
    use super::super::commit::enter;
    use super::super::testing::{assert_consistent, commit_of, has, named, rows_of, segment, shard, store};
    use super::*;
    use crate::state::view::tests::view;

    fn rebuilt(index: u32, position: u8, node: u32) -> Rebuilt {
        Rebuilt { segment: segment(index), position, shard: shard(index, position), node: NodeId(node), replaces: None }
    }

    async fn store_with(holders: &[u32]) -> std::sync::Arc<dyn Store> {
        let store = store();
        enter(&*store, &[commit_of(0, 2, holders)], |_| true, |_| None, 1).await.expect("entered");
        store
    }

    #[tokio::test]
    async fn a_rebuilt_shard_joins_those_who_may_return_and_a_second_report_changes_nothing() {
        let store = store_with(&[1, 2, 203, 0]).await;
        assert_eq!(record(&*store, &rebuilt(0, 3, 4), view, 5).await.expect("recorded"), Recorded::Placed);
        assert_eq!(record(&*store, &rebuilt(0, 2, 5), view, 6).await.expect("recorded"), Recorded::Placed);
        assert_eq!(named(&*store, 0).await, [vec![1], vec![2], vec![203, 5], vec![4]]);
        assert_consistent(&*store).await;
        let before = rows_of(&*store).await;
        assert_eq!(record(&*store, &rebuilt(0, 2, 5), view, 7).await.expect("recorded"), Recorded::Placed);
        assert_eq!(rows_of(&*store).await, before);
    }

    #[tokio::test]
    async fn of_two_that_live_the_better_record_stays_whoever_came_first() {
        for (newcomer, stays) in [(0.5, 3), (1.5, 4)] {
            let store = store_with(&[1, 2, 3]).await;
            let weigh = |id: NodeId| View { weight: if id.0 == 4 { newcomer } else { 1.0 }, ..view(id) };
            record(&*store, &rebuilt(0, 2, 4), weigh, 5).await.expect("recorded");
            assert_eq!(named(&*store, 0).await, [[1], [2], [stays]]);
            assert!(has(&*store, keyspace::doomed(NodeId(7 - stays), &shard(0, 2))).await);
            assert_consistent(&*store).await;
        }
    }

    #[tokio::test]
    async fn a_pushed_shard_takes_the_place_of_its_pusher_if_the_receiver_is_there() {
        let store = store_with(&[1, 2, 3]).await;
        let pushed = |node| Rebuilt { replaces: Some(NodeId(3)), ..rebuilt(0, 2, node) };
        record(&*store, &pushed(104), view, 5).await.expect("recorded");
        assert_eq!(named(&*store, 0).await[2], [3, 104], "the receiver went away: both stay");
        let refused = |id: NodeId| View { up: true, ..view(id) };
        record(&*store, &pushed(305), refused, 5).await.expect("recorded");
        assert_eq!(named(&*store, 0).await[2], [3, 104], "the receiver was refused meanwhile: it is as if it had not been");
        let light = |id: NodeId| View { weight: if id.0 == 5 { 0.1 } else { 1.0 }, ..view(id) };
        record(&*store, &pushed(5), light, 6).await.expect("recorded");
        assert_eq!(named(&*store, 0).await[2], [104, 5], "a move is a move, whatever the records say");
        assert!(has(&*store, keyspace::doomed(NodeId(3), &shard(0, 2))).await);
        assert_consistent(&*store).await;
    }

    #[tokio::test]
    async fn a_copy_that_nothing_names_is_deleted() {
        let store = store_with(&[1, 2, 3]).await;
        for late in [rebuilt(9, 0, 4), Rebuilt { shard: shard(5, 5), ..rebuilt(0, 2, 4) }, rebuilt(0, 1, 1), rebuilt(0, 77, 4)] {
            assert_eq!(record(&*store, &late, view, 5).await.expect("recorded"), Recorded::Surplus);
            assert!(has(&*store, keyspace::doomed(late.node, &late.shard)).await);
        }
        assert_eq!(named(&*store, 0).await, [[1], [2], [3]], "a donor never gets a second shard of a segment");
        assert_consistent(&*store).await;
    }
}
