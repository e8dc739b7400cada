//! What a bucket's owner lets others do: bucket policy, ownership controls, public access block.

use http::StatusCode;
use s3s::dto::{
    self, DeleteBucketOwnershipControlsInput, DeleteBucketOwnershipControlsOutput, DeleteBucketPolicyInput,
    DeleteBucketPolicyOutput, DeletePublicAccessBlockInput, DeletePublicAccessBlockOutput, GetBucketOwnershipControlsInput,
    GetBucketOwnershipControlsOutput, GetBucketPolicyInput, GetBucketPolicyOutput, GetBucketPolicyStatusInput,
    GetBucketPolicyStatusOutput, GetPublicAccessBlockInput, GetPublicAccessBlockOutput, OwnershipControls, OwnershipControlsRule,
    PolicyStatus, PublicAccessBlockConfiguration, PutBucketOwnershipControlsInput, PutBucketOwnershipControlsOutput,
    PutBucketPolicyInput, PutBucketPolicyOutput, PutPublicAccessBlockInput, PutPublicAccessBlockOutput,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use crate::access::{BadPolicy, Policy};
use crate::rows::{Acl, ObjectOwnership, PolicyText, PublicAccessBlock};
use crate::s3::Api;
use crate::s3::access::{Rules, denied, judge};
use crate::s3::error::{fail, fail_as, malformed_xml};
use crate::tables::TableError;

pub(super) async fn put_bucket_policy(
    api: &Api,
    request: S3Request<PutBucketPolicyInput>,
) -> S3Result<S3Response<PutBucketPolicyOutput>> {
    let input = &request.input;
    let bucket = api.bucket(&request, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let malformed = |error: BadPolicy| fail(S3ErrorCode::MalformedPolicy, error.to_string());
    let policy = Policy::of_bucket(&input.policy, bucket.name.as_str()).map_err(malformed)?;
    policy.check_keys().map_err(malformed)?;
    if policy.is_public() && Rules::of(&bucket).block.block_public_policy {
        return Err(denied());
    }
    if input.confirm_remove_self_bucket_access != Some(true) && judge(&request)?.is_locked_out_by(&bucket, policy) {
        return Err(denied());
    }
    api.tables.set_setting(&bucket.name, Some(&PolicyText { json: input.policy.clone() })).await?;
    Ok(S3Response::with_status(PutBucketPolicyOutput::default(), StatusCode::NO_CONTENT))
}

/// The document as it was written.
pub(super) async fn get_bucket_policy(
    api: &Api,
    request: S3Request<GetBucketPolicyInput>,
) -> S3Result<S3Response<GetBucketPolicyOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let policy: Option<PolicyText> = bucket.setting().map_err(TableError::from)?;
    let policy =
        policy.ok_or_else(|| fail_as(StatusCode::NOT_FOUND, "NoSuchBucketPolicy", "The bucket policy does not exist"))?;
    let mut response = S3Response::new(GetBucketPolicyOutput { policy: Some(policy.json) });
    response.headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    Ok(response)
}

pub(super) async fn delete_bucket_policy(
    api: &Api,
    request: S3Request<DeleteBucketPolicyInput>,
) -> S3Result<S3Response<DeleteBucketPolicyOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    api.tables.set_setting::<PolicyText>(&bucket.name, None).await?;
    Ok(S3Response::with_status(DeleteBucketPolicyOutput::default(), StatusCode::NO_CONTENT))
}

/// Whether strangers get anything from the bucket, by policy or by its ACL.
pub(super) async fn get_bucket_policy_status(
    api: &Api,
    request: S3Request<GetBucketPolicyStatusInput>,
) -> S3Result<S3Response<GetBucketPolicyStatusOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let rules = Rules::of(&bucket);
    let acls = rules.ownership != ObjectOwnership::BucketOwnerEnforced && !rules.block.ignore_public_acls;
    let is_public = rules.has_public_policy() || acls && bucket.acl.as_ref().is_some_and(Acl::is_public);
    let policy_status = Some(PolicyStatus { is_public: Some(is_public) });
    Ok(S3Response::new(GetBucketPolicyStatusOutput { policy_status }))
}

pub(super) async fn put_bucket_ownership_controls(
    api: &Api,
    request: S3Request<PutBucketOwnershipControlsInput>,
) -> S3Result<S3Response<PutBucketOwnershipControlsOutput>> {
    let input = &request.input;
    let bucket = api.bucket(&request, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let [rule] = &input.ownership_controls.rules[..] else { return Err(malformed_xml()) };
    let ownership = ownership(&rule.object_ownership).ok_or_else(malformed_xml)?;
    if ownership == ObjectOwnership::BucketOwnerEnforced && bucket.acl.is_some() {
        let message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
        return Err(fail(S3ErrorCode::InvalidBucketAclWithObjectOwnership, message));
    }
    api.tables.set_setting(&bucket.name, Some(&ownership)).await?;
    Ok(S3Response::new(PutBucketOwnershipControlsOutput::default()))
}

pub(super) async fn get_bucket_ownership_controls(
    api: &Api,
    request: S3Request<GetBucketOwnershipControlsInput>,
) -> S3Result<S3Response<GetBucketOwnershipControlsOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let set: Option<ObjectOwnership> = bucket.setting().map_err(TableError::from)?;
    let set = set.ok_or_else(|| {
        let message = "The bucket ownership controls were not found";
        fail_as(StatusCode::NOT_FOUND, "OwnershipControlsNotFoundError", message)
    })?;
    let rules = vec![OwnershipControlsRule { object_ownership: dto::ObjectOwnership::from_static(ownership_name(set)) }];
    Ok(S3Response::new(GetBucketOwnershipControlsOutput { ownership_controls: Some(OwnershipControls { rules }) }))
}

pub(super) async fn delete_bucket_ownership_controls(
    api: &Api,
    request: S3Request<DeleteBucketOwnershipControlsInput>,
) -> S3Result<S3Response<DeleteBucketOwnershipControlsOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    api.tables.set_setting::<ObjectOwnership>(&bucket.name, None).await?;
    Ok(S3Response::with_status(DeleteBucketOwnershipControlsOutput::default(), StatusCode::NO_CONTENT))
}

pub(super) fn ownership(said: &dto::ObjectOwnership) -> Option<ObjectOwnership> {
    const ALL: [ObjectOwnership; 3] =
        [ObjectOwnership::ObjectWriter, ObjectOwnership::BucketOwnerPreferred, ObjectOwnership::BucketOwnerEnforced];
    ALL.into_iter().find(|one| ownership_name(*one) == said.as_str())
}

fn ownership_name(ownership: ObjectOwnership) -> &'static str {
    match ownership {
        ObjectOwnership::ObjectWriter => dto::ObjectOwnership::OBJECT_WRITER,
        ObjectOwnership::BucketOwnerPreferred => dto::ObjectOwnership::BUCKET_OWNER_PREFERRED,
        ObjectOwnership::BucketOwnerEnforced => dto::ObjectOwnership::BUCKET_OWNER_ENFORCED,
    }
}

pub(super) async fn put_public_access_block(
    api: &Api,
    request: S3Request<PutPublicAccessBlockInput>,
) -> S3Result<S3Response<PutPublicAccessBlockOutput>> {
    let input = &request.input;
    let bucket = api.bucket(&request, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let said = &input.public_access_block_configuration;
    let block = PublicAccessBlock {
        block_public_acls: said.block_public_acls == Some(true),
        ignore_public_acls: said.ignore_public_acls == Some(true),
        block_public_policy: said.block_public_policy == Some(true),
        restrict_public_buckets: said.restrict_public_buckets == Some(true),
    };
    api.tables.set_setting(&bucket.name, Some(&block)).await?;
    Ok(S3Response::new(PutPublicAccessBlockOutput::default()))
}

pub(super) async fn get_public_access_block(
    api: &Api,
    request: S3Request<GetPublicAccessBlockInput>,
) -> S3Result<S3Response<GetPublicAccessBlockOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let set: Option<PublicAccessBlock> = bucket.setting().map_err(TableError::from)?;
    let set = set.ok_or_else(|| {
        let message = "The public access block configuration was not found";
        fail_as(StatusCode::NOT_FOUND, "NoSuchPublicAccessBlockConfiguration", message)
    })?;
    let shown = PublicAccessBlockConfiguration {
        block_public_acls: Some(set.block_public_acls),
        block_public_policy: Some(set.block_public_policy),
        ignore_public_acls: Some(set.ignore_public_acls),
        restrict_public_buckets: Some(set.restrict_public_buckets),
    };
    Ok(S3Response::new(GetPublicAccessBlockOutput { public_access_block_configuration: Some(shown) }))
}

pub(super) async fn delete_public_access_block(
    api: &Api,
    request: S3Request<DeletePublicAccessBlockInput>,
) -> S3Result<S3Response<DeletePublicAccessBlockOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    api.tables.set_setting::<PublicAccessBlock>(&bucket.name, None).await?;
    Ok(S3Response::with_status(DeletePublicAccessBlockOutput::default(), StatusCode::NO_CONTENT))
}
