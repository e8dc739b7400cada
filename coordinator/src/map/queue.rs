//! The mend queue's rows.
//!
//! A segment may stand in it several times: whoever finds something wrong puts it where he thinks it belongs, and the planner drops what
//! says nothing (any more). So nobody has to look for other rows first.

use nodio_meta::{CommitError, Store, StoreError};
use nodio_wire::{SegmentId, UnixMs};

use crate::keyspace;
use crate::limits::PAGE_ROWS;
use crate::state::repair::urgency;
use crate::tables::{Batch, MendRow, decode, page};

/// Puts segments on the queue. One that was released meanwhile is taken off again by the planner.
pub(crate) async fn put(store: &dyn Store, segments: &[(SegmentId, u8)], row: MendRow) -> Result<(), StoreError> {
    if segments.is_empty() {
        return Ok(());
    }
    let mut batch = Batch::default();
    segments.iter().for_each(|(id, urgency)| batch.put(keyspace::mend(*urgency, id), &row));
    commit(store, batch).await
}

/// Brings rows of the first layout, whose keys said no urgency, to the front of the queue, where the planner judges them. The whole queue
/// is read, once at each start: it is short but after a disaster, and must not be missed then.
pub(crate) async fn upgrade(store: &dyn Store) -> Result<(), StoreError> {
    let mut rest = Some(keyspace::mends());
    while let Some(range) = rest {
        let (rows, left) = page(store, range, PAGE_ROWS).await?;
        let mut batch = Batch::default();
        for row in rows {
            let key = keyspace::parse_mend(&row.key)?;
            if key.urgency.is_none() {
                batch.put(keyspace::mend(urgency::UNJUDGED, &key.segment), &decode::<MendRow>(&row.value)?);
                batch.delete(row.key);
            }
        }
        commit(store, batch).await?;
        rest = left;
    }
    Ok(())
}

/// Has the segment judged by the planner, before any other.
pub(crate) fn put_unjudged(batch: &mut Batch, segment: &SegmentId, now: UnixMs) {
    batch.put(keyspace::mend(urgency::UNJUDGED, segment), &MendRow { since: now, forced: false });
}

/// If a row that was checked changed meanwhile, nothing is done: the next round sees it.
pub(crate) async fn commit(store: &dyn Store, batch: Batch) -> Result<(), StoreError> {
    if batch.writes_nothing() {
        return Ok(());
    }
    match store.commit(batch.into_commit()).await {
        Ok(_) | Err(CommitError::Conflict) => Ok(()),
        Err(CommitError::Store(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{PART, has, rows_of, segment, store};
    use super::*;
    use bytes::Bytes;
    use nodio_meta::Commit;

    #[tokio::test]
    async fn rows_of_the_first_layout_are_taken_over() {
        let store = store();
        let old_key = |index: u32| Bytes::from([b"r/".as_slice(), &PART.0, &index.to_be_bytes()].concat());
        for index in 0..3 {
            store.commit(Commit::new().put(old_key(index), vec![1, 9])).await.expect("written");
        }
        let row = MendRow { since: 5, forced: true };
        put(&*store, &[(segment(7), 130)], row).await.expect("put");
        upgrade(&*store).await.expect("upgraded");
        for index in 0..3 {
            assert!(
                !has(&*store, old_key(index)).await && has(&*store, keyspace::mend(urgency::UNJUDGED, &segment(index))).await
            );
        }
        let rows = rows_of(&*store).await;
        let known: Vec<MendRow> = rows.iter().map(|(_, value)| decode(value).expect("decodes")).collect();
        assert_eq!(known, [[MendRow { since: 9, forced: false }; 3].as_slice(), &[row]].concat());
        upgrade(&*store).await.expect("again");
        assert_eq!(rows_of(&*store).await, rows);
    }
}
