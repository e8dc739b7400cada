//! Tags of objects, of their versions, and of buckets.

use http::StatusCode;
use s3s::dto::{
    DeleteBucketTaggingInput, DeleteBucketTaggingOutput, DeleteObjectTaggingInput, DeleteObjectTaggingOutput,
    GetBucketTaggingInput, GetBucketTaggingOutput, GetObjectTaggingInput, GetObjectTaggingOutput, PutBucketTaggingInput,
    PutBucketTaggingOutput, PutObjectTaggingInput, PutObjectTaggingOutput, Tagging,
};
use s3s::{S3Request, S3Response, S3Result};

use super::acl::seen;
use super::locks::live;
use super::shape::{shown_version, version};
use crate::names::{ObjectKey, VersionId};
use crate::rows::{BucketRow, BucketTags, EventKind, LiveObject};
use crate::s3::Api;
use crate::s3::error::{fail_as, object_key};
use crate::s3::limits::{BUCKET_TAGS_MAX, OBJECT_TAGS_MAX};
use crate::s3::tags::{self, Tags};
use crate::tables::TableError;

pub(super) async fn put_object_tagging(
    api: &Api,
    mut request: S3Request<PutObjectTaggingInput>,
) -> S3Result<S3Response<PutObjectTaggingOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let key = object_key(&request.input.key)?;
    let document = std::mem::replace(&mut request.input.tagging, Tagging { tag_set: Vec::new() });
    let tags = tags::of_document(document, OBJECT_TAGS_MAX)?;
    let named = version(request.input.version_id.as_deref())?;
    let version_id = set(api, &mut request, (&bucket, &key, named), tags, EventKind::TaggingPut).await?;
    Ok(S3Response::new(PutObjectTaggingOutput { version_id }))
}

pub(super) async fn delete_object_tagging(
    api: &Api,
    mut request: S3Request<DeleteObjectTaggingInput>,
) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let key = object_key(&request.input.key)?;
    let named = version(request.input.version_id.as_deref())?;
    let version_id = set(api, &mut request, (&bucket, &key, named), Vec::new(), EventKind::TaggingDelete).await?;
    Ok(S3Response::with_status(DeleteObjectTaggingOutput { version_id }, StatusCode::NO_CONTENT))
}

/// Answers the version they were set on.
async fn set<T>(
    api: &Api,
    request: &mut S3Request<T>,
    (bucket, key, named): (&BucketRow, &ObjectKey, Option<VersionId>),
    tags: Tags,
    kind: EventKind,
) -> S3Result<Option<String>> {
    let row = seen(api, request, bucket, key, named).await?;
    live(&row, named.is_some())?;
    let change = |live: &mut LiveObject| {
        live.tags.clone_from(&tags);
        Ok(())
    };
    api.telling(request, bucket, kind).change_object(bucket, key, &row, change).await?;
    Ok(shown_version(bucket, &row))
}

pub(super) async fn get_object_tagging(
    api: &Api,
    mut request: S3Request<GetObjectTaggingInput>,
) -> S3Result<S3Response<GetObjectTaggingOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let key = object_key(&request.input.key)?;
    let named = version(request.input.version_id.as_deref())?;
    let row = seen(api, &mut request, &bucket, &key, named).await?;
    let tag_set = tags::shown(&live(&row, named.is_some())?.tags);
    Ok(S3Response::new(GetObjectTaggingOutput { tag_set, version_id: shown_version(&bucket, &row) }))
}

pub(super) async fn put_bucket_tagging(
    api: &Api,
    request: S3Request<PutBucketTaggingInput>,
) -> S3Result<S3Response<PutBucketTaggingOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let tags = tags::of_document(request.input.tagging, BUCKET_TAGS_MAX)?;
    api.tables.set_setting(&bucket.name, Some(&BucketTags { tags })).await?;
    Ok(S3Response::new(PutBucketTaggingOutput::default()))
}

pub(super) async fn get_bucket_tagging(
    api: &Api,
    request: S3Request<GetBucketTaggingInput>,
) -> S3Result<S3Response<GetBucketTaggingOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let set: Option<BucketTags> = bucket.setting().map_err(TableError::from)?;
    let set = set.ok_or_else(|| fail_as(StatusCode::NOT_FOUND, "NoSuchTagSet", "The TagSet does not exist"))?;
    Ok(S3Response::new(GetBucketTaggingOutput { tag_set: tags::shown(&set.tags) }))
}

pub(super) async fn delete_bucket_tagging(
    api: &Api,
    request: S3Request<DeleteBucketTaggingInput>,
) -> S3Result<S3Response<DeleteBucketTaggingOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    api.tables.set_setting::<BucketTags>(&bucket.name, None).await?;
    Ok(S3Response::with_status(DeleteBucketTaggingOutput::default(), StatusCode::NO_CONTENT))
}
