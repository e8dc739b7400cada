//! Shard requests to a donor. Implemented over HTTP ([`crate::client::HttpTransport`]) and in memory ([`memory::MemoryTransport`]).
//!
//! ```text
//!   PUT    /shards/{id}   body = the shard's bytes           201 stored, 200 already there; with a receipt
//!   GET    /shards/{id}   optional `range: bytes=a-b`        200 / 206
//!   HEAD   /shards/{id}                                      200, content-length = shard length
//!   DELETE /shards/{id}                                      204, also when it isn't there
//!   GET    /health        signed with the node's own secret   200
//! ```
//! Refusals: 401 ticket, 404 not held, 410 held but rotten, 413 too long, 422 bytes are not the shard named, 503 busy, 507 full.
//! Every refusal carries `x-nodio-donor`.

pub mod memory;

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;

use crate::buffer::Buffer;
use crate::ids::ShardId;
use crate::ticket::SignedTicket;

/// On every refusal of a donor: tells its 404 from that of whatever else may answer at its address.
pub const DONOR_HEADER: &str = "x-nodio-donor";

/// Why a shard request failed, as its caller must tell apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DonorError {
    #[error("the donor can't be reached: {0}")]
    Unreachable(String),
    #[error("the donor refused the ticket: {0}")]
    Ticket(String),
    #[error("the donor does not hold the shard")]
    NotHeld,
    #[error("the donor found the shard rotten")]
    Rotten,
    #[error("the donor is full")]
    Full,
    #[error("the donor is busy")]
    Busy,
    #[error("the donor answered {0}")]
    Other(String),
}

/// A donor's yes to a put.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// What proves it to the coordinator: see [`crate::ticket::receipt`].
    pub receipt: Option<String>,
}

/// The way to donors. A call may be dropped at any await; deadlines are the caller's.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Stores a shard; on `Ok` it is on the donor's stable storage.
    async fn put(&self, addr: &str, ticket: &SignedTicket, id: ShardId, shard: Bytes) -> Result<Stored, DonorError>;

    /// Reads a shard, or bytes `range` of it. The answer has the length asked for; its content is not yet to be believed.
    async fn read(&self, addr: &str, ticket: &SignedTicket, id: ShardId, range: Option<Range<u32>>)
    -> Result<Buffer, DonorError>;

    /// As [`Self::read`], for who only looks at the bytes.
    async fn get(&self, addr: &str, ticket: &SignedTicket, id: ShardId, range: Option<Range<u32>>) -> Result<Bytes, DonorError> {
        self.read(addr, ticket, id, range).await.map(Buffer::into_bytes)
    }
}
