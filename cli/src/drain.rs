//! `nodio drain`: sends a donor away in an orderly manner, and watches until it is released.

use anyhow::{Context, Result, bail};
use nodio_wire::NodeId;
use nodio_wire::api::{Drain, Receipt, Standing, StandingState};
use nodio_wire::client::OperatorApi;

use crate::progress::Progress;
use crate::reach::Reach;
use crate::say::say;
use crate::status::standing;
use crate::table::{duration, size};
use crate::words::{count, grouped};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The donor's number, as `nodio status` shows it.
    node: NodeId,
    /// Take it back: the donor stays. Also takes back a donor that was refused.
    #[arg(long, conflicts_with = "reason")]
    cancel: bool,
    /// Why; the person who runs the donor reads it.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Don't wait until the donor is released.
    #[arg(long)]
    no_wait: bool,
    /// Print the donor's last standing as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let api = args.reach.operator()?;
    let drain = Drain { node: args.node, cancel: args.cancel, reason: args.reason.clone() };
    let mut now = api.drain(&drain).await?;
    if !args.cancel && !args.no_wait && now.state == StandingState::Draining {
        if !args.json {
            say(&format!("{}\nit goes on without this command: Ctrl-C ends the watching only\n", line(args.node, &now)));
        }
        now = watch(&api, args.node, now).await?;
    }
    say(&if args.json { serde_json::to_string_pretty(&now)? + "\n" } else { render(args.node, &now) });
    let stays = matches!(now.state, StandingState::Vetting | StandingState::Trusted);
    if stays && !args.cancel {
        bail!("donor {} is not draining any more", args.node);
    }
    Ok(())
}

/// Until the donor is no longer draining.
async fn watch(api: &OperatorApi, node: NodeId, mut now: Standing) -> Result<Standing> {
    let mut progress = Progress::new();
    while now.state == StandingState::Draining {
        progress.show(&line(node, &now));
        progress.pause().await;
        let status = api.status().await?;
        let found = status.nodes.into_iter().find(|status| status.node == node);
        let next = found.with_context(|| format!("donor {node} is no longer listed"))?.standing;
        if next.left != now.left {
            progress.moved();
        }
        now = next;
    }
    Ok(now)
}

/// One line about a donor that may be draining.
fn line(node: NodeId, now: &Standing) -> String {
    let left = now.left.map(|left| format!(", {} ({}) to copy away", count(left.shards, "shard"), size(left.bytes)));
    let reason = if now.reason.is_empty() { String::new() } else { format!(": {}", now.reason) };
    format!("donor {node} is {}{}{reason}", standing(now.state), left.unwrap_or_default())
}

fn render(node: NodeId, now: &Standing) -> String {
    let receipt = now.receipt.as_ref().map(receipt).unwrap_or_default();
    format!("{}\n{receipt}", line(node, now))
}

/// What the donor's owner may keep.
fn receipt(receipt: &Receipt) -> String {
    let Receipt { node, joined, released, gib_hours, audits_passed, mac } = receipt;
    let served = duration(released.saturating_sub(*joined));
    format!(
        "receipt   donor {node}, served {served}, held {} GiB-hours, passed {}\n          {joined} to {released} (ms since 1970)\n          {mac}\n",
        grouped(*gib_hours),
        count(*audits_passed, "audit"),
    )
}

#[cfg(test)]
mod tests {
    use nodio_wire::api::Left;

    use super::*;

    #[test]
    fn a_drain_is_told_from_start_to_receipt() {
        let left = Some(Left { shards: 1200, bytes: 3 << 30 });
        let draining = Standing { state: StandingState::Draining, reason: "disk is old".into(), left, ..Standing::default() };
        assert_eq!(render(NodeId(3), &draining), "donor 3 is draining, 1,200 shards (3.0 GiB) to copy away: disk is old\n");
        let receipt = Receipt {
            node: NodeId(3),
            joined: 1_000,
            released: 400_001_000,
            gib_hours: 12_345,
            audits_passed: 1,
            mac: "abcd".into(),
        };
        let released = Standing { state: StandingState::Released, receipt: Some(receipt), ..Standing::default() };
        let expected = "\
donor 3 is released
receipt   donor 3, served 4 days, held 12,345 GiB-hours, passed 1 audit
          1000 to 400001000 (ms since 1970)
          abcd
";
        assert_eq!(render(NodeId(3), &released), expected);
    }
}
