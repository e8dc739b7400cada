//! Access control lists: grants, and the canned ones that stand for lists.
//!
//! Source: "Access control list (ACL) overview" in the S3 User Guide.

use crate::names::UserId;
use crate::rows::{Acl, Grant, Grantee, Permission};

/// `x-amz-acl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Canned {
    Private,
    PublicRead,
    PublicReadWrite,
    AuthenticatedRead,
    BucketOwnerRead,
    BucketOwnerFullControl,
    LogDeliveryWrite,
}

impl Canned {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "private" => Self::Private,
            "public-read" => Self::PublicRead,
            "public-read-write" => Self::PublicReadWrite,
            "authenticated-read" => Self::AuthenticatedRead,
            "bucket-owner-read" => Self::BucketOwnerRead,
            "bucket-owner-full-control" => Self::BucketOwnerFullControl,
            "log-delivery-write" => Self::LogDeliveryWrite,
            _ => return None,
        })
    }

    /// The grants it stands for, on something of `owner` in a bucket of `bucket_owner`.
    pub(crate) fn grants(self, owner: &UserId, bucket_owner: &UserId) -> Acl {
        use Permission::{FullControl, Read, ReadAcp, Write};
        let grant = |grantee: Grantee, permission| Grant { grantee, permission };
        let mut grants = vec![grant(Grantee::User(owner.clone()), FullControl)];
        match self {
            Self::Private => {}
            Self::PublicRead => grants.push(grant(Grantee::AllUsers, Read)),
            Self::PublicReadWrite => grants.extend([grant(Grantee::AllUsers, Read), grant(Grantee::AllUsers, Write)]),
            Self::AuthenticatedRead => grants.push(grant(Grantee::AuthenticatedUsers, Read)),
            Self::BucketOwnerRead if owner != bucket_owner => grants.push(grant(Grantee::User(bucket_owner.clone()), Read)),
            Self::BucketOwnerFullControl if owner != bucket_owner => {
                grants.push(grant(Grantee::User(bucket_owner.clone()), FullControl));
            }
            Self::BucketOwnerRead | Self::BucketOwnerFullControl => {}
            Self::LogDeliveryWrite => {
                grants.extend([grant(Grantee::LogDelivery, Write), grant(Grantee::LogDelivery, ReadAcp)]);
            }
        }
        Acl { grants }
    }
}

impl Acl {
    /// True if it grants `wanted` to `who` (nobody, if the request isn't signed). Where `public` is ignored, what is granted to everybody,
    /// or to every user, counts for nothing.
    pub(super) fn grants(&self, who: Option<&UserId>, wanted: Permission, public_ignored: bool) -> bool {
        self.grants.iter().any(|grant| {
            let meant = match &grant.grantee {
                Grantee::User(user) => who == Some(user),
                Grantee::AllUsers => !public_ignored,
                Grantee::AuthenticatedUsers => who.is_some() && !public_ignored,
                Grantee::LogDelivery => false,
            };
            meant && (grant.permission == wanted || grant.permission == Permission::FullControl)
        })
    }

    /// True if strangers get anything from it.
    pub(crate) fn is_public(&self) -> bool {
        self.grants.iter().any(|grant| matches!(grant.grantee, Grantee::AllUsers | Grantee::AuthenticatedUsers))
    }
}
