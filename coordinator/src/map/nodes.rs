//! Rows of donors.

use nodio_meta::{Outcome, Store, StoreError, transact};
use nodio_wire::NodeId;

use crate::keyspace;
use crate::limits::PAGE_ROWS;
use crate::tables::{Batch, Kept, NodeRow, decode, page, read};

/// Every donor ever registered.
pub(crate) async fn load(store: &dyn Store) -> Result<Vec<(NodeId, NodeRow)>, StoreError> {
    let mut nodes = Vec::new();
    let mut rest = Some(keyspace::nodes());
    while let Some(range) = rest {
        let (rows, left) = page(store, range, PAGE_ROWS).await?;
        for row in rows {
            nodes.push((keyspace::parse_node(&row.key)?, decode(&row.value)?));
        }
        rest = left;
    }
    Ok(nodes)
}

/// Enters a new donor.
pub(crate) async fn insert(store: &dyn Store, id: NodeId, row: &NodeRow) -> Result<(), StoreError> {
    transact(store, async || {
        let mut batch = Batch::default();
        let key = keyspace::node(id);
        if read::<NodeRow>(store, &key).await?.is_some() {
            return Err(StoreError::Failed(format!("donor {id} is there already")));
        }
        batch.absent(key.clone());
        batch.put(key, row);
        Ok(Outcome::Commit(batch.into_commit(), ()))
    })
    .await
}

/// Changes a donor's row; the new row, or `None` if there is no such donor.
pub(crate) async fn update(store: &dyn Store, id: NodeId, change: impl Fn(&mut NodeRow)) -> Result<Option<NodeRow>, StoreError> {
    let key = keyspace::node(id);
    transact(store, async || {
        let Some(held) = read::<NodeRow>(store, &key).await? else { return Ok(Outcome::Done(None)) };
        let mut row = held.row.clone();
        change(&mut row);
        if row == held.row {
            return Ok(Outcome::Done(Some(row)));
        }
        let mut batch = Batch::default();
        batch.at(key.clone(), held.version);
        batch.put(key.clone(), &row);
        Ok(Outcome::Commit(batch.into_commit(), Some(row)))
    })
    .await
}

/// Writes what was learned of some donors, in one commit. Donors that aren't known are passed over.
pub(crate) async fn keep(store: &dyn Store, learned: &[(NodeId, Kept)]) -> Result<(), StoreError> {
    transact(store, async || {
        let mut batch = Batch::default();
        for (id, kept) in learned {
            let key = keyspace::node(*id);
            let Some(held) = read::<NodeRow>(store, &key).await? else { continue };
            if held.row.kept != *kept {
                batch.at(key.clone(), held.version);
                batch.put(key, &NodeRow { kept: kept.clone(), ..held.row });
            }
        }
        if batch.writes_nothing() { Ok(Outcome::Done(())) } else { Ok(Outcome::Commit(batch.into_commit(), ())) }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::super::testing::store;
    use super::*;
    use crate::state::nodes::tests::row;

    #[tokio::test]
    async fn donors_are_entered_once_changed_and_loaded() {
        let store = store();
        insert(&*store, NodeId(1), &row(1)).await.expect("entered");
        assert!(insert(&*store, NodeId(1), &row(2)).await.is_err());
        let kept = Kept { away_since: Some(9), ..Kept::default() };
        keep(&*store, &[(NodeId(1), kept.clone()), (NodeId(8), kept.clone())]).await.expect("changed");
        assert_eq!(update(&*store, NodeId(5), |_| {}).await.expect("read"), None);
        let want = NodeRow { kept, ..row(1) };
        assert_eq!(load(&*store).await.expect("loaded"), [(NodeId(1), want)]);
    }
}
