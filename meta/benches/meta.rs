//! What remembering costs, on redb and on this machine's disk, fsync on: `cargo bench -p nodio-meta`.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nodio_meta::redb::Options;
use nodio_meta::{Commit, Direction, KeyRange, RedbStore, Store};
use tokio::runtime::{Builder, Runtime};

/// Rows that are there while others are read and written.
const ROWS: u64 = 100_000;
const ROWS_PER_COMMIT: u64 = 1_000;
/// About what an object's row takes.
const VALUE_BYTES: usize = 200;
const WAITING: [u64; 4] = [1, 16, 64, 256];

/// Odd, so that consecutive numbers are scattered over all keys and none meet.
const SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;

fn key(number: u64) -> Bytes {
    Bytes::from(format!("bucket/{:016x}", number.wrapping_mul(SCATTER)))
}

fn value(number: u64) -> Bytes {
    let mut value = vec![0x5a; VALUE_BYTES];
    value[..8].copy_from_slice(&number.to_le_bytes());
    value.into()
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A store with [`ROWS`] rows, in a folder that goes with it.
struct Filled {
    store: Arc<RedbStore>,
    next: Arc<AtomicU64>,
    _folder: tempfile::TempDir,
}

impl Filled {
    fn new(runtime: &Runtime) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(RedbStore::open(&folder.path().join("meta.redb"), Options::default()).unwrap());
        for first in (0..ROWS).step_by(ROWS_PER_COMMIT as usize) {
            let rows = first..first + ROWS_PER_COMMIT;
            let commit = rows.fold(Commit::new(), |commit, number| commit.put(key(number), value(number)));
            runtime.block_on(store.commit(commit)).unwrap();
        }
        Self { store, next: Arc::new(AtomicU64::new(ROWS)), _folder: folder }
    }

    /// So many callers, each with one new row after another under way; the time until `commits` are durable.
    async fn commit(&self, commits: u64, callers: u64) -> Duration {
        let left = Arc::new(AtomicU64::new(commits));
        let began = Instant::now();
        let callers = (0..callers.min(commits)).map(|_| {
            let (store, left, next) = (self.store.clone(), left.clone(), self.next.clone());
            tokio::spawn(async move {
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    store.commit(Commit::new().check_absent(key(number)).put(key(number), value(number))).await.unwrap();
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
        began.elapsed()
    }
}

fn reading(c: &mut Criterion) {
    let runtime = runtime();
    let filled = Filled::new(&runtime);
    let mut number = 0;
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Elements(1));
    group.bench_function("get", |b| {
        b.iter(|| {
            number = (number + 7919) % ROWS;
            runtime.block_on(filled.store.get(&key(number))).unwrap().unwrap()
        });
    });
    for rows in [1, 100, 1000] {
        group.throughput(Throughput::Elements(rows));
        group.bench_function(BenchmarkId::new("scan", rows), |b| {
            b.iter(|| {
                number = (number + 7919) % ROWS;
                let from = KeyRange::prefix(b"bucket/").starting_at(key(number));
                runtime.block_on(filled.store.scan(from, rows as usize, Direction::Ascending)).unwrap()
            });
        });
    }
    group.finish();
}

fn committing(c: &mut Criterion) {
    let runtime = runtime();
    let filled = Filled::new(&runtime);
    let mut group = c.benchmark_group("commit");
    group.throughput(Throughput::Elements(1));
    for waiting in WAITING {
        group.bench_function(BenchmarkId::new("waiting", waiting), |b| {
            // At least one round of all that wait, told as if it were `commits`.
            b.iter_custom(|commits| {
                let made = commits.max(waiting * 4);
                runtime.block_on(filled.commit(made, waiting)).mul_f64(commits as f64 / made as f64)
            });
        });
    }
    group.finish();
}

fn short() -> Criterion {
    Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = benches;
    config = short();
    targets = reading, committing
}
criterion_main!(benches);
