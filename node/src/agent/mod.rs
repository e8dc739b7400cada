//! The donor's side of the coordinator: joins, beats, works, proves, tells.
//!
//! ```text
//!   register ─▶ beat ─▶ reply: work ───────▶ worker ──▶ done ────┐
//!      ▲         │ ├──── reply: audits ─────▶ auditor ─▶ answers ┴─▶ next beat, at once
//!      │         │ ├──── reply: reconcile ──▶ digests, ranges that differ, beside the beats
//!      │         │ └──── reply: standing ───▶ log, standing.json, health
//!      └── 401, 404 ── refused: says who it is again, as the same donor
//! ```
//! Promises: one beat at a time; a report or an answer is told until a beat that carried it was answered; work is bounded in
//! pieces and in bytes; the coordinator's absence only slows the beats, the shards are served all the same, whatever the standing.
//! You may lose reports and answers at a stop: work is handed out again, slices are asked for again.

mod audit;
mod hands;
pub(crate) mod identity;
mod pace;
mod pull;
mod rebuild;
mod reconcile;
pub(crate) mod register;
mod retry;
pub(crate) mod standing;
mod tidy;
mod work;

use std::time::Duration;

use nodio_host::Shutdown;
use nodio_wire::NodeId;
use nodio_wire::api::{Heartbeat, HeartbeatReply, Register};
use nodio_wire::auth::Who;
use nodio_wire::client::{ApiError, NodeApi};
use tokio::task::JoinSet;
use tokio::time::Instant;

use audit::Auditor;
pub(crate) use hands::Hands;
use identity::{Identity, Member};
use retry::{Backoff, jittered};
use standing::Board;
pub(crate) use tidy::{Scrubbing, spawn_trash};
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
    auditor: Auditor,
    board: Board,
    comparing: JoinSet<()>,
    backoff: Backoff,
    /// Time between beats; `None` until registered in this run.
    every: Option<Duration>,
}

impl Agent {
    /// `every` is known if the donor has joined just now; otherwise it registers first.
    pub(crate) fn new(line: Line, member: &Member, store: Store, worker: Worker, board: Board, every: Option<Duration>) -> Self {
        let Line { pool, coordinator, identity, card } = line;
        let api = NodeApi::new(pool, coordinator.clone(), Who::Node(member.node), member.secret.clone());
        let backoff = Backoff::new(Duration::from_millis(RETRY_MAX_MS));
        let card = Register { node: Some(member.node), ..card };
        let auditor = Auditor::new(store.clone());
        let node = member.node;
        let comparing = JoinSet::new();
        Self { api, node, coordinator, identity, card, store, worker, auditor, board, comparing, backoff, every }
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

    /// Waits for the next beat's time, or for finished work or an answer, which are worth a beat at once.
    async fn rest(&mut self, began: Instant, pause: Duration) {
        let at_soonest = began + Duration::from_millis(BEAT_GAP_MS).min(pause);
        let mut at = Instant::now() + pause;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(at) => return,
                () = self.worker.finished() => at = at.min(at_soonest),
                () = self.auditor.answered() => at = at.min(at_soonest),
            }
        }
    }

    /// Registers if need be and beats once; answers how long to wait.
    async fn turn(&mut self) -> Duration {
        match self.try_turn().await {
            Ok(every) => {
                self.backoff.reset();
                // More answers than go with one beat.
                let rest = if self.auditor.has_answers() { Duration::from_millis(BEAT_GAP_MS) } else { every };
                jittered(rest, rand::random())
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
        self.auditor.told(beat.answers.len());
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
            held_bytes: totals.held_bytes,
            digest: format!("{:032x}", totals.digest),
            trash: totals.trash,
            scrub: self.store.scrubbed(),
            answers: self.auditor.answers().to_vec(),
            done: self.worker.done().to_vec(),
            rotten: self.store.rotten(ROTTEN_PER_BEAT),
            slots: if leaving { 0 } else { u32::try_from(self.worker.free()).unwrap_or(u32::MAX) },
            leaving,
        }
    }

    /// Takes on what the reply asks for; answers the time to the next beat.
    fn heed(&mut self, reply: HeartbeatReply) -> Duration {
        self.worker.accept(reply.work);
        self.auditor.accept(reply.audits);
        self.board.hear(reply.standing);
        while self.comparing.try_join_next().is_some() {}
        if reply.reconcile_wanted && self.comparing.is_empty() {
            self.comparing.spawn(reconcile::reconcile(self.api.clone(), self.store.clone(), self.node));
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
