//! How safe each bucket's data is, and how much it is: sums of what the coordinator says of its parts, counted now and then.
//!
//! ```text
//!   tick "durability": bucket ─► a page of versions ─► their parts ─► Fleet::durability ─► sums ─┐ bucket by bucket
//!                                                                                                ▼
//!   nodio status ─► admin socket ─► figures, each with its time ◄─ metrics listener ◄─ GET /metrics
//! ```
//! Promises: one step reads one page and asks for at most that page's parts, and a step that failed is done again from where it was. A
//! part that several objects of a bucket name counts once there, and in each bucket that names it. Figures belong to a bucket's id: one
//! that is deleted, or made anew under its name, shows none. Nothing is kept but sums; a restart counts anew.

mod metrics;
mod walk;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nodio_host::tick::Progress;
use nodio_wire::UnixMs;
use nodio_wire::fleet::Durability;

use crate::limits::{DURABILITY_RETRY_MS, PAGE_BUCKETS_MAX};
use crate::names::{BucketId, BucketName};
use crate::pipeline::Pipeline;
use crate::rows::Quota;
use crate::tables::{TableError, Tables, Usage};
pub(crate) use metrics::serve_metrics;
use walk::Walk;
pub(crate) use walk::is_inline;

/// What was counted of one bucket.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Figures {
    /// When the count ended; 0 while it has not.
    pub(crate) measured: UnixMs,
    /// Versions with bytes, those sealed into the metadata among them.
    pub(crate) objects: u64,
    /// Those that have no segments, their bytes lying in the metadata.
    pub(crate) inline_objects: u64,
    pub(crate) durability: Durability,
}

/// One bucket that is there, and its figures if it was counted yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    pub(crate) bucket: BucketName,
    /// At this moment.
    pub(crate) usage: Usage,
    pub(crate) quota: Option<Quota>,
    pub(crate) figures: Option<Figures>,
}

/// Counts and remembers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Meter {
    tables: Tables,
    pipeline: Pipeline,
    /// Between two walks over all buckets, milliseconds.
    every_ms: u64,
    state: Arc<Mutex<State>>,
    walk: Arc<tokio::sync::Mutex<Option<Walk>>>,
}

#[derive(Default)]
struct State {
    figures: HashMap<BucketId, Figures>,
    /// When the next step is due; `None` before the first.
    due: Option<UnixMs>,
    /// Somebody wants figures and there were none yet.
    asked: bool,
    walking: bool,
    /// A walk has ended.
    walked: bool,
}

impl Meter {
    pub(crate) fn new(tables: Tables, pipeline: Pipeline, every_ms: u64) -> Self {
        Self { tables, pipeline, every_ms, state: Arc::default(), walk: Arc::default() }
    }

    /// Somebody wants figures. True once there are some of every bucket; the first who asks sets the count going.
    pub(crate) fn ask(&self) -> bool {
        let mut state = self.state();
        state.asked |= !state.walked;
        state.walked
    }

    /// Buckets by name after `after`, as many as a page takes, and whether there may be more.
    pub(crate) async fn page(&self, after: Option<&BucketName>) -> Result<(Vec<Measured>, bool), TableError> {
        let buckets = self.tables.all_buckets(after, PAGE_BUCKETS_MAX).await?;
        let more = buckets.len() == PAGE_BUCKETS_MAX;
        let mut page = Vec::with_capacity(buckets.len());
        for bucket in buckets {
            page.push(Measured {
                usage: self.tables.bucket_usage(bucket.id).await?,
                quota: bucket.setting()?,
                figures: self.state().figures.get(&bucket.id).cloned(),
                bucket: bucket.name,
            });
        }
        Ok((page, more))
    }

    /// One step of the count, if one is due.
    ///
    /// # Errors
    /// One line; then the step is done again after a while.
    pub(crate) async fn step(&self, now: UnixMs) -> Result<Progress, String> {
        if !self.is_due(now) {
            return Ok(Progress::Idle);
        }
        let mut slot = self.walk.lock().await;
        let walk = slot.get_or_insert_default();
        let ended = match walk.advance(&self.tables, &self.pipeline, now).await {
            Err(error) => {
                self.state().due = Some(now.saturating_add(DURABILITY_RETRY_MS));
                return Err(error);
            }
            Ok(None) => true,
            Ok(Some(walk::Counted::Some)) => false,
            Ok(Some(walk::Counted::Bucket(id, figures))) => {
                self.state().figures.insert(id, figures);
                false
            }
        };
        if ended && let Some(walk) = slot.take() {
            self.end(&walk, now);
        }
        Ok(if ended { Progress::Idle } else { Progress::More })
    }

    fn is_due(&self, now: UnixMs) -> bool {
        let mut state = self.state();
        let due = *state.due.get_or_insert(now.saturating_add(self.every_ms));
        let first = state.asked && !state.walked && !state.walking;
        let is_due = first || now >= due;
        if is_due {
            state.walking = true;
            state.due = Some(due.min(now));
        }
        is_due
    }

    fn end(&self, walk: &Walk, now: UnixMs) {
        let mut state = self.state();
        state.figures.retain(|id, _| walk.met(id));
        state.due = Some(now.saturating_add(self.every_ms));
        (state.walking, state.walked, state.asked) = (false, true, false);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
