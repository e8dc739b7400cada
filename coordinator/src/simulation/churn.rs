//! How donors come and go.
//!
//! All times are exponential, so that what was says nothing about what will be, but for nights. A donor is away for a short time (a
//! reboot, an update, a bad line) and now and then for a long one (a journey, a broken router), and dies for good. Some switch off
//! every night, at an hour of their own. Whoever dies is followed by a newcomer within a day.

use rand::{Rng, RngExt};

const HOUR_MS: f64 = 3_600_000.0;
const DAY_MS: f64 = 24.0 * HOUR_MS;
/// What "never" is: longer than any simulation.
const NEVER_MS: f64 = 1000.0 * 365.0 * DAY_MS;

#[derive(Debug, Clone)]
pub struct Churn {
    /// Mean time until a donor leaves for good, without a word, days.
    pub life_days: f64,
    /// Short absences per donor and day, and their mean length, hours.
    pub short_per_day: f64,
    pub short_hours: f64,
    /// Mean time between a donor's long absences, days, and their mean length, hours.
    pub long_every_days: f64,
    pub long_hours: f64,
    /// Share of the donors that switch off every night, for so many hours.
    pub nightly: f64,
    pub night_hours: f64,
}

impl Default for Churn {
    /// Machines that are meant to stay on: there 97 % of the time.
    fn default() -> Self {
        Self {
            life_days: 365.0,
            short_per_day: 0.5,
            short_hours: 1.0,
            long_every_days: 90.0,
            long_hours: 24.0,
            nightly: 0.0,
            night_hours: 8.0,
        }
    }
}

/// When a donor goes away next, and for how long, milliseconds from now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Absence {
    pub after_ms: u64,
    pub length_ms: u64,
}

impl Churn {
    pub(super) fn life_ms(&self, rng: &mut impl Rng) -> u64 {
        exponential(self.life_days * DAY_MS, rng) as u64
    }

    /// Time until a donor that died is followed by another.
    pub(super) fn vacancy_ms(&self, rng: &mut impl Rng) -> u64 {
        exponential(DAY_MS, rng) as u64
    }

    /// The hour of the day at which a donor switches off, if it does, milliseconds from midnight.
    pub(super) fn bedtime_ms(&self, rng: &mut impl Rng) -> Option<u64> {
        rng.random_bool(self.nightly).then(|| rng.random_range(0..DAY_MS as u64))
    }

    /// The next absence of a donor that is there at `now_ms`.
    pub(super) fn absence(&self, now_ms: u64, bedtime_ms: Option<u64>, rng: &mut impl Rng) -> Absence {
        let short = exponential_rate(self.short_per_day / DAY_MS, rng);
        let long = exponential(self.long_every_days * DAY_MS, rng);
        let night = bedtime_ms.map_or(NEVER_MS, |bedtime| until(now_ms, bedtime) as f64);
        if night < short.min(long) {
            let length_ms = self.night_hours * HOUR_MS * rng.random_range(0.85..1.15);
            return Absence { after_ms: night as u64, length_ms: length_ms as u64 };
        }
        let mean_hours = if short < long { self.short_hours } else { self.long_hours };
        Absence { after_ms: short.min(long) as u64, length_ms: exponential(mean_hours * HOUR_MS, rng) as u64 }
    }
}

/// From `now_ms` to the next time of day `at_ms`.
fn until(now_ms: u64, at_ms: u64) -> u64 {
    let day = DAY_MS as u64;
    (at_ms + day - now_ms % day) % day
}

fn exponential(mean: f64, rng: &mut impl Rng) -> f64 {
    -(1.0 - rng.random::<f64>()).ln() * mean
}

fn exponential_rate(rate: f64, rng: &mut impl Rng) -> f64 {
    if rate > 0.0 { exponential(1.0 / rate, rng) } else { NEVER_MS }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn a_donor_is_there_as_much_as_the_rates_say() {
        let (churn, mut rng) = (Churn::default(), StdRng::seed_from_u64(1));
        let (mut there, mut away) = (0.0, 0.0);
        for _ in 0..200_000 {
            let absence = churn.absence(0, None, &mut rng);
            there += absence.after_ms as f64;
            away += absence.length_ms as f64;
        }
        let share = there / (there + away);
        assert!((0.966..0.972).contains(&share), "{share}");
    }

    #[test]
    fn nights_begin_at_bedtime_and_are_slept_through() {
        let churn = Churn { short_per_day: 0.0, long_every_days: 1e9, nightly: 1.0, ..Churn::default() };
        let mut rng = StdRng::seed_from_u64(1);
        let bedtime = churn.bedtime_ms(&mut rng).expect("all switch off");
        let absence = churn.absence(bedtime + 1, Some(bedtime), &mut rng);
        assert_eq!(absence.after_ms, DAY_MS as u64 - 1);
        assert!((6.8 * HOUR_MS..9.2 * HOUR_MS).contains(&(absence.length_ms as f64)));
    }
}
