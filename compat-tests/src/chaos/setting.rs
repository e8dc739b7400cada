//! How much chaos, and the network that it comes over.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::plan::Cast;
use crate::cluster::Options;
use crate::manners::Manner;

pub(super) const DONORS: usize = 12;
const CODE: &str = "4/8";
/// Shards of a segment that may be missing.
pub(super) const SPARE: usize = 4;
const DROPS_EVERY: u64 = 10;
const SLOW: Duration = Duration::from_secs(5);
/// Bytes on disk for each byte of objects: coded 4/8, overwritten and not yet released, and compaction's room.
const DISK_FACTOR: u64 = 5;

/// How much chaos.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub seed: u64,
    pub length: Duration,
    pub object_bytes: u64,
}

impl Setting {
    /// From `NODIO_CHAOS_SEED`, `_SECONDS`, `_BYTES`; otherwise the short run.
    pub fn from_env() -> Result<Self> {
        let length = Duration::from_secs(number("NODIO_CHAOS_SECONDS", 120)?);
        ensure!(length >= Duration::from_secs(20), "NODIO_CHAOS_SECONDS must be 20 or more");
        let object_bytes = number("NODIO_CHAOS_BYTES", 300_000_000)?;
        Ok(Self { seed: number("NODIO_CHAOS_SEED", 20_261)?, length, object_bytes })
    }

    /// Fails unless this machine has room for the run.
    pub fn check_room(&self) -> Result<()> {
        enough_room(&std::env::temp_dir(), self.object_bytes * DISK_FACTOR)
    }

    /// The disk of the donor that runs full: less than its share.
    fn small_disk_bytes(&self) -> u64 {
        (self.object_bytes * 2 / DONORS as u64 * 3 / 4).max(48 << 20)
    }
}

fn number(name: &str, otherwise: u64) -> Result<u64> {
    let Some(said) = std::env::var_os(name) else { return Ok(otherwise) };
    let said = said.to_string_lossy().replace('_', "");
    said.parse().with_context(|| format!("{name} must be a number, not {said:?}"))
}

/// Options of a network in which everything happens fast.
pub(super) fn options(setting: &Setting, cast: Cast) -> Options {
    Options {
        donors: DONORS,
        code: CODE,
        repair_after_ms: 4_000,
        coordinator: toml::toml! {
            emergency_margin = 1
            task_lease_ms = 20_000
            inventory_every_ms = 3_000
            inventory_settle_ms = 5_000
            census_every_ms = 10_000
            litter_age_s = 45
            audits_per_day = 40_000
        },
        gateway: toml::toml! {
            release_after_ms = 5_000
        },
        donor: toml::toml! {
            trash_days = 0.0
        },
        manners: vec![
            (cast.dropping, Manner::Drops { every: DROPS_EVERY, offset: setting.seed }),
            (cast.slow, Manner::Slow(SLOW)),
        ],
        small_disks: vec![(cast.full, setting.small_disk_bytes())],
        ..Options::default()
    }
}

/// Fails where the disk has less than `bytes` free.
pub fn enough_room(folder: &Path, bytes: u64) -> Result<()> {
    let said = Command::new("df").args(["--output=avail", "-B1"]).arg(folder).output()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let free: u64 = said.lines().last().context("df says nothing")?.trim().parse().with_context(|| said.clone())?;
    ensure!(free >= bytes, "{} has {} MiB free, {} are needed", folder.display(), free >> 20, bytes >> 20);
    Ok(())
}
