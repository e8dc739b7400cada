//! Forgetting whole parts, a bounded step at a time.

use nodio_meta::{Direction, KeyRange, Outcome, Row, Store, StoreError, transact};
use nodio_wire::{PartId, UnixMs};

use crate::keyspace;
use crate::limits::RELEASE_SEGMENTS_PER_STEP;
use crate::tables::{Batch, DoomedRow, ReleaseRow, SegmentRow, legible};

/// Notes, durably, that these parts are to be forgotten.
pub(crate) async fn ask(store: &dyn Store, parts: &[PartId], now: UnixMs) -> Result<(), StoreError> {
    transact(store, async || {
        let mut batch = Batch::default();
        for part in parts {
            batch.put(keyspace::release(*part), &ReleaseRow { asked: now });
        }
        Ok(if batch.writes_nothing() { Outcome::Done(()) } else { Outcome::Commit(batch.into_commit(), ()) })
    })
    .await
}

/// Forgets some segments of the parts behind `after`, and of each part that is through, that it was to be forgotten. One with a row that
/// can't be read stays to be forgotten, and holds up no other.
/// Returns the part that was reached; `None` when there was nothing to do behind `after`.
pub(crate) async fn step(store: &dyn Store, after: Option<PartId>, now: UnixMs) -> Result<Option<PartId>, StoreError> {
    transact(store, async || {
        let (mut batch, mut left, mut reached) = (Batch::default(), RELEASE_SEGMENTS_PER_STEP, None);
        let parts = next_parts(store, after).await?;
        for part in parts.iter().copied() {
            if left == 0 {
                break;
            }
            let rows = store.scan(keyspace::segments_of(part), left, Direction::Ascending).await?;
            let forgotten = rows.iter().filter(|row| forget_segment(&mut batch, row, now)).count();
            if rows.len() < left && forgotten == rows.len() {
                batch.empty(beyond(part, rows.last()));
                batch.delete(keyspace::release(part));
            }
            left -= rows.len().clamp(1, left);
            reached = Some(part);
        }
        let more = reached.filter(|_| parts.len() >= RELEASE_SEGMENTS_PER_STEP);
        Ok(if batch.writes_nothing() { Outcome::Done(more) } else { Outcome::Commit(batch.into_commit(), reached) })
    })
    .await
}

async fn next_parts(store: &dyn Store, after: Option<PartId>) -> Result<Vec<PartId>, StoreError> {
    let all = keyspace::releases();
    let range = match after {
        Some(part) => keyspace::after(all, &keyspace::release(part)),
        None => all,
    };
    let rows = store.scan(range, RELEASE_SEGMENTS_PER_STEP, Direction::Ascending).await?;
    rows.iter().map(|row| keyspace::parse_release(&row.key)).collect()
}

/// The part's segments behind the last one that was seen: there must be none when the part is called forgotten.
fn beyond(part: PartId, last: Option<&Row>) -> KeyRange {
    let whole = keyspace::segments_of(part);
    match last {
        Some(row) => keyspace::after(whole, &row.key),
        None => whole,
    }
}

/// False for a row that can't be read: then nobody knows whose shards are to be deleted, and the part stays to be forgotten.
fn forget_segment(batch: &mut Batch, found: &Row, now: UnixMs) -> bool {
    let Ok(id) = keyspace::parse_segment(&found.key) else { return false };
    let Some(row) = legible::<SegmentRow>(&found.key, &found.value) else { return false };
    batch.at(found.key.clone(), found.version);
    batch.delete(found.key.clone());
    for (_, shard, node) in row.placed() {
        batch.delete(keyspace::holding(node, &shard, &id));
        batch.put(keyspace::doomed(node, &shard), &DoomedRow { since: now });
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::commit::enter;
    use super::super::testing::{PART, commit_of, rows_of, store};
    use super::*;

    #[tokio::test]
    async fn a_part_is_forgotten_in_steps_and_leaves_only_deletes() {
        let store = store();
        let all: Vec<_> = (0..300).map(|index| commit_of(index, 2, &[1, 2, 3])).collect();
        for some in all.chunks(100) {
            enter(&*store, some, |_| true, |_| Some(9), 1).await.expect("entered");
        }
        ask(&*store, &[PART, PartId([9; 16])], 5).await.expect("asked");
        let (mut after, mut steps) = (None, 0);
        loop {
            let reached = step(&*store, after, 6).await.expect("stepped");
            if reached.is_none() && after.is_none() {
                break;
            }
            (after, steps) = (reached, steps + 1);
        }
        assert!((3..=8).contains(&steps), "{steps} steps");
        assert!(
            rows_of(&*store).await.iter().all(|(key, _)| key[0] == b'x' || key[0] == b'r'),
            "deletes, and what the planner drops"
        );
        ask(&*store, &[], 7).await.expect("nothing to ask");
    }
}
