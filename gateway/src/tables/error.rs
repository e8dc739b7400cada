//! What the tables refuse and why.

use nodio_meta::StoreError;
use nodio_meta::row::RowError;

use crate::keys::KeyError;

/// Nothing was changed, unless it is [`TableError::Store`]: then the commit may have been made or not.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("there is no such bucket")]
    NoSuchBucket,
    #[error("the bucket exists already")]
    BucketExists { owned_by_you: bool },
    #[error("the bucket is not empty")]
    BucketNotEmpty,
    #[error("a bucket with Object Lock keeps its versions")]
    LockedBucket,
    #[error("Object Lock is for buckets that keep versions")]
    LockNeedsVersions,
    #[error("a lock keeps the version as it is")]
    ObjectLocked,
    #[error("there is no such key")]
    NoSuchKey,
    #[error("there is no such version")]
    NoSuchVersion,
    #[error("there is no such upload")]
    NoSuchUpload,
    /// Not uploaded, or with another ETag or checksum than given.
    #[error("part {number} was not uploaded, or not with this ETag or checksum")]
    InvalidPart { number: u16 },
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    #[error("an upload is completed from at least one part")]
    NoParts,
    #[error("part {number} is too small")]
    EntityTooSmall { number: u16 },
    /// The parts don't add up to the size the client said.
    #[error("the parts have {got} bytes, not {want}")]
    SizeMismatch { want: u64, got: u64 },
    /// The parts don't give the checksum the client said.
    #[error("the parts give another checksum")]
    ChecksumMismatch,
    #[error("there is no room for it in the quota of the bucket or of its owner")]
    QuotaExceeded,
    #[error("a precondition does not hold")]
    PreconditionFailed,
    /// The object was replaced or deleted between being read and being copied; read it again and copy again.
    #[error("the object changed while it was copied")]
    SourceChanged,
    /// The object was replaced or deleted between its row and its parts being read; read it again.
    #[error("the object changed while it was read")]
    Vanished,
    #[error("{0}")]
    BadAccessKey(&'static str),
    #[error("the access key exists already, with another user or secret, or revoked")]
    AccessKeyTaken,
    #[error("there is no such user")]
    NoSuchUser,
    #[error("there is no such access key")]
    NoSuchAccessKey,
    #[error("a named key has 1 to 64 letters, digits, hyphens and underscores")]
    BadKeyName,
    #[error("there is no such named key")]
    NoSuchNamedKey,
    #[error(
        "this is not the master key that the data was written with; start with the right one (the key file of the first start)"
    )]
    OtherMasterKey,
    /// A row's key is not one that was ever written.
    #[error("a key in the metadata store is malformed: {0}")]
    Malformed(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Row(#[from] RowError),
    #[error(transparent)]
    Key(#[from] KeyError),
}
