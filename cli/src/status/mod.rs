//! `nodio status`: the network on one page.
//!
//! ```text
//!   coordinator: donors, segments, repair, durability of all ─┐
//!   gateway's admin socket, where one runs: durability by bucket, what waits to be released ─┴─► one page, or JSON
//! ```

mod buckets;
mod donors;
mod safety;

use anyhow::Result;
use nodio_gateway::admin::{BucketView, Waiting};
use nodio_wire::api::{NodeState, NodeStatus, StandingState, Status};
use serde::Serialize;

use crate::reach::Reach;
use crate::say::say;
use crate::table::{duration, size};
use crate::words::{count, grouped};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Show every column, however wide the page gets, and the donors that have left.
    #[arg(long)]
    wide: bool,
    #[command(flatten)]
    reach: Reach,
}

/// All that is known.
#[derive(Debug, Serialize)]
struct Page {
    #[serde(flatten)]
    status: Status,
    /// `None` where no gateway's admin socket was found.
    buckets: Option<Vec<BucketView>>,
    /// Data deleted and not yet released on the donors; `None` as above.
    waiting: Option<Waiting>,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let status = args.reach.operator()?.status().await?;
    let (buckets, waiting) = Box::pin(buckets::of_running(&args.reach)).await;
    let page = Page { status, buckets, waiting };
    say(&if args.json { serde_json::to_string_pretty(&page)? + "\n" } else { render(&page, args.wide) });
    Ok(())
}

fn render(page: &Page, wide: bool) -> String {
    let status = &page.status;
    let mut out = donors::render(status, wide);
    out += "\n";
    out += &totals(status);
    out += &page.waiting.as_ref().map(|waiting| releasing(waiting, status.now)).unwrap_or_default();
    out += &troubles(status);
    out += "\n";
    out += &safety::render(&status.durability);
    out += &page.buckets.as_ref().map(|buckets| buckets::render(buckets, status.now)).unwrap_or_default();
    out
}

fn totals(status: &Status) -> String {
    let health = status.segments;
    let repair = status.repair;
    format!(
        "segments  {} full, {} degraded, {} at risk, {} lost\nrepair    {} queued, {} running, {} rebuilt ({}), {} moved; {} deletions waiting\n",
        grouped(health.full),
        grouped(health.degraded),
        grouped(health.at_risk),
        grouped(health.lost),
        grouped(repair.queued),
        grouped(repair.running),
        grouped(repair.rebuilt),
        size(repair.rebuilt_bytes),
        grouped(repair.moved),
        grouped(repair.deletes)
    )
}

/// Data that was deleted and still takes space.
fn releasing(waiting: &Waiting, now: u64) -> String {
    let Waiting { parts, more, oldest, release_after_ms } = waiting;
    if *parts == 0 {
        return String::new();
    }
    let at_least = if *more { "at least " } else { "" };
    let age = oldest.map(|oldest| format!(", the oldest deleted {} ago", duration(now.saturating_sub(oldest))));
    format!(
        "release   {at_least}{} of deleted objects wait out the delay of {}{}\n",
        count(*parts, "part"),
        duration(*release_after_ms),
        age.unwrap_or_default()
    )
}

/// Background work whose last step failed.
fn troubles(status: &Status) -> String {
    let failed = status.ticks.iter().filter_map(|tick| Some((&tick.name, tick.last_error.as_ref()?)));
    failed.map(|(name, error)| format!("trouble   {name}: {error}\n")).collect()
}

/// A donor's state in a word.
pub(crate) fn node_state(state: NodeState) -> &'static str {
    match state {
        NodeState::Up => "up",
        NodeState::Suspect => "suspect",
        NodeState::Offline => "offline",
        NodeState::Lost => "lost",
    }
}

/// A donor's standing in a word.
pub(crate) fn standing(state: StandingState) -> &'static str {
    match state {
        StandingState::Vetting => "vetting",
        StandingState::Trusted => "trusted",
        StandingState::Draining => "draining",
        StandingState::Refused => "refused",
        StandingState::Released => "released",
    }
}

/// New shards can go there.
pub(crate) fn takes_shards(node: &NodeStatus) -> bool {
    node.state == NodeState::Up && matches!(node.standing.state, StandingState::Vetting | StandingState::Trusted)
}

#[cfg(test)]
mod tests;
