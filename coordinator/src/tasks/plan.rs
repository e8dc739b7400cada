//! From the mend queue to donors' outboxes.

use nodio_host::Progress;
use nodio_meta::{CommitError, Row, StoreError};
use nodio_wire::{NodeId, SegmentId, ShardId};

use super::progress;
use crate::keyspace;
use crate::limits::{PLAN_WINDOW_SEGMENTS, RECEIVERS_TRIED_MAX};
use crate::service::{Coordinator, lock};
use crate::state::placement::Candidate;
use crate::state::repair::{Need, Verdict, lease_end, receiver, sources, survey};
use crate::state::tasks::Rebuild;
use crate::state::{State, footprint};
use crate::tables::{Batch, SegmentRow, page, read_segment};

/// A segment of the queue that can be mended.
struct Wanted {
    spare: usize,
    segment: SegmentId,
    row: SegmentRow,
    positions: Vec<u8>,
}

impl Coordinator {
    /// Looks at a window of the queue and hands its most urgent segments to donors with room for work.
    pub(crate) async fn plan_step(&self) -> Result<Progress, StoreError> {
        if self.receivers(&self.state()).is_empty() {
            return Ok(Progress::Idle);
        }
        let ahead = lock(&self.cursors).mends.take().unwrap_or_else(keyspace::mends);
        let (rows, rest) = page(&*self.store, ahead, PLAN_WINDOW_SEGMENTS).await?;
        let mut wanted = self.consider(&rows).await?;
        wanted.sort_by_key(|one| one.spare);
        for one in &wanted {
            for position in &one.positions {
                self.plan(one, *position).await?;
            }
        }
        let more = rest.is_some();
        lock(&self.cursors).mends = rest;
        Ok(progress(more))
    }

    /// Donors that may be given a rebuild now.
    fn receivers(&self, state: &State) -> Vec<Candidate> {
        let most = usize::from(self.config.rebuilds_per_donor);
        let mut pool = state.nodes.candidates();
        pool.retain(|candidate| state.tasks.rebuilds_of(candidate.node) < most);
        pool
    }

    /// What can be mended among these rows. Those that need nothing (any more) leave the queue.
    async fn consider(&self, rows: &[Row]) -> Result<Vec<Wanted>, StoreError> {
        let (mut wanted, mut settled) = (Vec::new(), Batch::default());
        for queued in rows {
            let segment = keyspace::parse_mend(&queued.key)?;
            let key = keyspace::segment(&segment);
            match read_segment(&*self.store, &segment).await? {
                None => settled.absent(key),
                Some(held) => match survey(&held.row, self.margin(), |id| self.presence(id)) {
                    Verdict::Whole => settled.at(key, held.version),
                    Verdict::Stuck => continue,
                    Verdict::Mend { spare, positions } => {
                        wanted.push(Wanted { spare, segment, row: held.row, positions });
                        continue;
                    }
                },
            }
            settled.at(queued.key.clone(), queued.version);
            settled.delete(queued.key.clone());
        }
        self.settle(settled).await?;
        Ok(wanted)
    }

    /// Takes rows off the queue; if one of them changed meanwhile, all wait for the next round.
    async fn settle(&self, batch: Batch) -> Result<(), StoreError> {
        if batch.writes_nothing() {
            return Ok(());
        }
        match self.store.commit(batch.into_commit()).await {
            Ok(_) | Err(CommitError::Conflict) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Finds a receiver for one shard. A donor that has yet to delete that shard is passed over: it would keep what it has.
    async fn plan(&self, wanted: &Wanted, position: u8) -> Result<(), StoreError> {
        let shard = wanted.row.shards[usize::from(position)].id;
        let mut refused = Vec::new();
        for _ in 0..RECEIVERS_TRIED_MAX {
            let Some(node) = self.choose(wanted, position, &refused) else { return Ok(()) };
            if self.is_doomed(node, &shard).await? || !self.assign(wanted, position, shard, node) {
                refused.push(node);
            } else {
                return Ok(());
            }
        }
        Ok(())
    }

    fn choose(&self, wanted: &Wanted, position: u8, refused: &[NodeId]) -> Option<NodeId> {
        let state = self.state();
        let under_way = state.tasks.under_way(&wanted.segment);
        if under_way.iter().any(|(at, _)| *at == position) {
            return None;
        }
        let receivers: Vec<NodeId> = under_way.iter().map(|(_, node)| *node).collect();
        let mut need = Need::of(&wanted.row, position, &receivers, footprint(wanted.row.shard_bytes), &state.nodes);
        need.not.extend_from_slice(refused);
        receiver(&self.receivers(&state), &need, &mut rand::rng())
    }

    async fn is_doomed(&self, node: NodeId, shard: &ShardId) -> Result<bool, StoreError> {
        Ok(self.store.get(&keyspace::doomed(node, shard)).await?.is_some())
    }

    fn assign(&self, wanted: &Wanted, position: u8, shard: ShardId, node: NodeId) -> bool {
        let row = &wanted.row;
        let now = self.now();
        let mut state = self.state();
        let rebuild = Rebuild {
            segment: wanted.segment,
            code: row.code,
            shard_bytes: row.shard_bytes,
            position,
            shard,
            sources: sources(row, |id| state.nodes.presence(id)),
        };
        state.assign(node, rebuild, lease_end(now, self.config.task_lease_ms))
    }
}
