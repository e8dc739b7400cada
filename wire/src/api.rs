//! What donors and operators say to the coordinator, as JSON under `/api`.
//!
//! ```text
//!   POST /api/nodes/register                  joining or node    Register  -> Registered
//!   POST /api/nodes/heartbeat                 node               Heartbeat -> HeartbeatReply
//!   POST /api/nodes/inventory                 node               Inventory -> InventoryReply
//!   POST /api/replication-tasks/{id}/complete node               TaskReport -> {}   (also taken inside a heartbeat)
//!   POST /api/shards/placement-plan           gateway, operator  fleet::GrantRequest -> [fleet::Grant]
//!   GET  /api/files/{part}/manifest           gateway, operator  -> [fleet::Located]
//!   GET  /api/status                          operator           -> Status
//!   GET  /api/health                          any signed role    -> {"status":"ok"}
//!   POST /fleet/{grant,commit,locate,release,report,parts,summary}   gateway   postcard, see client::HttpFleet
//! ```
//! Every request is signed ([`crate::auth`]). Errors are `{"error": "..."}` with an HTTP status.

use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::ids::{NodeId, SegmentId, ShardId, UnixMs};
use crate::ticket::SignedTicket;

/// A donor's first or renewed registration, at each of its starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// `None` the first time; then the request is signed with the join secret, afterwards with the node's own.
    pub node: Option<NodeId>,
    /// 16 random bytes as hex, kept by the donor: its half of the node secret, and what makes a repeated first registration the same donor.
    pub nonce: String,
    /// Base URL at which gateways and other donors reach it.
    pub addr: String,
    /// Most bytes it will hold.
    pub capacity_bytes: u64,
    /// Who runs it. Donors of one operator share a failure domain.
    pub operator: Option<String>,
    /// Where it is. Donors of one zone share a failure domain.
    pub zone: Option<String>,
    pub version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    pub node: NodeId,
    /// The coordinator's half of the node secret, 16 bytes as hex (see [`crate::auth::node_secret`]).
    pub nonce: String,
    pub heartbeat_ms: u64,
}

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    pub node: NodeId,
    pub capacity_bytes: u64,
    /// Disk space taken by the store, litter included.
    pub used_bytes: u64,
    /// What the donor can still take: the least of its capacity and of the disk's own free space.
    pub free_bytes: u64,
    pub shards: u64,
    /// Order-free digest of the shard ids held (see [`set_digest`]), hex.
    pub digest: String,
    /// Work finished since the last heartbeat that was answered.
    pub done: Vec<TaskReport>,
    /// Shards the donor found rotten by itself and no longer has.
    pub rotten: Vec<ShardId>,
    /// Work the donor could begin now.
    pub slots: u32,
    /// True when the donor is shutting down: it is Offline at once.
    pub leaving: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatReply {
    pub heartbeat_ms: u64,
    pub work: Vec<Task>,
    /// The coordinator's view of the shards differs: send the inventory.
    pub inventory_wanted: bool,
}

/// One page of the shards a donor holds, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    pub node: NodeId,
    /// The page covers ids above this (`None`: from the lowest) ...
    pub after: Option<ShardId>,
    /// ... up to and including this (`None`: to the highest).
    pub through: Option<ShardId>,
    pub shards: Vec<HeldShard>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldShard {
    pub id: ShardId,
    /// Seconds since it was stored: a fresh one may belong to a write not yet committed.
    pub age_s: u32,
}

/// Shards of the page that the map doesn't know at this donor and that are old enough to be litter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryReply {
    pub surplus: Vec<ShardId>,
}

/// One piece of work for a donor. Handed out again when no report comes; doing it twice does no harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub id: u64,
    #[serde(flatten)]
    pub work: Work,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// Pull any `k` of the sources, rebuild the shard at `position`, check its id, store it.
    /// With `k = 1` this is a plain copy.
    Rebuild { segment: SegmentId, code: Code, shard_bytes: u32, position: u8, shard: ShardId, sources: Vec<RepairSource> },
    /// Delete these shards; those not held are no error.
    Delete { shards: Vec<ShardId> },
}

/// A live shard that a repairer may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairSource {
    pub position: u8,
    pub shard: ShardId,
    pub node: NodeId,
    pub addr: String,
    pub ticket: SignedTicket,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReport {
    pub id: u64,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Done,
    /// Not done; `bad` are sources that were missing or corrupt.
    Failed {
        reason: String,
        bad: Vec<BadSource>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadSource {
    pub node: NodeId,
    pub shard: ShardId,
}

/// Sum modulo 2^128 of the first 16 bytes of every id: the same for any order, changed by any one shard, updated in O(1).
pub fn set_digest(ids: impl IntoIterator<Item = ShardId>) -> u128 {
    ids.into_iter().fold(0, |sum: u128, id| sum.wrapping_add(digest_of(&id)))
}

/// One id's share of [`set_digest`].
pub fn digest_of(id: &ShardId) -> u128 {
    let mut head = [0; 16];
    head.copy_from_slice(&id.0[..16]);
    u128::from_be_bytes(head)
}

/// The whole network on one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub now: UnixMs,
    pub nodes: Vec<NodeStatus>,
    pub segments: SegmentHealth,
    pub repair: RepairStatus,
    /// Background work: name, when it last ran, what last went wrong.
    pub ticks: Vec<TickStatus>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    pub node: NodeId,
    pub addr: String,
    pub domain: String,
    pub state: NodeState,
    /// Milliseconds since the last heartbeat.
    pub last_seen_ms: u64,
    pub capacity_bytes: u64,
    pub used_bytes: u64,
    pub free_bytes: u64,
    /// Shards the map places there.
    pub shards: u64,
    /// Shards reported missing or corrupt there, ever.
    pub faults: u64,
    pub version: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    Up,
    Suspect,
    Offline,
    Lost,
}

/// Segments by live shards, of `k/n`. A shard is live unless its donor is Offline or Lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentHealth {
    /// All `n` live.
    pub full: u64,
    /// Fewer than `n`, more than `k + emergency_margin`.
    pub degraded: u64,
    /// At least `k`, at most `k + emergency_margin`, and fewer than `n`.
    pub at_risk: u64,
    /// Fewer than `k`: unreadable until a donor returns.
    pub lost: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairStatus {
    /// Segments known to need a shard rebuilt.
    pub queued: u64,
    /// Rebuilds handed to donors and not yet reported.
    pub running: u64,
    /// Shards rebuilt since the coordinator started.
    pub rebuilt: u64,
    /// Shards waiting to be deleted on donors.
    pub deletes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickStatus {
    pub name: String,
    pub last_run: Option<UnixMs>,
    pub runs: u64,
    pub last_error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_ignores_order_and_notices_every_shard() {
        let ids: Vec<_> = (0u8..50).map(|i| ShardId::of(&[i])).collect();
        let whole = set_digest(ids.iter().copied());
        assert_eq!(whole, set_digest(ids.iter().rev().copied()));
        for skip in 0..ids.len() {
            let rest = ids.iter().enumerate().filter(|(i, _)| *i != skip).map(|(_, id)| *id);
            assert_eq!(set_digest(rest).wrapping_add(digest_of(&ids[skip])), whole);
        }
    }

    #[test]
    fn tasks_read_as_flat_json() {
        let task = Task { id: 4, work: Work::Delete { shards: vec![ShardId([1; 32])] } };
        let json = serde_json::to_value(&task).expect("encodes");
        assert_eq!(json["kind"], "delete");
        assert_eq!(serde_json::from_value::<Task>(json).expect("decodes"), task);
    }
}
