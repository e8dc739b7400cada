//! PutBucketRequestPayment, GetBucketRequestPayment. What it asks of requests is in [`crate::s3::access`].

use s3s::dto::{
    GetBucketRequestPaymentInput, GetBucketRequestPaymentOutput, Payer, PutBucketRequestPaymentInput,
    PutBucketRequestPaymentOutput,
};
use s3s::{S3Request, S3Response, S3Result};

use crate::rows::RequesterPays;
use crate::s3::Api;
use crate::s3::error::malformed_xml;

pub(super) async fn put_bucket_request_payment(
    api: &Api,
    request: S3Request<PutBucketRequestPaymentInput>,
) -> S3Result<S3Response<PutBucketRequestPaymentOutput>> {
    let input = &request.input;
    let bucket = api.bucket(&request, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let setting = match input.request_payment_configuration.payer.as_str() {
        Payer::BUCKET_OWNER => None,
        Payer::REQUESTER => Some(RequesterPays),
        _ => return Err(malformed_xml()),
    };
    api.tables.set_setting(&bucket.name, setting.as_ref()).await?;
    Ok(S3Response::new(PutBucketRequestPaymentOutput::default()))
}

pub(super) async fn get_bucket_request_payment(
    api: &Api,
    request: S3Request<GetBucketRequestPaymentInput>,
) -> S3Result<S3Response<GetBucketRequestPaymentOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let payer = if bucket.requester_pays() { Payer::REQUESTER } else { Payer::BUCKET_OWNER };
    Ok(S3Response::new(GetBucketRequestPaymentOutput { payer: Some(Payer::from_static(payer)) }))
}
