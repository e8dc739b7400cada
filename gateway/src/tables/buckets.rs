//! Buckets: made, found, listed, and deleted only while nothing is in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use nodio_meta::row::decode;
use nodio_meta::{Direction, KeyRange, Outcome, Version};
use nodio_wire::UnixMs;

use super::plan::Plan;
use super::{TableError, Tables, keyspace};
use crate::names::{BucketId, BucketName, UserId};
use crate::rows::{Acl, BucketRow, ObjectOwnership, Versioning};

/// Buckets looked at in one scan.
const SCAN_ROWS: usize = 1000;

/// What CreateBucket is told.
#[derive(Debug, Clone)]
pub(crate) struct NewBucket {
    pub(crate) name: BucketName,
    pub(crate) owner: UserId,
    pub(crate) region: String,
    /// Also turns versioning on, as S3 does.
    pub(crate) object_lock: bool,
    pub(crate) acl: Option<Acl>,
    pub(crate) ownership: Option<ObjectOwnership>,
}

/// Buckets by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BucketPage {
    pub(crate) buckets: Vec<BucketRow>,
    /// Where to go on, if there are more.
    pub(crate) next: Option<BucketName>,
}

impl Tables {
    /// # Errors
    /// [`TableError::BucketExists`].
    pub(crate) async fn create_bucket(&self, new: NewBucket, now: UnixMs) -> Result<BucketRow, TableError> {
        let versioning = if new.object_lock { Versioning::Enabled } else { Versioning::Off };
        let mut row = BucketRow {
            id: BucketId::random(),
            name: new.name,
            owner: new.owner,
            created: now,
            versioning,
            object_lock: new.object_lock,
            region: new.region,
            acl: new.acl,
            settings: BTreeMap::new(),
        };
        row.set(new.ownership.as_ref());
        self.change(|| async {
            let key = keyspace::bucket(&row.name);
            if let Some((there, _)) = self.row::<BucketRow>(&key).await? {
                return Err(TableError::BucketExists { owned_by_you: there.owner == row.owner });
            }
            let mut plan = Plan::default();
            plan.absent(key.clone());
            plan.put(key, &row);
            Ok(Outcome::Commit(plan.into_commit(), row.clone()))
        })
        .await
    }

    /// # Errors
    /// [`TableError::NoSuchBucket`].
    pub(crate) async fn bucket(&self, name: &BucketName) -> Result<Arc<BucketRow>, TableError> {
        self.find_bucket(name).await?.map(|(row, _)| row).ok_or(TableError::NoSuchBucket)
    }

    async fn find_bucket(&self, name: &BucketName) -> Result<Option<(Arc<BucketRow>, Version)>, TableError> {
        let Some(found) = self.store.get(&keyspace::bucket(name)).await? else { return Ok(None) };
        let row = match self.buckets.get(name, found.version) {
            Some(known) => known,
            None => {
                let row = Arc::new(decode(&found.value)?);
                self.buckets.put(found.version, &row);
                row
            }
        };
        Ok(Some((row, found.version)))
    }

    /// The bucket's row as it is now, unless it was deleted (and perhaps made anew) since.
    pub(super) async fn same_bucket(&self, bucket: &BucketRow) -> Result<(Arc<BucketRow>, Version), TableError> {
        let found = self.find_bucket(&bucket.name).await?;
        found.filter(|(row, _)| row.id == bucket.id).ok_or(TableError::NoSuchBucket)
    }

    /// The owner's buckets whose names begin with `prefix`, after `after`, at most `limit`.
    pub(crate) async fn list_buckets(
        &self,
        owner: &UserId,
        prefix: &str,
        after: Option<&BucketName>,
        limit: usize,
    ) -> Result<BucketPage, TableError> {
        let mut range = KeyRange::prefix(&[keyspace::BUCKETS, prefix.as_bytes()].concat());
        if let Some(after) = after {
            range = range.starting_after(keyspace::bucket(after));
        }
        let mut page = BucketPage::default();
        loop {
            let rows = self.store.scan(range.clone(), SCAN_ROWS, Direction::Ascending).await?;
            for row in &rows {
                let bucket: BucketRow = decode(&row.value)?;
                if bucket.owner != *owner {
                    continue;
                }
                if page.buckets.len() == limit {
                    page.next = page.buckets.last().map(|last| last.name.clone());
                    return Ok(page);
                }
                page.buckets.push(bucket);
            }
            match rows.last() {
                Some(last) if rows.len() == SCAN_ROWS => range = range.starting_after(last.key.clone()),
                _ => return Ok(page),
            }
        }
    }

    /// Deletes the bucket if it has no object version and no upload, whatever races with it.
    ///
    /// # Errors
    /// [`TableError::NoSuchBucket`], [`TableError::BucketNotEmpty`].
    pub(crate) async fn delete_bucket(&self, name: &BucketName) -> Result<(), TableError> {
        self.change(|| async {
            let key = keyspace::bucket(name);
            let (row, version) = self.row::<BucketRow>(&key).await?.ok_or(TableError::NoSuchBucket)?;
            let mut plan = Plan::default();
            plan.at(key.clone(), version);
            for space in [keyspace::objects(row.id), keyspace::uploads(row.id)] {
                let range = KeyRange::prefix(&space);
                if !self.store.scan(range.clone(), 1, Direction::Ascending).await?.is_empty() {
                    return Err(TableError::BucketNotEmpty);
                }
                plan.empty(range);
            }
            plan.delete(key);
            plan.delete(keyspace::bucket_usage(row.id));
            Ok(Outcome::Commit(plan.into_commit(), ()))
        })
        .await
    }
}
