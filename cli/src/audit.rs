//! `nodio audit`: has the donors prove every shard of some objects, now.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use nodio_wire::PartId;
use nodio_wire::api::{AuditAsk, AuditFinding, AuditPoll, AuditResult, AuditRun};
use nodio_wire::client::OperatorApi;
use nodio_wire::limits::PARTS_PER_ASK_MAX;
use serde::Serialize;

use crate::object_url::ObjectUrl;
use crate::objects::{Objects, Target, named, targets};
use crate::progress::Progress;
use crate::reach::Reach;
use crate::say::say;
use crate::words::{count, grouped};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to audit: s3://BUCKET, or s3://BUCKET/PREFIX for all keys that begin so. All versions are.
    url: ObjectUrl,
    /// Also name the objects whose shards all passed.
    #[arg(long)]
    all: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// What `--json` prints.
#[derive(Debug, Default, Serialize)]
struct Report {
    url: String,
    objects: u64,
    /// Those without shards: inline or empty.
    without_shards: u64,
    passed: u64,
    failed: u64,
    /// Their donors did not answer in time.
    offline: u64,
    /// Shards that did not pass; perhaps not all.
    findings: Vec<Finding>,
}

#[derive(Debug, Serialize)]
struct Finding {
    key: String,
    version: Option<String>,
    #[serde(flatten)]
    finding: AuditFinding,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let (config, api) = (args.reach.gateway()?, args.reach.operator()?);
    let mut report = Report { url: args.url.to_string(), ..Report::default() };
    let mut progress = Progress::new();
    let mut objects = Objects::under(&config, &args.url);
    while let Some(page) = objects.next().await? {
        let page: Vec<_> = page.into_iter().filter(|object| !object.delete_marker).collect();
        report.objects += page.len() as u64;
        report.without_shards += page.iter().filter(|object| object.parts.iter().all(|part| part.code.is_none())).count() as u64;
        for targets in targets(&page).chunks(PARTS_PER_ASK_MAX) {
            let run = audit(&api, targets, &report, &mut progress).await?;
            progress.wipe();
            if !args.json {
                say(&lines(&args.url, targets, &run, args.all));
            }
            report.take(targets, run, args.json);
        }
    }
    if report.objects == 0 {
        bail!("there is no object under {}", args.url);
    }
    say(&if args.json { serde_json::to_string_pretty(&report)? + "\n" } else { report.summary() });
    if report.failed > 0 {
        bail!("{} did not pass", count(report.failed, "shard"));
    }
    Ok(())
}

/// One run, from its start until all donors have answered or had their time.
async fn audit(api: &OperatorApi, targets: &[Target], before: &Report, progress: &mut Progress) -> Result<AuditRun> {
    let parts = targets.iter().map(|target| target.part).collect();
    let mut run = api.audit(&AuditAsk { parts }).await?;
    while run.pending > 0 {
        let (done, failed) = (before.answered() + answered(&run), before.failed + run.failed);
        progress.show(&format!("audited {}, {} to come, {failed} failed", count(done, "shard"), grouped(run.pending)));
        progress.pause().await;
        let was = run.pending;
        run = api.audit_progress(&AuditPoll { run: run.run }).await.context("the audit was cut off")?;
        if run.pending != was {
            progress.moved();
        }
    }
    Ok(run)
}

fn answered(run: &AuditRun) -> u64 {
    run.passed + run.failed + run.offline
}

impl Report {
    fn answered(&self) -> u64 {
        self.passed + self.failed + self.offline
    }

    fn take(&mut self, targets: &[Target], run: AuditRun, keep: bool) {
        self.passed += run.passed;
        self.failed += run.failed;
        self.offline += run.offline;
        if keep {
            let of: HashMap<PartId, &Target> = targets.iter().map(|target| (target.part, target)).collect();
            let known = run.findings.into_iter().filter_map(|finding| Some((*of.get(&finding.segment.part)?, finding)));
            let named =
                known.map(|(target, finding)| Finding { key: target.key.clone(), version: target.version.clone(), finding });
            self.findings.extend(named);
        }
    }

    fn summary(&self) -> String {
        let shards = count(self.answered(), "shard");
        let objects = count(self.objects, "object");
        let mut text = format!("audited {shards} of {objects}: {} passed", grouped(self.passed));
        if self.failed > 0 {
            text += &format!(", {} failed (forgotten there, and rebuilt elsewhere)", grouped(self.failed));
        }
        if self.offline > 0 {
            text += &format!(", {} not answered in time", grouped(self.offline));
        }
        if self.without_shards > 0 {
            text += &format!("; {} without shards", grouped(self.without_shards));
        }
        text + "\n"
    }
}

/// The shards that did not pass, by object; with `all` also the objects where all did.
fn lines(url: &ObjectUrl, targets: &[Target], run: &AuditRun, all: bool) -> String {
    let mut by_part: HashMap<PartId, Vec<&AuditFinding>> = HashMap::new();
    let not_passed = run.findings.iter().filter(|finding| finding.result != AuditResult::Passed);
    not_passed.for_each(|finding| by_part.entry(finding.segment.part).or_default().push(finding));
    let mut out = String::new();
    for target in targets {
        let name = named(url, &target.key, target.version.as_deref());
        match by_part.get(&target.part) {
            Some(findings) => findings.iter().for_each(|finding| out += &line(&name, finding)),
            None if all => out += &format!("ok       {name}   {}\n", count(target.shards, "shard")),
            None => {}
        }
    }
    let untold = (run.failed + run.offline).saturating_sub(run.findings.len() as u64);
    if untold > 0 {
        out += &format!("... and {} more\n", grouped(untold));
    }
    out
}

fn line(name: &str, finding: &AuditFinding) -> String {
    let result = match finding.result {
        AuditResult::Passed => "ok     ",
        AuditResult::Failed => "FAILED ",
        AuditResult::Offline => "offline",
    };
    let AuditFinding { segment, position, node, .. } = finding;
    format!("{result}  {name}   segment {}, shard {position}, donor {node}\n", segment.index)
}

#[cfg(test)]
mod tests {
    use nodio_wire::{NodeId, SegmentId, ShardId};

    use super::*;

    fn target(part: u8, key: &str) -> Target {
        Target { part: PartId([part; 16]), segments: 2, shards: 12, key: key.into(), version: None }
    }

    fn finding(part: u8, index: u32, result: AuditResult) -> AuditFinding {
        let segment = SegmentId { part: PartId([part; 16]), index };
        AuditFinding { segment, position: 3, shard: ShardId([9; 32]), node: NodeId(7), result }
    }

    fn run() -> AuditRun {
        let findings = vec![finding(2, 0, AuditResult::Failed), finding(2, 1, AuditResult::Offline)];
        AuditRun { run: 1, pending: 0, passed: 22, failed: 1, offline: 2, findings }
    }

    #[test]
    fn what_did_not_pass_is_told_shard_by_shard() {
        let (url, targets) = ("s3://b/k".parse().unwrap(), [target(1, "k1"), target(2, "k2")]);
        let told = "\
FAILED   s3://b/k2   segment 0, shard 3, donor 7
offline  s3://b/k2   segment 1, shard 3, donor 7
... and 1 more
";
        assert_eq!(lines(&url, &targets, &run(), false), told);
        assert_eq!(lines(&url, &targets, &run(), true), format!("ok       s3://b/k1   12 shards\n{told}"));
    }

    #[test]
    fn the_summary_adds_up() {
        let mut report = Report { objects: 3, without_shards: 1, ..Report::default() };
        report.take(&[target(2, "k2")], run(), true);
        let told = "audited 25 shards of 3 objects: 22 passed, 1 failed (forgotten there, and rebuilt elsewhere), 2 not answered in time; 1 without shards\n";
        assert_eq!(report.summary(), told);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((&json["findings"][0]["key"], &json["findings"][0]["result"]), (&"k2".into(), &"failed".into()));
        let fine = Report { objects: 1, passed: 6, ..Report::default() };
        assert_eq!(fine.summary(), "audited 6 shards of 1 object: 6 passed\n");
    }
}
