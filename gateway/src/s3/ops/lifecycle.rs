//! PutBucketLifecycleConfiguration, GetBucketLifecycleConfiguration, DeleteBucketLifecycle; what objects say of their end.

use http::StatusCode;
use s3s::dto::{
    DeleteBucketLifecycleInput, DeleteBucketLifecycleOutput, GetBucketLifecycleConfigurationInput,
    GetBucketLifecycleConfigurationOutput, PutBucketLifecycleConfigurationInput, PutBucketLifecycleConfigurationOutput,
    Timestamp, TimestampFormat,
};
use s3s::{S3Request, S3Response, S3Result};

use super::shape::timestamp;
use crate::lifecycle::{Clock, abortion, expiry};
use crate::names::ObjectKey;
use crate::rows::{BucketRow, Lifecycle, ObjectRow, UploadRow};
use crate::s3::Api;
use crate::s3::error::{fail_as, malformed_xml};
use crate::s3::guard::query;
use crate::s3::lifecycle::{read, show};
use crate::tables::TableError;

pub(super) async fn put_bucket_lifecycle_configuration(
    api: &Api,
    request: S3Request<PutBucketLifecycleConfigurationInput>,
) -> S3Result<S3Response<PutBucketLifecycleConfigurationOutput>> {
    let input = &request.input;
    let bucket = api.bucket(&request, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let rules = read(&input.lifecycle_configuration.as_ref().ok_or_else(malformed_xml)?.rules)?;
    api.tables.set_setting(&bucket.name, Some(&rules)).await?;
    Ok(S3Response::new(PutBucketLifecycleConfigurationOutput::default()))
}

pub(super) async fn get_bucket_lifecycle_configuration(
    api: &Api,
    request: S3Request<GetBucketLifecycleConfigurationInput>,
) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let rules: Option<Lifecycle> = bucket.setting().map_err(TableError::from)?;
    let rules = rules.ok_or_else(|| {
        let message = "The lifecycle configuration does not exist";
        fail_as(StatusCode::NOT_FOUND, "NoSuchLifecycleConfiguration", message)
    })?;
    let rules = Some(show(rules));
    Ok(S3Response::new(GetBucketLifecycleConfigurationOutput { rules, transition_default_minimum_object_size: None }))
}

pub(super) async fn delete_bucket_lifecycle(
    api: &Api,
    request: S3Request<DeleteBucketLifecycleInput>,
) -> S3Result<S3Response<DeleteBucketLifecycleOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    api.tables.set_setting::<Lifecycle>(&bucket.name, None).await?;
    Ok(S3Response::with_status(DeleteBucketLifecycleOutput::default(), StatusCode::NO_CONTENT))
}

/// `x-amz-expiration` of a current version: when it expires, in real days, and by which rule.
pub(super) fn expiration(bucket: &BucketRow, key: &ObjectKey, row: &ObjectRow) -> Option<String> {
    let rules: Lifecycle = bucket.setting().ok().flatten()?;
    let (at, id) = expiry(&rules, key.as_str(), row, Clock::REAL)?;
    let mut date = Vec::new();
    timestamp(at).format(TimestampFormat::HttpDate, &mut date).ok()?;
    let date = String::from_utf8(date).ok()?;
    Some(format!("expiry-date=\"{date}\", rule-id=\"{}\"", query::encode(id)))
}

/// `x-amz-abort-date` and `x-amz-abort-rule-id` of an upload.
pub(super) fn abort(bucket: &BucketRow, key: &ObjectKey, upload: &UploadRow) -> (Option<Timestamp>, Option<String>) {
    let rules: Lifecycle = bucket.setting().ok().flatten().unwrap_or_default();
    let at = abortion(&rules, key.as_str(), upload, Clock::REAL);
    at.map(|(at, id)| (timestamp(at), query::encode(id))).unzip()
}
