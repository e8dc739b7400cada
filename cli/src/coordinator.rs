//! `nodio coordinator`: the coordinator alone. Also where the other commands find a coordinator's settings.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nodio_coordinator::CoordinatorConfig;
use nodio_host::Shutdown;
use nodio_host::files::write_private;

use crate::flags::Flags;

/// The address a role really listens at, in its folder.
pub(crate) const LISTEN_FILE: &str = "listen.addr";
/// HOST:PORT under which others reach it, where that is another.
const PUBLIC_FILE: &str = "public.addr";
pub(crate) const ENV_PREFIX: &str = "NODIO_COORDINATOR";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Settings file (TOML). NODIO_COORDINATOR_* variables and flags come before it.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Folder of the shard map and the cluster's secret.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Address to listen at; port 0 takes any free one.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// HOST:PORT under which donors and gateways reach this coordinator.
    #[arg(long)]
    public_addr: Option<String>,
    /// Failure domains: auto (operator, zone, network) or node (each donor by itself).
    #[arg(long)]
    domain: Option<String>,
    /// Time between two heartbeats of a donor, milliseconds.
    #[arg(long)]
    heartbeat_ms: Option<u32>,
    /// Time until an absent donor's shards are rebuilt elsewhere, milliseconds.
    #[arg(long)]
    repair_after_ms: Option<u32>,
    /// Don't wait for stable storage. Loses data when the power goes.
    #[arg(long)]
    no_fsync: bool,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let flags = Flags::default()
        .text("data", args.data.as_ref().map(|path| path.display()))
        .text("listen", args.listen)
        .text("public_addr", args.public_addr)
        .text("domain", args.domain)
        .number("heartbeat_ms", args.heartbeat_ms)
        .number("repair_after_ms", args.repair_after_ms)
        .off("fsync", args.no_fsync);
    let config: CoordinatorConfig = nodio_host::config::load(args.config.as_deref(), ENV_PREFIX, flags.into_table())?;
    let (data, public) = (config.data.clone(), config.public_addr.clone());
    let running = nodio_coordinator::start(config, Shutdown::on_signals()).await?;
    write_listen_file(&data, running.addr)?;
    write_public_file(&data, public.as_deref())?;
    running.wait().await;
    Ok(())
}

/// Leaves the address for tools on this machine; it matters where port 0 was asked for.
pub(crate) fn write_listen_file(data: &Path, addr: SocketAddr) -> Result<()> {
    let path = data.join(LISTEN_FILE);
    write_private(&path, format!("{addr}\n").as_bytes()).with_context(|| format!("can't write {}", path.display()))
}

/// The address that the role last listened at, if it said so.
pub(crate) fn read_listen_file(data: &Path) -> Option<SocketAddr> {
    std::fs::read_to_string(data.join(LISTEN_FILE)).ok()?.trim().parse().ok()
}

/// Leaves the public address for `nodio invite`, or takes an earlier one away.
pub(crate) fn write_public_file(data: &Path, public: Option<&str>) -> Result<()> {
    let path = data.join(PUBLIC_FILE);
    match public {
        Some(public) => {
            write_private(&path, format!("{public}\n").as_bytes()).with_context(|| format!("can't write {}", path.display()))
        }
        None if path.exists() => std::fs::remove_file(&path).with_context(|| format!("can't remove {}", path.display())),
        None => Ok(()),
    }
}

/// The public address that was last said.
pub(crate) fn read_public_file(data: &Path) -> Option<String> {
    Some(std::fs::read_to_string(data.join(PUBLIC_FILE)).ok()?.trim().to_owned())
}
