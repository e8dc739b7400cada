//! Shards that turned out to be missing or corrupt.

use std::collections::{BTreeMap, HashMap};

use nodio_meta::{Outcome, Store, StoreError, transact};
use nodio_wire::{NodeId, SegmentId, ShardId, UnixMs};

use super::holders::rewrite;
use super::queue::put_unjudged;
use crate::keyspace;
use crate::limits::REPORTS_PER_COMMIT;
use crate::tables::{Batch, NodeRow, SegmentRow, page, read, read_segment};

/// One shard that a donor does not have as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub segment: SegmentId,
    pub shard: ShardId,
    pub node: NodeId,
    /// The donor may still hold wrong bytes under the name: it shall delete them.
    pub corrupt: bool,
}

/// Forgets that these donors hold these shards and queues the segments for repair. What the map doesn't say anyway is no error.
/// `allows` has the last word on a segment, from the row as it would be and the positions that lose a donor. Returns faults counted by
/// donor.
pub(crate) async fn forget(
    store: &dyn Store,
    faults: &[Fault],
    allows: impl Fn(&SegmentRow, &[u8]) -> bool,
    now: UnixMs,
) -> Result<HashMap<NodeId, u64>, StoreError> {
    let mut total: HashMap<NodeId, u64> = HashMap::new();
    for some in faults.chunks(REPORTS_PER_COMMIT) {
        for (node, count) in forget_some(store, some, &allows, now).await? {
            *total.entry(node).or_default() += count;
        }
    }
    Ok(total)
}

async fn forget_some(
    store: &dyn Store,
    faults: &[Fault],
    allows: &impl Fn(&SegmentRow, &[u8]) -> bool,
    now: UnixMs,
) -> Result<HashMap<NodeId, u64>, StoreError> {
    let mut by_segment: BTreeMap<SegmentId, Vec<Fault>> = BTreeMap::new();
    for fault in faults {
        by_segment.entry(fault.segment).or_default().push(*fault);
    }
    transact(store, async || {
        let (mut batch, mut counts) = (Batch::default(), HashMap::new());
        for (segment, faults) in &by_segment {
            let Some(held) = read_segment(store, segment).await? else { continue };
            let (row, lost) = without(&held.row, faults);
            let positions: Vec<u8> = lost.iter().map(|(position, _)| *position).collect();
            if lost.is_empty() || !allows(&row, &positions) {
                continue;
            }
            let corrupt = |node, shard: &ShardId| faults.iter().any(|f| f.corrupt && f.node == node && f.shard == *shard);
            rewrite(&mut batch, segment, &held, &row, corrupt, now);
            put_unjudged(&mut batch, segment, now);
            lost.iter().for_each(|(_, node)| *counts.entry(*node).or_default() += 1);
        }
        if batch.writes_nothing() {
            return Ok(Outcome::Done(counts));
        }
        count_faults(store, &mut batch, &counts).await?;
        Ok(Outcome::Commit(batch.into_commit(), counts))
    })
    .await
}

/// The row without the faulty holders, and who they were, by position.
fn without(row: &SegmentRow, faults: &[Fault]) -> (SegmentRow, Vec<(u8, NodeId)>) {
    let (mut row, mut lost) = (row.clone(), Vec::new());
    for (position, place) in (0u8..).zip(&mut row.shards) {
        let faulty = |node: &NodeId| faults.iter().any(|fault| fault.shard == place.id && fault.node == *node);
        lost.extend(place.holders.iter().filter(|node| faulty(node)).map(|node| (position, *node)));
        place.holders.retain(|node| !lost.contains(&(position, *node)));
    }
    (row, lost)
}

async fn count_faults(store: &dyn Store, batch: &mut Batch, counts: &HashMap<NodeId, u64>) -> Result<(), StoreError> {
    for (node, count) in counts {
        let key = keyspace::node(*node);
        let Some(held) = read::<NodeRow>(store, &key).await? else { continue };
        batch.at(key.clone(), held.version);
        batch.put(key, &NodeRow { faults: held.row.faults + count, ..held.row });
    }
    Ok(())
}

/// The faults that follow from a donor's word that it doesn't have `shard`: one for each segment that names it for that.
pub(crate) async fn missing_at(store: &dyn Store, node: NodeId, shard: ShardId) -> Result<Vec<Fault>, StoreError> {
    let mut faults = Vec::new();
    let mut rest = Some(keyspace::holdings_of_shard(node, &shard));
    while let Some(range) = rest {
        let (rows, left) = page(store, range, crate::limits::PAGE_ROWS).await?;
        for row in rows {
            let segment = keyspace::parse_holding(&row.key)?.segment;
            faults.push(Fault { segment, shard, node, corrupt: false });
        }
        rest = left;
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::super::commit::enter;
    use super::super::record::{Rebuilt, record};
    use super::super::testing::{assert_consistent, commit_of, has, holders, named, rows_of, segment, shard, store};
    use super::*;
    use crate::state::repair::urgency;
    use crate::state::view::tests::view;

    fn fault(index: u32, position: u8, node: u32, corrupt: bool) -> Fault {
        Fault { segment: segment(index), shard: shard(index, position), node: NodeId(node), corrupt }
    }

    #[tokio::test]
    async fn a_reported_shard_is_forgotten_queued_and_if_corrupt_deleted() {
        let store = store();
        enter(&*store, &[commit_of(0, 2, &[1, 2, 3]), commit_of(1, 2, &[1, 2, 3])], |_| true, |_| None, 1)
            .await
            .expect("entered");
        let faults = [fault(0, 1, 2, true), fault(1, 0, 1, false), fault(1, 2, 9, true), fault(8, 0, 1, true)];
        let counts = forget(&*store, &faults, |_, _| true, 5).await.expect("forgotten");
        assert_eq!((holders(&*store, 0).await, holders(&*store, 1).await), (vec![1, 0, 3], vec![0, 2, 3]));
        for index in [0, 1] {
            assert!(has(&*store, keyspace::mend(urgency::UNJUDGED, &segment(index))).await);
        }
        assert!(has(&*store, keyspace::doomed(NodeId(2), &shard(0, 1))).await);
        assert!(!has(&*store, keyspace::doomed(NodeId(1), &shard(1, 0))).await);
        assert_eq!((counts.get(&NodeId(2)), counts.get(&NodeId(1)), counts.get(&NodeId(9))), (Some(&1), Some(&1), None));
        assert_consistent(&*store).await;
        let before = rows_of(&*store).await;
        assert!(forget(&*store, &faults, |_, _| true, 6).await.expect("forgotten").is_empty(), "a retry counts nothing");
        assert_eq!(rows_of(&*store).await, before);
    }

    #[tokio::test]
    async fn what_is_not_allowed_stays() {
        let store = store();
        enter(&*store, &[commit_of(0, 2, &[1, 2, 3])], |_| true, |_| None, 1).await.expect("entered");
        forget(&*store, &[fault(0, 1, 2, false)], |_, positions| positions != [1], 5).await.expect("answered");
        assert_eq!(holders(&*store, 0).await, [1, 2, 3]);
    }

    #[tokio::test]
    async fn another_holder_of_the_same_shard_stays() {
        let store = store();
        enter(&*store, &[commit_of(0, 2, &[1, 102, 3])], |_| true, |_| None, 1).await.expect("entered");
        let second = Rebuilt { segment: segment(0), position: 1, shard: shard(0, 1), node: NodeId(5), replaces: None };
        record(&*store, &second, view, 2).await.expect("recorded");
        forget(&*store, &[fault(0, 1, 102, false)], |row, lost| row.names(NodeId(5)) && lost == [1], 5).await.expect("forgotten");
        assert_eq!(named(&*store, 0).await, [[1], [5], [3]]);
        assert_consistent(&*store).await;
    }

    #[tokio::test]
    async fn a_donors_own_loss_touches_every_segment_that_shares_the_shard() {
        let store = store();
        let mut twin = commit_of(1, 2, &[1, 2, 3]);
        twin.shards[0].id = shard(0, 0);
        enter(&*store, &[commit_of(0, 2, &[1, 2, 3]), twin], |_| true, |_| None, 1).await.expect("entered");
        let faults = missing_at(&*store, NodeId(1), shard(0, 0)).await.expect("read");
        assert_eq!(faults.len(), 2);
        forget(&*store, &faults, |_, _| true, 5).await.expect("forgotten");
        assert_eq!((holders(&*store, 0).await, holders(&*store, 1).await), (vec![0, 2, 3], vec![0, 2, 3]));
    }
}
