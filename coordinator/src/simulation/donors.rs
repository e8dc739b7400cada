//! The made-up donors, beside what the coordinator knows of them.

use nodio_wire::NodeId;
use nodio_wire::auth::Secret;

use crate::state::liveness::Presence;
use crate::tables::{Kept, NodeRow};

/// As it really is.
#[derive(Debug, Clone)]
pub(super) struct Donor {
    pub there: bool,
    pub dead: bool,
    pub capacity_bytes: u64,
    pub bedtime_ms: Option<u64>,
    /// Until when it moves what it was given to move for repairs.
    pub busy_until: u64,
}

impl Donor {
    pub(super) fn new(capacity_bytes: u64, bedtime_ms: Option<u64>) -> Self {
        Self { there: true, dead: false, capacity_bytes, bedtime_ms, busy_until: 0 }
    }
}

/// What the coordinator thinks of a donor, copied from each transition: a table is quicker to ask than the donor itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub presence: Presence,
    pub domain: u32,
}

/// The row of a donor that registers. Operators are fewer than donors, so some failure domains hold several.
pub(super) fn row_of(id: NodeId, operator: u32, capacity_bytes: u64) -> NodeRow {
    let mut nonce = [0; 16];
    nonce[..4].copy_from_slice(&id.0.to_le_bytes());
    let [_, a, b, c] = id.0.to_be_bytes();
    NodeRow {
        addr: format!("http://10.{a}.{b}.{c}:7400"),
        nonce,
        coordinator_nonce: [0; 16],
        secret: Secret::new([0; 32]),
        capacity_bytes,
        operator: Some(format!("operator-{operator}")),
        zone: None,
        version: "simulated".into(),
        registered: 0,
        faults: 0,
        kept: Kept::default(),
    }
}
