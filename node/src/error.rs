//! Why a donor can't start or go on: one line each, for the person who runs it.

use std::path::PathBuf;

use nodio_host::files::FolderError;
use nodio_host::{ConfigError, ListenError};
use nodio_wire::client::ApiError;

use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error(transparent)]
    Unreadable(#[from] ConfigError),
    #[error("configuration: {0}")]
    Config(String),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("the shard store can't be opened: {0}")]
    Store(#[from] StoreError),
    #[error("this donor has not joined yet: give it the invite once (--invite nodio://HOST:PORT/donor#SECRET)")]
    NoInvite,
    #[error("the identity file {file} is damaged: {reason}")]
    Identity { file: String, reason: String },
    #[error("there is no donor in {}: say which folder is its own with --data DIR", .0.display())]
    NoDonor(PathBuf),
    #[error("the donor in {} has never joined a network, so there is none to leave", .0.display())]
    NeverJoined(PathBuf),
    #[error("{0}; the donor goes on as before")]
    NotAsked(#[source] ApiError),
    /// The coordinator said no to joining; trying again won't help.
    #[error("the coordinator refused this donor: {0}")]
    Refused(String),
    #[error("stopped before the donor had joined")]
    Stopped,
    #[error("{0}")]
    Failed(String),
}
