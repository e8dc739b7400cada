//! What gateways ask: places, commits, locations, releases.

use async_trait::async_trait;
use nodio_meta::{Direction, StoreError};
use nodio_wire::fleet::{
    Durability, Fleet, FleetError, FleetSummary, Grant, GrantRequest, GrantedDonor, KnownPart, Located, LocatedShard,
    SegmentCommit, ShardReport, ShardSource,
};
use nodio_wire::limits::{GET_TICKET_MS, PARTS_PER_ASK_MAX, PUT_TICKET_MS, SEGMENTS_PER_CALL_MAX, SHARD_BYTES_MAX};
use nodio_wire::{NodeId, PartId, SegmentId, UnixMs};

use super::{Coordinator, get_ticket, put_ticket};
use crate::keyspace;
use crate::limits::{PARTS_PER_CALL_MAX, RELEASE_PARTS_PER_CALL_MAX, REPORTS_PER_CALL_MAX};
use crate::map::forget::Fault;
use crate::map::{MapError, commit, forget, release};
use crate::state::node::Node;
use crate::state::nodes::Nodes;
use crate::state::repair::{readable, urgency};
use crate::state::reservations::ends;
use crate::state::view::best_holder;
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
        if request.holding.len() > request.code.n() {
            return Err(FleetError::Refused(format!("{} donors hold shards of one segment", request.holding.len())));
        }
        let expires = self.now().saturating_add(PUT_TICKET_MS);
        let mut state = self.state();
        let reserved = state.grant(&request, expires, &mut rand::rng())?;
        Ok(reserved.iter().map(|one| granted(&state, one, request.shard_bytes, expires)).collect())
    }

    async fn commit(&self, mut segments: Vec<SegmentCommit>) -> Result<(), FleetError> {
        without_dismissed(&self.state(), &mut segments);
        commit::check(&segments, |node| self.state().nodes.get(node).is_some()).map_err(refused)?;
        let now = self.now();
        let urgency = |row: &SegmentRow| self.urgency_at_commit(row);
        let is_young = |grant| self.is_young(grant, now);
        let fresh = commit::enter(&*self.store, &segments, is_young, urgency, now).await.map_err(refused)?;
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
            // Not for good on a gateway's word: what a donor really holds wrong it finds by itself, or an audit does.
            corrupt: false,
        };
        let faults: Vec<Fault> = reports.into_iter().map(fault).collect();
        self.suspect(&faults).await.map_err(unavailable)
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

    async fn durability(&self, parts: Vec<PartId>) -> Result<Durability, FleetError> {
        if parts.len() > PARTS_PER_ASK_MAX {
            return Err(FleetError::Refused(format!("more than {PARTS_PER_ASK_MAX} parts in one question")));
        }
        self.durability_of(&parts).await.map_err(unavailable)
    }
}

impl Coordinator {
    /// Donors throw shards that no row names away from `litter_age_s` on, which a gateway that slept may not have noticed. A commit must come
    /// well before, so that no inventory under way still misses it.
    fn is_young(&self, grant: u64, now: UnixMs) -> bool {
        let issued = ends(grant).saturating_sub(PUT_TICKET_MS);
        now.saturating_sub(issued) <= u64::from(self.config.litter_age_s) * 1000 / 4 * 3
    }

    /// A donor that just fell silent may have been walked over before this commit: its segments are looked at once more.
    fn urgency_at_commit(&self, row: &SegmentRow) -> Option<u8> {
        let state = self.state();
        let silent = row.placed().any(|(_, _, node)| !state.nodes.view(node).up);
        drop(state);
        if silent { Some(urgency::UNJUDGED) } else { self.urgency(row) }
    }

    /// "I don't have it" may be said by a proxy or a stranger at the donor's address, and wrong bytes may have become so on the way. It is
    /// believed at once only while the segment stays readable without the shard. The donor itself is asked for its list either way, and
    /// about the very shard, while it is still named for it: it reads the whole of it to answer, and tells if it is rotten.
    pub(crate) async fn suspect(&self, missing: &[Fault]) -> Result<(), StoreError> {
        self.accuse(missing);
        self.forget_if_readable(missing).await.map(drop)
    }

    /// Forgets shards of segments that stay readable without them. Of others the name is kept: it costs failed reads, and the shard may
    /// come back to light. Returns how many were forgotten.
    pub(crate) async fn forget_if_readable(&self, faults: &[Fault]) -> Result<u64, StoreError> {
        self.forget(faults, |row, _| readable(row, |id| self.presence(id))).await
    }

    /// Forgets shards that donors don't have, and counts it against them. Returns how many were forgotten.
    pub(crate) async fn forget(&self, faults: &[Fault], allows: impl Fn(&SegmentRow, &[u8]) -> bool) -> Result<u64, StoreError> {
        let counts = forget::forget(&*self.store, faults, allows, self.now()).await?;
        let mut state = self.state();
        let mut total = 0;
        for (id, count) in counts {
            total += count;
            if let Some(node) = state.nodes.get_mut(id) {
                node.faults += count;
                tracing::warn!(node = %id, addr = node.addr, shards = count, "shards were missing or corrupt");
            }
        }
        Ok(total)
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

/// Donors that were refused or released since they were granted are not named any more; what they took is mended like any missing shard.
fn without_dismissed(state: &State, segments: &mut [SegmentCommit]) {
    let is_out = |id: NodeId| state.nodes.get(id).is_some_and(Node::is_out);
    for shard in segments.iter_mut().flat_map(|segment| &mut segment.shards) {
        shard.node = shard.node.filter(|id| !is_out(*id));
    }
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
        let (holder, seen) = best_holder(place, |id| nodes.view(id))?;
        let node = nodes.get(holder)?;
        let ticket = get_ticket(node, place.id, row.shard_bytes, expires);
        Some(ShardSource { node: node.id, addr: node.addr.clone(), ticket, up: seen.up && seen.is_live() })
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
