//! The operations, one file per family, and the flat table that hands them to s3s. What isn't in the table answers NotImplemented.

mod acl;
mod attributes;
mod body;
mod buckets;
mod copy;
mod cors;
mod delete;
mod documents;
mod encryption;
mod get;
mod grants;
mod lifecycle;
mod list;
mod locks;
mod logging;
mod multipart;
mod notifications;
mod page;
mod part;
mod payment;
mod put;
mod recode;
mod shape;
mod sharing;
mod tagging;
mod versions;
pub(super) mod website;

use async_trait::async_trait;
use s3s::dto;
use s3s::{S3, S3Request, S3Response, S3Result};

use super::Api;
pub(super) use put::{NewText, put_text};
pub(super) use shape::timestamp;

/// One line per operation.
macro_rules! operations {
    ($($family:ident :: $operation:ident ($input:ident) -> $output:ident;)+) => {
        #[async_trait]
        impl S3 for Api {
            $(async fn $operation(&self, request: S3Request<dto::$input>) -> S3Result<S3Response<dto::$output>> {
                Box::pin($family::$operation(self, request)).await
            })+
        }
    };
}

operations! {
    buckets::list_buckets(ListBucketsInput) -> ListBucketsOutput;
    buckets::create_bucket(CreateBucketInput) -> CreateBucketOutput;
    buckets::head_bucket(HeadBucketInput) -> HeadBucketOutput;
    buckets::delete_bucket(DeleteBucketInput) -> DeleteBucketOutput;
    buckets::get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput;
    versions::put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput;
    versions::get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput;
    get::get_object(GetObjectInput) -> GetObjectOutput;
    get::head_object(HeadObjectInput) -> HeadObjectOutput;
    attributes::get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput;
    tagging::get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput;
    tagging::put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput;
    tagging::delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput;
    tagging::get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput;
    tagging::put_bucket_tagging(PutBucketTaggingInput) -> PutBucketTaggingOutput;
    tagging::delete_bucket_tagging(DeleteBucketTaggingInput) -> DeleteBucketTaggingOutput;
    locks::get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput;
    locks::put_object_lock_configuration(PutObjectLockConfigurationInput) -> PutObjectLockConfigurationOutput;
    locks::get_object_retention(GetObjectRetentionInput) -> GetObjectRetentionOutput;
    locks::put_object_retention(PutObjectRetentionInput) -> PutObjectRetentionOutput;
    locks::get_object_legal_hold(GetObjectLegalHoldInput) -> GetObjectLegalHoldOutput;
    locks::put_object_legal_hold(PutObjectLegalHoldInput) -> PutObjectLegalHoldOutput;
    put::put_object(PutObjectInput) -> PutObjectOutput;
    copy::copy_object(CopyObjectInput) -> CopyObjectOutput;
    copy::upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput;
    delete::delete_object(DeleteObjectInput) -> DeleteObjectOutput;
    delete::delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;
    list::list_objects(ListObjectsInput) -> ListObjectsOutput;
    list::list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
    versions::list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput;
    multipart::create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
    multipart::complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput;
    multipart::abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
    multipart::list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput;
    part::upload_part(UploadPartInput) -> UploadPartOutput;
    acl::get_bucket_acl(GetBucketAclInput) -> GetBucketAclOutput;
    acl::put_bucket_acl(PutBucketAclInput) -> PutBucketAclOutput;
    acl::get_object_acl(GetObjectAclInput) -> GetObjectAclOutput;
    acl::put_object_acl(PutObjectAclInput) -> PutObjectAclOutput;
    sharing::put_bucket_policy(PutBucketPolicyInput) -> PutBucketPolicyOutput;
    sharing::get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput;
    sharing::delete_bucket_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput;
    sharing::get_bucket_policy_status(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput;
    sharing::put_bucket_ownership_controls(PutBucketOwnershipControlsInput) -> PutBucketOwnershipControlsOutput;
    sharing::get_bucket_ownership_controls(GetBucketOwnershipControlsInput) -> GetBucketOwnershipControlsOutput;
    sharing::delete_bucket_ownership_controls(DeleteBucketOwnershipControlsInput) -> DeleteBucketOwnershipControlsOutput;
    sharing::put_public_access_block(PutPublicAccessBlockInput) -> PutPublicAccessBlockOutput;
    sharing::get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput;
    sharing::delete_public_access_block(DeletePublicAccessBlockInput) -> DeletePublicAccessBlockOutput;
    encryption::put_bucket_encryption(PutBucketEncryptionInput) -> PutBucketEncryptionOutput;
    encryption::get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput;
    encryption::delete_bucket_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput;
    part::list_parts(ListPartsInput) -> ListPartsOutput;
    lifecycle::put_bucket_lifecycle_configuration(PutBucketLifecycleConfigurationInput) -> PutBucketLifecycleConfigurationOutput;
    lifecycle::get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput) -> GetBucketLifecycleConfigurationOutput;
    lifecycle::delete_bucket_lifecycle(DeleteBucketLifecycleInput) -> DeleteBucketLifecycleOutput;
    cors::put_bucket_cors(PutBucketCorsInput) -> PutBucketCorsOutput;
    cors::get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput;
    cors::delete_bucket_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput;
    logging::put_bucket_logging(PutBucketLoggingInput) -> PutBucketLoggingOutput;
    logging::get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput;
    website::put_bucket_website(PutBucketWebsiteInput) -> PutBucketWebsiteOutput;
    website::get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput;
    website::delete_bucket_website(DeleteBucketWebsiteInput) -> DeleteBucketWebsiteOutput;
    payment::put_bucket_request_payment(PutBucketRequestPaymentInput) -> PutBucketRequestPaymentOutput;
    payment::get_bucket_request_payment(GetBucketRequestPaymentInput) -> GetBucketRequestPaymentOutput;
    documents::get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput;
    documents::get_object_torrent(GetObjectTorrentInput) -> GetObjectTorrentOutput;
    notifications::put_bucket_notification_configuration(PutBucketNotificationConfigurationInput) -> PutBucketNotificationConfigurationOutput;
    notifications::get_bucket_notification_configuration(GetBucketNotificationConfigurationInput) -> GetBucketNotificationConfigurationOutput;
    documents::get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput) -> GetBucketAccelerateConfigurationOutput;
}
