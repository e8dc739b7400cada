//! CreateMultipartUpload, CompleteMultipartUpload, AbortMultipartUpload, ListMultipartUploads.

use http::HeaderMap;
use nodio_host::clock::now_ms;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CompletedPart, CreateMultipartUploadInput, CreateMultipartUploadOutput, Initiator,
    ListMultipartUploadsInput, ListMultipartUploadsOutput, MultipartUpload, StorageClass,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::acl;
use super::lifecycle;
use super::locks::check_asked;
use super::page::{Asked, Names, given};
use super::shape::{Owners, etag, made_version, precondition, timestamp, upload};
use crate::checksum::{Checksum, ChecksumKind, ChecksumScope};
use crate::names::{ObjectKey, ObjectUid, PartNumber};
use crate::rows::{EventKind, ObjectRow, Sse, UploadRow};
use crate::s3::Api;
use crate::s3::access::{caller, headers};
use crate::s3::digest::{Shown, header_name, parse, parse_kind, scope_shown};
use crate::s3::encryption::{self, Of, check_same, given as given_key};
use crate::s3::error::{fail, invalid_argument, object_key};
use crate::s3::headers::{NewHeaders, text};
use crate::s3::limits::PARTS_MAX;
use crate::tables::{Completion, ListedPart, TableError, UploadQuery};

/// As S3 does since 2024 for who asks for none.
const UNASKED_CHECKSUM: (ChecksumKind, ChecksumScope) = (ChecksumKind::Crc64Nvme, ChecksumScope::FullObject);

pub(super) async fn create_multipart_upload(
    api: &Api,
    mut request: S3Request<CreateMultipartUploadInput>,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let key = object_key(&request.input.key)?;
    let metadata = request.input.metadata.take();
    let new = NewHeaders::read(headers(&request), metadata)?;
    check_asked(&request, &bucket, key.as_str(), &new.lock)?;
    let sealing = api.seal_new(&bucket, new.encryption)?;
    let asked = asked_checksum(headers(&request))?;
    let shared = acl::of_new_object(api, &request, &bucket).await?;
    let now = now_ms();
    let uid = ObjectUid::new(now);
    let row = UploadRow {
        uid,
        initiated: now,
        owner: shared.owner,
        headers: new.headers,
        user_meta: new.user_meta,
        tags: new.tags,
        acl: shared.acl,
        lock: new.lock,
        sse: sealing.sse(uid),
        storage_class: new.storage_class,
        checksum: Some(asked.unwrap_or(UNASKED_CHECKSUM)),
    };
    let id = api.tables.create_upload(&bucket, &key, &row).await?;
    let sealed = sealing.shown();
    let (abort_date, abort_rule_id) = lifecycle::abort(&bucket, &key, &row);
    Ok(S3Response::new(CreateMultipartUploadOutput {
        abort_date,
        abort_rule_id,
        bucket: Some(request.input.bucket),
        checksum_algorithm: asked.map(|(kind, _)| ChecksumAlgorithm::from_static(kind.name())),
        checksum_type: asked.map(|(_, scope)| scope_shown(scope)),
        key: Some(request.input.key),
        server_side_encryption: sealed.algorithm,
        ssekms_key_id: sealed.key_id,
        ssekms_encryption_context: sealed.context,
        sse_customer_algorithm: sealed.customer_algorithm,
        sse_customer_key_md5: sealed.customer_key_md5,
        upload_id: Some(id.to_string()),
        ..CreateMultipartUploadOutput::default()
    }))
}

/// "Multipart uploads and checksum types" in the S3 User Guide: which kind goes with which scope.
fn asked_checksum(headers: &HeaderMap) -> S3Result<Option<(ChecksumKind, ChecksumScope)>> {
    use {ChecksumKind as Kind, ChecksumScope as Scope};
    let scope = match text(headers, "x-amz-checksum-type").map(str::to_ascii_uppercase).as_deref() {
        None => None,
        Some("COMPOSITE") => Some(Scope::Composite),
        Some("FULL_OBJECT") => Some(Scope::FullObject),
        Some(_) => return Err(fail(S3ErrorCode::InvalidRequest, "Value for x-amz-checksum-type header is invalid.")),
    };
    let Some(name) = text(headers, "x-amz-checksum-algorithm") else {
        let message = "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.";
        return if scope.is_some() { Err(fail(S3ErrorCode::InvalidRequest, message)) } else { Ok(None) };
    };
    let kind = parse_kind(name)?;
    let default = if kind == Kind::Crc64Nvme { Scope::FullObject } else { Scope::Composite };
    let scope = scope.unwrap_or(default);
    match (kind, scope) {
        (Kind::Sha1 | Kind::Sha256, Scope::FullObject) | (Kind::Crc64Nvme, Scope::Composite) => {
            let message = format!(
                "The {} checksum type cannot be used with the {} checksum algorithm.",
                scope_shown(scope).as_str(),
                kind.name().to_ascii_lowercase()
            );
            Err(fail(S3ErrorCode::InvalidRequest, message))
        }
        fits => Ok(Some(fits)),
    }
}

pub(super) async fn complete_multipart_upload(
    api: &Api,
    request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let customer = given_key(headers(&request), Of::New)?;
    let key = object_key(&request.input.key)?;
    let id = upload(&request.input.upload_id)?;
    let condition = precondition(headers(&request));
    // An upload that is gone may be one that was completed before: the tables know.
    let kept = match api.tables.upload(&bucket, &key, id).await {
        Ok(row) => {
            check_same(headers(&request), &row)?;
            let with_checksums = row.checksum != Some(UNASKED_CHECKSUM);
            api.check_complete(&bucket, &row, customer.clone(), with_checksums)?;
            row.checksum
        }
        Err(TableError::NoSuchUpload) => None,
        Err(error) => return Err(error.into()),
    };
    let listed = request.input.multipart_upload.as_ref().and_then(|list| list.parts.as_deref()).unwrap_or_default();
    let completion = Completion {
        parts: listed_parts(listed, kept.map(|(kind, _)| kind))?,
        checksum: kept.map(|kept| said_checksum(headers(&request), kept)).transpose()?.flatten(),
        size: request.input.mpu_object_size.and_then(|size| u64::try_from(size).ok()),
    };
    let tables = api.telling(&request, &bucket, EventKind::CreatedComplete);
    let row = tables.complete_upload(&bucket, &key, id, &completion, &condition, now_ms()).await?;
    let location = location(headers(&request), &request.input.bucket, &key);
    let sse = row.live().map_or(&Sse::Implicit, |live| &live.sse);
    if customer.is_some() {
        // An upload that was completed before: nothing has looked at the key yet.
        api.open_stored(&bucket, row.uid, sse, customer.clone())?;
    }
    let sealed = encryption::Shown::of(sse);
    let expiration = lifecycle::expiration(&bucket, &key, &row);
    let output = completed(&row, sealed, request.input, location);
    let output = CompleteMultipartUploadOutput { expiration, ..output };
    Ok(S3Response::with_headers(output, customer.as_ref().map(encryption::Given::echo).unwrap_or_default()))
}

fn listed_parts(parts: &[CompletedPart], kept: Option<ChecksumKind>) -> S3Result<Vec<ListedPart>> {
    let malformed = || {
        let message = "The XML you provided was not well-formed or did not validate against our published schema";
        fail(S3ErrorCode::MalformedXML, message)
    };
    if parts.is_empty() || parts.len() > PARTS_MAX {
        return Err(malformed());
    }
    let listed = |part: &CompletedPart| -> S3Result<ListedPart> {
        let number = part.part_number.ok_or_else(malformed)?;
        let number = PartNumber::new(number.into())
            .map_err(|_| invalid_argument("Part number must be an integer between 1 and 10000, inclusive"))?;
        let etag = part.e_tag.as_ref().ok_or_else(malformed)?.value().to_owned();
        let text = kept.and_then(|kind| part_checksum(part, kind).map(|text| (kind, text)));
        let checksum = text.map(|(kind, text)| parse(kind, text)).transpose()?;
        Ok(ListedPart { number, etag, checksum })
    };
    let mut all: Vec<ListedPart> = Vec::with_capacity(parts.len());
    for part in parts {
        let part = listed(part)?;
        // Sent again, and said again: what was said last must be what was stored last.
        all.pop_if(|before| before.number == part.number);
        all.push(part);
    }
    Ok(all)
}

/// What the list says of a part in the upload's kind. Other kinds were checked when the part came, and not kept.
fn part_checksum(part: &CompletedPart, kind: ChecksumKind) -> Option<&str> {
    match kind {
        ChecksumKind::Crc32 => part.checksum_crc32.as_deref(),
        ChecksumKind::Crc32c => part.checksum_crc32c.as_deref(),
        ChecksumKind::Crc64Nvme => part.checksum_crc64nvme.as_deref(),
        ChecksumKind::Sha1 => part.checksum_sha1.as_deref(),
        ChecksumKind::Sha256 => part.checksum_sha256.as_deref(),
    }
}

/// What the headers say of the whole object, where it is of the upload's kind. A composite value may end in the number of parts.
fn said_checksum(headers: &HeaderMap, (kind, scope): (ChecksumKind, ChecksumScope)) -> S3Result<Option<Checksum>> {
    let said_scope = text(headers, "x-amz-checksum-type");
    if said_scope.is_some_and(|said| !said.eq_ignore_ascii_case(scope_shown(scope).as_str())) {
        let message = "The checksum type of the request is not the one the upload was created with.";
        return Err(fail(S3ErrorCode::InvalidRequest, message));
    }
    let Some(value) = text(headers, header_name(kind)) else { return Ok(None) };
    let value = match scope {
        ChecksumScope::Composite => value.split_once('-').map_or(value, |(value, _)| value),
        ChecksumScope::FullObject => value,
    };
    parse(kind, value).map(Some)
}

/// Where the object is now, by the host it was sent to.
fn location(headers: &HeaderMap, bucket: &str, key: &ObjectKey) -> String {
    let host = text(headers, "host").unwrap_or("localhost");
    let key = crate::s3::guard::query::encode(key.as_str());
    if host.starts_with(&format!("{bucket}.")) { format!("http://{host}/{key}") } else { format!("http://{host}/{bucket}/{key}") }
}

fn completed(
    row: &ObjectRow,
    sealed: encryption::Shown,
    input: CompleteMultipartUploadInput,
    location: String,
) -> CompleteMultipartUploadOutput {
    let live = row.live();
    let checksum = live.and_then(|live| live.checksum.as_ref());
    let parts = live.and_then(|live| live.etag.parts).unwrap_or(1);
    let shown = checksum.map_or_else(Shown::default, |whole| match whole.scope {
        ChecksumScope::FullObject => Shown::of(Some(&whole.checksum)),
        ChecksumScope::Composite => Shown::text(whole.checksum.kind, format!("{}-{parts}", whole.checksum.to_base64())),
    });
    CompleteMultipartUploadOutput {
        bucket: Some(input.bucket),
        checksum_crc32: shown.crc32,
        checksum_crc32c: shown.crc32c,
        checksum_crc64nvme: shown.crc64nvme,
        checksum_sha1: shown.sha1,
        checksum_sha256: shown.sha256,
        checksum_type: checksum.map(|checksum| scope_shown(checksum.scope)),
        e_tag: live.map(|live| etag(&live.etag)),
        key: Some(input.key),
        location: Some(location),
        server_side_encryption: sealed.algorithm,
        ssekms_key_id: sealed.key_id,
        version_id: made_version(row),
        ..CompleteMultipartUploadOutput::default()
    }
}

pub(super) async fn abort_multipart_upload(
    api: &Api,
    request: S3Request<AbortMultipartUploadInput>,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    let input = &request.input;
    let bucket = api.bucket(&request, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    if input.if_match_initiated_time.is_some() {
        return Err(fail(S3ErrorCode::NotImplemented, "x-amz-if-match-initiated-time is not implemented"));
    }
    let key = object_key(&input.key)?;
    api.tables.abort_upload(&bucket, &key, upload(&input.upload_id)?, now_ms()).await?;
    Ok(S3Response::with_status(AbortMultipartUploadOutput::default(), http::StatusCode::NO_CONTENT))
}

pub(super) async fn list_multipart_uploads(
    api: &Api,
    request: S3Request<ListMultipartUploadsInput>,
) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let caller = caller(&request)?;
    let input = request.input;
    let limit = (input.max_uploads, "max-uploads");
    let asked = Asked::read(input.encoding_type.as_ref(), limit, input.prefix.as_ref(), input.delimiter.as_ref())?;
    let (names, (prefix, delimiter)) = (asked.names, asked.shown());
    let after = asked.after(input.key_marker.as_ref());
    // An upload id counts only together with a key.
    let after_upload = given(input.upload_id_marker.as_ref()).filter(|_| after.is_some());
    let after_upload = after_upload.map(|id| id.parse().map_err(|_| invalid_argument("Invalid uploadId marker"))).transpose()?;
    let Asked { limit, .. } = asked;
    let query = UploadQuery { prefix: asked.prefix, delimiter: asked.delimiter, after, after_upload, limit: limit as usize };
    let page = api.tables.list_uploads(&bucket, &query).await?;
    let mut owners = Owners::known_to(&caller);
    for (_, row) in &page.uploads {
        owners.add(api, &row.owner).await?;
    }
    let (next_key, next_upload) = page.next.as_ref().map(|(key, id)| (names.show(key.as_str()), id)).unzip();
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        common_prefixes: Some(names.show_all(page.common_prefixes)),
        delimiter,
        encoding_type: input.encoding_type,
        is_truncated: Some(page.next.is_some()),
        key_marker: Some(names.show(input.key_marker.as_deref().unwrap_or_default())),
        max_uploads: Some(limit),
        next_key_marker: next_key,
        next_upload_id_marker: next_upload.and_then(|id| id.map(|id| id.to_string())),
        prefix,
        request_charged: None,
        upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
        uploads: Some(page.uploads.iter().map(|(key, row)| shown(names, key, row, &owners)).collect()),
    }))
}

fn shown(names: Names, key: &ObjectKey, row: &UploadRow, owners: &Owners) -> MultipartUpload {
    let owner = owners.show(&row.owner);
    MultipartUpload {
        checksum_algorithm: row.checksum.map(|(kind, _)| ChecksumAlgorithm::from_static(kind.name())),
        checksum_type: row.checksum.map(|(_, scope)| scope_shown(scope)),
        initiated: Some(timestamp(row.initiated)),
        initiator: Some(Initiator { display_name: owner.display_name.clone(), id: owner.id.clone() }),
        key: Some(names.show(key.as_str())),
        owner: Some(owner),
        storage_class: Some(StorageClass::from(row.storage_class.clone().unwrap_or_else(|| StorageClass::STANDARD.to_owned()))),
        upload_id: Some(row.uid.to_string()),
    }
}
