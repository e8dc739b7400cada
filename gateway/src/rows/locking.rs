//! What a bucket says of all its objects: how long new ones are locked, and its tags.

use nodio_wire::UnixMs;
use serde::{Deserialize, Serialize};

use super::{Lock, Retention, RetentionMode, first_shape};
use crate::tables::Setting;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// S3 counts a year of retention as so many days.
const YEAR_DAYS: u64 = 365;

/// How long every new version of a bucket is retained that doesn't say itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DefaultRetention {
    pub(crate) mode: RetentionMode,
    pub(crate) period: RetentionPeriod,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RetentionPeriod {
    Days(u32),
    Years(u32),
}

impl DefaultRetention {
    /// What it makes of a version written at `now`.
    pub(crate) fn from(self, now: UnixMs) -> Retention {
        let days = match self.period {
            RetentionPeriod::Days(days) => u64::from(days),
            RetentionPeriod::Years(years) => u64::from(years) * YEAR_DAYS,
        };
        Retention { mode: self.mode, until: now.saturating_add(days.saturating_mul(DAY_MS)) }
    }
}

impl Lock {
    /// Whether a version must not be removed ("How Object Lock works" in the S3 User Guide). `past_governance`: its remover may, and wants
    /// to, remove what is retained in governance mode.
    pub(crate) fn holds(&self, now: UnixMs, past_governance: bool) -> bool {
        self.legal_hold || self.retention.is_some_and(|retention| retention.holds(now, past_governance))
    }
}

impl Retention {
    fn holds(&self, now: UnixMs, past_governance: bool) -> bool {
        self.until > now && (self.mode == RetentionMode::Compliance || !past_governance)
    }

    /// Whether this may become `next`: while it holds, it only gets longer.
    pub(crate) fn may_become(&self, next: Option<&Self>, now: UnixMs, past_governance: bool) -> bool {
        let longer = |next: &Self| next.mode == self.mode && next.until >= self.until;
        !self.holds(now, past_governance) || next.is_some_and(longer)
    }
}

/// Tags of the bucket itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BucketTags {
    pub(crate) tags: Vec<(String, String)>,
}

first_shape!(DefaultRetention, BucketTags);

impl Setting for DefaultRetention {
    const NAME: &'static str = "object-lock";
}

impl Setting for BucketTags {
    const NAME: &'static str = "tags";
}

#[cfg(test)]
mod tests {
    use super::*;
    use RetentionMode::{Compliance, Governance};

    #[test]
    fn a_lock_holds_until_its_time_and_governance_can_be_passed() {
        let lock = |mode, until| Lock { retention: Some(Retention { mode, until }), legal_hold: false };
        let cases = [
            (Lock::default(), false, false),
            (lock(Governance, 11), false, true),
            (lock(Governance, 11), true, false),
            (lock(Governance, 10), false, false),
            (lock(Compliance, 11), true, true),
            (lock(Compliance, 10), true, false),
            (Lock { legal_hold: true, ..lock(Governance, 5) }, true, true),
        ];
        for (lock, past_governance, holds) in cases {
            assert_eq!(lock.holds(10, past_governance), holds, "{lock:?}, {past_governance}");
        }
    }

    #[test]
    fn retention_gets_longer_and_nothing_else_while_it_holds() {
        let retention = |mode, until| Retention { mode, until };
        let may = |old: Retention, next: Option<Retention>, past| old.may_become(next.as_ref(), 10, past);
        for mode in [Governance, Compliance] {
            assert!(may(retention(mode, 20), Some(retention(mode, 30)), false));
            assert!(!may(retention(mode, 20), Some(retention(mode, 15)), false));
            assert!(!may(retention(mode, 20), None, false));
            assert!(may(retention(mode, 9), None, false));
        }
        assert!(!may(retention(Governance, 20), Some(retention(Compliance, 30)), false));
        assert!(may(retention(Governance, 20), Some(retention(Compliance, 30)), true));
        assert!(may(retention(Governance, 20), None, true));
        assert!(!may(retention(Compliance, 20), Some(retention(Governance, 30)), true));
        assert!(!may(retention(Compliance, 20), None, true));
    }

    #[test]
    fn a_default_counts_days_and_years_from_the_write() {
        let until = |period| DefaultRetention { mode: Governance, period }.from(1).until;
        assert_eq!(until(RetentionPeriod::Days(2)), 1 + 2 * DAY_MS);
        assert_eq!(until(RetentionPeriod::Years(1)), 1 + 365 * DAY_MS);
        assert_eq!(until(RetentionPeriod::Years(u32::MAX)), u64::MAX);
    }
}
