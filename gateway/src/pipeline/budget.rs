//! One bound on the bytes that all requests together hold in buffers.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::BUDGET_WAIT_MS_MAX;

/// Permits are counted in KiB, so that the semaphore's 32-bit counts are enough.
const UNIT: usize = 1024;

pub(super) struct Budget {
    units: Arc<Semaphore>,
    all: usize,
}

/// Bytes held; given back when dropped.
pub(super) type Held = OwnedSemaphorePermit;

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let all = (bytes / UNIT).max(1);
        Self { units: Arc::new(Semaphore::new(all)), all }
    }

    /// No single request may ask for more than there is; it then waits for all of it.
    fn units(&self, bytes: usize) -> u32 {
        bytes.div_ceil(UNIT).clamp(1, self.all) as u32
    }

    /// Waits its turn; `None` when that takes too long.
    pub(super) async fn acquire(&self, bytes: usize) -> Option<Held> {
        let wait = self.units.clone().acquire_many_owned(self.units(bytes));
        tokio::time::timeout(Duration::from_millis(BUDGET_WAIT_MS_MAX), wait).await.ok()?.ok()
    }

    /// Only what is free now: for work that can wait.
    pub(super) fn try_acquire(&self, bytes: usize) -> Option<Held> {
        self.units.clone().try_acquire_many_owned(self.units(bytes)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn held_bytes_are_bounded_and_come_back() {
        let budget = Budget::new(10 * UNIT);
        let held = budget.acquire(8 * UNIT).await.expect("free");
        assert!(budget.try_acquire(3 * UNIT).is_none());
        assert!(budget.acquire(3 * UNIT).await.is_none(), "waits, then gives up");
        drop(held);
        assert!(budget.acquire(1000 * UNIT).await.is_some(), "more than all is all");
    }
}
