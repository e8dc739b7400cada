//! Entering new segments.

use std::collections::HashSet;

use nodio_meta::{Outcome, Store, transact};
use nodio_wire::fleet::SegmentCommit;
use nodio_wire::limits::{SEGMENTS_PER_CALL_MAX, SHARD_BYTES_MAX};
use nodio_wire::{NodeId, UnixMs};

use super::MapError;
use super::holders::name;
use crate::keyspace;
use crate::tables::{Batch, MendRow, Place, SegmentRow, read_segment};

/// Refuses what can't be a commit of this protocol.
pub(crate) fn check(segments: &[SegmentCommit], knows: impl Fn(NodeId) -> bool) -> Result<(), MapError> {
    let refuse = |reason: String| Err(MapError::Refused(reason));
    if segments.len() > SEGMENTS_PER_CALL_MAX {
        return refuse(format!("more than {SEGMENTS_PER_CALL_MAX} segments"));
    }
    let mut seen = HashSet::new();
    for commit in segments {
        let id = commit.segment;
        let placed: Vec<NodeId> = commit.shards.iter().filter_map(|shard| shard.node).collect();
        let distinct: HashSet<NodeId> = placed.iter().copied().collect();
        if !seen.insert(id) {
            return refuse(format!("segment {id} is named twice"));
        }
        if commit.shards.len() != commit.code.n() {
            return refuse(format!("segment {id} has {} shards, not {}", commit.shards.len(), commit.code.n()));
        }
        if commit.shard_bytes == 0 || commit.shard_bytes as usize > SHARD_BYTES_MAX {
            return refuse(format!("segment {id} has shards of {} bytes", commit.shard_bytes));
        }
        if distinct.len() != placed.len() || !distinct.iter().all(|node| knows(*node)) {
            return refuse(format!("segment {id} names a donor twice or one that is unknown"));
        }
        if placed.len() < commit.code.write_quorum() {
            return refuse(format!("segment {id} has {} shards stored, fewer than the write quorum", placed.len()));
        }
    }
    Ok(())
}

/// Enters the segments that aren't in the map yet, all in one commit. Returns which these were, by place in `segments`.
/// `is_young` judges the grant of such a segment: under an old one the donors may have thrown its shards away as litter.
/// `urgency` says whether a row is to be looked at by the planner, and how soon.
pub(crate) async fn enter(
    store: &dyn Store,
    segments: &[SegmentCommit],
    is_young: impl Fn(u64) -> bool,
    urgency: impl Fn(&SegmentRow) -> Option<u8>,
    now: UnixMs,
) -> Result<Vec<usize>, MapError> {
    transact(store, async || {
        let (mut batch, mut fresh) = (Batch::default(), Vec::new());
        for (at, commit) in segments.iter().enumerate() {
            match read_segment(store, &commit.segment).await? {
                Some(known) if is_same(&known.row, commit) => {}
                Some(_) => return Err(MapError::Refused(format!("segment {} is known with other shards", commit.segment))),
                None if !is_young(commit.grant) => {
                    return Err(MapError::Refused(format!("the grant of segment {} is too old", commit.segment)));
                }
                None => {
                    let row = row_of(commit, now);
                    write(&mut batch, commit, &row, urgency(&row), now);
                    fresh.push(at);
                }
            }
        }
        Ok(if fresh.is_empty() { Outcome::Done(fresh) } else { Outcome::Commit(batch.into_commit(), fresh) })
    })
    .await
}

/// A retry of the same commit; its shards may have moved since.
fn is_same(known: &SegmentRow, commit: &SegmentCommit) -> bool {
    let ids = || known.shards.iter().map(|place| place.id);
    known.code == commit.code && known.shard_bytes == commit.shard_bytes && ids().eq(commit.shards.iter().map(|shard| shard.id))
}

fn row_of(commit: &SegmentCommit, now: UnixMs) -> SegmentRow {
    let shards = commit.shards.iter().map(|shard| Place { id: shard.id, holders: shard.node.into_iter().collect() }).collect();
    SegmentRow { code: commit.code, shard_bytes: commit.shard_bytes, committed: now, shards }
}

fn write(batch: &mut Batch, commit: &SegmentCommit, row: &SegmentRow, urgency: Option<u8>, now: UnixMs) {
    let key = keyspace::segment(&commit.segment);
    batch.absent(key.clone());
    batch.put(key, row);
    for (position, shard, node) in row.placed() {
        name(batch, &commit.segment, row.shard_bytes, position, &shard, node, now);
    }
    if let Some(urgency) = urgency {
        batch.put(keyspace::mend(urgency, &commit.segment), &MendRow { since: now, forced: false });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{commit_of, rows_of, store};
    use super::*;
    use nodio_wire::fleet::PlacedShard;

    #[tokio::test]
    async fn a_commit_is_entered_once_and_a_retry_changes_nothing() {
        let store = store();
        let segments = [commit_of(0, 2, &[1, 2, 3, 0]), commit_of(1, 2, &[1, 2, 3, 4])];
        let wants = |row: &SegmentRow| (row.placed().count() < row.code.n()).then_some(150);
        assert_eq!(enter(&*store, &segments, |_| true, wants, 5).await.expect("entered"), [0, 1]);
        let before = rows_of(&*store).await;
        assert!(enter(&*store, &segments, |_| false, wants, 6).await.expect("entered").is_empty());
        assert_eq!(rows_of(&*store).await, before);
        let kinds: Vec<u8> = before.iter().map(|(key, _)| key[0]).collect();
        assert_eq!(String::from_utf8_lossy(&kinds), "nnnnnnnrss");
    }

    #[tokio::test]
    async fn other_shards_under_a_known_name_are_refused_whole() {
        let store = store();
        let known = commit_of(0, 2, &[1, 2, 3]);
        enter(&*store, std::slice::from_ref(&known), |_| true, |_| None, 5).await.expect("entered");
        let mut other = known;
        other.shards[1].id.0[0] ^= 1;
        let before = rows_of(&*store).await;
        assert!(enter(&*store, &[commit_of(1, 2, &[1, 2, 3]), other], |_| true, |_| None, 6).await.is_err());
        assert_eq!(rows_of(&*store).await, before);
    }

    #[tokio::test]
    async fn under_an_old_grant_nothing_new_is_entered() {
        let store = store();
        let young = SegmentCommit { grant: 9, ..commit_of(1, 2, &[1, 2, 3]) };
        assert!(enter(&*store, &[young, commit_of(0, 2, &[1, 2, 3])], |grant| grant == 9, |_| None, 5).await.is_err());
        assert!(rows_of(&*store).await.is_empty());
    }

    #[test]
    fn what_breaks_the_protocol_is_refused() {
        let good = commit_of(0, 2, &[1, 2, 3, 0]);
        let knows = |node: NodeId| node.0 < 10;
        assert!(check(std::slice::from_ref(&good), knows).is_ok());
        let change = |change: &dyn Fn(&mut SegmentCommit)| {
            let mut bad = good.clone();
            change(&mut bad);
            check(&[bad], knows).is_err()
        };
        assert!(change(&|c| c.shards[0].node = Some(NodeId(2))), "a donor twice");
        assert!(change(&|c| c.shards[0].node = Some(NodeId(77))), "an unknown donor");
        assert!(change(&|c| c.shards[0].node = None), "below the quorum");
        assert!(change(&|c| c.shard_bytes = 0) && change(&|c| c.shard_bytes = u32::MAX), "shard length");
        assert!(change(&|c| c.shards.push(PlacedShard { id: c.shards[0].id, node: None })), "too many shards");
        assert!(check(&[good.clone(), good.clone()], knows).is_err(), "a segment twice");
    }
}
