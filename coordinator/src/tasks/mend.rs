//! Finding donors for the shards of one segment.

use nodio_meta::StoreError;
use nodio_wire::{NodeId, SegmentId, ShardId};

use crate::keyspace;
use crate::limits::RECEIVERS_TRIED_MAX;
use crate::service::Coordinator;
use crate::state::placement::{Candidate, Need};
use crate::state::repair::{lease_end, sources};
use crate::state::tasks::{Aim, How, Mending, Source};
use crate::tables::SegmentRow;

/// What came of looking for donors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planned {
    Given,
    /// Under way, resting after a setback, or everybody who could is busy.
    Later,
    /// No donor could take it, busy or not.
    Nobody,
}

/// A holder to be relieved of a shard that it still has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Relief {
    pub segment: SegmentId,
    pub position: u8,
    pub from: NodeId,
    /// Only to a domain that has no shard of the segment.
    pub apart: bool,
    /// Pieces of work at which a donor is too busy to receive it.
    pub most: usize,
    pub urgency: u8,
}

impl Coordinator {
    /// Has positions that are missing rebuilt: all for which there is a receiver by one of these, from one download.
    pub(crate) async fn mend(
        &self,
        segment: &SegmentId,
        row: &SegmentRow,
        positions: &[u8],
        urgency: u8,
    ) -> Result<Planned, StoreError> {
        let most = usize::from(self.config.rebuilds_per_donor);
        let Some((missing, need)) = self.need(segment, row, positions, most) else { return Ok(Planned::Later) };
        if missing.is_empty() {
            return Ok(Planned::Later);
        }
        let targets = self.aim(segment, row, &missing, &need).await?;
        if targets.is_empty() {
            let nobody = missing.len() == positions.len() && self.nobody_fits(need);
            return Ok(if nobody { Planned::Nobody } else { Planned::Later });
        }
        let sources = self.sources(segment, row);
        if sources.len() < row.code.k() {
            return Ok(Planned::Later);
        }
        let Some(worker) = self.worker(segment, &targets, &sources) else { return Ok(Planned::Later) };
        let how = How::Rebuild { code: row.code, sources };
        let mending = Mending { segment: *segment, shard_bytes: row.shard_bytes, targets, how, urgency, relieves: None };
        Ok(self.give(worker, mending))
    }

    /// Has a shard copied to another donor: by its holder, if that is up and didn't fail at it before; else by the receiver, from the others.
    pub(crate) async fn relieve(&self, relief: &Relief, row: &SegmentRow) -> Result<Planned, StoreError> {
        let &Relief { segment, position, from, urgency, most, .. } = relief;
        let Some((missing, need)) = self.need(&segment, row, &[position], most) else { return Ok(Planned::Later) };
        let need = Need { apart: relief.apart, ..need };
        if missing.is_empty() {
            return Ok(Planned::Later);
        }
        let targets = self.aim(&segment, row, &missing, &need).await?;
        let Some(aim) = targets.first().copied() else {
            return Ok(if self.nobody_fits(need) { Planned::Nobody } else { Planned::Later });
        };
        let (pushes, busy) = {
            let state = self.state();
            let failed = state.tasks.setbacks.nodes_of(&segment).contains(&from);
            let most = usize::from(self.config.rebuilds_per_donor);
            (state.nodes.view(from).up && !failed, state.tasks.load_of(from) >= most)
        };
        let sources = self.sources(&segment, row);
        let (worker, how) = match pushes {
            true if busy => return Ok(Planned::Later),
            true => (from, How::Push),
            false if sources.len() < row.code.k() => return Ok(Planned::Later),
            false => (aim.node, How::Rebuild { code: row.code, sources }),
        };
        let mending = Mending { segment, shard_bytes: row.shard_bytes, targets, how, urgency, relieves: Some(from) };
        Ok(self.give(worker, mending))
    }

    /// What a rebuild may read now. Who counts for nothing and was found not to have this segment's shard isn't read at every try.
    fn sources(&self, segment: &SegmentId, row: &SegmentRow) -> Vec<Source> {
        let (now, state) = (self.now(), self.state());
        let mut sources = sources(row, |id| state.nodes.view(id));
        sources
            .retain(|source| !state.nodes.view(source.node).dismissed || !state.tasks.setbacks.shuns(segment, source.node, now));
        sources
    }

    /// Who does a rebuild: a receiver, for it saves one transfer; of those who failed at this segment lately nobody, if there is another.
    fn worker(&self, segment: &SegmentId, targets: &[Aim], sources: &[Source]) -> Option<NodeId> {
        let state = self.state();
        let failed = state.tasks.setbacks.nodes_of(segment);
        let can = |node: &NodeId| !failed.contains(node) && state.nodes.view(*node).up && !state.nodes.view(*node).dismissed;
        let mut receivers = targets.iter().map(|aim| aim.node).filter(can);
        let mut holders = sources.iter().map(|source| source.node).filter(can);
        receivers.next().or_else(|| holders.next()).or_else(|| targets.first().map(|aim| aim.node))
    }

    /// Which of these positions nobody is at work on, and what their receivers must be; `None` while the segment rests.
    fn need(&self, segment: &SegmentId, row: &SegmentRow, positions: &[u8], most: usize) -> Option<(Vec<u8>, Need)> {
        let state = self.state();
        if state.tasks.setbacks.rests(segment, self.now()) {
            return None;
        }
        let under_way = state.tasks.under_way(segment);
        let receivers: Vec<NodeId> = under_way.iter().map(|(_, node)| *node).collect();
        let idle = |at: &u8| under_way.iter().all(|(other, _)| other != at);
        let missing: Vec<u8> = positions.iter().copied().filter(idle).collect();
        let need = Need::of(row, positions, &receivers, most, |id| state.nodes.view(id));
        Some((missing, need))
    }

    /// A receiver for each of the positions, as far as there are any. Who failed at this segment lately is asked only if nobody else can.
    async fn aim(&self, segment: &SegmentId, row: &SegmentRow, positions: &[u8], need: &Need) -> Result<Vec<Aim>, StoreError> {
        let mut without_failed = need.clone();
        without_failed.not.extend_from_slice(self.state().tasks.setbacks.nodes_of(segment));
        let mut targets = Vec::new();
        for mut need in [without_failed, need.clone()] {
            for position in positions {
                let shard = row.shards[usize::from(*position)].id;
                if let Some(chosen) = self.choose(&mut need, &shard).await? {
                    need.also(&chosen);
                    targets.push(Aim { position: *position, shard, node: chosen.node });
                }
            }
            if !targets.is_empty() {
                break;
            }
        }
        Ok(targets)
    }

    /// A donor that has yet to delete the shard is passed over: it would keep what it has.
    async fn choose(&self, need: &mut Need, shard: &ShardId) -> Result<Option<Candidate>, StoreError> {
        for _ in 0..RECEIVERS_TRIED_MAX {
            let Some(chosen) = self.state().receiver(need, &mut rand::rng()) else { return Ok(None) };
            if self.store.get(&keyspace::doomed(chosen.node, shard)).await?.is_none() {
                return Ok(Some(chosen));
            }
            need.not.push(chosen.node);
        }
        Ok(None)
    }

    /// True if no donor would do, however little it had to do.
    fn nobody_fits(&self, need: Need) -> bool {
        self.state().receiver(&Need { most: usize::MAX, ..need }, &mut rand::rng()).is_none()
    }

    fn give(&self, worker: NodeId, mending: Mending) -> Planned {
        let lease_end = lease_end(self.now(), self.config.task_lease_ms);
        if self.state().assign(worker, mending, lease_end) { Planned::Given } else { Planned::Later }
    }
}
