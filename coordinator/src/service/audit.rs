//! Questions put to donors, their answers, and the audits that operators ask for.
//!
//! ```text
//!   Book::due ─► is the shard still named there? ─► slice drawn ─► heartbeat's reply ─► donor
//!   answer ─► its own question? ─► still named? ─► proof against the id ─► record, standing; failed: forgotten and mended
//! ```
//! A question is closed after what follows from its answer is written, so an answer that could not be recorded counts when it is sent
//! again. One about a shard that the map no longer names there counts nothing.

use nodio_meta::{KeyRange, Row, StoreError};
use nodio_wire::api::{Answer, AuditAnswer, AuditAsk, AuditFinding, AuditPoll, AuditResult, AuditRun, Challenge};
use nodio_wire::limits::PARTS_PER_ASK_MAX;
use nodio_wire::{NodeId, ShardId};

use super::{Coordinator, ServiceError, lock};
use crate::keyspace;
use crate::limits::{AUDIT_PATIENCE_BEATS, AUDIT_RUN_PAGE_ROWS};
use crate::map::forget::{Fault, missing_at};
use crate::state::audit::{Open, Pick, is_stonewalled};
use crate::state::audit_runs::Runs;
use crate::state::liveness::Presence;
use crate::state::node::Node;
use crate::tables::{SegmentRow, any_row, decode, page, read_segment};

/// What an answer is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    Passed,
    NotHeld,
    /// The proof doesn't fit: the donor holds other bytes, or none.
    Wrong,
    /// Nothing was said, or nothing could be read.
    Offline,
}

impl Coordinator {
    /// Audits every shard of some parts, beginning now. Ask on with [`Self::audit_progress`].
    pub async fn audit(&self, ask: AuditAsk) -> Result<AuditRun, ServiceError> {
        if ask.parts.len() > PARTS_PER_ASK_MAX {
            return Err(ServiceError::Refused(format!("more than {PARTS_PER_ASK_MAX} parts in one audit")));
        }
        // 53 bits: every JSON reader takes them as they are.
        let begun = lock(&self.audit_runs).begin(rand::random::<u64>() >> 11, ask.parts);
        let run = begun.ok_or_else(|| ServiceError::Refused("too many audits are under way; wait for one to end".into()))?;
        self.feed_audits().await?;
        self.audit_progress(AuditPoll { run: run.run }).await
    }

    /// How far an audit has come.
    pub async fn audit_progress(&self, poll: AuditPoll) -> Result<AuditRun, ServiceError> {
        let shown = lock(&self.audit_runs).shown(poll.run);
        shown.ok_or_else(|| ServiceError::Refused("there is no such audit (any more); begin it again".into()))
    }

    /// Puts the questions of one more page of segments; false if none is wanted now.
    pub(crate) async fn feed_audits(&self) -> Result<bool, StoreError> {
        let Some((run, range)) = lock(&self.audit_runs).next_page() else { return Ok(false) };
        let fed = self.questions_of(run, range.clone()).await;
        let (picks, rest) = match fed {
            Ok(read) => read,
            Err(error) => {
                lock(&self.audit_runs).read(run, 0, Some(range));
                return Err(error);
            }
        };
        lock(&self.audit_runs).read(run, picks.len() as u64, rest);
        self.urge(picks);
        Ok(true)
    }

    async fn questions_of(&self, run: u64, range: KeyRange) -> Result<(Vec<(NodeId, Pick)>, Option<KeyRange>), StoreError> {
        let (rows, rest) = page(&*self.store, range, AUDIT_RUN_PAGE_ROWS).await?;
        Ok((picks_of(run, &rows)?, rest))
    }

    fn urge(&self, picks: Vec<(NodeId, Pick)>) {
        let mut state = self.state();
        let mut runs = lock(&self.audit_runs);
        for (id, pick) in picks {
            match state.nodes.get_mut(id).filter(|node| node.presence() == Presence::Live) {
                Some(node) => node.book.urge(pick),
                None => settle_run(&mut runs, id, &pick, AuditResult::Offline),
            }
        }
    }

    /// Has donors asked about shards that others call missing or wrong; what the map doesn't name them for is passed over then.
    pub(super) fn accuse(&self, faults: &[Fault]) {
        let mut state = self.state();
        for fault in faults {
            if let Some(node) = state.nodes.get_mut(fault.node) {
                node.reconcile.wanted = true;
                node.book.accuse(fault.shard, fault.segment);
            }
        }
    }

    /// Questions for a heartbeat's reply.
    pub(super) async fn challenges_for(&self, id: NodeId) -> Result<Vec<Challenge>, StoreError> {
        let due = {
            let mut state = self.state();
            let Some(node) = state.nodes.get_mut(id).filter(|node| !node.is_out()) else { return Ok(Vec::new()) };
            node.book.due(self.now(), self.config.audits_per_day)
        };
        let mut challenges = Vec::with_capacity(due.len());
        for pick in due {
            let named = read_segment(&*self.store, &pick.segment).await?.map(|held| held.row).filter(|row| names(row, id, &pick));
            let asked = named.and_then(|row| {
                let mut state = self.state();
                state.nodes.get_mut(id)?.book.ask(pick, row.shard_bytes, self.now(), &mut rand::rng())
            });
            match (asked, pick.run) {
                (Some(challenge), _) => challenges.push(challenge),
                (None, Some(run)) => lock(&self.audit_runs).drop_one(run),
                (None, None) => {}
            }
        }
        Ok(challenges)
    }

    /// Takes a donor's answers. Those to what it wasn't asked, or was asked too long ago, are no error and count nothing.
    pub(super) async fn take_answers(&self, id: NodeId, answers: &[AuditAnswer]) -> Result<(), StoreError> {
        for answer in answers {
            let open = self.state().nodes.get(id).and_then(|node| node.book.find(answer.id));
            if let Some(open) = open {
                self.settle_audit(id, open, found(&open, &answer.answer)).await?;
            }
        }
        Ok(())
    }

    /// A donor says by itself that it has lost a shard: if it was asked about it, that is its answer.
    pub(super) async fn own_up(&self, id: NodeId, shard: &ShardId) -> Result<(), StoreError> {
        let open = self.state().nodes.get(id).and_then(|node| node.book.about(shard));
        match open {
            Some(open) => self.settle_audit(id, open, Finding::NotHeld).await,
            None => Ok(()),
        }
    }

    /// Closes the questions that were left open for too long. One that a donor keeps leaving open, though it is heard, fails.
    pub(crate) async fn close_overdue_audits(&self) -> Result<(), StoreError> {
        let (now, patience_ms) = (self.now(), self.config.heartbeat_ms.saturating_mul(AUDIT_PATIENCE_BEATS));
        let overdue: Vec<(NodeId, Open)> = {
            let state = self.state();
            let of = |node: &Node| node.book.overdue(now, patience_ms).map(|open| (node.id, open)).collect::<Vec<_>>();
            state.nodes.all().flat_map(of).collect()
        };
        for (id, open) in overdue {
            self.settle_audit(id, open, Finding::Offline).await?;
        }
        self.give_up_on_the_absent();
        Ok(())
    }

    fn give_up_on_the_absent(&self) {
        let mut state = self.state();
        let mut runs = lock(&self.audit_runs);
        for node in state.nodes.all_mut().filter(|node| node.presence() != Presence::Live) {
            for pick in node.book.give_up_urgent() {
                settle_run(&mut runs, node.id, &pick, AuditResult::Offline);
            }
        }
    }

    async fn settle_audit(&self, id: NodeId, open: Open, finding: Finding) -> Result<(), StoreError> {
        let finding = match finding {
            Finding::Offline if is_stonewalled(&open, self.was_heard_since(id, &open)) => Finding::NotHeld,
            other => other,
        };
        match finding {
            Finding::Offline => self.left_open(id, &open),
            Finding::Passed if any_row(&*self.store, keyspace::holdings_of_shard(id, &open.pick.shard)).await? => {
                self.count_audit(id, &open, true);
            }
            Finding::Passed => self.drop_audit(id, &open),
            Finding::NotHeld | Finding::Wrong => self.take_failure(id, &open, finding == Finding::Wrong).await?,
        }
        self.judge_audits(id).await
    }

    async fn take_failure(&self, id: NodeId, open: &Open, corrupt: bool) -> Result<(), StoreError> {
        let faults = missing_at(&*self.store, id, open.pick.shard).await?;
        if faults.is_empty() {
            self.drop_audit(id, open);
            return Ok(());
        }
        let faults: Vec<Fault> = faults.into_iter().map(|fault| Fault { corrupt, ..fault }).collect();
        self.forget_if_readable(&faults).await?;
        tracing::warn!(node = %id, shard = %open.pick.shard, corrupt, "a donor failed an audit");
        self.count_audit(id, open, false);
        Ok(())
    }

    fn count_audit(&self, id: NodeId, open: &Open, passed: bool) {
        let mut state = self.state();
        let Some(node) = state.nodes.get_mut(id) else { return };
        if node.book.close(open.challenge.id).is_some() {
            if !(passed && open.pick.accused) {
                node.audited(passed);
            }
            let result = if passed { AuditResult::Passed } else { AuditResult::Failed };
            settle_run(&mut lock(&self.audit_runs), id, &open.pick, result);
        }
    }

    fn left_open(&self, id: NodeId, open: &Open) {
        let heard = self.was_heard_since(id, open);
        let mut state = self.state();
        let Some(node) = state.nodes.get_mut(id) else { return };
        if node.book.close(open.challenge.id).is_some() {
            node.audits.offline += 1;
            node.book.again(open.pick, heard);
            settle_run(&mut lock(&self.audit_runs), id, &open.pick, AuditResult::Offline);
        }
    }

    fn drop_audit(&self, id: NodeId, open: &Open) {
        let closed = self.state().nodes.get_mut(id).and_then(|node| node.book.close(open.challenge.id));
        if let Some(run) = closed.and_then(|open| open.pick.run) {
            lock(&self.audit_runs).drop_one(run);
        }
    }

    fn was_heard_since(&self, id: NodeId, open: &Open) -> bool {
        self.state().nodes.get(id).is_some_and(|node| !node.liveness.is_away() && node.last_seen > open.asked_at)
    }
}

fn picks_of(run: u64, rows: &[Row]) -> Result<Vec<(NodeId, Pick)>, StoreError> {
    let mut picks = Vec::new();
    for row in rows {
        let segment = keyspace::parse_segment(&row.key)?;
        let placed = decode::<SegmentRow>(&row.value)?;
        let pick = |(position, shard, node)| (node, Pick { shard, segment, position, tries: 0, run: Some(run), accused: false });
        picks.extend(placed.placed().map(pick));
    }
    Ok(picks)
}

fn names(row: &SegmentRow, id: NodeId, pick: &Pick) -> bool {
    row.placed().any(|(_, shard, node)| shard == pick.shard && node == id)
}

fn found(open: &Open, answer: &Answer) -> Finding {
    let challenge = &open.challenge;
    match answer {
        Answer::Proof(proof) if proof.proves(&challenge.shard, open.shard_bytes, challenge.slice) => Finding::Passed,
        Answer::Proof(_) => Finding::Wrong,
        Answer::NotHeld => Finding::NotHeld,
        Answer::Unreadable => Finding::Offline,
    }
}

fn settle_run(runs: &mut Runs, node: NodeId, pick: &Pick, result: AuditResult) {
    if let Some(run) = pick.run {
        runs.settle(run, AuditFinding { segment: pick.segment, position: pick.position, shard: pick.shard, node, result });
    }
}
