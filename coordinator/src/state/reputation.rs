//! What the network makes of a donor, from its record and from what it or the operator asks for.
//!
//! ```text
//!                100 audits passed,                 trust < 0.94,
//!                trust ≥ 0.97                       "leave" or "drain"               nothing left there (leave, drain)
//!     Vetting ──────────────────────► Trusted ─────────────────────────► Draining ────────────────────────────────────► Released
//!        └───────────────────────────────┬──────── as Trusted ─────────────►│ ▲│                                            ▲
//!                                        │◄── trust ≥ 0.97, or cancelled ───┘ ││ trust < 0.91                               │
//!                                        └── from any of the three ───────────┴┴────────► Refused ──── "leave", "drain" ────┘
//!                                                                                            └─ cancelled ─► Vetting
//! ```
//! Draining ends by itself only if audits began it. Refused and Released end only by a person: Refused by the operator, Released never.
//!
//! What the numbers do, at 96 audits a day (the simulations below hold it to this):
//! - a donor with a perfect record drains after 13 failures in a row and is refused after 19; a stranger after 3 and 5;
//! - one that loses 3 % of its shards for a week dips to 0.96 on average, drains in 1 case of 100, is never refused, and is trusted again
//!   after a good week at the latest;
//! - one that lies about a tenth of its shards ends refused: after a day when it is new, after three days with the best record behind it
//!   (medians; the luckiest of a thousand after eight and fourteen);
//! - one that never answers isn't judged at all: see [`super::audit`] for what becomes of questions that stay open.

use nodio_wire::api::StandingState;
use serde::{Deserialize, Serialize};

use super::record::{Recent, Record};

/// Audits a newcomer must have passed to be trusted.
const TRUSTED_AFTER_PASSED: u64 = 100;
/// At or above this a donor is trusted, or trusted again.
const TRUST_ABOVE: f64 = 0.97;
/// Below this its shards are copied elsewhere ...
const DRAIN_BELOW: f64 = 0.94;
/// ... and below this they don't count any more.
const REFUSE_BELOW: f64 = 0.91;

/// Who began a draining.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cause {
    Audits,
    Donor,
    Operator,
}

/// A new standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub state: StandingState,
    /// Of Draining.
    pub cause: Option<Cause>,
    pub reason: String,
    /// Bad audits so far are to be forgotten.
    pub forgive: bool,
}

/// How a donor stands, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case<'a> {
    pub state: StandingState,
    pub cause: Option<Cause>,
    pub record: &'a Record,
    pub recent: &'a Recent,
    /// Audits passed, ever.
    pub passed: u64,
    pub away: bool,
}

/// What a person asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish<'a> {
    pub by: Asker,
    pub cancel: bool,
    /// The operator's words.
    pub reason: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    Donor,
    Operator,
}

/// What the audits so far lead to, if anything.
pub(crate) fn judged(case: &Case<'_>) -> Option<Change> {
    let trust = case.record.trust();
    match case.state {
        StandingState::Refused | StandingState::Released => None,
        _ if trust < REFUSE_BELOW => Some(change(StandingState::Refused, None, refusal(case))),
        StandingState::Vetting | StandingState::Trusted if trust < DRAIN_BELOW => {
            Some(change(StandingState::Draining, Some(Cause::Audits), case.recent.to_string()))
        }
        StandingState::Vetting if is_vetted(case) => Some(change(StandingState::Trusted, None, vetted())),
        StandingState::Draining if case.cause == Some(Cause::Audits) && trust >= TRUST_ABOVE => {
            Some(Change { reason: "its audits are good again".into(), ..settled(case) })
        }
        _ => None,
    }
}

/// What a person's wish leads to; nothing if it is so already.
///
/// # Errors
/// In words for that person, if it can't be.
pub(crate) fn asked(case: &Case<'_>, wish: Wish<'_>) -> Result<Option<Change>, &'static str> {
    if wish.cancel { taken_back(case, wish.by) } else { Ok(sent_away(case, wish)) }
}

fn sent_away(case: &Case<'_>, wish: Wish<'_>) -> Option<Change> {
    let (cause, reason) = match (wish.by, wish.reason) {
        (Asker::Donor, _) => (Cause::Donor, "you asked to leave".to_owned()),
        (Asker::Operator, None) => (Cause::Operator, "the operator drains this donor".to_owned()),
        (Asker::Operator, Some(why)) => (Cause::Operator, format!("the operator drains this donor: {why}")),
    };
    match (case.state, case.cause) {
        (StandingState::Released, _) => None,
        (StandingState::Refused, _) => Some(change(StandingState::Released, None, reason)),
        _ if case.away && wish.by == Asker::Operator => Some(change(StandingState::Released, None, reason)),
        (StandingState::Draining, Some(Cause::Operator)) => None,
        (StandingState::Draining, Some(Cause::Donor)) if wish.by == Asker::Donor => None,
        _ => Some(change(StandingState::Draining, Some(cause), reason)),
    }
}

fn taken_back(case: &Case<'_>, by: Asker) -> Result<Option<Change>, &'static str> {
    match (case.state, case.cause, by) {
        (StandingState::Released, ..) => {
            Err("this donor has been released for good; it can join again as a new one, from an empty folder")
        }
        (StandingState::Draining, Some(Cause::Donor), Asker::Donor) => {
            Ok(Some(Change { reason: "you took back your leave".into(), ..settled(case) }))
        }
        (StandingState::Draining, _, Asker::Donor) => {
            Err("this donor isn't draining by its own wish; only the operator can end it")
        }
        (StandingState::Refused, _, Asker::Donor) => Err("this donor is refused; only the operator can take it back"),
        (StandingState::Draining, Some(Cause::Audits), Asker::Operator) | (StandingState::Refused, _, Asker::Operator) => {
            let reason = "the operator takes this donor back".into();
            Ok(Some(Change { forgive: true, ..change(StandingState::Vetting, None, reason) }))
        }
        (StandingState::Draining, _, Asker::Operator) => {
            Ok(Some(Change { reason: "the operator keeps this donor".into(), ..settled(case) }))
        }
        (StandingState::Vetting | StandingState::Trusted, ..) => Ok(None),
    }
}

/// A leaving donor that nothing is named for any more.
pub(crate) fn released(reason: &str) -> Change {
    change(StandingState::Released, None, format!("{reason}; everything has been copied away"))
}

/// Back among those that take shards.
fn settled(case: &Case<'_>) -> Change {
    let state = if is_vetted(case) { StandingState::Trusted } else { StandingState::Vetting };
    change(state, None, String::new())
}

fn is_vetted(case: &Case<'_>) -> bool {
    case.passed >= TRUSTED_AFTER_PASSED && case.record.trust() >= TRUST_ABOVE
}

fn vetted() -> String {
    format!("{TRUSTED_AFTER_PASSED} audits passed")
}

fn refusal(case: &Case<'_>) -> String {
    format!("{}; ask the operator if that can't be", case.recent)
}

fn change(state: StandingState, cause: Option<Cause>, reason: String) -> Change {
    Change { state, cause, reason, forgive: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    const PER_DAY: usize = 96;

    /// A donor's life as its audits go.
    #[derive(Clone)]
    struct Life {
        state: StandingState,
        cause: Option<Cause>,
        record: Record,
        recent: Recent,
        passed: u64,
        lowest: f64,
        drained: bool,
    }

    impl Life {
        fn new() -> Self {
            let (record, recent) = (Record::default(), Recent::default());
            Self { state: StandingState::Vetting, cause: None, record, recent, passed: 0, lowest: 1.0, drained: false }
        }

        fn veteran() -> Self {
            let mut life = Self::new();
            (0..30 * PER_DAY).for_each(|_| life.audited(true));
            assert_eq!(life.state, StandingState::Trusted);
            life
        }

        fn case(&self, away: bool) -> Case<'_> {
            Case { state: self.state, cause: self.cause, record: &self.record, recent: &self.recent, passed: self.passed, away }
        }

        fn audited(&mut self, passed: bool) {
            self.record.audited(passed);
            self.recent.audited(passed);
            self.passed += u64::from(passed);
            self.lowest = self.lowest.min(self.record.trust());
            if let Some(change) = judged(&self.case(false)) {
                (self.state, self.cause) = (change.state, change.cause);
                self.drained |= self.state == StandingState::Draining;
            }
        }

        /// Audits of a donor that misses this share of its shards; the day of its refusal.
        fn live(&mut self, days: usize, missing: f64, rng: &mut StdRng) -> Option<usize> {
            for at in 0..days * PER_DAY {
                self.audited(!rng.random_bool(missing));
                if self.state == StandingState::Refused {
                    return Some(at / PER_DAY);
                }
            }
            None
        }

        fn failures_until(mut self, wanted: StandingState) -> usize {
            (1..)
                .find(|_| {
                    self.audited(false);
                    self.state == wanted
                })
                .expect("it comes")
        }

        fn ask(&mut self, by: Asker, cancel: bool, away: bool) -> Result<StandingState, &'static str> {
            if let Some(change) = asked(&self.case(away), Wish { by, cancel, reason: Some("old disks") })? {
                (self.state, self.cause) = (change.state, change.cause);
                if change.forgive {
                    self.record.forgive();
                }
            }
            Ok(self.state)
        }
    }

    #[test]
    fn failures_in_a_row_until_draining_and_refused() {
        assert_eq!(Life::veteran().failures_until(StandingState::Draining), 13);
        assert_eq!(Life::veteran().failures_until(StandingState::Refused), 19);
        assert_eq!(Life::new().failures_until(StandingState::Draining), 3);
        assert_eq!(Life::new().failures_until(StandingState::Refused), 5);
    }

    #[test]
    fn a_newcomer_is_trusted_after_a_hundred_good_audits() {
        let mut life = Life::new();
        (0..99).for_each(|_| life.audited(true));
        assert_eq!(life.state, StandingState::Vetting);
        life.audited(true);
        assert_eq!(life.state, StandingState::Trusted);
    }

    #[test]
    fn an_honest_donor_survives_a_bad_week() {
        let mut rng = StdRng::seed_from_u64(3);
        let (mut drained, mut lowest) = (0, 0.0);
        for _ in 0..1000 {
            let mut life = Life::veteran();
            assert_eq!(life.live(7, 0.03, &mut rng), None, "refused");
            lowest += life.lowest / 1000.0;
            drained += usize::from(life.drained);
            assert_eq!(life.live(7, 0.0, &mut rng), None);
            assert_eq!(life.state, StandingState::Trusted, "a good week makes good");
        }
        println!("3 % rot for 7 days: lowest trust {lowest:.3} on average, {drained} of 1000 drained for a while, none refused");
        assert!(drained <= 20, "{drained}");
        assert!((0.95..0.97).contains(&lowest), "{lowest}");
    }

    #[test]
    fn liars_end_refused() {
        let mut rng = StdRng::seed_from_u64(10);
        let mut days = |start: &Life| {
            let mut days: Vec<usize> = (0..1000).map(|_| start.clone().live(21, 0.1, &mut rng).expect("refused")).collect();
            days.sort_unstable();
            (days[500], days[999])
        };
        let (new, old) = (days(&Life::new()), days(&Life::veteran()));
        println!(
            "10 % missing: newcomers refused after {} days (median; last {}), veterans after {} ({})",
            new.0, new.1, old.0, old.1
        );
        assert!(new.0 <= 3 && old.0 <= 6, "{new:?} {old:?}");
    }

    #[test]
    fn leaving_and_draining_can_be_taken_back_by_whoever_began_it() {
        let mut life = Life::veteran();
        assert_eq!(life.ask(Asker::Donor, false, false), Ok(StandingState::Draining));
        (0..300).for_each(|_| life.audited(true));
        assert_eq!(life.state, StandingState::Draining, "good audits don't end a leave");
        assert_eq!(life.ask(Asker::Donor, true, false), Ok(StandingState::Trusted));
        assert_eq!(life.ask(Asker::Operator, false, false), Ok(StandingState::Draining));
        assert!(life.ask(Asker::Donor, true, false).is_err());
        assert_eq!(life.ask(Asker::Donor, false, false), Ok(StandingState::Draining));
        assert_eq!(life.cause, Some(Cause::Operator), "a donor's leave doesn't take the operator's word away");
        assert_eq!(life.ask(Asker::Operator, true, false), Ok(StandingState::Trusted));
    }

    #[test]
    fn whoever_is_away_is_let_go_at_once_and_whoever_was_refused_may_be_taken_back() {
        let mut life = Life::veteran();
        assert_eq!(life.clone().ask(Asker::Operator, false, true), Ok(StandingState::Released));
        (0..19).for_each(|_| life.audited(false));
        assert_eq!(life.state, StandingState::Refused);
        assert!(life.ask(Asker::Donor, true, false).is_err());
        assert_eq!(life.clone().ask(Asker::Donor, false, false), Ok(StandingState::Released));
        assert_eq!(life.ask(Asker::Operator, true, false), Ok(StandingState::Vetting));
        life.audited(true);
        assert_ne!(life.state, StandingState::Refused, "old failures are forgiven");
        life.state = StandingState::Released;
        assert!(life.ask(Asker::Operator, true, false).is_err());
        assert_eq!(life.ask(Asker::Operator, false, false), Ok(StandingState::Released));
    }
}
