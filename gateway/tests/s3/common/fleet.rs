//! A coordinator as plain as can be: every donor is up, nothing is checked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use nodio_wire::fleet::{
    Durability, Fleet, FleetError, FleetSummary, Grant, GrantRequest, GrantedDonor, KnownPart, Located, LocatedShard,
    SegmentCommit, ShardReport, ShardSource,
};
use nodio_wire::ticket::SignedTicket;
use nodio_wire::{Code, NodeId, PartId, SegmentId};

pub(crate) struct PlainFleet {
    donors: AtomicUsize,
    map: Mutex<BTreeMap<SegmentId, SegmentCommit>>,
}

/// A donor's address by its number.
pub(crate) fn addr(node: NodeId) -> String {
    format!("http://donor-{node}")
}

impl PlainFleet {
    pub(crate) fn new(donors: usize) -> Self {
        Self { donors: AtomicUsize::new(donors), map: Mutex::default() }
    }

    /// From now on so many donors can take shards.
    pub(crate) fn shrink_to(&self, donors: usize) {
        self.donors.store(donors, Ordering::Relaxed);
    }

    /// Segments in the map.
    pub(crate) fn segments(&self) -> usize {
        self.map().len()
    }

    /// The code of each, in order.
    pub(crate) fn codes(&self) -> Vec<String> {
        let mut codes: Vec<String> = self.map().values().map(|segment| segment.code.to_string()).collect();
        codes.sort();
        codes
    }

    /// Enters a segment that no gateway will ever name.
    pub(crate) async fn leave_behind(&self) {
        let segment = SegmentId { part: PartId::random(), index: 0 };
        let code = Code::new(1, 1).unwrap();
        self.commit(vec![SegmentCommit { segment, code, shard_bytes: 1, shards: Vec::new(), grant: 0 }]).await.unwrap();
    }

    fn map(&self) -> MutexGuard<'_, BTreeMap<SegmentId, SegmentCommit>> {
        self.map.lock().unwrap()
    }
}

fn ticket() -> SignedTicket {
    SignedTicket("any".into())
}

#[async_trait]
impl Fleet for PlainFleet {
    async fn grant(&self, request: GrantRequest) -> Result<Vec<Grant>, FleetError> {
        let have = self.donors.load(Ordering::Relaxed);
        let need = request.code.write_quorum();
        if have < need {
            return Err(FleetError::NotEnoughDonors { need, have });
        }
        let donor = |number: usize| {
            let node = NodeId(number as u32 + 1);
            GrantedDonor { node, addr: addr(node), ticket: ticket() }
        };
        let wanted = have.min(request.code.n() + usize::from(request.spares));
        Ok((0..request.segments).map(|id| Grant { id: id.into(), donors: (0..wanted).map(donor).collect() }).collect())
    }

    async fn commit(&self, segments: Vec<SegmentCommit>) -> Result<(), FleetError> {
        self.map().extend(segments.into_iter().map(|segment| (segment.segment, segment)));
        Ok(())
    }

    async fn locate(&self, part: PartId, first: u32, count: u32) -> Result<Vec<Located>, FleetError> {
        let range = SegmentId { part, index: first }..SegmentId { part, index: first.saturating_add(count) };
        let located = |segment: &SegmentCommit| Located {
            segment: segment.segment,
            code: segment.code,
            shard_bytes: segment.shard_bytes,
            shards: segment
                .shards
                .iter()
                .map(|shard| LocatedShard {
                    id: shard.id,
                    source: shard.node.map(|node| ShardSource { node, addr: addr(node), ticket: ticket(), up: true }),
                })
                .collect(),
        };
        Ok(self.map().range(range).map(|(_, segment)| located(segment)).collect())
    }

    async fn release(&self, parts: Vec<PartId>) -> Result<(), FleetError> {
        self.map().retain(|segment, _| !parts.contains(&segment.part));
        Ok(())
    }

    async fn report(&self, _: Vec<ShardReport>) -> Result<(), FleetError> {
        Ok(())
    }

    async fn parts(&self, after: Option<PartId>, limit: u32) -> Result<Vec<KnownPart>, FleetError> {
        let map = self.map();
        let mut parts: Vec<PartId> = map.keys().map(|segment| segment.part).filter(|part| Some(*part) > after).collect();
        parts.dedup();
        Ok(parts.into_iter().take(limit as usize).map(|part| KnownPart { part, committed: 0 }).collect())
    }

    async fn summary(&self) -> Result<FleetSummary, FleetError> {
        Ok(FleetSummary { domains_up: self.donors.load(Ordering::Relaxed) as u32 })
    }

    async fn durability(&self, parts: Vec<PartId>) -> Result<Durability, FleetError> {
        let mut durability = Durability::default();
        for segment in self.map().values().filter(|segment| parts.contains(&segment.segment.part)) {
            durability.segments += 1;
            *durability.by_spare.entry(segment.code.parity() as i16).or_default() += 1;
        }
        Ok(durability)
    }
}
