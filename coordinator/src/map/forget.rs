//! Shards that turned out to be missing or corrupt.

use std::collections::{BTreeMap, HashMap};

use nodio_meta::{Outcome, Store, StoreError, transact};
use nodio_wire::{NodeId, SegmentId, ShardId, UnixMs};

use crate::keyspace;
use crate::limits::REPORTS_PER_COMMIT;
use crate::tables::{Batch, DoomedRow, MendRow, NodeRow, SegmentRow, page, read, read_segment};

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
/// `allows` has the last word on a segment: whether these positions of it may be emptied. Returns faults counted by donor.
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
            let positions = positions_of(&held.row, faults);
            if positions.is_empty() || !allows(&held.row, &positions) {
                continue;
            }
            batch.at(keyspace::segment(segment), held.version);
            for node in empty(&mut batch, segment, held.row, &positions, faults, now) {
                *counts.entry(node).or_default() += 1;
            }
        }
        if batch.writes_nothing() {
            return Ok(Outcome::Done(counts));
        }
        count_faults(store, &mut batch, &counts).await?;
        Ok(Outcome::Commit(batch.into_commit(), counts))
    })
    .await
}

fn positions_of(row: &SegmentRow, faults: &[Fault]) -> Vec<u8> {
    let faulty =
        |(_, shard, node): &(u8, ShardId, NodeId)| faults.iter().any(|fault| fault.shard == *shard && fault.node == *node);
    row.placed().filter(faulty).map(|(position, _, _)| position).collect()
}

/// Writes the row without these positions; returns the donors that held them.
fn empty(
    batch: &mut Batch,
    segment: &SegmentId,
    mut row: SegmentRow,
    positions: &[u8],
    faults: &[Fault],
    now: UnixMs,
) -> Vec<NodeId> {
    let mut emptied = Vec::new();
    for position in positions {
        let place = &mut row.shards[usize::from(*position)];
        let Some(node) = place.node.take() else { continue };
        batch.delete(keyspace::holding(node, &place.id, segment));
        if faults.iter().any(|fault| fault.corrupt && fault.node == node && fault.shard == place.id) {
            batch.put(keyspace::doomed(node, &place.id), &DoomedRow { since: now });
        }
        emptied.push(node);
    }
    batch.put(keyspace::segment(segment), &row);
    batch.put(keyspace::mend(segment), &MendRow { since: now });
    emptied
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
    use super::super::testing::{assert_consistent, commit_of, has, holders, rows_of, segment, shard, store};
    use super::*;

    fn fault(index: u32, position: u8, node: u32, corrupt: bool) -> Fault {
        Fault { segment: segment(index), shard: shard(index, position), node: NodeId(node), corrupt }
    }

    #[tokio::test]
    async fn a_reported_shard_is_forgotten_queued_and_if_corrupt_deleted() {
        let store = store();
        enter(&*store, &[commit_of(0, 2, &[1, 2, 3]), commit_of(1, 2, &[1, 2, 3])], |_| false, 1).await.expect("entered");
        let faults = [fault(0, 1, 2, true), fault(1, 0, 1, false), fault(1, 2, 9, true), fault(8, 0, 1, true)];
        let counts = forget(&*store, &faults, |_, _| true, 5).await.expect("forgotten");
        assert_eq!((holders(&*store, 0).await, holders(&*store, 1).await), (vec![1, 0, 3], vec![0, 2, 3]));
        assert!(has(&*store, keyspace::mend(&segment(0))).await && has(&*store, keyspace::mend(&segment(1))).await);
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
        enter(&*store, &[commit_of(0, 2, &[1, 2, 3])], |_| false, 1).await.expect("entered");
        forget(&*store, &[fault(0, 1, 2, false)], |_, positions| positions != [1], 5).await.expect("answered");
        assert_eq!(holders(&*store, 0).await, [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_donors_own_loss_touches_every_segment_that_shares_the_shard() {
        let store = store();
        let mut twin = commit_of(1, 2, &[1, 2, 3]);
        twin.shards[0].id = shard(0, 0);
        enter(&*store, &[commit_of(0, 2, &[1, 2, 3]), twin], |_| false, 1).await.expect("entered");
        let faults = missing_at(&*store, NodeId(1), shard(0, 0)).await.expect("read");
        assert_eq!(faults.len(), 2);
        forget(&*store, &faults, |_, _| true, 5).await.expect("forgotten");
        assert_eq!((holders(&*store, 0).await, holders(&*store, 1).await), (vec![0, 2, 3], vec![0, 2, 3]));
    }
}
