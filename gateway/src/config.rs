//! What can be configured, with the defaults that `config/gateway.toml` shows.

mod webhook;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use nodio_wire::link::Link;
use nodio_wire::{Code, CodePolicy};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::classes;
use crate::keys::KeySource;
use crate::tables::is_key_name;
pub use webhook::Webhook;

/// The environment variable with a passphrase, for `key.source = "passphrase"`.
pub const PASSPHRASE_ENV: &str = "NODIO_PASSPHRASE";

const STORE_FILE: &str = "gateway.redb";
const KEY_FILE: &str = "master.key";
const SALT_FILE: &str = "master.salt";
const CLASSES_WANTED: &str = "codes by storage class, which is REDUCED_REDUNDANCY, STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING, \
                              GLACIER_IR, GLACIER or DEEP_ARCHIVE; that of STANDARD is `code`";
/// Below this not even a few requests at once have room.
const MEMORY_MIB_MIN: u32 = 32;

/// Where the master key comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFrom {
    /// A file, made at the first start.
    #[default]
    File,
    /// `NODIO_MASTER_KEY`, 64 hex digits.
    Env,
    /// `NODIO_PASSPHRASE`, through argon2id and a salt file.
    Passphrase,
}

/// The master key's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyConfig {
    pub source: KeyFrom,
    /// The key file, or the salt file of a passphrase. Unset: `master.key` or `master.salt` in the data folder.
    pub file: Option<PathBuf>,
}

/// The gateway's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// Folder of the metadata and the master key.
    pub data: PathBuf,
    /// Address to listen at for S3.
    pub listen: SocketAddr,
    /// The region clients must sign for.
    pub region: String,
    /// Domains under which a bucket is a host name (`BUCKET.DOMAIN`). Path style always works.
    pub domains: Vec<String>,
    /// Domains under which a bucket's website is a host name (`BUCKET.DOMAIN`), for buckets that have one. Empty: no websites.
    pub website_domains: Vec<String>,
    /// Take requests that are signed by Signature Version 2, in header or query.
    pub signature_v2: bool,
    /// Names to be in the keyring of `aws:kms` from the start; more come by `nodio keys kms create`.
    pub kms_keys: Vec<String>,
    /// The coordinator, as `nodio coordinator` prints it for gateways. Unset only where the coordinator runs in the same process.
    pub link: Option<Link>,
    pub key: KeyConfig,
    /// Code of new parts: `auto`, `K/N` or `replicas:N`.
    pub code: CodePolicy,
    /// The same for parts of objects in storage classes other than STANDARD; those that aren't named have `code`.
    pub storage_codes: BTreeMap<String, CodePolicy>,
    /// Make every metadata commit durable before it is answered. Off only where data may be lost.
    pub fsync: bool,
    /// Plaintext and sealed bytes held at once by all requests together, MiB.
    pub memory_mib: u32,
    /// Metadata pages kept in memory, MiB.
    pub metadata_cache_mib: u32,
    /// Connections served at once; others wait.
    pub connections_max: u32,
    /// Time that requests under way get to finish at a shutdown, milliseconds.
    pub drain_ms: u64,
    /// Time between a part's last reference and its release on the donors, so that reads under way can end, milliseconds.
    pub release_after_ms: u64,
    /// Longest pause between two looks for parts to release, milliseconds.
    pub release_every_ms: u64,
    /// Age from which a part that no object names counts as left behind by a crash, milliseconds. Must exceed the longest upload of a part.
    pub sweep_age_ms: u64,
    /// Time between two walks over all parts in search of such, milliseconds.
    pub sweep_every_ms: u64,
    /// Time between two counts of how safe each bucket's data is, milliseconds.
    pub durability_every_ms: u64,
    /// Length of a day of lifecycle rules, seconds. Shorter than 86,400 only to see rules at work.
    pub lifecycle_day_seconds: u64,
    /// Longest time that records of access logs wait to be written, milliseconds.
    pub access_log_every_ms: u64,
    /// Events kept for one webhook that can't be reached; beyond, the oldest are dropped.
    pub webhook_queue_max: u64,
    /// Pause after a webhook failed for the first time, milliseconds; it doubles with each further time, up to a minute.
    pub webhook_retry_ms: u64,
    /// Where buckets may send their notifications.
    pub webhook: Vec<Webhook>,
    /// Address at which `GET /metrics` is answered to anybody; unset: nowhere.
    pub metrics_listen: Option<SocketAddr>,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            data: PathBuf::from("data/gateway"),
            listen: SocketAddr::from(([127, 0, 0, 1], 9000)),
            region: "us-east-1".to_owned(),
            domains: Vec::new(),
            website_domains: Vec::new(),
            signature_v2: false,
            kms_keys: Vec::new(),
            link: None,
            key: KeyConfig::default(),
            code: CodePolicy::Fixed(Code::DEFAULT),
            storage_codes: BTreeMap::new(),
            fsync: true,
            memory_mib: 192,
            metadata_cache_mib: 64,
            connections_max: 4096,
            drain_ms: 10_000,
            release_after_ms: 10 * 60 * 1000,
            release_every_ms: 1000,
            sweep_age_ms: 7 * 24 * 60 * 60 * 1000,
            sweep_every_ms: 6 * 60 * 60 * 1000,
            durability_every_ms: 10 * 60 * 1000,
            lifecycle_day_seconds: 24 * 60 * 60,
            access_log_every_ms: 5 * 60 * 1000,
            webhook_queue_max: 100_000,
            webhook_retry_ms: 1000,
            webhook: Vec::new(),
            metrics_listen: None,
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

impl GatewayConfig {
    /// Names the first setting that can't work.
    ///
    /// # Errors
    /// [`BadSetting`].
    pub fn check(&self) -> Result<(), BadSetting> {
        let must = |key, want, holds: bool| if holds { Ok(()) } else { Err(BadSetting { key, want }) };
        must("region", "letters, digits and hyphens", is_region(&self.region))?;
        must("domains", "host names, without ports or wildcards", self.domains.iter().all(|domain| is_domain(domain)))?;
        let own = |domain: &String| is_domain(domain) && !self.domains.iter().any(|other| other.eq_ignore_ascii_case(domain));
        let want = "host names, without ports or wildcards, none of them in domains";
        must("website_domains", want, self.website_domains.iter().all(own))?;
        let names = self.kms_keys.iter().all(|name| is_key_name(name));
        must("kms_keys", "names of 1 to 64 letters, digits, hyphens and underscores", names)?;
        let classes = self.storage_codes.keys().all(|class| classes::OTHERS.contains(&class.as_str()));
        must("storage_codes", CLASSES_WANTED, classes)?;
        must("memory_mib", "32 or more", self.memory_mib >= MEMORY_MIB_MIN)?;
        must("metadata_cache_mib", "1 or more", self.metadata_cache_mib >= 1)?;
        must("connections_max", "1 or more", self.connections_max >= 1)?;
        must("release_every_ms", "10 or more", self.release_every_ms >= 10)?;
        must("sweep_every_ms", "100 or more", self.sweep_every_ms >= 100)?;
        must("durability_every_ms", "1000 (a second) or more", self.durability_every_ms >= 1000)?;
        must("lifecycle_day_seconds", "1 or more", self.lifecycle_day_seconds >= 1)?;
        must("access_log_every_ms", "100 or more", self.access_log_every_ms >= 100)?;
        must("webhook_queue_max", "1 or more", self.webhook_queue_max >= 1)?;
        must("webhook_retry_ms", "1 or more", self.webhook_retry_ms >= 1)?;
        webhook::check(&self.webhook)?;
        must("sweep_age_ms", "60000 (a minute) or more", self.sweep_age_ms >= 60_000)
    }

    /// Where the metadata is.
    pub fn store_file(&self) -> PathBuf {
        self.data.join(STORE_FILE)
    }

    /// Where the master key is loaded from.
    pub fn key_source(&self) -> KeySource {
        let file = |name: &str| self.key.file.clone().unwrap_or_else(|| self.data.join(name));
        match self.key.source {
            KeyFrom::File => KeySource::File(file(KEY_FILE)),
            KeyFrom::Env => KeySource::Env,
            KeyFrom::Passphrase => KeySource::Passphrase {
                passphrase: Zeroizing::new(std::env::var(PASSPHRASE_ENV).unwrap_or_default()),
                salt_file: file(SALT_FILE),
            },
        }
    }

    /// The key file that a first start makes, if the key comes from one.
    pub(crate) fn key_file(&self) -> Option<PathBuf> {
        match self.key_source() {
            KeySource::File(path) => Some(path),
            _ => None,
        }
    }

    /// The folder that holds everything but perhaps the key.
    pub fn folder(&self) -> &Path {
        &self.data
    }
}

fn is_region(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commented_file_parses_and_shows_the_defaults() {
        let text = include_str!("../../config/gateway.toml");
        let config: GatewayConfig = toml::from_str(text).unwrap();
        assert_eq!(config, GatewayConfig::default());
        assert_eq!(config.check(), Ok(()));
        let shown = |key: &&str| text.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{key} =")));
        let keys = [
            "data",
            "listen",
            "region",
            "domains",
            "website_domains",
            "signature_v2",
            "kms_keys",
            "link",
            "source",
            "file",
            "code",
            "storage_codes",
            "fsync",
            "memory_mib",
            "metadata_cache_mib",
            "connections_max",
            "drain_ms",
            "release_after_ms",
            "release_every_ms",
            "sweep_age_ms",
            "sweep_every_ms",
            "durability_every_ms",
            "lifecycle_day_seconds",
            "access_log_every_ms",
            "webhook_queue_max",
            "webhook_retry_ms",
            "name",
            "url",
            "token",
            "metrics_listen",
        ];
        assert_eq!(keys.iter().find(|key| !shown(key)), None);
    }

    #[test]
    fn what_is_commented_out_parses_too() {
        let mut text = include_str!("../../config/gateway.toml").to_owned();
        for key in ["link", "file", "metrics_listen"] {
            text = text.replace(&format!("\n# {key} ="), &format!("\n{key} ="));
        }
        let config: GatewayConfig = toml::from_str(&text).unwrap();
        assert!(config.link.is_some() && config.key.file.is_some() && config.metrics_listen.is_some());
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        let bad = |change: fn(&mut GatewayConfig)| {
            let mut config = GatewayConfig::default();
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        assert!(bad(|config| config.region = "us east".into()).starts_with("region must be"));
        assert!(bad(|config| config.domains = vec!["*.x".into()]).starts_with("domains must be"));
        let both = |config: &mut GatewayConfig| {
            config.domains = vec!["s3.x".into()];
            config.website_domains = vec!["web.x".into(), "S3.x".into()];
        };
        assert!(bad(both).starts_with("website_domains must be"));
        assert!(bad(|config| config.kms_keys = vec!["aws/s3".into()]).starts_with("kms_keys must be"));
        let standard = |config: &mut GatewayConfig| config.storage_codes = [("STANDARD".to_owned(), config.code)].into();
        assert!(bad(standard).starts_with("storage_codes must be"));
        assert!(bad(|config| config.memory_mib = 1).starts_with("memory_mib must be"));
        assert!(bad(|config| config.sweep_age_ms = 1).starts_with("sweep_age_ms must be"));
        assert!(toml::from_str::<GatewayConfig>("liste = \"x\"").is_err());
    }
}
