//! `nodio bench`: what an S3 endpoint does in a second, this one or another.
//!
//! ```text
//!   Plan ── phases ──► Worker × concurrency ── Source: what to ask for next, never a key that isn't there
//!                        │                 └── Client: signs, asks, one keep-alive connection
//!                        └─► Tally: latencies, bytes, errors ──► Row: a line of a table, or of JSON
//! ```
//! Promises: it works in a bucket of its own and names no other; that bucket is gone at the end, also after a signal or an error, unless
//! `--keep` was said; it shares the machine with what it measures, so a request costs it little: no body is made byte by byte, no
//! request is hashed twice, none hops between tasks.

mod bucket;
mod connection;
mod cpu;
mod data;
mod histogram;
mod keys;
mod phase;
mod plan;
mod report;
mod s3;
mod sign;
mod suite;
mod target;
mod work;

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use nodio_host::Shutdown;

use crate::progress::Progress;
use crate::say::say;
use crate::table::size;
use connection::{Client, Fault};
use data::Pool;
use keys::Naming;
pub(crate) use plan::Args;
use plan::Plan;
use report::Row;
use s3::Manner;
use suite::Suite;

/// Measures, and leaves nothing behind.
pub(crate) async fn run(args: Args) -> Result<()> {
    let plan = args.plan()?;
    let written = || crate::up::environment_in(&args.target.data.join("aws.env"));
    let target = Arc::new(args.target.settle(|name| std::env::var(name).ok(), written)?);
    let shutdown = Shutdown::on_signals();
    let mut client = Client::new(target.clone(), plan.timeout).await?;
    let bucket = bucket::own_name();
    let made = bucket::make(&mut client, &bucket, &target.region).await;
    let certainly_not = matches!(made, Err(Fault::Refused { .. } | Fault::Unreachable));
    let made = made.with_context(|| format!("can't make a bucket at http://{}", target.host));
    if certainly_not {
        return made;
    }
    let suite = Suite::new(plan.clone(), manner(&args, &plan, &bucket), args.cpu_of.clone(), &client);
    let done = match made {
        Ok(()) => Box::pin(measure(&args, suite, &target.host, &bucket, &shutdown)).await,
        unknown => unknown,
    };
    if args.keep { done } else { clean(&mut client, &bucket, plan.concurrency, done).await }
}

fn manner(args: &Args, plan: &Plan, bucket: &str) -> Manner {
    Manner {
        bucket: bucket.to_owned(),
        naming: Naming { keys_per_prefix: plan.keys_per_prefix },
        pool: Pool::new(u64::from_le_bytes(nodio_wire::auth::random_bytes())),
        size: plan.size,
        range: plan.range,
        verify: args.verify,
        sign_payload: args.sign_payload,
    }
}

/// Every phase, until a signal comes: then what is under way is broken off.
async fn measure(args: &Args, mut suite: Suite, host: &str, bucket: &str, shutdown: &Shutdown) -> Result<()> {
    if !args.json {
        let (bytes, at_once) = (size(suite.plan().size), suite.plan().concurrency);
        say(&format!("bucket {bucket} at http://{host}: objects of {bytes}, {at_once} requests at once\n{}", report::head()));
    }
    tokio::select! {
        errors = phases(&mut suite, args.json) => match errors? {
            0 => Ok(()),
            errors => bail!("{} failed", crate::words::count(errors, "request")),
        },
        () = shutdown.wait() => bail!("interrupted"),
    }
}

/// Runs the phases, each told as it ends. Returns the number of errors.
async fn phases(suite: &mut Suite, json: bool) -> Result<u64> {
    let mut errors = 0;
    let mut progress = Progress::new();
    for phase in suite.plan().phases.clone() {
        progress.show(phase.name());
        let filled = suite.fill(phase).await?;
        let row = suite.phase(phase).await?;
        progress.wipe();
        for row in filled.iter().chain([&row]) {
            errors += row.figures.errors;
            say(&told(row, json)?);
        }
    }
    Ok(errors)
}

fn told(row: &Row, json: bool) -> Result<String> {
    Ok(if json { format!("{}\n", serde_json::to_string(row)?) } else { row.text() })
}

/// Removes the bucket, whatever came before; what went wrong first is said first.
async fn clean(client: &mut Client, bucket: &str, workers: usize, done: Result<()>) -> Result<()> {
    let mut progress = Progress::new();
    progress.show("removing the bucket");
    let removed = bucket::remove(client, bucket, workers).await;
    drop(progress);
    match (done, removed) {
        (Err(error), Err(left)) => bail!("{error:#}; {left:#}"),
        (done, removed) => done.and(removed),
    }
}
