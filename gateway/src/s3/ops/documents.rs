//! Documents of buckets that say that something is off: payment by requesters, replication, acceleration.
//! To turn one of them on is not implemented.

use http::StatusCode;
use s3s::dto::{
    GetBucketAccelerateConfigurationInput, GetBucketAccelerateConfigurationOutput, GetBucketReplicationInput,
    GetBucketReplicationOutput, GetBucketRequestPaymentInput, GetBucketRequestPaymentOutput, GetObjectTorrentInput,
    GetObjectTorrentOutput, Payer, PutBucketRequestPaymentInput, PutBucketRequestPaymentOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use crate::s3::Api;
use crate::s3::error::{fail, fail_as, malformed_xml};

fn not_implemented(message: &'static str) -> S3Error {
    fail(S3ErrorCode::NotImplemented, message)
}

/// Nobody is billed here, so nobody can be made to pay.
pub(super) async fn put_bucket_request_payment(
    api: &Api,
    request: S3Request<PutBucketRequestPaymentInput>,
) -> S3Result<S3Response<PutBucketRequestPaymentOutput>> {
    let input = &request.input;
    api.bucket(&request, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    match input.request_payment_configuration.payer.as_str() {
        Payer::BUCKET_OWNER => Ok(S3Response::new(PutBucketRequestPaymentOutput::default())),
        Payer::REQUESTER => Err(not_implemented("Requester Pays is not implemented")),
        _ => Err(malformed_xml()),
    }
}

pub(super) async fn get_bucket_request_payment(
    api: &Api,
    request: S3Request<GetBucketRequestPaymentInput>,
) -> S3Result<S3Response<GetBucketRequestPaymentOutput>> {
    api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    Ok(S3Response::new(GetBucketRequestPaymentOutput { payer: Some(Payer::from_static(Payer::BUCKET_OWNER)) }))
}

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
