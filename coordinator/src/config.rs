//! What can be configured, with the defaults that `config/coordinator.toml` shows.

use std::net::SocketAddr;
use std::path::PathBuf;

use nodio_wire::limits;
use serde::{Deserialize, Serialize};

/// How donors are told apart when shards of one segment are spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DomainRule {
    /// By operator label, else zone label, else network (/24 or /48).
    #[default]
    Auto,
    /// Each donor by itself. For clusters on one machine.
    Node,
}

/// The coordinator's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CoordinatorConfig {
    /// Folder of the shard map and the cluster's secret.
    pub data: PathBuf,
    /// Address to listen at.
    pub listen: SocketAddr,
    /// `HOST:PORT` under which others reach this coordinator; what links name. Unset: the listening address.
    pub public_addr: Option<String>,
    /// Address to serve metrics for Prometheus at, to whoever asks; a loopback address is best. Unset: none.
    pub metrics_listen: Option<SocketAddr>,
    /// Make every commit durable before it is answered. Off only where data may be lost.
    pub fsync: bool,
    /// Failure domains.
    pub domain: DomainRule,
    /// Time between two heartbeats of a donor. Suspect after 1.5 of them without one, Offline after 3.
    pub heartbeat_ms: u64,
    /// Time a donor stays Offline before it counts as Lost and its shards are rebuilt elsewhere.
    pub repair_after_ms: u64,
    /// A segment with at most `k` plus this many live shards is mended at once, without waiting for Lost.
    pub emergency_margin: u8,
    /// Time a donor has for a piece of work before it is handed out anew.
    pub task_lease_ms: u64,
    /// Rebuilds that may be planned for one donor at a time.
    pub rebuilds_per_donor: u16,
    /// Longest pause between two looks at the mend queue and at the releases.
    pub plan_every_ms: u64,
    /// Time between two comparisons of a donor's shards with the map.
    pub inventory_every_ms: u64,
    /// A shard placed less than this long ago isn't called missing by an inventory that may be older.
    pub inventory_settle_ms: u64,
    /// A shard that the map doesn't know is litter from this age on.
    pub litter_age_s: u32,
    /// Time between two walks over the whole map for segments whose repair was missed.
    pub census_every_ms: u64,
    /// Shards of each donor that are asked about per day; 0 asks about none.
    pub audits_per_day: u32,
    /// Bytes that repair may move per second in all; 0 is no limit.
    pub repair_bytes_per_s: u64,
    /// Bytes that repair may move per second through one donor; 0 is no limit.
    pub repair_bytes_per_s_per_donor: u64,
}

impl Default for CoordinatorConfig {
    fn default() -> Self {
        Self {
            data: PathBuf::from("data/coordinator"),
            listen: SocketAddr::from(([0, 0, 0, 0], 7300)),
            public_addr: None,
            metrics_listen: None,
            fsync: true,
            domain: DomainRule::Auto,
            heartbeat_ms: limits::HEARTBEAT_MS,
            repair_after_ms: 6 * 60 * 60 * 1000,
            emergency_margin: 0,
            task_lease_ms: 5 * 60 * 1000,
            rebuilds_per_donor: 16,
            plan_every_ms: 1000,
            inventory_every_ms: 6 * 60 * 60 * 1000,
            inventory_settle_ms: 60_000,
            litter_age_s: 24 * 60 * 60,
            census_every_ms: 6 * 60 * 60 * 1000,
            audits_per_day: 96,
            repair_bytes_per_s: 0,
            repair_bytes_per_s_per_donor: 0,
        }
    }
}

/// A setting that can't work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} must be {want}")]
pub struct BadSetting {
    key: &'static str,
    want: &'static str,
}

impl CoordinatorConfig {
    /// Names the first setting that can't work.
    pub fn check(&self) -> Result<(), BadSetting> {
        let at_least = |key, want, holds: bool| if holds { Ok(()) } else { Err(BadSetting { key, want }) };
        at_least("heartbeat_ms", "50 or more", self.heartbeat_ms >= 50)?;
        at_least("plan_every_ms", "10 or more", self.plan_every_ms >= 10)?;
        at_least(
            "task_lease_ms",
            "100 or more, and at most an hour",
            (100..=limits::GET_TICKET_MS).contains(&self.task_lease_ms),
        )?;
        at_least("inventory_every_ms", "100 or more", self.inventory_every_ms >= 100)?;
        at_least("census_every_ms", "100 or more", self.census_every_ms >= 100)?;
        at_least("rebuilds_per_donor", "1 or more", self.rebuilds_per_donor >= 1)?;
        at_least("audits_per_day", "10000000 or less", self.audits_per_day <= 10_000_000)?;
        let moves = |rate: u64| rate == 0 || rate >= limits::SHARD_BYTES_MAX as u64 / 16;
        at_least("repair_bytes_per_s", "0 (no limit), or 65552 or more", moves(self.repair_bytes_per_s))?;
        at_least("repair_bytes_per_s_per_donor", "0 (no limit), or 65552 or more", moves(self.repair_bytes_per_s_per_donor))?;
        let apart = self.listen.port() == 0 || self.metrics_listen != Some(self.listen);
        at_least("metrics_listen", "another address than listen", apart)?;
        at_least("public_addr", "HOST:PORT", self.public_addr.as_deref().is_none_or(is_authority))
    }
}

fn is_authority(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With what is unset by default.
    fn everything() -> CoordinatorConfig {
        let metrics_listen = Some(SocketAddr::from(([127, 0, 0, 1], 7301)));
        CoordinatorConfig { public_addr: Some("a:1".into()), metrics_listen, ..Default::default() }
    }

    fn shipped() -> &'static str {
        include_str!("../../config/coordinator.toml")
    }

    #[test]
    fn the_shipped_file_parses_and_says_the_defaults() {
        let parsed: CoordinatorConfig = toml::from_str(shipped()).expect("the file parses");
        assert_eq!(parsed, CoordinatorConfig::default());
        assert_eq!(parsed.check(), Ok(()));
    }

    #[test]
    fn the_shipped_file_shows_every_setting() {
        let all = toml::Table::try_from(everything()).expect("encodes");
        for key in all.keys() {
            assert!(
                shipped().lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{key} ="))),
                "{key} isn't shown"
            );
        }
    }

    #[test]
    fn unknown_and_impossible_settings_are_named() {
        assert!(toml::from_str::<CoordinatorConfig>("hartbeat_ms = 4").is_err());
        let bad = CoordinatorConfig { heartbeat_ms: 0, ..Default::default() };
        assert_eq!(bad.check().expect_err("refused").to_string(), "heartbeat_ms must be 50 or more");
        let bad = CoordinatorConfig { public_addr: Some("http://x".into()), ..Default::default() };
        assert!(bad.check().is_err());
        let slow = CoordinatorConfig { repair_bytes_per_s_per_donor: 1000, ..Default::default() };
        assert!(slow.check().expect_err("refused").to_string().starts_with("repair_bytes_per_s_per_donor must be 0 (no limit)"));
        let same = CoordinatorConfig { metrics_listen: Some(CoordinatorConfig::default().listen), ..Default::default() };
        assert_eq!(same.check().expect_err("refused").to_string(), "metrics_listen must be another address than listen");
        let hail = CoordinatorConfig { audits_per_day: u32::MAX, ..Default::default() };
        assert!(hail.check().is_err());
        let quiet = CoordinatorConfig { audits_per_day: 0, repair_bytes_per_s: 1 << 20, ..Default::default() };
        assert_eq!(quiet.check(), Ok(()));
    }
}
