//! Shards that were rebuilt.

use nodio_meta::{Outcome, Store, StoreError, transact};
use nodio_wire::{NodeId, SegmentId, ShardId, UnixMs};

use crate::keyspace;
use crate::state::liveness::Presence;
use crate::state::repair::{Verdict, survey};
use crate::tables::{Batch, DoomedRow, Held, HoldingRow, MendRow, SegmentRow, read, read_segment};

/// A shard that `node` says it has stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rebuilt {
    pub segment: SegmentId,
    pub position: u8,
    pub shard: ShardId,
    pub node: NodeId,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// The map names the donor now, or did already.
    Placed,
    /// Not needed any more: the donor shall delete it.
    Surplus,
}

/// Enters a rebuilt shard into the map, unless its place was filled or the segment was released meanwhile.
pub(crate) async fn record(
    store: &dyn Store,
    done: &Rebuilt,
    margin: usize,
    presence: impl Fn(NodeId) -> Presence,
    now: UnixMs,
) -> Result<Recorded, StoreError> {
    transact(store, async || {
        let Some(held) = read_segment(store, &done.segment).await? else { return Ok(discard(done, now)) };
        match fit(&held.row, done, &presence) {
            Fit::There => Ok(Outcome::Done(Recorded::Placed)),
            Fit::NotNeeded => Ok(discard(done, now)),
            Fit::Replaces(old) => {
                let mut placed = place(held, done, old, now);
                settle_mend(store, &mut placed, done, margin, &presence).await?;
                Ok(Outcome::Commit(placed.batch.into_commit(), Recorded::Placed))
            }
        }
    })
    .await
}

enum Fit {
    There,
    NotNeeded,
    /// The place is empty, or its donor is away.
    Replaces(Option<NodeId>),
}

fn fit(row: &SegmentRow, done: &Rebuilt, presence: impl Fn(NodeId) -> Presence) -> Fit {
    match row.shards.get(usize::from(done.position)).filter(|place| place.id == done.shard) {
        None => Fit::NotNeeded,
        Some(place) if place.node == Some(done.node) => Fit::There,
        Some(_) if row.names(done.node) => Fit::NotNeeded,
        Some(place) => match place.node {
            Some(old) if presence(old) == Presence::Live => Fit::NotNeeded,
            old => Fit::Replaces(old),
        },
    }
}

/// The copy goes. The delete is held back for as long as some segment names the donor for that shard.
fn discard(done: &Rebuilt, now: UnixMs) -> Outcome<Recorded> {
    let mut batch = Batch::default();
    batch.put(keyspace::doomed(done.node, &done.shard), &DoomedRow { since: now });
    Outcome::Commit(batch.into_commit(), Recorded::Surplus)
}

struct Placed {
    batch: Batch,
    row: SegmentRow,
}

fn place(held: Held<SegmentRow>, done: &Rebuilt, old: Option<NodeId>, now: UnixMs) -> Placed {
    let (mut batch, mut row) = (Batch::default(), held.row);
    let key = keyspace::segment(&done.segment);
    batch.at(key.clone(), held.version);
    row.shards[usize::from(done.position)].node = Some(done.node);
    batch.put(key, &row);
    if let Some(old) = old {
        batch.delete(keyspace::holding(old, &done.shard, &done.segment));
        batch.put(keyspace::doomed(old, &done.shard), &DoomedRow { since: now });
    }
    let holding = HoldingRow { position: done.position, since: now };
    batch.put(keyspace::holding(done.node, &done.shard, &done.segment), &holding);
    Placed { batch, row }
}

/// Takes the segment off the mend queue if that was all it needed; the queue's row is checked, for a walk may have just renewed it.
async fn settle_mend(
    store: &dyn Store,
    placed: &mut Placed,
    done: &Rebuilt,
    margin: usize,
    presence: impl Fn(NodeId) -> Presence,
) -> Result<(), StoreError> {
    let key = keyspace::mend(&done.segment);
    let queued = read::<MendRow>(store, &key).await?;
    if let (Some(queued), Verdict::Whole) = (queued, survey(&placed.row, margin, presence)) {
        placed.batch.at(key.clone(), queued.version);
        placed.batch.delete(key);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::commit::enter;
    use super::super::testing::{assert_consistent, commit_of, has, holders, rows_of, segment, shard, store};
    use super::*;

    /// Donors from 100 on are away.
    fn presence(id: NodeId) -> Presence {
        if id.0 >= 100 { Presence::Gone } else { Presence::Live }
    }

    fn rebuilt(index: u32, position: u8, node: u32) -> Rebuilt {
        Rebuilt { segment: segment(index), position, shard: shard(index, position), node: NodeId(node) }
    }

    #[tokio::test]
    async fn a_rebuilt_shard_takes_its_place_and_the_last_one_ends_the_mending() {
        let store = store();
        enter(&*store, &[commit_of(0, 2, &[1, 2, 103, 0])], |_| true, 1).await.expect("entered");
        let first = record(&*store, &rebuilt(0, 3, 4), 0, presence, 5).await.expect("recorded");
        assert_eq!((first, holders(&*store, 0).await), (Recorded::Placed, vec![1, 2, 103, 4]));
        assert!(has(&*store, keyspace::mend(&segment(0))).await, "one is still missing");
        record(&*store, &rebuilt(0, 2, 5), 0, presence, 6).await.expect("recorded");
        assert_eq!(holders(&*store, 0).await, [1, 2, 5, 4]);
        assert!(!has(&*store, keyspace::mend(&segment(0))).await);
        assert!(has(&*store, keyspace::doomed(NodeId(103), &shard(0, 2))).await, "the old copy is surplus");
        assert_consistent(&*store).await;
        let before = rows_of(&*store).await;
        assert_eq!(record(&*store, &rebuilt(0, 2, 5), 0, presence, 7).await.expect("recorded"), Recorded::Placed);
        assert_eq!(rows_of(&*store).await, before, "a second report changes nothing");
    }

    #[tokio::test]
    async fn a_copy_that_came_too_late_is_deleted() {
        let store = store();
        enter(&*store, &[commit_of(0, 2, &[1, 2, 3])], |_| false, 1).await.expect("entered");
        for late in [rebuilt(0, 2, 4), rebuilt(9, 0, 4), Rebuilt { shard: shard(5, 5), ..rebuilt(0, 2, 4) }] {
            assert_eq!(record(&*store, &late, 0, presence, 5).await.expect("recorded"), Recorded::Surplus);
            assert!(has(&*store, keyspace::doomed(NodeId(4), &late.shard)).await);
        }
        assert_eq!(holders(&*store, 0).await, [1, 2, 3]);
        assert_consistent(&*store).await;
    }

    #[tokio::test]
    async fn a_donor_never_gets_a_second_shard_of_a_segment() {
        let store = store();
        enter(&*store, &[commit_of(0, 2, &[1, 2, 3, 0])], |_| true, 1).await.expect("entered");
        assert_eq!(record(&*store, &rebuilt(0, 3, 2), 0, presence, 5).await.expect("recorded"), Recorded::Surplus);
        assert_eq!(holders(&*store, 0).await, [1, 2, 3, 0]);
    }
}
