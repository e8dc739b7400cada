//! Bytes to donors and back. Knows segments, shards and donors; knows nothing of HTTP, S3, buckets or keys.
//!
//! ```text
//!   write: body ─► segment ─┬─► digest (MD5, checksums; in order, in step with other bodies)
//!                           └─► seal + encode ─► n shards in parallel ─► quorum ─► commit       store, grants
//!   read:  locate (cached) ─► the pieces a range needs ─► hedge / rebuild ─► open ─► body       fetch, locate
//! ```
//!
//! Promises: memory is bounded by [`Budget`] whatever the size of objects; when `write` answers, every segment is durable on its write
//! quorum and in the shard map; a byte that `read` yields was authenticated under the part's key. What a failed or dropped write has
//! already entered into the map is released again; what it left on donors before that is litter that reconciliation finds.

pub mod bare;
mod budget;
mod digest;
mod donors;
mod fetch;
mod grants;
mod locate;
mod read;
mod store;
mod write;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream::BoxStream;
use nodio_codec::DataKey;
use nodio_wire::donor::Transport;
use nodio_wire::fleet::{Durability, Fleet, FleetError, KnownPart};
use nodio_wire::{Code, CodePolicy, PartId};
use tokio::sync::Mutex;

use crate::checksum::{Checksum, ChecksumKind};
use crate::limits::SUMMARY_S;
use budget::Budget;
use digest::Desk;
use donors::Donors;
use grants::Grants;
use locate::Locator;

/// Plaintext on its way in or out.
pub(crate) type Body = BoxStream<'static, Result<Bytes, BodyError>>;

/// What went wrong with a body, in the words of whoever feeds or drains it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct BodyError(pub(crate) Box<dyn std::error::Error + Send + Sync>);

/// What to compute and to hold a body to.
#[derive(Debug, Clone)]
pub(crate) struct WriteOptions {
    /// Beside MD5, which is always computed.
    pub(crate) checksums: Vec<ChecksumKind>,
    /// Exact length in bytes, when it is known.
    pub(crate) length: Option<u64>,
    /// Longest body taken.
    pub(crate) bytes_max: u64,
    /// How the part's code is chosen.
    pub(crate) code: CodePolicy,
}

/// A part that is durable and that no row names yet.
#[derive(Debug)]
pub(crate) struct WrittenPart {
    pub(crate) id: PartId,
    pub(crate) len: u64,
    pub(crate) md5: [u8; 16],
    /// In the order asked for.
    pub(crate) checksums: Vec<Checksum>,
    pub(crate) key: DataKey,
    pub(crate) place: Place,
}

/// Where a part's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Empty,
    /// Sealed, to be kept with the metadata.
    Inline(Bytes),
    /// On donors, under this code.
    Segments(Code),
}

/// A range of one part.
#[derive(Debug)]
pub(crate) struct ReadPiece {
    pub(crate) part: PartId,
    pub(crate) key: DataKey,
    pub(crate) place: Place,
    /// Plaintext bytes of the whole part.
    pub(crate) len: u64,
    /// Within the part.
    pub(crate) range: Range<u64>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("the body failed")]
    Body(#[source] BodyError),
    #[error("the body is longer than {max} bytes")]
    TooLong { max: u64 },
    #[error("the body has {got} bytes, {want} were announced")]
    WrongLength { want: u64, got: u64 },
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// Too few donors stored their shard.
    #[error("no write quorum: {0}")]
    Donors(String),
    #[error("too much is in flight")]
    Overloaded,
    /// A fault of our own.
    #[error("{0}")]
    Internal(String),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// Fewer than `k` right shards can be had now; later there may be more.
    #[error("too few shards can be read now: {0}")]
    Unreadable(String),
    /// Enough shards were read and were what the map says, but they don't open under the part's key.
    #[error("the stored bytes do not open: {0}")]
    Damaged(String),
    #[error("too much is in flight")]
    Overloaded,
    /// A fault of our own.
    #[error("{0}")]
    Internal(String),
}

/// The pipeline's own settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PipelineOptions {
    /// Plaintext and sealed bytes held at once, by all requests together.
    pub(crate) memory_bytes_max: usize,
}

/// Shared by all requests of a gateway.
#[derive(Clone)]
pub(crate) struct Pipeline {
    inner: Arc<Inner>,
}

struct Inner {
    fleet: Arc<dyn Fleet>,
    transport: Arc<dyn Transport>,
    budget: Budget,
    desk: Arc<Desk>,
    grants: Grants,
    locator: Locator,
    donors: Donors,
    domains_up: Mutex<Option<(Instant, usize)>>,
}

impl Pipeline {
    pub(crate) fn new(fleet: Arc<dyn Fleet>, transport: Arc<dyn Transport>, options: PipelineOptions) -> Self {
        let inner = Inner {
            grants: Grants::new(fleet.clone()),
            locator: Locator::new(fleet.clone()),
            budget: Budget::new(options.memory_bytes_max),
            desk: Desk::new(),
            donors: Donors::default(),
            domains_up: Mutex::default(),
            fleet,
            transport,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Gives parts back to the network. Unknown ones are no error.
    pub(crate) async fn release(&self, parts: Vec<PartId>) -> Result<(), FleetError> {
        self.inner.fleet.release(parts).await
    }

    /// Parts that the shard map knows, for the sweep.
    pub(crate) async fn parts(&self, after: Option<PartId>, limit: u32) -> Result<Vec<KnownPart>, FleetError> {
        self.inner.fleet.parts(after, limit).await
    }

    /// How safe the segments of these parts are; at most `PARTS_PER_ASK_MAX` parts.
    pub(crate) async fn durability(&self, parts: Vec<PartId>) -> Result<Durability, FleetError> {
        self.inner.fleet.durability(parts).await
    }

    /// The code for a part that starts now. One without redundancy must be asked for by name.
    async fn code(&self, policy: CodePolicy) -> Result<Code, FleetError> {
        if let CodePolicy::Fixed(code) = policy {
            return Ok(code);
        }
        let mut known = self.inner.domains_up.lock().await;
        let fresh = known.filter(|(at, _)| at.elapsed() < Duration::from_secs(SUMMARY_S));
        let domains = match fresh {
            Some((_, domains)) => domains,
            None => self.inner.fleet.summary().await?.domains_up as usize,
        };
        if fresh.is_none() {
            *known = Some((Instant::now(), domains));
        }
        match policy.resolve(domains) {
            bare if bare.parity() == 0 => Err(FleetError::NotEnoughDonors { need: 2, have: domains }),
            code => Ok(code),
        }
    }
}
