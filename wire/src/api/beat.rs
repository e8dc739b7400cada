//! What a donor says at its start and with each sign of life, and what it is asked.

use serde::{Deserialize, Serialize};

use super::{Standing, Task, TaskReport};
use crate::ids::{NodeId, ShardId, UnixMs};
use crate::proof::{Proof, Slice};

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
    /// Bytes of these shards themselves.
    pub held_bytes: u64,
    /// Order-free digest of the shard ids held (see [`set_digest`]), hex.
    pub digest: String,
    /// Shards that were called surplus and wait to be deleted for good; not among `shards`.
    pub trash: Trash,
    pub scrub: Scrub,
    /// Challenges answered since the last heartbeat that was answered.
    pub answers: Vec<AuditAnswer>,
    /// Work finished since the last heartbeat that was answered.
    pub done: Vec<TaskReport>,
    /// Shards the donor found rotten by itself and no longer has.
    pub rotten: Vec<ShardId>,
    /// Work the donor could begin now.
    pub slots: u32,
    /// True when the donor is shutting down: it is Offline at once.
    pub leaving: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeartbeatReply {
    pub heartbeat_ms: u64,
    pub work: Vec<Task>,
    /// Slices to prove, at once.
    pub audits: Vec<Challenge>,
    /// The coordinator's view of the shards differs: send the digests of ranges.
    pub reconcile_wanted: bool,
    /// What the network makes of this donor, and why.
    pub standing: Standing,
}

/// Shards set aside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trash {
    pub shards: u64,
    pub bytes: u64,
}

/// How far the donor's own reading of all its shards has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrub {
    /// Rounds finished, ever.
    pub rounds: u64,
    /// When the last round ended; 0 before the first.
    pub last_end: UnixMs,
    /// Bytes read in this round.
    pub bytes: u64,
}

/// "Prove that you hold this slice of this shard." The slice is drawn at the moment it is asked for. Before it answers, a donor reads the
/// whole shard and checks it against its id: so this is also how it is told to look at a shard that others found wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    pub id: u64,
    pub shard: ShardId,
    pub slice: Slice,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditAnswer {
    pub id: u64,
    pub answer: Answer,
}

/// What a donor has to say to a challenge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Proof(Proof),
    /// It doesn't have the shard (any more), or found it rotten.
    NotHeld,
    /// It can't read just now; worth asking again.
    Unreadable,
}
