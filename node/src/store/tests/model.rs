//! Random operations against a map. Whatever happens, what was acknowledged is held, what was deleted is gone, and nothing else
//! is served.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use nodio_wire::api::set_digest;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Op {
    Put(u64),
    Get(u64),
    Range(u64, u32, u32),
    Delete(Vec<u64>),
    Compact,
    /// Some steps of a compaction that a crash then cuts off.
    CompactPartly(u8),
    Reopen,
    /// A crash that left the beginning of a record, or all of it but for some bytes.
    Torn {
        seed: u64,
        keep: usize,
        hole: bool,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let seed = 0u64..40;
    prop_oneof![
        8 => seed.clone().prop_map(Op::Put),
        3 => seed.clone().prop_map(Op::Get),
        2 => (seed.clone(), any::<u32>(), any::<u32>()).prop_map(|(seed, a, b)| Op::Range(seed, a, b)),
        5 => prop::collection::vec(seed, 1..8).prop_map(Op::Delete),
        2 => Just(Op::Compact),
        2 => (1u8..3).prop_map(Op::CompactPartly),
        2 => Just(Op::Reopen),
        2 => (100u64..110, any::<usize>(), any::<bool>()).prop_map(|(seed, keep, hole)| Op::Torn { seed, keep, hole }),
    ]
}

/// Lengths of all kinds, the same for one seed.
fn shard_of(seed: u64) -> (ShardId, Bytes) {
    let lens = [0, 1, 100, 4_000, 60_000, 65_552, 70_000, 131_000];
    shard(seed, lens[seed as usize % lens.len()])
}

/// Appends what a crash in mid-write leaves behind an acknowledged end.
fn tear(dir: &Path, seed: u64, keep: usize, hole: bool) {
    let volumes = options(dir).dir;
    let number = volume::list(&volumes).unwrap().last().copied().unwrap_or(1);
    let path = volume::path(&volumes, number);
    let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
    let (id, data) = shard_of(seed);
    let place = Place::at(number, file.metadata().unwrap().len()).unwrap();
    let header = record::Header { kind: record::Kind::Shard { len: data.len() as u32 }, id, stored_ms: 0 };
    let mut bytes = [&header.encode(place)[..], &data, &record::trailer(&data)].concat();
    if hole && data.len() > 1 {
        // The blocks came to the disk in another order: the end is there, the middle is not.
        let middle = 64 + data.len() / 2;
        bytes[middle] ^= 0xff;
    } else {
        bytes.truncate(keep % bytes.len());
    }
    file.write_all(&bytes).unwrap();
}

struct World {
    dir: tempfile::TempDir,
    store: Option<Store>,
    model: HashMap<ShardId, Bytes>,
}

impl World {
    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    async fn restart(&mut self, between: impl FnOnce(&Path)) {
        self.store.take().unwrap().close().await;
        between(self.dir.path());
        self.store = Some(open(self.dir.path()));
    }

    async fn apply(&mut self, op: Op) {
        match op {
            Op::Put(seed) => {
                let (id, data) = shard_of(seed);
                match self.store().put(id, data.clone(), 0).await {
                    Ok(stored) => assert_eq!(self.model.insert(id, data).is_some(), stored == Stored::Already),
                    Err(error) => assert_eq!(error, StoreError::Full),
                }
            }
            Op::Get(seed) => {
                let id = shard_of(seed).0;
                assert_eq!(self.store().get(id, None).await.ok(), self.model.get(&id).cloned());
            }
            Op::Range(seed, a, b) => {
                let (id, data) = shard_of(seed);
                let (a, b) = (a % (data.len() as u32 + 1), b % (data.len() as u32 + 1));
                let range = a.min(b)..a.max(b);
                let want = self.model.get(&id).map(|data| data.slice(range.start as usize..range.end as usize));
                assert_eq!(self.store().get(id, Some(range)).await.ok(), want);
            }
            Op::Delete(seeds) => {
                let ids: Vec<_> = seeds.iter().map(|seed| shard_of(*seed).0).collect();
                let held = ids.iter().filter(|id| self.model.remove(*id).is_some()).count();
                assert_eq!(self.store().delete(&ids).await, Ok(held as u64));
            }
            Op::Compact => compact(self.store()).await,
            Op::CompactPartly(steps) => {
                let mut compactor = Compactor::new(self.store().clone());
                for _ in 0..steps {
                    compactor.step().await.unwrap();
                }
            }
            Op::Reopen => self.restart(|_| ()).await,
            Op::Torn { seed, keep, hole } => self.restart(|dir| tear(dir, seed, keep, hole)).await,
        }
    }

    async fn check(&self) {
        let totals = self.store().totals();
        assert_eq!(totals.shards, self.model.len() as u64);
        assert_eq!(totals.digest, set_digest(self.model.keys().copied()));
        let volumes = options(self.dir.path()).dir;
        let lens = volume::list(&volumes).unwrap().into_iter().map(|n| volume::path(&volumes, n).metadata().unwrap().len());
        assert_eq!(totals.used_bytes, lens.sum::<u64>());
        assert!(totals.used_bytes <= totals.capacity_bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 500, ..ProptestConfig::default() })]

    #[test]
    fn the_store_agrees_with_a_map(ops in prop::collection::vec(op(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let store = Some(open(dir.path()));
            let mut world = World { dir, store, model: HashMap::new() };
            for op in ops {
                world.apply(op).await;
                world.check().await;
            }
            for (id, data) in &world.model {
                assert_eq!(world.store().get(*id, None).await.as_ref(), Ok(data));
            }
        });
    }
}
