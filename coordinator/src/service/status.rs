//! The whole network on one page, counted from the rows.

use std::collections::HashMap;

use nodio_meta::{KeyRange, Row, StoreError};
use nodio_wire::NodeId;
use nodio_wire::api::{NodeStatus, RepairStatus, SegmentHealth, Status, TickStatus};

use super::{Coordinator, lock};
use crate::keyspace;
use crate::limits::PAGE_ROWS;
use crate::state::nodes::Node;
use crate::state::repair::count_health;
use crate::tables::{SegmentRow, decode, page};

impl Coordinator {
    /// Donors, segments by health, repair. Walks every segment row, a page at a time.
    pub async fn status(&self) -> Result<Status, StoreError> {
        let mut count = Count::default();
        self.each_page(keyspace::segments(), |rows| self.count_segments(&mut count, rows)).await?;
        let queued = self.count_rows(keyspace::mends()).await?;
        let deletes = self.count_rows(keyspace::dooms()).await?;
        let ticks = lock(&self.ticks).as_ref().map(nodio_host::Ticks::status).unwrap_or_default();
        let now = self.now();
        let state = self.state();
        let shown = |node: &Node| node_status(node, count.shards.get(&node.id).copied().unwrap_or(0), now);
        Ok(Status {
            now,
            nodes: state.nodes.all().map(shown).collect(),
            segments: count.health,
            repair: RepairStatus { queued, running: state.tasks.rebuilding() as u64, rebuilt: state.tasks.rebuilt, deletes },
            ticks: ticks.into_iter().map(tick_status).collect(),
        })
    }

    async fn each_page(&self, whole: KeyRange, mut take: impl FnMut(&[Row]) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut rest = Some(whole);
        while let Some(range) = rest {
            let (rows, left) = page(&*self.store, range, PAGE_ROWS).await?;
            take(&rows)?;
            rest = left;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn count_segments(&self, count: &mut Count, rows: &[Row]) -> Result<(), StoreError> {
        let state = self.state();
        for row in rows {
            let row: SegmentRow = decode(&row.value)?;
            count_health(&mut count.health, row.code, &row, self.margin(), |id| state.nodes.presence(id));
            for (_, _, node) in row.placed() {
                *count.shards.entry(node).or_default() += 1;
            }
        }
        Ok(())
    }

    async fn count_rows(&self, range: KeyRange) -> Result<u64, StoreError> {
        let mut total = 0;
        self.each_page(range, |rows| {
            total += rows.len() as u64;
            Ok(())
        })
        .await?;
        Ok(total)
    }
}

#[derive(Debug, Default)]
struct Count {
    health: SegmentHealth,
    shards: HashMap<NodeId, u64>,
}

fn node_status(node: &Node, shards: u64, now: u64) -> NodeStatus {
    NodeStatus {
        node: node.id,
        addr: node.addr.clone(),
        domain: node.domain.clone(),
        state: node.liveness.shown(),
        last_seen_ms: now.saturating_sub(node.last_seen),
        capacity_bytes: node.space.capacity,
        used_bytes: node.space.used,
        free_bytes: node.space.free,
        shards,
        faults: node.faults,
        version: node.version.clone(),
    }
}

fn tick_status(tick: nodio_host::TickStatus) -> TickStatus {
    TickStatus { name: tick.name.to_owned(), last_run: tick.last_run_ms, runs: tick.runs, last_error: tick.last_error }
}
