//! The words that gateway, coordinator and donors share, and nothing else of them.
//!
//! ```text
//!   gateway ── Fleet ──────► coordinator        grants, commits, locates, releases   (postcard, signed requests)
//!      │                          ▲
//!      └── Transport ─► donor ────┘ NodeApi     registration, heartbeats, work        (JSON, signed requests)
//! ```
//!
//! Promises: a type here is parsed once and then trusted; no secret ever travels in a message (requests carry an HMAC, [`auth`]);
//! a donor acts only on a [`ticket`]; nothing here reads a clock or a file.

pub mod api;
pub mod auth;
pub mod buffer;
pub mod client;
pub mod code;
pub mod donor;
pub mod fleet;
pub mod ids;
pub mod limits;
pub mod link;
pub mod proof;
pub mod ticket;

pub use code::{Code, CodePolicy};
pub use ids::{NodeId, PartId, SegmentId, ShardId, UnixMs};
