//! Background work: thin steps between the rows and the decisions in [`crate::state`]. One bounded step at a time, each resumable.
//!
//! ```text
//!   liveness  every half beat   silence -> Suspect, Offline, Lost; begins walks; writes since when a donor is away
//!   walk      a page a step     a donor that went away or must be emptied: its segments that need mending -> r/
//!   count     a page a step     a donor that is there: its contents counted;  the whole map, now and then: what was missed -> r/
//!   plan      a window a step   r/ rows, most urgent first -> rebuilds in donors' outboxes; holders too many trimmed
//!   move      a page a step     donors that leave or shrink: their shards -> pushes in their outboxes; donors that returned: trimmed
//!   release   a batch a step    q/ -> s/, n/, r/ gone, x/ written
//!   expiry    every half beat   reservations and leases that are over
//!   meter     a page a step     every segment counted and assessed, for the status of a large network
//! ```

mod expiry;
mod liveness;
mod mend;
mod moves;
mod plan;
mod release;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use nodio_host::{Progress, Ticks};
use nodio_meta::StoreError;

use crate::limits::METER_EVERY_MS;
use crate::service::Coordinator;

/// Starts all background work.
pub(crate) fn spawn(coordinator: &Arc<Coordinator>, ticks: &Ticks) {
    let half_beat = Duration::from_millis((coordinator.config.heartbeat_ms / 2).max(1));
    let plan_every = Duration::from_millis(coordinator.config.plan_every_ms);
    let this = coordinator.clone();
    ticks.spawn("liveness", half_beat, move || outcome(this.clone(), |c| async move { c.liveness_step().await }));
    let this = coordinator.clone();
    ticks.spawn("expiry", half_beat, move || outcome(this.clone(), |c| async move { Ok(c.expiry_step()) }));
    let this = coordinator.clone();
    ticks.spawn("walk", plan_every, move || outcome(this.clone(), |c| async move { c.walk_step().await }));
    let this = coordinator.clone();
    ticks.spawn("count", plan_every, move || outcome(this.clone(), |c| async move { c.count_step().await }));
    let this = coordinator.clone();
    ticks.spawn("plan", plan_every, move || outcome(this.clone(), |c| async move { c.plan_step().await }));
    let this = coordinator.clone();
    ticks.spawn("move", plan_every, move || outcome(this.clone(), |c| async move { c.move_step().await }));
    let this = coordinator.clone();
    ticks.spawn("release", plan_every, move || outcome(this.clone(), |c| async move { c.release_step().await }));
    let this = coordinator.clone();
    ticks.spawn("meter", Duration::from_millis(METER_EVERY_MS), move || {
        outcome(this.clone(), |c| async move { c.meter_step().await })
    });
    coordinator.show_ticks(ticks.clone());
}

async fn outcome<F, W>(coordinator: Arc<Coordinator>, step: F) -> Result<Progress, String>
where
    F: FnOnce(Arc<Coordinator>) -> W,
    W: Future<Output = Result<Progress, StoreError>>,
{
    step(coordinator).await.map_err(|error| error.to_string())
}

fn progress(more: bool) -> Progress {
    if more { Progress::More } else { Progress::Idle }
}
