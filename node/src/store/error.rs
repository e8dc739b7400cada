//! What the store answers when it can't do what was asked.

use crate::limits::SHARD_MAX_BYTES;

/// Why the store can't do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("there is no room for the shard")]
    Full,
    #[error("the shard is not held")]
    NotHeld,
    #[error("the shard was rotten and is gone")]
    Rotten,
    #[error("the bytes are not the shard named")]
    WrongBytes,
    #[error("a shard has at most {SHARD_MAX_BYTES} bytes")]
    TooLong,
    #[error("the range does not lie within the shard")]
    BadRange,
    #[error("the disk failed: {0}")]
    Io(String),
    #[error("the store only reads since a failed write could not be undone; restart when the disk is well")]
    ReadOnly,
    #[error("the store is closed")]
    Closed,
}
