//! The store's own clock, by which ages are told.
//!
//! ```text
//!   wall     ──────┐jump     ┌────     set right, set wrong, set back
//!                  └─────────┘
//!   store    ────────┊   ┊────────     one pace while the donor runs, still while it is off
//! ```
//! It begins with the wall clock when a store is made. Afterwards every start goes on where the last run is known to have been:
//! at the latest time in any record, or at the last note. So nothing is ever told to be older than it is, whatever becomes of
//! the wall clock; it may be told younger, by the time the donor was off.

use std::time::Instant;

use nodio_wire::UnixMs;

#[derive(Debug)]
pub(crate) struct Clock {
    base_ms: UnixMs,
    began: Instant,
}

impl Clock {
    /// Goes on from `known_ms`, the latest time that the store knows of; a store that knows none begins at `wall_ms`.
    pub(crate) fn resume(known_ms: Option<UnixMs>, wall_ms: UnixMs) -> Self {
        Self { base_ms: known_ms.unwrap_or(wall_ms), began: Instant::now() }
    }

    pub(crate) fn now_ms(&self) -> UnixMs {
        self.base_ms + u64::try_from(self.began.elapsed().as_millis()).unwrap_or(0)
    }
}

/// Whole seconds that something of second `since_s` is old at least: it may have been the last millisecond of that second.
pub(crate) fn age_s(now_ms: UnixMs, since_s: u32) -> u32 {
    let latest_ms = u64::from(since_s) * 1000 + 999;
    u32::try_from(now_ms.saturating_sub(latest_ms) / 1000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_from_what_is_known_whatever_the_wall_clock_says() {
        for wall in [0, 5_000, u64::MAX / 2] {
            let clock = Clock::resume(Some(9_000), wall);
            assert!((9_000..39_000).contains(&clock.now_ms()));
        }
        assert!(Clock::resume(None, 7_000).now_ms() >= 7_000);
    }

    #[test]
    fn an_age_is_never_rounded_up() {
        let ages = [(5_999, 0), (6_998, 0), (6_999, 1), (7_998, 1), (0, 0), (u64::MAX, u32::MAX)];
        for (now_ms, age) in ages {
            assert_eq!(age_s(now_ms, 5), age, "at {now_ms}");
        }
    }
}
