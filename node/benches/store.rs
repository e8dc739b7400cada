//! A donor's store on this machine's disk: `cargo bench -p nodio-node --bench store`. Throughput is in bytes of shards.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nodio_node::store::{Store, StoreOptions};
use nodio_wire::ShardId;
use tokio::runtime::{Builder, Runtime};

const KIB: usize = 1 << 10;
const SIZES: [(&str, usize); 4] = [("1 KiB", KIB), ("64 KiB", 64 * KIB), ("256 KiB", 256 * KIB), ("1 MiB", 1024 * KIB)];
/// Shards made beforehand, so that making them doesn't count.
const MADE_BYTES: usize = 64 << 20;
const MADE_MAX: usize = 4096;
const RANGE_BYTES: u32 = 64 << 10;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

type Shard = (ShardId, Bytes);

/// Shards like no other.
fn shards(count: usize, len: usize) -> Vec<Shard> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let shard = |_| {
        let mut bytes = vec![0xa5; len];
        bytes[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        let bytes = Bytes::from(bytes);
        (ShardId::of(&bytes), bytes)
    };
    (0..count).map(shard).collect()
}

/// An empty store in a folder that goes with it.
struct Empty {
    store: Store,
    folder: tempfile::TempDir,
}

impl Empty {
    fn open(fsync: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions {
            dir: folder.path().join("volumes"),
            capacity_bytes: 64 << 30,
            volume_bytes: 1 << 30,
            disk_reserve_bytes: 0,
            direct_min_bytes: 128 * KIB,
            fsync,
        };
        Self { store: Store::open(options).unwrap(), folder }
    }

    async fn close(self) {
        self.store.close().await;
        drop(self.folder);
    }

    /// The time until all are stored, so many being put at once.
    async fn put(&self, shards: Vec<Shard>, at_once: usize) -> Duration {
        let (next, shards) = (Arc::new(AtomicU64::new(0)), Arc::new(shards));
        let began = Instant::now();
        let putters = (0..at_once).map(|_| {
            let (store, next, shards) = (self.store.clone(), next.clone(), shards.clone());
            tokio::spawn(async move {
                while let Some((id, bytes)) = shards.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    store.put(*id, bytes.clone(), store.now_ms()).await.unwrap();
                }
            })
        });
        for putter in putters.collect::<Vec<_>>() {
            putter.await.unwrap();
        }
        began.elapsed()
    }
}

async fn put_many(count: u64, len: usize, fsync: bool, at_once: usize) -> Duration {
    let empty = Empty::open(fsync);
    let (mut left, mut took) = (count as usize, Duration::ZERO);
    while left > 0 {
        let some = left.min((MADE_BYTES / len).clamp(1, MADE_MAX));
        took += empty.put(shards(some, len), at_once).await;
        left -= some;
    }
    empty.close().await;
    took
}

fn putting(c: &mut Criterion) {
    let runtime = runtime();
    for fsync in [true, false] {
        let mut group = c.benchmark_group(if fsync { "put, fsync" } else { "put, no fsync" });
        for (name, len) in SIZES {
            for at_once in [1, 8] {
                group.throughput(Throughput::Bytes(len as u64));
                group.bench_function(BenchmarkId::new(name, format!("{at_once} at once")), |b| {
                    // A round is whole: all who put at once have something to put.
                    b.iter_custom(|count| {
                        let made = count.max(4 * at_once as u64);
                        runtime.block_on(put_many(made, len, fsync, at_once)).mul_f64(count as f64 / made as f64)
                    });
                });
            }
        }
        group.finish();
    }
}

/// What was put a moment ago, so out of the page cache: the checks and copies, not the disk.
fn getting(c: &mut Criterion) {
    let runtime = runtime();
    let mut group = c.benchmark_group("get");
    for (name, len) in SIZES {
        let empty = Empty::open(false);
        let held = shards(64, len);
        runtime.block_on(empty.put(held.clone(), 8));
        let mut at = 0;
        let mut next = || {
            at = (at + 1) % held.len();
            held[at].0
        };
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(BenchmarkId::new("whole", name), |b| {
            b.iter(|| runtime.block_on(empty.store.get(next(), None)).unwrap());
        });
        if len > RANGE_BYTES as usize {
            let range = len as u32 / 2 - RANGE_BYTES / 2..len as u32 / 2 + RANGE_BYTES / 2;
            group.throughput(Throughput::Bytes(RANGE_BYTES.into()));
            group.bench_function(BenchmarkId::new("64 KiB of", name), |b| {
                b.iter(|| runtime.block_on(empty.store.get(next(), Some(range.clone()))).unwrap());
            });
        }
        runtime.block_on(empty.close());
    }
    group.finish();
}

fn short() -> Criterion {
    Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = benches;
    config = short();
    targets = putting, getting
}
criterion_main!(benches);
