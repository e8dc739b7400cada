//! Notifications: what changes in buckets is told to webhooks.
//!
//! ```text
//!   a change of an object ─┬─► its rows           rules (pure): kind, key ─► the one rule that is about it, or none
//!      one commit          └─► event row ─► outbox, ordered by commit ─► courier: one per webhook ─► POST ─► row removed
//! ```
//! Promises: an event is written in the commit of its change, so there is none without the other; each is delivered at least once, to each
//! webhook in the order of the commits, the next only when the one before was taken. A webhook that fails is tried again for ever, later
//! and later; meanwhile writes go on, and when its queue is full the oldest events are dropped and counted. Nothing here holds up a request.
//! What you may lose: events dropped from a full queue. What you may get twice: what was taken when the gateway ended.
//!
//! Source: "Amazon S3 Event Notifications" in the S3 User Guide.

mod courier;
mod message;
mod rules;

#[cfg(test)]
mod tests;

pub(crate) use courier::{Couriers, EventFigures, Pace};
#[cfg(test)]
use rules::decoded;
pub(crate) use rules::{overlap, share};
