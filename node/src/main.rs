//! The lean donor: nothing in here but a donor.

use std::process::ExitCode;

use clap::Parser;
use nodio_node::{NodeArgs, NodeError};

/// Lends disk space to a Nodio network
#[derive(Debug, Parser)]
#[command(name = "nodio-node", version)]
struct Cli {
    #[command(flatten)]
    node: NodeArgs,
}

/// Threads that may block, at most: reads are short, and each thread has memory of its own.
const BLOCKING_THREADS_MAX: usize = 16;

fn main() -> ExitCode {
    let cli = Cli::parse();
    nodio_host::logs::init(if cli.node.is_donor() { "info" } else { "error" });
    match run(cli.node) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nodio-node: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: NodeArgs) -> Result<(), NodeError> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build();
    let runtime = runtime.map_err(|error| NodeError::Failed(format!("can't start threads: {error}")))?;
    runtime.block_on(nodio_node::run(args))
}
