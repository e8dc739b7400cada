//! Random operations against a map. Whatever happens, what was acknowledged is held, what was deleted is gone, and nothing else
//! is served.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
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
    Trash(Vec<u64>, u32),
    Restore(Vec<u64>),
    /// Of what was set aside before this second, and at most so many.
    EmptyTrash(u32, usize),
    /// A round of the scrub: finds nothing, changes nothing.
    Scrub,
    Compact,
    /// Some steps of a compaction that a crash then cuts off.
    CompactPartly(u8),
    Reopen,
    /// The process ends without a word, and starts again.
    Kill,
    /// Full volumes get their outlines.
    Outline,
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
        5 => prop::collection::vec(seed.clone(), 1..8).prop_map(Op::Delete),
        5 => (prop::collection::vec(seed.clone(), 1..8), 1u32..20).prop_map(|(seeds, at_s)| Op::Trash(seeds, at_s)),
        3 => prop::collection::vec(seed, 1..8).prop_map(Op::Restore),
        2 => (0u32..20, 0usize..6).prop_map(|(before_s, limit)| Op::EmptyTrash(before_s, limit)),
        1 => Just(Op::Scrub),
        2 => Just(Op::Compact),
        2 => (1u8..3).prop_map(Op::CompactPartly),
        2 => Just(Op::Reopen),
        2 => Just(Op::Kill),
        2 => Just(Op::Outline),
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
    let header = record::Header { kind: record::Kind::Shard { len: data.len() as u32, aside_s: None }, id, time_ms: 0 };
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

/// The shards that the files themselves tell of, by header and tombstone alone.
fn live_on_disk(volumes: &Path) -> Vec<(ShardId, u32)> {
    let (mut shards, mut dead) = (Vec::new(), HashSet::new());
    for number in volume::list(volumes).unwrap() {
        let file = volume::open(volumes, number).unwrap();
        let mut headers = scan::Headers::new(&file, number, 0, file.metadata().unwrap().len());
        while let Some((place, header)) = headers.next().unwrap() {
            match header.kind {
                record::Kind::Shard { len, .. } => shards.push((place, header.id, len)),
                record::Kind::Tombstone { target } => drop(dead.insert(target)),
                record::Kind::Void { .. } | record::Kind::Mark { .. } => {}
            }
        }
    }
    shards.into_iter().filter(|(place, ..)| !dead.contains(place)).map(|(_, id, len)| (id, len)).collect()
}

struct World {
    dir: tempfile::TempDir,
    direct_min_bytes: usize,
    store: Option<Store>,
    model: HashMap<ShardId, Bytes>,
    /// Those of the model that are set aside, and since when.
    aside: BTreeMap<ShardId, u32>,
}

impl World {
    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    async fn restart(&mut self, between: impl FnOnce(&Path)) {
        self.store.take().unwrap().close().await;
        between(self.dir.path());
        self.store = Some(self.open());
    }

    fn open(&self) -> Store {
        Store::open(StoreOptions { direct_min_bytes: self.direct_min_bytes, ..options(self.dir.path()) }).unwrap()
    }

    async fn apply(&mut self, op: Op) {
        match op {
            Op::Put(seed) => {
                let (id, data) = shard_of(seed);
                match self.store().put(id, data.clone(), 0).await {
                    Ok(stored) => {
                        assert_eq!(self.model.insert(id, data).is_some(), stored == Stored::Already);
                        self.aside.remove(&id);
                    }
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
                self.aside.retain(|id, _| !ids.contains(id));
                assert_eq!(self.store().delete(&ids).await, Ok(held as u64));
            }
            Op::Trash(seeds, at_s) => {
                let ids: Vec<_> = seeds.iter().map(|seed| shard_of(*seed).0).collect();
                let held = |id: &&ShardId| self.model.contains_key(*id);
                let moved = ids
                    .iter()
                    .filter(held)
                    .filter(|id| {
                        let entry = self.aside.entry(**id);
                        matches!(entry, Entry::Vacant(_)) && *entry.or_insert(at_s) == at_s
                    })
                    .count();
                assert_eq!(self.store().trash(&ids, u64::from(at_s) * 1000 + 7).await, Ok(moved as u64));
            }
            Op::Restore(seeds) => {
                let ids: Vec<_> = seeds.iter().map(|seed| shard_of(*seed).0).collect();
                let back = ids.iter().filter(|id| self.aside.remove(*id).is_some()).count();
                assert_eq!(self.store().restore(&ids).await, Ok(back as u64));
            }
            Op::EmptyTrash(before_s, limit) => {
                let mut due: Vec<_> =
                    self.aside.iter().map(|(id, at_s)| (*at_s, *id)).filter(|(at_s, _)| *at_s < before_s).collect();
                due.sort_unstable();
                due.truncate(limit);
                for (_, id) in &due {
                    self.aside.remove(id);
                    self.model.remove(id);
                }
                assert_eq!(self.store().empty_trash(u64::from(before_s) * 1000, limit).await, Ok(due.len() as u64));
            }
            Op::Scrub => {
                let read = scrub_round(self.store()).await;
                assert_eq!((read.bytes, read.rotten, read.mended), (self.held().map(|(_, data)| data.len() as u64).sum(), 0, 0));
            }
            Op::Compact => compact(self.store()).await,
            Op::CompactPartly(steps) => {
                let mut compactor = Compactor::new(self.store().clone());
                for _ in 0..steps {
                    compactor.step().await.unwrap();
                }
            }
            Op::Reopen => self.restart(|_| ()).await,
            Op::Kill => {
                kill(self.store.take().unwrap()).await;
                self.store = Some(open(self.dir.path()));
            }
            Op::Outline => outline_all(self.store()).await,
            Op::Torn { seed, keep, hole } => self.restart(|dir| tear(dir, seed, keep, hole)).await,
        }
    }

    fn held(&self) -> impl Iterator<Item = (&ShardId, &Bytes)> {
        self.model.iter().filter(|(id, _)| !self.aside.contains_key(*id))
    }

    async fn check(&self) {
        let totals = self.store().totals();
        assert_eq!(totals.shards, self.held().count() as u64);
        assert_eq!(totals.digest, set_digest(self.held().map(|(id, _)| *id)));
        assert_eq!(totals.held_bytes, self.held().map(|(_, data)| data.len() as u64).sum::<u64>());
        let aside_bytes = self.aside.keys().map(|id| self.model[id].len() as u64).sum();
        assert_eq!(totals.trash, Trash { shards: self.aside.len() as u64, bytes: aside_bytes });
        let oldest: Vec<_> = self.store().shared.index().marks().oldest().map(|(at_s, id)| (id, at_s)).collect();
        assert_eq!(BTreeMap::from_iter(oldest), self.aside);
        let volumes = options(self.dir.path()).dir;
        let len = |path: &Path| path.metadata().map_or(0, |about| about.len());
        let lens = volume::list(&volumes).unwrap().into_iter().map(|n| {
            let outline = outline::path(&volumes, n);
            len(&volume::path(&volumes, n)) + len(&outline)
        });
        assert_eq!(totals.used_bytes, lens.sum::<u64>());
        assert!(totals.used_bytes <= totals.capacity_bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 500, ..ProptestConfig::default() })]

    #[test]
    fn the_store_agrees_with_a_map(
        ops in prop::collection::vec(op(), 1..60),
        direct_min_bytes in prop_oneof![Just(0), Just(60_000), Just(usize::MAX)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let mut world = World { dir, direct_min_bytes, store: None, model: HashMap::new(), aside: BTreeMap::new() };
            world.store = Some(world.open());
            for op in ops {
                world.apply(op).await;
                world.check().await;
            }
            for (id, data) in &world.model {
                assert_eq!(world.store().get(*id, None).await.as_ref(), Ok(data));
            }
            // To the byte: what the disk holds and no tombstone kills is what the model holds, each once.
            world.restart(|_| ()).await;
            compact(world.store()).await;
            let mut live = live_on_disk(&options(world.dir.path()).dir);
            let mut model: Vec<_> = world.model.iter().map(|(id, data)| (*id, data.len() as u32)).collect();
            live.sort_unstable();
            model.sort_unstable();
            assert_eq!(live, model);
        });
    }
}
