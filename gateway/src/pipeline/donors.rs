//! What this gateway has seen of each donor: how long reads take there, and whether it failed a moment ago.
//! Only a hint for ordering and hedging; losing it costs a few slow requests.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nodio_wire::NodeId;

use crate::limits::{HEDGE_MS_MAX, HEDGE_MS_MIN, SUSPECT_MS};

/// Weight of a new sample.
const GAIN: f64 = 0.1;
/// Mean and deviations of an exponential-ish tail that about one read in twenty exceeds.
const DEVIATIONS: f64 = 3.0;

#[derive(Default)]
pub(super) struct Donors {
    seen: Mutex<HashMap<NodeId, Record>>,
}

#[derive(Default, Clone, Copy)]
struct Record {
    /// Exponentially weighted mean and mean deviation of read times, milliseconds.
    latency: Option<(f64, f64)>,
    failed: Option<Instant>,
}

impl Record {
    fn suspect(&self, now: Instant) -> bool {
        self.failed.is_some_and(|at| now.duration_since(at) < Duration::from_millis(SUSPECT_MS))
    }

    fn add(&mut self, ms: f64) {
        let (mean, deviation) = self.latency.unwrap_or((ms, ms / 2.0));
        let off = ms - mean;
        self.latency = Some((mean + GAIN * off, deviation + GAIN * (off.abs() - deviation)));
        self.failed = None;
    }
}

impl Donors {
    fn seen(&self) -> MutexGuard<'_, HashMap<NodeId, Record>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A read from the donor took this long.
    pub(super) fn answered(&self, node: NodeId, took: Duration) {
        self.seen().entry(node).or_default().add(took.as_secs_f64() * 1e3);
    }

    /// The donor did not answer.
    pub(super) fn failed(&self, node: NodeId) {
        self.seen().entry(node).or_default().failed = Some(Instant::now());
    }

    /// True for a while after a failure: worth trying last.
    pub(super) fn suspect(&self, node: NodeId) -> bool {
        let now = Instant::now();
        self.seen().get(&node).is_some_and(|record| record.suspect(now))
    }

    /// For sorting, best first: suspects last, then by mean latency; one never seen goes first, to be seen.
    pub(super) fn rank(&self, node: NodeId) -> (bool, u64) {
        let now = Instant::now();
        let record = self.seen().get(&node).copied().unwrap_or_default();
        (record.suspect(now), record.latency.map_or(0, |(mean, _)| (mean * 1e3) as u64))
    }

    /// How long to wait for these donors before asking others too: the slowest one's own 95th percentile, about.
    pub(super) fn hedge_after(&self, nodes: impl Iterator<Item = NodeId>) -> Duration {
        let seen = self.seen();
        let usual =
            |node| seen.get(&node).and_then(|record| record.latency).map(|(mean, deviation)| mean + DEVIATIONS * deviation);
        let ms = nodes.map(|node| usual(node).unwrap_or(HEDGE_MS_MAX as f64 / 2.0)).fold(0.0, f64::max);
        Duration::from_micros((ms.clamp(HEDGE_MS_MIN as f64, HEDGE_MS_MAX as f64) * 1e3) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_rank_before_the_slow_and_suspects_last() {
        let donors = Donors::default();
        for _ in 0..50 {
            donors.answered(NodeId(1), Duration::from_millis(5));
            donors.answered(NodeId(2), Duration::from_millis(80));
            donors.answered(NodeId(3), Duration::from_millis(1));
        }
        donors.failed(NodeId(3));
        let mut order = [NodeId(3), NodeId(2), NodeId(1), NodeId(4)];
        order.sort_by_key(|node| donors.rank(*node));
        assert_eq!(order, [NodeId(4), NodeId(1), NodeId(2), NodeId(3)]);
        donors.answered(NodeId(3), Duration::from_millis(1));
        assert!(!donors.suspect(NodeId(3)), "an answer clears the suspicion");
    }

    #[test]
    fn hedging_waits_longer_for_a_slow_donor_within_bounds() {
        let donors = Donors::default();
        for _ in 0..200 {
            donors.answered(NodeId(1), Duration::from_millis(1));
            donors.answered(NodeId(2), Duration::from_millis(100));
        }
        let fast = donors.hedge_after([NodeId(1)].into_iter());
        let slow = donors.hedge_after([NodeId(1), NodeId(2)].into_iter());
        assert_eq!(fast, Duration::from_millis(HEDGE_MS_MIN));
        assert!(slow >= Duration::from_millis(100) && slow <= Duration::from_millis(HEDGE_MS_MAX));
    }
}
