//! What a donor is given to do.

use nodio_meta::StoreError;
use nodio_wire::api::{RepairSource, Task, Work};
use nodio_wire::limits::GET_TICKET_MS;
use nodio_wire::{NodeId, ShardId, UnixMs};

use super::{Coordinator, get_ticket};
use crate::map::deletes;
use crate::state::State;
use crate::state::repair::lease_end;
use crate::state::tasks::{Rebuild, Source};

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
        work.extend(self.rebuilds_for(node, slots - work.len()));
        Ok(work)
    }

    async fn delete_for(&self, node: NodeId) -> Result<Option<Task>, StoreError> {
        let rebuilding = |shard: &ShardId| self.state().tasks.is_rebuilding(node, shard);
        let shards = deletes::due(&*self.store, node, rebuilding).await?;
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

    fn rebuilds_for(&self, node: NodeId, slots: usize) -> Vec<Task> {
        let now = self.now();
        let mut state = self.state();
        let handed = state.tasks.hand_out(node, slots, lease_end(now, self.config.task_lease_ms));
        let mut work = Vec::with_capacity(handed.len());
        for (id, rebuild) in handed {
            match task_of(&state, id, rebuild, now) {
                Some(task) => work.push(task),
                None => drop(state.finish(node, id)),
            }
        }
        work
    }
}

/// The task as it travels; `None` if too many sources went away since it was planned.
fn task_of(state: &State, id: u64, rebuild: Rebuild, now: UnixMs) -> Option<Task> {
    let sources: Vec<RepairSource> =
        rebuild.sources.iter().filter_map(|source| source_of(state, source, rebuild.shard_bytes, now)).collect();
    if sources.len() < rebuild.code.k() {
        return None;
    }
    let Rebuild { segment, code, shard_bytes, position, shard, .. } = rebuild;
    Some(Task { id, work: Work::Rebuild { segment, code, shard_bytes, position, shard, sources } })
}

fn source_of(state: &State, source: &Source, shard_bytes: u32, now: UnixMs) -> Option<RepairSource> {
    let node = state.nodes.get(source.node).filter(|node| !node.liveness.is_away())?;
    let ticket = get_ticket(node, source.shard, shard_bytes, now.saturating_add(GET_TICKET_MS));
    Some(RepairSource { position: source.position, shard: source.shard, node: node.id, addr: node.addr.clone(), ticket })
}
