//! The figures of a phase, for people as a row and for programs as a line of JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::phase::{Outcome, Tally};

/// Wide enough for every figure, so that rows can be printed as they come.
const COLUMNS: [(&str, usize); 9] = [
    ("OPS", 9),
    ("OPS/S", 9),
    ("MB/S", 8),
    ("P50 ms", 9),
    ("P90 ms", 9),
    ("P99 ms", 9),
    ("MAX ms", 9),
    ("FIRST ms", 9),
    ("ERRORS", 7),
];
const NAME_WIDTH: usize = 9;

/// What one phase, or one kind of request in it, came to. A megabyte is 10^6 bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Figures {
    pub(super) ops: u64,
    pub(super) ops_per_s: f64,
    pub(super) mb_per_s: f64,
    /// Of successes, from the first byte sent to the last received. `None` without any.
    pub(super) p50_ms: Option<f64>,
    pub(super) p90_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    pub(super) max_ms: Option<f64>,
    /// Until the first byte of a body, where requests ask for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_byte_p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_byte_p99_ms: Option<f64>,
    pub(super) errors: u64,
    pub(super) errors_by_code: BTreeMap<String, u64>,
}

/// One phase.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Row {
    pub(super) phase: &'static str,
    pub(super) bucket: String,
    pub(super) size_bytes: u64,
    pub(super) concurrency: usize,
    /// Objects in the bucket when it began.
    pub(super) keys: usize,
    pub(super) seconds: f64,
    #[serde(flatten)]
    pub(super) figures: Figures,
    /// Where there are several kinds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) by_kind: BTreeMap<&'static str, Figures>,
    /// Processor time per request, warm-up included: of this program, and of the processes that were named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_cpu_us_per_op: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) server_cpu_us_per_op: Option<f64>,
}

impl Figures {
    fn new(tally: &Tally, seconds: f64) -> Self {
        let per_s = |amount: f64| if seconds > 0.0 { rounded(amount / seconds) } else { 0.0 };
        Self {
            ops: tally.ops,
            ops_per_s: per_s(tally.share),
            mb_per_s: per_s(tally.bytes / 1e6),
            p50_ms: tally.latency.quantile_ms(0.5).map(rounded),
            p90_ms: tally.latency.quantile_ms(0.9).map(rounded),
            p99_ms: tally.latency.quantile_ms(0.99).map(rounded),
            max_ms: tally.latency.max_ms().map(rounded),
            first_byte_p50_ms: tally.first.quantile_ms(0.5).map(rounded),
            first_byte_p99_ms: tally.first.quantile_ms(0.99).map(rounded),
            errors: tally.error_count(),
            errors_by_code: tally.errors.clone(),
        }
    }

    fn cells(&self) -> [String; 9] {
        let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), short);
        [
            self.ops.to_string(),
            short(self.ops_per_s),
            if self.mb_per_s > 0.0 { short(self.mb_per_s) } else { "-".into() },
            ms(self.p50_ms),
            ms(self.p90_ms),
            ms(self.p99_ms),
            ms(self.max_ms),
            ms(self.first_byte_p50_ms),
            self.errors.to_string(),
        ]
    }

    fn line(&self, name: &str) -> String {
        let cells = COLUMNS.iter().zip(self.cells()).map(|((_, width), cell)| format!(" {cell:>width$}"));
        format!("{name:NAME_WIDTH$}{}\n", cells.collect::<String>())
    }
}

/// Processor time of the client and, if asked for, of servers, during a phase.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cpu {
    pub(super) client: Option<Duration>,
    pub(super) servers: Option<Duration>,
}

impl Cpu {
    /// What was used since `before`.
    pub(super) fn since(self, before: Self) -> Self {
        let less = |now: Option<Duration>, then: Option<Duration>| now.zip(then).map(|(now, then)| now.saturating_sub(then));
        Self { client: less(self.client, before.client), servers: less(self.servers, before.servers) }
    }
}

impl Row {
    /// The rest is to be told by who ran the phase.
    pub(super) fn new(phase: &'static str, outcome: &Outcome, cpu: Cpu) -> Self {
        let mut all = Tally::default();
        outcome.by_kind.values().for_each(|tally| all.merge(tally));
        let kinds = outcome.by_kind.iter().map(|(kind, tally)| (kind.name(), Figures::new(tally, outcome.seconds)));
        let per_op = |cpu: Duration| (all.asked > 0).then(|| rounded(cpu.as_secs_f64() * 1e6 / all.asked as f64));
        Self {
            phase,
            seconds: rounded(outcome.seconds),
            figures: Figures::new(&all, outcome.seconds),
            by_kind: if outcome.by_kind.len() > 1 { kinds.collect() } else { BTreeMap::new() },
            client_cpu_us_per_op: cpu.client.and_then(per_op),
            server_cpu_us_per_op: cpu.servers.and_then(per_op),
            ..Self::default()
        }
    }

    /// The row, one for each kind where there are several, and the errors by their code.
    pub(super) fn text(&self) -> String {
        let mut text = self.figures.line(self.phase);
        self.by_kind.iter().for_each(|(kind, figures)| text.push_str(&figures.line(&format!("  {kind}"))));
        let errors: Vec<_> = self.figures.errors_by_code.iter().map(|(code, count)| format!("{count} {code}")).collect();
        if !errors.is_empty() {
            text.push_str(&format!("  errors: {}\n", errors.join(", ")));
        }
        text
    }
}

/// The names of the columns.
pub(super) fn head() -> String {
    let cells = COLUMNS.iter().map(|(name, width)| format!(" {name:>width$}"));
    format!("{:NAME_WIDTH$}{}\n", "PHASE", cells.collect::<String>())
}

/// Nothing here is good to more than three digits behind the point.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn short(value: f64) -> String {
    match value {
        value if value >= 99.95 => format!("{value:.0}"),
        value if value >= 9.995 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::work::Kind;
    use super::*;

    fn tally(ops: u64, ms: u64) -> Tally {
        let mut tally = Tally { ops, share: ops as f64, bytes: ops as f64 * 1e6, asked: ops, ..Tally::default() };
        (0..ops).for_each(|_| tally.latency.record(Duration::from_millis(ms)));
        tally
    }

    fn outcome() -> Outcome {
        let mut put = tally(2, 100);
        put.errors.insert("SlowDown".into(), 3);
        Outcome { seconds: 2.0, by_kind: [(Kind::Get, tally(8, 1)), (Kind::Put, put)].into(), objects: Vec::new() }
    }

    #[test]
    fn a_phase_of_several_kinds_is_told_whole_and_by_kind() {
        let cpu = Cpu { client: Some(Duration::from_millis(1)), servers: None };
        let row = Row { concurrency: 4, ..Row::new("mixed", &outcome(), cpu) };
        let expected = "\
PHASE           OPS     OPS/S     MB/S    P50 ms    P90 ms    P99 ms    MAX ms  FIRST ms  ERRORS
mixed            10      5.00     5.00      1.00       100       100       100         -       3
  get             8      4.00     4.00      1.00      1.00      1.00      1.00         -       0
  put             2      1.00     1.00       100       100       100       100         -       3
  errors: 3 SlowDown
";
        assert_eq!(head() + &row.text(), expected);
        let json = serde_json::to_value(&row).unwrap();
        assert_eq!((&json["phase"], &json["ops"], &json["concurrency"]), (&"mixed".into(), &10.into(), &4.into()));
        assert_eq!((&json["errors_by_code"]["SlowDown"], &json["by_kind"]["get"]["ops"]), (&3.into(), &8.into()));
        assert_eq!(json["client_cpu_us_per_op"], 100.0);
        assert!(json.get("server_cpu_us_per_op").is_none() && json.get("first_byte_p50_ms").is_none());
    }

    #[test]
    fn a_phase_without_an_answer_has_no_latency() {
        let row = Row::new("get", &Outcome::default(), Cpu::default());
        assert!(row.text().contains(" - "));
        let json = serde_json::to_value(&row).unwrap();
        assert!(json["p50_ms"].is_null() && json["ops_per_s"] == 0.0 && json.get("by_kind").is_none());
    }
}
