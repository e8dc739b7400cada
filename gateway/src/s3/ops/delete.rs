//! DeleteObject and DeleteObjects.

use futures::{StreamExt, stream};
use nodio_host::clock::now_ms;
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error as DeleteError,
    ObjectIdentifier, Timestamp,
};
use s3s::{S3Error, S3Request, S3Response, S3Result};

use super::shape::{matching, version};
use crate::names::VersionId;
use crate::rows::{BucketRow, EventKind};
use crate::s3::Api;
use crate::s3::access::{Judge, Rules, headers, judge};
use crate::s3::conditional::Tags;
use crate::s3::error::{malformed_xml, object_key};
use crate::s3::headers::text;
use crate::s3::limits::{DELETE_CONCURRENCY, DELETE_KEYS_MAX};
use crate::s3::lock::unix_ms;
use crate::tables::{Deleted, Deletion, TableError, Tables};

pub(super) async fn delete_object(api: &Api, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
    let input = &request.input;
    let bucket = api.bucket(&request, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let key = object_key(&input.key)?;
    let deletion = Deletion {
        if_match: text(headers(&request), "if-match").map(Tags::parse).map(matching),
        if_modified_s: input.if_match_last_modified_time.as_ref().map(second),
        if_size: input.if_match_size.map(bytes),
        if_write: None,
        past_governance: judge(&request)?.bypasses_retention,
    };
    let named = version(input.version_id.as_deref())?;
    let tables = api.telling(&request, &bucket, EventKind::RemovedDelete);
    let deleted = tables.delete_object(&bucket, &key, named, &deletion, now_ms()).await?;
    let output = DeleteObjectOutput {
        delete_marker: deleted.delete_marker.then_some(true),
        request_charged: None,
        version_id: deleted.version.map(|version| version.to_string()),
    };
    Ok(S3Response::with_status(output, http::StatusCode::NO_CONTENT))
}

pub(super) async fn delete_objects(
    api: &Api,
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let judge = judge(&request)?.clone();
    let rules = Rules::of(&bucket);
    let tables = api.telling(&request, &bucket, EventKind::RemovedDelete);
    let delete = request.input.delete;
    if delete.objects.is_empty() || delete.objects.len() > DELETE_KEYS_MAX {
        return Err(malformed_xml());
    }
    let quiet = delete.quiet == Some(true);
    let work = delete.objects.into_iter().map(|object| delete_one(&tables, (&judge, &rules), &bucket, object));
    let outcomes: Vec<_> = stream::iter(work).buffered(DELETE_CONCURRENCY).collect().await;
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(done) if !quiet => deleted.push(done),
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
    }
    let some = DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), request_charged: None };
    Ok(S3Response::new(some))
}

async fn delete_one(
    tables: &Tables,
    law: (&Judge, &Rules),
    bucket: &BucketRow,
    object: ObjectIdentifier,
) -> Result<DeletedObject, DeleteError> {
    let (key, version_id) = (object.key.clone(), object.version_id.clone());
    match try_delete(tables, law, bucket, &object).await {
        Ok((named, deleted)) => Ok(DeletedObject {
            delete_marker: deleted.delete_marker.then_some(true),
            delete_marker_version_id: deleted.version.filter(|_| deleted.delete_marker).map(|version| version.to_string()),
            key: Some(key),
            version_id: named.map(|version| version.to_string()),
        }),
        Err(error) => Err(DeleteError {
            code: Some(error.code().as_str().to_owned()),
            key: Some(key),
            message: error.message().map(str::to_owned),
            version_id,
        }),
    }
}

async fn try_delete(
    tables: &Tables,
    (judge, rules): (&Judge, &Rules),
    bucket: &BucketRow,
    object: &ObjectIdentifier,
) -> Result<(Option<VersionId>, Deleted), S3Error> {
    let key = object_key(&object.key)?;
    let named = version(object.version_id.as_deref())?;
    judge.must_delete(bucket, rules, key.as_str(), named.is_some())?;
    let deletion = Deletion {
        if_match: object.e_tag.as_ref().map(|etag| matching(Tags::parse(etag.value()))),
        if_modified_s: object.last_modified_time.as_ref().map(second),
        if_size: object.size.map(bytes),
        if_write: None,
        past_governance: judge.bypasses_retention,
    };
    match tables.delete_object(bucket, &key, named, &deletion, now_ms()).await {
        Ok(deleted) => Ok((named, deleted)),
        Err(TableError::NoSuchVersion) => Ok((named, Deleted { existed: false, delete_marker: false, version: named })),
        Err(error) => Err(error.into()),
    }
}

/// Conditions compare times to the second; no version is from before 1970.
fn second(at: &Timestamp) -> u64 {
    unix_ms(at).map_or(u64::MAX, |millis| millis / 1000)
}

/// No version has a negative size, nor so many bytes.
fn bytes(size: i64) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}
