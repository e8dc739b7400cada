//! UploadPart and ListParts, and what UploadPartCopy shares with them.

use std::sync::Arc;

use http::HeaderMap;
use nodio_host::clock::now_ms;
use nodio_wire::CodePolicy;
use s3s::dto::{
    ChecksumAlgorithm, Initiator, ListPartsInput, ListPartsOutput, Part, StorageClass, UploadPartInput, UploadPartOutput,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::body::{announced_length, from_client};
use super::lifecycle;
use super::page::limit;
use super::shape::{Owners, etag, signed, timestamp, upload};
use crate::checksum::ChecksumKind;
use crate::names::{ObjectKey, PartNumber, UploadId};
use crate::pipeline::{WriteOptions, WrittenPart};
use crate::rows::{BucketRow, ETag, UploadRow, UploadedPartRow};
use crate::s3::Api;
use crate::s3::access::{caller, headers, trailers};
use crate::s3::digest::{Claims, Shown, scope_shown};
use crate::s3::encryption::{Of, Sealing, check_same, given};
use crate::s3::error::{fail, invalid_argument, object_key};
use crate::s3::limits::PUT_BYTES_MAX;
use crate::tables::{Coming, NewPart, TableError};

/// The part that an upload is about to get.
pub(super) struct Target {
    pub(super) bucket: Arc<BucketRow>,
    key: ObjectKey,
    pub(super) id: UploadId,
    pub(super) number: PartNumber,
    upload: UploadRow,
    pub(super) sealing: Sealing,
}

impl Target {
    /// `headers` must bring the key that the upload was begun with, if it was begun with one.
    pub(super) async fn find(
        api: &Api,
        bucket: Arc<BucketRow>,
        (key, upload_id, number): (&str, &str, i32),
        headers: &HeaderMap,
    ) -> S3Result<Self> {
        let key = object_key(key)?;
        let number = PartNumber::new(number.into())
            .map_err(|_| invalid_argument("Part number must be an integer between 1 and 10000, inclusive"))?;
        let id = upload(upload_id)?;
        let upload = api.tables.upload(&bucket, &key, id).await?;
        check_same(headers, &upload)?;
        let sealing = api.seal_part(&bucket, &upload, given(headers, Of::New)?)?;
        Ok(Self { bucket, key, id, number, upload, sealing })
    }

    /// The kind that every part of this upload carries.
    pub(super) fn kind(&self) -> ChecksumKind {
        self.upload.checksum.map_or(ChecksumKind::Crc64Nvme, |(kind, _)| kind)
    }

    /// The code of its parts.
    pub(super) fn code(&self, api: &Api) -> CodePolicy {
        api.codes.of(self.upload.storage_class.as_deref())
    }

    /// The kinds to compute: the upload's, and the client's own where it names another.
    fn kinds(&self, claims: &Claims) -> S3Result<Vec<ChecksumKind>> {
        let ours = self.kind();
        match claims.kind() {
            None => Ok(vec![ours]),
            Some(kind) if kind == ours => Ok(vec![ours]),
            // The kind every upload has that wasn't begun with one: the client's is checked, ours is kept.
            Some(kind) if ours == ChecksumKind::Crc64Nvme => Ok(vec![ours, kind]),
            Some(kind) => {
                let message = format!(
                    "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                    ours.name().to_ascii_lowercase(),
                    kind.name().to_ascii_lowercase()
                );
                Err(fail(S3ErrorCode::InvalidRequest, message))
            }
        }
    }
}

pub(super) async fn upload_part(api: &Api, mut request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let input = &request.input;
    let claims = Claims::read(headers(&request))?;
    let length = announced_length(headers(&request))?;
    let target = Target::find(api, bucket, (&input.key, &input.upload_id, input.part_number), headers(&request)).await?;
    api.check_room(&target.bucket, Coming::Part(target.id, target.number), length).await?;
    let (checksums, code) = (target.kinds(&claims)?, target.code(api));
    let options = WriteOptions { checksums, length: Some(length), bytes_max: PUT_BYTES_MAX, code };
    let body = from_client(request.input.body.take());
    let written = api.write(body, options, &claims, || trailers(&request)).await?;
    let shown = claims.kind().unwrap_or(target.kind());
    let shown = Shown::of(written.checksums.iter().find(|checksum| checksum.kind == shown));
    let row = commit(api, &target, &written, target.kind()).await?;
    let sealed = target.sealing.shown();
    Ok(S3Response::new(UploadPartOutput {
        checksum_crc32: shown.crc32,
        checksum_crc32c: shown.crc32c,
        checksum_crc64nvme: shown.crc64nvme,
        checksum_sha1: shown.sha1,
        checksum_sha256: shown.sha256,
        e_tag: Some(etag(&ETag::single(row.part.md5))),
        server_side_encryption: sealed.algorithm,
        ssekms_key_id: sealed.key_id,
        sse_customer_algorithm: sealed.customer_algorithm,
        sse_customer_key_md5: sealed.customer_key_md5,
        ..UploadPartOutput::default()
    }))
}

/// Enters a written part into its upload, or lets go of it.
pub(super) async fn commit(api: &Api, target: &Target, written: &WrittenPart, kept: ChecksumKind) -> S3Result<UploadedPartRow> {
    let owned = api.own(&target.sealing.keys, &target.key, target.id.0, target.number.get(), written, kept);
    let new = NewPart { part: owned.part, inline: owned.inline };
    match api.tables.put_part(&target.bucket, &target.key, target.id, &new, now_ms()).await {
        Ok(row) => Ok(row),
        Err(error) => {
            // After a failure of the store the part may be named or not: the sweep finds out.
            if !matches!(error, TableError::Store(_)) {
                api.let_go(&written.place, written.id).await;
            }
            Err(error.into())
        }
    }
}

pub(super) async fn list_parts(api: &Api, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let caller = caller(&request)?;
    let input = request.input;
    let key = object_key(&input.key)?;
    let id = upload(&input.upload_id)?;
    let max_parts = limit(input.max_parts, "max-parts")?;
    let marker = input.part_number_marker.unwrap_or(0);
    if marker < 0 {
        return Err(invalid_argument("Argument part-number-marker must be an integer between 0 and 2147483647"));
    }
    let row = api.tables.upload(&bucket, &key, id).await?;
    let after = PartNumber::new(i64::from(marker).min(10_000)).ok();
    let page = api.tables.list_parts(&bucket, &key, id, after, max_parts as usize).await?;
    let last = page.parts.last().map_or(marker, |part| part.part.number.into());
    let mut owners = Owners::known_to(&caller);
    owners.add(api, &row.owner).await?;
    let initiator = owners.show(&row.owner);
    let (abort_date, abort_rule_id) = lifecycle::abort(&bucket, &key, &row);
    Ok(S3Response::new(ListPartsOutput {
        abort_date,
        abort_rule_id,
        bucket: Some(input.bucket),
        checksum_algorithm: row.checksum.map(|(kind, _)| ChecksumAlgorithm::from_static(kind.name())),
        checksum_type: row.checksum.map(|(_, scope)| scope_shown(scope)),
        initiator: Some(Initiator { display_name: initiator.display_name.clone(), id: initiator.id.clone() }),
        is_truncated: Some(page.next.is_some()),
        key: Some(input.key),
        max_parts: Some(max_parts),
        next_part_number_marker: Some(last),
        owner: Some(initiator),
        part_number_marker: Some(marker),
        parts: Some(page.parts.iter().map(shown).collect()),
        storage_class: Some(StorageClass::from(row.storage_class.unwrap_or_else(|| StorageClass::STANDARD.to_owned()))),
        upload_id: Some(input.upload_id),
        ..ListPartsOutput::default()
    }))
}

fn shown(row: &UploadedPartRow) -> Part {
    let checksum = Shown::of(row.part.checksum.as_ref());
    Part {
        checksum_crc32: checksum.crc32,
        checksum_crc32c: checksum.crc32c,
        checksum_crc64nvme: checksum.crc64nvme,
        checksum_sha1: checksum.sha1,
        checksum_sha256: checksum.sha256,
        e_tag: Some(etag(&ETag::single(row.part.md5))),
        last_modified: Some(timestamp(row.modified)),
        part_number: Some(row.part.number.into()),
        size: Some(signed(row.part.len)),
    }
}
