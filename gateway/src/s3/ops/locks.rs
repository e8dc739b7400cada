//! Object Lock: the bucket's configuration, retention and legal hold of versions.

use http::StatusCode;
use nodio_host::clock::now_ms;
use s3s::dto::{
    GetObjectLegalHoldInput, GetObjectLegalHoldOutput, GetObjectLockConfigurationInput, GetObjectLockConfigurationOutput,
    GetObjectRetentionInput, GetObjectRetentionOutput, ObjectLockLegalHold, PutObjectLegalHoldInput, PutObjectLegalHoldOutput,
    PutObjectLockConfigurationInput, PutObjectLockConfigurationOutput, PutObjectRetentionInput, PutObjectRetentionOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::acl::seen;
use super::get::delete_marker;
use super::shape::version;
use crate::access::Action;
use crate::rows::{BucketRow, DefaultRetention, LiveObject, Lock, ObjectRow};
use crate::s3::Api;
use crate::s3::access::{Rules, judge};
use crate::s3::error::{fail, fail_as, object_key};
use crate::s3::lock;
use crate::tables::TableError;

/// What a new object's lock needs beside the right to write it.
pub(super) fn check_asked<T>(request: &S3Request<T>, bucket: &BucketRow, key: &str, asked: &Lock) -> S3Result<()> {
    if *asked == Lock::default() {
        return Ok(());
    }
    check_lockable(bucket)?;
    let (judge, rules) = (judge(request)?, Rules::of(bucket));
    let must = |action| judge.must(bucket, &rules, action, Some(key), None);
    if asked.retention.is_some() {
        must(Action::PutObjectRetention)?;
    }
    if asked.legal_hold {
        must(Action::PutObjectLegalHold)?;
    }
    Ok(())
}

fn check_lockable(bucket: &BucketRow) -> S3Result<()> {
    if bucket.object_lock {
        return Ok(());
    }
    Err(fail(S3ErrorCode::InvalidRequest, "Bucket is missing Object Lock Configuration"))
}

pub(super) async fn put_object_lock_configuration(
    api: &Api,
    request: S3Request<PutObjectLockConfigurationInput>,
) -> S3Result<S3Response<PutObjectLockConfigurationOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let default = lock::default_of_document(request.input.object_lock_configuration)?;
    api.tables.set_object_lock(&bucket.name, default.as_ref()).await?;
    Ok(S3Response::new(PutObjectLockConfigurationOutput::default()))
}

pub(super) async fn get_object_lock_configuration(
    api: &Api,
    request: S3Request<GetObjectLockConfigurationInput>,
) -> S3Result<S3Response<GetObjectLockConfigurationOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    if !bucket.object_lock {
        let message = "Object Lock configuration does not exist for this bucket";
        return Err(fail_as(StatusCode::NOT_FOUND, "ObjectLockConfigurationNotFoundError", message));
    }
    let default: Option<DefaultRetention> = bucket.setting().map_err(TableError::from)?;
    let shown = Some(lock::default_shown(default));
    Ok(S3Response::new(GetObjectLockConfigurationOutput { object_lock_configuration: shown }))
}

pub(super) async fn put_object_retention(
    api: &Api,
    mut request: S3Request<PutObjectRetentionInput>,
) -> S3Result<S3Response<PutObjectRetentionOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    check_lockable(&bucket)?;
    let key = object_key(&request.input.key)?;
    let now = now_ms();
    let next = lock::of_document(request.input.retention.take(), now)?;
    let past_governance = judge(&request)?.bypasses_retention;
    let named = version(request.input.version_id.as_deref())?;
    let row = seen(api, &mut request, &bucket, &key, named).await?;
    live(&row, named.is_some())?;
    api.tables.set_retention(&bucket, &key, &row, next, (now, past_governance)).await?;
    Ok(S3Response::new(PutObjectRetentionOutput::default()))
}

pub(super) async fn get_object_retention(
    api: &Api,
    mut request: S3Request<GetObjectRetentionInput>,
) -> S3Result<S3Response<GetObjectRetentionOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    check_lockable(&bucket)?;
    let key = object_key(&request.input.key)?;
    let named = version(request.input.version_id.as_deref())?;
    let row = seen(api, &mut request, &bucket, &key, named).await?;
    let retention = live(&row, named.is_some())?.lock.retention;
    let none = || {
        let message = "The specified object does not have a ObjectLock configuration";
        fail_as(StatusCode::NOT_FOUND, "NoSuchObjectLockConfiguration", message)
    };
    let retention = lock::retention_shown(retention.ok_or_else(none)?);
    Ok(S3Response::new(GetObjectRetentionOutput { retention: Some(retention) }))
}

pub(super) async fn put_object_legal_hold(
    api: &Api,
    mut request: S3Request<PutObjectLegalHoldInput>,
) -> S3Result<S3Response<PutObjectLegalHoldOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    check_lockable(&bucket)?;
    let key = object_key(&request.input.key)?;
    let held = lock::hold_of_document(request.input.legal_hold.take())?;
    let named = version(request.input.version_id.as_deref())?;
    let row = seen(api, &mut request, &bucket, &key, named).await?;
    live(&row, named.is_some())?;
    let set = |live: &mut LiveObject| {
        live.lock.legal_hold = held;
        Ok(())
    };
    api.tables.change_object(&bucket, &key, &row, set).await?;
    Ok(S3Response::new(PutObjectLegalHoldOutput::default()))
}

/// A version that never had a hold answers OFF, as one whose hold was taken off.
pub(super) async fn get_object_legal_hold(
    api: &Api,
    mut request: S3Request<GetObjectLegalHoldInput>,
) -> S3Result<S3Response<GetObjectLegalHoldOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    check_lockable(&bucket)?;
    let key = object_key(&request.input.key)?;
    let named = version(request.input.version_id.as_deref())?;
    let row = seen(api, &mut request, &bucket, &key, named).await?;
    let status = lock::hold_shown(live(&row, named.is_some())?.lock.legal_hold);
    Ok(S3Response::new(GetObjectLegalHoldOutput { legal_hold: Some(ObjectLockLegalHold { status: Some(status) }) }))
}

/// The object that a version is; an error for a delete marker.
pub(super) fn live(row: &ObjectRow, named: bool) -> Result<&LiveObject, S3Error> {
    row.live().ok_or_else(|| delete_marker(row, named))
}
