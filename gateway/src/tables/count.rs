//! Counting anew: a walk over all rows says what every counter should.

use std::collections::BTreeMap;

use bytes::Bytes;
use nodio_meta::row::decode;
use nodio_meta::{Direction, KeyRange, Outcome, Row, Sums};

use super::plan::Plan;
use super::usage::{of_listed, of_part};
use super::{TableError, Tables, keyspace};
use crate::names::BucketId;
use crate::rows::{BucketRow, ListedVersion, UploadRow};

/// Rows looked at in one scan.
const SCAN_ROWS: usize = 1000;

impl Tables {
    /// Counts what was written before there were counters, unless that was done once: from then on they are kept. Nobody may write
    /// meanwhile. One commit sets them all, so that a count that breaks off is begun anew at the next start.
    ///
    /// # Errors
    /// As the store's.
    pub async fn count_once(&self) -> Result<(), TableError> {
        self.change(|| async {
            let marker = Bytes::from_static(keyspace::COUNTED);
            if self.store.get(&marker).await?.is_some() {
                return Ok(Outcome::Done(()));
            }
            let mut plan = Plan::default();
            plan.absent(marker.clone());
            plan.put_bytes(marker, Bytes::new());
            for (counter, sums) in self.recount().await? {
                plan.put_bytes(counter, sums.to_value());
            }
            Ok(Outcome::Commit(plan.into_commit(), ()))
        })
        .await
    }

    /// What each counter should say, by its row's key; those that should be zeros may be left out.
    pub(super) async fn recount(&self) -> Result<BTreeMap<Bytes, Sums>, TableError> {
        let mut counters: BTreeMap<Bytes, Sums> = BTreeMap::new();
        let mut after = None;
        loop {
            let buckets = self.all_buckets(after.as_ref(), SCAN_ROWS).await?;
            for bucket in &buckets {
                let held = self.count_bucket(bucket).await?;
                for counter in [keyspace::bucket_usage(bucket.id), keyspace::user_usage(&bucket.owner)] {
                    let sums = counters.entry(counter).or_default();
                    *sums = sums.plus(held);
                }
            }
            match buckets.into_iter().last() {
                Some(last) => after = Some(last.name),
                None => return Ok(counters),
            }
        }
    }

    async fn count_bucket(&self, bucket: &BucketRow) -> Result<Sums, TableError> {
        let mut held = Sums::default();
        let mut objects = KeyRange::prefix(&keyspace::objects(bucket.id));
        while let Some(rows) = self.next_rows(&mut objects).await? {
            for row in rows {
                held = held.plus(of_listed(&ListedVersion::read(&row.value)?));
            }
        }
        Ok(held.plus(self.count_uploads(bucket.id).await?))
    }

    async fn count_uploads(&self, bucket: BucketId) -> Result<Sums, TableError> {
        let mut held = Sums::default();
        let mut uploads = KeyRange::prefix(&keyspace::uploads(bucket));
        while let Some(rows) = self.next_rows(&mut uploads).await? {
            for row in rows {
                let upload: UploadRow = decode(&row.value)?;
                for found in self.uploaded_parts(upload.uid).await? {
                    held = held.plus(of_part(&found.row.part));
                }
            }
        }
        Ok(held)
    }

    /// The range's first rows, if there are any; the range is then what lies behind them.
    async fn next_rows(&self, range: &mut KeyRange) -> Result<Option<Vec<Row>>, TableError> {
        let rows = self.store.scan(range.clone(), SCAN_ROWS, Direction::Ascending).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        *range = range.clone().starting_after(last.key.clone());
        Ok(Some(rows))
    }
}
