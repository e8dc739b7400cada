//! Multipart uploads in progress.

use nodio_wire::UnixMs;
use serde::{Deserialize, Serialize};

use super::{Acl, ContentHeaders, Lock, PartRef, Sse, first_shape};
use crate::checksum::{ChecksumKind, ChecksumScope};
use crate::names::{ObjectUid, UserId};

/// An upload: what its object will be, but for the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UploadRow {
    /// Becomes the object's uid.
    pub(crate) uid: ObjectUid,
    pub(crate) initiated: UnixMs,
    pub(crate) owner: UserId,
    pub(crate) headers: ContentHeaders,
    pub(crate) user_meta: Vec<(String, String)>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) acl: Option<Acl>,
    pub(crate) lock: Lock,
    pub(crate) sse: Sse,
    pub(crate) storage_class: Option<String>,
    /// Every part carries this kind if there is one.
    pub(crate) checksum: Option<(ChecksumKind, ChecksumScope)>,
}

/// The newest part of one number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UploadedPartRow {
    pub(crate) part: PartRef,
    pub(crate) modified: UnixMs,
}

first_shape!(UploadRow, UploadedPartRow);
