//! What listings show of an object, read from the front of its row.

use nodio_meta::row::{Record, RowError, decode, decode_front};
use nodio_wire::UnixMs;
use serde::Deserialize;

use super::object::{Acl, ETag, Lock, ObjectRow, ObjectState};
use crate::checksum::{ChecksumKind, ChecksumScope};
use crate::names::{BadName, ObjectUid, UserId, VersionId};

/// A live version of an object, as far as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedObject {
    pub(crate) modified: UnixMs,
    pub(crate) owner: UserId,
    /// Plaintext bytes.
    pub(crate) size: u64,
    pub(crate) etag: ETag,
    pub(crate) checksum: Option<(ChecksumKind, ChecksumScope)>,
    /// `None` is STANDARD.
    pub(crate) storage_class: Option<String>,
}

/// Any version, as far as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListedVersion {
    Object(VersionId, ListedObject),
    DeleteMarker { version: VersionId, modified: UnixMs, owner: UserId },
}

impl ListedVersion {
    /// Reads an [`ObjectRow`]'s value.
    ///
    /// # Errors
    /// As [`ListedObject::read`].
    pub(crate) fn read(value: &[u8]) -> Result<Self, RowError> {
        match decode_front::<ObjectRow, Front<'_>>(value)? {
            Some(front) => front.listed(),
            None => Ok(Self::of(&decode(value)?)),
        }
    }

    pub(crate) fn of(row: &ObjectRow) -> Self {
        match ListedObject::of(row) {
            Some(object) => Self::Object(row.version, object),
            None => Self::DeleteMarker { version: row.version, modified: row.modified, owner: row.owner.clone() },
        }
    }

    pub(crate) fn owner(&self) -> &UserId {
        match self {
            Self::Object(_, object) => &object.owner,
            Self::DeleteMarker { owner, .. } => owner,
        }
    }

    pub(crate) fn version(&self) -> VersionId {
        match self {
            Self::Object(version, _) | Self::DeleteMarker { version, .. } => *version,
        }
    }
}

impl ListedObject {
    /// Reads an [`ObjectRow`]'s value; `None` for a delete marker.
    ///
    /// # Errors
    /// [`RowError`], as [`decode`], but for what is wrong behind the fields that are listed.
    pub(crate) fn read(value: &[u8]) -> Result<Option<Self>, RowError> {
        match ListedVersion::read(value)? {
            ListedVersion::Object(_, object) => Ok(Some(object)),
            ListedVersion::DeleteMarker { .. } => Ok(None),
        }
    }

    /// `None` for a delete marker.
    pub(crate) fn of(row: &ObjectRow) -> Option<Self> {
        let ObjectState::Live(live) = &row.state else { return None };
        Some(Self {
            modified: row.modified,
            owner: row.owner.clone(),
            size: live.size,
            etag: live.etag,
            checksum: live.checksum.as_ref().map(|checksum| (checksum.checksum.kind, checksum.scope)),
            storage_class: live.storage_class.clone(),
        })
    }
}

/// As [`ObjectRow`].
#[derive(Deserialize)]
struct Front<'a> {
    _uid: ObjectUid,
    version: VersionId,
    modified: UnixMs,
    owner: &'a str,
    #[serde(borrow)]
    state: FrontState<'a>,
}

/// As [`ObjectState`]. Short-lived and on the stack: a box would cost what a listing saves.
#[allow(clippy::large_enum_variant)]
#[derive(Deserialize)]
enum FrontState<'a> {
    #[serde(borrow)]
    Live(FrontLive<'a>),
    DeleteMarker,
}

/// As [`super::LiveObject`], up to the storage class.
#[derive(Deserialize)]
struct FrontLive<'a> {
    size: u64,
    etag: ETag,
    /// One for each field of [`super::ContentHeaders`].
    #[serde(borrow)]
    _headers: [Option<&'a str>; 7],
    _user_meta: Vec<(&'a str, &'a str)>,
    _tags: Vec<(&'a str, &'a str)>,
    _acl: Option<Acl>,
    _lock: Lock,
    _sse: FrontSse<'a>,
    checksum: Option<FrontChecksum<'a>>,
    storage_class: Option<&'a str>,
}

/// As [`super::Sse`].
#[derive(Deserialize)]
enum FrontSse<'a> {
    Implicit,
    S3,
    Kms { _key_id: &'a str, _context: Option<&'a str> },
    Customer { _key_check: [u8; 16] },
}

/// As [`super::ObjectChecksum`].
#[derive(Deserialize)]
struct FrontChecksum<'a> {
    kind: ChecksumKind,
    _value: &'a [u8],
    scope: ChecksumScope,
}

impl Front<'_> {
    fn listed(self) -> Result<ListedVersion, RowError> {
        let damaged = |error: BadName| RowError::Damaged { format: ObjectRow::FORMAT, reason: error.to_string() };
        let (version, modified) = (self.version, self.modified);
        let owner = UserId::parse(self.owner).map_err(damaged)?;
        let FrontState::Live(live) = self.state else { return Ok(ListedVersion::DeleteMarker { version, modified, owner }) };
        let object = ListedObject {
            modified,
            owner,
            size: live.size,
            etag: live.etag,
            checksum: live.checksum.map(|checksum| (checksum.kind, checksum.scope)),
            storage_class: live.storage_class.map(str::to_owned),
        };
        Ok(ListedVersion::Object(version, object))
    }
}
