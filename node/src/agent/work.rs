//! Work from the coordinator: done at most a few at a time, each piece once, reported when done. Doing a piece twice does no
//! harm.

use std::collections::HashSet;

use nodio_wire::api::{Task, TaskReport};
use tokio::task::JoinSet;

use super::hands::Hands;
use crate::limits::TASKS_PER_SLOT;

/// The work in hand. Dropping it drops what runs.
pub(crate) struct Worker {
    hands: Hands,
    tasks_max: usize,
    accepted: HashSet<u64>,
    running: JoinSet<TaskReport>,
    done: Vec<TaskReport>,
}

impl Worker {
    pub(crate) fn new(hands: Hands, repair_slots: u32) -> Self {
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
