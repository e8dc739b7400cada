//! Audits that operators asked for: of every shard of some parts, at once.
//!
//! Segments are read a page at a time, and a page only while few enough questions wait, so that the audit of a whole network takes no
//! more memory than that of a bucket. Lost on restart: the operator asks again.

use std::collections::VecDeque;

use nodio_meta::KeyRange;
use nodio_wire::PartId;
use nodio_wire::api::{AuditFinding, AuditResult, AuditRun};
use nodio_wire::limits::AUDIT_FINDINGS_MAX;

use crate::keyspace;
use crate::limits::{AUDIT_RUN_WAITING_MAX, AUDIT_RUNS_MAX};

#[derive(Debug)]
struct Run {
    id: u64,
    /// Not begun.
    parts: VecDeque<PartId>,
    /// What is left of the part under way.
    rest: Option<KeyRange>,
    /// A page is being read.
    reading: bool,
    /// Questions put and not settled.
    waiting: u64,
    counted: AuditRun,
}

impl Run {
    fn is_read(&self) -> bool {
        self.parts.is_empty() && self.rest.is_none() && !self.reading
    }

    fn is_over(&self) -> bool {
        self.is_read() && self.waiting == 0
    }

    fn shown(&self) -> AuditRun {
        // Until all is read, one more at least is to come.
        AuditRun { run: self.id, pending: self.waiting + u64::from(!self.is_read()), ..self.counted.clone() }
    }
}

/// The runs under way, and the last ones that are over.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    runs: VecDeque<Run>,
}

impl Runs {
    /// Begins a run; `None` while as many as may be are under way.
    pub(crate) fn begin(&mut self, id: u64, parts: Vec<PartId>) -> Option<AuditRun> {
        if self.runs.len() >= AUDIT_RUNS_MAX {
            let over = self.runs.iter().position(Run::is_over)?;
            self.runs.remove(over);
        }
        let run = Run { id, parts: parts.into(), rest: None, reading: false, waiting: 0, counted: AuditRun::default() };
        let shown = run.shown();
        self.runs.push_back(run);
        Some(shown)
    }

    pub(crate) fn shown(&self, id: u64) -> Option<AuditRun> {
        self.runs.iter().find(|run| run.id == id).map(Run::shown)
    }

    /// A page of segments that is wanted now, and for which run. It must be followed by [`Self::read`].
    pub(crate) fn next_page(&mut self) -> Option<(u64, KeyRange)> {
        let hungry = |run: &&mut Run| !run.reading && !run.is_read() && run.waiting < AUDIT_RUN_WAITING_MAX;
        let run = self.runs.iter_mut().find(hungry)?;
        let range = match run.rest.take() {
            Some(rest) => rest,
            None => keyspace::segments_of(run.parts.pop_front()?),
        };
        run.reading = true;
        Some((run.id, range))
    }

    /// The page was read: `asked` questions were put, `rest` is left of the part.
    pub(crate) fn read(&mut self, id: u64, asked: u64, rest: Option<KeyRange>) {
        if let Some(run) = self.get(id) {
            (run.reading, run.rest) = (false, rest);
            run.waiting += asked;
        }
    }

    /// Counts an answer, or that there was none.
    pub(crate) fn settle(&mut self, id: u64, finding: AuditFinding) {
        let Some(run) = self.get(id) else { return };
        run.waiting = run.waiting.saturating_sub(1);
        match finding.result {
            AuditResult::Passed => run.counted.passed += 1,
            AuditResult::Failed => run.counted.failed += 1,
            AuditResult::Offline => run.counted.offline += 1,
        }
        if finding.result != AuditResult::Passed && run.counted.findings.len() < AUDIT_FINDINGS_MAX {
            run.counted.findings.push(finding);
        }
    }

    /// A question that need not be answered any more: the map no longer names the shard there.
    pub(crate) fn drop_one(&mut self, id: u64) {
        if let Some(run) = self.get(id) {
            run.waiting = run.waiting.saturating_sub(1);
        }
    }

    fn get(&mut self, id: u64) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodio_wire::{NodeId, SegmentId, ShardId};

    fn finding(result: AuditResult) -> AuditFinding {
        let segment = SegmentId { part: PartId([1; 16]), index: 0 };
        AuditFinding { segment, position: 0, shard: ShardId([1; 32]), node: NodeId(1), result }
    }

    #[test]
    fn a_run_is_read_part_by_part_and_ends_when_all_is_settled() {
        let mut runs = Runs::default();
        assert_eq!(runs.begin(7, vec![PartId([1; 16]), PartId([2; 16])]).expect("begun").pending, 1);
        let (id, range) = runs.next_page().expect("wanted");
        assert_eq!((id, range), (7, keyspace::segments_of(PartId([1; 16]))));
        assert!(runs.next_page().is_none(), "one page at a time");
        runs.read(7, 3, None);
        assert_eq!(runs.next_page().expect("wanted").1, keyspace::segments_of(PartId([2; 16])));
        runs.read(7, 0, None);
        runs.settle(7, finding(AuditResult::Passed));
        runs.settle(7, finding(AuditResult::Failed));
        assert_eq!(runs.shown(7).expect("known").pending, 1);
        runs.drop_one(7);
        let done = runs.shown(7).expect("known");
        assert_eq!((done.pending, done.passed, done.failed, done.findings.len()), (0, 1, 1, 1));
    }

    #[test]
    fn a_full_queue_stops_the_reading_and_findings_are_bounded() {
        let mut runs = Runs::default();
        runs.begin(1, vec![PartId([1; 16]), PartId([2; 16])]).expect("begun");
        runs.next_page().expect("wanted");
        runs.read(1, AUDIT_RUN_WAITING_MAX, None);
        assert!(runs.next_page().is_none());
        (0..AUDIT_RUN_WAITING_MAX).for_each(|_| runs.settle(1, finding(AuditResult::Offline)));
        assert!(runs.next_page().is_some());
        let shown = runs.shown(1).expect("known");
        assert_eq!((shown.offline, shown.findings.len()), (AUDIT_RUN_WAITING_MAX, AUDIT_FINDINGS_MAX));
    }

    #[test]
    fn only_runs_that_are_over_make_room() {
        let mut runs = Runs::default();
        for id in 0..AUDIT_RUNS_MAX as u64 {
            assert!(runs.begin(id, vec![PartId([1; 16])]).is_some());
        }
        assert!(runs.begin(99, vec![]).is_none());
        runs.next_page().expect("wanted");
        runs.read(0, 0, None);
        assert!(runs.begin(99, vec![]).is_some());
        assert!(runs.shown(0).is_none() && runs.shown(1).is_some());
    }
}
