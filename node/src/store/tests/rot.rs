//! Flipped bytes: the right bytes are served or none, and the shard is told to be rotten.

use std::os::unix::fs::FileExt;

use super::*;

pub(super) fn flip(dir: &Path, number: u32, offset: u64) {
    let file = volume::open(&options(dir).dir, number).unwrap();
    let byte = volume::read_at(&file, 1, offset).unwrap()[0];
    file.write_all_at(&[byte ^ 0x40], offset).unwrap();
}

/// Three shards in one volume; answers them and where each record begins.
pub(super) async fn three(store: &Store, len: usize) -> (Vec<(ShardId, Bytes)>, Vec<u64>) {
    let shards: Vec<_> = (0..3).map(|seed| shard(seed, len)).collect();
    for (id, data) in &shards {
        store.put(*id, data.clone(), 0).await.unwrap();
    }
    let offsets = shards.iter().map(|(id, _)| store.shared.index().get(id).unwrap().place.offset()).collect();
    (shards, offsets)
}

#[tokio::test]
async fn a_flipped_byte_of_data_is_never_served() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (shards, offsets) = three(&store, 70_000).await;
    flip(dir.path(), 1, offsets[1] + 64 + 66_000);
    let (id, data) = &shards[1];
    assert_eq!(store.get(*id, Some(10..60_000)).await, Ok(data.slice(10..60_000)), "the other chunk is well");
    assert_eq!(store.get(*id, Some(65_990..66_010)).await, Err(StoreError::Rotten));
    assert_eq!(store.get(*id, None).await, Err(StoreError::NotHeld));
    assert_eq!(store.rotten(10), [*id]);
    store.rotten_told(&[*id]);
    assert!(store.rotten(10).is_empty());
    let store = reopen(store, dir.path()).await;
    assert_eq!((store.totals().shards, store.len_of(id)), (2, None));
    assert_eq!(store.put(*id, data.clone(), 0).await, Ok(Stored::New), "a mended shard is taken again");
    assert_eq!(store.get(*id, None).await.as_ref(), Ok(data));
}

#[tokio::test]
async fn a_flipped_byte_of_a_checksum_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (shards, offsets) = three(&store, 70_000).await;
    flip(dir.path(), 1, offsets[1] + 64 + 70_000 + 3);
    let (id, data) = &shards[1];
    assert_eq!(store.get(*id, Some(5..50)).await, Ok(data.slice(5..50)));
    assert_eq!(store.get(*id, None).await.as_ref(), Ok(data));
    assert!(store.rotten(10).is_empty());
}

#[tokio::test]
async fn a_damaged_header_costs_its_own_shard_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (shards, offsets) = three(&store, 70_000).await;
    flip(dir.path(), 1, offsets[1] + 30);
    assert_eq!(store.get(shards[1].0, None).await.as_ref(), Ok(&shards[1].1), "the index still knows it");
    let store = reopen(store, dir.path()).await;
    assert_eq!(store.len_of(&shards[1].0), None);
    for other in [0, 2] {
        assert_eq!(store.get(shards[other].0, None).await.as_ref(), Ok(&shards[other].1));
    }
}

#[tokio::test]
async fn compaction_saves_a_shard_whose_header_was_damaged_meanwhile_and_drops_a_rotten_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (shards, offsets) = three(&store, 50_000).await;
    for seed in 10..14 {
        let (id, data) = shard(seed, 60_000);
        store.put(id, data, 0).await.unwrap();
        store.delete(&[id]).await.unwrap();
    }
    store.delete(&[shards[0].0]).await.unwrap();
    flip(dir.path(), 1, offsets[1] + 30);
    flip(dir.path(), 1, offsets[2] + 64 + 99);
    assert!(store.shared.index().volume(2).is_some(), "the first volume is sealed");
    compact(&store).await;
    assert!(store.shared.index().volume(1).is_none());
    let store = reopen(store, dir.path()).await;
    assert_eq!(store.get(shards[1].0, None).await.as_ref(), Ok(&shards[1].1));
    assert_eq!(store.totals().shards, 1);
}

#[tokio::test]
async fn headers_inside_a_shard_are_not_taken_for_records() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (victim, data) = shard(1, 500);
    store.put(victim, data, 0).await.unwrap();
    // A shard made of the volume's own bytes: a real header, but in another place.
    let file = volume::open(&options(dir.path()).dir, 1).unwrap();
    let copy = volume::read_at(&file, 576, 0).unwrap();
    let carrier = ShardId::of(&copy);
    store.put(carrier, copy, 0).await.unwrap();
    let begins = store.shared.index().get(&carrier).unwrap().place.offset();
    store.delete(&[victim]).await.unwrap();
    let store = {
        flip(dir.path(), 1, begins);
        reopen(store, dir.path()).await
    };
    assert_eq!((store.len_of(&victim), store.len_of(&carrier)), (None, None));
}

#[tokio::test]
async fn a_put_of_what_is_held_stores_it_anew_if_that_has_rotted() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (shards, offsets) = three(&store, 300_000).await;
    let (id, data) = &shards[1];
    assert_eq!(store.put(*id, data.clone(), 0).await, Ok(Stored::Already));
    flip(dir.path(), store.shared.index().get(id).unwrap().place.volume, offsets[1] + 64 + 299_999);
    assert_eq!(store.put(*id, data.clone(), 0).await, Ok(Stored::New));
    assert_eq!(store.get(*id, None).await.as_ref(), Ok(data));
    assert!(store.rotten(10).is_empty(), "one that was stored anew is well");
    let store = reopen(store, dir.path()).await;
    assert_eq!(store.get(*id, None).await.as_ref(), Ok(data));
    assert_eq!(store.totals().shards, 3);
}
