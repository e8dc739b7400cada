//! From the mend queue to donors' outboxes.
//!
//! Every pass begins at the front of the queue and goes on, past what is under way or can't be done now, until no donor has room for more
//! work or the queue ends. Its tail, where nothing can be done before something changes, is looked at when it does, and now and then.

use std::hash::{DefaultHasher, Hash, Hasher};

use nodio_host::Progress;
use nodio_meta::{KeyRange, Row, StoreError};
use nodio_wire::SegmentId;

use super::progress;
use crate::keyspace;
use crate::limits::{PLAN_WINDOW_SEGMENTS, QUEUE_ROWS_PER_COMMIT, TAIL_REST_FACTOR};
use crate::map::{holders, queue};
use crate::service::{Coordinator, lock};
use crate::state::State;
use crate::state::repair::{Verdict, survey, urgency, urgency_of};
use crate::state::surplus::clumped;
use crate::tables::{Batch, MendRow, SegmentRow, decode, page, read_segment};

use super::mend::{Planned, Relief};

/// A segment of the queue, as it is now.
struct Queued {
    /// The row that it was found by.
    found: Row,
    at: u8,
    mend: MendRow,
    segment: SegmentId,
    row: Option<SegmentRow>,
    verdict: Verdict,
    /// Where it belongs; `None`: nowhere.
    belongs: Option<u8>,
}

impl Coordinator {
    /// Looks at a window of the queue and hands what it finds to donors with room for work.
    pub(crate) async fn plan_step(&self) -> Result<Progress, StoreError> {
        if self.all_busy() {
            lock(&self.cursors).mends = None;
            return Ok(Progress::Idle);
        }
        let ahead = self.ahead();
        let (rows, _) = page(&*self.store, ahead.clone(), PLAN_WINDOW_SEGMENTS).await?;
        // Even after a short page there may be more: what was just put further back.
        let rest = rows.last().map(|last| keyspace::after(ahead, &last.key));
        let window = self.judge(rows).await?;
        for one in &window {
            if self.all_busy() {
                break;
            }
            self.attend(one).await?;
        }
        let rest = rest.filter(|_| !self.all_busy());
        let more = rest.is_some();
        lock(&self.cursors).mends = rest;
        Ok(progress(more))
    }

    /// True if no donor has room for more work.
    fn all_busy(&self) -> bool {
        !self.state().has_idle(self.config.rebuilds_per_donor.into(), &mut rand::rng())
    }

    /// What the pass under way has ahead; or a new pass, with or without the tail.
    fn ahead(&self) -> KeyRange {
        let fleet = fleet_of(&self.state());
        let now = self.now();
        let mut cursors = lock(&self.cursors);
        if let Some(rest) = cursors.mends.take() {
            return rest;
        }
        if now < cursors.tail_due && fleet == cursors.fleet_seen {
            return keyspace::mends_below(urgency::TAIL);
        }
        cursors.tail_due = now.saturating_add(self.config.plan_every_ms.saturating_mul(TAIL_REST_FACTOR));
        cursors.fleet_seen = fleet;
        keyspace::mends()
    }

    /// Judges the window's segments anew, puts rows where they belong, and returns what is to be attended to now: what moved back in the
    /// queue is met again further on.
    async fn judge(&self, rows: Vec<Row>) -> Result<Vec<Queued>, StoreError> {
        let mut window = Vec::with_capacity(rows.len());
        for found in rows {
            let key = found.key.clone();
            match self.weigh(found).await {
                Ok(one) => window.push(one),
                Err(error) => {
                    tracing::error!(row = %key.escape_ascii(), %error, "a row of the mend queue, or its segment, can't be read: passed over")
                }
            }
        }
        for some in window.chunks(QUEUE_ROWS_PER_COMMIT) {
            let mut batch = Batch::default();
            some.iter().for_each(|one| one.settle(&mut batch));
            queue::commit(&*self.store, batch).await?;
        }
        window.retain(|one| one.belongs.is_some_and(|belongs| belongs <= one.at) && one.row.is_some());
        Ok(window)
    }

    async fn weigh(&self, found: Row) -> Result<Queued, StoreError> {
        let key = keyspace::parse_mend(&found.key)?;
        let row = read_segment(&*self.store, &key.segment).await?.map(|held| held.row);
        let (at, segment) = (key.urgency.unwrap_or(urgency::UNJUDGED), key.segment);
        let mend: MendRow = decode(&found.value)?;
        let state = self.state();
        let view = |id| state.nodes.view(id);
        let verdict = row.as_ref().map_or(Verdict::Whole, |row| survey(row, self.margin(), mend.forced, view));
        let belongs = row.as_ref().and_then(|row| match urgency_of(&verdict, row, self.margin(), view) {
            None => clumped(row, view).map(|_| urgency::TIDY),
            urgency => urgency,
        });
        drop(state);
        let belongs = belongs.map(|belongs| place_of(belongs, at, &verdict, mend.forced));
        Ok(Queued { found, at, mend, segment, row, verdict, belongs })
    }

    /// Does what can be done about one segment now.
    async fn attend(&self, one: &Queued) -> Result<(), StoreError> {
        let Some(row) = &one.row else { return Ok(()) };
        let planned = match &one.verdict {
            Verdict::Mend { positions } => self.mend(&one.segment, row, positions, one.at).await?,
            Verdict::Tidy => {
                holders::trim(&*self.store, &one.segment, |id| self.view(id), self.now()).await?;
                Planned::Later
            }
            Verdict::Whole => self.spread(one, row).await?,
            Verdict::Stuck | Verdict::Wait => Planned::Later,
        };
        match (planned, one.at) {
            (Planned::Nobody, at) if at < urgency::TAIL => {
                self.put_at(one, Some(urgency::asked_for(urgency::BLOCKED, one.mend.forced))).await
            }
            (Planned::Given, at) if urgency::is_blocked(at) => {
                self.put_at(one, Some(if one.mend.forced { urgency::FORCED } else { urgency::UNJUDGED })).await
            }
            _ => Ok(()),
        }
    }

    /// Moves one of two shards that live too close.
    async fn spread(&self, one: &Queued, row: &SegmentRow) -> Result<Planned, StoreError> {
        let Some((position, from)) = clumped(row, |id| self.view(id)) else { return Ok(Planned::Later) };
        let most = self.config.rebuilds_per_donor.into();
        let relief = Relief { segment: one.segment, position, from, apart: true, most, urgency: urgency::TIDY };
        match self.relieve(&relief, row).await? {
            Planned::Nobody => self.put_at(one, None).await.map(|()| Planned::Later),
            planned => Ok(planned),
        }
    }

    /// Moves a queue row, or drops it.
    async fn put_at(&self, one: &Queued, urgency: Option<u8>) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        one.put_at(&mut batch, urgency);
        queue::commit(&*self.store, batch).await
    }
}

impl Queued {
    fn settle(&self, batch: &mut Batch) {
        if self.belongs != Some(self.at) {
            self.put_at(batch, self.belongs);
        }
    }

    /// A row that was renewed since it was read stays.
    fn put_at(&self, batch: &mut Batch, urgency: Option<u8>) {
        batch.at(self.found.key.clone(), self.found.version);
        batch.delete(self.found.key.clone());
        if let Some(urgency) = urgency {
            batch.put(keyspace::mend(urgency, &self.segment), &self.mend);
        }
    }
}

/// Where a row that is at `at` shall be. Small drifts of the weights aren't worth a write; what nobody could take stays in the tail until
/// somebody can; what an operator asked for stays in front.
fn place_of(belongs: u8, at: u8, verdict: &Verdict, forced: bool) -> u8 {
    const DRIFT: u8 = 4;
    match verdict {
        Verdict::Mend { .. } if urgency::is_blocked(at) => at,
        Verdict::Mend { .. } if forced => urgency::FORCED,
        Verdict::Mend { .. } if at > urgency::FORCED && at / 100 == belongs / 100 && at.abs_diff(belongs) < DRIFT => at,
        _ => urgency::asked_for(belongs, forced),
    }
}

/// Changes when some donor comes, goes, or begins or ceases to take shards or to be of use at all.
fn fleet_of(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    for node in state.nodes.all() {
        (node.id, node.presence() as u8, node.liveness.is_up(), node.takes_shards(), node.domain_number).hash(&mut hasher);
    }
    hasher.finish()
}
