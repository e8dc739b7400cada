//! What a simulated day, and a whole run, came to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Counts of the day under way.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub went_away: u64,
    pub given_up: u64,
    /// Ever.
    pub lost: u64,
    pub unreadable_minutes: u64,
    pub segments: u64,
    pub urgent: u64,
    pub shards: u64,
    pub bytes: u64,
    /// Segments that were looked at, and how long some of them took.
    pub decided: u64,
    pub timed_ns: Vec<u64>,
}

impl Tally {
    pub(super) fn timed(&mut self, took: Duration) {
        self.timed_ns.push(took.as_nanos() as u64);
    }
}

/// The middle one: a machine with other work to do makes a few samples very long.
pub(super) fn median(mut values: Vec<u64>) -> u64 {
    let middle = values.len() / 2;
    if values.is_empty() { 0 } else { *values.select_nth_unstable(middle).1 }
}

/// One simulated day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Day {
    pub day: u32,
    /// Donors that aren't dead, and those the coordinator takes for live, at the day's end.
    pub donors: usize,
    pub donors_live: usize,
    /// Donors that went Offline, and that were given up for Lost.
    pub went_away: u64,
    pub given_up: u64,
    /// Segments lost for ever, since the beginning.
    pub lost: u64,
    /// Segments with fewer than `k` live shards at the day's end, not lost; and the minutes that segments were so, all together.
    pub unreadable: u64,
    pub unreadable_minutes: u64,
    /// Segments by the live shards they can spare, none first, at the day's end.
    pub by_spare: Vec<u64>,
    /// Segments that wait to be mended at the day's end.
    pub queued: usize,
    pub repaired_segments: u64,
    /// Of those, mended at once: at or under `k + emergency_margin` live shards.
    pub urgent_segments: u64,
    pub repaired_shards: u64,
    pub repair_bytes: u64,
    /// Planning one segment: what it needs, its sources, its receivers; the median.
    pub plan_ns: u64,
}

/// A whole run.
#[derive(Debug, Clone)]
pub struct Report {
    pub title: String,
    pub donors: u32,
    pub segments: u32,
    pub wall_s: f64,
    /// Resident memory of the coordinator's state with all donors in it.
    pub state_bytes: u64,
    /// Resident memory of that and of the filled map.
    pub filled_bytes: u64,
    /// The simulation's own: rows, counts, donors' lists.
    pub layout_bytes: [usize; 3],
    /// A row of the map as it is stored.
    pub row_bytes: usize,
    /// Granting, settling and counting one segment.
    pub grant_ns: f64,
    /// Looking at every donor's silence once, microseconds.
    pub advance_us: f64,
    pub days: Vec<Day>,
}

/// The last line of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    pub settings: String,
    pub donors: u32,
    pub segments: u32,
    pub days: usize,
    pub lost: u64,
    /// Mean time a segment was unreadable in a year, seconds.
    pub unreadable_s_per_segment_year: f64,
    pub given_up: u64,
    pub repaired_segments: u64,
    pub urgent_segments: u64,
    pub repaired_shards: u64,
    /// Mean bandwidth that repairs take of each donor, kilobits per second, downwards.
    pub repair_kbit_per_donor: f64,
    pub queued_max: usize,
    pub plan_ns: u64,
    pub grant_ns: f64,
    pub advance_us: f64,
    pub state_bytes: u64,
    pub state_bytes_per_segment: f64,
    pub simulation_bytes_per_segment: f64,
    pub row_bytes: usize,
    pub wall_s: f64,
}

impl Report {
    pub fn summary(&self) -> Summary {
        let sum = |of: fn(&Day) -> u64| self.days.iter().map(of).sum::<u64>();
        let (days, segments) = (self.days.len().max(1) as f64, f64::from(self.segments));
        let seconds = days * 86_400.0;
        Summary {
            settings: self.title.clone(),
            donors: self.donors,
            segments: self.segments,
            days: self.days.len(),
            lost: self.days.last().map_or(0, |day| day.lost),
            unreadable_s_per_segment_year: sum(|day| day.unreadable_minutes) as f64 * 60.0 / segments * 365.0 / days,
            given_up: sum(|day| day.given_up),
            repaired_segments: sum(|day| day.repaired_segments),
            urgent_segments: sum(|day| day.urgent_segments),
            repaired_shards: sum(|day| day.repaired_shards),
            repair_kbit_per_donor: sum(|day| day.repair_bytes) as f64 * 8.0 / 1000.0 / seconds / f64::from(self.donors),
            queued_max: self.days.iter().map(|day| day.queued).max().unwrap_or(0),
            plan_ns: median(self.days.iter().map(|day| day.plan_ns).filter(|ns| *ns > 0).collect()),
            grant_ns: self.grant_ns,
            advance_us: self.advance_us,
            state_bytes: self.state_bytes,
            state_bytes_per_segment: self.state_bytes as f64 / segments,
            simulation_bytes_per_segment: self.layout_bytes.iter().sum::<usize>() as f64 / segments,
            row_bytes: self.row_bytes,
            wall_s: self.wall_s,
        }
    }
}

/// Resident memory of this process, bytes; 0 where the system doesn't say.
pub(super) fn memory_bytes() -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * PAGE_BYTES
}
