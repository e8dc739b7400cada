//! Segments of a part as the map has them, for an operator's eyes.

use nodio_meta::Direction;
use nodio_wire::SegmentId;
use nodio_wire::api::{HolderView, Inspect, SegmentView, ShardView};
use nodio_wire::limits::SEGMENTS_PER_CALL_MAX;

use super::{Coordinator, ServiceError};
use crate::keyspace;
use crate::state::liveness::Presence;
use crate::state::node::Node;
use crate::state::nodes::Nodes;
use crate::tables::{SegmentRow, decode};

impl Coordinator {
    /// Segments `first..first + count` of a part, in order, at most `SEGMENTS_PER_CALL_MAX`; fewer where the part ends or isn't known.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn inspect(&self, ask: Inspect) -> Result<Vec<SegmentView>, ServiceError> {
        let count = ask.count.min(SEGMENTS_PER_CALL_MAX as u32);
        if count == 0 {
            return Ok(Vec::new());
        }
        let range = keyspace::segments_between(ask.part, ask.first, ask.first.saturating_add(count - 1));
        let rows = self.store.scan(range, count as usize, Direction::Ascending).await?;
        let mut views = Vec::with_capacity(rows.len());
        for found in rows {
            let segment = keyspace::parse_segment(&found.key)?;
            let row: SegmentRow = decode(&found.value)?;
            let queued_for_repair = self.urgency(&row).is_some();
            views.push(view(&self.state().nodes, segment, &row, queued_for_repair));
        }
        Ok(views)
    }
}

fn view(nodes: &Nodes, segment: SegmentId, row: &SegmentRow, queued_for_repair: bool) -> SegmentView {
    let mut shards: Vec<ShardView> = row.shards.iter().map(|place| ShardView { id: place.id, holders: Vec::new() }).collect();
    let mut live = vec![false; shards.len()];
    for (position, _, node) in row.placed() {
        let at = usize::from(position);
        live[at] |= nodes.presence(node) == Presence::Live;
        shards[at].holders.extend(nodes.get(node).map(holder));
    }
    let live = live.into_iter().filter(|live| *live).count() as u8;
    let SegmentRow { code, shard_bytes, committed, .. } = *row;
    SegmentView { segment, code, shard_bytes, committed, live, queued_for_repair, shards }
}

fn holder(node: &Node) -> HolderView {
    HolderView { node: node.id, domain: node.domain.clone(), state: node.liveness.shown(), standing: node.standing.state }
}

#[cfg(test)]
mod tests {
    use nodio_wire::NodeId;
    use nodio_wire::api::{NodeState, StandingState};

    use super::super::World;
    use super::*;
    use crate::map::testing::{PART, segment, shard};

    #[tokio::test]
    async fn a_segment_is_shown_with_the_donors_of_each_shard() {
        let world = World::new(4).await;
        world.commit(0, 2, &[1, 2, 0, 4]).await;
        world.commit(1, 2, &[1, 2, 3, 4]).await;
        world.silence(4).await;
        let views = world.coordinator.inspect(Inspect { part: PART, first: 0, count: 9 }).await.expect("inspected");
        assert_eq!(views.iter().map(|view| view.segment).collect::<Vec<_>>(), [segment(0), segment(1)]);
        let first = &views[0];
        assert_eq!((first.live, first.queued_for_repair, first.shard_bytes), (2, true, 1000));
        assert_eq!(first.shards.iter().map(|shard| shard.id).collect::<Vec<_>>(), [0, 1, 2, 3].map(|at| shard(0, at)));
        assert!(first.shards[2].holders.is_empty());
        let holder = |node, state| HolderView {
            node: NodeId(node),
            domain: format!("node:{node}"),
            state,
            standing: StandingState::Vetting,
        };
        assert_eq!(first.shards[0].holders, [holder(1, NodeState::Up)]);
        assert_eq!(first.shards[3].holders, [holder(4, NodeState::Offline)]);
        assert_eq!((views[1].live, views[1].queued_for_repair), (3, false));
    }

    #[tokio::test]
    async fn a_page_is_bounded_and_an_unknown_part_is_empty() {
        let world = World::new(2).await;
        for index in 0..3 {
            world.commit(index, 1, &[1, 2]).await;
        }
        let inspect =
            async |part, first, count| world.coordinator.inspect(Inspect { part, first, count }).await.expect("inspected").len();
        assert_eq!(inspect(PART, 1, 1).await, 1);
        assert_eq!(inspect(PART, 1, u32::MAX).await, 2);
        assert_eq!(inspect(PART, u32::MAX, u32::MAX).await, 0);
        assert_eq!(inspect(PART, 0, 0).await, 0);
        assert_eq!(inspect(nodio_wire::PartId([9; 16]), 0, 5).await, 0);
    }
}
