//! The phases one after another: what each begins with, what it leaves to the next, and the row that it is told in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::connection::Client;
use super::cpu;
use super::data::{Dice, Object};
use super::keys::Book;
use super::phase::{self, Length, Worker};
use super::plan::{Phase, Plan};
use super::report::{Cpu, Row};
use super::s3::Manner;
use super::work::{Delete, Kind, Mixed, New, Read, Source};

/// How the phase that writes what is missing is told.
const FILL: &str = "fill";

/// The workers, and what they have made so far.
pub(super) struct Suite {
    plan: Plan,
    manner: Arc<Manner>,
    cpu_of: Vec<u32>,
    book: Book,
    workers: Vec<Worker>,
}

impl Suite {
    /// Workers with connections like `client`'s, each with dice of its own.
    pub(super) fn new(plan: Plan, manner: Manner, cpu_of: Vec<u32>, client: &Client) -> Self {
        let manner = Arc::new(manner);
        let worker = |number: usize| {
            let seed = u64::from_le_bytes(nodio_wire::auth::random_bytes()) ^ number as u64;
            Worker::new(client.another(), Dice::new(seed), manner.clone())
        };
        let workers = (0..plan.concurrency).map(worker).collect();
        Self { plan, manner, cpu_of, book: Book::default(), workers }
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What must be written before `phase` can begin, if anything.
    pub(super) async fn fill(&mut self, phase: Phase) -> Result<Option<Row>> {
        let missing = self.plan.keys.saturating_sub(self.book.live.len());
        if phase == Phase::Put || missing == 0 {
            return Ok(None);
        }
        let row = self.go(FILL, Phase::Put, Length::Requests(missing as u64), Duration::ZERO).await?;
        if self.book.live.len() < self.plan.concurrency {
            let why: Vec<_> = row.figures.errors_by_code.keys().cloned().collect();
            bail!("too few objects could be written to go on: {}", why.join(", "));
        }
        Ok(Some(row))
    }

    /// Runs a phase over what is there.
    pub(super) async fn phase(&mut self, phase: Phase) -> Result<Row> {
        let warmup = if phase == Phase::Delete { Duration::ZERO } else { self.plan.warmup };
        self.go(phase.name(), phase, self.plan.length, warmup).await
    }

    async fn go(&mut self, name: &'static str, phase: Phase, length: Length, warmup: Duration) -> Result<Row> {
        let keys = self.book.live.len();
        let next = Arc::new(AtomicU32::new(self.book.next));
        let left = Arc::new(AtomicUsize::new(keys));
        let sources = self.sources(phase, &next, &left);
        let before = self.cpu();
        let workers = std::mem::take(&mut self.workers);
        let (workers, mut outcome) = phase::run(workers, sources, length, warmup).await.context("a worker broke")?;
        let cpu = self.cpu().since(before);
        self.workers = workers;
        self.settle(phase, std::mem::take(&mut outcome.objects), &next, &left);
        let row = Row::new(name, &outcome, cpu);
        let (bucket, size_bytes) = (self.manner.bucket.clone(), self.plan.size);
        Ok(Row { bucket, size_bytes, concurrency: self.plan.concurrency, keys, ..row })
    }

    /// One source for each worker.
    fn sources(&mut self, phase: Phase, next: &Arc<AtomicU32>, left: &Arc<AtomicUsize>) -> Vec<Source> {
        let count = self.workers.len();
        match phase {
            Phase::Put => each(count, || Source::New(New { next: next.clone(), written: Vec::new() })),
            Phase::Delete => {
                let delete = Delete { objects: Arc::new(self.book.live.clone()), left: left.clone() };
                each(count, || Source::Delete(delete.clone()))
            }
            Phase::Mixed => {
                let mixed = |live| Source::Mixed(Mixed { live, deleted: Vec::new(), naming: self.manner.naming });
                self.book.dealt(count).into_iter().map(mixed).collect()
            }
            Phase::Get => self.readers(Kind::Get),
            Phase::Range => self.readers(Kind::Range),
            Phase::Head => self.readers(Kind::Head),
            Phase::List => self.readers(Kind::List),
        }
    }

    fn readers(&self, kind: Kind) -> Vec<Source> {
        let first = self.book.live.len().min(self.plan.keys);
        let read = Read {
            kind,
            objects: Arc::new(self.book.live[..first].to_vec()),
            size: self.manner.size,
            range: self.manner.range,
            naming: self.manner.naming,
            per_prefix: Arc::new(self.book.per_prefix(self.manner.naming)),
        };
        each(self.workers.len(), || Source::Read(read.clone()))
    }

    /// What is there after a phase: never an object whose last write may have failed.
    fn settle(&mut self, phase: Phase, objects: Vec<Object>, next: &AtomicU32, left: &AtomicUsize) {
        let book = &mut self.book;
        match phase {
            Phase::Put => book.live.extend(objects),
            Phase::Mixed => book.live = objects,
            Phase::Delete => book.live.truncate(left.load(Ordering::Relaxed)),
            Phase::Get | Phase::Range | Phase::Head | Phase::List => {}
        }
        book.live.sort_unstable();
        book.next = next.load(Ordering::Relaxed);
    }

    fn cpu(&self) -> Cpu {
        let servers = if self.cpu_of.is_empty() { None } else { cpu::used_by_all(&self.cpu_of) };
        Cpu { client: cpu::used("self"), servers }
    }
}

fn each(count: usize, source: impl Fn() -> Source) -> Vec<Source> {
    (0..count).map(|_| source()).collect()
}
