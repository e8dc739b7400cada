//! The `nodio` command: a whole network at once (`up`), each role alone, and the tools of those who run them.
//!
//! Every error is one line on stderr that begins with `nodio: `; exit code 1, or 2 where the command line itself is wrong.

mod accounts;
mod audit;
mod bench;
mod buckets;
mod coordinator;
mod drain;
mod failure;
mod flags;
mod gateway;
mod inspect;
mod invite;
mod keys;
mod object_url;
mod objects;
mod progress;
mod reach;
mod repair;
mod say;
mod status;
mod table;
mod up;
mod users;
mod words;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Buffers of many sizes come and go with every request.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An S3 endpoint whose disks are other people's
#[derive(Debug, Parser)]
#[command(name = "nodio", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a whole network on this machine: coordinator, gateway and donors
    Up(Box<up::Args>),
    /// Run a coordinator: who is alive, where every shard lies, what must be mended
    Coordinator(coordinator::Args),
    /// Run a gateway: the S3 endpoint
    Gateway(Box<gateway::Args>),
    /// Run a donor: lend disk space to a network
    Node(Box<nodio_node::NodeArgs>),
    /// Make, list and revoke access keys, also while the gateway runs
    Keys(keys::Args),
    /// Make users with a given id, name or e-mail address; show what they hold, and set their quotas
    Users(users::Args),
    /// Show what lies in each bucket, and set quotas
    Buckets(buckets::Args),
    /// Print the link with which a donor, a gateway or an operator joins
    Invite(invite::Args),
    /// Show donors, segments, repair and how safe it all is on one page
    Status(Box<status::Args>),
    /// Show where an object's bytes lie: segments, shards, donors
    ///
    /// Ends with 1 where a segment can't be read now.
    Inspect(Box<inspect::Args>),
    /// Have every shard under a prefix proved by its donor, now
    ///
    /// A shard that fails is forgotten at that donor and rebuilt elsewhere. Ends with 1 where one failed.
    Audit(Box<audit::Args>),
    /// Have everything missing under a prefix rebuilt now, and wait for it
    ///
    /// Without it, shards of donors that may return are rebuilt after a while by themselves. Ends with 1 where something is left.
    Repair(Box<repair::Args>),
    /// Send a donor away: its shards are copied elsewhere, then it is released
    ///
    /// One that is offline is given up at once. For a donor's own wish to leave there is `nodio node leave`.
    Drain(Box<drain::Args>),
    /// Measure an S3 endpoint, this one or another
    ///
    /// Makes a bucket of its own, touches no other, and removes it at the end, also after ctrl-c and after errors. Bodies are random
    /// bytes that differ per object. Ends with 1 where any request failed.
    Bench(Box<bench::Args>),
}

impl Command {
    /// A role tells what it does; a tool only what went wrong.
    fn log_filter(&self) -> &'static str {
        match self {
            Self::Coordinator(_) | Self::Gateway(_) | Self::Node(_) => "info,s3s=off",
            Self::Up(_) => "warn,s3s=off",
            Self::Keys(_)
            | Self::Users(_)
            | Self::Buckets(_)
            | Self::Invite(_)
            | Self::Status(_)
            | Self::Inspect(_)
            | Self::Audit(_)
            | Self::Repair(_)
            | Self::Drain(_)
            | Self::Bench(_) => "error,s3s=off",
        }
    }

    async fn run(self) -> Result<()> {
        match self {
            Self::Up(args) => up::run(*args).await,
            Self::Coordinator(args) => coordinator::run(args).await,
            Self::Gateway(args) => gateway::run(*args).await,
            Self::Node(args) => Ok(nodio_node::run(*args).await?),
            Self::Keys(args) => keys::run(args).await,
            Self::Users(args) => users::run(args).await,
            Self::Buckets(args) => buckets::run(args).await,
            Self::Invite(args) => invite::run(args),
            Self::Status(args) => status::run(*args).await,
            Self::Inspect(args) => inspect::run(*args).await,
            Self::Audit(args) => audit::run(*args).await,
            Self::Repair(args) => repair::run(*args).await,
            Self::Drain(args) => drain::run(*args).await,
            Self::Bench(args) => bench::run(*args).await,
        }
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::report_arguments(&error),
    };
    nodio_host::logs::init(cli.command.log_filter());
    let done = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(anyhow::Error::from);
    match done.and_then(|runtime| runtime.block_on(cli.command.run())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
