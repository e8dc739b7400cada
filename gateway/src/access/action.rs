//! What can be asked for, by the names that policies use, and which permission of an ACL covers it.
//!
//! Source: "Policy actions for Amazon S3" and "Mapping of ACL permissions and access policy permissions" in the S3 User Guide.

use crate::rows::Permission;

/// What an ACL must grant for an action, and on what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByAcl {
    /// Nothing in an ACL covers it: the bucket's owner, or a policy.
    Never,
    Bucket(Permission),
    Object(Permission),
}

/// One line per action.
macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $by_acl:expr;)+) => {
        /// One action of a policy.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Action { $($(#[$doc])* $name),+ }

        impl Action {
            /// As policies write it.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            pub(super) fn by_acl(self) -> ByAcl {
                use ByAcl::{Bucket, Never, Object};
                use Permission::{Read, ReadAcp, Write, WriteAcp};
                match self { $(Self::$name => $by_acl),+ }
            }
        }
    };
}

actions! {
    ListAllMyBuckets = "s3:ListAllMyBuckets", Never;
    CreateBucket = "s3:CreateBucket", Never;
    ListBucket = "s3:ListBucket", Bucket(Read);
    ListBucketVersions = "s3:ListBucketVersions", Bucket(Read);
    ListBucketMultipartUploads = "s3:ListBucketMultipartUploads", Bucket(Read);
    DeleteBucket = "s3:DeleteBucket", Never;
    GetBucketLocation = "s3:GetBucketLocation", Never;
    GetBucketAcl = "s3:GetBucketAcl", Bucket(ReadAcp);
    PutBucketAcl = "s3:PutBucketAcl", Bucket(WriteAcp);
    GetBucketVersioning = "s3:GetBucketVersioning", Never;
    PutBucketVersioning = "s3:PutBucketVersioning", Never;
    GetBucketTagging = "s3:GetBucketTagging", Never;
    PutBucketTagging = "s3:PutBucketTagging", Never;
    GetBucketPolicy = "s3:GetBucketPolicy", Never;
    PutBucketPolicy = "s3:PutBucketPolicy", Never;
    DeleteBucketPolicy = "s3:DeleteBucketPolicy", Never;
    GetBucketPolicyStatus = "s3:GetBucketPolicyStatus", Never;
    GetBucketCors = "s3:GetBucketCORS", Never;
    PutBucketCors = "s3:PutBucketCORS", Never;
    GetBucketWebsite = "s3:GetBucketWebsite", Never;
    PutBucketWebsite = "s3:PutBucketWebsite", Never;
    DeleteBucketWebsite = "s3:DeleteBucketWebsite", Never;
    GetBucketLogging = "s3:GetBucketLogging", Never;
    PutBucketLogging = "s3:PutBucketLogging", Never;
    GetBucketNotification = "s3:GetBucketNotification", Never;
    PutBucketNotification = "s3:PutBucketNotification", Never;
    GetBucketRequestPayment = "s3:GetBucketRequestPayment", Never;
    PutBucketRequestPayment = "s3:PutBucketRequestPayment", Never;
    GetReplicationConfiguration = "s3:GetReplicationConfiguration", Never;
    GetAccelerateConfiguration = "s3:GetAccelerateConfiguration", Never;
    GetEncryptionConfiguration = "s3:GetEncryptionConfiguration", Never;
    PutEncryptionConfiguration = "s3:PutEncryptionConfiguration", Never;
    GetLifecycleConfiguration = "s3:GetLifecycleConfiguration", Never;
    PutLifecycleConfiguration = "s3:PutLifecycleConfiguration", Never;
    GetBucketObjectLockConfiguration = "s3:GetBucketObjectLockConfiguration", Never;
    PutBucketObjectLockConfiguration = "s3:PutBucketObjectLockConfiguration", Never;
    GetBucketOwnershipControls = "s3:GetBucketOwnershipControls", Never;
    PutBucketOwnershipControls = "s3:PutBucketOwnershipControls", Never;
    GetBucketPublicAccessBlock = "s3:GetBucketPublicAccessBlock", Never;
    PutBucketPublicAccessBlock = "s3:PutBucketPublicAccessBlock", Never;

    GetObject = "s3:GetObject", Object(Read);
    GetObjectVersion = "s3:GetObjectVersion", Object(Read);
    GetObjectAttributes = "s3:GetObjectAttributes", Object(Read);
    GetObjectVersionAttributes = "s3:GetObjectVersionAttributes", Object(Read);
    PutObject = "s3:PutObject", Bucket(Write);
    DeleteObject = "s3:DeleteObject", Bucket(Write);
    DeleteObjectVersion = "s3:DeleteObjectVersion", Never;
    GetObjectAcl = "s3:GetObjectAcl", Object(ReadAcp);
    GetObjectVersionAcl = "s3:GetObjectVersionAcl", Object(ReadAcp);
    PutObjectAcl = "s3:PutObjectAcl", Object(WriteAcp);
    PutObjectVersionAcl = "s3:PutObjectVersionAcl", Object(WriteAcp);
    GetObjectTagging = "s3:GetObjectTagging", Never;
    GetObjectVersionTagging = "s3:GetObjectVersionTagging", Never;
    PutObjectTagging = "s3:PutObjectTagging", Never;
    PutObjectVersionTagging = "s3:PutObjectVersionTagging", Never;
    DeleteObjectTagging = "s3:DeleteObjectTagging", Never;
    DeleteObjectVersionTagging = "s3:DeleteObjectVersionTagging", Never;
    GetObjectRetention = "s3:GetObjectRetention", Never;
    PutObjectRetention = "s3:PutObjectRetention", Never;
    GetObjectLegalHold = "s3:GetObjectLegalHold", Never;
    PutObjectLegalHold = "s3:PutObjectLegalHold", Never;
    BypassGovernanceRetention = "s3:BypassGovernanceRetention", Never;
    AbortMultipartUpload = "s3:AbortMultipartUpload", Never;
    ListMultipartUploadParts = "s3:ListMultipartUploadParts", Never;
    RestoreObject = "s3:RestoreObject", Never;
    /// What isn't built: the bucket's owner may hear so.
    Unbuilt = "s3:Unbuilt", Never;
}

impl Action {
    /// What concerns the policy itself, the bucket's owner may always do: nobody is to lock himself out.
    pub(super) fn is_owners_always(self) -> bool {
        matches!(self, Self::GetBucketPolicy | Self::PutBucketPolicy | Self::DeleteBucketPolicy)
    }
}
