//! What a gateway asks of the coordinator. Segment ids are the only names that cross: no bucket, no key, no plaintext.
//!
//! Implemented by the coordinator itself (in `nodio up`) and by [`crate::client::HttpFleet`].

pub mod memory;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::ids::{NodeId, PartId, SegmentId, ShardId};
use crate::ticket::SignedTicket;

/// Why the coordinator can't do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum FleetError {
    /// Fewer donors can take a shard now than the write quorum needs.
    #[error("{have} donors can take a shard now, {need} are needed")]
    NotEnoughDonors { need: usize, have: usize },
    /// The coordinator can't be reached or is overloaded; worth a retry.
    #[error("the coordinator is unavailable: {0}")]
    Unavailable(String),
    /// The request breaks the protocol; a retry won't help.
    #[error("the coordinator refused: {0}")]
    Refused(String),
}

/// Asks for places for `segments` segments of one code, or for what one segment still lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRequest {
    pub code: Code,
    /// Longest shard that will be stored, bytes.
    pub shard_bytes: u32,
    /// `1..=SEGMENTS_PER_CALL_MAX`.
    pub segments: u16,
    /// Donors beyond those needed to have at hand, if there are any.
    pub spares: u8,
    /// Donors that hold shards of the segment already: so many fewer are needed, and none in a failure domain of theirs.
    #[serde(default)]
    pub holding: Vec<NodeId>,
}

/// Places for one segment, with space reserved until the tickets expire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Names the reservation in [`SegmentCommit`].
    pub id: u64,
    /// In distinct failure domains, best first: up to `n` to use, then spares. With those that hold shards already never fewer than the write
    /// quorum.
    pub donors: Vec<GrantedDonor>,
}

/// A donor that will take one shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedDonor {
    pub node: NodeId,
    /// Base URL, such as `http://10.0.0.5:7400`.
    pub addr: String,
    pub ticket: SignedTicket,
}

/// A segment whose shards are durable on at least the write quorum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentCommit {
    pub segment: SegmentId,
    pub code: Code,
    /// Every shard of a segment is equally long.
    pub shard_bytes: u32,
    /// `n` of them, by position. All ids are known; a shard without a node is queued for repair.
    pub shards: Vec<PlacedShard>,
    pub grant: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedShard {
    pub id: ShardId,
    pub node: Option<NodeId>,
}

/// Where a segment's shards can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Located {
    pub segment: SegmentId,
    pub code: Code,
    pub shard_bytes: u32,
    /// `n` of them, by position.
    pub shards: Vec<LocatedShard>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocatedShard {
    pub id: ShardId,
    /// `None` while no donor holds it.
    pub source: Option<ShardSource>,
}

/// A donor that holds a shard, and leave to read it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardSource {
    pub node: NodeId,
    pub addr: String,
    pub ticket: SignedTicket,
    /// False while the donor misses heartbeats: worth trying last.
    pub up: bool,
}

/// What a gateway noticed about a shard while reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardReport {
    pub segment: SegmentId,
    pub shard: ShardId,
    pub node: NodeId,
    pub fault: ShardFault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShardFault {
    /// The donor says it does not have it.
    Missing,
    /// The donor served bytes that are not the shard, or found them rotten itself.
    Corrupt,
}

/// What a gateway needs to know of the donors as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetSummary {
    /// Failure domains with a donor that is up.
    pub domains_up: u32,
}

/// How safe some segments are. Sums over disjoint sets of segments add up; the model is in `docs/DURABILITY.md`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Durability {
    pub segments: u64,
    /// Plaintext bytes, about.
    pub bytes: u64,
    /// Segments by how many live shards they have beyond those they need: `-1` (unreadable now) to the widest.
    pub by_spare: std::collections::BTreeMap<i16, u64>,
    /// Expected number of segments that can't be read at this moment, hidden damage included.
    pub unreadable_now: f64,
    /// Expected number of segments lost for good within a year, as the network is.
    pub lost_per_year: f64,
    /// The same, were there one donor more.
    pub lost_per_year_next_donor: f64,
    /// The same, had every segment one parity shard more.
    pub lost_per_year_next_parity: f64,
}

impl Durability {
    /// Takes in the figures of other segments.
    pub fn add(&mut self, other: &Self) {
        self.segments += other.segments;
        self.bytes += other.bytes;
        other.by_spare.iter().for_each(|(spare, count)| *self.by_spare.entry(*spare).or_default() += count);
        self.unreadable_now += other.unreadable_now;
        self.lost_per_year += other.lost_per_year;
        self.lost_per_year_next_donor += other.lost_per_year_next_donor;
        self.lost_per_year_next_parity += other.lost_per_year_next_parity;
    }
}

/// One part with segments in the shard map, for the sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownPart {
    pub part: PartId,
    /// Time of the first segment's commit, milliseconds since 1970.
    pub committed: u64,
}

/// The coordinator, as a gateway sees it. Every call is idempotent and may be retried.
#[async_trait]
pub trait Fleet: Send + Sync + 'static {
    /// Places for new segments: exactly `request.segments` grants.
    async fn grant(&self, request: GrantRequest) -> Result<Vec<Grant>, FleetError>;

    /// Enters segments into the shard map, durably, before it answers. At most `SEGMENTS_PER_CALL_MAX`.
    async fn commit(&self, segments: Vec<SegmentCommit>) -> Result<(), FleetError>;

    /// Segments `first..first + count` of a part, in order; fewer where the part ends or isn't known.
    async fn locate(&self, part: PartId, first: u32, count: u32) -> Result<Vec<Located>, FleetError>;

    /// Forgets whole parts and has their shards deleted. Unknown parts are no error.
    async fn release(&self, parts: Vec<PartId>) -> Result<(), FleetError>;

    /// Tells of shards that were missing or wrong; the coordinator forgets them and repairs.
    async fn report(&self, reports: Vec<ShardReport>) -> Result<(), FleetError>;

    /// Known parts after `after` in id order, at most `limit`: what the gateway's sweep compares its references with.
    async fn parts(&self, after: Option<PartId>, limit: u32) -> Result<Vec<KnownPart>, FleetError>;

    async fn summary(&self) -> Result<FleetSummary, FleetError>;

    /// How safe the segments of these parts are; at most `PARTS_PER_ASK_MAX` parts. Unknown parts count nothing.
    async fn durability(&self, parts: Vec<PartId>) -> Result<Durability, FleetError>;
}
