//! What the gateway remembers: one struct per row kind, postcard behind one byte of format.
//!
//! ```text
//!   BucketRow ── ObjectRow ──┬─ Single(PartRef)                      UserRow ── AccessKeyRow
//!                            └─ ManifestRow: [PartRef]               MasterRow, NamedKeyRow
//!   UploadRow ── UploadedPartRow(PartRef)                            EventRow: one event for one webhook
//! ```
//! Promises: rows are versioned; a row that was ever written opens for ever (the golden bytes in `tests`). To change a row: keep the old
//! struct as `Previous` with its format number, give the new one the next number. Object rows name parts, never donors, and hold no
//! plaintext of bodies and no open keys.

mod access;
mod bucket;
mod cors;
mod encryption;
mod lifecycle;
mod listed;
mod locking;
mod logging;
mod named_key;
mod notification;
mod object;
mod payment;
mod quota;
mod sharing;
mod upload;
mod website;

#[cfg(test)]
mod tests;

pub(crate) use access::{AccessKeyRow, MasterRow, UserRow};
pub(crate) use bucket::{BucketRow, Versioning};
pub(crate) use cors::{Cors, CorsRule};
pub(crate) use encryption::DefaultEncryption;
pub(crate) use lifecycle::{Expiration, FilterForm, Lifecycle, LifecycleRule, NoncurrentExpiration, RuleFilter};
pub(crate) use listed::{ListedObject, ListedVersion};
pub(crate) use locking::{BucketTags, DefaultRetention, RetentionPeriod};
pub(crate) use logging::{LogKeyFormat, Logging};
pub(crate) use named_key::NamedKeyRow;
pub(crate) use notification::{Cause, ChangeEvent, EventKind, EventRow, NotificationRule, Notifications, TestEvent, Watched};
pub(crate) use object::{
    Acl, ContentHeaders, ETag, Grant, Grantee, InlineRow, LiveObject, Lock, ManifestRow, ObjectBody, ObjectChecksum, ObjectRow,
    ObjectState, PartPlace, PartRef, Permission, Retention, RetentionMode, Sse,
};
pub(crate) use payment::RequesterPays;
pub(crate) use quota::Quota;
pub(crate) use sharing::{ObjectOwnership, PolicyText, PublicAccessBlock};
pub(crate) use upload::{UploadRow, UploadedPartRow};
pub(crate) use website::{KeyChange, Pages, RoutingCondition, RoutingRule, WebProtocol, Website};

/// `impl Record` for a row in its first shape.
macro_rules! first_shape {
    ($($row:ty),+) => {
        $(impl nodio_meta::row::Record for $row {
            const FORMAT: u8 = 1;
            type Previous = nodio_meta::row::NoPrevious<Self>;
        })+
    };
}
use first_shape;
