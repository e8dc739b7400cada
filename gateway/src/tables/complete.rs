//! CompleteMultipartUpload: the parts listed become one object, the upload and the parts not listed end, in one commit.

use std::collections::{BTreeMap, HashSet};

use nodio_meta::Outcome;
use nodio_wire::UnixMs;

use super::objects::{body_of, plan_body};
use super::outbox::Told;
use super::plan::Plan;
use super::uploads::{FoundPart, plan_upload_end};
use super::{Precondition, TableError, Tables, keyspace};
use crate::checksum::{Checksum, ChecksumKind, ChecksumScope, combine_crc, composite};
use crate::names::{ObjectKey, PartNumber, UploadId, VersionId};
use crate::rows::{BucketRow, ETag, LiveObject, ObjectChecksum, ObjectRow, ObjectState, PartRef, UploadRow};

/// Every part but the last has at least this ("Amazon S3 multipart upload limits" in the S3 User Guide).
pub(crate) const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;

/// A part as the client names it.
#[derive(Debug, Clone)]
pub(crate) struct ListedPart {
    pub(crate) number: PartNumber,
    /// With or without quotes.
    pub(crate) etag: String,
    pub(crate) checksum: Option<Checksum>,
}

/// What the client says the object is made of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Completion {
    pub(crate) parts: Vec<ListedPart>,
    /// Of the whole object, in the upload's kind and scope.
    pub(crate) checksum: Option<Checksum>,
    /// Of the whole object, bytes.
    pub(crate) size: Option<u64>,
}

impl Tables {
    /// Makes the upload's object of the parts listed; the others are let go. Said again after it succeeded, it answers the same as long as
    /// the object is still that upload's.
    ///
    /// # Errors
    /// [`TableError::NoParts`], [`TableError::InvalidPartOrder`], [`TableError::InvalidPart`], [`TableError::EntityTooSmall`],
    /// [`TableError::SizeMismatch`], [`TableError::ChecksumMismatch`], [`TableError::NoSuchUpload`], [`TableError::QuotaExceeded`], what `precondition` refuses. The upload
    /// goes on existing.
    pub(crate) async fn complete_upload(
        &self,
        bucket: &BucketRow,
        key: &ObjectKey,
        upload: UploadId,
        completion: &Completion,
        precondition: &Precondition,
        now: UnixMs,
    ) -> Result<ObjectRow, TableError> {
        check_order(&completion.parts)?;
        let (row, told) = self
            .change(|| async {
                let mut plan = Plan::default();
                // Before the upload itself: while that is there, its parts are what they are, not what a racing end left of them.
                let uploaded = self.uploaded_parts(upload.0).await?;
                let begun = match self.plan_upload_check(&mut plan, bucket, key, upload).await {
                    Err(TableError::NoSuchUpload) => return self.completed_before(bucket, key, upload, completion).await,
                    begun => begun?,
                };
                let (listed, unlisted) = sort_out(&uploaded, &completion.parts)?;
                let row = new_row(begun, &listed, completion, now)?;
                let slot = self.slot(bucket, key).await?;
                precondition.check(slot.etag())?;
                plan_upload_end(&mut plan, keyspace::upload(bucket.id, key, upload.0), upload.0, &uploaded);
                let row = self.plan_version(&mut plan, &slot, row, &HashSet::new()).await?;
                self.plan_unreference(&mut plan, upload.0, &unlisted, &HashSet::new(), now).await?;
                plan_body(&mut plan, upload.0, &listed);
                let told = self.plan_event(&mut plan, (&slot.bucket, key), &row)?;
                Ok(Outcome::Commit(self.booked(plan, &slot.bucket).await?, (row, told)))
            })
            .await?;
        self.ring(&told);
        Ok(row)
    }

    async fn completed_before(
        &self,
        bucket: &BucketRow,
        key: &ObjectKey,
        upload: UploadId,
        completion: &Completion,
    ) -> Result<Outcome<(ObjectRow, Told)>, TableError> {
        let row = self.newest(bucket, key).await?.map(|found| found.row).filter(|row| row.uid == upload.0);
        let row = row.ok_or(TableError::NoSuchUpload)?;
        let parts = self.parts(&row).await?;
        let same = |(part, listed): (&PartRef, &ListedPart)| part.number == listed.number.get() && is_part(part, listed);
        if parts.len() != completion.parts.len() || !parts.iter().zip(&completion.parts).all(same) {
            return Err(TableError::NoSuchUpload);
        }
        Ok(Outcome::Done((row, Told::default())))
    }
}

fn check_order(parts: &[ListedPart]) -> Result<(), TableError> {
    if parts.is_empty() {
        return Err(TableError::NoParts);
    }
    if parts.windows(2).any(|pair| pair[0].number >= pair[1].number) {
        return Err(TableError::InvalidPartOrder);
    }
    Ok(())
}

fn is_part(part: &PartRef, listed: &ListedPart) -> bool {
    let same_etag = listed.etag.parse() == Ok(ETag::single(part.md5));
    same_etag && listed.checksum.as_ref().is_none_or(|checksum| part.checksum.as_ref() == Some(checksum))
}

/// The parts listed and those not.
fn sort_out(uploaded: &[FoundPart], listed: &[ListedPart]) -> Result<(Vec<PartRef>, Vec<PartRef>), TableError> {
    let mut left: BTreeMap<u16, &PartRef> = uploaded.iter().map(|found| (found.row.part.number, &found.row.part)).collect();
    let mut chosen = Vec::with_capacity(listed.len());
    for wanted in listed {
        let number = wanted.number.get();
        let part = left.remove(&number).filter(|part| is_part(part, wanted)).ok_or(TableError::InvalidPart { number })?;
        chosen.push(part.clone());
    }
    let all_but_last = &chosen[..chosen.len().saturating_sub(1)];
    if let Some(small) = all_but_last.iter().find(|part| part.len < PART_BYTES_MIN) {
        return Err(TableError::EntityTooSmall { number: small.number });
    }
    Ok((chosen, left.into_values().cloned().collect()))
}

fn new_row(upload: UploadRow, parts: &[PartRef], completion: &Completion, now: UnixMs) -> Result<ObjectRow, TableError> {
    let size = parts.iter().map(|part| part.len).sum();
    if let Some(want) = completion.size.filter(|want| *want != size) {
        return Err(TableError::SizeMismatch { want, got: size });
    }
    let checksum = upload.checksum.and_then(|(kind, scope)| whole_checksum(kind, scope, parts));
    if let Some(said) = &completion.checksum
        && checksum.as_ref().is_some_and(|ours| ours.checksum != *said)
    {
        return Err(TableError::ChecksumMismatch);
    }
    let live = LiveObject {
        size,
        etag: ETag::of_parts(parts.iter().map(|part| part.md5)),
        headers: upload.headers,
        user_meta: upload.user_meta,
        tags: upload.tags,
        acl: upload.acl,
        lock: upload.lock,
        sse: upload.sse,
        checksum,
        storage_class: upload.storage_class,
        body: body_of(parts),
    };
    let state = ObjectState::Live(Box::new(live));
    Ok(ObjectRow { uid: upload.uid, version: VersionId::Null, modified: now, owner: upload.owner, state })
}

/// `None` if a part lacks a checksum of this kind.
fn whole_checksum(kind: ChecksumKind, scope: ChecksumScope, parts: &[PartRef]) -> Option<ObjectChecksum> {
    let of_part = |part: &PartRef| part.checksum.clone().filter(|checksum| checksum.kind == kind);
    let checksums: Vec<Checksum> = parts.iter().map(of_part).collect::<Option<_>>()?;
    let checksum = match scope {
        ChecksumScope::Composite => composite(kind, &checksums),
        ChecksumScope::FullObject => {
            let with_len: Vec<_> = checksums.into_iter().zip(parts.iter().map(|part| part.len)).collect();
            combine_crc(kind, &with_len)?
        }
    };
    Some(ObjectChecksum { checksum, scope })
}
