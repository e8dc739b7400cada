//! `nodio gateway`: the gateway alone. Also where `nodio keys` finds a gateway's settings.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use nodio_gateway::config::GatewayConfig;
use nodio_gateway::service;
use nodio_host::Shutdown;
use nodio_wire::auth::Who;
use nodio_wire::client::{HttpFleet, HttpTransport, http_pool};
use nodio_wire::link::Link;

use crate::coordinator::write_listen_file;
use crate::flags::Flags;
use crate::say::say;

pub(crate) const ENV_PREFIX: &str = "NODIO_GATEWAY";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Settings file (TOML). NODIO_GATEWAY_* variables and flags come before it.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Folder of the metadata and the master key.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Address to listen at for S3; port 0 takes any free one.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The coordinator, as `nodio invite --for gateway` prints it.
    #[arg(long)]
    link: Option<Link>,
    /// Erasure code of new objects: K/N, replicas:N or auto.
    #[arg(long)]
    code: Option<nodio_wire::CodePolicy>,
    /// Region that clients sign for.
    #[arg(long)]
    region: Option<String>,
    /// Take requests signed by Signature Version 2 too, for old clients.
    #[arg(long)]
    signature_v2: bool,
    /// Don't wait for stable storage. Loses data when the power goes.
    #[arg(long)]
    no_fsync: bool,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let flags = Flags::default()
        .text("data", args.data.as_ref().map(|path| path.display()))
        .text("listen", args.listen)
        .text("link", args.link)
        .text("code", args.code)
        .text("region", args.region)
        .on("signature_v2", args.signature_v2)
        .off("fsync", args.no_fsync);
    let config: GatewayConfig = nodio_host::config::load(args.config.as_deref(), ENV_PREFIX, flags.into_table())?;
    let link =
        config.link.as_ref().context("no link to a coordinator: give --link what `nodio invite --for gateway` prints there")?;
    ensure!(link.who == Who::Gateway, "the link is another role's; a gateway's is what `nodio invite --for gateway` prints");
    let fleet = Arc::new(HttpFleet::new(http_pool()?, link));
    let transport = Arc::new(HttpTransport::default());
    let data = config.data.clone();
    let running = Box::pin(service::start(config, fleet, transport, Shutdown::on_signals())).await?;
    write_listen_file(&data, running.addr())?;
    tracing::info!(
        "gateway serves S3 at http://{}; `nodio keys create --data {}` makes an access key",
        running.addr(),
        data.display()
    );
    if let Some(path) = running.made_key() {
        say(&key_notice(path));
    }
    running.wait().await;
    Ok(())
}

/// Said once, when the master key is made.
pub(crate) fn key_notice(path: &Path) -> String {
    format!(
        "KEEP A COPY of the master key {} in a safe place: without it no object can ever be read again.\n\
         This is said only once.\n\n",
        path.display()
    )
}
