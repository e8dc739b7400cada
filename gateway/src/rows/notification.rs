//! What a bucket tells others of its changes, and what is waiting to be told.

use nodio_wire::UnixMs;
use serde::{Deserialize, Serialize};

use super::{ETag, first_shape};
use crate::names::{BucketName, UserId, VersionId};
use crate::tables::Setting;

/// A change that can be told of. New ones go to the end: rows keep their place in this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum EventKind {
    CreatedPut,
    CreatedPost,
    CreatedCopy,
    CreatedComplete,
    RemovedDelete,
    RemovedMarker,
    TaggingPut,
    TaggingDelete,
    AclPut,
    ExpirationDelete,
    ExpirationMarker,
}

/// What a rule is about. New ones go to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Watched {
    One(EventKind),
    AllCreated,
    AllRemoved,
    AllTagging,
    AllExpiration,
}

impl Watched {
    pub(crate) fn covers(self, kind: EventKind) -> bool {
        use EventKind::{
            CreatedComplete, CreatedCopy, CreatedPost, CreatedPut, ExpirationDelete, ExpirationMarker, RemovedDelete,
            RemovedMarker, TaggingDelete, TaggingPut,
        };
        match self {
            Self::One(one) => one == kind,
            Self::AllCreated => matches!(kind, CreatedPut | CreatedPost | CreatedCopy | CreatedComplete),
            Self::AllRemoved => matches!(kind, RemovedDelete | RemovedMarker),
            Self::AllTagging => matches!(kind, TaggingPut | TaggingDelete),
            Self::AllExpiration => matches!(kind, ExpirationDelete | ExpirationMarker),
        }
    }
}

/// A bucket's notification configuration, in the order it was written. No two rules are about the same event of the same key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notifications {
    pub(crate) rules: Vec<NotificationRule>,
}

/// Prefix and suffix are as they were written, which is URL-encoded; [`crate::events`] reads them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NotificationRule {
    pub(crate) id: String,
    /// The webhook's name.
    pub(crate) webhook: String,
    pub(crate) watched: Vec<Watched>,
    pub(crate) prefix: Option<String>,
    pub(crate) suffix: Option<String>,
}

/// Something to be told to a webhook. Its place among others of that webhook is its row's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum EventRow {
    Change(Box<ChangeEvent>),
    /// A configuration that names the webhook was put.
    Test(TestEvent),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChangeEvent {
    pub(crate) kind: EventKind,
    pub(crate) at: UnixMs,
    pub(crate) region: String,
    pub(crate) bucket: BucketName,
    pub(crate) bucket_owner: UserId,
    /// The rule's id.
    pub(crate) rule: String,
    pub(crate) key: String,
    /// `None` in a bucket that never had versions.
    pub(crate) version: Option<VersionId>,
    /// Plaintext bytes, of what was written.
    pub(crate) size: Option<u64>,
    pub(crate) etag: Option<ETag>,
    pub(crate) cause: Cause,
}

/// Whose doing a change is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cause {
    /// A user's id, or the name of a part of the service.
    pub(crate) principal: String,
    /// Address that it was asked from.
    pub(crate) source: String,
    /// The two ids of the request.
    pub(crate) request: String,
    pub(crate) host: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TestEvent {
    pub(crate) at: UnixMs,
    pub(crate) bucket: BucketName,
    pub(crate) request: String,
    pub(crate) host: String,
}

first_shape!(Notifications, EventRow);

impl Setting for Notifications {
    const NAME: &'static str = "notification";
}
