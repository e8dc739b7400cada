//! The S3 endpoint over a real listener: raw requests, signed by aws-sigv4; every case asserts code and effect.
#![allow(clippy::unwrap_used)]

mod access;
mod admin;
mod buckets;
mod checksums;
mod chunked;
mod classes;
mod common;
mod copying;
mod cors;
mod documents;
mod encryption;
mod failures;
mod forms;
mod lifecycle;
mod limits;
mod listing;
mod locking;
mod logging;
mod multipart;
mod notifications;
mod objects;
mod payment;
mod policies;
mod quotas;
mod reads;
mod signatures;
mod tagging;
mod versions;
mod website;
