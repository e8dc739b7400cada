//! The donor's side of the coordinator: joins, beats, works, tells.
//!
//! ```text
//!   register ─▶ beat ─▶ reply: work ─▶ worker ─▶ done ─▶ next beat, at once
//!      ▲         │ └──── reply: inventory wanted ─▶ inventory, beside the beats
//!      └── 401, 404 ── refused: says who it is again, as the same donor
//! ```
//! Promises: one beat at a time; a report is told until a beat that carried it was answered; work is bounded in pieces and in
//! bytes; the coordinator's absence only slows the beats, the shards are served all the same. You may lose reports at a stop:
//! work is handed out again.

pub(crate) mod identity;
mod inventory;
mod rebuild;
pub(crate) mod register;
mod retry;
mod work;

use std::time::Duration;

use nodio_host::Shutdown;
use nodio_wire::NodeId;
use nodio_wire::api::{Heartbeat, HeartbeatReply, Register};
use nodio_wire::auth::Who;
use nodio_wire::client::{ApiError, NodeApi};
use tokio::task::JoinSet;
use tokio::time::Instant;

use identity::{Identity, Member};
use retry::{Backoff, jittered};
pub(crate) use work::Worker;

use crate::limits::{BEAT_GAP_MS, LEAVE_MS, RETRY_MAX_MS, ROTTEN_PER_BEAT};
use crate::store::Store;

/// What it takes to speak with the coordinator.
pub(crate) struct Line {
    pub(crate) pool: reqwest::Client,
    /// Base URL to try; remembered once a registration there was answered.
    pub(crate) coordinator: String,
    pub(crate) identity: Identity,
    pub(crate) card: Register,
}

/// The task that keeps in touch with the coordinator.
pub(crate) struct Agent {
    api: NodeApi,
    node: NodeId,
    coordinator: String,
    identity: Identity,
    card: Register,
    store: Store,
    worker: Worker,
    inventory: JoinSet<()>,
    backoff: Backoff,
    /// Time between beats; `None` until registered in this run.
    every: Option<Duration>,
}

impl Agent {
    /// `every` is known if the donor has joined just now; otherwise it registers first.
    pub(crate) fn new(line: Line, member: &Member, store: Store, worker: Worker, every: Option<Duration>) -> Self {
        let Line { pool, coordinator, identity, card } = line;
        let api = NodeApi::new(pool, coordinator.clone(), Who::Node(member.node), member.secret.clone());
        let backoff = Backoff::new(Duration::from_millis(RETRY_MAX_MS));
        let card = Register { node: Some(member.node), ..card };
        Self { api, node: member.node, coordinator, identity, card, store, worker, inventory: JoinSet::new(), backoff, every }
    }

    /// Works until the shutdown, then says goodbye.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        tokio::select! {
            () = shutdown.wait() => {}
            () = self.beat_on() => {}
        }
        self.leave().await;
    }

    async fn beat_on(&mut self) {
        loop {
            let began = Instant::now();
            let pause = self.turn().await;
            self.rest(began, pause).await;
        }
    }

    /// Waits for the next beat's time, or for finished work, which is worth a beat at once.
    async fn rest(&mut self, began: Instant, pause: Duration) {
        let at_soonest = began + Duration::from_millis(BEAT_GAP_MS).min(pause);
        let mut at = Instant::now() + pause;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(at) => return,
                () = self.worker.finished() => at = at.min(at_soonest),
            }
        }
    }

    /// Registers if need be and beats once; answers how long to wait.
    async fn turn(&mut self) -> Duration {
        match self.try_turn().await {
            Ok(every) => {
                self.backoff.reset();
                jittered(every, rand::random())
            }
            Err(error) => {
                if matches!(error, ApiError::Refused { status: 401 | 404, .. }) {
                    self.every = None;
                }
                tracing::warn!("no word with the coordinator: {error}");
                self.backoff.next()
            }
        }
    }

    async fn try_turn(&mut self) -> Result<Duration, ApiError> {
        if self.every.is_none() {
            let registered = self.api.register(&self.card).await?;
            tracing::info!(node = %self.node, "registered with the coordinator");
            if let Err(error) = self.identity.moved(&self.coordinator) {
                tracing::warn!("the coordinator's address can't be remembered: {error}");
            }
            self.every = Some(Duration::from_millis(registered.heartbeat_ms));
        }
        let beat = self.beat(false);
        let reply = self.api.heartbeat(&beat).await?;
        self.store.rotten_told(&beat.rotten);
        self.worker.told(beat.done.len());
        Ok(self.heed(reply))
    }

    fn beat(&self, leaving: bool) -> Heartbeat {
        let totals = self.store.totals();
        Heartbeat {
            node: self.node,
            capacity_bytes: totals.capacity_bytes,
            used_bytes: totals.used_bytes,
            free_bytes: totals.free_bytes,
            shards: totals.shards,
            digest: format!("{:032x}", totals.digest),
            done: self.worker.done().to_vec(),
            rotten: self.store.rotten(ROTTEN_PER_BEAT),
            slots: if leaving { 0 } else { u32::try_from(self.worker.free()).unwrap_or(u32::MAX) },
            leaving,
        }
    }

    /// Takes on what the reply asks for; answers the time to the next beat.
    fn heed(&mut self, reply: HeartbeatReply) -> Duration {
        self.worker.accept(reply.work);
        while self.inventory.try_join_next().is_some() {}
        if reply.inventory_wanted && self.inventory.is_empty() {
            self.inventory.spawn(inventory::send(self.api.clone(), self.store.clone(), self.node));
        }
        let every = Duration::from_millis(reply.heartbeat_ms.max(BEAT_GAP_MS));
        self.every = Some(every);
        every
    }

    /// The last beat, so that nobody waits for this donor. Not insisted on.
    async fn leave(self) {
        if self.every.is_none() {
            return;
        }
        let beat = self.beat(true);
        let patience = Duration::from_millis(LEAVE_MS);
        match tokio::time::timeout(patience, self.api.heartbeat(&beat)).await {
            Ok(Ok(_)) => tracing::debug!("took leave of the coordinator"),
            _ => tracing::debug!("could not take leave of the coordinator"),
        }
    }
}
