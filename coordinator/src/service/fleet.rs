//! What gateways ask: places, commits, locations, releases.

use async_trait::async_trait;
use nodio_meta::{Direction, StoreError};
use nodio_wire::fleet::{
    Fleet, FleetError, FleetSummary, Grant, GrantRequest, GrantedDonor, KnownPart, Located, LocatedShard, SegmentCommit,
    ShardFault, ShardReport, ShardSource,
};
use nodio_wire::limits::{GET_TICKET_MS, PUT_TICKET_MS, SEGMENTS_PER_CALL_MAX, SHARD_BYTES_MAX};
use nodio_wire::{PartId, SegmentId, UnixMs};

use super::{Coordinator, get_ticket, put_ticket};
use crate::keyspace;
use crate::limits::{PARTS_PER_CALL_MAX, RELEASE_PARTS_PER_CALL_MAX, REPORTS_PER_CALL_MAX};
use crate::map::forget::Fault;
use crate::map::{MapError, commit, forget, release};
use crate::state::nodes::Nodes;
use crate::state::repair::readable_without;
use crate::state::{Reserved, State};
use crate::tables::{SegmentRow, decode};

#[async_trait]
impl Fleet for Coordinator {
    async fn grant(&self, request: GrantRequest) -> Result<Vec<Grant>, FleetError> {
        if request.segments == 0 || usize::from(request.segments) > SEGMENTS_PER_CALL_MAX {
            return Err(FleetError::Refused(format!("{} segments in one grant", request.segments)));
        }
        if request.shard_bytes == 0 || request.shard_bytes as usize > SHARD_BYTES_MAX {
            return Err(FleetError::Refused(format!("shards of {} bytes", request.shard_bytes)));
        }
        let expires = self.now().saturating_add(PUT_TICKET_MS);
        let mut state = self.state();
        let reserved = state.grant(&request, expires, &mut rand::rng())?;
        Ok(reserved.iter().map(|one| granted(&state, one, request.shard_bytes, expires)).collect())
    }

    async fn commit(&self, segments: Vec<SegmentCommit>) -> Result<(), FleetError> {
        commit::check(&segments, |node| self.state().nodes.get(node).is_some()).map_err(refused)?;
        let wants_mending = |row: &SegmentRow| {
            let state = self.state();
            row.shards.iter().any(|place| place.node.and_then(|id| state.nodes.get(id)).is_none_or(|node| !node.liveness.is_up()))
        };
        let fresh = commit::enter(&*self.store, &segments, wants_mending, self.now()).await.map_err(refused)?;
        let mut state = self.state();
        for segment in fresh.into_iter().map(|at| &segments[at]) {
            settle(&mut state, segment);
        }
        Ok(())
    }

    async fn locate(&self, part: PartId, first: u32, count: u32) -> Result<Vec<Located>, FleetError> {
        let count = (count as usize).min(SEGMENTS_PER_CALL_MAX);
        if count == 0 {
            return Ok(Vec::new());
        }
        let range = keyspace::segments_between(part, first, first.saturating_add(count as u32 - 1));
        let rows = self.store.scan(range, count, Direction::Ascending).await.map_err(unavailable)?;
        let read = |row: &nodio_meta::Row| Ok((keyspace::parse_segment(&row.key)?, decode::<SegmentRow>(&row.value)?));
        let found: Vec<(SegmentId, SegmentRow)> =
            rows.iter().map(read).collect::<Result<_, StoreError>>().map_err(unavailable)?;
        let expires = self.now().saturating_add(GET_TICKET_MS);
        let state = self.state();
        Ok(found.iter().map(|(id, row)| located(&state.nodes, *id, row, expires)).collect())
    }

    async fn release(&self, parts: Vec<PartId>) -> Result<(), FleetError> {
        if parts.len() > RELEASE_PARTS_PER_CALL_MAX {
            return Err(FleetError::Refused(format!("more than {RELEASE_PARTS_PER_CALL_MAX} parts in one release")));
        }
        release::ask(&*self.store, &parts, self.now()).await.map_err(unavailable)
    }

    async fn report(&self, reports: Vec<ShardReport>) -> Result<(), FleetError> {
        if reports.len() > REPORTS_PER_CALL_MAX {
            return Err(FleetError::Refused(format!("more than {REPORTS_PER_CALL_MAX} reports in one call")));
        }
        let fault = |report: ShardReport| Fault {
            segment: report.segment,
            shard: report.shard,
            node: report.node,
            corrupt: report.fault == ShardFault::Corrupt,
        };
        let (corrupt, missing): (Vec<Fault>, Vec<Fault>) = reports.into_iter().map(fault).partition(|fault| fault.corrupt);
        self.forget(&corrupt, |_, _| true).await.map_err(unavailable)?;
        self.suspect_missing(&missing).await.map_err(unavailable)
    }

    async fn parts(&self, after: Option<PartId>, limit: u32) -> Result<Vec<KnownPart>, FleetError> {
        let limit = (limit as usize).min(PARTS_PER_CALL_MAX);
        let (mut parts, mut last) = (Vec::new(), after);
        while parts.len() < limit {
            let Some(part) = self.next_part(last).await.map_err(unavailable)? else { break };
            last = Some(part.part);
            if !self.is_released(part.part).await.map_err(unavailable)? {
                parts.push(part);
            }
        }
        Ok(parts)
    }

    async fn summary(&self) -> Result<FleetSummary, FleetError> {
        Ok(FleetSummary { domains_up: self.state().nodes.domains_up() as u32 })
    }
}

impl Coordinator {
    /// "I don't have it" may be said by a proxy or a stranger at the donor's address. It is believed at once only while the segment stays
    /// readable without the shard; the donor itself is asked for its list either way, and that decides.
    pub(crate) async fn suspect_missing(&self, missing: &[Fault]) -> Result<(), StoreError> {
        for fault in missing {
            if let Some(node) = self.state().nodes.get_mut(fault.node) {
                node.reconcile.wanted = true;
            }
        }
        self.forget(missing, |row, positions| readable_without(row, positions, |id| self.presence(id))).await
    }

    /// Forgets shards that donors don't have, and counts it against them.
    pub(crate) async fn forget(&self, faults: &[Fault], allows: impl Fn(&SegmentRow, &[u8]) -> bool) -> Result<(), StoreError> {
        let counts = forget::forget(&*self.store, faults, allows, self.now()).await?;
        let mut state = self.state();
        for (id, count) in counts {
            if let Some(node) = state.nodes.get_mut(id) {
                node.faults += count;
                tracing::warn!(node = %id, addr = node.addr, shards = count, "shards were missing or corrupt");
            }
        }
        Ok(())
    }

    /// The first part behind `after`, by its first segment.
    async fn next_part(&self, after: Option<PartId>) -> Result<Option<KnownPart>, StoreError> {
        let rows = self.store.scan(keyspace::segments_after(after), 1, Direction::Ascending).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let committed = decode::<SegmentRow>(&row.value)?.committed;
        Ok(Some(KnownPart { part: keyspace::parse_segment(&row.key)?.part, committed }))
    }

    async fn is_released(&self, part: PartId) -> Result<bool, StoreError> {
        Ok(self.store.get(&keyspace::release(part)).await?.is_some())
    }
}

fn granted(state: &State, reserved: &Reserved, shard_bytes: u32, expires: UnixMs) -> Grant {
    let nodes = reserved.nodes.iter().filter_map(|id| state.nodes.get(*id));
    let donors =
        nodes.map(|node| GrantedDonor { node: node.id, addr: node.addr.clone(), ticket: put_ticket(node, shard_bytes, expires) });
    Grant { id: reserved.grant, donors: donors.collect() }
}

/// A grant's promise becomes bytes stored.
fn settle(state: &mut State, segment: &SegmentCommit) {
    let State { nodes, reservations, .. } = state;
    reservations.settle(nodes, segment.grant);
    for node in segment.shards.iter().filter_map(|shard| shard.node) {
        state.stored(node, segment.shard_bytes);
    }
}

fn located(nodes: &Nodes, segment: SegmentId, row: &SegmentRow, expires: UnixMs) -> Located {
    let source = |place: &crate::tables::Place| {
        let node = nodes.get(place.node?)?;
        let ticket = get_ticket(node, place.id, row.shard_bytes, expires);
        Some(ShardSource { node: node.id, addr: node.addr.clone(), ticket, up: node.liveness.is_up() })
    };
    let shards = row.shards.iter().map(|place| LocatedShard { id: place.id, source: source(place) }).collect();
    Located { segment, code: row.code, shard_bytes: row.shard_bytes, shards }
}

fn unavailable(error: StoreError) -> FleetError {
    tracing::error!("{error}");
    FleetError::Unavailable("its store failed".into())
}

fn refused(error: MapError) -> FleetError {
    match error {
        MapError::Store(error) => unavailable(error),
        MapError::Refused(reason) => FleetError::Refused(reason),
    }
}
