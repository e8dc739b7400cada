//! What operators see and ask for.

use serde::{Deserialize, Serialize};

use super::{Scrub, Standing, StandingState, Trash};
use crate::code::Code;
use crate::fleet::Durability;
use crate::ids::{NodeId, PartId, SegmentId, ShardId, UnixMs};

/// The whole network on one page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub now: UnixMs,
    /// When segments, queues and shards per donor were counted: just now on a small network; 0 before the first count of a large one.
    pub as_of: UnixMs,
    pub nodes: Vec<NodeStatus>,
    pub segments: SegmentHealth,
    pub repair: RepairStatus,
    /// Background work: name, when it last ran, what last went wrong.
    pub ticks: Vec<TickStatus>,
    pub durability: Durability,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Shards the map places there, and their bytes.
    pub shards: u64,
    pub shard_bytes: u64,
    /// What the donor says it holds, in bytes, and has set aside.
    pub held_bytes: u64,
    pub trash: Trash,
    pub scrub: Scrub,
    pub standing: Standing,
    pub audits: AuditCounts,
    /// Share of the time it was there, 0 to 1, from its record.
    pub availability: f64,
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

/// Audits of one donor, ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCounts {
    pub passed: u64,
    pub failed: u64,
    /// Not answered in time.
    pub offline: u64,
}

/// Asks for segments of a part as the map has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspect {
    pub part: PartId,
    pub first: u32,
    pub count: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentView {
    pub segment: SegmentId,
    pub code: Code,
    pub shard_bytes: u32,
    pub committed: UnixMs,
    /// Positions that can be read now.
    pub live: u8,
    pub queued_for_repair: bool,
    /// `n` of them, by position.
    pub shards: Vec<ShardView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShardView {
    pub id: ShardId,
    /// Usually one; none while it is missing, several while it is being moved or was given up too early.
    pub holders: Vec<HolderView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HolderView {
    pub node: NodeId,
    pub domain: String,
    pub state: NodeState,
    pub standing: StandingState,
}

/// Asks for an audit of every shard of these parts, at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditAsk {
    pub parts: Vec<PartId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPoll {
    pub run: u64,
}

/// An audit that an operator asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRun {
    pub run: u64,
    /// Not answered yet.
    pub pending: u64,
    pub passed: u64,
    pub failed: u64,
    /// Their donors did not answer in time.
    pub offline: u64,
    /// The shards that did not pass; the first `limits::AUDIT_FINDINGS_MAX`.
    pub findings: Vec<AuditFinding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFinding {
    pub segment: SegmentId,
    pub position: u8,
    pub shard: ShardId,
    pub node: NodeId,
    pub result: AuditResult,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditResult {
    Passed,
    Failed,
    Offline,
}

/// Asks that everything missing of these parts be rebuilt now, without waiting for donors that may return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairAsk {
    pub parts: Vec<PartId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairRun {
    /// Segments looked at, and those of them that were put on the queue.
    pub segments: u64,
    pub queued: u64,
    /// Of these, those of which nothing is known to be missing: donors of theirs were not heard lately, as after a start of the coordinator.
    /// They are looked at again as soon as it is known.
    #[serde(default)]
    pub unheard: u64,
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
    /// Shards rebuilt since the coordinator started, and their bytes.
    pub rebuilt: u64,
    pub rebuilt_bytes: u64,
    /// Shards copied away from donors that leave, shrink or stand too close, since the coordinator started.
    pub moved: u64,
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
