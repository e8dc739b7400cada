//! The roles of one process: started in the order in which they need one another, stopped in the other.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nodio_coordinator::{CoordinatorConfig, DomainRule};
use nodio_gateway::config::GatewayConfig;
use nodio_gateway::service::{Gateway, Running as RunningGateway};
use nodio_host::Shutdown;
use nodio_node::{ByteSize, NodeConfig, RunningNode};
use nodio_wire::CodePolicy;
use nodio_wire::client::HttpTransport;
use nodio_wire::fleet::Fleet;

use super::Args;
use super::settings::Settings;
use crate::coordinator::{write_listen_file, write_public_file};
use crate::failure::Usage;
use crate::flags::Flags;
use crate::gateway::ENV_PREFIX;

/// Everybody is near: a beat costs nothing, and the status page is fresh.
const HEARTBEAT_MS: u64 = 5_000;
const DONORS_UP_PATIENCE: Duration = Duration::from_secs(30);
const DONORS_UP_PAUSE: Duration = Duration::from_millis(50);

/// Coordinator and donors, and what stops each.
pub(super) struct Network {
    coordinator: nodio_coordinator::Running,
    coordinator_stop: Shutdown,
    donors: Vec<(RunningNode, Shutdown)>,
}

impl Network {
    /// Starts the coordinator and the donors, and waits until all of them are up.
    pub(super) async fn start(args: &Args, settings: &Settings, shutdown: &Shutdown) -> Result<Self> {
        let coordinator_stop = Shutdown::new();
        let config = CoordinatorConfig {
            data: args.data.join("coordinator"),
            listen: args.coordinator_listen,
            public_addr: settings.public_addr.as_ref().map(|host| format!("{host}:{}", args.coordinator_listen.port())),
            fsync: !args.no_fsync,
            domain: DomainRule::Node,
            heartbeat_ms: HEARTBEAT_MS,
            ..CoordinatorConfig::default()
        };
        let (data, public) = (config.data.clone(), config.public_addr.clone());
        let coordinator = nodio_coordinator::start(config, coordinator_stop.clone()).await.context("coordinator")?;
        write_listen_file(&data, coordinator.addr)?;
        write_public_file(&data, public.as_deref())?;
        let mut network = Self { coordinator, coordinator_stop, donors: Vec::new() };
        for number in 1..=settings.donors {
            network.start_donor(args, settings, number).await.with_context(|| format!("donor {number}"))?;
        }
        network.wait_for_donors(settings.donors, shutdown).await?;
        Ok(network)
    }

    async fn start_donor(&mut self, args: &Args, settings: &Settings, number: u32) -> Result<()> {
        let (listen, advertise) = donor_addr(args.coordinator_listen, settings.public_addr.as_deref(), number)?;
        let config = NodeConfig {
            data: args.data.join("donors").join(number.to_string()),
            listen,
            advertise,
            invite: Some(self.coordinator.links.donor.clone()),
            // The public address is for others; it may not lead back here.
            coordinator: Some(endpoint(self.coordinator.addr)),
            capacity: Some(ByteSize(settings.capacity_bytes)),
            fsync: !args.no_fsync,
            ..NodeConfig::default()
        };
        let stop = Shutdown::new();
        self.donors.push((nodio_node::start(config, stop.clone()).await?, stop));
        Ok(())
    }

    async fn wait_for_donors(&self, wanted: u32, shutdown: &Shutdown) -> Result<()> {
        let all_up = async {
            while self.fleet().summary().await?.domains_up < wanted && !shutdown.is_triggered() {
                tokio::time::sleep(DONORS_UP_PAUSE).await;
            }
            Ok(())
        };
        match tokio::time::timeout(DONORS_UP_PATIENCE, all_up).await {
            Ok(done) => done,
            Err(_) => bail!("not all of the {wanted} donors came up within {} s", DONORS_UP_PATIENCE.as_secs()),
        }
    }

    fn fleet(&self) -> Arc<dyn Fleet> {
        self.coordinator.coordinator.clone()
    }

    /// The gateway over this network, not yet listening.
    pub(super) async fn open_gateway(&self, config: GatewayConfig) -> Result<Gateway> {
        let transport = Arc::new(HttpTransport::default());
        Ok(Box::pin(Gateway::open(config, self.fleet(), transport)).await?)
    }

    /// Goes on until the gateway has ended, then stops the donors, then the coordinator, so that each finds what it needs to the last.
    pub(super) async fn run(self, gateway: RunningGateway) {
        gateway.wait().await;
        self.stop().await;
    }

    pub(super) async fn stop(self) {
        for (_, stop) in &self.donors {
            stop.trigger();
        }
        for (donor, _) in self.donors {
            if let Err(error) = donor.wait().await {
                tracing::error!("{error}");
            }
        }
        self.coordinator_stop.trigger();
        self.coordinator.wait().await;
    }
}

/// What a file and the environment say of the gateway, and in it what this command decides.
pub(super) fn gateway_config(args: &Args, settings: &Settings) -> Result<GatewayConfig> {
    let given: GatewayConfig =
        nodio_host::config::load(args.gateway_config.as_deref(), ENV_PREFIX, Flags::default().into_table())?;
    let usual = GatewayConfig::default();
    let own = [
        ("data", given.data != usual.data),
        ("listen", given.listen != usual.listen),
        ("region", given.region != usual.region),
        ("code", given.code != usual.code),
        ("link", given.link.is_some()),
    ];
    if let Some((name, _)) = own.iter().find(|(_, set)| *set) {
        return Err(Usage(format!("`{name}` of the gateway is set by the flags of `nodio up`")).into());
    }
    Ok(GatewayConfig {
        data: args.data.join("gateway"),
        listen: args.listen,
        region: settings.region.clone(),
        code: CodePolicy::Fixed(settings.code),
        signature_v2: given.signature_v2 || args.signature_v2,
        fsync: given.fsync && !args.no_fsync,
        ..given
    })
}

/// Where a donor listens, and what it says of itself. Other machines must be let in, so with a public host the ports are known.
fn donor_addr(coordinator: SocketAddr, host: Option<&str>, number: u32) -> Result<(SocketAddr, Option<String>)> {
    let Some(host) = host else { return Ok((SocketAddr::new(coordinator.ip(), 0), None)) };
    let port = u16::try_from(u32::from(coordinator.port()) + number).context("no port is left above the coordinator's")?;
    Ok((SocketAddr::new(coordinator.ip(), port), Some(format!("http://{host}:{port}"))))
}

/// Where clients on this machine reach an address listened at.
pub(super) fn endpoint(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        ip if ip.is_ipv4() => std::net::Ipv4Addr::LOCALHOST.into(),
        _ => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    format!("http://{}", SocketAddr::new(ip, listen.port()))
}

/// The file that the gateway makes at its first start.
pub(super) fn master_key(data: &Path) -> std::path::PathBuf {
    data.join("gateway").join("master.key")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn donors_with_a_public_host_listen_above_the_coordinator() {
        let coordinator = "0.0.0.0:9100".parse().unwrap();
        let public = donor_addr(coordinator, Some("home.example"), 2).unwrap();
        assert_eq!(public, ("0.0.0.0:9102".parse().unwrap(), Some("http://home.example:9102".into())));
        let private = donor_addr("127.0.0.1:9100".parse().unwrap(), None, 2).unwrap();
        assert_eq!(private, ("127.0.0.1:0".parse().unwrap(), None));
        assert!(donor_addr("0.0.0.0:65535".parse().unwrap(), Some("h"), 1).is_err());
    }

    #[test]
    fn what_up_decides_itself_is_refused_in_the_gateways_settings() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        let file_flag = file.to_string_lossy();
        let Line { args } = Line::parse_from(["up", "--data", "d", "--signature-v2", "--gateway-config", &file_flag]);
        let settings = Settings::settle(None, super::super::settings::Asked::default()).unwrap();
        std::fs::write(&file, "kms_keys = [\"one\"]\nlifecycle_day_seconds = 10\n").unwrap();
        let config = gateway_config(&args, &settings).unwrap();
        assert_eq!((config.kms_keys, config.lifecycle_day_seconds), (vec!["one".to_owned()], 10));
        assert_eq!((config.data, config.signature_v2, config.fsync), (Path::new("d").join("gateway"), true, true));
        for line in ["data = \"x\"", "listen = \"127.0.0.1:1\"", "region = \"eu-1\"", "code = \"2/3\""] {
            std::fs::write(&file, line).unwrap();
            let error = gateway_config(&args, &settings).unwrap_err().to_string();
            assert!(error.contains("set by the flags"), "{error}");
        }
    }

    #[test]
    fn an_endpoint_can_be_connected_to() {
        assert_eq!(endpoint("0.0.0.0:9000".parse().unwrap()), "http://127.0.0.1:9000");
        assert_eq!(endpoint("[::]:9000".parse().unwrap()), "http://[::1]:9000");
        assert_eq!(endpoint("10.1.2.3:80".parse().unwrap()), "http://10.1.2.3:80");
    }
}
