//! Two copies of a shard where the newer is not whole: the power went before its bytes were on the disk, with `fsync` off.

use super::rot::flip;
use super::*;

/// A store whose first volume came back after its shard was copied out of it. Answers that shard, and where the copy is.
async fn doubled(dir: &Path, delete: bool) -> (ShardId, Bytes, Place) {
    let store = open(dir);
    let old = volume::path(&options(dir).dir, 1);
    let (id, data) = shard(0, 50_000);
    store.put(id, data.clone(), 0).await.unwrap();
    for seed in 1..6 {
        let (filler, bytes) = shard(seed, 60_000);
        store.put(filler, bytes, 0).await.unwrap();
        store.delete(&[filler]).await.unwrap();
    }
    let before = std::fs::read(&old).unwrap();
    compact(&store).await;
    assert!(!old.exists());
    let copy = store.shared.index().get(&id).unwrap().place;
    // Not in the newest volume, whose end is checked at every start.
    for seed in 10..20 {
        let (filler, bytes) = shard(seed, 60_000);
        store.put(filler, bytes, 0).await.unwrap();
    }
    assert!(store.shared.index().newest().unwrap() > copy.volume);
    if delete {
        store.delete(&[id]).await.unwrap();
    }
    store.close().await;
    std::fs::write(&old, before).unwrap();
    (id, data, copy)
}

#[tokio::test]
async fn the_older_is_held_if_the_newer_is_torn() {
    let dir = tempfile::tempdir().unwrap();
    let (id, data, copy) = doubled(dir.path(), false).await;
    flip(dir.path(), copy.volume, copy.offset() + 64 + 40_000);
    let mut store = open(dir.path());
    for _ in 0..2 {
        assert_eq!(store.shared.index().get(&id).unwrap().place.volume, 1);
        assert_eq!(store.get(id, None).await.as_ref(), Ok(&data));
        store = reopen(store, dir.path()).await;
    }
    store.delete(&[id]).await.unwrap();
    let store = reopen(store, dir.path()).await;
    assert_eq!(store.len_of(&id), None);
}

#[tokio::test]
async fn the_newer_is_held_if_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (id, data, copy) = doubled(dir.path(), false).await;
    let store = open(dir.path());
    assert_eq!(store.shared.index().get(&id).unwrap().place, copy);
    assert_eq!(store.get(id, None).await, Ok(data));
}

#[tokio::test]
async fn one_that_was_deleted_does_not_come_back_though_its_copy_is_torn() {
    let dir = tempfile::tempdir().unwrap();
    let (id, _, copy) = doubled(dir.path(), true).await;
    flip(dir.path(), copy.volume, copy.offset() + 64 + 40_000);
    let store = open(dir.path());
    assert_eq!(store.len_of(&id), None);
    let store = reopen(store, dir.path()).await;
    assert_eq!(store.len_of(&id), None, "nor at the next start");
}
