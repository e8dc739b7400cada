//! Who holds what: a segment's row and the reverse rows of its donors, written together.

use std::collections::BTreeSet;

use nodio_meta::{Outcome, Store, StoreError, transact};
use nodio_wire::{NodeId, SegmentId, ShardId, UnixMs};

use crate::keyspace;
use crate::state::surplus;
use crate::state::view::View;
use crate::tables::{Batch, DoomedRow, Held, HoldingRow, SegmentRow, read_segment};

/// Writes `row` in the place of `held`, and the holdings that differ. Donors that are no longer named and that `dooms` picks shall delete
/// the shard.
pub(crate) fn rewrite(
    batch: &mut Batch,
    segment: &SegmentId,
    held: &Held<SegmentRow>,
    row: &SegmentRow,
    dooms: impl Fn(NodeId, &ShardId) -> bool,
    now: UnixMs,
) {
    let key = keyspace::segment(segment);
    batch.at(key.clone(), held.version);
    batch.put(key, row);
    let (before, after): (BTreeSet<_>, BTreeSet<_>) = (held.row.placed().collect(), row.placed().collect());
    for (_, shard, node) in before.difference(&after) {
        batch.delete(keyspace::holding(*node, shard, segment));
        if dooms(*node, shard) {
            batch.put(keyspace::doomed(*node, shard), &DoomedRow { since: now });
        }
    }
    for (position, shard, node) in after.difference(&before) {
        name(batch, segment, row.shard_bytes, *position, shard, *node, now);
    }
}

/// Writes that a donor is named for a shard.
pub(crate) fn name(batch: &mut Batch, segment: &SegmentId, bytes: u32, position: u8, shard: &ShardId, node: NodeId, now: UnixMs) {
    batch.put(keyspace::holding(node, shard, segment), &HoldingRow { position, since: now, bytes });
}

/// Takes holders that are too many off a segment, by the rules of [`crate::state::surplus`]; they shall delete what they have.
/// Returns how many went.
pub(crate) async fn trim(
    store: &dyn Store,
    segment: &SegmentId,
    view: impl Fn(NodeId) -> View,
    now: UnixMs,
) -> Result<usize, StoreError> {
    transact(store, async || {
        let Some(held) = read_segment(store, segment).await? else { return Ok(Outcome::Done(0)) };
        let mut row = held.row.clone();
        let gone = surplus::trim(&mut row, &view);
        if gone.is_empty() {
            return Ok(Outcome::Done(0));
        }
        let mut batch = Batch::default();
        rewrite(&mut batch, segment, &held, &row, |_, _| true, now);
        Ok(Outcome::Commit(batch.into_commit(), gone.len()))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::super::commit::enter;
    use super::super::record::{Rebuilt, record};
    use super::super::testing::{assert_consistent, commit_of, has, named, rows_of, segment, shard, store};
    use super::*;
    use crate::state::view::tests::view;

    #[tokio::test]
    async fn trimming_writes_both_sides_and_dooms_what_went() {
        let store = store();
        enter(&*store, &[commit_of(0, 2, &[1, 102, 3])], |_| true, |_| None, 1).await.expect("entered");
        let second = Rebuilt { segment: segment(0), position: 1, shard: shard(0, 1), node: NodeId(5), replaces: None };
        record(&*store, &second, view, 2).await.expect("recorded");
        assert_eq!(named(&*store, 0).await, [vec![1], vec![102, 5], vec![3]]);
        assert_eq!(trim(&*store, &segment(0), view, 3).await.expect("trimmed"), 0, "one of both isn't there");
        let returned = |id: NodeId| View { weight: if id.0 == 5 { 0.5 } else { 1.0 }, ..view(NodeId(id.0 % 100)) };
        assert_eq!(trim(&*store, &segment(0), returned, 4).await.expect("trimmed"), 1);
        assert_eq!(named(&*store, 0).await, [[1], [102], [3]]);
        assert!(has(&*store, keyspace::doomed(NodeId(5), &shard(0, 1))).await);
        assert_consistent(&*store).await;
        let before = rows_of(&*store).await;
        assert_eq!(trim(&*store, &segment(0), returned, 5).await.expect("trimmed"), 0);
        assert_eq!(trim(&*store, &segment(77), returned, 5).await.expect("trimmed"), 0);
        assert_eq!(rows_of(&*store).await, before);
    }
}
