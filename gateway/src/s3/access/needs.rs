//! What each operation needs to be allowed: the flat table from operations to the actions of policies.
//!
//! Source: "Required permissions for Amazon S3 API operations" in the S3 User Guide.

use crate::access::Action;

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// A signature; an access key with a policy needs the action too.
    Signature(Action),
    Bucket(Action),
    Object(Action),
    /// An upload's own initiator may do it, too.
    Upload(Action),
    /// Each key is judged by itself, by the operation.
    EachKey,
}

/// Whether `prefix`, `delimiter` and `max-keys` of a request to this operation are what policies mean by them.
pub(super) fn is_listing(operation: &str) -> bool {
    matches!(operation, "ListObjects" | "ListObjectsV2" | "ListObjectVersions" | "ListMultipartUploads")
}

/// Whether the operation asks the policy of another bucket than its own, or one that its bucket doesn't have yet.
pub(super) fn asks_of_others(operation: &str) -> bool {
    matches!(operation, "CopyObject" | "UploadPartCopy" | "PutBucketPolicy")
}

/// Actions on a version that is named are actions of their own.
pub(super) fn of(operation: &str, version_named: bool) -> Need {
    use Action as A;
    use Need::{Bucket, EachKey, Object, Signature, Upload};
    let by_version = |plain, versioned| Object(if version_named { versioned } else { plain });
    match operation {
        "ListBuckets" => Signature(A::ListAllMyBuckets),
        "CreateBucket" => Signature(A::CreateBucket),

        "HeadBucket" | "ListObjects" | "ListObjectsV2" => Bucket(A::ListBucket),
        "ListObjectVersions" => Bucket(A::ListBucketVersions),
        "ListMultipartUploads" => Bucket(A::ListBucketMultipartUploads),
        "DeleteBucket" => Bucket(A::DeleteBucket),
        "GetBucketLocation" => Bucket(A::GetBucketLocation),
        "GetBucketAcl" => Bucket(A::GetBucketAcl),
        "PutBucketAcl" => Bucket(A::PutBucketAcl),
        "GetBucketVersioning" => Bucket(A::GetBucketVersioning),
        "PutBucketVersioning" => Bucket(A::PutBucketVersioning),
        "GetBucketTagging" => Bucket(A::GetBucketTagging),
        "PutBucketTagging" | "DeleteBucketTagging" => Bucket(A::PutBucketTagging),
        "GetBucketPolicy" => Bucket(A::GetBucketPolicy),
        "PutBucketPolicy" => Bucket(A::PutBucketPolicy),
        "DeleteBucketPolicy" => Bucket(A::DeleteBucketPolicy),
        "GetBucketPolicyStatus" => Bucket(A::GetBucketPolicyStatus),
        "GetBucketCors" => Bucket(A::GetBucketCors),
        "PutBucketCors" | "DeleteBucketCors" => Bucket(A::PutBucketCors),
        "GetBucketWebsite" => Bucket(A::GetBucketWebsite),
        "PutBucketWebsite" => Bucket(A::PutBucketWebsite),
        "DeleteBucketWebsite" => Bucket(A::DeleteBucketWebsite),
        "GetBucketLogging" => Bucket(A::GetBucketLogging),
        "PutBucketLogging" => Bucket(A::PutBucketLogging),
        "GetBucketNotificationConfiguration" => Bucket(A::GetBucketNotification),
        "PutBucketNotificationConfiguration" => Bucket(A::PutBucketNotification),
        "GetBucketRequestPayment" => Bucket(A::GetBucketRequestPayment),
        "PutBucketRequestPayment" => Bucket(A::PutBucketRequestPayment),
        "GetBucketReplication" => Bucket(A::GetReplicationConfiguration),
        "GetBucketAccelerateConfiguration" => Bucket(A::GetAccelerateConfiguration),
        "GetBucketEncryption" => Bucket(A::GetEncryptionConfiguration),
        "PutBucketEncryption" | "DeleteBucketEncryption" => Bucket(A::PutEncryptionConfiguration),
        "GetBucketLifecycleConfiguration" => Bucket(A::GetLifecycleConfiguration),
        "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => Bucket(A::PutLifecycleConfiguration),
        "GetObjectLockConfiguration" => Bucket(A::GetBucketObjectLockConfiguration),
        "PutObjectLockConfiguration" => Bucket(A::PutBucketObjectLockConfiguration),
        "GetBucketOwnershipControls" => Bucket(A::GetBucketOwnershipControls),
        "PutBucketOwnershipControls" | "DeleteBucketOwnershipControls" => Bucket(A::PutBucketOwnershipControls),
        "GetPublicAccessBlock" => Bucket(A::GetBucketPublicAccessBlock),
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => Bucket(A::PutBucketPublicAccessBlock),

        "GetObject" | "HeadObject" => by_version(A::GetObject, A::GetObjectVersion),
        "GetObjectTorrent" => Object(A::GetObject),
        "GetObjectAttributes" => by_version(A::GetObjectAttributes, A::GetObjectVersionAttributes),
        "GetObjectAcl" => by_version(A::GetObjectAcl, A::GetObjectVersionAcl),
        "PutObjectAcl" => by_version(A::PutObjectAcl, A::PutObjectVersionAcl),
        "GetObjectTagging" => by_version(A::GetObjectTagging, A::GetObjectVersionTagging),
        "PutObjectTagging" => by_version(A::PutObjectTagging, A::PutObjectVersionTagging),
        "DeleteObjectTagging" => by_version(A::DeleteObjectTagging, A::DeleteObjectVersionTagging),
        "DeleteObject" => by_version(A::DeleteObject, A::DeleteObjectVersion),
        "GetObjectRetention" => Object(A::GetObjectRetention),
        "PutObjectRetention" => Object(A::PutObjectRetention),
        "GetObjectLegalHold" => Object(A::GetObjectLegalHold),
        "PutObjectLegalHold" => Object(A::PutObjectLegalHold),
        "RestoreObject" => Object(A::RestoreObject),
        "PutObject" | "CopyObject" | "CreateMultipartUpload" | "UploadPart" | "UploadPartCopy" | "CompleteMultipartUpload" => {
            Object(A::PutObject)
        }
        "AbortMultipartUpload" => Upload(A::AbortMultipartUpload),
        "ListParts" => Upload(A::ListMultipartUploadParts),
        "DeleteObjects" => EachKey,
        _ => Bucket(A::Unbuilt),
    }
}
