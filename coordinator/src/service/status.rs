//! The whole network on one page.

use nodio_meta::StoreError;
use nodio_wire::UnixMs;
use nodio_wire::api::{NodeStatus, RepairStatus, Standing, Status, TickStatus};

use super::meter::Count;
use super::{Coordinator, lock};
use crate::state::State;
use crate::state::durability::Held;
use crate::state::node::Node;

impl Coordinator {
    /// Donors, segments by health, repair, durability. Counted now while the map is small; `as_of` says when it was.
    pub async fn status(&self) -> Result<Status, StoreError> {
        let count = self.count().await?;
        let ticks = lock(&self.ticks).as_ref().map(nodio_host::Ticks::status).unwrap_or_default();
        let now = self.now();
        let state = self.state();
        let shown = |node: &Node| node_status(node, count.tally.held.get(&node.id).copied().unwrap_or_default(), now);
        Ok(Status {
            now,
            as_of: count.as_of,
            nodes: state.nodes.all().map(shown).collect(),
            segments: count.tally.health,
            repair: repair_status(&state, &count),
            ticks: ticks.into_iter().map(tick_status).collect(),
            durability: count.tally.durability.clone(),
        })
    }
}

fn repair_status(state: &State, count: &Count) -> RepairStatus {
    RepairStatus {
        queued: count.mends,
        running: state.tasks.rebuilding() as u64,
        rebuilt: state.tasks.rebuilt,
        rebuilt_bytes: state.tasks.rebuilt_bytes,
        moved: state.tasks.moved,
        deletes: count.dooms,
    }
}

fn node_status(node: &Node, held: Held, now: UnixMs) -> NodeStatus {
    NodeStatus {
        node: node.id,
        addr: node.addr.clone(),
        domain: node.domain.clone(),
        state: node.liveness.shown(),
        last_seen_ms: now.saturating_sub(node.last_seen),
        capacity_bytes: node.space.capacity,
        used_bytes: node.space.used,
        free_bytes: node.space.free,
        shards: held.shards,
        shard_bytes: held.bytes,
        held_bytes: node.reported.held_bytes,
        trash: node.reported.trash,
        scrub: node.reported.scrub,
        standing: Standing { trust: node.record.trust(), ..node.standing.clone() },
        audits: node.audits,
        availability: node.record.availability(),
        faults: node.faults,
        version: node.version.clone(),
    }
}

fn tick_status(tick: nodio_host::TickStatus) -> TickStatus {
    TickStatus { name: tick.name.to_owned(), last_run: tick.last_run_ms, runs: tick.runs, last_error: tick.last_error }
}
