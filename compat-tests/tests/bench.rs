//! `nodio bench` against a network of real processes: every phase without an error, and nothing left behind, also after ctrl-c.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nodio_compat_tests::data::Data;
use nodio_compat_tests::process::{Captured, Process, binary, run_captured};
use nodio_compat_tests::s3::{AccessKey, Call, S3};
use nodio_compat_tests::wait;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(90);
const PHASES: [&str; 7] = ["put", "get", "range", "head", "list", "mixed", "delete"];

/// A `nodio up` that lives as long as this.
struct Up {
    folder: tempfile::TempDir,
    _process: Process,
}

impl Up {
    async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (data, log) = (folder.path().join("data"), folder.path().join("up.log"));
        let mut command = Command::new(binary("nodio")?);
        command.env_clear().env("NODIO_LOG", "warn").args(["up", "--no-fsync", "--region", "elsewhere", "--data"]).arg(&data);
        command.args(["--listen", "127.0.0.1:0", "--coordinator-listen", "127.0.0.1:0"]);
        let mut process = Process::spawn("nodio up", &mut command, &log)?;
        wait::until("nodio up is ready", PATIENCE, async || {
            process.check_alive()?;
            ensure!(fs::read_to_string(&log)?.lines().any(|line| line == "ready"));
            Ok(())
        })
        .await?;
        Ok(Self { folder, _process: process })
    }

    /// `nodio bench` with nothing but the folder to know the endpoint from.
    fn bench(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(binary("nodio")?);
        command.env_clear().args(["bench", "--data"]).arg(self.folder.path().join("data")).args(words);
        Ok(command)
    }

    fn run(&self, words: &[&str]) -> Result<Captured> {
        run_captured(&mut self.bench(words)?, PATIENCE)
    }

    fn environment(&self) -> Result<BTreeMap<String, String>> {
        let text = fs::read_to_string(self.folder.path().join("data/aws.env"))?;
        let pairs = text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        Ok(pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect())
    }

    fn s3(&self) -> Result<S3> {
        let environment = self.environment()?;
        let value = |name: &str| environment.get(name).cloned().with_context(|| format!("no {name}"));
        let key = AccessKey { id: value("AWS_ACCESS_KEY_ID")?, secret: value("AWS_SECRET_ACCESS_KEY")? };
        S3::new(value("AWS_ENDPOINT_URL")?, &value("AWS_REGION")?, key)
    }
}

/// The names of all buckets.
async fn buckets(s3: &S3) -> Result<Vec<String>> {
    let page = s3.send(Call::new("GET", "/")).await?.error_for_status()?.text().await?;
    Ok(page.split("<Name>").skip(1).filter_map(|rest| Some(rest.split_once('<')?.0.to_owned())).collect())
}

fn lines(text: &str) -> Result<Vec<Value>> {
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_phase_runs_without_an_error_and_leaves_nothing() -> Result<()> {
    let up = Up::start().await?;
    let s3 = up.s3()?;
    s3.must_put("my-bucket", "kept", Data::new(1, 100_000)).await?;
    for size in ["700", "4KiB", "150000"] {
        let words =
            ["--json", "--verify", "--sign-payload", "--size", size, "--seconds", "1", "--warmup", "0.2", "--keys", "100"];
        let rows = lines(&up.run(&[&words[..], &["--range", "500", "-c", "4"]].concat())?.ok()?)?;
        let names: Vec<_> = rows.iter().filter_map(|row| row["phase"].as_str()).filter(|name| *name != "fill").collect();
        ensure!(names == PHASES, "{names:?}");
        for row in &rows {
            ensure!(row["errors"] == 0 && row["ops"].as_u64() > Some(0) && row["p50_ms"].as_f64() > Some(0.0), "{row}");
            ensure!(
                row["p50_ms"].as_f64() <= row["p99_ms"].as_f64() && row["p99_ms"].as_f64() <= row["max_ms"].as_f64(),
                "{row}"
            );
        }
        ensure!(rows.iter().find(|row| row["phase"] == "mixed").is_some_and(|row| row["by_kind"]["delete"]["errors"] == 0));
        ensure!(buckets(&s3).await? == ["my-bucket"], "{:?}", buckets(&s3).await?);
    }
    s3.must_read("my-bucket", "kept", Data::new(1, 100_000)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_is_kept_and_a_kept_bucket_stays() -> Result<()> {
    let up = Up::start().await?;
    let words = ["--phases", "get,delete", "--count", "50", "--keys", "120", "--warmup", "0", "--keep"];
    let rows = lines(&up.run(&[&words[..], &["--json"]].concat())?.ok()?)?;
    let told: Vec<_> = rows.iter().map(|row| (row["phase"].as_str(), row["ops"].as_u64(), row["keys"].as_u64())).collect();
    ensure!(
        told == [(Some("fill"), Some(120), Some(0)), (Some("get"), Some(50), Some(120)), (Some("delete"), Some(50), Some(120))]
    );
    let bucket = rows[0]["bucket"].as_str().context("no bucket")?;
    let page = up.s3()?.send(Call::new("GET", format!("/{bucket}?list-type=2"))).await?.error_for_status()?.text().await?;
    ensure!(page.matches("<Key>").count() == 70, "{page}");
    let table = up.run(&["--phases", "put", "--count", "3", "--warmup", "0"])?.ok()?;
    ensure!(table.lines().count() == 3 && table.contains("PHASE"), "{table}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_leaves_no_bucket() -> Result<()> {
    let up = Up::start().await?;
    let s3 = up.s3()?;
    let log = up.folder.path().join("bench.log");
    for size in ["4KiB", "64MiB"] {
        let words = ["--phases", "put", "--seconds", "600", "--warmup", "0", "--size", size, "-c", "4"];
        let mut process = Process::spawn("nodio bench", &mut up.bench(&words)?, &log)?;
        wait::until("the bucket holds something, or is being written to", PATIENCE, async || {
            process.check_alive()?;
            ensure!(buckets(&s3).await?.len() == 2);
            Ok(())
        })
        .await?;
        // Something under way, so that it can be broken off.
        tokio::time::sleep(Duration::from_millis(200)).await;
        ensure!(Command::new("kill").args(["-INT", &process.pid().to_string()]).status()?.success());
        let ended = wait::until("it ends", PATIENCE, async || process.try_ended()?.context("it still runs")).await?;
        ensure!(ended.code() == Some(1), "{ended}");
        ensure!(buckets(&s3).await? == ["my-bucket"], "{:?}", buckets(&s3).await?);
    }
    let said = fs::read_to_string(&log)?;
    ensure!(said.matches("nodio: interrupted\n").count() == 2, "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_or_a_dead_endpoint_is_one_line() -> Result<()> {
    let up = Up::start().await?;
    let endpoint = up.environment()?.remove("AWS_ENDPOINT_URL").context("no endpoint")?;
    let stranger = ["--region", "elsewhere", "--access-key", "nobody", "--secret-key", "none"];
    let refused = up.run(&[&["--endpoint", &endpoint], &stranger[..]].concat())?;
    ensure!(refused.status.code() == Some(1) && refused.stdout.is_empty(), "{refused:?}");
    ensure!(refused.stderr.lines().count() == 1 && refused.stderr.contains("InvalidAccessKeyId"), "{refused:?}");
    let dead = up.run(&[&["--endpoint", "http://127.0.0.1:1"], &stranger[..]].concat())?;
    ensure!(dead.status.code() == Some(1) && dead.stderr.contains("unreachable"), "{dead:?}");
    Ok(())
}
