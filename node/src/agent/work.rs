//! Work from the coordinator: done at most a few at a time, each piece once, reported when done. Doing a piece twice does no
//! harm.

use std::collections::HashSet;
use std::sync::Arc;

use nodio_host::now_ms;
use nodio_wire::api::{Outcome, RepairSource, Task, TaskReport, Work};
use nodio_wire::donor::Transport;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::rebuild::{Wanted, rebuild};
use crate::limits::{REPAIR_BYTES, TASKS_PER_SLOT};
use crate::store::{Store, StoreError};

/// What a piece of work needs; cheap to clone.
#[derive(Clone)]
pub(crate) struct Hands {
    store: Store,
    transport: Arc<dyn Transport>,
    slots: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

/// The work in hand. Dropping it drops what runs.
pub(crate) struct Worker {
    hands: Hands,
    tasks_max: usize,
    accepted: HashSet<u64>,
    running: JoinSet<TaskReport>,
    done: Vec<TaskReport>,
}

impl Worker {
    pub(crate) fn new(store: Store, transport: Arc<dyn Transport>, repair_slots: u32) -> Self {
        let slots = Arc::new(Semaphore::new(repair_slots as usize));
        let hands = Hands { store, transport, slots, bytes: Arc::new(Semaphore::new(REPAIR_BYTES)) };
        let tasks_max = (repair_slots * TASKS_PER_SLOT) as usize;
        Self { hands, tasks_max, accepted: HashSet::new(), running: JoinSet::new(), done: Vec::new() }
    }

    /// Tasks that could be taken on once those done are reported.
    pub(crate) fn free(&self) -> usize {
        self.tasks_max.saturating_sub(self.running.len())
    }

    /// Takes on the tasks that are not in hand already, as many as there is room for; the rest is handed out again.
    pub(crate) fn accept(&mut self, tasks: Vec<Task>) {
        for task in tasks {
            if self.accepted.len() < self.tasks_max && self.accepted.insert(task.id) {
                let hands = self.hands.clone();
                self.running.spawn(async move { TaskReport { id: task.id, outcome: hands.work(task.work).await } });
            }
        }
    }

    /// Waits for a task to end; never returns while none runs.
    pub(crate) async fn finished(&mut self) {
        match self.running.join_next().await {
            Some(Ok(report)) => self.done.push(report),
            Some(Err(error)) => {
                // Which task it was isn't known: forget all that neither run nor are done, so that they can be handed out again.
                tracing::error!("a task from the coordinator panicked: {error}");
                if self.running.is_empty() {
                    self.accepted = self.done.iter().map(|report| report.id).collect();
                }
            }
            None => std::future::pending().await,
        }
    }

    /// Reports not yet told.
    pub(crate) fn done(&self) -> &[TaskReport] {
        &self.done
    }

    /// Forgets the first `count` reports, which the coordinator has heard.
    pub(crate) fn told(&mut self, count: usize) {
        for report in self.done.drain(..count) {
            self.accepted.remove(&report.id);
        }
    }
}

impl Hands {
    async fn work(&self, work: Work) -> Outcome {
        match work {
            Work::Delete { shards } => outcome(self.store.delete(&shards).await.map(drop)),
            Work::Rebuild { code, shard_bytes, position, shard, sources, .. } => {
                self.rebuild(Wanted { code, shard_bytes, position, shard }, sources).await
            }
        }
    }

    async fn rebuild(&self, wanted: Wanted, sources: Vec<RepairSource>) -> Outcome {
        if self.store.len_of(&wanted.shard).is_some() {
            return Outcome::Done;
        }
        if !self.store.may_fit(wanted.shard_bytes) {
            return outcome(Err(StoreError::Full));
        }
        // Neither semaphore is ever closed.
        let (Ok(_slot), Ok(_bytes)) = (self.slots.acquire().await, self.bytes.acquire_many(weight(&wanted)).await) else {
            return outcome(Err(StoreError::Closed));
        };
        let shard = wanted.shard;
        match rebuild(&*self.transport, wanted, sources).await {
            Ok(bytes) => outcome(self.store.put(shard, bytes, now_ms()).await.map(drop)),
            Err(failure) => failure.into(),
        }
    }
}

/// Bytes that a rebuild holds at its peak (sources, and the decoder's copy of the segment), or all there are.
fn weight(wanted: &Wanted) -> u32 {
    let shards = (wanted.code.k() + wanted.code.n() + 1) as u64;
    u32::try_from((shards * u64::from(wanted.shard_bytes)).min(REPAIR_BYTES as u64)).unwrap_or(u32::MAX)
}

fn outcome(result: Result<(), StoreError>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Failed { reason: error.to_string(), bad: Vec::new() },
    }
}
