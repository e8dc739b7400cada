//! Latencies counted in classes less than 1 % wide: memory that doesn't grow with the number of requests, and percentiles over all of them.

use std::time::Duration;

/// Classes per doubling: 2^7.
const FINE: u32 = 7;

/// How often each latency was seen, in microseconds. The largest is kept exactly.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram {
    counts: Vec<u32>,
    total: u64,
    max: Duration,
}

impl Histogram {
    pub(super) fn record(&mut self, latency: Duration) {
        let class = class_of(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        if class >= self.counts.len() {
            self.counts.resize(class + 1, 0);
        }
        self.counts[class] += 1;
        self.total += 1;
        self.max = self.max.max(latency);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    /// The latency that a share of all requests did not pass, ms: at most 1 % above the true one. `None` without requests.
    pub(super) fn quantile_ms(&self, share: f64) -> Option<f64> {
        let rank = ((share * self.total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let class = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank
        })?;
        Some((last_of(class) as f64 / 1e3).min(self.max_ms()?))
    }

    pub(super) fn max_ms(&self) -> Option<f64> {
        (self.total > 0).then_some(self.max.as_secs_f64() * 1e3)
    }
}

/// Up to 2^7 µs each value is a class of its own; above, each doubling has 2^7 of them.
fn class_of(us: u64) -> usize {
    let shift = us.max(1).ilog2().saturating_sub(FINE);
    ((u64::from(shift) << FINE) + (us >> shift)) as usize
}

/// The largest value of a class.
fn last_of(class: usize) -> u64 {
    let class = class as u64;
    let shift = (class >> FINE).saturating_sub(1);
    let first = class - (shift << FINE);
    ((first + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    #[test]
    fn classes_follow_one_another_and_are_narrow() {
        let mut class = 0;
        for value in (0..100_000).chain([1 << 30, (1 << 40) - 1, 1 << 40]) {
            let here = class_of(value);
            assert!(here == class || here == class + 1 || value > 100_000, "{value}");
            assert!(last_of(here) >= value && last_of(here) <= value + value / 128, "{value}: {}", last_of(here));
            class = here;
        }
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_list() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.quantile_ms(0.5), histogram.max_ms()), (None, None));
        (1..=100).rev().for_each(|value| histogram.record(us(value)));
        let ms = [0.0, 0.5, 0.505, 0.9, 0.99, 0.991, 1.0].map(|share| histogram.quantile_ms(share).unwrap());
        assert_eq!(ms, [0.001, 0.05, 0.051, 0.09, 0.099, 0.1, 0.1]);
        let mut one = Histogram::default();
        one.record(us(1_234_567));
        assert_eq!((one.quantile_ms(0.5), one.max_ms()), (Some(1234.567), Some(1234.567)), "never above the largest");
    }

    #[test]
    fn merged_is_as_recorded_together() {
        let values: Vec<u64> = (0..2000).map(|at| (at * at * 31) % 1_000_003).collect();
        let mut parts = [Histogram::default(), Histogram::default()];
        let mut all = Histogram::default();
        for (at, value) in values.iter().enumerate() {
            parts[at % 2].record(us(*value));
            all.record(us(*value));
        }
        let [mut merged, other] = parts;
        merged.merge(&other);
        for share in [0.01, 0.5, 0.9, 0.99, 1.0] {
            assert_eq!(merged.quantile_ms(share), all.quantile_ms(share));
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let exact = sorted[((share * 2000.0) as usize).max(1) - 1] as f64 / 1e3;
            assert!((merged.quantile_ms(share).unwrap() / exact - 1.0).abs() < 0.01, "{share}");
        }
    }
}
