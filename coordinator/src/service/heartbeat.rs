//! Signs of life, and what comes with them.

use futures::{StreamExt, TryStreamExt};
use nodio_meta::StoreError;
use nodio_wire::api::{BadSource, Heartbeat, HeartbeatReply, Inventory, InventoryReply, Outcome, TaskReport};
use nodio_wire::{NodeId, ShardId, UnixMs};

use super::{Coordinator, ServiceError};
use crate::limits::{HEARTBEAT_REPORTS_MAX, REPORTS_AT_ONCE};
use crate::map::forget::{Fault, missing_at};
use crate::map::inventory::{Ages, compare};
use crate::map::record::{Rebuilt, Recorded, record};
use crate::map::{deletes, inventory};
use crate::state::State;
use crate::state::nodes::{Contents, Reconcile};
use crate::state::tasks::{Job, Rebuild};
use crate::state::walks::Over;

impl Coordinator {
    /// Takes a donor's sign of life and what it reports; answers with work.
    pub async fn heartbeat(&self, beat: Heartbeat) -> Result<HeartbeatReply, ServiceError> {
        let digest =
            u128::from_str_radix(&beat.digest, 16).map_err(|_| ServiceError::Refused("the digest must be hex".into()))?;
        if beat.done.len() > HEARTBEAT_REPORTS_MAX || beat.rotten.len() > HEARTBEAT_REPORTS_MAX {
            return Err(ServiceError::Refused(format!("more than {HEARTBEAT_REPORTS_MAX} reports in one heartbeat")));
        }
        let now = self.now();
        hear(&mut self.state(), &beat, now)?;
        self.take_reports(beat.node, beat.done).await?;
        self.take_rotten(beat.node, &beat.rotten).await?;
        let work = if beat.leaving { Vec::new() } else { self.work_for(beat.node, beat.slots as usize).await? };
        let held = Contents { shards: beat.shards, digest };
        let inventory_wanted = !beat.leaving && self.inventory_wanted(beat.node, held);
        Ok(HeartbeatReply { heartbeat_ms: self.config.heartbeat_ms, work, inventory_wanted })
    }

    /// Takes the report on one piece of work. Reports on what isn't known (any more) are no error.
    pub async fn complete_task(&self, node: NodeId, report: TaskReport) -> Result<(), ServiceError> {
        let Some(entry) = self.state().finish(node, report.id) else { return Ok(()) };
        match (entry.job, report.outcome) {
            (Job::Rebuild(rebuild), Outcome::Done) => self.rebuilt(node, &rebuild).await?,
            (Job::Rebuild(rebuild), Outcome::Failed { reason, bad }) => {
                tracing::info!(%node, segment = %rebuild.segment, reason, "a rebuild failed");
                self.take_bad_sources(&rebuild, &bad).await?;
            }
            (Job::Delete(shards), Outcome::Done) => deletes::settle(&*self.store, node, &shards).await?,
            (Job::Delete(_), Outcome::Failed { reason, .. }) => tracing::info!(%node, reason, "a delete failed"),
        }
        Ok(())
    }

    /// Compares one page of what a donor holds with the map.
    pub async fn inventory(&self, page: Inventory) -> Result<InventoryReply, ServiceError> {
        let node = page.node;
        if self.state().nodes.get(node).is_none() {
            return Err(ServiceError::UnknownNode(node));
        }
        let ages = Ages { litter_age_s: self.config.litter_age_s, settle_ms: self.config.inventory_settle_ms };
        let rebuilding = |shard: &ShardId| self.state().tasks.is_rebuilding(node, shard);
        let inventory::Difference { surplus, missing } = compare(&*self.store, &page, ages, rebuilding, self.now()).await?;
        self.forget(&missing, |_, _| true).await?;
        if page.through.is_none() {
            if let Some(known) = self.state().nodes.get_mut(node) {
                known.reconcile.wanted = false;
            }
            tracing::info!(%node, surplus = surplus.len(), missing = missing.len(), "inventory taken");
        }
        Ok(InventoryReply { surplus })
    }

    async fn take_reports(&self, node: NodeId, done: Vec<TaskReport>) -> Result<(), ServiceError> {
        let taken = futures::stream::iter(done).map(|report| self.complete_task(node, report));
        taken.buffer_unordered(REPORTS_AT_ONCE).try_collect::<()>().await
    }

    async fn take_rotten(&self, node: NodeId, rotten: &[ShardId]) -> Result<(), ServiceError> {
        let mut faults = Vec::new();
        for shard in rotten {
            faults.extend(missing_at(&*self.store, node, *shard).await?);
        }
        Ok(self.forget(&faults, |_, _| true).await?)
    }

    async fn rebuilt(&self, node: NodeId, rebuild: &Rebuild) -> Result<(), StoreError> {
        let done = Rebuilt { segment: rebuild.segment, position: rebuild.position, shard: rebuild.shard, node };
        let recorded = record(&*self.store, &done, self.margin(), |id| self.presence(id), self.now()).await?;
        let mut state = self.state();
        state.stored(node, rebuild.shard_bytes);
        if recorded == Recorded::Placed {
            state.tasks.rebuilt += 1;
        }
        Ok(())
    }

    /// A donor's word about other donors counts only for the sources it was told to read, and only while the segment stays readable
    /// without them: it may lie.
    async fn take_bad_sources(&self, rebuild: &Rebuild, bad: &[BadSource]) -> Result<(), StoreError> {
        let told = |bad: &&BadSource| rebuild.sources.iter().any(|source| source.node == bad.node && source.shard == bad.shard);
        let fault = |bad: &BadSource| Fault { segment: rebuild.segment, shard: bad.shard, node: bad.node, corrupt: false };
        let faults: Vec<Fault> = bad.iter().filter(told).map(fault).collect();
        self.suspect_missing(&faults).await
    }

    /// True once the map's side was counted and differs, until the donor's inventory has come.
    fn inventory_wanted(&self, node: NodeId, held: Contents) -> bool {
        let mut state = self.state();
        let Some(node) = state.nodes.get_mut(node) else { return false };
        if node.reconcile.expected.take().is_some_and(|expected| expected != held) {
            node.reconcile.wanted = true;
        }
        node.reconcile.wanted
    }
}

fn hear(state: &mut State, beat: &Heartbeat, now: UnixMs) -> Result<(), ServiceError> {
    let heard = state.nodes.heard(beat.node, beat.leaving, now).ok_or(ServiceError::UnknownNode(beat.node))?;
    if let Some(node) = state.nodes.get_mut(beat.node) {
        node.space.measured(beat.capacity_bytes, beat.used_bytes, beat.free_bytes);
        if heard.from.is_away() && heard.to.is_up() {
            node.reconcile = Reconcile { due: now, ..Reconcile::default() };
        }
    }
    if heard.from != heard.to {
        tracing::info!(node = %beat.node, from = ?heard.from, to = ?heard.to, "a donor's state changed");
    }
    if !heard.from.is_away() && heard.to.is_away() {
        state.drop_tasks_of(beat.node);
        state.walks.begin(Over::Node(beat.node));
    }
    Ok(())
}
