//! Shards copied away from donors that leave or shrink, and surplus taken off those that returned.

use nodio_host::Progress;
use nodio_meta::{KeyRange, Row, StoreError};
use nodio_wire::NodeId;
use nodio_wire::SegmentId;
use std::ops::Bound;

use super::mend::{Planned, Relief};
use super::progress;
use crate::keyspace;
use crate::limits::MOVE_PAGE_ROWS;
use crate::map::holders;
use crate::service::{Coordinator, lock};
use crate::state::moves::{Goal, Pass};
use crate::state::repair::urgency;
use crate::state::surplus::has_surplus;
use crate::tables::{HoldingRow, SegmentRow, decode, page, read_segment};

/// How a page was left.
enum Left {
    Through,
    /// Everybody is busy: this row comes again.
    At(Row),
}

impl Coordinator {
    /// A page of the pass whose turn it is.
    pub(crate) async fn move_step(&self) -> Result<Progress, StoreError> {
        let now = self.now();
        let taken = {
            let state = self.state();
            let mut cursors = lock(&self.cursors);
            cursors.moves.begin(&state.nodes, now);
            cursors.moves.take(now)
        };
        let Some(pass) = taken else { return Ok(Progress::Idle) };
        self.move_page(pass).await?;
        Ok(progress(lock(&self.cursors).moves.has_due(now)))
    }

    async fn move_page(&self, mut pass: Pass) -> Result<(), StoreError> {
        let (now, node) = (self.now(), pass.node);
        let (rows, rest) = page(&*self.store, pass.rest.clone(), MOVE_PAGE_ROWS).await?;
        let left = match pass.goal {
            Goal::Count { .. } => self.count_page(&mut pass, &rows).await?,
            _ => self.relieve_page(&mut pass, &rows).await?,
        };
        let mut due = now;
        match (left, rest) {
            (Left::At(row), _) => {
                pass.rest = KeyRange { start: Bound::Included(row.key), end: pass.rest.end };
                due = now.saturating_add(self.config.plan_every_ms);
            }
            (Left::Through, Some(rest)) if pass.goal != (Goal::Shed { surplus: 0 }) => pass.rest = rest,
            (Left::Through, _) => match self.next_goal(&pass) {
                Some(goal) => (pass.goal, pass.rest) = (goal, keyspace::holdings_of(node)),
                None => {
                    let until = now.saturating_add(self.config.heartbeat_ms.saturating_mul(2));
                    lock(&self.cursors).moves.ended(node, until);
                    return Ok(());
                }
            },
        }
        lock(&self.cursors).moves.put_back(pass, due);
        Ok(())
    }

    /// After the count it is known how much is to go.
    fn next_goal(&self, pass: &Pass) -> Option<Goal> {
        let Goal::Count { bytes, .. } = pass.goal else { return None };
        let state = self.state();
        let capacity = state.nodes.get(pass.node)?.space.capacity;
        let surplus = bytes.saturating_sub(capacity).saturating_sub(state.tasks.leaving(pass.node));
        (surplus > 0).then_some(Goal::Shed { surplus })
    }

    async fn count_page(&self, pass: &mut Pass, rows: &[Row]) -> Result<Left, StoreError> {
        let Goal::Count { mut bytes, mut last } = pass.goal else { return Ok(Left::Through) };
        for row in rows {
            let key = keyspace::parse_holding(&row.key)?;
            if last != Some(key.shard) {
                bytes += u64::from(self.bytes_of(row, &key.segment).await?);
                last = Some(key.shard);
            }
        }
        pass.goal = Goal::Count { bytes, last };
        Ok(Left::Through)
    }

    /// A holding of format 1 doesn't say its length.
    async fn bytes_of(&self, row: &Row, segment: &SegmentId) -> Result<u32, StoreError> {
        match decode::<HoldingRow>(&row.value)?.bytes {
            0 => Ok(read_segment(&*self.store, segment).await?.map_or(0, |held| held.row.shard_bytes)),
            bytes => Ok(bytes),
        }
    }

    async fn relieve_page(&self, pass: &mut Pass, rows: &[Row]) -> Result<Left, StoreError> {
        let mut missing = Vec::new();
        for found in rows {
            let segment = keyspace::parse_holding(&found.key)?.segment;
            let Some(row) = self.legible_segment(&segment).await? else { continue };
            if has_surplus(&row, |id| self.view(id)) {
                holders::trim(&*self.store, &segment, |id| self.view(id), self.now()).await?;
                continue;
            }
            if !self.gives_away(pass.node) {
                missing.extend(self.urgency(&row).map(|urgency| (segment, urgency)));
                continue;
            }
            match self.relieve_one(pass, &segment, &row).await? {
                Planned::Later if self.takers_are_busy() || self.is_loaded(pass.node) => return Ok(Left::At(found.clone())),
                _ if pass.goal == (Goal::Shed { surplus: 0 }) => break,
                _ => {}
            }
        }
        self.queue(&missing).await?;
        Ok(Left::Through)
    }

    /// What a donor that is away gives no more is left to the mend queue.
    fn gives_away(&self, node: NodeId) -> bool {
        self.view(node).is_live()
    }

    fn is_loaded(&self, node: NodeId) -> bool {
        self.state().tasks.load_of(node) >= usize::from(self.config.rebuilds_per_donor)
    }

    /// Moves leave half of a donor's seats for repairs.
    fn seats(&self) -> usize {
        usize::from(self.config.rebuilds_per_donor / 2).max(1)
    }

    fn takers_are_busy(&self) -> bool {
        !self.state().has_idle(self.seats(), &mut rand::rng())
    }

    async fn relieve_one(&self, pass: &mut Pass, segment: &SegmentId, row: &SegmentRow) -> Result<Planned, StoreError> {
        let Some(position) = row.position_of(pass.node).filter(|_| pass.goal != Goal::Trim) else { return Ok(Planned::Nobody) };
        let most = self.seats();
        let relief = Relief { segment: *segment, position, from: pass.node, apart: false, most, urgency: urgency::TIDY };
        let planned = self.relieve(&relief, row).await?;
        if let (Planned::Given, Goal::Shed { surplus }) = (planned, &mut pass.goal) {
            *surplus = surplus.saturating_sub(row.shard_bytes.into());
        }
        Ok(planned)
    }
}
