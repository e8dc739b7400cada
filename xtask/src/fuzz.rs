//! `cargo xtask fuzz`: every target of `fuzz/`, with the compiler that is at hand.
//!
//! libFuzzer needs of the compiler only coverage counters, which the stable one makes. cargo-fuzz and a nightly one add sanitizers, which
//! look for what code without `unsafe` can't do.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::{run, shown};

/// What cargo-fuzz sets, but for the sanitizers.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// One input at most, seconds and MiB of memory.
const BOUNDS: [&str; 2] = ["-timeout=10", "-rss_limit_mb=1024"];

/// How long each target runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Always the same inputs, so many of them: what a test needs.
    Inputs(u32),
    /// Other inputs each time, for so many seconds.
    Seconds(u32),
}

impl Length {
    fn words(self) -> Vec<String> {
        match self {
            Self::Inputs(count) => vec![format!("-runs={count}"), "-seed=1".to_owned()],
            Self::Seconds(seconds) => vec![format!("-max_total_time={seconds}")],
        }
    }
}

/// Builds the targets of the checkout `root` and runs each over its seeds and what it makes of them. An input that breaks a promise is kept
/// in `fuzz/artifacts`.
///
/// # Errors
/// A target that doesn't build, or the first one that found something.
pub fn fuzz(root: &Path, cargo: impl Fn() -> Command, length: Length) -> Result<()> {
    let host = host(cargo())?;
    let folder = root.join("fuzz");
    let manifest = folder.join("Cargo.toml");
    // With a target named, the flags are not those of build scripts.
    let mut build = cargo();
    build.args(["build", "--bins", "--target", &host, "--message-format", "json-render-diagnostics"]);
    let said = shown(build.arg("--manifest-path").arg(&manifest).env("RUSTFLAGS", FLAGS))?;
    let artifacts = folder.join("artifacts");
    fs::create_dir_all(&artifacts)?;
    let programs = programs(&said)?;
    if programs.is_empty() {
        bail!("{} has no targets", manifest.display());
    }
    for (name, program) in programs {
        let found = tempfile::tempdir()?;
        let mut command = Command::new(program);
        command.args(BOUNDS).args(length.words()).arg("-verbosity=0").args(["-print_final_stats=1", "-print_funcs=0"]);
        command.arg(format!("-artifact_prefix={}/{name}-", artifacts.display()));
        run(command.arg(found.path()).arg(folder.join("seeds").join(&name)))?;
    }
    Ok(())
}

/// The triple that the compiler builds for.
fn host(mut cargo: Command) -> Result<String> {
    let said = shown(cargo.arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: ")).context("cargo doesn't say its host")?;
    Ok(host.to_owned())
}

/// The names and paths of the programs that cargo says it built.
fn programs(said: &str) -> Result<Vec<(String, String)>> {
    let mut programs = Vec::new();
    for line in said.lines() {
        let message: serde_json::Value = serde_json::from_str(line).context("cargo said something that is no JSON")?;
        if let (Some(path), Some(name)) = (message["executable"].as_str(), message["target"]["name"].as_str()) {
            programs.push((name.to_owned(), path.to_owned()));
        }
    }
    programs.sort();
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_runs_the_same_inputs_each_time() {
        assert_eq!(Length::Inputs(7).words(), ["-runs=7", "-seed=1"]);
        assert_eq!(Length::Seconds(9).words(), ["-max_total_time=9"]);
    }

    #[test]
    fn programs_are_what_cargo_says_it_built() {
        let said = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"xml"},"executable":"/t/xml"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"library"},"executable":null}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(programs(said).unwrap(), [("xml".to_owned(), "/t/xml".to_owned())]);
        assert!(programs("warning: not JSON").is_err());
    }
}
