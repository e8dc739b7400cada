//! The gateway: S3 in front, the object pipeline behind, metadata beside.
//!
//! ```text
//!   client ─► s3/ (guard, signatures, operations) ─► pipeline/ (seal, encode, place; locate, fetch, open) ─► donors
//!                     │                                  │ grants, commits, locates
//!                     ▼                                  ▼
//!                  tables/ over meta                 coordinator
//! ```
//!
//! Promises: nothing under `pipeline` knows HTTP or S3; nothing under `tables` knows s3s; plaintext, names and keys never leave this
//! crate but to the client. An object row is written only when its bytes are durable; what a crash leaves behind is unnamed bytes
//! that the sweep finds.

mod access;
pub mod admin;
mod checksum;
mod classes;
pub mod config;
mod events;
pub mod fuzz;
pub mod keys;
mod lifecycle;
mod limits;
mod meter;
mod names;
mod pipeline;
mod rows;
mod s3;
pub mod service;
pub mod tables;

pub use pipeline::bare;
