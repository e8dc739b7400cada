//! What is asked and answered.

use nodio_wire::fleet::Durability;
use nodio_wire::{Code, PartId, UnixMs};
use serde::{Deserialize, Serialize};

use crate::tables::{KeyInfo, NamedKey};

/// One request.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Makes a key, and its user if there is none of this name yet.
    CreateKey {
        /// Login name; a new user's is made of what else is said unless given.
        #[serde(default)]
        user: Option<String>,
        #[serde(default)]
        display_name: Option<String>,
        /// Both, or none: then they are made up.
        #[serde(default)]
        access_key: Option<String>,
        #[serde(default)]
        secret_key: Option<String>,
        /// Of a new user: the canonical user id, 64 hex digits that are made up unless given.
        #[serde(default)]
        user_id: Option<String>,
        /// Of a new user.
        #[serde(default)]
        email: Option<String>,
        /// What the key is narrowed to: a policy without principals.
        #[serde(default)]
        policy: Option<String>,
    },
    ListKeys,
    RevokeKey {
        access_key: String,
    },
    /// Makes a key for `aws:kms`; one that is there already stays as it is.
    CreateNamedKey {
        name: String,
    },
    ListNamedKeys,
    /// Lets a key for `aws:kms` be used, or not.
    EnableNamedKey {
        name: String,
        enabled: bool,
    },
    /// Versions of the objects of a bucket: of one key, or of all that begin with a prefix.
    Objects {
        bucket: String,
        #[serde(default)]
        prefix: String,
        /// Instead of a prefix.
        #[serde(default)]
        key: Option<String>,
        /// What the last page gave as `next`.
        #[serde(default)]
        after: Option<String>,
        /// Versions of a page at most; a page may hold fewer.
        #[serde(default = "page_default")]
        limit: usize,
    },
    /// Every bucket by name, with its figures where it was counted. The first to ask sets the count going.
    Buckets {
        #[serde(default)]
        after: Option<String>,
    },
    /// How much waits to be released on the donors.
    Waiting,
    /// Every user by id, with what lies in the user's buckets.
    Users {
        #[serde(default)]
        after: Option<String>,
    },
    /// Every bucket by name, with what lies in it at this moment.
    Usage {
        #[serde(default)]
        after: Option<String>,
    },
    /// Changes the quota of a user, given by login name or id. Answered like [`Request::Users`].
    UserQuota {
        user: String,
        #[serde(default)]
        change: QuotaChange,
    },
    /// Changes the quota of a bucket. Answered like [`Request::Usage`].
    BucketQuota {
        bucket: String,
        #[serde(default)]
        change: QuotaChange,
    },
}

/// What becomes of a quota: what isn't given stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuotaChange {
    /// Before anything else, there is no quota any more.
    pub lift: bool,
    /// Plaintext bytes.
    pub bytes: Option<u64>,
    /// Versions.
    pub objects: Option<u64>,
}

fn page_default() -> usize {
    crate::limits::PAGE_VERSIONS_MAX
}

/// The answer.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Reply {
    Created {
        key: Key,
        secret_key: String,
    },
    Keys {
        keys: Vec<Key>,
    },
    Revoked {
        key: Key,
    },
    NamedKeys {
        /// By name.
        named_keys: Vec<NamedKeyView>,
    },
    Objects {
        /// By key, of one key newest first.
        objects: Vec<ObjectView>,
        /// Where to go on, if there may be more.
        next: Option<String>,
    },
    Buckets {
        buckets: Vec<BucketView>,
        next: Option<String>,
        /// Every bucket was counted once since the gateway started.
        counted: bool,
    },
    Waiting {
        waiting: Waiting,
    },
    Users {
        users: Vec<UserView>,
        next: Option<String>,
    },
    Usage {
        buckets: Vec<UsageView>,
        next: Option<String>,
    },
    Refused {
        error: String,
    },
}

/// What may be told of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub access_key: String,
    pub user: String,
    pub display_name: String,
    /// The canonical user id.
    pub user_id: String,
    /// Milliseconds since 1970.
    pub created: UnixMs,
    pub revoked: Option<UnixMs>,
}

impl From<KeyInfo> for Key {
    fn from(info: KeyInfo) -> Self {
        let KeyInfo { access_key, user, display_name, user_id, created, revoked } = info;
        Self { access_key, user, display_name, user_id, created, revoked }
    }
}

/// A key for `aws:kms`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedKeyView {
    pub name: String,
    /// Milliseconds since 1970.
    pub created: UnixMs,
    pub disabled: Option<UnixMs>,
}

impl From<NamedKey> for NamedKeyView {
    fn from(key: NamedKey) -> Self {
        let NamedKey { name, created, disabled } = key;
        Self { name, created, disabled }
    }
}

/// One version of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectView {
    pub key: String,
    /// `None` for what was written while the bucket's versioning was not on.
    pub version: Option<String>,
    pub newest: bool,
    pub delete_marker: bool,
    /// Plaintext bytes.
    pub size: u64,
    pub modified: UnixMs,
    /// All its bytes lie in the metadata; it has no segments.
    pub inline: bool,
    /// Ascending by number; those without bytes are left out.
    pub parts: Vec<PartView>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartView {
    /// 1 for an object written in one piece.
    pub number: u16,
    pub part: PartId,
    /// Plaintext bytes.
    pub bytes: u64,
    /// `None` where the bytes lie in the metadata.
    pub code: Option<Code>,
    pub segments: u32,
}

/// One bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BucketView {
    pub bucket: String,
    /// When the figures were counted; `None`: not yet, and they are all zero.
    pub measured: Option<UnixMs>,
    /// Versions with bytes or empty, inline ones among them.
    pub objects: u64,
    pub inline_objects: u64,
    #[serde(with = "super::figures")]
    pub durability: Durability,
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserView {
    /// Login name.
    pub user: String,
    pub display_name: String,
    /// The canonical user id.
    pub user_id: String,
    pub email: Option<String>,
    /// Milliseconds since 1970.
    pub created: UnixMs,
    /// In all buckets that the user owns, whoever wrote it.
    pub usage: Amounts,
    pub quota: Limits,
}

/// What lies in one bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageView {
    pub bucket: String,
    /// Login name; the id of a user that isn't known here.
    pub owner: String,
    /// Milliseconds since 1970.
    pub created: UnixMs,
    pub usage: Amounts,
    pub quota: Limits,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// Plaintext bytes of all versions, and of the parts of uploads under way.
    pub bytes: u64,
    /// Versions, without delete markers.
    pub objects: u64,
}

/// A quota; `None` is without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub bytes: Option<u64>,
    pub objects: Option<u64>,
}

/// Parts that no object names any more and whose shards are still on the donors, for the sake of reads under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    pub parts: u64,
    /// There may be more than were counted.
    pub more: bool,
    /// When the first of them lost its last name.
    pub oldest: Option<UnixMs>,
    /// They are released this long after, milliseconds.
    pub release_after_ms: u64,
}
