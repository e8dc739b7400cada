//! What is to be mended: judged here for everybody who comes across a segment, and asked for by operators.

use nodio_meta::StoreError;
use nodio_wire::api::{RepairAsk, RepairRun};
use nodio_wire::limits::PARTS_PER_ASK_MAX;
use nodio_wire::{PartId, SegmentId};

use super::{Coordinator, ServiceError};
use crate::keyspace;
use crate::limits::PAGE_ROWS;
use crate::map::queue;
use crate::state::State;
use crate::state::placement::Need;
use crate::state::repair::{Verdict, survey, urgency, urgency_of};
use crate::state::surplus::clumped;
use crate::tables::{MendRow, SegmentRow, decode, page};

impl Coordinator {
    /// Where this segment belongs on the mend queue; `None` if nothing is to be done about it.
    pub(crate) fn urgency(&self, row: &SegmentRow) -> Option<u8> {
        let mut state = self.state();
        let view = |id| state.nodes.view(id);
        let verdict = survey(row, self.margin(), false, view);
        match urgency_of(&verdict, row, self.margin(), view) {
            None if can_spread(&mut state, row) => Some(urgency::TIDY),
            urgency => urgency,
        }
    }

    /// Puts segments where [`Self::urgency`] says.
    pub(crate) async fn queue(&self, segments: &[(SegmentId, u8)]) -> Result<(), StoreError> {
        queue::put(&*self.store, segments, MendRow { since: self.now(), forced: false }).await
    }

    /// Has everything missing of these parts rebuilt now, without waiting for donors that may return. What isn't known yet to be missing
    /// or not is queued as well, until it is.
    ///
    /// # Errors
    /// [`ServiceError::Refused`] for more than `PARTS_PER_ASK_MAX` parts.
    pub async fn repair(&self, ask: RepairAsk) -> Result<RepairRun, ServiceError> {
        if ask.parts.len() > PARTS_PER_ASK_MAX {
            return Err(ServiceError::Refused(format!("more than {PARTS_PER_ASK_MAX} parts in one request")));
        }
        let mut run = RepairRun { segments: 0, queued: 0, unheard: 0 };
        for part in ask.parts {
            self.repair_part(part, &mut run).await?;
        }
        Ok(run)
    }

    async fn repair_part(&self, part: PartId, run: &mut RepairRun) -> Result<(), StoreError> {
        let mut rest = Some(keyspace::segments_of(part));
        while let Some(range) = rest {
            let (rows, left) = page(&*self.store, range, PAGE_ROWS).await?;
            let mut found = Vec::new();
            for row in &rows {
                let segment: SegmentRow = decode(&row.value)?;
                let verdict = survey(&segment, self.margin(), true, |id| self.view(id));
                run.unheard += u64::from(verdict == Verdict::Wait);
                if verdict != Verdict::Whole {
                    found.push((keyspace::parse_segment(&row.key)?, urgency::FORCED));
                }
            }
            run.segments += rows.len() as u64;
            run.queued += found.len() as u64;
            queue::put(&*self.store, &found, MendRow { since: self.now(), forced: true }).await?;
            rest = left;
        }
        Ok(())
    }
}

/// True if two shards of the segment live too close and a donor lies apart that could take one, busy or not.
fn can_spread(state: &mut State, row: &SegmentRow) -> bool {
    let view = |id| state.nodes.view(id);
    let Some((position, _)) = clumped(row, view) else { return false };
    let need = Need { apart: true, ..Need::of(row, &[position], &[], usize::MAX, view) };
    state.receiver(&need, &mut rand::rng()).is_some()
}
