//! Whether a donor is there.
//!
//! ```text
//!        any heartbeat leads back to Up
//!      ┌───────◄──────────┬─────────◄─────────┬─────────◄──────────┐
//!      ▼    1.5 beats     │      3 beats      │    repair_after    │
//!     Up ─────────────► Suspect ───────────► Offline ───────────► Lost
//!      └─────────── "I am leaving" ──────────►┘
//! ```
//! Up takes new shards. Suspect takes none and is read as before. Offline is read last; its shards count as away.
//! Lost is given up: its shards are rebuilt elsewhere, and still count again should it return.

use nodio_wire::UnixMs;
use nodio_wire::api::NodeState;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Liveness {
    Up,
    Suspect { since: UnixMs },
    Offline { since: UnixMs },
    Lost { since: UnixMs },
}

/// How long silence may last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub heartbeat_ms: u64,
    pub repair_after_ms: u64,
}

impl Timing {
    fn suspect_ms(&self) -> u64 {
        self.heartbeat_ms + self.heartbeat_ms / 2
    }

    fn offline_ms(&self) -> u64 {
        self.heartbeat_ms * 3
    }
}

/// What a donor's shards count for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Readable now.
    Live,
    /// Not now, but probably again.
    Away,
    /// Given up.
    Gone,
}

impl Liveness {
    /// The state after silence since `last_seen`. `away_since` is when it went Offline before a restart of the coordinator, if it had.
    pub(crate) fn after_silence(self, last_seen: UnixMs, away_since: Option<UnixMs>, now: UnixMs, timing: &Timing) -> Self {
        let silent_ms = now.saturating_sub(last_seen);
        match self {
            Self::Up if silent_ms >= timing.suspect_ms() => {
                Self::Suspect { since: now }.after_silence(last_seen, away_since, now, timing)
            }
            Self::Suspect { .. } if silent_ms >= timing.offline_ms() => {
                Self::Offline { since: away_since.unwrap_or(now) }.after_silence(last_seen, away_since, now, timing)
            }
            Self::Offline { since } if now.saturating_sub(since) >= timing.repair_after_ms => Self::Lost { since: now },
            same => same,
        }
    }

    pub(crate) fn presence(self) -> Presence {
        match self {
            Self::Up | Self::Suspect { .. } => Presence::Live,
            Self::Offline { .. } => Presence::Away,
            Self::Lost { .. } => Presence::Gone,
        }
    }

    pub(crate) fn is_up(self) -> bool {
        self == Self::Up
    }

    pub(crate) fn is_away(self) -> bool {
        matches!(self, Self::Offline { .. } | Self::Lost { .. })
    }

    pub(crate) fn shown(self) -> NodeState {
        match self {
            Self::Up => NodeState::Up,
            Self::Suspect { .. } => NodeState::Suspect,
            Self::Offline { .. } => NodeState::Offline,
            Self::Lost { .. } => NodeState::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing { heartbeat_ms: 100, repair_after_ms: 1000 };

    fn after(state: Liveness, now: UnixMs) -> Liveness {
        state.after_silence(1000, None, now, &TIMING)
    }

    #[test]
    fn silence_leads_through_the_states_in_order() {
        assert_eq!(after(Liveness::Up, 1149), Liveness::Up);
        let suspect = after(Liveness::Up, 1150);
        assert_eq!(suspect, Liveness::Suspect { since: 1150 });
        assert_eq!(after(suspect, 1299), suspect);
        let offline = after(suspect, 1300);
        assert_eq!(offline, Liveness::Offline { since: 1300 });
        assert_eq!(after(offline, 2299), offline);
        assert_eq!(after(offline, 2300), Liveness::Lost { since: 2300 });
    }

    #[test]
    fn a_late_look_skips_no_waiting_time_for_lost() {
        assert_eq!(after(Liveness::Up, 50_000), Liveness::Offline { since: 50_000 });
    }

    #[test]
    fn absence_before_a_restart_counts() {
        let loaded = Liveness::Suspect { since: 1000 };
        assert_eq!(loaded.after_silence(1000, Some(900), 1299, &TIMING), loaded);
        assert_eq!(loaded.after_silence(1000, Some(900), 1300, &TIMING), Liveness::Offline { since: 900 });
        assert_eq!(loaded.after_silence(1000, Some(10), 1300, &TIMING), Liveness::Lost { since: 1300 });
    }

    #[test]
    fn a_clock_set_back_makes_nobody_silent() {
        assert_eq!(after(Liveness::Up, 5), Liveness::Up);
    }
}
