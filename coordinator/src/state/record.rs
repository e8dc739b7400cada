//! What is known of a donor from watching it: audits passed and failed, time there and away.
//!
//! ```text
//!   an audit ──► everything so far × 0.995, then +1 to passed or failed     the last 200 audits or so weigh most: two days
//!   a span   ──► everything so far × ½ per 30 days, then + the span         the last weeks weigh most
//! ```
//! The two counts of audits are the parameters of a beta distribution, so `trust` is its mean (Jøsang and Ismail, "The Beta Reputation
//! System", 2002; the fading is theirs as well). An audit that nobody answered changes nothing here: absence is counted as absence.
//! What follows from a record is decided in [`super::reputation`].

use serde::{Deserialize, Serialize};

/// A stranger is taken for one who has passed 59 of 60 audits: enough to be given shards, little enough that five failures in a row end it.
const PRIOR_PASSED: f64 = 59.0;
const PRIOR_FAILED: f64 = 1.0;
/// How much of what was known is left after one more audit.
const AUDIT_FADE: f64 = 0.995;
/// A stranger is taken for one who was there nine tenths of a day.
const PRIOR_WATCHED_MS: f64 = DAY_MS;
const PRIOR_AVAILABILITY: f64 = 0.9;
/// Time after which what was seen weighs half.
const WATCHED_HALF_LIFE_MS: f64 = 30.0 * DAY_MS;

const DAY_MS: f64 = 24.0 * 60.0 * 60.0 * 1000.0;

/// Counts that fade, so that the last weeks weigh most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Audits passed and failed, faded: the two parameters of a beta distribution.
    pub passed: f64,
    pub failed: f64,
    /// Time there and away, faded, milliseconds.
    pub there_ms: f64,
    pub away_ms: f64,
}

impl Default for Record {
    /// Of a stranger: nothing bad is known, and little is believed.
    fn default() -> Self {
        let there_ms = PRIOR_WATCHED_MS * PRIOR_AVAILABILITY;
        Self { passed: PRIOR_PASSED, failed: PRIOR_FAILED, there_ms, away_ms: PRIOR_WATCHED_MS - there_ms }
    }
}

impl Record {
    /// Takes in one more audit that was answered.
    pub(crate) fn audited(&mut self, passed: bool) {
        self.passed = self.passed * AUDIT_FADE + f64::from(u8::from(passed));
        self.failed = self.failed * AUDIT_FADE + f64::from(u8::from(!passed));
    }

    /// Takes in a span of time, during which the donor was there or wasn't.
    pub(crate) fn watched(&mut self, span_ms: u64, there: bool) {
        let left = 0.5_f64.powf(span_ms as f64 / WATCHED_HALF_LIFE_MS);
        // The span fades while it passes: its weight is the integral of the fading over it.
        let weight = (1.0 - left) * WATCHED_HALF_LIFE_MS / std::f64::consts::LN_2;
        self.there_ms = self.there_ms * left + if there { weight } else { 0.0 };
        self.away_ms = self.away_ms * left + if there { 0.0 } else { weight };
    }

    /// Forgets all audits, good and bad: the donor is a stranger again in that respect.
    pub(crate) fn forgive(&mut self) {
        (self.passed, self.failed) = (PRIOR_PASSED, PRIOR_FAILED);
    }

    /// Expected share of audits passed, 0 to 1.
    pub(crate) fn trust(&self) -> f64 {
        self.passed / (self.passed + self.failed)
    }

    /// Expected share of the time it is there, 0 to 1.
    pub(crate) fn availability(&self) -> f64 {
        self.there_ms / (self.there_ms + self.away_ms)
    }

    /// How much a shard with this donor counts for, 0 to 1: what orders repairs and decides who gives up a surplus copy.
    pub(crate) fn weight(&self) -> f64 {
        self.trust() * self.availability()
    }
}

/// The last audits that were answered, newest in the lowest bit; a bit is set where one failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recent {
    failed: u64,
    count: u8,
}

impl Recent {
    pub(crate) fn audited(&mut self, passed: bool) {
        self.failed = self.failed << 1 | u64::from(!passed);
        self.count = (self.count + 1).min(u64::BITS as u8);
    }
}

impl std::fmt::Display for Recent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of the last {} audits failed", self.failed.count_ones(), self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = DAY_MS as u64;

    #[test]
    fn availability_is_the_share_of_time_there_and_old_time_fades() {
        let mut record = Record::default();
        assert!((record.availability() - 0.9).abs() < 1e-9);
        for _ in 0..365 * 48 {
            record.watched(DAY / 48, true);
        }
        assert!(record.availability() > 0.999);
        record.watched(30 * DAY, false);
        assert!(
            (record.availability() - 0.5).abs() < 0.01,
            "a month away weighs as much as all before: {}",
            record.availability()
        );
    }

    #[test]
    fn one_long_span_weighs_as_much_as_its_pieces() {
        let (mut whole, mut pieces) = (Record::default(), Record::default());
        whole.watched(10 * DAY, false);
        (0..1000).for_each(|_| pieces.watched(DAY / 100, false));
        assert!((whole.availability() - pieces.availability()).abs() < 1e-9);
    }

    #[test]
    fn the_last_audits_are_told_in_words() {
        let mut recent = Recent::default();
        (0..10).for_each(|at| recent.audited(at % 4 != 0));
        assert_eq!(recent.to_string(), "3 of the last 10 audits failed");
        (0..100).for_each(|_| recent.audited(true));
        assert_eq!(recent.to_string(), "0 of the last 64 audits failed");
    }
}
