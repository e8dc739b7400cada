//! How many bytes repairs and moves may cause, in total and with one donor: token buckets that run into debt.
//!
//! Work is handed out while the level is above zero and takes all it costs at once; so work larger than the bucket is possible, and the
//! mean is kept. A bucket holds what flows in between two heartbeats, for work is handed out with their replies.

use std::collections::HashMap;

use nodio_wire::{NodeId, UnixMs};

#[derive(Debug, Clone, Copy)]
struct Bucket {
    level: f64,
    filled: UnixMs,
}

#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    /// 0: unlimited.
    bytes_per_s: u64,
    full_ms: u64,
}

impl Rate {
    fn most(self) -> f64 {
        self.bytes_per_s as f64 * self.full_ms as f64 / 1000.0
    }

    fn full(self, now: UnixMs) -> Bucket {
        Bucket { level: self.most(), filled: now }
    }

    fn fill(self, bucket: &mut Bucket, now: UnixMs) {
        let flown = self.bytes_per_s as f64 * now.saturating_sub(bucket.filled) as f64 / 1000.0;
        *bucket = Bucket { level: (bucket.level + flown).min(self.most()), filled: now.max(bucket.filled) };
    }
}

/// The limits and how far they are used. Unlimited by default.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    total: Rate,
    each: Rate,
    all: Option<Bucket>,
    donors: HashMap<NodeId, Bucket>,
}

impl Pace {
    /// Rates of 0 are unlimited. `full_ms`: how long an unused bucket goes on filling.
    pub(crate) fn new(total_bytes_per_s: u64, donor_bytes_per_s: u64, full_ms: u64) -> Self {
        let rate = |bytes_per_s| Rate { bytes_per_s, full_ms };
        Self { total: rate(total_bytes_per_s), each: rate(donor_bytes_per_s), ..Self::default() }
    }

    /// True if this donor may be given work now.
    pub(crate) fn allows(&mut self, node: NodeId, now: UnixMs) -> bool {
        (self.total.bytes_per_s == 0 || self.level_of_all(now) > 0.0)
            && (self.each.bytes_per_s == 0 || level(self.each, self.donors.entry(node), now) > 0.0)
    }

    /// Work was handed out that causes so many bytes in total.
    pub(crate) fn charge(&mut self, bytes: u64, now: UnixMs) {
        if self.total.bytes_per_s > 0 {
            self.level_of_all(now);
            self.all.iter_mut().for_each(|bucket| bucket.level -= bytes as f64);
        }
    }

    /// So many of them with this donor.
    pub(crate) fn charge_donor(&mut self, node: NodeId, bytes: u64, now: UnixMs) {
        if self.each.bytes_per_s > 0 {
            level(self.each, self.donors.entry(node), now);
            self.donors.entry(node).and_modify(|bucket| bucket.level -= bytes as f64);
        }
    }

    fn level_of_all(&mut self, now: UnixMs) -> f64 {
        let bucket = self.all.get_or_insert(self.total.full(now));
        self.total.fill(bucket, now);
        bucket.level
    }
}

fn level(rate: Rate, slot: std::collections::hash_map::Entry<'_, NodeId, Bucket>, now: UnixMs) -> f64 {
    let bucket = slot.or_insert(rate.full(now));
    rate.fill(bucket, now);
    bucket.level
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);

    #[test]
    fn the_mean_is_kept_whatever_the_work_costs() {
        for cost in [30, 700, 25_000] {
            let (mut pace, mut given) = (Pace::new(1000, 0, 2000), 0u64);
            for now in (0..600_000).step_by(250) {
                while pace.allows(A, now) {
                    pace.charge(cost, now);
                    given += cost;
                }
            }
            let want = 600_000 + 2000;
            assert!(given.abs_diff(want) <= cost.max(1000), "{given} bytes in ten minutes, at {cost} a piece");
        }
    }

    #[test]
    fn one_donors_debt_is_not_anothers() {
        let mut pace = Pace::new(0, 100, 1000);
        pace.charge_donor(A, 1000, 0);
        assert!(!pace.allows(A, 0) && pace.allows(B, 0));
        assert!(!pace.allows(A, 9000) && pace.allows(A, 9001 + 10));
        pace.charge(1 << 40, 0);
        assert!(pace.allows(B, 0), "no total limit is set");
    }

    #[test]
    fn a_bucket_does_not_fill_for_ever() {
        let mut pace = Pace::new(10, 0, 1000);
        assert!(pace.allows(A, 0));
        pace.charge(10, 1_000_000);
        assert!(!pace.allows(A, 1_000_000), "an hour of rest saves up no more than a second's bytes");
        assert!(pace.allows(A, 999_000_000) && Pace::default().allows(A, 0));
    }
}
