//! GetObject, HeadObject.

use std::ops::Range;

use http::header::{ETAG, EXPIRES, LAST_MODIFIED, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use s3s::dto::{
    GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, Metadata, ObjectLockLegalHoldStatus, ObjectLockMode,
    StorageClass, Timestamp, TimestampFormat,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::body::to_client;
use super::lifecycle;
use super::shape::{etag, shown_version, signed, timestamp, version};
use crate::checksum::{Checksum, ChecksumScope};
use crate::names::{ObjectKey, VersionId};
use crate::rows::{BucketRow, LiveObject, ObjectRow, PartRef, Versioning};
use crate::s3::Api;
use crate::s3::access::{self, Judge, headers, take_known_object};
use crate::s3::conditional::{Conditions, Verdict};
use crate::s3::digest::{Shown, scope_shown};
use crate::s3::encryption::{Given, Of, Sealing, given, refuse_encryption};
use crate::s3::error::{DELETE_MARKER, fail, fail_as, internal, invalid_argument, no_such_key, object_key, precondition_failed};
use crate::s3::guard::WebsiteVisit;
use crate::s3::headers::text;
use crate::s3::limits::PARTS_MAX;
use crate::s3::lock;
use crate::s3::range::Asked;
use crate::tables::TableError;

/// How often an object that is replaced while it is being read is looked up anew.
const LOOKUPS: usize = 5;

/// What a read is asked for, beside bucket and key.
struct Wanted {
    version: Option<VersionId>,
    conditions: Conditions,
    range: Option<Asked>,
    part: Option<u16>,
    checksum: bool,
    customer: Option<Given>,
    /// Where the object went, if it says so, is the answer.
    as_website: bool,
}

impl Wanted {
    fn read<T>(request: &S3Request<T>, version_id: Option<&str>, part: Option<i32>) -> S3Result<Self> {
        let headers = headers(request);
        refuse_encryption(headers)?;
        let customer = given(headers, Of::Stored)?;
        let range = text(headers, "range").and_then(Asked::parse);
        let part = part.map(part_number).transpose()?;
        if range.is_some() && part.is_some() {
            return Err(fail(S3ErrorCode::InvalidRequest, "Cannot specify both Range header and partNumber query parameter"));
        }
        let checksum = text(headers, "x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED"));
        let as_website = request.extensions.get::<WebsiteVisit>().is_some();
        let conditions = Conditions::of_read(headers);
        Ok(Self { version: version(version_id)?, conditions, range, part, checksum, customer, as_website })
    }
}

fn part_number(number: i32) -> S3Result<u16> {
    let number = u16::try_from(number).ok().filter(|number| (1..=PARTS_MAX).contains(&usize::from(*number)));
    number.ok_or_else(|| invalid_argument("Part number must be an integer between 1 and 10000, inclusive"))
}

/// An object found, and what of it is to be answered.
struct Found {
    row: ObjectRow,
    live: LiveObject,
    sealing: Sealing,
    parts: Vec<PartRef>,
    range: Range<u64>,
    /// The range is not the whole object by its own right: 206.
    partial: bool,
    /// Of the part asked for, or of the whole.
    checksum: Option<(Checksum, ChecksumScope)>,
    by_part: bool,
    /// `x-amz-expiration`.
    expiration: Option<String>,
}

/// `sight` holds the row that access was decided upon; once that is used up, each row is judged anew.
async fn find(api: &Api, bucket: &BucketRow, key: &ObjectKey, wanted: &Wanted, sight: &mut Sight) -> Result<Found, Interrupted> {
    let row = match sight.known.take() {
        Some(row) => row,
        None => {
            let row = api.tables.object(bucket, key, wanted.version).await?;
            sight.judge.must_read(bucket, key, wanted.version.is_some(), &row)?;
            row
        }
    };
    let Some(live) = row.live().cloned() else {
        return Err(delete_marker(&row, wanted.version.is_some()).into());
    };
    if let Some(to) = live.headers.website_redirect.as_deref().filter(|_| wanted.as_website) {
        return Err(moved(to).into());
    }
    let parts = api.tables.parts(&row).await?;
    if let Some(number) = wanted.part {
        part_range(&live, &parts, number)?;
    }
    let sealing = api.open_stored(bucket, row.uid, &live.sse, wanted.customer.clone())?;
    judge(&wanted.conditions, &row, &live)?;
    let (range, partial) = select(&live, &parts, wanted)?;
    let checksum = checksum_of(&live, &parts, wanted);
    // A version that is named may not be the current one.
    let current = wanted.version.is_none() || bucket.versioning == Versioning::Off;
    let expiration = if current { lifecycle::expiration(bucket, key, &row) } else { None };
    Ok(Found { row, live, sealing, parts, range, partial, checksum, by_part: wanted.part.is_some(), expiration })
}

/// An object's checksum; a composite one says of how many parts it is.
pub(super) fn whole_shown(checksum: &Checksum, scope: ChecksumScope, parts: Option<u16>) -> Shown {
    match (scope, parts) {
        (ChecksumScope::Composite, Some(parts)) => Shown::text(checksum.kind, format!("{}-{parts}", checksum.to_base64())),
        _ => Shown::of(Some(checksum)),
    }
}

/// What a reader may see.
struct Sight {
    known: Option<ObjectRow>,
    judge: Judge,
}

impl Sight {
    fn of<T>(request: &mut S3Request<T>) -> S3Result<Self> {
        Ok(Self { known: take_known_object(request), judge: access::judge(request)?.clone() })
    }
}

pub(super) fn delete_marker(row: &ObjectRow, named: bool) -> S3Error {
    let mut error = if named {
        fail(S3ErrorCode::MethodNotAllowed, "The specified method is not allowed against this resource.")
    } else {
        no_such_key()
    };
    let mut headers = HeaderMap::new();
    headers.insert(DELETE_MARKER, HeaderValue::from_static("true"));
    if let Ok(version) = HeaderValue::from_str(&row.version.to_string()) {
        headers.insert("x-amz-version-id", version);
    }
    error.set_headers(headers);
    error
}

/// What a website answers of an object with `x-amz-website-redirect-location`.
fn moved(to: &str) -> S3Error {
    let mut error = fail_as(StatusCode::MOVED_PERMANENTLY, "WebsiteRedirect", "The object is elsewhere.");
    error.set_headers(HeaderValue::from_bytes(to.as_bytes()).ok().map(|to| (LOCATION, to)).into_iter().collect());
    error
}

fn judge(conditions: &Conditions, row: &ObjectRow, live: &LiveObject) -> S3Result<()> {
    match conditions.judge(&live.etag.to_string(), row.modified) {
        Verdict::Go => Ok(()),
        Verdict::Failed(_) => Err(precondition_failed()),
        Verdict::NotModified => {
            let mut error = fail(S3ErrorCode::NotModified, "Not Modified");
            error.set_headers(validators(row, live));
            Err(error)
        }
    }
}

/// What a 304 still says of the object.
fn validators(row: &ObjectRow, live: &LiveObject) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut date = Vec::new();
    let dated = timestamp(row.modified).format(TimestampFormat::HttpDate, &mut date).is_ok();
    if let Ok(value) = HeaderValue::from_str(&format!("\"{}\"", live.etag)) {
        headers.insert(ETAG, value);
    }
    if let (true, Ok(value)) = (dated, HeaderValue::from_bytes(&date)) {
        headers.insert(LAST_MODIFIED, value);
    }
    headers
}

/// The bytes to answer, and whether they are a part of the object only.
fn select(live: &LiveObject, parts: &[PartRef], wanted: &Wanted) -> S3Result<(Range<u64>, bool)> {
    if let Some(number) = wanted.part {
        return Ok((part_range(live, parts, number)?, live.size > 0));
    }
    match wanted.range {
        None => Ok((0..live.size, false)),
        Some(range) => {
            let unsatisfiable = |_| {
                let mut error = fail(S3ErrorCode::InvalidRange, "The requested range is not satisfiable");
                if let Ok(value) = HeaderValue::from_str(&format!("bytes */{}", live.size)) {
                    error.set_headers(HeaderMap::from_iter([(http::header::CONTENT_RANGE, value)]));
                }
                error
            };
            Ok((range.within(live.size).map_err(unsatisfiable)?, true))
        }
    }
}

fn part_range(live: &LiveObject, parts: &[PartRef], number: u16) -> S3Result<Range<u64>> {
    if live.etag.parts.is_none() && number == 1 {
        return Ok(0..live.size);
    }
    let mut start = 0;
    for part in parts {
        if part.number == number && live.etag.parts.is_some() {
            return Ok(start..start + part.len);
        }
        start += part.len;
    }
    Err(fail(S3ErrorCode::InvalidPart, "The requested partnumber is not satisfiable"))
}

fn checksum_of(live: &LiveObject, parts: &[PartRef], wanted: &Wanted) -> Option<(Checksum, ChecksumScope)> {
    if !wanted.checksum || wanted.range.is_some() {
        return None;
    }
    let whole = live.checksum.as_ref()?;
    match wanted.part.filter(|_| live.etag.parts.is_some()) {
        None => Some((whole.checksum.clone(), whole.scope)),
        Some(number) => {
            let part = parts.iter().find(|part| part.number == number)?;
            Some((part.checksum.clone().filter(|checksum| checksum.kind == whole.checksum.kind)?, whole.scope))
        }
    }
}

impl Found {
    fn content_range(&self) -> Option<String> {
        self.partial.then(|| format!("bytes {}-{}/{}", self.range.start, self.range.end.saturating_sub(1), self.live.size))
    }

    fn parts_count(&self) -> Option<i32> {
        self.live.etag.parts.filter(|_| self.by_part).map(i32::from)
    }

    fn shown_checksum(&self) -> Shown {
        match &self.checksum {
            None => Shown::default(),
            Some((checksum, _)) if self.by_part => Shown::of(Some(checksum)),
            Some((checksum, scope)) => whole_shown(checksum, *scope, self.live.etag.parts),
        }
    }

    fn storage_class(&self) -> Option<StorageClass> {
        self.live.storage_class.clone().map(StorageClass::from)
    }

    fn tag_count(&self) -> Option<i32> {
        i32::try_from(self.live.tags.len()).ok().filter(|count| *count > 0)
    }

    fn legal_hold(&self) -> Option<ObjectLockLegalHoldStatus> {
        self.live.lock.legal_hold.then(|| lock::hold_shown(true))
    }

    fn lock_mode(&self) -> Option<ObjectLockMode> {
        self.live.lock.retention.map(|retention| ObjectLockMode::from(lock::mode_shown(retention.mode).as_str().to_owned()))
    }

    fn retained_until(&self) -> Option<Timestamp> {
        self.live.lock.retention.map(|retention| lock::date_shown(retention.until))
    }

    fn metadata(&self) -> Option<Metadata> {
        Some(self.live.user_meta.iter().cloned().collect())
    }

    fn content_type(&self) -> Option<String> {
        Some(self.live.headers.content_type.clone().unwrap_or_else(|| "binary/octet-stream".to_owned()))
    }

    /// `Expires` goes back as it came, date or not.
    fn expires(&self) -> Option<(HeaderName, HeaderValue)> {
        let text = self.live.headers.expires.as_deref()?;
        Some((EXPIRES, HeaderValue::from_bytes(text.as_bytes()).ok()?))
    }
}

pub(super) async fn get_object(api: &Api, mut request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let key = object_key(&request.input.key)?;
    let wanted = Wanted::read(&request, request.input.version_id.as_deref(), request.input.part_number)?;
    let mut sight = Sight::of(&mut request)?;
    for _ in 0..LOOKUPS {
        match open(api, &bucket, &key, &wanted, &mut sight).await {
            Ok((found, body)) => return Ok(answer_get(&found, &bucket, body, &request.input)),
            Err(Interrupted::Replaced) => {}
            Err(Interrupted::Failed(error)) => return Err(error),
        }
    }
    Err(internal(&"an object was replaced again and again while it was read"))
}

/// Why a read didn't begin.
enum Interrupted {
    /// The object was replaced between its row and its parts being read.
    Replaced,
    Failed(S3Error),
}

impl From<S3Error> for Interrupted {
    fn from(error: S3Error) -> Self {
        Self::Failed(error)
    }
}

impl From<TableError> for Interrupted {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Vanished => Self::Replaced,
            error => Self::Failed(error.into()),
        }
    }
}

async fn open(
    api: &Api,
    bucket: &BucketRow,
    key: &ObjectKey,
    wanted: &Wanted,
    sight: &mut Sight,
) -> Result<(Found, Option<s3s::dto::StreamingBlob>), Interrupted> {
    let found = find(api, bucket, key, wanted, sight).await?;
    if found.range.is_empty() {
        return Ok((found, None));
    }
    let pieces = api.pieces(&found.sealing.keys, key, found.row.uid, &found.parts, found.range.clone()).await?;
    let body = api.pipeline.read(pieces).await.map_err(S3Error::from)?;
    Ok((found, Some(to_client(body))))
}

fn answer_get(
    found: &Found,
    bucket: &BucketRow,
    body: Option<s3s::dto::StreamingBlob>,
    input: &GetObjectInput,
) -> S3Response<GetObjectOutput> {
    let shown = found.shown_checksum();
    let sealed = found.sealing.shown();
    let stored = found.live.headers.clone();
    let output = GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        body,
        cache_control: stored.cache_control,
        checksum_crc32: shown.crc32,
        checksum_crc32c: shown.crc32c,
        checksum_crc64nvme: shown.crc64nvme,
        checksum_sha1: shown.sha1,
        checksum_sha256: shown.sha256,
        checksum_type: found.checksum.as_ref().map(|(_, scope)| scope_shown(*scope)),
        content_disposition: stored.content_disposition,
        content_encoding: stored.content_encoding,
        content_language: stored.content_language,
        content_length: Some(signed(found.range.end - found.range.start)),
        content_range: found.content_range(),
        content_type: found.content_type(),
        e_tag: Some(etag(&found.live.etag)),
        expiration: found.expiration.clone(),
        last_modified: Some(timestamp(found.row.modified)),
        metadata: found.metadata(),
        object_lock_legal_hold_status: found.legal_hold(),
        object_lock_mode: found.lock_mode(),
        object_lock_retain_until_date: found.retained_until(),
        parts_count: found.parts_count(),
        server_side_encryption: sealed.algorithm,
        ssekms_key_id: sealed.key_id,
        sse_customer_algorithm: sealed.customer_algorithm,
        sse_customer_key_md5: sealed.customer_key_md5,
        storage_class: found.storage_class(),
        tag_count: found.tag_count(),
        version_id: shown_version(bucket, &found.row),
        website_redirect_location: stored.website_redirect,
        ..GetObjectOutput::default()
    };
    let expires = found.expires().filter(|_| input.response_expires.is_none());
    S3Response::with_headers(output, HeaderMap::from_iter(expires))
}

pub(super) async fn head_object(api: &Api, mut request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let key = object_key(&request.input.key)?;
    let wanted = Wanted::read(&request, request.input.version_id.as_deref(), request.input.part_number)?;
    let mut sight = Sight::of(&mut request)?;
    for _ in 0..LOOKUPS {
        match find(api, &bucket, &key, &wanted, &mut sight).await {
            Ok(found) => return Ok(answer_head(&found, &bucket, &request.input)),
            Err(Interrupted::Replaced) => {}
            Err(Interrupted::Failed(error)) => return Err(error),
        }
    }
    Err(internal(&"an object was replaced again and again while it was read"))
}

fn answer_head(found: &Found, bucket: &BucketRow, input: &HeadObjectInput) -> S3Response<HeadObjectOutput> {
    let shown = found.shown_checksum();
    let sealed = found.sealing.shown();
    let stored = found.live.headers.clone();
    let output = HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control: input.response_cache_control.clone().or(stored.cache_control),
        checksum_crc32: shown.crc32,
        checksum_crc32c: shown.crc32c,
        checksum_crc64nvme: shown.crc64nvme,
        checksum_sha1: shown.sha1,
        checksum_sha256: shown.sha256,
        checksum_type: found.checksum.as_ref().map(|(_, scope)| scope_shown(*scope)),
        content_disposition: input.response_content_disposition.clone().or(stored.content_disposition),
        content_encoding: input.response_content_encoding.clone().or(stored.content_encoding),
        content_language: input.response_content_language.clone().or(stored.content_language),
        content_length: Some(signed(found.range.end - found.range.start)),
        content_range: found.content_range(),
        content_type: input.response_content_type.clone().or_else(|| found.content_type()),
        e_tag: Some(etag(&found.live.etag)),
        expiration: found.expiration.clone(),
        expires: input.response_expires.clone(),
        last_modified: Some(timestamp(found.row.modified)),
        metadata: found.metadata(),
        object_lock_legal_hold_status: found.legal_hold(),
        object_lock_mode: found.lock_mode(),
        object_lock_retain_until_date: found.retained_until(),
        parts_count: found.parts_count(),
        server_side_encryption: sealed.algorithm,
        ssekms_key_id: sealed.key_id,
        sse_customer_algorithm: sealed.customer_algorithm,
        sse_customer_key_md5: sealed.customer_key_md5,
        storage_class: found.storage_class(),
        version_id: shown_version(bucket, &found.row),
        website_redirect_location: stored.website_redirect,
        ..HeadObjectOutput::default()
    };
    let overridden: Option<&Timestamp> = input.response_expires.as_ref();
    let expires = found.expires().filter(|_| overridden.is_none());
    // s3s knows this header for GetObject only.
    let tags = found.tag_count().map(|count| (HeaderName::from_static("x-amz-tagging-count"), HeaderValue::from(count)));
    S3Response::with_headers(output, HeaderMap::from_iter(expires.into_iter().chain(tags)))
}
