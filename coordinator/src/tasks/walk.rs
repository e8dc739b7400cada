//! Passes over a donor's holdings or over the whole map, a page at a time.

use nodio_host::Progress;
use nodio_meta::{Row, StoreError};
use nodio_wire::api::StandingState;
use nodio_wire::{NodeId, SegmentId};

use super::progress;
use crate::keyspace;
use crate::limits::PAGE_ROWS;
use crate::service::Coordinator;
use crate::state::audit::{Pick, Sample, sample_size};
use crate::state::walks::{Lane, Over, Walk};
use crate::tables::{HoldingRow, SegmentRow, legible, page};

impl Coordinator {
    /// One page of the walk that mends whose turn it is.
    pub(crate) async fn walk_step(&self) -> Result<Progress, StoreError> {
        Ok(progress(self.advance(Lane::Mend).await?))
    }

    /// One page of the count whose turn it is, and one of the segments that an operator wants audited.
    pub(crate) async fn count_step(&self) -> Result<Progress, StoreError> {
        let fed = self.feed_audits().await?;
        Ok(progress(self.advance(Lane::Count).await? || fed))
    }

    async fn advance(&self, lane: Lane) -> Result<bool, StoreError> {
        let Some(walk) = self.state().walks.take(lane) else { return Ok(false) };
        let over = walk.over;
        let stepped = self.walk_page(walk).await;
        if stepped.is_err() {
            self.state().walks.begin(over, lane);
        }
        stepped?;
        Ok(!self.state().walks.is_empty(lane))
    }

    async fn walk_page(&self, mut walk: Walk) -> Result<(), StoreError> {
        let (rows, rest) = page(&*self.store, walk.rest.clone(), PAGE_ROWS).await?;
        match walk.over {
            Over::Map => self.queue(&self.mendable_of_map(&rows)).await?,
            Over::Node(id) => {
                self.pass(&mut walk, &rows)?;
                if self.is_given_up(id) {
                    self.queue(&self.mendable_of_node(&rows).await?).await?;
                }
            }
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
                    node.counted(walk.named());
                    node.book.refill(walk.sample);
                }
            }
            (None, Over::Map) => {}
        }
        Ok(())
    }

    /// Counts these holdings and lets them take part in the draw of what is asked about.
    fn pass(&self, walk: &mut Walk, rows: &[Row]) -> Result<(), StoreError> {
        if walk.is_new() {
            walk.sample = Sample::of(sample_size(self.config.audits_per_day, self.config.inventory_every_ms));
        }
        let mut rng = rand::rng();
        for row in rows {
            let key = keyspace::parse_holding(&row.key)?;
            let Some(held) = legible::<HoldingRow>(&row.key, &row.value) else { continue };
            let (shard, segment, position) = (key.shard, key.segment, held.position);
            let pick = Pick { shard, segment, position, tries: 0, run: None, accused: false };
            walk.pass(pick, held.bytes, &mut rng);
        }
        Ok(())
    }

    /// True if what the donor holds must be had from elsewhere: it is away, or on its way out.
    fn is_given_up(&self, node: NodeId) -> bool {
        let state = self.state();
        state.nodes.get(node).is_none_or(|node| {
            node.liveness.is_away() || !matches!(node.standing.state, StandingState::Vetting | StandingState::Trusted)
        })
    }

    /// Segments among these holdings about which something is to be done, and how soon.
    async fn mendable_of_node(&self, rows: &[Row]) -> Result<Vec<(SegmentId, u8)>, StoreError> {
        let mut mendable = Vec::new();
        for row in rows {
            let id = keyspace::parse_holding(&row.key)?.segment;
            if let Some(row) = self.legible_segment(&id).await? {
                mendable.extend(self.urgency(&row).map(|urgency| (id, urgency)));
            }
        }
        Ok(mendable)
    }

    fn mendable_of_map(&self, rows: &[Row]) -> Vec<(SegmentId, u8)> {
        let judge = |row: &Row| {
            let id = keyspace::parse_segment(&row.key).ok()?;
            self.urgency(&legible(&row.key, &row.value)?).map(|urgency| (id, urgency))
        };
        rows.iter().filter_map(judge).collect()
    }

    /// The segment's row, for a pass over many; see [`legible`].
    pub(super) async fn legible_segment(&self, id: &SegmentId) -> Result<Option<SegmentRow>, StoreError> {
        let key = keyspace::segment(id);
        Ok(self.store.get(&key).await?.and_then(|found| legible(&key, &found.value)))
    }
}
