//! `nodio repair`: has everything missing of some objects rebuilt now, and watches until it is.
//!
//! ```text
//!   objects ─► ask the coordinator to mend their parts ─► segments that are not full ─► look again and again ─► full, or stuck
//! ```

mod watch;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use nodio_wire::api::{Inspect, RepairAsk, RepairRun, SegmentView};
use nodio_wire::client::OperatorApi;
use nodio_wire::limits::{PARTS_PER_ASK_MAX, SEGMENTS_PER_CALL_MAX};
use serde::Serialize;
use tokio::time::Instant;

use crate::object_url::ObjectUrl;
use crate::objects::{Objects, Target, targets};
use crate::progress::Progress;
use crate::reach::Reach;
use crate::say::say;
use crate::words::{count, grouped};
use watch::{Left, Watch, Why};

/// Segments named of those left.
const NAMED_MAX: usize = 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to mend: s3://BUCKET, or s3://BUCKET/PREFIX for all keys that begin so. All versions are.
    url: ObjectUrl,
    /// Ask for it and don't wait.
    #[arg(long)]
    no_wait: bool,
    /// Give up when no shard came back for so long, seconds.
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    patience: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    url: String,
    segments: u64,
    queued: u64,
    /// Of these, those whose donors were not heard lately: what is missing of them isn't known yet.
    unheard: u64,
    /// Segments that are not full, and why; none with `--no-wait`.
    left: Vec<Left>,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let api = args.reach.operator()?;
    let mut progress = Progress::new();
    let (asked, mut watch) = ask(&args, &api, &mut progress).await?;
    let queued = queued(&asked);
    if !args.json {
        progress.wipe();
        say(&format!("{queued}\n"));
    }
    if !args.no_wait {
        wait(&api, &mut watch, Duration::from_secs(args.patience), &mut progress).await?;
    }
    let domains = if watch.is_done() { 0 } else { domains(&api).await? };
    progress.wipe();
    let RepairRun { segments, queued, unheard } = asked;
    let report = Report { url: args.url.to_string(), segments, queued, unheard, left: watch.left(domains) };
    say(&if args.json { serde_json::to_string_pretty(&report)? + "\n" } else { render(&args, &report) });
    match report.left.len() {
        0 => Ok(()),
        left => bail!("{} not full", count(left as u64, "segment")),
    }
}

fn queued(asked: &RepairRun) -> String {
    let queued = format!("{} of {} queued for repair", grouped(asked.queued), count(asked.segments, "segment"));
    match asked.unheard {
        0 => queued,
        unheard => format!("{queued}; donors of {} were not heard lately, it is mended once that is known", grouped(unheard)),
    }
}

/// Has all of it queued, and finds what isn't full.
async fn ask(args: &Args, api: &OperatorApi, progress: &mut Progress) -> Result<(RepairRun, Watch)> {
    let config = args.reach.gateway()?;
    let mut asked = RepairRun { segments: 0, queued: 0, unheard: 0 };
    let mut watch = Watch::default();
    let (mut objects, mut found) = (Objects::under(&config, &args.url), 0);
    while let Some(page) = objects.next().await? {
        found += page.len();
        for targets in targets(&page).chunks(PARTS_PER_ASK_MAX) {
            let parts = targets.iter().map(|target| target.part).collect();
            let run = api.repair(&RepairAsk { parts }).await?;
            asked.segments += run.segments;
            asked.queued += run.queued;
            asked.unheard += run.unheard;
            progress.show(&format!("asked for {}", count(asked.segments, "segment")));
            for target in targets.iter().filter(|_| !args.no_wait) {
                look_over(api, &args.url, target, &mut watch).await?;
            }
        }
    }
    match found {
        0 => bail!("there is no object under {}", args.url),
        _ => Ok((asked, watch)),
    }
}

/// Enters the segments of a part that are not full.
async fn look_over(api: &OperatorApi, url: &ObjectUrl, target: &Target, watch: &mut Watch) -> Result<()> {
    let mut first = 0;
    while first < target.segments {
        let count = (target.segments - first).min(SEGMENTS_PER_CALL_MAX as u32);
        let views = inspect(api, Inspect { part: target.part, first, count }).await?;
        views.iter().for_each(|view| watch.enter(&url.with_key(&target.key).to_string(), view));
        first += count;
    }
    Ok(())
}

async fn inspect(api: &OperatorApi, ask: Inspect) -> Result<Vec<SegmentView>> {
    api.inspect(&ask).await.context("can't ask for the segments")
}

/// Looks again and again, until all is full or nothing moves any more.
async fn wait(api: &OperatorApi, watch: &mut Watch, patience: Duration, progress: &mut Progress) -> Result<()> {
    let mut moved = Instant::now();
    while watch.is_hopeful() && moved.elapsed() < patience {
        progress.show(&watch.line());
        progress.pause().await;
        let before = watch.live();
        for ask in watch.asks() {
            watch.update(ask, &inspect(api, ask).await?);
        }
        if watch.live() != before {
            moved = Instant::now();
            progress.moved();
        }
    }
    Ok(())
}

/// Failure domains with a donor that takes shards now.
async fn domains(api: &OperatorApi) -> Result<usize> {
    let status = api.status().await?;
    let taking = status.nodes.iter().filter(|node| crate::status::takes_shards(node));
    Ok(taking.map(|node| &node.domain).collect::<std::collections::HashSet<_>>().len())
}

fn render(args: &Args, report: &Report) -> String {
    if args.no_wait {
        return String::new();
    }
    if report.left.is_empty() {
        return match report.unheard {
            0 => "every segment is full\n".to_owned(),
            unheard => format!("{} may not be full: ask again when all donors were heard\n", count(unheard, "segment")),
        };
    }
    let mut out: String = report.left.iter().take(NAMED_MAX).map(line).collect();
    if report.left.len() > NAMED_MAX {
        out += &format!("... and {} more\n", grouped((report.left.len() - NAMED_MAX) as u64));
    }
    out
}

fn line(left: &Left) -> String {
    let why = match left.why {
        Why::Gone => "not in the coordinator's map any more".to_owned(),
        Why::Unreadable { needed } => format!("{} must come back before it can be rebuilt", count(needed as u64, "live shard")),
        Why::FewDomains { have, need } => {
            format!("{need} donors in different failure domains are needed, {have} take shards now")
        }
        Why::Queued => "queued, and no donor has finished it yet".to_owned(),
        Why::NotQueued => "not queued: another donor may be on it, or none with room is left".to_owned(),
    };
    format!("{}   segment {}, live {} of {}: {why}\n", left.url, left.segment.index, left.live, left.n)
}

#[cfg(test)]
mod tests {
    use nodio_wire::{PartId, SegmentId};

    use super::*;

    #[test]
    fn what_is_left_is_told_with_its_reason() {
        let left = |index, live, why| {
            let segment = SegmentId { part: PartId([1; 16]), index };
            Left { url: "s3://b/k".into(), segment, live, n: 6, why }
        };
        let args = Args { url: "s3://b".parse().unwrap(), no_wait: false, patience: 1, json: false, reach: Reach::default() };
        let lefts = vec![
            left(0, 3, Why::Unreadable { needed: 1 }),
            left(1, 5, Why::FewDomains { have: 5, need: 6 }),
            left(2, 5, Why::Queued),
        ];
        let mut report = Report { url: String::new(), segments: 3, queued: 3, unheard: 0, left: lefts };
        let expected = "\
s3://b/k   segment 0, live 3 of 6: 1 live shard must come back before it can be rebuilt
s3://b/k   segment 1, live 5 of 6: 6 donors in different failure domains are needed, 5 take shards now
s3://b/k   segment 2, live 5 of 6: queued, and no donor has finished it yet
";
        assert_eq!(render(&args, &report), expected);
        report.left = (0..25).map(|index| left(index, 5, Why::Queued)).collect();
        let text = render(&args, &report);
        assert_eq!((text.lines().count(), text.lines().last()), (21, Some("... and 5 more")));
        report.left.clear();
        assert_eq!(render(&args, &report), "every segment is full\n");
        report.unheard = 2;
        assert_eq!(render(&args, &report), "2 segments may not be full: ask again when all donors were heard\n");
        assert_eq!(queued(&RepairRun { segments: 5, queued: 3, unheard: 0 }), "3 of 5 segments queued for repair");
    }
}
