//! Where segments are, asked for in groups and kept for a short while with their read tickets.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use nodio_wire::fleet::{Fleet, FleetError, Located};
use nodio_wire::{PartId, SegmentId};

use crate::limits::{LOCATE_CACHE_S, LOCATE_CACHE_SEGMENTS, LOCATE_SEGMENTS};

pub(super) struct Locator {
    fleet: Arc<dyn Fleet>,
    /// Groups of `LOCATE_SEGMENTS` by part and group number, weighed by their segments.
    groups: Cache<(PartId, u32), Arc<Vec<Arc<Located>>>>,
}

impl Locator {
    pub(super) fn new(fleet: Arc<dyn Fleet>) -> Self {
        let groups = Cache::builder()
            .weigher(|_, group: &Arc<Vec<Arc<Located>>>| 1 + group.len() as u32)
            .max_capacity(LOCATE_CACHE_SEGMENTS)
            .time_to_live(Duration::from_secs(LOCATE_CACHE_S))
            .build();
        Self { fleet, groups }
    }

    /// The segment's place; `None` when the map doesn't know it.
    pub(super) async fn locate(&self, segment: SegmentId) -> Result<Option<Arc<Located>>, FleetError> {
        let number = segment.index / LOCATE_SEGMENTS;
        let group = match self.groups.get(&(segment.part, number)) {
            Some(group) => group,
            None => self.ask(segment.part, number).await?,
        };
        Ok(group.iter().find(|located| located.segment == segment).cloned())
    }

    async fn ask(&self, part: PartId, number: u32) -> Result<Arc<Vec<Arc<Located>>>, FleetError> {
        let located = self.fleet.locate(part, number * LOCATE_SEGMENTS, LOCATE_SEGMENTS).await?;
        let group = Arc::new(located.into_iter().map(Arc::new).collect::<Vec<_>>());
        self.groups.insert((part, number), group.clone());
        Ok(group)
    }

    /// Asks anew next time: what was known turned out wrong.
    pub(super) fn forget(&self, segment: SegmentId) {
        self.groups.invalidate(&(segment.part, segment.index / LOCATE_SEGMENTS));
    }
}
