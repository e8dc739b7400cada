//! Multipart uploads: begun, fed with parts, listed, aborted. How one becomes an object is in `complete`.

use std::collections::HashSet;

use bytes::Bytes;
use nodio_meta::row::decode;
use nodio_meta::{Direction, KeyRange, Outcome, Version};
use nodio_wire::UnixMs;

use super::objects::plan_inline;
use super::plan::Plan;
use super::usage::of_part;
use super::{TableError, Tables, keyspace};
use crate::names::{ObjectKey, ObjectUid, PART_NUMBER_MAX, PartNumber, UploadId};
use crate::rows::{BucketRow, PartRef, UploadRow, UploadedPartRow};

/// A part whose bytes are durable, its key wrapped for the upload's key and uid.
#[derive(Debug, Clone)]
pub(crate) struct NewPart {
    pub(crate) part: PartRef,
    /// The sealed bytes of a part placed `Inline`.
    pub(crate) inline: Option<Bytes>,
}

/// Parts of an upload, ascending by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartPage {
    pub(crate) parts: Vec<UploadedPartRow>,
    /// Where to go on, if there are more: the last number listed.
    pub(crate) next: Option<PartNumber>,
}

/// An uploaded part as it was read.
pub(super) struct FoundPart {
    pub(super) row: UploadedPartRow,
    version: Version,
}

impl Tables {
    /// Begins the upload that `row` says; its uid, fresh from [`ObjectUid::new`], is the upload's id.
    ///
    /// # Errors
    /// [`TableError::NoSuchBucket`].
    pub(crate) async fn create_upload(
        &self,
        bucket: &BucketRow,
        key: &ObjectKey,
        row: &UploadRow,
    ) -> Result<UploadId, TableError> {
        self.change(|| async {
            let (bucket, version) = self.same_bucket(bucket).await?;
            let upload_key = keyspace::upload(bucket.id, key, row.uid);
            let mut plan = Plan::default();
            plan.at(keyspace::bucket(&bucket.name), version);
            plan.absent(upload_key.clone());
            plan.put(upload_key, row);
            Ok(Outcome::Commit(plan.into_commit(), UploadId(row.uid)))
        })
        .await
    }

    /// # Errors
    /// [`TableError::NoSuchUpload`], also where it is another key's.
    pub(crate) async fn upload(&self, bucket: &BucketRow, key: &ObjectKey, upload: UploadId) -> Result<UploadRow, TableError> {
        let found = self.row(&keyspace::upload(bucket.id, key, upload.0)).await?;
        found.map(|(row, _)| row).ok_or(TableError::NoSuchUpload)
    }

    /// Enters a part; a former part of its number is let go.
    ///
    /// # Errors
    /// [`TableError::NoSuchUpload`], [`TableError::QuotaExceeded`]. But for [`TableError::Store`], the part is still unnamed then: [`Tables::abandon`] it.
    pub(crate) async fn put_part(
        &self,
        bucket: &BucketRow,
        key: &ObjectKey,
        upload: UploadId,
        new: &NewPart,
        now: UnixMs,
    ) -> Result<UploadedPartRow, TableError> {
        let row = UploadedPartRow { part: new.part.clone(), modified: now };
        self.change(|| async {
            let mut plan = Plan::default();
            self.plan_upload_check(&mut plan, bucket, key, upload).await?;
            // Its quota may have changed since the request began.
            let (bucket, _) = self.same_bucket(bucket).await?;
            let part_key = keyspace::part(upload.0, new.part.number);
            match self.row::<UploadedPartRow>(&part_key).await? {
                Some((former, version)) => {
                    plan.at(part_key.clone(), version);
                    plan.uncount(of_part(&former.part));
                    let kept = HashSet::from([new.part.id]);
                    self.plan_unreference(&mut plan, upload.0, &[former.part], &kept, now).await?;
                }
                None => plan.absent(part_key.clone()),
            }
            plan.put(part_key, &row);
            plan.count(of_part(&new.part));
            Self::plan_references(&mut plan, upload.0, [&new.part]);
            plan_inline(&mut plan, new.part.id, new.inline.as_ref());
            Ok(Outcome::Commit(self.booked(plan, &bucket).await?, row.clone()))
        })
        .await
    }

    /// The upload's parts with numbers above `after`, at most `limit`.
    ///
    /// # Errors
    /// [`TableError::NoSuchUpload`].
    pub(crate) async fn list_parts(
        &self,
        bucket: &BucketRow,
        key: &ObjectKey,
        upload: UploadId,
        after: Option<PartNumber>,
        limit: usize,
    ) -> Result<PartPage, TableError> {
        let range = keyspace::parts_after(upload.0, after);
        let rows = self.store.scan(range, limit.saturating_add(1), Direction::Ascending).await?;
        // Afterwards, so that a racing end of the upload is no empty list.
        self.upload(bucket, key, upload).await?;
        let more = rows.len() > limit;
        let rows = rows.iter().take(limit).map(|row| decode(&row.value));
        let parts: Vec<UploadedPartRow> = rows.collect::<Result<_, _>>()?;
        let last = parts.last().filter(|_| more).map(|row| PartNumber::new(row.part.number.into()));
        Ok(PartPage { next: last.and_then(Result::ok), parts })
    }

    /// Ends the upload and lets go of all its parts.
    ///
    /// # Errors
    /// [`TableError::NoSuchUpload`], also when it was completed or aborted before.
    pub(crate) async fn abort_upload(
        &self,
        bucket: &BucketRow,
        key: &ObjectKey,
        upload: UploadId,
        now: UnixMs,
    ) -> Result<(), TableError> {
        self.change(|| async {
            let mut plan = Plan::default();
            self.plan_upload_check(&mut plan, bucket, key, upload).await?;
            let parts = self.uploaded_parts(upload.0).await?;
            plan_upload_end(&mut plan, keyspace::upload(bucket.id, key, upload.0), upload.0, &parts);
            let parts: Vec<_> = parts.into_iter().map(|found| found.row.part).collect();
            self.plan_unreference(&mut plan, upload.0, &parts, &HashSet::new(), now).await?;
            Ok(Outcome::Commit(self.booked(plan, bucket).await?, ()))
        })
        .await
    }

    /// The upload, which must still be there when the plan is committed.
    pub(super) async fn plan_upload_check(
        &self,
        plan: &mut Plan,
        bucket: &BucketRow,
        key: &ObjectKey,
        upload: UploadId,
    ) -> Result<UploadRow, TableError> {
        let row_key = keyspace::upload(bucket.id, key, upload.0);
        let (row, version) = self.row(&row_key).await?.ok_or(TableError::NoSuchUpload)?;
        plan.at(row_key, version);
        Ok(row)
    }

    /// All parts of the upload, ascending by number.
    pub(super) async fn uploaded_parts(&self, uid: ObjectUid) -> Result<Vec<FoundPart>, TableError> {
        let range = KeyRange::prefix(&keyspace::parts(uid));
        let rows = self.store.scan(range, PART_NUMBER_MAX.into(), Direction::Ascending).await?;
        rows.into_iter().map(|row| Ok(FoundPart { row: decode(&row.value)?, version: row.version })).collect()
    }
}

/// Ends the upload, provided that `parts` are still exactly its parts: UploadPart doesn't touch the upload's row, so that parts don't
/// hinder one another; who ends the upload checks part by part, and the gaps between.
pub(super) fn plan_upload_end(plan: &mut Plan, upload_key: Bytes, uid: ObjectUid, parts: &[FoundPart]) {
    let mut before = 0;
    for found in parts {
        let number = found.row.part.number;
        if number > before + 1 {
            plan.empty(keyspace::parts_between(uid, before, number));
        }
        plan.at(keyspace::part(uid, number), found.version);
        plan.uncount(of_part(&found.row.part));
        before = number;
    }
    plan.empty(keyspace::parts_between(uid, before, u16::MAX));
    plan.delete(upload_key);
    plan.delete_range(KeyRange::prefix(&keyspace::parts(uid)));
}
