//! What a donor is told: file, environment (`NODIO_NODE_*`), flags, in rising order. `config/node.toml` explains every key.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use nodio_wire::link::Link;
use serde::Deserialize;

use crate::agent::Scrubbing;
use crate::error::NodeError;
use crate::limits::{
    CAPACITY_BYTES, CAPACITY_MIN_BYTES, DIRECT_MIN_BYTES, REPAIR_SLOTS, SCRUB_DAYS, SCRUB_SHARE, TRASH_DAYS, VOLUME_BYTES,
    VOLUME_MIN_BYTES, VOLUMES_MAX,
};
use crate::size::ByteSize;
use crate::store::StoreOptions;

const DAY_MS: f64 = 86_400_000.0;
const DAYS_MAX: f64 = 3650.0;

/// Prefix of the environment's variables.
pub const ENV_PREFIX: &str = "NODIO_NODE";

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeConfig {
    /// Folder of the shards and of the donor's identity.
    pub data: PathBuf,
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Base URL at which gateways and other donors reach this donor; by default the address it listens on.
    pub advertise: Option<String>,
    /// The invite. Needed for the first start only.
    pub invite: Option<Link>,
    /// The coordinator's base URL, if it has moved since the invite was made.
    pub coordinator: Option<String>,
    /// Most bytes to hold. Remembered with the donor's identity once it was said.
    pub capacity: Option<ByteSize>,
    /// Sync to stable storage before a shard is acknowledged.
    pub fsync: bool,
    /// Size of one volume file; chosen by the capacity if left out.
    pub volume_bytes: Option<ByteSize>,
    /// Bytes to leave free on the disk.
    pub disk_reserve: ByteSize,
    /// Who runs this donor. Donors of one operator share a failure domain.
    pub operator: Option<String>,
    /// Where it stands. Donors of one zone share a failure domain.
    pub zone: Option<String>,
    /// Rebuilds and pushes at once.
    pub repair_slots: u32,
    /// Days that a shard which nobody needs any more is kept before it is deleted for good; 0 deletes at once.
    pub trash_days: f64,
    /// Days in which the donor reads every shard once, to find rot; 0 never does.
    pub scrub_days: f64,
    /// Most of its time that the donor spends on that reading, 0 to 1.
    pub scrub_share: f64,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            data: PathBuf::from("nodio-node"),
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 7400)),
            advertise: None,
            invite: None,
            coordinator: None,
            capacity: None,
            fsync: true,
            volume_bytes: None,
            disk_reserve: ByteSize(1 << 30),
            operator: None,
            zone: None,
            repair_slots: REPAIR_SLOTS,
            trash_days: TRASH_DAYS,
            scrub_days: SCRUB_DAYS,
            scrub_share: SCRUB_SHARE,
        }
    }
}

impl NodeConfig {
    /// Reads the file if there is one, then the environment, then `flags`.
    pub fn load(file: Option<&Path>, flags: toml::Table) -> Result<Self, NodeError> {
        Ok(nodio_host::config::load(file, ENV_PREFIX, flags)?)
    }

    /// Checks what only all values together can tell.
    pub(crate) fn check(&self) -> Result<(), NodeError> {
        let wrong = |text: String| Err(NodeError::Config(text));
        if let Some(capacity) = self.capacity
            && capacity.0 < CAPACITY_MIN_BYTES
        {
            return wrong(format!("capacity is {capacity}, the least is {}", ByteSize(CAPACITY_MIN_BYTES)));
        }
        if self.repair_slots == 0 || self.repair_slots > 64 {
            return wrong(format!("repair_slots is {}, it must be 1 to 64", self.repair_slots));
        }
        self.check_pace()?;
        if let Some(link) = &self.invite
            && link.who != nodio_wire::auth::Who::Joining
        {
            return wrong("the invite is another role's link; a donor's has /donor in it".into());
        }
        for (name, url) in [("advertise", &self.advertise), ("coordinator", &self.coordinator)] {
            if let Some(url) = url
                && !is_base_url(url)
            {
                return wrong(format!("{name} must look like http://HOST:PORT; got {url:?}"));
            }
        }
        Ok(())
    }

    fn check_pace(&self) -> Result<(), NodeError> {
        for (name, days) in [("trash_days", self.trash_days), ("scrub_days", self.scrub_days)] {
            if !(0.0..=DAYS_MAX).contains(&days) {
                return Err(NodeError::Config(format!("{name} is {days}, it must be 0 to {DAYS_MAX}")));
            }
        }
        if self.scrub_share > 0.0 && self.scrub_share <= 1.0 {
            return Ok(());
        }
        Err(NodeError::Config(format!("scrub_share is {}, it must be above 0 and at most 1", self.scrub_share)))
    }

    /// How long a surplus shard is kept.
    pub(crate) fn trash_ms(&self) -> u64 {
        (self.trash_days * DAY_MS) as u64
    }

    /// How the donor reads all its shards; `None` if it doesn't.
    pub(crate) fn scrubbing(&self) -> Option<Scrubbing> {
        let cycle_ms = (self.scrub_days * DAY_MS) as u64;
        (self.scrub_days > 0.0).then_some(Scrubbing { cycle_ms, share: self.scrub_share })
    }

    /// Bytes to hold, as said or by default.
    pub(crate) fn capacity_bytes(&self) -> u64 {
        self.capacity.map_or(CAPACITY_BYTES, |size| size.0)
    }

    pub(crate) fn store_options(&self) -> StoreOptions {
        let capacity_bytes = self.capacity_bytes();
        StoreOptions {
            dir: self.data.join("volumes"),
            capacity_bytes,
            volume_bytes: volume_bytes(capacity_bytes, self.volume_bytes.map(|size| size.0)),
            disk_reserve_bytes: self.disk_reserve.0,
            direct_min_bytes: DIRECT_MIN_BYTES,
            fsync: self.fsync,
        }
    }

    /// The URL to be reached at, with `bound` the address listened on.
    pub(crate) fn advertised(&self, bound: SocketAddr) -> String {
        match &self.advertise {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{}", SocketAddr::new(reachable(bound.ip()), bound.port())),
        }
    }
}

/// An address that stands for all of them is reached at its loopback.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

fn is_base_url(url: &str) -> bool {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let host = rest.map(|rest| rest.trim_end_matches('/'));
    host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', ' ']))
}

/// At most an eighth of the capacity; large enough that a large donor needs not too many files, and that a shard fits.
fn volume_bytes(capacity: u64, asked: Option<u64>) -> u64 {
    let wanted = asked.unwrap_or_else(|| VOLUME_BYTES.max(capacity / VOLUMES_MAX));
    wanted.min(capacity / 8).max(VOLUME_MIN_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../config/node.toml");

    #[test]
    fn the_example_file_is_the_defaults() {
        let example: NodeConfig = toml::from_str(EXAMPLE).unwrap();
        assert_eq!(format!("{example:?}"), format!("{:?}", NodeConfig::default()));
        example.check().unwrap();
    }

    /// Every commented-out key of the example is one that exists.
    #[test]
    fn the_examples_comments_name_real_keys() {
        let keys = EXAMPLE
            .lines()
            .filter_map(|line| line.strip_prefix("#"))
            .filter(|line| line.contains(" = ") && !line.starts_with(' '));
        let uncommented: Vec<&str> = keys.collect();
        assert!(uncommented.len() >= 5);
        let table: toml::Table = uncommented.join("\n").parse().unwrap();
        let config: NodeConfig = table.try_into().unwrap();
        config.check().unwrap();
    }

    #[test]
    fn a_typo_is_an_error_that_names_it() {
        let error = NodeConfig::load(None, "capasity = '5 GB'".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("capasity"), "{error}");
        let error = NodeConfig::load(None, "capacity = '5 G'".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("capacity"), "{error}");
    }

    #[test]
    fn values_that_cannot_work_are_refused() {
        for bad in [
            "capacity = '1 MiB'",
            "repair_slots = 0",
            "advertise = 'home.example:7400'",
            "coordinator = 'http://h:1/api'",
            "trash_days = -1",
            "scrub_days = 1e9",
            "scrub_share = 0",
            "scrub_share = 1.5",
            "scrub_share = nan",
        ] {
            let config = NodeConfig::load(None, bad.parse().unwrap()).unwrap();
            assert!(config.check().is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn days_are_whole_or_not_and_none_is_never() {
        let config = NodeConfig::load(None, "trash_days = 0\nscrub_days = 0.5".parse().unwrap()).unwrap();
        config.check().unwrap();
        assert_eq!((config.trash_ms(), config.scrubbing().map(|scrubbing| scrubbing.cycle_ms)), (0, Some(43_200_000)));
        let config = NodeConfig::load(None, "trash_days = 2\nscrub_days = 0".parse().unwrap()).unwrap();
        assert!(config.trash_ms() == 2 * 86_400_000 && config.scrubbing().is_none());
    }

    #[test]
    fn volumes_fit_the_capacity() {
        assert_eq!(volume_bytes(20 << 30, None), 1 << 30);
        assert_eq!(volume_bytes(1 << 30, None), 128 << 20);
        assert_eq!(volume_bytes(64 << 20, None), 16 << 20);
        assert_eq!(volume_bytes(16 << 40, None), 32 << 30);
        assert_eq!(volume_bytes(20 << 30, Some(64 << 20)), 64 << 20);
    }

    #[test]
    fn an_address_for_everywhere_is_advertised_as_here() {
        let config = NodeConfig::default();
        assert_eq!(config.advertised("0.0.0.0:7400".parse().unwrap()), "http://127.0.0.1:7400");
        assert_eq!(config.advertised("[::]:7400".parse().unwrap()), "http://[::1]:7400");
        assert_eq!(config.advertised("10.0.0.5:80".parse().unwrap()), "http://10.0.0.5:80");
        let config = NodeConfig { advertise: Some("https://home.example/".into()), ..config };
        assert_eq!(config.advertised("0.0.0.0:7400".parse().unwrap()), "https://home.example");
    }
}
