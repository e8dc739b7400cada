//! The power goes after any byte: each shard is as it was before the operation that was cut off, or as after it.

use std::collections::BTreeMap;
use std::fs::OpenOptions;

use super::*;

/// Held, set aside, or not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Held,
    Aside,
    Gone,
}

const SEEDS: std::ops::Range<u64> = 0..6;

fn id(seed: u64) -> ShardId {
    shard_of(seed).0
}

fn shard_of(seed: u64) -> (ShardId, Bytes) {
    shard(seed, [0, 40, 64, 200, 1000, 66_000][seed as usize])
}

fn states(store: &Store) -> BTreeMap<u64, State> {
    let state = |seed| match store.len_of(&id(seed)) {
        None => State::Gone,
        Some(_) if store.is_trashed(&id(seed)) => State::Aside,
        Some(_) => State::Held,
    };
    SEEDS.map(|seed| (seed, state(seed))).collect()
}

/// What the volumes look like if the newest ends at `end`.
fn cut(from: &Path, to: &Path, newest: u32, end: u64) {
    let (from, to) = (options(from).dir, options(to).dir);
    std::fs::create_dir_all(&to).unwrap();
    for number in volume::list(&from).unwrap() {
        std::fs::copy(volume::path(&from, number), volume::path(&to, number)).unwrap();
    }
    OpenOptions::new().write(true).open(volume::path(&to, newest)).unwrap().set_len(end).unwrap();
}

/// Boundaries of slots in `part` and bytes around them: all near its ends, where the small records are, and some between.
fn ends(part: std::ops::Range<u64>) -> impl Iterator<Item = u64> {
    let slots = part.clone().step_by(64).filter(move |at| at % 16_384 < 128 || part.end - at < 1024 || at - part.start < 2048);
    slots.flat_map(|at| [at, at + 1, at + 63])
}

async fn run(store: &Store, step: usize) {
    let all: Vec<_> = SEEDS.map(id).collect();
    match step {
        0 => {
            for seed in SEEDS {
                let (id, data) = shard_of(seed);
                store.put(id, data, 1_000).await.unwrap();
            }
        }
        1 => drop(store.trash(&all[..4], 2_000).await.unwrap()),
        2 => drop(store.restore(&all[1..3]).await.unwrap()),
        3 => drop(store.trash(&all[1..5], 3_000).await.unwrap()),
        4 => drop(store.put(all[4], shard_of(4).1, 4_000).await.unwrap()),
        5 => drop(store.empty_trash(3_000, 9).await.unwrap()),
        6 => drop(store.delete(&all[2..3]).await.unwrap()),
        7 => drop(store.restore(&all).await.unwrap()),
        _ => drop(store.put(all[0], shard_of(0).1, 5_000).await.unwrap()),
    }
}

#[tokio::test]
async fn any_cut_leaves_each_shard_before_or_after_what_was_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    cut_anywhere(options(dir.path()), dir.path()).await;
}

#[tokio::test]
async fn so_does_any_cut_of_whole_blocks() {
    let dir = tempfile::tempdir().unwrap();
    // What is deleted and marked goes through the page cache even then.
    cut_anywhere(StoreOptions { direct_min_bytes: 1000, ..options(dir.path()) }, dir.path()).await;
}

async fn cut_anywhere(options: StoreOptions, dir: &Path) {
    let store = Store::open(options).unwrap();
    let mut before = (0, states(&store));
    for step in 0..9 {
        run(&store, step).await;
        let after = (store.totals().used_bytes, states(&store));
        assert_ne!(before, after, "step {step} does something");
        for end in ends(before.0..after.0) {
            let copy = tempfile::tempdir().unwrap();
            cut(dir, copy.path(), 1, end.min(after.0));
            let opened = open(copy.path());
            for (seed, state) in states(&opened) {
                assert!([before.1[&seed], after.1[&seed]].contains(&state), "step {step}, cut at {end}: {seed} is {state:?}");
                let read = opened.get(id(seed), None).await.ok();
                assert_eq!(read, (state != State::Gone).then(|| shard_of(seed).1));
            }
            opened.close().await;
        }
        before = after;
    }
    assert_eq!(store.shared.index().newest(), Some(1), "all in one volume");
}

/// Compaction changes nothing that is seen, wherever it is cut off, even if the old volume's going was lost.
#[tokio::test]
async fn a_compaction_cut_anywhere_leaves_all_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for step in 0..4 {
        run(&store, step).await;
    }
    for seed in 10..16 {
        let (id, data) = shard(seed, 60_000);
        store.put(id, data, 0).await.unwrap();
        store.delete(&[id]).await.unwrap();
    }
    let want = states(&store);
    assert!([State::Held, State::Aside].iter().all(|state| want.values().any(|one| one == state)));
    let old = std::fs::read(volume::path(&options(dir.path()).dir, 1)).unwrap();
    let from = store.shared.index().volume(2).unwrap().bytes;
    compact(&store).await;
    let to = store.shared.index().volume(2).unwrap().bytes;
    assert!(!volume::path(&options(dir.path()).dir, 1).exists() && to > from);
    store.close().await;
    std::fs::write(volume::path(&options(dir.path()).dir, 1), old).unwrap();
    for end in ends(from..to).chain([to]) {
        let copy = tempfile::tempdir().unwrap();
        cut(dir.path(), copy.path(), 2, end.min(to));
        let opened = open(copy.path());
        assert_eq!(states(&opened), want, "cut at {end}");
        // And what is deleted then stays so.
        opened.delete(&[id(0), id(3), id(5)]).await.unwrap();
        let opened = reopen(opened, copy.path()).await;
        assert!([0, 3, 5].iter().all(|seed| opened.len_of(&id(*seed)).is_none()), "cut at {end}");
        opened.close().await;
    }
}

/// A volume was left half copied, and the process goes on: what was copied, is deleted and compacted away must not come back.
#[tokio::test]
async fn copies_stay_until_what_they_were_copied_from_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let fillers: Vec<_> = (20..24).map(|seed| shard(seed, 60_000)).collect();
    let (victim, data) = shard(1, 500);
    store.put(victim, data, 0).await.unwrap();
    for (id, data) in &fillers {
        store.put(*id, data.clone(), 0).await.unwrap();
    }
    let (next, data) = shard(30, 60_000);
    store.put(next, data, 0).await.unwrap();
    // Copies the victim as compaction would, and then is not heard of again.
    let held = store.shared.index().get(&victim).unwrap();
    let (_, data) = shard(1, 500);
    let shard_again = NewShard { id: victim, trailer: record::trailer(&data), data, stored_ms: 0 };
    let moved = vec![plan::Moved::Shard { shard: shard_again, from: held.place }];
    store.ask(|reply| Command::Relocate(moved, reply)).await.unwrap();
    assert!(store.shared.index().volume(2).unwrap().is_pinned());
    store.delete(&[victim, next]).await.unwrap();
    for seed in 40..44 {
        let (id, data) = shard(seed, 60_000);
        store.put(id, data, 0).await.unwrap();
    }
    assert_eq!(store.delete(&[40, 41, 42].map(|seed| shard(seed, 60_000).0)).await, Ok(3));
    assert_eq!(store.shared.index().volume(2).unwrap().shard_bytes, 0);
    assert!(store.ask(|reply| Command::DropVolume(2, reply)).await.is_err(), "it tells that the victim is dead");
    compact(&store).await;
    assert!(store.shared.index().volume(2).is_none(), "the half copied one went first");
    let store = reopen(store, dir.path()).await;
    assert_eq!(store.len_of(&victim), None);
    assert_eq!(store.totals().shards, 5);
}
