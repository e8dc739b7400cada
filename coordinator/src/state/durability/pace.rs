//! How fast the donors rebuild, measured while they do.

use nodio_wire::UnixMs;

use crate::limits::{PACE_BEFORE_DONOR_S, PACE_BYTES_PER_S_BEFORE, PACE_KEPT};

/// Rebuilt bytes per donor and second. What was measured fades with each measurement; before the first there is a guess.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace {
    last: Option<Sample>,
    bytes: f64,
    donor_s: f64,
}

/// A look at the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub now: UnixMs,
    /// Rebuilt since the coordinator started.
    pub rebuilt_bytes: u64,
    /// Rebuilds under way.
    pub running: usize,
    /// Live donors.
    pub donors: usize,
}

impl Pace {
    /// Counts the time since the last look if rebuilds were under way then and are now: idle time says nothing about the pace.
    pub(crate) fn look(&mut self, sample: Sample) {
        let Some(last) = self.last.replace(sample).filter(|last| last.running > 0 && sample.running > 0) else { return };
        let seconds = sample.now.saturating_sub(last.now) as f64 / 1000.0;
        self.bytes = self.bytes * PACE_KEPT + sample.rebuilt_bytes.saturating_sub(last.rebuilt_bytes) as f64;
        self.donor_s = self.donor_s * PACE_KEPT + seconds * sample.donors as f64;
    }

    pub(crate) fn bytes_per_s_of_a_donor(&self) -> f64 {
        (PACE_BYTES_PER_S_BEFORE * PACE_BEFORE_DONOR_S + self.bytes) / (PACE_BEFORE_DONOR_S + self.donor_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(pace: &mut Pace, at_s: u64, rebuilt_bytes: u64, running: usize) {
        pace.look(Sample { now: at_s * 1000, rebuilt_bytes, running, donors: 10 });
    }

    #[test]
    fn the_guess_holds_until_work_was_seen_from_end_to_end() {
        let mut pace = Pace::default();
        look(&mut pace, 0, 0, 0);
        look(&mut pace, 1000, 50 << 20, 3);
        look(&mut pace, 9000, 60 << 20, 0);
        assert_eq!(pace.bytes_per_s_of_a_donor(), PACE_BYTES_PER_S_BEFORE);
    }

    #[test]
    fn what_was_measured_prevails_with_time_and_yields_to_what_is_measured_later() {
        let mut pace = Pace::default();
        for at in 0..200 {
            look(&mut pace, at * 60, at * 60 * 10 * 5_000_000, 4);
        }
        let fast = pace.bytes_per_s_of_a_donor();
        assert!((4.8e6..5e6).contains(&fast), "{fast}");
        let so_far = 200 * 60 * 10 * 5_000_000;
        for at in 200..600 {
            look(&mut pace, at * 60, so_far + (at - 200) * 60 * 10 * 100_000, 4);
        }
        let slow = pace.bytes_per_s_of_a_donor();
        assert!((1e5..2e5).contains(&slow), "{slow}");
    }
}
