//! What a test may want of its network.

use toml::Table;

use crate::manners::Manner;

/// Tables hold settings as in `config/*.toml`; they come before this harness's own defaults, but not before its addresses and folders.
#[derive(Debug, Clone)]
pub struct Options {
    pub donors: usize,
    pub code: &'static str,
    pub heartbeat_ms: u64,
    /// Time until an offline donor counts as lost.
    pub repair_after_ms: u64,
    /// Everything to and from donors passes a wire tap.
    pub tapped: bool,
    pub coordinator: Table,
    pub gateway: Table,
    pub donor: Table,
    /// Donors behind a relay with manners of its own.
    pub manners: Vec<(usize, Manner)>,
    /// Donors whose whole disk has this many bytes.
    pub small_disks: Vec<(usize, u64)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            donors: 6,
            code: "4/6",
            heartbeat_ms: 500,
            repair_after_ms: 600_000,
            tapped: false,
            coordinator: Table::new(),
            gateway: Table::new(),
            donor: Table::new(),
            manners: Vec::new(),
            small_disks: Vec::new(),
        }
    }
}

impl Options {
    pub(super) fn manner_of(&self, donor: usize) -> Option<Manner> {
        self.manners.iter().find(|(of, _)| *of == donor).map(|(_, manner)| *manner)
    }

    pub(super) fn disk_bytes_of(&self, donor: usize) -> Option<u64> {
        self.small_disks.iter().find(|(of, _)| *of == donor).map(|(_, bytes)| *bytes)
    }
}
