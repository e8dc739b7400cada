//! Processor time of processes, as Linux tells it in /proc. Elsewhere there is none.

use std::time::Duration;

/// Linux counts it in hundredths of a second, wherever it is asked from a program.
const MS_PER_TICK: u64 = 10;

/// In user and system mode, of all threads of `process` ("self", or a number) so far.
pub(super) fn used(process: &str) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    ticks(&stat).map(|ticks| Duration::from_millis(ticks * MS_PER_TICK))
}

/// Of several together; `None` if one is gone.
pub(super) fn used_by_all(processes: &[u32]) -> Option<Duration> {
    processes.iter().map(|pid| used(&pid.to_string())).sum()
}

/// Fields 14 and 15; the second is a name that may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_whitespace().skip(11).map(str::parse::<u64>);
    Some(fields.next()?.ok()? + fields.next()?.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_any_name() {
        assert_eq!(ticks("12 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0"), Some(42));
        assert_eq!(ticks("12 (a) S 1"), None);
    }

    #[test]
    fn a_process_that_isnt_there_has_none() {
        assert_eq!(used("none"), None);
        assert_eq!(used_by_all(&[std::process::id(), u32::MAX]), None);
    }
}
