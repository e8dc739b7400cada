//! How fast other donors were lately: those that answer fast are asked first, those never asked are given the benefit.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nodio_wire::NodeId;
use tokio::time::Instant;

use crate::limits::{PACE_KEPT_MS, PACES_MAX};

/// Weight of the newest time in the mean.
const NEWEST: f64 = 0.3;
/// Donors within a factor of two, above this, are equally fast: the order among them is the asker's.
const GRAIN_MS: f64 = 50.0;

/// Forgets by itself, so that a donor slow for an hour isn't shunned for ever.
#[derive(Default)]
pub(crate) struct Paces {
    by_node: Mutex<HashMap<NodeId, (f64, Instant)>>,
}

impl Paces {
    fn all(&self) -> MutexGuard<'_, HashMap<NodeId, (f64, Instant)>> {
        self.by_node.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request to `node` took, or was given up after, this long.
    pub(crate) fn took(&self, node: NodeId, time: Duration) {
        let (now, ms) = (Instant::now(), time.as_secs_f64() * 1000.0);
        let mut all = self.all();
        if all.len() >= PACES_MAX && !all.contains_key(&node) {
            all.clear();
        }
        let mean = all.get(&node).filter(|(_, at)| is_fresh(*at, now)).map_or(ms, |(mean, _)| mean + NEWEST * (ms - mean));
        all.insert(node, (mean, now));
    }

    /// How slow `node` is, in doublings; 0 is fast or not known.
    pub(crate) fn class(&self, node: NodeId) -> u32 {
        let now = Instant::now();
        let mean = self.all().get(&node).filter(|(_, at)| is_fresh(*at, now)).map_or(0.0, |(mean, _)| *mean);
        ((mean / GRAIN_MS) as u64).checked_ilog2().map_or(0, |doublings| doublings + 1)
    }
}

fn is_fresh(at: Instant, now: Instant) -> bool {
    now.duration_since(at) < Duration::from_millis(PACE_KEPT_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_donors_come_last_until_that_is_forgotten() {
        let paces = Paces::default();
        let (fast, slow, unknown) = (NodeId(1), NodeId(2), NodeId(3));
        paces.took(fast, Duration::from_millis(20));
        paces.took(slow, Duration::from_secs(5));
        assert_eq!((paces.class(fast), paces.class(unknown)), (0, 0));
        assert_eq!(paces.class(slow), 7);
        paces.took(slow, Duration::from_millis(20));
        assert_eq!(paces.class(slow), 7, "one good answer makes no fast donor");
        tokio::time::advance(Duration::from_millis(PACE_KEPT_MS)).await;
        assert_eq!(paces.class(slow), 0);
    }

    #[test]
    fn memory_is_bounded() {
        let paces = Paces::default();
        (0..10_000).for_each(|node| paces.took(NodeId(node), Duration::from_secs(1)));
        assert!(paces.all().len() <= PACES_MAX);
    }
}
