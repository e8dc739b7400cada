//! Writes past the page cache: what they leave is a volume like any other.

use super::*;

const BLOCK: u64 = direct::BLOCK_BYTES;

fn mixed(dir: &Path) -> StoreOptions {
    StoreOptions { direct_min_bytes: 10_000, ..options(dir) }
}

fn offset_of(store: &Store, id: &ShardId) -> u64 {
    store.shared.index().get(id).unwrap().place.offset()
}

#[tokio::test]
async fn long_batches_begin_and_end_with_a_block_and_short_ones_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(mixed(dir.path())).unwrap();
    let mut held = Vec::new();
    for (seed, len) in [20_000, 100, 50, 70_000, 10_000, 0, 9_000, 131_000].into_iter().enumerate() {
        let (id, data) = shard(seed as u64, len);
        let before = store.totals().used_bytes;
        store.put(id, data.clone(), 0).await.unwrap();
        let (begin, end) = (offset_of(&store, &id), store.totals().used_bytes);
        if len >= 10_000 {
            assert!(begin.is_multiple_of(BLOCK) && end.is_multiple_of(BLOCK), "{len}: {begin} to {end}");
            assert!(end - before < record::record_bytes(len as u32) + 2 * BLOCK);
        } else {
            assert_eq!((begin, end), (before, before + record::record_bytes(len as u32)));
        }
        held.push((id, data));
    }
    store.delete(&[held[0].0]).await.unwrap();
    // The volume alone: its outline, which comes with the stop, counts as used too.
    let found = |store: &Store| (store.totals().shards, store.totals().digest, store.shared.index().volume(1).unwrap().bytes);
    let before = found(&store);
    let store = reopen(store, dir.path()).await;
    assert_eq!(found(&store), before, "the next start finds the same, and cuts nothing off");
    assert_eq!(store.get(held[0].0, None).await, Err(StoreError::NotHeld));
    for (id, data) in &held[1..] {
        assert_eq!(store.get(*id, None).await.as_ref(), Ok(data));
    }
    assert!(!volume::path(&options(dir.path()).dir, 0).exists(), "pads are nothing that nodes of format 1 don't know");
}

/// A pad lies where the header says, so the scrub sees no gap in which a shard could have been.
#[tokio::test]
async fn between_records_and_pads_there_is_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(mixed(dir.path())).unwrap();
    // All lengths of pads, before and behind.
    for seed in 0..64 {
        let (short, data) = shard(seed * 2, 10);
        store.put(short, data, 0).await.unwrap();
        let (long, data) = shard(seed * 2 + 1, 10_000 + seed as usize * 64);
        store.put(long, data, 0).await.unwrap();
    }
    store.close().await;
    for number in volume::list(&options(dir.path()).dir).unwrap() {
        let file = volume::open(&options(dir.path()).dir, number).unwrap();
        let len = file.metadata().unwrap().len();
        let mut headers = scan::Headers::new(&file, number, 0, len);
        let mut end = 0;
        while let Some((place, _)) = headers.next().unwrap() {
            assert_eq!(place.offset(), end);
            end = headers.position();
        }
        assert_eq!(end, len);
    }
}

/// What an earlier node wrote, ending anywhere, is gone on with in blocks, and what that wrote without them.
#[tokio::test]
async fn either_kind_of_node_goes_on_with_what_the_other_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let mut held = Vec::new();
    for round in 0..6u64 {
        let options = if round % 2 == 0 { options(dir.path()) } else { in_blocks(dir.path()) };
        let store = Store::open(options).unwrap();
        for seed in 0..4 {
            let (id, data) = shard(round * 4 + seed, 12_345);
            store.put(id, data.clone(), 0).await.unwrap();
            held.push((id, data));
        }
        for (id, data) in &held {
            assert_eq!(store.get(*id, None).await.as_ref(), Ok(data), "round {round}");
        }
        store.close().await;
    }
}

#[tokio::test]
async fn pads_count_and_never_take_what_is_kept_for_copies() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(in_blocks(dir.path())).unwrap();
    let limit = options(dir.path()).capacity_bytes - (256 << 10);
    let mut seed = 0;
    loop {
        let (id, data) = shard(seed, 1000 + seed as usize % 5000);
        match store.put(id, data, 0).await {
            Ok(_) => seed += 1,
            Err(error) => break assert_eq!(error, StoreError::Full),
        }
    }
    let used = store.totals().used_bytes;
    assert!(used <= limit && used > limit - 8_000, "{used} of {limit}");
    let dir = options(dir.path()).dir;
    let lens: Vec<u64> =
        volume::list(&dir).unwrap().into_iter().map(|n| volume::path(&dir, n).metadata().unwrap().len()).collect();
    assert_eq!(lens.iter().sum::<u64>(), used);
    assert!(lens.iter().all(|len| *len <= 256 << 10), "a pad makes no volume longer than it may be");
}

#[tokio::test]
async fn compaction_in_blocks_leaves_all_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(in_blocks(dir.path())).unwrap();
    let shards: Vec<_> = (0..40).map(|seed| shard(seed, 30_000)).collect();
    for (id, data) in &shards {
        store.put(*id, data.clone(), 0).await.unwrap();
    }
    let doomed: Vec<_> = shards.iter().step_by(2).chain(shards.iter().step_by(3)).map(|(id, _)| *id).collect();
    store.delete(&doomed).await.unwrap();
    let before = store.totals().used_bytes;
    compact(&store).await;
    assert!(store.totals().used_bytes < before * 3 / 4);
    let store = reopen(store, dir.path()).await;
    for (id, data) in &shards {
        let want = if doomed.contains(id) { Err(StoreError::NotHeld) } else { Ok(data.clone()) };
        assert_eq!(store.get(*id, None).await, want);
    }
}

/// A run of one shard of `len` bytes, as planned for an empty store.
fn run_of(len: usize) -> plan::Run {
    let index = Index::default();
    let room = Room { puts_bytes: u64::MAX, copies_bytes: u64::MAX, disk_bytes: u64::MAX };
    let mut plan = plan::Plan::new(&index, plan::Cursor { volume: 1, offset: 64 }, u64::MAX, room).in_blocks(true);
    let (id, data) = shard(1, len);
    plan.put(NewShard { id, trailer: record::trailer(&data), data, stored_ms: 0 }).unwrap();
    plan.into_runs().remove(0)
}

#[test]
fn a_file_system_that_refuses_gets_the_same_through_the_page_cache() {
    let dir = tempfile::tempdir().unwrap();
    let (through, past) = (tempfile::tempfile().unwrap(), volume::create(dir.path(), 1, false).unwrap());
    let run = run_of(3 << 20);
    let mut appender = direct::Appender::new();
    appender.append(dir.path(), &past, &run).unwrap();
    assert!(!appender.is_refused(), "tests need a file system with direct writes");
    let refusing = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/null", volume::path(refusing.path(), 1)).unwrap();
    let mut appender = direct::Appender::new();
    appender.append(refusing.path(), &through, &run).unwrap();
    assert!(appender.is_refused());
    let read = |file| volume::read_at(file, run.end as usize, 0).unwrap();
    assert!(read(&through) == read(&past), "the same bytes");
    assert_eq!(past.metadata().unwrap().len(), run.end);
}

#[test]
fn a_volume_that_was_taken_back_is_not_written_to_under_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let mut appender = direct::Appender::new();
    let run = run_of(100_000);
    for _ in 0..2 {
        let file = volume::create(dir.path(), 1, false).unwrap();
        appender.append(dir.path(), &file, &run).unwrap();
        assert_eq!(file.metadata().unwrap().len(), run.end);
        appender.close();
        std::fs::remove_file(volume::path(dir.path(), 1)).unwrap();
    }
}
