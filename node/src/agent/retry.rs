//! Waits between attempts: doubling, jittered, bounded.

use std::time::Duration;

use crate::limits::RETRY_MS;

pub(crate) struct Backoff {
    failures: u32,
    longest: Duration,
}

impl Backoff {
    pub(crate) fn new(longest: Duration) -> Self {
        Self { failures: 0, longest }
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next wait.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = delay(self.failures, self.longest);
        self.failures = self.failures.saturating_add(1);
        jittered(wait, rand::random())
    }

    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.next()).await;
    }
}

fn delay(failures: u32, longest: Duration) -> Duration {
    Duration::from_millis(RETRY_MS).saturating_mul(1 << failures.min(16)).min(longest)
}

/// Up to a tenth shorter, never longer: a beat that comes late looks like a beat missed. `random` is in `0.0..1.0`.
pub(crate) fn jittered(wait: Duration, random: f64) -> Duration {
    wait.mul_f64(1.0 - random / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let longest = Duration::from_secs(5);
        let waits: Vec<_> = (0..7).map(|failures| delay(failures, longest).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 5000, 5000]);
        assert_eq!(delay(u32::MAX, longest), longest);
        let mut backoff = Backoff::new(longest);
        backoff.next();
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(RETRY_MS));
    }

    #[test]
    fn jitter_only_shortens() {
        let wait = Duration::from_secs(10);
        assert_eq!(jittered(wait, 0.0), wait);
        assert!(jittered(wait, 0.999) >= Duration::from_secs(9));
    }
}
