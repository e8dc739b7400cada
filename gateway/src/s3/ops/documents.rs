//! Documents of buckets that say that something is off: replication, acceleration. To turn one of them on is not implemented.

use http::StatusCode;
use s3s::dto::{
    GetBucketAccelerateConfigurationInput, GetBucketAccelerateConfigurationOutput, GetBucketReplicationInput,
    GetBucketReplicationOutput, GetObjectTorrentInput, GetObjectTorrentOutput,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use crate::s3::Api;
use crate::s3::error::{fail, fail_as};

pub(super) async fn get_bucket_replication(
    api: &Api,
    request: S3Request<GetBucketReplicationInput>,
) -> S3Result<S3Response<GetBucketReplicationOutput>> {
    api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let message = "The replication configuration was not found";
    Err(fail_as(StatusCode::NOT_FOUND, "ReplicationConfigurationNotFoundError", message))
}

/// No object has one: S3 gave up BitTorrent in 2022.
pub(super) async fn get_object_torrent(
    api: &Api,
    request: S3Request<GetObjectTorrentInput>,
) -> S3Result<S3Response<GetObjectTorrentOutput>> {
    api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    Err(fail(S3ErrorCode::NoSuchKey, "The object has no torrent"))
}

pub(super) async fn get_bucket_accelerate_configuration(
    api: &Api,
    request: S3Request<GetBucketAccelerateConfigurationInput>,
) -> S3Result<S3Response<GetBucketAccelerateConfigurationOutput>> {
    api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    Ok(S3Response::new(GetBucketAccelerateConfigurationOutput::default()))
}
