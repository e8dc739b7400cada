//! Counting segments: afresh while the map is small, in the background when it is large, and part by part for gateways.
//!
//! ```text
//!   meter tick ─► a page a step ─► Tally under way ─(last page)─► last count, with its time ─┐
//!   status ─► at most FRESH_SEGMENTS_MAX rows? counted now ─────── else ────────────────────┴─► what is shown
//! ```
//! A count sees the donors as they were when it began. You may lose, at a restart, the last count: the next one begins at once.

use std::sync::Arc;

use nodio_host::Progress;
use nodio_meta::{KeyRange, Row, StoreError};
use nodio_wire::fleet::Durability;
use nodio_wire::{PartId, UnixMs};

use super::{Coordinator, lock};
use crate::keyspace;
use crate::limits::{FRESH_QUEUE_ROWS_MAX, FRESH_SEGMENTS_MAX, METER_COUNT_EVERY_MS, PAGE_ROWS};
use crate::state::State;
use crate::state::durability::{Outlook, Pace, Sample, Tally};
use crate::state::liveness::{Presence, Timing};
use crate::tables::{SegmentRow, legible, page};

#[cfg(test)]
pub(crate) mod tests;

/// What the meter remembers between its steps.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pace: Pace,
    under_way: Option<Counting>,
    last: Option<Arc<Count>>,
}

/// Everything counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Count {
    pub tally: Tally,
    /// Rows of the mend queue and of the deletions.
    pub mends: u64,
    pub dooms: u64,
    /// 0: not counted yet.
    pub as_of: UnixMs,
}

#[derive(Debug)]
struct Counting {
    outlook: Outlook,
    count: Count,
    stage: Stage,
    rest: KeyRange,
}

/// What is counted, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Segments,
    Mends,
    Dooms,
}

impl Stage {
    fn range(self) -> KeyRange {
        match self {
            Self::Segments => keyspace::segments(),
            Self::Mends => keyspace::mends(),
            Self::Dooms => keyspace::dooms(),
        }
    }

    fn next(self) -> Option<Self> {
        match self {
            Self::Segments => Some(Self::Mends),
            Self::Mends => Some(Self::Dooms),
            Self::Dooms => None,
        }
    }
}

impl Counting {
    fn new(outlook: Outlook) -> Self {
        Self { outlook, count: Count::default(), stage: Stage::Segments, rest: Stage::Segments.range() }
    }

    fn take(&mut self, rows: &[Row], margin: usize) {
        let number = rows.len() as u64;
        match self.stage {
            Stage::Segments => {
                for row in rows {
                    if let Some(segment) = legible::<SegmentRow>(&row.key, &row.value) {
                        self.count.tally.take(&segment, &self.outlook, margin);
                    }
                }
            }
            Stage::Mends => self.count.mends += number,
            Stage::Dooms => self.count.dooms += number,
        }
    }

    /// Too much to be counted while somebody waits.
    fn is_large(&self) -> bool {
        self.count.tally.durability.segments > FRESH_SEGMENTS_MAX as u64
            || self.count.mends.max(self.count.dooms) > FRESH_QUEUE_ROWS_MAX as u64
    }
}

impl Coordinator {
    /// One page of the background count. Begins a new one when the last is old.
    pub(crate) async fn meter_step(&self) -> Result<Progress, StoreError> {
        let now = self.now();
        let sample = sample(&self.state(), now);
        let under_way = {
            let mut meter = lock(&self.meter);
            meter.pace.look(sample);
            let due = meter.last.as_ref().is_none_or(|last| now >= last.as_of.saturating_add(METER_COUNT_EVERY_MS));
            match meter.under_way.take() {
                None if !due => return Ok(Progress::Idle),
                under_way => under_way,
            }
        };
        let mut counting = under_way.unwrap_or_else(|| Counting::new(self.outlook()));
        let more = self.meter_page(&mut counting).await?;
        let mut meter = lock(&self.meter);
        if more {
            meter.under_way = Some(counting);
            return Ok(Progress::More);
        }
        meter.last = Some(Arc::new(Count { as_of: self.now(), ..counting.count }));
        Ok(Progress::Idle)
    }

    /// Counted just now while the map is small; else the last count of the background, which may be none yet.
    pub(super) async fn count(&self) -> Result<Arc<Count>, StoreError> {
        let last = lock(&self.meter).last.clone();
        if last.as_ref().is_some_and(|last| last.tally.durability.segments > FRESH_SEGMENTS_MAX as u64) {
            return Ok(last.unwrap_or_default());
        }
        let mut counting = Counting::new(self.outlook());
        while self.meter_page(&mut counting).await? {
            if counting.is_large() {
                return Ok(last.unwrap_or_default());
            }
            tokio::task::yield_now().await;
        }
        Ok(Arc::new(Count { as_of: self.now(), ..counting.count }))
    }

    /// How safe the segments of some parts are.
    pub(super) async fn durability_of(&self, parts: &[PartId]) -> Result<Durability, StoreError> {
        let mut counting = Counting::new(self.outlook());
        for part in parts {
            let mut rest = Some(keyspace::segments_of(*part));
            while let Some(range) = rest {
                let (rows, left) = page(&*self.store, range, PAGE_ROWS).await?;
                counting.take(&rows, self.margin());
                rest = left;
                tokio::task::yield_now().await;
            }
        }
        Ok(counting.count.tally.durability)
    }

    /// Counts one page more; false when it was the last.
    async fn meter_page(&self, counting: &mut Counting) -> Result<bool, StoreError> {
        let (rows, rest) = page(&*self.store, counting.rest.clone(), PAGE_ROWS).await?;
        counting.take(&rows, self.margin());
        counting.rest = match (rest, counting.stage.next()) {
            (Some(rest), _) => rest,
            (None, Some(stage)) => {
                counting.stage = stage;
                stage.range()
            }
            (None, None) => return Ok(false),
        };
        Ok(true)
    }

    fn outlook(&self) -> Outlook {
        let pace = lock(&self.meter).pace.clone();
        let timing = Timing { heartbeat_ms: self.config.heartbeat_ms, repair_after_ms: self.config.repair_after_ms };
        Outlook::of(&self.state().nodes, &timing, &pace, self.now())
    }
}

fn sample(state: &State, now: UnixMs) -> Sample {
    let donors = state.nodes.all().filter(|node| node.presence() == Presence::Live).count();
    Sample { now, rebuilt_bytes: state.tasks.rebuilt_bytes, running: state.tasks.rebuilding(), donors }
}
