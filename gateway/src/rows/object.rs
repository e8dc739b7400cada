//! Objects: one row per version; the bodies' parts beside.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use md5::{Digest, Md5};
use nodio_wire::{Code, PartId, UnixMs};
use serde::{Deserialize, Serialize};

use super::first_shape;
use crate::checksum::{Checksum, ChecksumScope};
use crate::keys::WrappedKey;
use crate::names::{ObjectUid, UserId, VersionId};

/// One version of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ObjectRow {
    /// Fresh at every write; what body, part keys and references belong to.
    pub(crate) uid: ObjectUid,
    pub(crate) version: VersionId,
    pub(crate) modified: UnixMs,
    pub(crate) owner: UserId,
    pub(crate) state: ObjectState,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ObjectState {
    Live(Box<LiveObject>),
    DeleteMarker,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LiveObject {
    /// Plaintext bytes.
    pub(crate) size: u64,
    pub(crate) etag: ETag,
    pub(crate) headers: ContentHeaders,
    /// Names without `x-amz-meta-`, lower-case, in the order they came.
    pub(crate) user_meta: Vec<(String, String)>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) acl: Option<Acl>,
    pub(crate) lock: Lock,
    pub(crate) sse: Sse,
    pub(crate) checksum: Option<ObjectChecksum>,
    /// `None` is STANDARD.
    pub(crate) storage_class: Option<String>,
    pub(crate) body: ObjectBody,
}

impl ObjectRow {
    /// `None` for a delete marker.
    pub(crate) fn live(&self) -> Option<&LiveObject> {
        match &self.state {
            ObjectState::Live(live) => Some(live),
            ObjectState::DeleteMarker => None,
        }
    }
}

/// An object's entity tag: the MD5 of its bytes, or of its parts' MD5s and their number. Its text has no quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct ETag {
    pub(crate) md5: [u8; 16],
    pub(crate) parts: Option<u16>,
}

impl ETag {
    pub(crate) fn single(md5: [u8; 16]) -> Self {
        Self { md5, parts: None }
    }

    /// The tag of an upload completed from parts with these MD5s, at most 10,000.
    pub(crate) fn of_parts(md5s: impl IntoIterator<Item = [u8; 16]>) -> Self {
        let mut hasher = Md5::new();
        let mut parts = 0;
        for md5 in md5s {
            hasher.update(md5);
            parts += 1;
        }
        Self { md5: hasher.finalize().into(), parts: Some(parts) }
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 32];
        hex::encode_to_slice(self.md5, &mut digits).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)?;
        self.parts.map_or(Ok(()), |parts| write!(f, "-{parts}"))
    }
}

/// Text that is no tag this gateway would give; it matches no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an entity tag")]
pub(crate) struct BadETag;

/// Takes the tag with or without its quotes.
impl FromStr for ETag {
    type Err = BadETag;
    fn from_str(text: &str) -> Result<Self, BadETag> {
        let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        let (digits, parts) = match bare.split_once('-') {
            Some((digits, parts)) => (digits, Some(parts.parse().map_err(|_| BadETag)?)),
            None => (bare, None),
        };
        let mut md5 = [0; 16];
        hex::decode_to_slice(digits, &mut md5).map_err(|_| BadETag)?;
        Ok(Self { md5, parts })
    }
}

/// Headers that are stored with an object and given back as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ContentHeaders {
    pub(crate) content_type: Option<String>,
    pub(crate) cache_control: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) expires: Option<String>,
    pub(crate) website_redirect: Option<String>,
}

/// Who may do what. `None` where an ACL is optional means: the owner alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Acl {
    pub(crate) grants: Vec<Grant>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) grantee: Grantee,
    pub(crate) permission: Permission,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Grantee {
    User(UserId),
    AllUsers,
    AuthenticatedUsers,
    LogDelivery,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Permission {
    FullControl,
    Read,
    Write,
    ReadAcp,
    WriteAcp,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lock {
    pub(crate) retention: Option<Retention>,
    pub(crate) legal_hold: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retention {
    pub(crate) mode: RetentionMode,
    pub(crate) until: UnixMs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RetentionMode {
    Governance,
    Compliance,
}

/// How encryption was asked for. Every object is encrypted; this says what its part keys are wrapped under, and what answers show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Sse {
    Implicit,
    S3,
    /// As they were named: the key, and the context's base64.
    Kms {
        key_id: String,
        context: Option<String>,
    },
    Customer {
        /// [`crate::keys::BucketKeys::customer_check`] of the key, which itself is not stored.
        key_check: [u8; 16],
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ObjectChecksum {
    pub(crate) checksum: Checksum,
    pub(crate) scope: ChecksumScope,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ObjectBody {
    Empty,
    Single(PartRef),
    /// The part list is in a [`ManifestRow`] of its own, so that LIST stays lean.
    Manifest {
        parts: u16,
    },
}

/// One part of one object, its data key wrapped for that object alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartRef {
    /// 1 for an object written in one piece.
    pub(crate) number: u16,
    pub(crate) id: PartId,
    /// Plaintext bytes.
    pub(crate) len: u64,
    pub(crate) key: WrappedKey,
    pub(crate) place: PartPlace,
    pub(crate) md5: [u8; 16],
    pub(crate) checksum: Option<Checksum>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PartPlace {
    /// No bytes, nothing anywhere.
    Empty,
    /// Sealed in an [`InlineRow`].
    Inline,
    /// Segments on donors, found through the shard map.
    Segments(Code),
}

/// The parts of a multipart object, ascending by number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ManifestRow {
    pub(crate) parts: Vec<PartRef>,
}

/// The sealed bytes of a part too small for donors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InlineRow {
    pub(crate) sealed: Bytes,
}

first_shape!(ObjectRow, ManifestRow, InlineRow);
