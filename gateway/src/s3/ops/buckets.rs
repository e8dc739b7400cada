//! Buckets: ListBuckets, CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use nodio_host::clock::now_ms;
use s3s::dto::{
    Bucket, BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput, DeleteBucketOutput,
    GetBucketLocationInput, GetBucketLocationOutput, HeadBucketInput, HeadBucketOutput, ListBucketsInput, ListBucketsOutput,
    ObjectOwnership,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::shape::{owner, timestamp};
use super::{acl, sharing};
use crate::names::{BucketName, UploadId, UserId};
use crate::rows::BucketRow;
use crate::s3::Api;
use crate::s3::access::caller;
use crate::s3::error::{bucket_name, fail, invalid_argument};
use crate::s3::limits::{BUCKETS_PAGE_MAX, UPLOADS_PAGE};
use crate::tables::{BucketPage, ListQuery, NewBucket, TableError, UploadQuery};

/// The region whose constraint is the empty one.
const CLASSIC_REGION: &str = "us-east-1";

pub(super) async fn list_buckets(api: &Api, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
    let caller = caller(&request)?;
    let input = request.input;
    let limit = input.max_buckets.unwrap_or(BUCKETS_PAGE_MAX);
    if !(1..=BUCKETS_PAGE_MAX).contains(&limit) {
        return Err(invalid_argument("The max-buckets argument must be between 1 and 10000"));
    }
    let after = input.continuation_token.as_deref().map(read_token).transpose()?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let page = match caller.id == UserId::anonymous() {
        true => BucketPage::default(),
        false => api.tables.list_buckets(&caller.id, &prefix, after.as_ref(), limit as usize).await?,
    };
    let elsewhere = input.bucket_region.as_deref().is_some_and(|region| region != &*api.region);
    let buckets = page.buckets.iter().filter(|_| !elsewhere).map(shown).collect();
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(buckets),
        continuation_token: page.next.map(|next| BASE64.encode(next.as_str())),
        owner: Some(owner(&caller)),
        prefix: input.prefix,
    }))
}

fn shown(bucket: &BucketRow) -> Bucket {
    Bucket {
        bucket_region: Some(bucket.region.clone()),
        creation_date: Some(timestamp(bucket.created)),
        name: Some(bucket.name.to_string()),
    }
}

fn read_token(token: &str) -> S3Result<BucketName> {
    let name = BASE64.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let name = name.and_then(|name| BucketName::parse(&name).ok());
    name.ok_or_else(|| invalid_argument("The continuation token provided is incorrect"))
}

pub(super) async fn create_bucket(api: &Api, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
    let caller = caller(&request)?;
    let name = bucket_name(&request.input.bucket)?;
    if [".-", "-."].iter().any(|pair| name.as_str().contains(pair)) {
        return Err(fail(
            S3ErrorCode::InvalidBucketName,
            "No label of a bucket's name begins or ends with a hyphen: it is a host name too.",
        ));
    }
    refuse_unbuilt(&request.input)?;
    let asked = request.input.object_ownership.as_ref().map(asked_ownership).transpose()?;
    let acl = acl::of_new_bucket(api, &request, &caller.id, asked.unwrap_or_default()).await?;
    let input = request.input;
    let constraint = input.create_bucket_configuration.and_then(|configuration| configuration.location_constraint);
    check_constraint(constraint.as_ref().map(BucketLocationConstraint::as_str), &api.region)?;
    let object_lock = input.object_lock_enabled_for_bucket == Some(true);
    let new = NewBucket { name, owner: caller.id.clone(), region: api.region.to_string(), object_lock, acl, ownership: asked };
    match api.tables.create_bucket(new.clone(), now_ms()).await {
        Ok(_) => {}
        // In us-east-1, and only there, S3 answers as it did before there were other regions. Access is not changed on the way.
        Err(TableError::BucketExists { owned_by_you: true }) if &*api.region == CLASSIC_REGION => {
            if api.tables.bucket(&new.name).await?.acl != new.acl {
                return Err(TableError::BucketExists { owned_by_you: false }.into());
            }
        }
        Err(error) => return Err(error.into()),
    }
    Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{}", input.bucket)) }))
}

fn refuse_unbuilt(input: &CreateBucketInput) -> S3Result<()> {
    let not_implemented = |what: &str| Err(fail(S3ErrorCode::NotImplemented, format!("{what} is not implemented")));
    let configuration = input.create_bucket_configuration.as_ref();
    if configuration.is_some_and(|configuration| configuration.bucket.is_some() || configuration.location.is_some()) {
        return not_implemented("Directory buckets");
    }
    Ok(())
}

fn asked_ownership(said: &ObjectOwnership) -> S3Result<crate::rows::ObjectOwnership> {
    sharing::ownership(said).ok_or_else(|| invalid_argument("Invalid x-amz-object-ownership header"))
}

fn check_constraint(constraint: Option<&str>, region: &str) -> S3Result<()> {
    match constraint {
        None | Some("") => Ok(()),
        Some(same) if same == region => Ok(()),
        Some("EU") if region == "eu-west-1" => Ok(()),
        Some(other) => {
            let message = format!(
                "The {other} location constraint is incompatible for the region specific endpoint this request was sent to."
            );
            Err(fail(S3ErrorCode::IllegalLocationConstraintException, message))
        }
    }
}

pub(super) async fn head_bucket(api: &Api, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    Ok(S3Response::new(HeadBucketOutput { bucket_region: Some(bucket.region.clone()), ..HeadBucketOutput::default() }))
}

pub(super) async fn delete_bucket(api: &Api, request: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    match api.tables.delete_bucket(&bucket.name).await {
        Err(TableError::BucketNotEmpty) if only_uploads_are_left(api, &bucket).await? => {
            abort_uploads(api, &bucket).await?;
            api.tables.delete_bucket(&bucket.name).await?;
        }
        answered => answered?,
    }
    Ok(S3Response::with_status(DeleteBucketOutput::default(), http::StatusCode::NO_CONTENT))
}

async fn only_uploads_are_left(api: &Api, bucket: &BucketRow) -> S3Result<bool> {
    let any = ListQuery { prefix: String::new(), delimiter: None, after: None, limit: 1 };
    let page = api.tables.list_objects(bucket, &any).await?;
    Ok(page.objects.is_empty() && page.next.is_none())
}

/// Uploads under way don't keep a bucket: only directory buckets want them aborted first (API page of DeleteBucket).
async fn abort_uploads(api: &Api, bucket: &BucketRow) -> S3Result<()> {
    let first = UploadQuery { prefix: String::new(), delimiter: None, after: None, after_upload: None, limit: UPLOADS_PAGE };
    loop {
        let page = api.tables.list_uploads(bucket, &first).await?;
        if page.uploads.is_empty() {
            return Ok(());
        }
        for (key, upload) in page.uploads {
            match api.tables.abort_upload(bucket, &key, UploadId(upload.uid), now_ms()).await {
                Ok(()) | Err(TableError::NoSuchUpload) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

pub(super) async fn get_bucket_location(
    api: &Api,
    request: S3Request<GetBucketLocationInput>,
) -> S3Result<S3Response<GetBucketLocationOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let constraint = (bucket.region != CLASSIC_REGION).then(|| BucketLocationConstraint::from(bucket.region.clone()));
    Ok(S3Response::new(GetBucketLocationOutput { location_constraint: constraint }))
}
