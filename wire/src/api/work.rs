//! Work for donors, and what they report of it.

use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::ids::{NodeId, SegmentId, ShardId};
use crate::proof::{Proof, Slice};
use crate::ticket::SignedTicket;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_read_as_flat_json() {
        let task = Task { id: 4, work: Work::Delete { shards: vec![ShardId([1; 32])] } };
        let json = serde_json::to_value(&task).expect("encodes");
        assert_eq!(json["kind"], "delete");
        assert_eq!(serde_json::from_value::<Task>(json).expect("decodes"), task);
    }
}
