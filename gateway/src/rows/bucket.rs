//! Buckets.

use std::collections::BTreeMap;

use nodio_wire::UnixMs;
use serde::{Deserialize, Serialize};

use super::{Acl, first_shape};
use crate::names::{BucketId, BucketName, UserId};

/// `Off` until versioning is first enabled; never again afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Versioning {
    Off,
    Enabled,
    Suspended,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BucketRow {
    pub(crate) id: BucketId,
    pub(crate) name: BucketName,
    pub(crate) owner: UserId,
    pub(crate) created: UnixMs,
    pub(crate) versioning: Versioning,
    pub(crate) object_lock: bool,
    pub(crate) region: String,
    pub(crate) acl: Option<Acl>,
    /// Sub-resources (policy, CORS, lifecycle ...) by name, each a document of its own with its own format.
    pub(crate) settings: BTreeMap<String, Vec<u8>>,
}

first_shape!(BucketRow);
