//! PutBucketEncryption, GetBucketEncryption, DeleteBucketEncryption.

use http::StatusCode;
use s3s::dto::{
    DeleteBucketEncryptionInput, DeleteBucketEncryptionOutput, GetBucketEncryptionInput, GetBucketEncryptionOutput,
    PutBucketEncryptionInput, PutBucketEncryptionOutput, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use crate::rows::DefaultEncryption;
use crate::s3::Api;
use crate::s3::encryption::{KMS, S3_MANAGED};
use crate::s3::error::{fail, fail_as, invalid_argument};
use crate::tables::TableError;

pub(super) async fn put_bucket_encryption(
    api: &Api,
    request: S3Request<PutBucketEncryptionInput>,
) -> S3Result<S3Response<PutBucketEncryptionOutput>> {
    let input = &request.input;
    let bucket = api.bucket(&request, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let default = read(&input.server_side_encryption_configuration)?;
    api.tables.set_setting(&bucket.name, Some(&default)).await?;
    Ok(S3Response::new(PutBucketEncryptionOutput::default()))
}

/// Whether a key is there is not asked before an object needs it, as S3 does.
fn read(said: &ServerSideEncryptionConfiguration) -> S3Result<DefaultEncryption> {
    let [rule] = &said.rules[..] else { return Err(malformed()) };
    let default = rule.apply_server_side_encryption_by_default.as_ref().ok_or_else(malformed)?;
    let key_id = default.kms_master_key_id.clone().filter(|id| !id.is_empty());
    let bucket_key = rule.bucket_key_enabled == Some(true);
    match (default.sse_algorithm.as_str(), key_id) {
        (S3_MANAGED, Some(_)) => {
            let message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";
            Err(invalid_argument(message))
        }
        (S3_MANAGED, None) => Ok(DefaultEncryption::S3 { bucket_key }),
        (KMS, _) if bucket_key => Err(fail(S3ErrorCode::NotImplemented, "S3 Bucket Keys are not implemented")),
        (KMS, key_id) => Ok(DefaultEncryption::Kms { key_id }),
        ("aws:kms:dsse", _) => Err(fail(S3ErrorCode::NotImplemented, "aws:kms:dsse is not implemented")),
        _ => Err(malformed()),
    }
}

fn malformed() -> s3s::S3Error {
    let message = "The XML you provided was not well-formed or did not validate against our published schema";
    fail(S3ErrorCode::MalformedXML, message)
}

pub(super) async fn get_bucket_encryption(
    api: &Api,
    request: S3Request<GetBucketEncryptionInput>,
) -> S3Result<S3Response<GetBucketEncryptionOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let set: Option<DefaultEncryption> = bucket.setting().map_err(TableError::from)?;
    let set = set.ok_or_else(|| {
        let message = "The server side encryption configuration was not found";
        fail_as(StatusCode::NOT_FOUND, "ServerSideEncryptionConfigurationNotFoundError", message)
    })?;
    let (algorithm, key_id, bucket_key) = match set {
        DefaultEncryption::S3 { bucket_key } => (S3_MANAGED, None, bucket_key),
        DefaultEncryption::Kms { key_id } => (KMS, key_id, false),
    };
    let default =
        ServerSideEncryptionByDefault { kms_master_key_id: key_id, sse_algorithm: ServerSideEncryption::from_static(algorithm) };
    let rule =
        ServerSideEncryptionRule { apply_server_side_encryption_by_default: Some(default), bucket_key_enabled: Some(bucket_key) };
    let configuration = ServerSideEncryptionConfiguration { rules: vec![rule] };
    Ok(S3Response::new(GetBucketEncryptionOutput { server_side_encryption_configuration: Some(configuration) }))
}

pub(super) async fn delete_bucket_encryption(
    api: &Api,
    request: S3Request<DeleteBucketEncryptionInput>,
) -> S3Result<S3Response<DeleteBucketEncryptionOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    api.tables.set_setting::<DefaultEncryption>(&bucket.name, None).await?;
    Ok(S3Response::with_status(DeleteBucketEncryptionOutput::default(), StatusCode::NO_CONTENT))
}
