//! What a bucket's owner decides about others: policy, ownership of objects, public access.

use serde::{Deserialize, Serialize};

use super::{BucketRow, first_shape};
use crate::tables::Setting;

/// A bucket's policy, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PolicyText {
    pub(crate) json: String,
}

/// Who owns what others write into the bucket. A bucket without this setting is [`ObjectOwnership::ObjectWriter`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ObjectOwnership {
    #[default]
    ObjectWriter,
    BucketOwnerPreferred,
    /// ACLs count for nothing.
    BucketOwnerEnforced,
}

/// The four switches of a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PublicAccessBlock {
    /// Refuses to set public ACLs.
    pub(crate) block_public_acls: bool,
    /// Public grants of ACLs count for nothing.
    pub(crate) ignore_public_acls: bool,
    /// Refuses to set a public policy.
    pub(crate) block_public_policy: bool,
    /// A public policy allows nothing but to the bucket's owner.
    pub(crate) restrict_public_buckets: bool,
}

first_shape!(PolicyText, ObjectOwnership, PublicAccessBlock);

impl BucketRow {
    pub(crate) fn has_policy(&self) -> bool {
        self.settings.contains_key(PolicyText::NAME)
    }
}

impl Setting for PolicyText {
    const NAME: &'static str = "policy";
}

impl Setting for ObjectOwnership {
    const NAME: &'static str = "ownership";
}

impl Setting for PublicAccessBlock {
    const NAME: &'static str = "public-access-block";
}
