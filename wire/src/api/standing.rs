//! What a donor counts for, and leaving.

use serde::{Deserialize, Serialize};

use crate::ids::{NodeId, UnixMs};

/// What the network makes of a donor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    pub state: StandingState,
    pub since: UnixMs,
    /// For the person who runs the donor.
    pub reason: String,
    /// Expected share of audits passed, from the record, 0 to 1.
    pub trust: f64,
    /// What is left to copy away while draining.
    pub left: Option<Left>,
    /// Once released.
    pub receipt: Option<Receipt>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandingState {
    /// New: holds shards, hasn't passed enough audits yet.
    #[default]
    Vetting,
    Trusted,
    /// Gets no new shards; those it has are copied elsewhere.
    Draining,
    /// Its shards don't count any more.
    Refused,
    /// Has left: nothing of it is needed any more.
    Released,
}

/// Shards that a draining donor still has to give away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    pub shards: u64,
    pub bytes: u64,
}

/// The network's word that a donor owes it nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub node: NodeId,
    pub joined: UnixMs,
    pub released: UnixMs,
    /// Byte-hours held, in GiB-hours.
    pub gib_hours: u64,
    pub audits_passed: u64,
    /// Hex; under the cluster's secret, so that the operator can tell a true receipt from a made-up one.
    pub mac: String,
}

/// A donor asks to leave, or takes that back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    pub node: NodeId,
    pub cancel: bool,
}

/// A donor asks how it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    pub node: NodeId,
}

/// An operator sends a donor away, or takes that back; a donor that was refused is taken back the same way. One that is offline is
/// given up at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    pub node: NodeId,
    pub cancel: bool,
    pub reason: Option<String>,
}
