//! `cargo xtask growth`: what a request costs as a bucket, a network, an object, a crowd grows.
//!
//! ```text
//!   axis ── settings ──► network: `nodio up` of its own for each ── `nodio bench --json` ──► points ──► JSON lines, plot
//! ```
//! Promises: each point has a fresh network in a temporary folder, on ports that the system chose, and nothing else grows along; no child
//! outlives the run, also after ctrl-c; files are replaced only by a whole axis; a point with failed requests says so in both files.

mod axis;
mod child;
mod network;
mod plot;
mod point;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::run::{describe, shown};
pub use axis::Axis;
use network::Network;
use point::Point;

/// Where the figures are kept.
const FOLDER: &str = "docs/plots";

/// What was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Growth {
    axes: Vec<Axis>,
    /// Few, short points that show that it works and measure nothing: kept only where a folder is given.
    quick: bool,
    folder: Option<PathBuf>,
}

impl Growth {
    /// From the words behind `growth`; `None` where they make no sense.
    pub fn parse(words: &[&str]) -> Option<Self> {
        let mut growth = Self { axes: Axis::ALL.to_vec(), quick: false, folder: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--quick" => growth.quick = true,
                "--axis" => growth.axes = vec![Axis::named(words.next()?)?],
                "--folder" => growth.folder = Some(words.next()?.into()),
                _ => return None,
            }
        }
        Some(growth)
    }

    /// Builds `nodio`, measures, and writes what came of it.
    ///
    /// # Errors
    /// What kept an axis from being measured; with `quick` also a request that failed.
    pub fn run(&self, cargo: Command) -> Result<()> {
        let nodio = built(cargo)?;
        child::stop_on_signals()?;
        for axis in &self.axes {
            let points = measured(*axis, self.quick, &nodio)?;
            self.keep(*axis, &points)?;
            let failed = points.iter().filter(|point| point.row.errors > 0).count();
            ensure!(failed == 0 || !self.quick, "{failed} points of the axis {} had failed requests", axis.name());
        }
        Ok(())
    }

    fn keep(&self, axis: Axis, points: &[Point]) -> Result<()> {
        let plot = plot::plot(&axis, points);
        let folder = match (&self.folder, self.quick) {
            (Some(folder), _) => folder.as_path(),
            (None, false) => Path::new(FOLDER),
            (None, true) => return Ok(()),
        };
        fs::create_dir_all(folder).with_context(|| format!("can't create {}", folder.display()))?;
        let lines = points.iter().map(|point| Ok(serde_json::to_string(point)? + "\n")).collect::<Result<String>>()?;
        for (ending, text) in [("jsonl", lines), ("svg", plot)] {
            let path = folder.join(format!("growth-{}.{ending}", axis.name()));
            fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
            eprintln!("{}", path.display());
        }
        Ok(())
    }
}

/// Every point of an axis, told as it comes.
fn measured(axis: Axis, quick: bool, nodio: &Path) -> Result<Vec<Point>> {
    let mut points = Vec::new();
    for setting in axis.settings(quick) {
        let began = Instant::now();
        let network = Network::start(nodio, &setting)?;
        let rows = network.bench(nodio, &setting)?;
        let peak_mib = network.peak_mib();
        drop(network);
        for row in rows {
            let point = Point { axis: axis.name(), setting: setting.clone(), peak_mib, row };
            eprintln!("{}", point.told());
            points.push(point);
        }
        eprintln!("  {:.0} s", began.elapsed().as_secs_f64());
    }
    Ok(points)
}

/// The release build of `nodio`.
fn built(mut cargo: Command) -> Result<PathBuf> {
    cargo.args(["build", "--release", "--package", "nodio-cli", "--bin", "nodio", "--message-format", "json-render-diagnostics"]);
    let line = describe(&cargo);
    let told = shown(&mut cargo)?;
    let artifacts = told.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let executable = artifacts.filter_map(|artifact| Some(PathBuf::from(artifact.get("executable")?.as_str()?))).next_back();
    match executable {
        Some(path) if path.is_file() => Ok(path),
        _ => bail!("`{line}` named no executable"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_understood_or_refused() {
        let all = Growth::parse(&[]).unwrap();
        assert_eq!((all.axes.len(), all.quick, all.folder), (4, false, None));
        let one = Growth::parse(&["--axis", "donors", "--quick", "--folder", "/there"]).unwrap();
        assert_eq!((one.axes, one.quick, one.folder), (vec![Axis::Donors], true, Some("/there".into())));
        for bad in [&["--axis"][..], &["--axis", "weather"], &["--slow"], &["donors"]] {
            assert_eq!(Growth::parse(bad), None, "{bad:?}");
        }
    }
}
