//! The store as its callers see it, and what it does with what disks and crashes leave.

mod ages;
mod blocks;
mod boundaries;
mod crash;
mod doubled;
mod failure;
mod model;
mod outlines;
mod ranges;
mod rot;
mod scrub;
mod shrink;
mod trash;

use std::path::Path;

use super::*;

pub(super) fn options(dir: &Path) -> StoreOptions {
    StoreOptions {
        dir: dir.join("volumes"),
        capacity_bytes: 4 << 20,
        volume_bytes: 256 << 10,
        disk_reserve_bytes: 0,
        direct_min_bytes: usize::MAX,
        fsync: false,
    }
}

/// All batches go past the page cache.
pub(super) fn in_blocks(dir: &Path) -> StoreOptions {
    StoreOptions { direct_min_bytes: 0, ..options(dir) }
}

pub(super) fn open(dir: &Path) -> Store {
    Store::open(options(dir)).unwrap()
}

/// A shard told by a number, of any length.
pub(super) fn shard(seed: u64, len: usize) -> (ShardId, Bytes) {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    let data = Bytes::from(bytes);
    (ShardId::of(&data), data)
}

pub(super) async fn reopen(store: Store, dir: &Path) -> Store {
    store.close().await;
    drop(store);
    open(dir)
}

/// Ends the store as a kill at a quiet moment does: what was answered is on disk, and nothing is tidied up.
pub(super) async fn kill(store: Store) {
    let _ = store.commands.send(Command::Stop).await;
    let thread = store.writer.lock().unwrap().take().unwrap();
    off_thread(move || thread.join()).await.unwrap().unwrap();
}

pub(super) async fn outline_all(store: &Store) {
    let mut outliner = Outliner::new(store.clone());
    while outliner.step().await.unwrap() {}
}

pub(super) async fn compact(store: &Store) {
    let mut compactor = Compactor::new(store.clone());
    while compactor.step().await.unwrap() {}
}

/// One whole round; the sum of its steps.
pub(super) async fn scrub_round(store: &Store) -> Scrubbed {
    let mut scrubber = Scrubber::new(store.clone());
    let mut sum = scrubber.step().await.unwrap();
    while !sum.wrapped {
        let step = scrubber.step().await.unwrap();
        sum = Scrubbed {
            bytes: sum.bytes + step.bytes,
            rotten: sum.rotten + step.rotten,
            mended: sum.mended + step.mended,
            ..step
        };
    }
    sum
}

#[tokio::test]
async fn what_is_put_is_read_whole_and_in_ranges() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for (seed, len) in [0usize, 1, 64, 65_551, 65_552, 65_553, 200_000].into_iter().enumerate() {
        let (id, data) = shard(seed as u64, len);
        assert_eq!(store.put(id, data.clone(), 5_000).await, Ok(Stored::New));
        assert_eq!(store.put(id, data.clone(), 6_000).await, Ok(Stored::Already));
        assert_eq!(store.get(id, None).await, Ok(data.clone()));
        assert_eq!(store.len_of(&id), Some(len as u32));
        for (start, end) in [(0, len), (0, len.min(1)), (len / 2, len), (len / 3, len / 2), (len, len)] {
            assert_eq!(store.get(id, Some(start as u32..end as u32)).await, Ok(data.slice(start..end)), "{len}: {start}..{end}");
        }
        assert_eq!(store.get(id, Some(0..len as u32 + 1)).await, Err(StoreError::BadRange));
    }
    assert!(store.page(None, 100).iter().all(|(_, stored_s)| *stored_s == 5));
}

#[tokio::test]
async fn wrong_bytes_and_long_shards_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (id, _) = shard(1, 10);
    assert_eq!(store.put(id, shard(2, 10).1, 0).await, Err(StoreError::WrongBytes));
    let (long_id, long) = shard(3, SHARD_MAX_BYTES as usize + 1);
    assert_eq!(store.put(long_id, long, 0).await, Err(StoreError::TooLong));
    assert_eq!(store.get(id, None).await, Err(StoreError::NotHeld));
    assert_eq!(store.totals().used_bytes, 0);
}

#[tokio::test]
async fn the_capacity_is_never_exceeded_and_room_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for round in 0..4u64 {
        let mut held = Vec::new();
        loop {
            let (id, data) = shard(round * 1000 + held.len() as u64, 100_000);
            match store.put(id, data, 0).await {
                Ok(_) => held.push(id),
                Err(error) => break assert_eq!(error, StoreError::Full),
            }
        }
        assert!(held.len() > 30, "round {round}: only {} fitted", held.len());
        assert!(store.totals().used_bytes <= 4 << 20);
        assert_eq!(store.delete(&held).await, Ok(held.len() as u64));
        compact(&store).await;
        assert!(store.totals().used_bytes <= 512 << 10, "round {round}: {} left", store.totals().used_bytes);
    }
}

#[tokio::test]
async fn a_disk_short_of_space_takes_no_puts_but_deletes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (id, data) = shard(1, 1000);
    store.put(id, data, 0).await.unwrap();
    let store = {
        store.close().await;
        Store::open(StoreOptions { disk_reserve_bytes: u64::MAX, ..options(dir.path()) }).unwrap()
    };
    assert_eq!(store.totals().free_bytes, 0);
    let (other, data) = shard(2, 1000);
    assert_eq!(store.put(other, data, 0).await, Err(StoreError::Full));
    assert_eq!(store.delete(&[id, other]).await, Ok(1));
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.close().await;
    let (id, data) = shard(1, 10);
    assert_eq!(store.put(id, data, 0).await, Err(StoreError::Closed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_share_batches_and_all_are_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions { fsync: true, ..options(dir.path()) }).unwrap();
    let puts = (0..200u64).map(|seed| {
        let store = store.clone();
        tokio::spawn(async move {
            // Every shard is put by two at once.
            let (id, data) = shard(seed / 2, 3000);
            store.put(id, data, 0).await.unwrap()
        })
    });
    let outcomes = futures::future::join_all(puts).await;
    let new = outcomes.into_iter().filter(|outcome| *outcome.as_ref().unwrap() == Stored::New).count();
    assert_eq!((new, store.totals().shards), (100, 100));
    let store = reopen(store, dir.path()).await;
    assert_eq!(store.totals().shards, 100);
}

/// The bytes of a deleted shard may be re-put, moved and deleted again, in any volumes: dead is dead.
#[tokio::test]
async fn a_shard_deleted_twice_does_not_come_back_through_compaction() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let (id, data) = shard(0, 50_000);
    let mut fillers = Vec::new();
    for round in 1..6u64 {
        store.put(id, data.clone(), 0).await.unwrap();
        for filler in 0..6 {
            let (filler, bytes) = shard(round * 100 + filler, 45_000);
            store.put(filler, bytes, 0).await.unwrap();
            fillers.push(filler);
        }
        store.delete(&[id]).await.unwrap();
        let doomed: Vec<_> = fillers.iter().skip(round as usize % 2).step_by(2).copied().collect();
        store.delete(&doomed).await.unwrap();
        fillers.retain(|filler| !doomed.contains(filler));
        compact(&store).await;
        store = reopen(store, dir.path()).await;
        assert_eq!(store.len_of(&id), None, "round {round}");
        assert_eq!(store.totals().shards, fillers.len() as u64);
    }
}

/// A compaction was cut off after its copies were durable and before the old volume was unlinked: the shard is there twice.
#[tokio::test]
async fn a_shard_left_twice_by_a_crash_is_one_shard_and_can_be_deleted_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let old = volume::path(&options(dir.path()).dir, 1);
    let (id, data) = shard(0, 50_000);
    store.put(id, data.clone(), 0).await.unwrap();
    let fillers: Vec<_> = (1..6).map(|seed| shard(seed, 60_000)).collect();
    for (filler, bytes) in &fillers {
        store.put(*filler, bytes.clone(), 0).await.unwrap();
    }
    let doomed: Vec<_> = fillers[..4].iter().map(|(filler, _)| *filler).collect();
    store.delete(&doomed).await.unwrap();
    let before = std::fs::read(&old).unwrap();
    compact(&store).await;
    assert!(!old.exists());
    store.close().await;
    std::fs::write(&old, before).unwrap();

    let store = open(dir.path());
    assert_eq!((store.totals().shards, store.get(id, None).await), (2, Ok(data)));
    store.delete(&[id]).await.unwrap();
    // Makes the volume with the newer copy, and the tombstone with it, go away.
    for seed in 10..20 {
        let (filler, bytes) = shard(seed, 60_000);
        store.put(filler, bytes, 0).await.unwrap();
        store.delete(&[filler, fillers[4].0]).await.unwrap();
    }
    let numbers = || volume::list(&options(dir.path()).dir).unwrap();
    let others: Vec<u32> = numbers().into_iter().filter(|number| *number != 1).collect();
    std::fs::rename(&old, dir.path().join("aside")).unwrap();
    let store = reopen(store, dir.path()).await;
    compact(&store).await;
    assert!(numbers().iter().all(|number| *number == *others.last().unwrap()), "only the newest is left");
    store.close().await;
    std::fs::rename(dir.path().join("aside"), &old).unwrap();
    let store = open(dir.path());
    assert_eq!(store.len_of(&id), None);
}
