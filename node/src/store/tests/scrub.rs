//! The scrub finds what is wrong anywhere in a record, goes on where it was, and keeps its pace.

use std::time::Duration;

use super::rot::{flip, three};
use super::*;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Offset, in the record of a shard of 70 000 bytes, of the byte to damage.
async fn scrubbed_with(at: u64) -> (tempfile::TempDir, Store, Vec<(ShardId, Bytes)>, Scrubbed) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (shards, offsets) = three(&store, 70_000).await;
    flip(dir.path(), 1, offsets[1] + at);
    let scrubbed = scrub_round(&store).await;
    (dir, store, shards, scrubbed)
}

#[tokio::test]
async fn rot_of_a_shard_is_told_before_anybody_asks() {
    let (dir, store, shards, scrubbed) = scrubbed_with(64 + 66_000).await;
    assert_eq!((scrubbed.rotten, scrubbed.mended, scrubbed.bytes), (1, 0, 210_000));
    assert_eq!((store.rotten(9), store.len_of(&shards[1].0)), (vec![shards[1].0], None));
    let store = reopen(store, dir.path()).await;
    assert_eq!(store.totals().shards, 2);
}

#[tokio::test]
async fn a_shard_whose_header_or_checksum_is_damaged_is_saved_for_good() {
    for at in [0, 6, 30, 63, 64 + 70_000, 64 + 70_000 + 15] {
        let (dir, store, shards, scrubbed) = scrubbed_with(at).await;
        assert_eq!((scrubbed.rotten, scrubbed.mended, scrubbed.bytes), (0, 1, 210_000), "byte {at}");
        let again = scrub_round(&store).await;
        assert_eq!((again.rotten, again.mended, again.bytes), (0, 0, 210_000), "byte {at}");
        let store = reopen(store, dir.path()).await;
        for (id, data) in &shards {
            assert_eq!(store.get(*id, None).await.as_ref(), Ok(data), "byte {at}");
        }
        store.delete(&[shards[1].0]).await.unwrap();
        let store = reopen(store, dir.path()).await;
        assert_eq!((store.len_of(&shards[1].0), store.totals().shards), (None, 2), "byte {at}");
    }
}

#[tokio::test]
async fn a_shard_rotten_under_a_damaged_header_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (shards, offsets) = three(&store, 70_000).await;
    flip(dir.path(), 1, offsets[2] + 9);
    flip(dir.path(), 1, offsets[2] + 99);
    assert_eq!(scrub_round(&store).await.rotten, 1);
    assert_eq!(store.rotten(9), [shards[2].0]);
}

/// Over volumes, compaction and restarts every shard of the beginning is read, and none twice.
#[tokio::test]
async fn a_round_goes_on_after_restarts_and_over_volumes_that_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let roomy = || StoreOptions { capacity_bytes: 64 << 20, volume_bytes: 5 << 20, ..options(dir.path()) };
    let mut store = Store::open(roomy()).unwrap();
    let mut ids = Vec::new();
    for seed in 0..28 {
        let (id, data) = shard(seed, 1_000_000);
        store.put(id, data, 0).await.unwrap();
        ids.push(id);
    }
    let (mut bytes, mut steps) = (0, 0);
    loop {
        let scrubbed = Scrubber::new(store.clone()).step().await.unwrap();
        assert!(scrubbed.bytes <= 5_000_000, "a step is bounded");
        (bytes, steps) = (bytes + scrubbed.bytes, steps + 1);
        if steps == 3 {
            // The next volumes lose all they have, one by deletion, one by compaction.
            store.delete(&ids[10..18]).await.unwrap();
            let (id, data) = shard(99, 1_000_000);
            store.put(id, data, 0).await.unwrap();
            compact(&store).await;
        }
        assert_eq!(store.scrubbed().rounds, u64::from(scrubbed.wrapped));
        store.close().await;
        store = Store::open(roomy()).unwrap();
        if scrubbed.wrapped {
            break;
        }
        assert_eq!(store.scrubbed().bytes, bytes);
    }
    // Fifteen before, then the fifth volume and the five that fill the newest of the beginning.
    assert_eq!((bytes, steps), (25_000_000, 5));
    assert!(store.scrubbed().rounds == 1 && store.scrubbed().last_end > 0);
    std::fs::remove_file(options(dir.path()).dir.join("notes.json")).unwrap();
    let store = Store::open(roomy()).unwrap();
    assert_eq!(store.scrubbed().rounds, 0, "lost notes begin anew");
}

#[tokio::test]
async fn what_is_set_aside_is_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (shards, offsets) = three(&store, 1000).await;
    store.trash(&[shards[0].0], 1_000).await.unwrap();
    flip(dir.path(), 1, offsets[0] + 100);
    let scrubbed = scrub_round(&store).await;
    assert_eq!((scrubbed.bytes, scrubbed.rotten), (2000, 0));
}

#[tokio::test]
async fn it_waits_between_steps_and_between_rounds_and_not_before_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    three(&store, 70_000).await;
    let mut scrubber = Scrubber::new(store.clone());
    assert_eq!(scrubber.wait(30 * DAY_MS, 0.1), Duration::ZERO);
    assert!(scrubber.step().await.unwrap().wrapped);
    let wait = scrubber.wait(30 * DAY_MS, 0.1);
    assert!((29 * DAY_MS..=30 * DAY_MS).contains(&(wait.as_millis() as u64)), "{wait:?}: the next round is due in a cycle");
    let store = reopen(store, dir.path()).await;
    let wait = Scrubber::new(store.clone()).wait(30 * DAY_MS, 0.1);
    assert!((29 * DAY_MS..=30 * DAY_MS).contains(&(wait.as_millis() as u64)), "{wait:?}: after a restart, too");
    let clock_set_back = scrub::Round { started: u64::MAX, ..*store.shared.round.lock().unwrap() };
    *store.shared.round.lock().unwrap() = clock_set_back;
    assert!(Scrubber::new(store.clone()).wait(DAY_MS, 0.1) <= Duration::from_millis(DAY_MS));
    assert!(store.shared.round.lock().unwrap().started < u64::MAX, "counts from now");
}
