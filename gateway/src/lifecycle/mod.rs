//! Lifecycle rules: what a bucket's owner lets go of by age, number and kind.
//!
//! ```text
//!   rules ─┐
//!   row   ─┼─► verdict (pure) ─► walk: one page a step ─► the tables' deletes ─► marker, or parts to release
//!   clock ─┘
//! ```
//! Promises: a verdict depends on nothing but rules, row, clock and now; only the write that was judged is deleted, by the same ways as a
//! client's delete; what refuses to go stays, and is asked again in the next walk. A walk holds no durable state: cut off, it begins anew.
//!
//! Source: "Lifecycle configuration elements" in the S3 User Guide.

mod walk;

#[cfg(test)]
mod tests;

use nodio_wire::UnixMs;

use crate::rows::{Expiration, Lifecycle, LifecycleRule, NoncurrentExpiration, ObjectRow, RuleFilter, UploadRow};
pub(crate) use walk::Walk;

/// How long a day is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clock {
    day_ms: u64,
}

impl Clock {
    pub(crate) const REAL: Self = Self { day_ms: 24 * 60 * 60 * 1000 };

    pub(crate) fn with_days_of(seconds: u64) -> Self {
        Self { day_ms: seconds.saturating_mul(1000).max(1) }
    }

    /// The midnight (UTC) that many days later, or the next one after it. Short days have no midnights: who looks at rules at work wants
    /// no day more.
    pub(crate) fn after(self, from: UnixMs, days: u32) -> UnixMs {
        let due = from.saturating_add(self.day_ms.saturating_mul(days.into()));
        if self == Self::REAL { due.div_ceil(self.day_ms).saturating_mul(self.day_ms) } else { due }
    }

    pub(crate) fn is_midnight(self, at: UnixMs) -> bool {
        at.is_multiple_of(self.day_ms)
    }
}

/// Where a version stands among those of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Current {
        /// There is no other version.
        alone: bool,
    },
    Noncurrent {
        /// When the next newer version came.
        since: UnixMs,
        /// Noncurrent versions that are newer.
        newer: u32,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    /// As a delete that names no version.
    Expire,
    /// As a delete of this very version.
    Remove,
}

/// What is to become of a version.
pub(crate) fn verdict(rules: &Lifecycle, key: &str, row: &ObjectRow, place: Place, clock: Clock, now: UnixMs) -> Verdict {
    let mut about = rules.rules.iter().filter(|rule| rule.enabled && rule.filter.covers(key, row));
    let live = row.live().is_some();
    match place {
        Place::Current { .. } if live => {
            let over = |rule: &LifecycleRule| rule.expires(row.modified, clock).is_some_and(|at| at <= now);
            if about.any(over) { Verdict::Expire } else { Verdict::Keep }
        }
        Place::Current { alone: false } => Verdict::Keep,
        Place::Current { alone: true } => {
            let over = |rule: &LifecycleRule| match rule.expiration {
                Some(Expiration::Days(days)) => clock.after(row.modified, days) <= now,
                Some(Expiration::LoneMarker(goes)) => goes,
                Some(Expiration::Date(_)) | None => false,
            };
            if about.any(over) { Verdict::Remove } else { Verdict::Keep }
        }
        Place::Noncurrent { since, newer } => {
            let over = |rule: &LifecycleRule| rule.noncurrent.is_some_and(|end| end.is_over(since, newer, clock, now));
            if about.any(over) { Verdict::Remove } else { Verdict::Keep }
        }
    }
}

/// When the current version expires, and by which rule's id: the first to come.
pub(crate) fn expiry<'r>(rules: &'r Lifecycle, key: &str, row: &ObjectRow, clock: Clock) -> Option<(UnixMs, &'r str)> {
    row.live()?;
    let about = rules.rules.iter().filter(|rule| rule.enabled && rule.filter.covers(key, row));
    about.filter_map(|rule| Some((rule.expires(row.modified, clock)?, rule.id.as_str()))).min_by_key(|(at, _)| *at)
}

/// When an upload is aborted unless it is completed, and by which rule's id: the first to come.
pub(crate) fn abortion<'r>(rules: &'r Lifecycle, key: &str, upload: &UploadRow, clock: Clock) -> Option<(UnixMs, &'r str)> {
    let about = rules.rules.iter().filter(|rule| rule.enabled && rule.filter.begins(key));
    let at = |rule: &'r LifecycleRule| Some((clock.after(upload.initiated, rule.abort_after_days?), rule.id.as_str()));
    about.filter_map(at).min_by_key(|(at, _)| *at)
}

impl LifecycleRule {
    /// When an object written at `modified` expires.
    fn expires(&self, modified: UnixMs, clock: Clock) -> Option<UnixMs> {
        match self.expiration? {
            Expiration::Days(days) => Some(clock.after(modified, days)),
            Expiration::Date(date) => Some(date),
            Expiration::LoneMarker(_) => None,
        }
    }
}

impl NoncurrentExpiration {
    fn is_over(self, since: UnixMs, newer: u32, clock: Clock, now: UnixMs) -> bool {
        clock.after(since, self.days) <= now && self.kept.is_none_or(|kept| newer >= kept)
    }
}

impl RuleFilter {
    fn begins(&self, key: &str) -> bool {
        self.prefix.as_deref().is_none_or(|prefix| key.starts_with(prefix))
    }

    /// A delete marker has neither tags nor a size.
    fn covers(&self, key: &str, row: &ObjectRow) -> bool {
        let tagged = self.tags.iter().all(|tag| row.live().is_some_and(|live| live.tags.contains(tag)));
        let sized = |holds: &dyn Fn(u64) -> bool| row.live().is_some_and(|live| holds(live.size));
        self.begins(key)
            && tagged
            && self.larger_than.is_none_or(|bytes| sized(&|size| size > bytes))
            && self.smaller_than.is_none_or(|bytes| sized(&|size| size < bytes))
    }
}
