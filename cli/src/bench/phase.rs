//! One phase: workers that ask without pause, and what came of it.
//!
//! What counts begins when the warm-up is over. In a phase of so many seconds a request that reaches over the beginning or the end counts
//! for the part of it that lies inside, so that long requests don't make the rate jump; every worker is busy until the end. In a phase of
//! so many requests these are counted from the first to the last. Latencies are those of all requests that count at all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;

use super::connection::{Answer, Client, Fault};
use super::data::{Dice, Object};
use super::histogram::Histogram;
use super::s3::Manner;
use super::work::{Kind, Op, Source};

/// After a request that failed: a server in trouble is not hammered, and neither is this machine.
const PAUSE_AFTER_FAULT: Duration = Duration::from_millis(50);

/// When a phase ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Length {
    Time(Duration),
    Requests(u64),
}

/// The figures of one kind of request.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Successes that count.
    pub(super) ops: u64,
    /// The same, those that reach over an end by the part inside.
    pub(super) share: f64,
    /// Bytes of bodies, weighed alike.
    pub(super) bytes: f64,
    pub(super) latency: Histogram,
    /// Until a body's first byte.
    pub(super) first: Histogram,
    pub(super) errors: BTreeMap<String, u64>,
    /// All requests, the warm-up's too.
    pub(super) asked: u64,
}

impl Tally {
    pub(super) fn merge(&mut self, other: &Self) {
        self.ops += other.ops;
        self.share += other.share;
        self.bytes += other.bytes;
        self.asked += other.asked;
        self.latency.merge(&other.latency);
        self.first.merge(&other.first);
        other.errors.iter().for_each(|(name, count)| *self.errors.entry(name.clone()).or_default() += count);
    }

    pub(super) fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// What a phase came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) seconds: f64,
    pub(super) by_kind: BTreeMap<Kind, Tally>,
    /// What the workers know to be there of what they changed.
    pub(super) objects: Vec<Object>,
}

/// What counts of a phase; the same for all workers.
#[derive(Debug, Clone, Copy)]
struct Window {
    begin: Instant,
    end: Option<Instant>,
}

impl Window {
    /// The part of a request that lies inside.
    fn share(&self, from: Instant, to: Instant) -> f64 {
        let inside = self.end.map_or(to, |end| to.min(end)).saturating_duration_since(from.max(self.begin));
        match to.saturating_duration_since(from).as_secs_f64() {
            0.0 => f64::from(u8::from(from >= self.begin)),
            took => inside.as_secs_f64() / took,
        }
    }
}

/// One worker: its connection stays from phase to phase.
pub(super) struct Worker {
    pub(super) client: Client,
    pub(super) dice: Dice,
    manner: Arc<Manner>,
}

struct Finished {
    worker: Worker,
    objects: Vec<Object>,
    by_kind: BTreeMap<Kind, Tally>,
    last: Option<Instant>,
    ran_out: bool,
}

impl Worker {
    pub(super) fn new(client: Client, dice: Dice, manner: Arc<Manner>) -> Self {
        Self { client, dice, manner }
    }

    async fn work(mut self, mut source: Source, window: Window, left: Option<Arc<AtomicU64>>) -> Finished {
        let mut by_kind: BTreeMap<Kind, Tally> = BTreeMap::new();
        let (mut last, mut ran_out) = (None, false);
        self.client.hang_up();
        while goes_on(window, left.as_deref()) {
            let Some(op) = source.next(&mut self.dice) else {
                ran_out = true;
                break;
            };
            let from = Instant::now();
            let answer = self.manner.perform(&mut self.client, op).await;
            let to = Instant::now();
            source.settle(op, answer.is_ok());
            by_kind.entry(op.kind()).or_default().record(window, op, &answer, from, to);
            last = Some(to);
            if answer.is_err() {
                tokio::time::sleep(PAUSE_AFTER_FAULT).await;
            }
        }
        Finished { worker: self, objects: source.into_objects(), by_kind, last, ran_out: ran_out || left.is_some() }
    }
}

/// Before the window everything goes on; a phase of requests spends one for each that begins inside.
fn goes_on(window: Window, left: Option<&AtomicU64>) -> bool {
    let now = Instant::now();
    match left {
        Some(left) if now >= window.begin => {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        }
        _ => window.end.is_none_or(|end| now < end),
    }
}

impl Tally {
    fn record(&mut self, window: Window, op: Op, answer: &Result<Answer, Fault>, from: Instant, to: Instant) {
        self.asked += 1;
        match answer {
            Err(fault) => *self.errors.entry(fault.name()).or_default() += 1,
            Ok(answer) => {
                let share = if window.end.is_none() && from < window.begin { 0.0 } else { window.share(from, to) };
                if share > 0.0 {
                    self.ops += 1;
                    self.share += share;
                    self.latency.record(to.saturating_duration_since(from));
                    self.record_body(op, answer, from, share);
                }
            }
        }
    }

    fn record_body(&mut self, op: Op, answer: &Answer, from: Instant, share: f64) {
        match op.kind() {
            Kind::Put => self.bytes += answer.bytes as f64 * share,
            Kind::Get | Kind::Range => {
                self.bytes += answer.bytes as f64 * share;
                self.first.record(answer.first.saturating_duration_since(from));
            }
            Kind::Head | Kind::List | Kind::Delete => {}
        }
    }
}

/// Runs a phase with a source for each worker, and gives the workers back. Dropping it breaks off every request.
pub(super) async fn run(
    workers: Vec<Worker>,
    sources: Vec<Source>,
    length: Length,
    warmup: Duration,
) -> Result<(Vec<Worker>, Outcome)> {
    let begin = Instant::now() + warmup;
    let (end, left) = match length {
        Length::Time(time) => (Some(begin + time), None),
        Length::Requests(count) => (None, Some(Arc::new(AtomicU64::new(count)))),
    };
    let window = Window { begin, end };
    let mut tasks = JoinSet::new();
    for (worker, source) in workers.into_iter().zip(sources) {
        tasks.spawn(worker.work(source, window, left.clone()));
    }
    let (mut back, mut outcome, mut last, mut ran_out) = (Vec::new(), Outcome::default(), begin, true);
    while let Some(finished) = tasks.join_next().await {
        let finished = finished?;
        last = finished.last.map_or(last, |at| at.max(last));
        ran_out &= finished.ran_out;
        outcome.objects.extend(finished.objects);
        finished.by_kind.iter().for_each(|(kind, tally)| outcome.by_kind.entry(*kind).or_default().merge(tally));
        back.push(finished.worker);
    }
    let until = end.filter(|end| !ran_out || last > *end).unwrap_or(last);
    outcome.seconds = until.saturating_duration_since(begin).as_secs_f64();
    Ok((back, outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_for_what_lies_inside() {
        let zero = Instant::now();
        let at = |ms| zero + Duration::from_millis(ms);
        let window = Window { begin: at(100), end: Some(at(200)) };
        let cases =
            [(0, 100, 0.0), (0, 50, 0.0), (50, 150, 0.5), (120, 130, 1.0), (150, 350, 0.25), (0, 400, 0.25), (100, 100, 1.0)];
        cases.iter().for_each(|(from, to, share)| assert_eq!(window.share(at(*from), at(*to)), *share, "{from} to {to}"));
        let open = Window { begin: at(100), end: None };
        assert_eq!(open.share(at(150), at(9000)), 1.0);
    }

    #[test]
    fn errors_always_count_and_the_warmup_else_never() {
        let zero = Instant::now();
        let at = |ms| zero + Duration::from_millis(ms);
        let object = Object { number: 1, generation: 1 };
        for end in [Some(at(200)), None] {
            let (window, mut tally) = (Window { begin: at(100), end }, Tally::default());
            let fine = Ok(Answer { first: at(140), bytes: 10, told: None });
            tally.record(window, Op::Get(object), &fine, at(10), at(20));
            tally.record(window, Op::Get(object), &Err(Fault::Timeout), at(10), at(20));
            tally.record(window, Op::Get(object), &fine, at(130), at(150));
            assert_eq!((tally.asked, tally.ops, tally.share, tally.bytes, tally.error_count()), (3, 1, 1.0, 10.0, 1));
            assert_eq!((tally.latency.max_ms(), tally.first.max_ms()), (Some(20.0), Some(10.0)));
        }
    }

    #[test]
    fn so_many_requests_are_so_many() {
        let left = AtomicU64::new(2);
        let open = Window { begin: Instant::now(), end: None };
        let warming = Window { begin: Instant::now() + Duration::from_secs(1000), end: None };
        assert!(goes_on(warming, Some(&left)) && goes_on(open, Some(&left)) && goes_on(open, Some(&left)));
        assert!(!goes_on(open, Some(&left)) && goes_on(warming, Some(&left)));
    }
}
