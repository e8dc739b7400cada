//! A coordinator in memory: the plain model of a shard map, for the tests of whoever uses a [`Fleet`].
//! Its donors are `node-1`, `node-2`, ... at those very addresses, to be had from [`crate::donor::memory::MemoryTransport`].

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    Durability, Fleet, FleetError, FleetSummary, Grant, GrantRequest, GrantedDonor, KnownPart, Located, LocatedShard,
    SegmentCommit, ShardReport, ShardSource,
};
use crate::ids::{NodeId, PartId, SegmentId};
use crate::ticket::SignedTicket;

pub struct MemoryFleet {
    donors: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    map: BTreeMap<SegmentId, SegmentCommit>,
    away: HashSet<NodeId>,
    reports: Vec<ShardReport>,
    asked: Vec<GrantRequest>,
    grants: u64,
    down: bool,
}

/// The address of donor `number`, from 1.
pub fn addr(number: u32) -> String {
    format!("node-{number}")
}

impl MemoryFleet {
    pub fn new(donors: u32) -> Self {
        Self { donors, state: Mutex::default() }
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, FleetError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.down { Err(FleetError::Unavailable("switched off".into())) } else { Ok(state) }
    }

    fn any_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the donor gets no grants and counts as not up.
    pub fn away(&self, number: u32) {
        self.any_state().away.insert(NodeId(number));
    }

    /// Switches the coordinator itself off or on.
    pub fn down(&self, down: bool) {
        self.any_state().down = down;
    }

    /// Every committed segment.
    pub fn segments(&self) -> Vec<SegmentCommit> {
        self.any_state().map.values().cloned().collect()
    }

    pub fn reports(&self) -> Vec<ShardReport> {
        self.any_state().reports.clone()
    }

    /// Every request for grants.
    pub fn asked(&self) -> Vec<GrantRequest> {
        self.any_state().asked.clone()
    }
}

fn ticket() -> SignedTicket {
    SignedTicket("memory".into())
}

#[async_trait]
impl Fleet for MemoryFleet {
    async fn grant(&self, request: GrantRequest) -> Result<Vec<Grant>, FleetError> {
        let mut state = self.state()?;
        state.asked.push(request.clone());
        let is_free = |number: &u32| !state.away.contains(&NodeId(*number)) && !request.holding.contains(&NodeId(*number));
        let up: Vec<u32> = (1..=self.donors).filter(is_free).collect();
        let need = request.code.write_quorum().saturating_sub(request.holding.len()).max(1);
        if up.len() < need {
            return Err(FleetError::NotEnoughDonors { need, have: up.len() });
        }
        let wanted = request.code.n().saturating_sub(request.holding.len()) + usize::from(request.spares);
        let take = wanted.min(up.len());
        let grants = (0..request.segments).map(|_| {
            state.grants += 1;
            let first = state.grants as usize;
            let donors = (0..take).map(|i| up[(first + i) % up.len()]);
            let donors = donors.map(|number| GrantedDonor { node: NodeId(number), addr: addr(number), ticket: ticket() });
            Grant { id: state.grants, donors: donors.collect() }
        });
        Ok(grants.collect())
    }

    async fn commit(&self, segments: Vec<SegmentCommit>) -> Result<(), FleetError> {
        let mut state = self.state()?;
        for segment in segments {
            let placed = segment.shards.iter().filter(|shard| shard.node.is_some()).count();
            if segment.shards.len() != segment.code.n() || placed < segment.code.write_quorum() {
                return Err(FleetError::Refused(format!("{placed} shards of {} is no quorum", segment.code)));
            }
            state.map.insert(segment.segment, segment);
        }
        Ok(())
    }

    async fn locate(&self, part: PartId, first: u32, count: u32) -> Result<Vec<Located>, FleetError> {
        let state = self.state()?;
        let range = SegmentId { part, index: first }..SegmentId { part, index: first.saturating_add(count) };
        let located = state.map.range(range).map(|(_, segment)| {
            let shards = segment.shards.iter().map(|shard| {
                let source = shard.node.map(|node| {
                    let up = !state.away.contains(&node);
                    ShardSource { node, addr: addr(node.0), ticket: ticket(), up }
                });
                LocatedShard { id: shard.id, source }
            });
            let (code, shard_bytes) = (segment.code, segment.shard_bytes);
            Located { segment: segment.segment, code, shard_bytes, shards: shards.collect() }
        });
        Ok(located.collect())
    }

    async fn release(&self, parts: Vec<PartId>) -> Result<(), FleetError> {
        self.state()?.map.retain(|segment, _| !parts.contains(&segment.part));
        Ok(())
    }

    async fn report(&self, reports: Vec<ShardReport>) -> Result<(), FleetError> {
        self.state()?.reports.extend(reports);
        Ok(())
    }

    async fn parts(&self, after: Option<PartId>, limit: u32) -> Result<Vec<KnownPart>, FleetError> {
        let state = self.state()?;
        let mut parts: Vec<PartId> = state.map.keys().map(|segment| segment.part).filter(|part| Some(*part) > after).collect();
        parts.dedup();
        Ok(parts.into_iter().take(limit as usize).map(|part| KnownPart { part, committed: 0 }).collect())
    }

    async fn summary(&self) -> Result<FleetSummary, FleetError> {
        let state = self.state()?;
        Ok(FleetSummary { domains_up: self.donors - state.away.len() as u32 })
    }

    async fn durability(&self, parts: Vec<PartId>) -> Result<Durability, FleetError> {
        let mut durability = Durability::default();
        for segment in self.state()?.map.values().filter(|segment| parts.contains(&segment.segment.part)) {
            let placed = segment.shards.iter().filter(|shard| shard.node.is_some()).count();
            durability.segments += 1;
            durability.bytes += u64::from(segment.shard_bytes) * segment.code.k() as u64;
            *durability.by_spare.entry((placed - segment.code.k()) as i16).or_default() += 1;
        }
        Ok(durability)
    }
}
