//! What donors and operators say to the coordinator, as JSON under `/api`.
//!
//! ```text
//!   POST /api/nodes/register                  joining or node    Register  -> Registered
//!   POST /api/nodes/heartbeat                 node               Heartbeat -> HeartbeatReply
//!   POST /api/nodes/digests                   node               Digests -> DigestsReply
//!   POST /api/nodes/inventory                 node               Inventory -> InventoryReply
//!   POST /api/nodes/leave                     node               Leave -> Standing
//!   POST /api/nodes/standing                  node               Ask -> Standing
//!   POST /api/replication-tasks/{id}/complete node               TaskReport -> {}   (also taken inside a heartbeat)
//!   POST /api/shards/placement-plan           gateway, operator  fleet::GrantRequest -> [fleet::Grant]
//!   GET  /api/files/{part}/manifest           gateway, operator  -> [fleet::Located]
//!   GET  /api/status                          operator           -> Status
//!   POST /api/drain                           operator           Drain -> Standing
//!   POST /api/inspect                         operator           Inspect -> [SegmentView]
//!   POST /api/audit                           operator           AuditAsk -> AuditRun       audits all of some parts now
//!   POST /api/audit/progress                  operator           AuditPoll -> AuditRun
//!   POST /api/repair                          operator           RepairAsk -> RepairRun     mends some parts now
//!   GET  /api/health                          any signed role    -> {"status":"ok"}
//!   POST /fleet/{grant,commit,locate,release,report,parts,summary}   gateway   postcard, see client::HttpFleet
//! ```
//! Every request is signed ([`crate::auth`]). Errors are `{"error": "..."}` with an HTTP status.

use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::fleet::Durability;
use crate::ids::{NodeId, PartId, SegmentId, ShardId, UnixMs};
use crate::proof::{Proof, Slice};
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

/// "Prove that you hold this slice of this shard." The slice is drawn at the moment it is asked for.
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

/// Number and digest of a set of shards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    pub shards: u64,
    /// See [`set_digest`].
    #[serde(with = "hex_u128")]
    pub digest: u128,
}

impl Contents {
    pub fn add(&mut self, shard: &ShardId) {
        self.shards += 1;
        self.digest = self.digest.wrapping_add(digest_of(shard));
    }
}

mod hex_u128 {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(value: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{value:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        u128::from_str_radix(&String::deserialize(deserializer)?, 16).map_err(de::Error::custom)
    }
}

/// A donor's shards by range: range `i` of `2^bits` takes in the ids whose first `bits` bits are `i`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    pub node: NodeId,
    /// At most `limits::RANGE_BITS_MAX`.
    pub bits: u8,
    /// `2^bits` of them.
    pub ranges: Vec<Contents>,
}

/// The ranges whose shards are to be told one by one, ascending. None: both sides agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestsReply {
    pub differing: Vec<u32>,
}

/// The lowest and the highest id of range `i` of `2^bits`.
pub fn range_bounds(bits: u8, i: u32) -> (ShardId, ShardId) {
    let shift = 32 - u32::from(bits);
    let first = i.checked_shl(shift).unwrap_or(0);
    let last = first | 1u32.checked_shl(shift).map_or(u32::MAX, |span| span - 1);
    let (mut low, mut high) = ([0; 32], [u8::MAX; 32]);
    low[..4].copy_from_slice(&first.to_be_bytes());
    high[..4].copy_from_slice(&last.to_be_bytes());
    (ShardId(low), ShardId(high))
}

/// The range of `2^bits` that an id lies in.
pub fn range_of(bits: u8, id: &ShardId) -> u32 {
    let head = u32::from_be_bytes([id.0[0], id.0[1], id.0[2], id.0[3]]);
    head.checked_shr(32 - u32::from(bits)).unwrap_or(0)
}

/// The shards that a donor holds between two ids, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    pub node: NodeId,
    /// The page covers ids from this ...
    pub from: ShardId,
    /// ... up to and including this.
    pub through: ShardId,
    /// Those in the trash as well.
    pub shards: Vec<HeldShard>,
    /// Nothing more follows until the next time digests differ.
    pub last: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldShard {
    pub id: ShardId,
    /// Seconds since it was stored: a fresh one may belong to a write not yet committed.
    pub age_s: u32,
    /// Set aside as surplus, and still whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trashed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryReply {
    /// Shards of the page that the map doesn't know at this donor and that are old enough to be litter: into the trash with them.
    pub surplus: Vec<ShardId>,
    /// Shards of the page that lie in the trash and are needed: out of it.
    pub restore: Vec<ShardId>,
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
    /// Pull any `k` of the sources, once, and rebuild every target from them: check each one's id, store those that stay here, push the
    /// others. With `k = 1` this is plain copying.
    Rebuild { segment: SegmentId, code: Code, shard_bytes: u32, targets: Vec<Target>, sources: Vec<RepairSource> },
    /// Push a shard that this donor holds to another. It keeps its own until told to delete it.
    Push { segment: SegmentId, shard_bytes: u32, target: Target },
    /// Delete these shards; those not held are no error.
    Delete { shards: Vec<ShardId> },
}

/// A shard to be made and where it shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub position: u8,
    pub shard: ShardId,
    pub to: Destination,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// With the donor that does the work, which proves `probe` of the finished shard.
    Here { probe: Slice },
    /// With another, whose receipt is the proof.
    There { node: NodeId, addr: String, ticket: SignedTicket },
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
    /// `stored` are the targets that are done (none for a delete); what isn't among them is planned anew. `bad` are sources that were
    /// missing or corrupt on the way.
    Done { stored: Vec<StoredShard>, bad: Vec<BadSource> },
    /// Nothing done; `bad` as above.
    Failed { reason: String, bad: Vec<BadSource> },
}

impl Outcome {
    /// Of work that stores nothing.
    pub fn done() -> Self {
        Self::Done { stored: Vec::new(), bad: Vec::new() }
    }
}

/// A target that is done, and why that is to be believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredShard {
    pub position: u8,
    pub evidence: Evidence,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Of the probe, by the donor that stored the shard itself.
    Proof(Proof),
    /// See [`crate::ticket::receipt`]; by the donor it was pushed to.
    Receipt(String),
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
    fn ranges_tile_all_ids() {
        for bits in [0, 1, 5, 16] {
            let mut expected = ShardId([0; 32]);
            for i in 0..1u32 << bits {
                let (low, high) = range_bounds(bits, i);
                assert_eq!(low, expected, "range {i} of 2^{bits}");
                assert_eq!((range_of(bits, &low), range_of(bits, &high)), (i, i));
                let head = u32::from_be_bytes([high.0[0], high.0[1], high.0[2], high.0[3]]).wrapping_add(1);
                expected.0[..4].copy_from_slice(&head.to_be_bytes());
            }
            assert_eq!(expected, ShardId([0; 32]), "the last range ends with the last id");
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
