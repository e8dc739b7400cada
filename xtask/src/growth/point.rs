//! A measured point: one line of JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::axis::Setting;

/// What `nodio bench --json` tells of a phase, as far as it is wanted here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) phase: String,
    pub(super) ops: u64,
    pub(super) ops_per_s: f64,
    pub(super) mb_per_s: f64,
    pub(super) p50_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    pub(super) max_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) first_byte_p50_ms: Option<f64>,
    #[serde(default)]
    pub(super) server_cpu_us_per_op: Option<f64>,
    pub(super) errors: u64,
    pub(super) errors_by_code: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Point {
    pub(super) axis: &'static str,
    #[serde(flatten)]
    pub(super) setting: Setting,
    /// Of the whole network, while it lived. `None` where the system doesn't tell.
    pub(super) peak_mib: Option<f64>,
    #[serde(flatten)]
    pub(super) row: Row,
}

impl Point {
    /// The line that the point lies on.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.row.phase, self.setting.series).trim_end().to_owned()
    }

    pub(super) fn cpu_us_per_mb(&self) -> Option<f64> {
        self.row.server_cpu_us_per_op.map(|cpu| cpu * 1e6 / self.setting.size_bytes as f64)
    }

    /// For whoever watches.
    pub(super) fn told(&self) -> String {
        let Row { ops_per_s, mb_per_s, errors, errors_by_code, .. } = &self.row;
        let figures = format!("{:>11} {:<12} {ops_per_s:>9.1}/s {mb_per_s:>8.1} MB/s", self.setting.x, self.line());
        let ms = self.row.p50_ms.map_or_else(String::new, |ms| format!(" {ms:>9.2} ms"));
        let failed = if *errors > 0 { format!("  {errors} FAILED {errors_by_code:?}") } else { String::new() };
        format!("{:<12}{figures}{ms}{failed}", self.axis)
    }
}

/// The rows of a run of `nodio bench`, those of preparations left out.
pub(super) fn rows(lines: &str) -> Result<Vec<Row>, serde_json::Error> {
    let rows = lines.lines().map(serde_json::from_str::<Row>).collect::<Result<Vec<_>, _>>()?;
    Ok(rows.into_iter().filter(|row| row.phase != "fill").collect())
}

#[cfg(test)]
pub(super) mod testing {
    use super::super::axis::Axis;
    use super::*;

    /// A point of the axis `objects`.
    pub(crate) fn point(x: u64, phase: &str, p50_ms: f64, errors: u64) -> Point {
        let setting = Setting { x, ..Axis::Objects.settings(true).remove(0) };
        let row = Row { phase: phase.into(), p50_ms: Some(p50_ms), errors, ..Row::default() };
        Point { axis: "objects", setting, peak_mib: Some(100.0), row }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::point;
    use super::*;

    #[test]
    fn rows_are_read_and_preparations_left_out() {
        let row = |phase: &str| {
            format!(
                "{{\"phase\":\"{phase}\",\"bucket\":\"b\",\"ops\":5,\"ops_per_s\":2.5,\"mb_per_s\":0.0,\"p50_ms\":1.5,\"p90_ms\":2,\
                 \"p99_ms\":null,\"max_ms\":3,\"errors\":1,\"errors_by_code\":{{\"SlowDown\":1}}}}\n"
            )
        };
        let rows = rows(&(row("fill") + &row("get"))).unwrap();
        assert_eq!((rows.len(), rows[0].phase.as_str(), rows[0].ops, rows[0].errors), (1, "get", 5, 1));
        assert!(super::rows("{\"phase\":\"get\"}").is_err());
    }

    #[test]
    fn a_point_with_errors_says_so() {
        let fine = point(10, "get", 1.0, 0);
        assert!(!fine.told().contains("FAILED") && point(10, "get", 1.0, 3).told().contains("3 FAILED"));
        let line = serde_json::to_value(&fine).unwrap();
        assert_eq!((&line["x"], &line["phase"], &line["errors"]), (&10.into(), &"get".into(), &0.into()));
    }
}
