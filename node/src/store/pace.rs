//! How fast the scrub goes: a share of the disk's time at most, and no faster than one round in a cycle needs.

use std::time::Duration;

/// Least share of the time that is honoured; less would be never.
const SHARE_MIN: f64 = 0.0001;

/// The pause after a step that took `took`, with `bytes_done` of `bytes_total` read since the round began `elapsed` ago. At least
/// so long that steps have at most `share` (0 to 1) of the time; longer while the round is ahead of a pace that ends it after
/// `cycle_ms`. One that is behind goes as fast as its share lets it.
pub(crate) fn pause(bytes_done: u64, bytes_total: u64, took: Duration, cycle_ms: u64, share: f64, elapsed: Duration) -> Duration {
    let rest = took.mul_f64(1.0 / share.clamp(SHARE_MIN, 1.0) - 1.0);
    let part = if bytes_done < bytes_total { bytes_done as f64 / bytes_total as f64 } else { 1.0 };
    let due = Duration::from_millis(cycle_ms).mul_f64(part);
    rest.max(due.saturating_sub(elapsed))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY_MS: u64 = 24 * 60 * 60 * 1000;

    /// Plays a round in which each step reads `step` bytes in `took`; answers its length and the time spent reading.
    fn round(total: u64, step: u64, took: Duration, cycle_ms: u64, share: f64, late: Duration) -> (Duration, Duration) {
        let (mut elapsed, mut busy, mut done) = (late, Duration::ZERO, 0);
        while done < total {
            done += step;
            elapsed += took;
            busy += took;
            elapsed += pause(done, total, took, cycle_ms, share, elapsed);
        }
        (elapsed, busy)
    }

    #[test]
    fn a_round_takes_the_cycle_where_the_disk_is_fast_enough() {
        let (elapsed, _) = round(1000, 1, Duration::from_millis(80), 30 * DAY_MS, 0.1, Duration::ZERO);
        assert_eq!(elapsed.as_secs(), 30 * DAY_MS / 1000);
        let (one_step, _) = round(1, 4 << 20, Duration::from_millis(80), 30 * DAY_MS, 0.1, Duration::ZERO);
        assert_eq!(one_step.as_secs(), 30 * DAY_MS / 1000, "a store read in one step is not read all the time");
    }

    #[test]
    fn a_late_round_catches_up_and_still_ends_in_time() {
        let late = Duration::from_millis(20 * DAY_MS);
        let (elapsed, _) = round(1000, 1, Duration::from_millis(80), 30 * DAY_MS, 0.1, late);
        assert_eq!(elapsed.as_secs(), 30 * DAY_MS / 1000);
        assert_eq!(pause(1, 1000, Duration::from_millis(80), 30 * DAY_MS, 0.1, late), Duration::from_millis(720));
    }

    proptest! {
        #[test]
        fn never_more_than_the_share(total in 1u64..2000, took_ms in 1u64..10_000, share in 0.01f64..1.0, late_s in 0u64..1_000_000) {
            let late = Duration::from_secs(late_s);
            let (elapsed, busy) = round(total, 3, Duration::from_millis(took_ms), 1_000_000, share, late);
            prop_assert!(busy.as_secs_f64() <= (elapsed - late).as_secs_f64() * share + 0.01);
        }
    }
}
