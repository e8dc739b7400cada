//! CopyObject, which moves no data but into another code, and UploadPartCopy, which reads and writes it anew.

use std::sync::Arc;

use futures::StreamExt;
use http::HeaderMap;
use nodio_host::clock::now_ms;
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource as Named, MetadataDirective,
    TaggingDirective, UploadPartCopyInput, UploadPartCopyOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::acl;
use super::get::whole_shown;
use super::lifecycle;
use super::locks::check_asked;
use super::part::{self, Target};
use super::shape::{etag, made_version, precondition, shown_version, timestamp, version};
use super::{put, recode};
use crate::access::Action;
use crate::checksum::{ChecksumKind, ChecksumScope, Hasher};
use crate::names::{ObjectKey, ObjectUid};
use crate::pipeline::{self, WriteOptions};
use crate::rows::{BucketRow, DefaultEncryption, EventKind, LiveObject, ObjectBody, ObjectChecksum, ObjectRow, Sse};
use crate::s3::Api;
use crate::s3::access::{Rules, check_owner, headers, judge};
use crate::s3::conditional::{Conditions, Verdict};
use crate::s3::digest::{Claims, Shown, parse_kind, scope_shown};
use crate::s3::encryption::{self, Of, Sealing, given};
use crate::s3::error::{bucket_name, fail, internal, invalid_argument, no_such_key, object_key, precondition_failed};
use crate::s3::headers::{NewHeaders, text};
use crate::s3::limits::{COPY_BYTES_MAX, PUT_BYTES_MAX};
use crate::s3::range::parse_copy;
use crate::tables::{Coming, CopyKeys, CopySource, NewObject, Precondition, TableError, Tables};

/// How often a source that is replaced while it is being copied is looked up anew.
const LOOKUPS: usize = 5;

/// What a copy copies from.
pub(super) struct Source {
    bucket: Arc<BucketRow>,
    key: ObjectKey,
    pub(super) row: ObjectRow,
    pub(super) live: LiveObject,
    sealing: Sealing,
    /// A version was named.
    named: bool,
}

async fn find_source<T>(api: &Api, request: &S3Request<T>, source: &Named, expected: Option<&str>) -> S3Result<Source> {
    let Named::Bucket { bucket, key, version_id } = source else {
        return Err(fail(S3ErrorCode::NotImplemented, "Copies from access points are not implemented"));
    };
    let customer = given(headers(request), Of::CopySource)?;
    let judge = judge(request)?;
    let key = object_key(key)?;
    let wanted = version(version_id.as_deref())?;
    let bucket = api.tables.bucket(&bucket_name(bucket)?).await?;
    judge.must_pay(&bucket, &request.extensions)?;
    check_owner(&bucket, expected)?;
    let found = api.tables.object(&bucket, &key, wanted).await;
    let row = found.map_err(|error| judge.missing(&bucket, &Rules::of(&bucket), Action::GetObject, key.as_str(), error))?;
    judge.must_read(&bucket, &key, wanted.is_some(), &row)?;
    let Some(live) = row.live().cloned() else {
        let marker = "The source of a copy request may not specifically refer to a delete marker by version id.";
        return Err(if wanted.is_some() { fail(S3ErrorCode::InvalidRequest, marker) } else { no_such_key() });
    };
    let sealing = api.open_stored(&bucket, row.uid, &live.sse, customer)?;
    match Conditions::of_copy_source(headers(request)).judge(&live.etag.to_string(), row.modified) {
        Verdict::Go => Ok(Source { bucket, key, row, live, sealing, named: wanted.is_some() }),
        Verdict::Failed(_) | Verdict::NotModified => Err(precondition_failed()),
    }
}

pub(super) async fn copy_object(api: &Api, mut request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
    let target = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let key = object_key(&request.input.key)?;
    let metadata = request.input.metadata.take();
    let new = NewHeaders::read(headers(&request), metadata)?;
    check_asked(&request, &target, key.as_str(), &new.lock)?;
    let sealing = api.seal_new(&target, new.encryption.clone())?;
    let directives = Replaced {
        metadata: replaces(request.input.metadata_directive.as_ref().map(MetadataDirective::as_str))?,
        tags: replaces(request.input.tagging_directive.as_ref().map(TaggingDirective::as_str))?,
    };
    let condition = precondition(headers(&request));
    let kind = text(headers(&request), "x-amz-checksum-algorithm").map(parse_kind).transpose()?;
    let shared = acl::of_new_object(api, &request, &target).await?;
    for _ in 0..LOOKUPS {
        let expected = request.input.expected_source_bucket_owner.as_deref();
        let source = find_source(api, &request, &request.input.copy_source, expected).await?;
        check_copy(&source, &target, &key, directives.metadata, headers(&request))?;
        let checksum = checksum_for(api, &source, kind).await?;
        let uid = ObjectUid::new(now_ms());
        let mut live = new_live(&source, new.clone(), directives, sealing.sse(uid), checksum);
        live.acl = shared.acl.clone();
        let object = NewObject { uid, owner: shared.owner.clone(), live, inline: None };
        let tables = api.telling(&request, &target, EventKind::CreatedCopy);
        let to = Destination { tables: &tables, bucket: &target, key: &key, sealing: &sealing, condition: &condition };
        if let Some(row) = to.take(api, &source, object).await? {
            let expiration = lifecycle::expiration(&target, &key, &row);
            let output = answer(&row, &source, sealing.shown());
            return Ok(S3Response::new(CopyObjectOutput { expiration, ..output }));
        }
    }
    Err(TableError::SourceChanged.into())
}

/// Where a copy goes.
struct Destination<'a> {
    tables: &'a Tables,
    bucket: &'a BucketRow,
    key: &'a ObjectKey,
    sealing: &'a Sealing,
    condition: &'a Precondition,
}

impl Destination<'_> {
    /// Makes the copy; `None` if the source was replaced meanwhile. `object` has all but what is taken from the source.
    async fn take(&self, api: &Api, source: &Source, object: NewObject) -> S3Result<Option<ObjectRow>> {
        if recode::is_wanted(api, source, &object.live).await? {
            let (object, written) = recode::rewrite(api, source, self.key, self.sealing, object).await?;
            return put::commit((api, self.tables), self.bucket, self.key, &object, self.condition, &written).await.map(Some);
        }
        let from = CopySource { bucket: &source.bucket, key: &source.key, row: &source.row };
        let keys = CopyKeys { from: &source.sealing.keys, to: &self.sealing.keys };
        match self.tables.copy_object(from, (self.bucket, self.key), keys, object, self.condition, now_ms()).await {
            Ok(put) => Ok(Some(put.row)),
            Err(TableError::SourceChanged) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// What of a copy is the request's instead of the source's.
#[derive(Debug, Clone, Copy)]
struct Replaced {
    metadata: bool,
    tags: bool,
}

fn replaces(directive: Option<&str>) -> S3Result<bool> {
    match directive {
        None | Some(MetadataDirective::COPY) => Ok(false),
        Some(MetadataDirective::REPLACE) => Ok(true),
        Some(_) => Err(invalid_argument("Unknown metadata directive.")),
    }
}

fn check_copy(source: &Source, target: &BucketRow, key: &ObjectKey, replace: bool, headers: &HeaderMap) -> S3Result<()> {
    if source.live.size > COPY_BYTES_MAX {
        let message = "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120";
        return Err(fail(S3ErrorCode::InvalidRequest, message));
    }
    const CHANGES: [&str; 5] = [
        "x-amz-storage-class",
        "x-amz-website-redirect-location",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-checksum-algorithm",
    ];
    // A default that was set may be another than the object was written under.
    let default: Option<DefaultEncryption> = target.setting().map_err(TableError::from)?;
    let changes = replace || source.named || default.is_some() || CHANGES.iter().any(|name| text(headers, name).is_some());
    if source.bucket.id == target.id && source.key == *key && !changes {
        let message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's \
                       metadata, storage class, website redirect location or encryption attributes.";
        return Err(fail(S3ErrorCode::InvalidRequest, message));
    }
    Ok(())
}

/// The source's own checksum, or one of the kind asked for, computed if need be.
async fn checksum_for(api: &Api, source: &Source, kind: Option<ChecksumKind>) -> S3Result<Option<ObjectChecksum>> {
    let had = source.live.checksum.clone();
    let Some(kind) = kind.filter(|kind| had.as_ref().is_none_or(|had| had.checksum.kind != *kind)) else { return Ok(had) };
    let mut hasher = Hasher::new(kind);
    let mut body = read(api, source, 0..source.live.size).await?;
    while let Some(bytes) = body.next().await {
        hasher.update(&bytes.map_err(|error| internal(&error))?);
    }
    Ok(Some(ObjectChecksum { checksum: hasher.finish(), scope: ChecksumScope::FullObject }))
}

/// S3 keeps metadata and tags unless told otherwise; storage class, redirect, lock and encryption are always the request's own.
fn new_live(source: &Source, new: NewHeaders, directives: Replaced, sse: Sse, checksum: Option<ObjectChecksum>) -> LiveObject {
    let from = source.live.clone();
    let redirect = new.headers.website_redirect.clone();
    let mut headers = if directives.metadata { new.headers } else { from.headers };
    headers.website_redirect = redirect;
    LiveObject {
        headers,
        user_meta: if directives.metadata { new.user_meta } else { from.user_meta },
        sse,
        storage_class: new.storage_class,
        checksum,
        acl: None,
        lock: new.lock,
        // Size, tag and body are taken from the source when the copy is made.
        size: from.size,
        etag: from.etag,
        tags: if directives.tags { new.tags } else { from.tags },
        body: ObjectBody::Empty,
    }
}

fn answer(row: &ObjectRow, source: &Source, sealed: encryption::Shown) -> CopyObjectOutput {
    let checksum = row.live().and_then(|live| live.checksum.as_ref());
    let parts = row.live().and_then(|live| live.etag.parts);
    let shown = checksum.map_or_else(Shown::default, |kept| whole_shown(&kept.checksum, kept.scope, parts));
    let result = CopyObjectResult {
        checksum_crc32: shown.crc32,
        checksum_crc32c: shown.crc32c,
        checksum_crc64nvme: shown.crc64nvme,
        checksum_sha1: shown.sha1,
        checksum_sha256: shown.sha256,
        checksum_type: checksum.map(|checksum| scope_shown(checksum.scope)),
        e_tag: row.live().map(|live| etag(&live.etag)),
        last_modified: Some(timestamp(row.modified)),
    };
    CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: shown_version(&source.bucket, &source.row),
        server_side_encryption: sealed.algorithm,
        ssekms_key_id: sealed.key_id,
        ssekms_encryption_context: sealed.context,
        sse_customer_algorithm: sealed.customer_algorithm,
        sse_customer_key_md5: sealed.customer_key_md5,
        version_id: made_version(row),
        ..CopyObjectOutput::default()
    }
}

/// Bytes of the source.
pub(super) async fn read(api: &Api, source: &Source, range: std::ops::Range<u64>) -> S3Result<pipeline::Body> {
    if range.is_empty() {
        return Ok(futures::stream::empty().boxed());
    }
    let parts = api.tables.parts(&source.row).await?;
    let pieces = api.pieces(&source.sealing.keys, &source.key, source.row.uid, &parts, range).await?;
    Ok(api.pipeline.read(pieces).await?)
}

pub(super) async fn upload_part_copy(
    api: &Api,
    request: S3Request<UploadPartCopyInput>,
) -> S3Result<S3Response<UploadPartCopyOutput>> {
    let input = &request.input;
    let bucket = api.bucket(&request, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let target = Target::find(api, bucket, (&input.key, &input.upload_id, input.part_number), headers(&request)).await?;
    let source = find_source(api, &request, &input.copy_source, input.expected_source_bucket_owner.as_deref()).await?;
    let range = copied_range(input.copy_source_range.as_deref(), source.live.size)?;
    api.check_room(&target.bucket, Coming::Part(target.id, target.number), range.end - range.start).await?;
    let body = read(api, &source, range.clone()).await?;

    let claims = Claims::read(&HeaderMap::new())?;
    let options = WriteOptions {
        checksums: vec![target.kind()],
        length: Some(range.end - range.start),
        bytes_max: PUT_BYTES_MAX,
        code: target.code(api),
    };
    let written = api.write(body, options, &claims, || None).await.map_err(source_failed)?;
    let row = part::commit(api, &target, &written, target.kind()).await?;
    let shown = Shown::of(row.part.checksum.as_ref());
    let sealed = target.sealing.shown();
    let result = CopyPartResult {
        checksum_crc32: shown.crc32,
        checksum_crc32c: shown.crc32c,
        checksum_crc64nvme: shown.crc64nvme,
        checksum_sha1: shown.sha1,
        checksum_sha256: shown.sha256,
        e_tag: Some(etag(&crate::rows::ETag::single(row.part.md5))),
        last_modified: Some(timestamp(row.modified)),
    };
    Ok(S3Response::new(UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: shown_version(&source.bucket, &source.row),
        server_side_encryption: sealed.algorithm,
        ssekms_key_id: sealed.key_id,
        sse_customer_algorithm: sealed.customer_algorithm,
        sse_customer_key_md5: sealed.customer_key_md5,
        ..UploadPartCopyOutput::default()
    }))
}

/// What a source breaks off with is our own fault, not the client's body.
pub(super) fn source_failed(error: S3Error) -> S3Error {
    match error.code() {
        S3ErrorCode::IncompleteBody => internal(&"the source of a copy can't be read"),
        _ => error,
    }
}

fn copied_range(header: Option<&str>, size: u64) -> Result<std::ops::Range<u64>, S3Error> {
    let range = match header.filter(|header| !header.is_empty()) {
        None => 0..size,
        Some(header) => parse_copy(header).ok_or_else(|| {
            let message = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based \
                           offsets of the first and last bytes to copy";
            invalid_argument(message)
        })?,
    };
    if range.end > size {
        let message = format!("Range specified is not valid for source object of size: {size}");
        let mut error = fail(S3ErrorCode::InvalidRange, message);
        error.set_status_code(http::StatusCode::BAD_REQUEST);
        return Err(error);
    }
    if range.end - range.start > PUT_BYTES_MAX {
        let message = "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120";
        return Err(fail(S3ErrorCode::InvalidRequest, message));
    }
    Ok(range)
}
