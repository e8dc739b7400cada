//! A network of its own for one point: `nodio up` in a temporary folder, `nodio bench` against it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::axis::Setting;
use super::child::Guarded;
use super::point::{Row, rows};

const UP_PATIENCE: Duration = Duration::from_secs(60);
/// Of all phases together, what must be written first included.
const BENCH_PATIENCE: Duration = Duration::from_secs(600);
const WARMUP_SHARE: f64 = 0.15;

pub(super) struct Network {
    up: Guarded,
    folder: TempDir,
}

impl Network {
    /// Starts the network and waits until it serves.
    pub(super) fn start(nodio: &Path, setting: &Setting) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("nodio-growth-").tempdir()?;
        let log = folder.path().join("up.log");
        let mut command = Command::new(nodio);
        command.arg("up").arg("--data").arg(folder.path().join("data"));
        command.args(["--listen", "127.0.0.1:0", "--coordinator-listen", "127.0.0.1:0"]);
        command.args(["--donors", &setting.donors.to_string(), "--code", setting.code]);
        let up = Guarded::spawn(&mut command, &log, &folder.path().join("up.err"))?;
        let mut network = Self { up, folder };
        let ready = || fs::read_to_string(&log).ok()?.lines().any(|line| line == "ready").then_some(());
        match network.up.until(UP_PATIENCE, ready)? {
            Some(()) => Ok(network),
            None => Err(network.up.failed(&network.file("up.err"))),
        }
    }

    /// The figures of each phase. Requests that failed are in them.
    pub(super) fn bench(&self, nodio: &Path, setting: &Setting) -> Result<Vec<Row>> {
        let Setting { size_bytes, concurrency, keys, phases, seconds, .. } = setting;
        let mut command = Command::new(nodio);
        // The bucket goes with the folder; to remove a million objects one by one would take as long as to write them.
        command
            .args(["bench", "--json", "--keep", "--list-keys", "1000", "--phases", phases])
            .arg("--data")
            .arg(self.file("data"));
        command.args(["--size", &size_bytes.to_string(), "--concurrency", &concurrency.to_string(), "--keys", &keys.to_string()]);
        command.args(["--seconds", &seconds.to_string(), "--warmup", &(seconds * WARMUP_SHARE).to_string()]);
        command.args(["--cpu-of", &self.up.pid().to_string()]);
        // It reads the endpoint from the folder only where the environment names none.
        command.env_remove("AWS_ENDPOINT_URL");
        let (out, err) = (self.file("bench.out"), self.file("bench.err"));
        let mut bench = Guarded::spawn(&mut command, &out, &err)?;
        bench.ended(BENCH_PATIENCE)?;
        let rows = rows(&fs::read_to_string(&out)?).context("`nodio bench` speaks in other words")?;
        ensure!(rows.len() == phases.split(',').count(), bench.failed(&err));
        Ok(rows)
    }

    /// Most memory that the network has held so far; `None` where there is no `/proc`.
    pub(super) fn peak_mib(&self) -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.up.pid())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
        Some((kib / 1024.0).round())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
