//! One donor: what is known of it, what it may be used for, and when its row is written.

use nodio_wire::api::{AuditCounts, Contents, Left, Receipt, Scrub, Standing, StandingState, Trash};
use nodio_wire::auth::Secret;
use nodio_wire::{NodeId, UnixMs};

use super::audit::Book;
use super::liveness::{Liveness, Presence, Timing};
use super::placement::Candidate;
use super::record::{Recent, Record};
use super::reputation::{Case, Cause, Change};
use super::space::Space;
use crate::limits::RECORD_WRITE_MS;
use crate::tables::{Kept, NodeRow, StandingRow};

const HOUR_MS: f64 = 60.0 * 60.0 * 1000.0;

/// One donor.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub id: NodeId,
    pub addr: String,
    pub secret: Secret,
    pub nonce: [u8; 16],
    pub domain: String,
    /// Equal domains have equal numbers.
    pub domain_number: u32,
    pub version: String,
    /// When it registered for the first time.
    pub joined: UnixMs,
    pub liveness: Liveness,
    /// Last heartbeat; until the first one after a start, the start itself: that is the grace a restart gives.
    pub last_seen: UnixMs,
    /// Since when it is away. Kept through the grace of a restart, so that a restart doesn't postpone Lost.
    pub away_since: Option<UnixMs>,
    pub space: Space,
    pub faults: u64,
    pub reconcile: Reconcile,
    /// Its shards were seen to agree with the map since it was last away, or since its or the coordinator's start.
    pub checked: bool,
    pub record: Record,
    pub recent: Recent,
    pub audits: AuditCounts,
    /// Questions put to it.
    pub book: Book,
    pub standing: Standing,
    /// Who began a draining.
    pub cause: Option<Cause>,
    /// Bytes held, times hours: what the map names it for, and no more than it says it holds.
    pub byte_hours: f64,
    /// What the map names it for, as of the last walk.
    pub named: Left,
    pub reported: Reported,
    /// Up to when its time there and away is counted.
    pub(super) watched: UnixMs,
    /// What its row says, and since when.
    stored: Kept,
    stored_at: UnixMs,
}

/// What a donor says of itself at each heartbeat.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reported {
    pub held_bytes: u64,
    pub trash: Trash,
    pub scrub: Scrub,
}

impl Node {
    /// A donor from its stored row. `domain`: its name and number.
    pub(super) fn loaded(id: NodeId, row: &NodeRow, (domain, domain_number): (String, u32), now: UnixMs) -> Self {
        let (kept, trust) = (row.kept.clone(), row.kept.record.trust());
        let StandingRow { state, cause, since, reason, receipt } = kept.standing.clone();
        let left = (state == StandingState::Draining).then(Left::default);
        Self {
            id,
            addr: row.addr.clone(),
            secret: row.secret.clone(),
            nonce: row.nonce,
            domain,
            domain_number,
            version: row.version.clone(),
            joined: row.registered,
            liveness: Liveness::Suspect { since: now },
            last_seen: now,
            away_since: kept.away_since,
            space: Space::unheard(row.capacity_bytes),
            faults: row.faults,
            reconcile: Reconcile { due: now, ..Reconcile::default() },
            checked: false,
            record: kept.record,
            recent: kept.recent,
            audits: kept.audits,
            book: Book::new(now),
            standing: Standing { state, since, reason, trust, left, receipt },
            cause,
            byte_hours: kept.byte_hours,
            named: Left::default(),
            reported: Reported::default(),
            watched: now,
            stored: kept,
            stored_at: now,
        }
    }

    /// What its shards count for. A donor that was refused or released counts for nothing, there or not.
    pub(crate) fn presence(&self) -> Presence {
        if self.is_out() { Presence::Gone } else { self.liveness.presence() }
    }

    /// True if new shards may be placed there.
    pub(crate) fn takes_shards(&self) -> bool {
        self.liveness.is_up() && matches!(self.standing.state, StandingState::Vetting | StandingState::Trusted)
    }

    /// Refused or released.
    pub(crate) fn is_out(&self) -> bool {
        matches!(self.standing.state, StandingState::Refused | StandingState::Released)
    }

    /// Draining because it, or the operator, wants it to go.
    pub(crate) fn is_leaving(&self) -> bool {
        self.standing.state == StandingState::Draining && matches!(self.cause, Some(Cause::Donor | Cause::Operator))
    }

    pub(crate) fn case(&self) -> Case<'_> {
        Case {
            state: self.standing.state,
            cause: self.cause,
            record: &self.record,
            recent: &self.recent,
            passed: self.audits.passed,
            away: self.liveness.is_away(),
        }
    }

    /// Takes a new standing.
    pub(crate) fn enter(&mut self, change: Change, receipt: Option<Receipt>, now: UnixMs) {
        if change.forgive {
            self.record.forgive();
            self.recent = Recent::default();
        }
        self.cause = change.cause;
        let left = (change.state == StandingState::Draining).then_some(self.named);
        let trust = self.record.trust();
        self.standing = Standing { state: change.state, since: now, reason: change.reason, trust, left, receipt };
    }

    /// Takes in the result of an audit that was answered.
    pub(crate) fn audited(&mut self, passed: bool) {
        self.record.audited(passed);
        self.recent.audited(passed);
        self.standing.trust = self.record.trust();
        *(if passed { &mut self.audits.passed } else { &mut self.audits.failed }) += 1;
    }

    /// A walk has counted what the map names it for.
    pub(crate) fn counted(&mut self, named: Left) {
        self.named = named;
        self.standing.left = (self.standing.state == StandingState::Draining).then_some(named);
    }

    /// A shard is no longer named there: so much less is left until the next walk counts again.
    pub(crate) fn moved_away(&mut self, shard_bytes: u32) {
        let Left { shards, bytes } = self.named;
        self.counted(Left { shards: shards.saturating_sub(1), bytes: bytes.saturating_sub(shard_bytes.into()) });
    }

    /// Counts the time since it was last counted. Whoever has left isn't watched any more.
    pub(super) fn watch(&mut self, there: bool, now: UnixMs) {
        let span_ms = now.saturating_sub(self.watched);
        self.watched = now.max(self.watched);
        if self.standing.state == StandingState::Released {
            return;
        }
        self.record.watched(span_ms, there);
        if there {
            let bytes = self.reported.held_bytes.min(self.named.bytes);
            self.byte_hours += bytes as f64 * span_ms as f64 / HOUR_MS;
        }
    }

    /// What its row should say.
    pub(crate) fn kept(&self) -> Kept {
        let standing = &self.standing;
        Kept {
            away_since: self.away_since,
            record: self.record,
            recent: self.recent,
            audits: self.audits,
            byte_hours: self.byte_hours,
            standing: StandingRow {
                state: standing.state,
                cause: self.cause,
                since: standing.since,
                reason: standing.reason.clone(),
                receipt: standing.receipt.clone(),
            },
        }
    }

    /// True if its row must be written: at once when its standing or its absence changed, now and then when its record did.
    pub(crate) fn is_to_be_stored(&self, now: UnixMs) -> bool {
        let stored = &self.stored;
        let (standing, away) = (&self.standing, self.away_since != stored.away_since);
        let at_once =
            (standing.state, standing.since, self.cause) != (stored.standing.state, stored.standing.since, stored.standing.cause);
        let is_old = now.saturating_sub(self.stored_at) >= RECORD_WRITE_MS;
        let differs = || self.record != stored.record || self.audits != stored.audits || self.byte_hours != stored.byte_hours;
        at_once || away || (is_old && differs())
    }

    pub(crate) fn was_stored(&mut self, kept: Kept, now: UnixMs) {
        (self.stored, self.stored_at) = (kept, now);
    }

    /// What it can take, while it takes shards.
    pub(super) fn candidate(&self) -> Option<Candidate> {
        let candidate = Candidate {
            node: self.id,
            domain: self.domain_number,
            available: self.space.available(),
            pending: self.space.pending(),
        };
        self.takes_shards().then_some(candidate)
    }

    /// The state that its silence leads to.
    pub(super) fn look(&mut self, now: UnixMs, timing: &Timing) -> Option<Transition> {
        let from = self.liveness;
        self.liveness = from.after_silence(self.last_seen, self.away_since, now, timing);
        if self.liveness.is_away() && self.away_since.is_none() {
            self.away_since = Some(now);
        }
        (from != self.liveness).then_some(Transition { node: self.id, from, to: self.liveness })
    }
}

/// How a donor's shards are compared with the map.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reconcile {
    /// When the map's side is counted next.
    pub due: UnixMs,
    /// Counted, and not yet compared with what a heartbeat says.
    pub expected: Option<Contents>,
    /// They differed: asked for until the last page of an inventory has come.
    pub wanted: bool,
    /// The comparison under way met a shard that the donor lacks and that the map goes on naming it for.
    pub lacks: bool,
}

/// A donor that changed its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transition {
    pub node: NodeId,
    pub from: Liveness,
    pub to: Liveness,
}
