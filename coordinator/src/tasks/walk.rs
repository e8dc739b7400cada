//! Passes over a donor's holdings or over the whole map, a page at a time.

use nodio_host::Progress;
use nodio_meta::{CommitError, Row, StoreError};
use nodio_wire::{NodeId, SegmentId};

use super::progress;
use crate::keyspace;
use crate::limits::PAGE_ROWS;
use crate::service::Coordinator;
use crate::state::repair::{Verdict, survey};
use crate::state::walks::{Over, Walk};
use crate::tables::{Batch, MendRow, SegmentRow, decode, page, read_segment};

impl Coordinator {
    /// One page of the walk whose turn it is.
    pub(crate) async fn walk_step(&self) -> Result<Progress, StoreError> {
        let Some(walk) = self.state().walks.take() else { return Ok(Progress::Idle) };
        let over = walk.over;
        let stepped = self.walk_page(walk).await;
        if stepped.is_err() {
            self.state().walks.begin(over);
        }
        stepped?;
        Ok(progress(!self.state().walks.is_empty()))
    }

    async fn walk_page(&self, mut walk: Walk) -> Result<(), StoreError> {
        let (rows, rest) = page(&*self.store, walk.rest.clone(), PAGE_ROWS).await?;
        match walk.over {
            Over::Map => self.queue(self.mendable_of_map(&rows)?).await?,
            Over::Node(_) => {
                for row in &rows {
                    walk.pass(keyspace::parse_holding(&row.key)?.shard);
                }
            }
        }
        if let Over::Node(node) = walk.over
            && self.is_away(node)
        {
            self.queue(self.mendable_of_node(&rows).await?).await?;
        }
        let mut state = self.state();
        match (rest, walk.over) {
            (Some(rest), _) => {
                walk.rest = rest;
                state.walks.put_back(walk);
            }
            (None, Over::Node(node)) => {
                if let Some(node) = state.nodes.get_mut(node) {
                    node.reconcile.expected = Some(walk.contents);
                }
            }
            (None, Over::Map) => {}
        }
        Ok(())
    }

    fn is_away(&self, node: NodeId) -> bool {
        self.state().nodes.get(node).is_none_or(|node| node.liveness.is_away())
    }

    /// Segments among these holdings that need mending now, or would if it were possible.
    async fn mendable_of_node(&self, rows: &[Row]) -> Result<Vec<SegmentId>, StoreError> {
        let mut mendable = Vec::new();
        for row in rows {
            let id = keyspace::parse_holding(&row.key)?.segment;
            if let Some(held) = read_segment(&*self.store, &id).await?
                && self.wants_mending(&held.row)
            {
                mendable.push(id);
            }
        }
        Ok(mendable)
    }

    fn mendable_of_map(&self, rows: &[Row]) -> Result<Vec<SegmentId>, StoreError> {
        let mut mendable = Vec::new();
        for row in rows {
            if self.wants_mending(&decode(&row.value)?) {
                mendable.push(keyspace::parse_segment(&row.key)?);
            }
        }
        Ok(mendable)
    }

    fn wants_mending(&self, row: &SegmentRow) -> bool {
        let state = self.state();
        survey(row, self.margin(), |id| state.nodes.presence(id)) != Verdict::Whole
    }

    /// Puts segments on the mend queue. One that was released meanwhile is taken off again by the planner.
    async fn queue(&self, segments: Vec<SegmentId>) -> Result<(), StoreError> {
        if segments.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::default();
        let row = MendRow { since: self.now() };
        segments.iter().for_each(|id| batch.put(keyspace::mend(id), &row));
        match self.store.commit(batch.into_commit()).await {
            Ok(_) | Err(CommitError::Conflict) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}
