//! PutObject.

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use nodio_host::clock::now_ms;
use s3s::dto::{PutObjectInput, PutObjectOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::acl::{self, Shared};
use super::body::{announced_length, from_client};
use super::lifecycle;
use super::locks::check_asked;
use super::shape::{etag, made_version, precondition};
use crate::checksum::{ChecksumKind, ChecksumScope};
use crate::names::{ObjectKey, ObjectUid};
use crate::pipeline::{WriteOptions, WrittenPart};
use crate::rows::{Acl, BucketRow, ETag, EventKind, LiveObject, ObjectBody, ObjectChecksum, ObjectRow, PartPlace};
use crate::s3::Api;
use crate::s3::access::{headers, trailers};
use crate::s3::digest::{Claims, Shown, scope_shown};
use crate::s3::encryption::{self, Sealing};
use crate::s3::error::object_key;
use crate::s3::guard::FormFile;
use crate::s3::headers::NewHeaders;
use crate::s3::limits::PUT_BYTES_MAX;
use crate::tables::{Coming, NewObject, Precondition, TableError, Tables};

pub(super) async fn put_object(api: &Api, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let key = object_key(&request.input.key)?;
    let metadata = request.input.metadata.take();
    let new = NewHeaders::read(headers(&request), metadata)?;
    check_asked(&request, &bucket, key.as_str(), &new.lock)?;
    let sealing = api.seal_new(&bucket, new.encryption.clone())?;
    let claims = Claims::read(headers(&request))?;
    let condition = precondition(headers(&request));
    let form = request.extensions.get::<FormFile>().is_some();
    let length = if form { None } else { Some(announced_length(headers(&request))?) };
    let shared = acl::of_new_object(api, &request, &bucket).await?;
    check_early(api, &bucket, &key, &condition).await?;
    api.check_room(&bucket, Coming::Object(&key), length.unwrap_or(0)).await?;

    let kind = claims.kind().unwrap_or(ChecksumKind::Crc64Nvme);
    let code = api.codes.of(new.storage_class.as_deref());
    let options = WriteOptions { checksums: vec![kind], length, bytes_max: PUT_BYTES_MAX, code };
    let body = from_client(request.input.body.take());
    let written = api.write(body, options, &claims, || trailers(&request)).await?;

    let object = new_object(api, &sealing, &key, shared, new, &written, kind);
    let kind = if form { EventKind::CreatedPost } else { EventKind::CreatedPut };
    let tables = api.telling(&request, &bucket, kind);
    let row = commit((api, &tables), &bucket, &key, &object, &condition, &written).await?;
    let expiration = lifecycle::expiration(&bucket, &key, &row);
    Ok(S3Response::new(PutObjectOutput { expiration, ..answer(&row, sealing.shown()) }))
}

/// An object of the gateway's own making.
pub(in crate::s3) struct NewText {
    pub(in crate::s3) content_type: &'static str,
    pub(in crate::s3) bytes: Bytes,
    pub(in crate::s3) acl: Option<Acl>,
}

/// Writes it for the bucket's owner, as the bucket's defaults say; `tables` tell of it.
pub(in crate::s3) async fn put_text(
    api: &Api,
    tables: &Tables,
    bucket: &BucketRow,
    key: &ObjectKey,
    text: NewText,
) -> S3Result<()> {
    let given = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(text.content_type))]);
    let new = NewHeaders::read(&given, None)?;
    let sealing = api.seal_new(bucket, new.encryption.clone())?;
    let kind = ChecksumKind::Crc64Nvme;
    let (length, code) = (Some(text.bytes.len() as u64), api.codes.of(None));
    let options = WriteOptions { checksums: vec![kind], length, bytes_max: PUT_BYTES_MAX, code };
    let body = stream::iter([Ok(text.bytes)]).boxed();
    let written = api.write(body, options, &Claims::read(&given)?, || None).await?;
    let shared = Shared { owner: bucket.owner.clone(), acl: text.acl };
    let object = new_object(api, &sealing, key, shared, new, &written, kind);
    commit((api, tables), bucket, key, &object, &Precondition::default(), &written).await.map(drop)
}

/// Spares a client the sending of what would be refused. The commit decides anew.
async fn check_early(api: &Api, bucket: &BucketRow, key: &ObjectKey, condition: &Precondition) -> S3Result<()> {
    if *condition == Precondition::default() {
        return Ok(());
    }
    let current = match api.tables.object(bucket, key, None).await {
        Ok(row) => row.live().map(|live| live.etag),
        Err(TableError::NoSuchKey) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(condition.check(current.as_ref())?)
}

fn new_object(
    api: &Api,
    sealing: &Sealing,
    key: &ObjectKey,
    shared: Shared,
    new: NewHeaders,
    written: &WrittenPart,
    kind: ChecksumKind,
) -> NewObject {
    let uid = ObjectUid::new(now_ms());
    let owned = api.own(&sealing.keys, key, uid, 1, written, kind);
    let checksum = owned.part.checksum.clone();
    let body = if owned.part.place == PartPlace::Empty { ObjectBody::Empty } else { ObjectBody::Single(owned.part) };
    let live = LiveObject {
        size: written.len,
        etag: ETag::single(written.md5),
        headers: new.headers,
        user_meta: new.user_meta,
        tags: new.tags,
        acl: shared.acl,
        lock: new.lock,
        sse: sealing.sse(uid),
        checksum: checksum.map(|checksum| ObjectChecksum { checksum, scope: ChecksumScope::FullObject }),
        storage_class: new.storage_class,
        body,
    };
    NewObject { uid, owner: shared.owner, live, inline: owned.inline }
}

/// Names what was written, or lets go of it.
pub(super) async fn commit(
    (api, tables): (&Api, &Tables),
    bucket: &BucketRow,
    key: &ObjectKey,
    object: &NewObject,
    condition: &Precondition,
    written: &WrittenPart,
) -> S3Result<ObjectRow> {
    match tables.put_object(bucket, key, object, condition, now_ms()).await {
        Ok(put) => Ok(put.row),
        Err(error) => {
            // After a failure of the store the part may be named or not: the sweep finds out.
            if !matches!(error, TableError::Store(_)) {
                api.let_go(&written.place, written.id).await;
            }
            Err(error.into())
        }
    }
}

fn answer(row: &ObjectRow, sealed: encryption::Shown) -> PutObjectOutput {
    let live = row.live();
    let checksum = live.and_then(|live| live.checksum.as_ref());
    let shown = Shown::of(checksum.map(|checksum| &checksum.checksum));
    PutObjectOutput {
        e_tag: live.map(|live| etag(&live.etag)),
        checksum_crc32: shown.crc32,
        checksum_crc32c: shown.crc32c,
        checksum_crc64nvme: shown.crc64nvme,
        checksum_sha1: shown.sha1,
        checksum_sha256: shown.sha256,
        checksum_type: checksum.map(|checksum| scope_shown(checksum.scope)),
        server_side_encryption: sealed.algorithm,
        ssekms_key_id: sealed.key_id,
        ssekms_encryption_context: sealed.context,
        sse_customer_algorithm: sealed.customer_algorithm,
        sse_customer_key_md5: sealed.customer_key_md5,
        version_id: made_version(row),
        ..PutObjectOutput::default()
    }
}
