//! `nodio up`: a whole network in one process, for one machine.
//!
//! ```text
//!   DATA/up.toml          donors, code, region and bucket, remembered
//!   DATA/aws.env          how clients get in (0600, to be sourced)
//!   DATA/coordinator      shard map, the cluster's secret, the operator's link
//!   DATA/donors/1 .. N    each donor's shards
//!   DATA/gateway          names and keys; master.key, without which nothing reads
//! ```
//! Promises: a second start finds everything as the last one left it, however that ended; donors are only ever added; the master key
//! is made once and its owner told once to keep a copy. Each donor counts as a failure domain of its own.

mod access;
mod network;
mod settings;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nodio_gateway::service::Gateway;
use nodio_gateway::tables::{AccessKey, NewKey, Tables};
use nodio_host::Shutdown;
use nodio_host::files::{ensure_folder, lock_folder, write_private};
use nodio_node::ByteSize;
use nodio_wire::CodePolicy;

use crate::failure::Usage;
use crate::gateway::key_notice;
use crate::keys::USER_DEFAULT;
use crate::say::say;
use access::Access;
pub(crate) use access::environment_in;
use network::Network;
use settings::{Asked, Settings};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Folder of everything.
    #[arg(long, default_value = "nodio-data")]
    data: PathBuf,
    /// Donors to run; may grow, never shrink [default: 6].
    #[arg(long)]
    donors: Option<u32>,
    /// Erasure code of new objects: K/N, replicas:N or auto [default: 4/6 with six donors].
    #[arg(long)]
    code: Option<CodePolicy>,
    /// Address of the S3 endpoint.
    #[arg(long, default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// Address at which further donors join.
    #[arg(long, default_value = "127.0.0.1:9100")]
    coordinator_listen: SocketAddr,
    /// Host under which other machines, and this one, reach coordinator and donors, where that is not the address listened at. Donor N
    /// then listens at the coordinator's port plus N. Remembered.
    #[arg(long, value_name = "HOST")]
    public_addr: Option<String>,
    /// First access key; made up unless given.
    #[arg(long, requires = "secret_key")]
    access_key: Option<String>,
    /// Secret of the first access key.
    #[arg(long, requires = "access_key")]
    secret_key: Option<String>,
    /// First bucket [default: my-bucket].
    #[arg(long)]
    bucket: Option<String>,
    /// Region that clients sign for [default: us-east-1].
    #[arg(long)]
    region: Option<String>,
    /// Most disk space of each donor [default: 20 GiB].
    #[arg(long)]
    capacity: Option<ByteSize>,
    /// Take requests signed by Signature Version 2 too, for old clients.
    #[arg(long)]
    signature_v2: bool,
    /// Further settings of the gateway, as in config/gateway.toml; NODIO_GATEWAY_* variables come before them. Folder, addresses, region
    /// and code are this command's own.
    #[arg(long, value_name = "FILE")]
    gateway_config: Option<PathBuf>,
    /// Don't wait for stable storage. Loses data when the power goes.
    #[arg(long)]
    no_fsync: bool,
}

impl Args {
    fn asked(&self) -> Asked {
        Asked {
            donors: self.donors,
            code: self.code,
            region: self.region.clone(),
            bucket: self.bucket.clone(),
            capacity_bytes: self.capacity.map(|size| size.0),
            public_addr: self.public_addr.clone(),
        }
    }
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let remembered = args.data.join("up.toml");
    let first = Settings::load(&remembered)?;
    let settings = Settings::settle(first.as_ref(), args.asked())?;
    check_listen(args.coordinator_listen, &settings)?;
    let gateway = network::gateway_config(&args, &settings)?;
    ensure_folder(&args.data)?;
    let _lock = lock_folder(&args.data)?;
    let shutdown = Shutdown::on_signals();
    let network = Box::pin(Network::start(&args, &settings, &shutdown)).await?;
    if shutdown.is_triggered() {
        network.stop().await;
        return Ok(());
    }
    let gateway = network.open_gateway(gateway).await?;
    let access = first_access(&args, &settings, &gateway, first.is_none()).await?;
    let gateway = gateway.start(shutdown).await.context("gateway")?;
    let access = Access { endpoint: network::endpoint(gateway.addr()), ..access };
    let env_file = args.data.join("aws.env");
    write_private(&env_file, access.environment().as_bytes()).with_context(|| format!("can't write {}", env_file.display()))?;
    settings.save(&remembered)?;
    say(&welcome(&args.data, &settings, &access, first.is_none()));
    network.run(gateway).await;
    Ok(())
}

/// Other machines need one address, and ports that stay.
fn check_listen(listen: SocketAddr, settings: &Settings) -> Result<(), Usage> {
    match &settings.public_addr {
        None if listen.ip().is_unspecified() => {
            Err(Usage("--coordinator-listen on all addresses needs --public-addr with the one that other machines reach".into()))
        }
        Some(_) if listen.port() == 0 => Err(Usage("--public-addr needs a --coordinator-listen with a port".into())),
        _ => Ok(()),
    }
}

/// The first key, made if there is none or given; the first bucket, made at the first start or where it is named.
async fn first_access(args: &Args, settings: &Settings, gateway: &Gateway, first: bool) -> Result<Access> {
    let key = first_key(args, gateway.tables()).await?;
    if first || args.bucket.is_some() {
        let made = gateway.ensure_bucket(&key.info.user_id, &settings.bucket).await;
        made.with_context(|| format!("the bucket {}", settings.bucket))?;
    }
    // It may have been deleted since.
    let there = gateway.has_bucket(&settings.bucket).await.with_context(|| format!("the bucket {}", settings.bucket))?;
    Ok(Access {
        endpoint: String::new(),
        region: settings.region.clone(),
        bucket: there.then(|| settings.bucket.clone()),
        access_key: key.info.access_key,
        secret_key: key.secret.to_string(),
    })
}

async fn first_key(args: &Args, tables: &Tables) -> Result<AccessKey> {
    let now = nodio_host::now_ms();
    let new = |given: Option<(String, String)>| NewKey {
        user: USER_DEFAULT.to_owned(),
        given: given.map(|(access_key, secret)| (access_key, secret.into())),
        ..NewKey::default()
    };
    if let Some(given) = args.access_key.clone().zip(args.secret_key.clone()) {
        return Ok(tables.create_key(&new(Some(given)), now).await?);
    }
    if let Some(known) = access::remembered_key(&args.data.join("aws.env"))?
        && let Ok(key) = tables.create_key(&new(Some(known)), now).await
    {
        return Ok(key);
    }
    // None yet, or revoked since.
    Ok(tables.create_key(&new(None), now).await?)
}

fn welcome(data: &Path, settings: &Settings, access: &Access, first: bool) -> String {
    let Settings { donors, code, .. } = settings;
    let Access { endpoint, region, bucket, .. } = access;
    let notice = if first { key_notice(&network::master_key(data)) } else { String::new() };
    let hint = settings.hint().filter(|_| first).unwrap_or_default();
    let lines = access.lines(&data.join("aws.env"));
    let bucket = bucket.as_ref().map(|bucket| format!(", bucket {bucket}")).unwrap_or_default();
    let theirs = match settings.public_addr {
        Some(_) => "--listen 0.0.0.0:7400 --advertise http://THEIR.ADDRESS:7400",
        None => "--listen 127.0.0.1:0",
    };
    let shown = data.display();
    format!(
        "\
Nodio is up: {donors} donors, code {code} (any {} of them may vanish), data in {shown}
endpoint {endpoint}, region {region}{bucket}
{hint}
{lines}
how it fares    nodio status --data {shown}
more donors     nodio node --data FOLDER {theirs} --invite \"$(nodio invite --data {shown})\"

{notice}ready
",
        code.parity()
    )
}
