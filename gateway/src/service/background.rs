//! Background work: giving parts back to the donors, finding those that a crash left without a name, ending what lifecycle rules say,
//! counting how safe the rest is.
//!
//! The first three are steps over durable rows: a crash in the middle of one is made good by the next.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nodio_host::clock::now_ms;
use nodio_host::tick::{Progress, Ticks};
use nodio_wire::{PartId, UnixMs};

use crate::config::GatewayConfig;
use crate::lifecycle::{Clock, Walk};
use crate::limits::{DURABILITY_LOOK_MS, LIFECYCLE_EVERY_MS_MAX, LIFECYCLE_STEP_ROWS, LIFECYCLE_WALKS_PER_DAY};
use crate::meter::Meter;
use crate::pipeline::Pipeline;
use crate::tables::{Pending, Tables};

/// Parts of one step.
const RELEASE_PARTS: usize = 256;
const SWEEP_PARTS: u32 = 500;

pub(super) fn spawn(ticks: &Ticks, config: &GatewayConfig, tables: &Tables, pipeline: &Pipeline) {
    let work = Work { tables: tables.clone(), pipeline: pipeline.clone() };
    let (release, after_ms) = (work.clone(), config.release_after_ms);
    ticks.spawn("release", Duration::from_millis(config.release_every_ms), move || {
        let release = release.clone();
        async move { release.release_step(now_ms(), after_ms).await }
    });
    let (age_ms, place) = (config.sweep_age_ms, Arc::new(Mutex::new(None)));
    ticks.spawn("sweep", Duration::from_millis(config.sweep_every_ms), move || {
        let (sweep, place) = (work.clone(), place.clone());
        async move {
            let after = *place.lock().unwrap_or_else(PoisonError::into_inner);
            let next = sweep.sweep_step(after, now_ms(), age_ms).await?;
            *place.lock().unwrap_or_else(PoisonError::into_inner) = next;
            Ok(if next.is_some() { Progress::More } else { Progress::Idle })
        }
    });
}

/// Walks all buckets that have lifecycle rules, and again after a while. An error ends the walk where it is: the next step goes on there.
pub(super) fn spawn_lifecycle(ticks: &Ticks, config: &GatewayConfig, tables: &Tables) {
    let clock = Clock::with_days_of(config.lifecycle_day_seconds);
    let every_ms = config.lifecycle_day_seconds.saturating_mul(1000) / LIFECYCLE_WALKS_PER_DAY;
    let every = Duration::from_millis(every_ms.min(LIFECYCLE_EVERY_MS_MAX));
    let (tables, walk) = (tables.clone(), Arc::new(tokio::sync::Mutex::new(Walk::of_pages(LIFECYCLE_STEP_ROWS))));
    ticks.spawn("lifecycle", every, move || {
        let (tables, walk) = (tables.clone(), walk.clone());
        async move {
            let more = walk.lock().await.advance(&tables, clock, now_ms()).await.map_err(|error| error.to_string())?;
            Ok(if more { Progress::More } else { Progress::Idle })
        }
    });
}

/// The count looks often whether it is due, so that whoever asks first doesn't wait long.
pub(super) fn spawn_meter(ticks: &Ticks, meter: &Meter) {
    let meter = meter.clone();
    ticks.spawn("durability", Duration::from_millis(DURABILITY_LOOK_MS), move || {
        let meter = meter.clone();
        async move { meter.step(now_ms()).await }
    });
}

#[derive(Clone)]
struct Work {
    tables: Tables,
    pipeline: Pipeline,
}

impl Work {
    /// Releases some of the parts whose last reference went `after_ms` ago.
    async fn release_step(&self, now: UnixMs, after_ms: u64) -> Result<Progress, String> {
        let before = now.saturating_sub(after_ms);
        let pending: Vec<Pending> = self.tables.release_step(before, RELEASE_PARTS).await.map_err(|error| error.to_string())?;
        if pending.is_empty() {
            return Ok(Progress::Idle);
        }
        let parts = pending.iter().map(|pending| pending.part).collect();
        self.pipeline.release(parts).await.map_err(|error| error.to_string())?;
        self.tables.released(&pending).await.map_err(|error| error.to_string())?;
        Ok(if pending.len() == RELEASE_PARTS { Progress::More } else { Progress::Idle })
    }

    /// Looks at some of the parts the donors hold and lets go of those that are old and have no name. `None` at the end of the walk.
    async fn sweep_step(&self, after: Option<PartId>, now: UnixMs, age_ms: u64) -> Result<Option<PartId>, String> {
        let known = self.pipeline.parts(after, SWEEP_PARTS).await.map_err(|error| error.to_string())?;
        let old = known.iter().filter(|known| known.committed.saturating_add(age_ms) <= now).map(|known| known.part);
        let old: Vec<PartId> = old.collect();
        let unnamed = self.tables.unreferenced(&old).await.map_err(|error| error.to_string())?;
        if !unnamed.is_empty() {
            tracing::info!(parts = unnamed.len(), "the sweep found parts without a name");
            self.tables.abandon(&unnamed, now).await.map_err(|error| error.to_string())?;
        }
        Ok(known.last().map(|last| last.part))
    }
}
