//! Work of each kind, done: delete, rebuild, push. What can't be done is said; doing it twice does no harm.
//!
//! ```text
//!   rebuild:  held already ──────────────┐
//!             k sources ─▶ all targets ──┴─▶ here:   store, prove the probe ─▶ stored, with evidence
//!   push:     own shard, checked ──────────▶ there:  put with the ticket, take the receipt ┘
//! ```
//! Promises: a target is reported as stored only with evidence; a few pieces at a time, their bytes bounded together.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use nodio_host::blocking;
use nodio_wire::api::{BadSource, Destination, Evidence, Outcome, RepairSource, StoredShard, Target, Work};
use nodio_wire::donor::{DonorError, Transport};
use nodio_wire::proof::{Proof, Slice};
use nodio_wire::ticket::SignedTicket;
use nodio_wire::{Code, NodeId, ShardId};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::pace::Paces;
use super::pull::Puller;
use super::rebuild::{Made, rebuild, weight};
use crate::limits::{PUSH_MS, REPAIR_BYTES};
use crate::store::{Store, StoreError};

/// What a piece of work needs; cheap to clone.
#[derive(Clone)]
pub(crate) struct Hands {
    node: NodeId,
    store: Store,
    transport: Arc<dyn Transport>,
    paces: Arc<Paces>,
    slots: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

/// Why a target isn't where it should be.
#[derive(Debug, thiserror::Error)]
enum Unsettled {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("node {node}: {error}")]
    There { node: NodeId, error: DonorError },
    #[error("node {0} took too long")]
    Slow(NodeId),
    #[error("node {0} gave no receipt")]
    NoReceipt(NodeId),
    #[error("the probe lies outside the shard")]
    BadProbe,
    #[error("{0}")]
    Ours(String),
}

/// The targets that are done and what hindered the others.
#[derive(Default)]
struct Settled {
    stored: Vec<StoredShard>,
    bad: Vec<BadSource>,
    reason: Option<String>,
}

impl Settled {
    fn add(&mut self, settled: Result<StoredShard, Unsettled>) {
        match settled {
            Ok(stored) => self.stored.push(stored),
            Err(error) => self.hindered(error.to_string()),
        }
    }

    fn hindered(&mut self, reason: String) {
        tracing::debug!("a shard could not be mended: {reason}");
        self.reason = Some(reason);
    }
}

impl From<Settled> for Outcome {
    fn from(Settled { stored, bad, reason }: Settled) -> Self {
        match reason {
            Some(reason) if stored.is_empty() => Self::Failed { reason, bad },
            _ => Self::Done { stored, bad },
        }
    }
}

impl Hands {
    pub(crate) fn new(node: NodeId, store: Store, transport: Arc<dyn Transport>, repair_slots: u32) -> Self {
        let slots = Arc::new(Semaphore::new(repair_slots as usize));
        Self { node, store, transport, paces: Arc::default(), slots, bytes: Arc::new(Semaphore::new(REPAIR_BYTES)) }
    }

    pub(crate) async fn work(&self, work: Work) -> Outcome {
        match work {
            Work::Delete { shards } => match self.store.delete(&shards).await {
                Ok(_) => Outcome::done(),
                Err(error) => failed(&error, Vec::new()),
            },
            Work::Rebuild { code, shard_bytes, targets, sources, .. } => {
                self.rebuild(code, shard_bytes, targets, sources).await.into()
            }
            Work::Push { shard_bytes, target, .. } => self.push(shard_bytes, target).await,
        }
    }

    /// A slot, and room for `bytes` or for all there is. Neither semaphore is ever closed.
    async fn room(&self, bytes: usize) -> Option<(SemaphorePermit<'_>, SemaphorePermit<'_>)> {
        let slot = self.slots.acquire().await.ok()?;
        let bytes = u32::try_from(bytes.min(REPAIR_BYTES)).ok()?;
        Some((slot, self.bytes.acquire_many(bytes).await.ok()?))
    }

    async fn rebuild(&self, code: Code, shard_bytes: u32, targets: Vec<Target>, sources: Vec<RepairSource>) -> Settled {
        let _room = self.room(weight(code, shard_bytes, targets.len())).await;
        let mut settled = Settled::default();
        let mut missing = Vec::new();
        for target in targets {
            match self.store.get(target.shard, None).await {
                Ok(bytes) => settled.add(self.settle(target, bytes).await),
                Err(_) if !self.fits(&target, shard_bytes) => settled.hindered(StoreError::Full.to_string()),
                Err(_) => missing.push(target),
            }
        }
        if missing.is_empty() {
            return settled;
        }
        let puller = Puller { transport: &*self.transport, paces: &self.paces, shard_bytes };
        let Made { shards, bad, reason } = rebuild(&puller, code, missing, sources).await;
        settled.bad = bad;
        settled.reason = reason.or(settled.reason);
        let settling = shards.into_iter().map(|(target, bytes)| self.settle(target, bytes));
        join_all(settling).await.into_iter().for_each(|result| settled.add(result));
        settled
    }

    /// False if the target is for this donor, which has no room for it: found out before anything is pulled.
    fn fits(&self, target: &Target, shard_bytes: u32) -> bool {
        matches!(target.to, Destination::There { .. }) || self.store.may_fit(shard_bytes)
    }

    async fn push(&self, shard_bytes: u32, target: Target) -> Outcome {
        let _room = self.room(shard_bytes as usize).await;
        let ours = BadSource { node: self.node, shard: target.shard };
        let bytes = match self.store.get(target.shard, None).await {
            Ok(bytes) => bytes,
            Err(error @ (StoreError::NotHeld | StoreError::Rotten)) => return failed(&error, vec![ours]),
            Err(error) => return failed(&error, Vec::new()),
        };
        let mut settled = Settled::default();
        settled.add(self.settle(target, bytes).await);
        settled.into()
    }

    /// Brings a shard to where it belongs, and the evidence for that.
    async fn settle(&self, Target { position, shard, to }: Target, bytes: Bytes) -> Result<StoredShard, Unsettled> {
        let evidence = match to {
            Destination::Here { probe } => self.keep(shard, bytes, probe).await?,
            Destination::There { node, addr, ticket } => self.give(node, &addr, &ticket, shard, bytes).await?,
        };
        Ok(StoredShard { position, evidence })
    }

    async fn keep(&self, shard: ShardId, bytes: Bytes, probe: Slice) -> Result<Evidence, Unsettled> {
        self.store.put(shard, bytes.clone(), self.store.now_ms()).await?;
        let proof = blocking(move || Proof::of(&bytes, probe)).await.map_err(|error| Unsettled::Ours(error.to_string()))?;
        proof.map(Evidence::Proof).ok_or(Unsettled::BadProbe)
    }

    async fn give(
        &self,
        node: NodeId,
        addr: &str,
        ticket: &SignedTicket,
        shard: ShardId,
        bytes: Bytes,
    ) -> Result<Evidence, Unsettled> {
        let put = self.transport.put(addr, ticket, shard, bytes);
        let stored = tokio::time::timeout(Duration::from_millis(PUSH_MS), put).await.map_err(|_| Unsettled::Slow(node))?;
        let stored = stored.map_err(|error| Unsettled::There { node, error })?;
        stored.receipt.map(Evidence::Receipt).ok_or(Unsettled::NoReceipt(node))
    }
}

fn failed(error: &StoreError, bad: Vec<BadSource>) -> Outcome {
    Outcome::Failed { reason: error.to_string(), bad }
}
