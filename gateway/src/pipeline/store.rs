//! One segment's shards to donors: all at once, spares for those that fail, a quorum to go on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::{BoxFuture, TryFutureExt};
use futures::stream::FuturesUnordered;
use nodio_codec::seal::PartCipher;
use nodio_codec::segment::{self, Shape};
use nodio_host::blocking::blocking;
use nodio_wire::buffer::Buffer;
use nodio_wire::donor::DonorError;
use nodio_wire::fleet::{GrantedDonor, PlacedShard, SegmentCommit};
use nodio_wire::{Code, NodeId, SegmentId, ShardId};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, warn};

use super::{Inner, WriteError};
use crate::limits::{REPLICA_BYTES_MAX, SHARD_PUT_MS_MAX, STRAGGLER_MS};

/// A segment's shards with their ids, by position.
pub(super) struct Encoded {
    pub(super) segment: SegmentId,
    pub(super) code: Code,
    shards: Vec<(ShardId, Bytes)>,
}

/// Seals and encodes one segment: at once when it is short, on a thread of its own otherwise.
pub(super) async fn encode(cipher: Arc<PartCipher>, segment: SegmentId, code: Code, plain: Bytes) -> Result<Encoded, WriteError> {
    let short = plain.len() <= REPLICA_BYTES_MAX;
    let work = move || {
        let shape = Shape::new(code.k(), code.n(), plain.len());
        let mut coded = Buffer::new(shape.coded_len());
        segment::encode(&cipher, segment.index, &plain, shape, coded.spare())?;
        coded.filled(shape.coded_len());
        Ok(Encoded { segment, code, shards: named(code, shape, &coded.into_bytes()) })
    };
    let made = if short { work() } else { blocking(work).await.map_err(|panic| WriteError::Internal(panic.to_string()))? };
    made.map_err(|error: nodio_codec::erasure::CodecError| WriteError::Internal(error.to_string()))
}

/// The shards out of the bytes of all, with their ids.
fn named(code: Code, shape: Shape, coded: &Bytes) -> Vec<(ShardId, Bytes)> {
    let shards = (0..code.n()).map(|position| coded.slice(shape.shard(position)));
    if code.k() == 1 {
        let id = ShardId::of(coded);
        return shards.map(|shard| (id, shard)).collect();
    }
    shards.map(|shard| (ShardId::of(&shard), shard)).collect()
}

fn a_moment_from_now() -> Instant {
    Instant::now() + Duration::from_millis(STRAGGLER_MS)
}

type Put = (usize, GrantedDonor, Result<(), DonorError>);

/// The state of one segment on its way to donors.
struct Storing<'a> {
    inner: &'a Inner,
    encoded: &'a Encoded,
    spares: VecDeque<GrantedDonor>,
    placed: Vec<Option<NodeId>>,
    /// The donor last asked for each position.
    trying: Vec<Option<NodeId>>,
    running: FuturesUnordered<BoxFuture<'a, Put>>,
    /// Every donor that was given a shard or that failed: none is asked twice.
    asked: Vec<NodeId>,
    last_error: Option<String>,
}

impl Inner {
    /// Stores every shard it can and answers what to commit; an error when that is less than the write quorum.
    pub(super) async fn store(&self, encoded: Encoded) -> Result<SegmentCommit, WriteError> {
        let shard_bytes = encoded.shards[0].1.len();
        let grant = self.grants.take(encoded.code, shard_bytes).await?;
        let mut storing = Storing::new(self, &encoded, grant.donors);
        storing.run().await;
        if storing.missing().next().is_some() {
            self.grants.forget().await;
        }
        if storing.stored() < encoded.code.write_quorum() {
            storing.try_others(shard_bytes).await?;
        }
        storing.outcome(grant.id, shard_bytes as u32)
    }
}

impl<'a> Storing<'a> {
    fn new(inner: &'a Inner, encoded: &'a Encoded, mut donors: Vec<GrantedDonor>) -> Self {
        donors.sort_by_key(|donor| inner.donors.suspect(donor.node));
        let mut spares = VecDeque::from(donors);
        let first: Vec<_> = spares.drain(..encoded.code.n().min(spares.len())).collect();
        let placed = vec![None; encoded.code.n()];
        let trying = placed.clone();
        let (running, asked, last_error) = (FuturesUnordered::new(), Vec::new(), None);
        let mut storing = Self { inner, encoded, spares, placed, trying, running, asked, last_error };
        first.into_iter().enumerate().for_each(|(position, donor)| storing.begin(position, donor));
        storing
    }

    fn begin(&mut self, position: usize, donor: GrantedDonor) {
        let (id, shard) = self.encoded.shards[position].clone();
        let transport = &self.inner.transport;
        self.asked.push(donor.node);
        self.trying[position] = Some(donor.node);
        self.running.push(Box::pin(async move {
            let put = transport.put(&donor.addr, &donor.ticket, id, shard).map_ok(drop);
            let deadline = Duration::from_millis(SHARD_PUT_MS_MAX);
            let result = timeout(deadline, put).await.unwrap_or_else(|_| Err(DonorError::Unreachable("too slow".into())));
            (position, donor, result)
        }));
    }

    /// Until every shard is stored or has nowhere to go. Once a quorum is stored, laggards get a moment, then spares get their shards, and
    /// after another moment whoever is left is left to repair.
    async fn run(&mut self) {
        let mut patience: Option<Instant> = None;
        let mut replaced = false;
        while self.missing().next().is_some() {
            let put = match patience {
                None => self.running.next().await,
                Some(until) => tokio::select! {
                    put = self.running.next() => put,
                    () = sleep_until(until) => {
                        if replaced || !self.replace_laggards() {
                            return;
                        }
                        replaced = true;
                        patience = Some(a_moment_from_now());
                        continue;
                    }
                },
            };
            let Some(put) = put else { return };
            self.ended(put);
            if self.stored() >= self.encoded.code.write_quorum() && patience.is_none() {
                patience = Some(a_moment_from_now());
            }
        }
    }

    /// Gives the shards of donors that dawdle to spares too; false if there are none.
    fn replace_laggards(&mut self) -> bool {
        let spares = self.spares.len();
        for position in self.missing().collect::<Vec<_>>() {
            if let Some(laggard) = self.trying[position] {
                self.inner.donors.failed(laggard);
            }
            if let Some(spare) = self.spares.pop_front() {
                self.begin(position, spare);
            }
        }
        self.spares.len() < spares
    }

    fn ended(&mut self, (position, donor, result): Put) {
        let Err(error) = result else {
            self.placed[position].get_or_insert(donor.node);
            return;
        };
        debug!(segment = %self.encoded.segment, node = %donor.node, %error, "a donor did not store its shard");
        self.inner.donors.failed(donor.node);
        self.last_error = Some(format!("donor {}: {error}", donor.node));
        let alone = self.trying[position] == Some(donor.node) && self.placed[position].is_none();
        if alone && let Some(spare) = self.spares.pop_front() {
            self.begin(position, spare);
        }
    }

    /// A second round with donors not asked yet, apart from those that hold shards, for the shards that are nowhere.
    async fn try_others(&mut self, shard_bytes: usize) -> Result<(), WriteError> {
        let holding: Vec<NodeId> = self.placed.iter().flatten().copied().collect();
        let failed = self.asked.len() - holding.len();
        let fresh = self.inner.grants.fresh(self.encoded.code, shard_bytes, holding, failed).await?;
        let Some(grant) = fresh else { return Ok(()) };
        self.spares = grant.donors.into_iter().filter(|donor| !self.asked.contains(&donor.node)).collect();
        self.running.clear();
        for position in self.missing().collect::<Vec<_>>() {
            let Some(donor) = self.spares.pop_front() else { break };
            self.begin(position, donor);
        }
        self.run().await;
        Ok(())
    }

    fn stored(&self) -> usize {
        self.placed.iter().flatten().count()
    }

    fn missing(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.placed.len()).filter(|position| self.placed[*position].is_none())
    }

    fn outcome(self, grant: u64, shard_bytes: u32) -> Result<SegmentCommit, WriteError> {
        let (stored, need) = (self.stored(), self.encoded.code.write_quorum());
        if stored < need {
            let why = self.last_error.as_deref().unwrap_or("too slow");
            warn!(segment = %self.encoded.segment, stored, need, why, "no write quorum");
            return Err(WriteError::Donors(format!("{stored} of {need} shards stored; {why}")));
        }
        let shards = self.encoded.shards.iter().zip(&self.placed);
        let shards = shards.map(|((id, _), node)| PlacedShard { id: *id, node: *node }).collect();
        Ok(SegmentCommit { segment: self.encoded.segment, code: self.encoded.code, shard_bytes, shards, grant })
    }
}
