//! Shards that donors shall delete.

use nodio_meta::{Direction, Outcome, Store, StoreError, transact};
use nodio_wire::{NodeId, ShardId};

use crate::keyspace;
use crate::limits::DELETES_PER_TASK;
use crate::tables::{Batch, any_row};

/// The next batch for a donor: shards that no segment names it for now. `busy` ones are passed over.
/// A row whose shard is named again is dropped.
pub(crate) async fn due(store: &dyn Store, node: NodeId, busy: impl Fn(&ShardId) -> bool) -> Result<Vec<ShardId>, StoreError> {
    let rows = store.scan(keyspace::dooms_of(node), DELETES_PER_TASK, Direction::Ascending).await?;
    let (mut due, mut named) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        let shard = keyspace::parse_doomed(&row.key)?;
        // In this order: what ceases to arrive in between is named by then.
        let arrives = busy(&shard);
        if any_row(store, keyspace::holdings_of_shard(node, &shard)).await? {
            named.push(shard);
        } else if !arrives {
            due.push(shard);
        }
    }
    settle(store, node, &named).await?;
    Ok(due)
}

/// Up to `limit` shards that a donor shall delete.
pub(crate) async fn of(store: &dyn Store, node: NodeId, limit: usize) -> Result<Vec<ShardId>, StoreError> {
    let rows = store.scan(keyspace::dooms_of(node), limit, Direction::Ascending).await?;
    rows.iter().map(|row| keyspace::parse_doomed(&row.key)).collect()
}

/// These shards are deleted, or shall not be.
pub(crate) async fn settle(store: &dyn Store, node: NodeId, shards: &[ShardId]) -> Result<(), StoreError> {
    if shards.is_empty() {
        return Ok(());
    }
    transact(store, async || {
        let mut batch = Batch::default();
        shards.iter().for_each(|shard| batch.delete(keyspace::doomed(node, shard)));
        Ok(Outcome::Commit(batch.into_commit(), ()))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::super::commit::enter;
    use super::super::testing::{commit_of, has, shard, store};
    use super::*;
    use crate::tables::DoomedRow;

    #[tokio::test]
    async fn a_shard_that_is_named_again_is_not_deleted() {
        let store = store();
        enter(&*store, &[commit_of(0, 2, &[1, 2, 3])], |_| true, |_| None, 1).await.expect("entered");
        let mut batch = Batch::default();
        for id in [shard(0, 0), shard(5, 5), shard(6, 6)] {
            batch.put(keyspace::doomed(NodeId(1), &id), &DoomedRow { since: 1 });
        }
        store.commit(batch.into_commit()).await.expect("written");
        let found = due(&*store, NodeId(1), |id| *id == shard(6, 6)).await.expect("read");
        assert_eq!(found, [shard(5, 5)]);
        assert!(!has(&*store, keyspace::doomed(NodeId(1), &shard(0, 0))).await);
        settle(&*store, NodeId(1), &found).await.expect("settled");
        assert!(due(&*store, NodeId(1), |_| false).await.expect("read") == [shard(6, 6)]);
    }
}
