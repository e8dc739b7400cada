//! What a donor is given to do.

use nodio_meta::StoreError;
use nodio_wire::api::{Destination, RepairSource, Target, Task, Work};
use nodio_wire::limits::{GET_TICKET_MS, PROBE_BYTES, PUT_TICKET_MS};
use nodio_wire::proof::Slice;
use nodio_wire::{NodeId, ShardId, UnixMs};

use super::{Coordinator, get_ticket, push_ticket};
use crate::map::deletes;
use crate::state::State;
use crate::state::repair::lease_end;
use crate::state::tasks::{Aim, Check, How, Mending, Source};

impl Coordinator {
    /// At most `slots` pieces of work. With a single slot, mending comes before deleting.
    pub(super) async fn work_for(&self, node: NodeId, slots: usize) -> Result<Vec<Task>, StoreError> {
        if slots == 0 {
            return Ok(Vec::new());
        }
        let delete_now = {
            let state = self.state();
            !state.tasks.is_deleting(node) && (slots > 1 || !state.tasks.has_waiting(node))
        };
        let mut work = Vec::new();
        if delete_now {
            work.extend(self.delete_for(node).await?);
        }
        work.extend(self.mending_for(node, slots - work.len()));
        Ok(work)
    }

    async fn delete_for(&self, node: NodeId) -> Result<Option<Task>, StoreError> {
        let arriving = |shard: &ShardId| self.state().tasks.is_rebuilding(node, shard);
        let shards = deletes::due(&*self.store, node, arriving).await?;
        if shards.is_empty() {
            return Ok(None);
        }
        let lease_end = lease_end(self.now(), self.config.task_lease_ms);
        let mut state = self.state();
        if state.tasks.is_deleting(node) {
            return Ok(None);
        }
        let id = state.tasks.hand_out_delete(node, shards.clone(), lease_end);
        Ok(Some(Task { id, work: Work::Delete { shards } }))
    }

    fn mending_for(&self, worker: NodeId, slots: usize) -> Vec<Task> {
        let now = self.now();
        let lease_end = lease_end(now, self.config.task_lease_ms);
        let mut state = self.state();
        let mut tasks = Vec::new();
        while tasks.len() < slots {
            let Some((id, mending)) = state.hand_out(worker, lease_end, now) else { break };
            match work_of(&state, worker, &mending, now, lease_end) {
                Some((work, checks)) => {
                    state.tasks.checked_by(id, checks);
                    tasks.push(Task { id, work });
                }
                None => state.close(id),
            }
        }
        tasks
    }

    /// Counts against a donor what it can't have done honestly.
    pub(crate) fn blame(&self, node: NodeId, reason: &str) {
        tracing::warn!(%node, reason, "a donor is not to be believed");
        if let Some(node) = self.state().nodes.get_mut(node) {
            node.record.failed += 1.0;
        }
    }
}

/// The work as it travels and what its report is checked against; `None` if donors it needs went away since it was planned.
fn work_of(state: &State, worker: NodeId, mending: &Mending, now: UnixMs, lease_end: UnixMs) -> Option<(Work, Vec<Check>)> {
    let &Mending { segment, shard_bytes, .. } = mending;
    let expires = lease_end.max(now.saturating_add(PUT_TICKET_MS));
    let aimed = mending.targets.iter().map(|aim| target_of(state, worker, aim, shard_bytes, expires));
    let (mut targets, checks): (Vec<Target>, Vec<Check>) = aimed.collect::<Option<Vec<_>>>()?.into_iter().unzip();
    let work = match &mending.how {
        How::Push => Work::Push { segment, shard_bytes, target: targets.pop()? },
        How::Rebuild { code, sources } => {
            let sources: Vec<_> = sources.iter().filter_map(|source| source_of(state, source, shard_bytes, now)).collect();
            let enough = sources.len() >= code.k();
            enough.then_some(Work::Rebuild { segment, code: *code, shard_bytes, targets, sources })?
        }
    };
    Some((work, checks))
}

fn target_of(state: &State, worker: NodeId, aim: &Aim, shard_bytes: u32, expires: UnixMs) -> Option<(Target, Check)> {
    let (to, check) = if aim.node == worker {
        let probe = Slice::around(rand::random(), PROBE_BYTES, shard_bytes)?;
        (Destination::Here { probe }, Check::Probe(probe))
    } else {
        let node = state.nodes.get(aim.node).filter(|node| node.takes_shards())?;
        let (ticket, nonce) = push_ticket(node, aim.shard, shard_bytes, expires);
        (Destination::There { node: node.id, addr: node.addr.clone(), ticket }, Check::Nonce(nonce))
    };
    Some((Target { position: aim.position, shard: aim.shard, to }, check))
}

fn source_of(state: &State, source: &Source, shard_bytes: u32, now: UnixMs) -> Option<RepairSource> {
    let node = state.nodes.get(source.node).filter(|node| !node.liveness.is_away())?;
    let ticket = get_ticket(node, source.shard, shard_bytes, now.saturating_add(GET_TICKET_MS));
    Some(RepairSource { position: source.position, shard: source.shard, node: node.id, addr: node.addr.clone(), ticket })
}
