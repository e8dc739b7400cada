//! Signs of life, and what comes with them.
//!
//! ```text
//!   hear ─► reports on work ─► answers to audits ─► shards found rotten ─► work, audits, reconcile?, standing
//! ```
//! A heartbeat with nothing to tell costs the same few reads whatever the network holds. What it reports is either recorded or, on an
//! error, told again: nothing is forgotten here before it is written, and everything may be told twice.

use futures::StreamExt;
use nodio_wire::api::{Contents, Heartbeat, HeartbeatReply, StandingState, TaskReport};
use nodio_wire::limits::CHALLENGES_MAX;
use nodio_wire::{NodeId, ShardId, UnixMs};

use super::{Coordinator, ServiceError};
use crate::limits::{HEARTBEAT_REPORTS_MAX, REPORTS_AT_ONCE};
use crate::map::forget::missing_at;
use crate::state::State;
use crate::state::node::{Reconcile, Reported};
use crate::state::walks::{Lane, Over};

impl Coordinator {
    /// Takes a donor's sign of life and what it reports; answers with work, questions and its standing.
    ///
    /// # Errors
    /// [`ServiceError`]; then the donor shall say all of it again.
    pub async fn heartbeat(&self, beat: Heartbeat) -> Result<HeartbeatReply, ServiceError> {
        let held = check(&beat)?;
        let now = self.now();
        hear(&mut self.state(), &beat, now)?;
        let (node, leaving) = (beat.node, beat.leaving);
        self.take_reports(node, beat.done).await?;
        self.take_answers(node, &beat.answers).await?;
        self.take_rotten(node, &beat.rotten).await?;
        let gets_nothing = leaving || self.standing_of(node)?.state == StandingState::Released;
        let (mut work, mut audits) = (Vec::new(), Vec::new());
        if !gets_nothing {
            work = self.work_for(node, beat.slots as usize).await?;
            audits = self.challenges_for(node).await?;
        }
        let reconcile_wanted = !gets_nothing && self.reconcile_wanted(node, held);
        let standing = self.standing_of(node)?;
        Ok(HeartbeatReply { heartbeat_ms: self.config.heartbeat_ms, work, audits, reconcile_wanted, standing })
    }

    async fn take_reports(&self, node: NodeId, done: Vec<TaskReport>) -> Result<(), ServiceError> {
        let taken = futures::stream::iter(done).map(|report| self.complete_task(node, report));
        let results: Vec<_> = taken.buffer_unordered(REPORTS_AT_ONCE).collect().await;
        results.into_iter().collect()
    }

    /// What a donor finds rotten by itself is mended and not held against its trust: better that it tells. What it was just asked about is
    /// an answer like "not held": else whoever lacks what it is asked for would call it rotten, and never fail.
    async fn take_rotten(&self, node: NodeId, rotten: &[ShardId]) -> Result<(), ServiceError> {
        let mut faults = Vec::new();
        for shard in rotten {
            self.own_up(node, shard).await?;
            faults.extend(missing_at(&*self.store, node, *shard).await?);
        }
        self.forget(&faults, |_, _| true).await?;
        Ok(())
    }

    /// True once the map's side was counted and differs, until the last page of an inventory has come.
    fn reconcile_wanted(&self, node: NodeId, held: Contents) -> bool {
        let mut state = self.state();
        let Some(node) = state.nodes.get_mut(node) else { return false };
        match node.reconcile.expected.take() {
            Some(expected) if expected == held => node.checked = true,
            Some(_) => node.reconcile.wanted = true,
            None => {}
        }
        node.reconcile.wanted
    }
}

/// Refuses what is too much or unreadable; returns what the donor says it holds.
fn check(beat: &Heartbeat) -> Result<Contents, ServiceError> {
    let digest = u128::from_str_radix(&beat.digest, 16).map_err(|_| ServiceError::Refused("the digest must be hex".into()))?;
    if beat.done.len() > HEARTBEAT_REPORTS_MAX || beat.rotten.len() > HEARTBEAT_REPORTS_MAX {
        return Err(ServiceError::Refused(format!("more than {HEARTBEAT_REPORTS_MAX} reports in one heartbeat")));
    }
    if beat.answers.len() > CHALLENGES_MAX {
        return Err(ServiceError::Refused(format!("more than {CHALLENGES_MAX} answers in one heartbeat")));
    }
    Ok(Contents { shards: beat.shards, digest })
}

fn hear(state: &mut State, beat: &Heartbeat, now: UnixMs) -> Result<(), ServiceError> {
    let heard = state.nodes.heard(beat.node, beat.leaving, now).ok_or(ServiceError::UnknownNode(beat.node))?;
    if let Some(node) = state.nodes.get_mut(beat.node) {
        node.space.measured(beat.capacity_bytes, beat.used_bytes, beat.free_bytes);
        node.reported = Reported { held_bytes: beat.held_bytes, trash: beat.trash, scrub: beat.scrub };
        if heard.from.is_away() && heard.to.is_up() {
            node.reconcile = Reconcile { due: now, ..Reconcile::default() };
            node.checked = false;
        }
    }
    if heard.from != heard.to {
        tracing::info!(node = %beat.node, from = ?heard.from, to = ?heard.to, "a donor's state changed");
    }
    if !heard.from.is_away() && heard.to.is_away() {
        state.drop_tasks_of(beat.node);
        state.walks.begin(Over::Node(beat.node), Lane::Mend);
    }
    Ok(())
}
