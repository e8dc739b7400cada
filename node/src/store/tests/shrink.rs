//! A store that was given less than it holds.

use super::*;

fn shrunk(dir: &Path, capacity_bytes: u64) -> Store {
    Store::open(StoreOptions { capacity_bytes, ..options(dir) }).unwrap()
}

/// 60 shards of 50 kB in about 3 MB.
async fn filled(dir: &Path) -> Vec<ShardId> {
    let store = open(dir);
    let mut ids = Vec::new();
    for seed in 0..60 {
        let (id, data) = shard(seed, 50_000);
        store.put(id, data, 0).await.unwrap();
        ids.push(id);
    }
    store.close().await;
    ids
}

#[tokio::test]
async fn it_serves_refuses_puts_and_comes_down_to_the_capacity_as_shards_go() {
    let dir = tempfile::tempdir().unwrap();
    let mut ids = filled(dir.path()).await;
    let capacity = 1 << 20;
    let store = shrunk(dir.path(), capacity);
    assert!(store.totals().used_bytes > capacity && store.totals().free_bytes == 0 && !store.may_fit(0));
    let (id, data) = shard(100, 100);
    assert_eq!(store.put(id, data, 0).await, Err(StoreError::Full));
    // Every third goes, so that no volume is dead as a whole.
    let mut round = 0;
    while store.totals().held_bytes > 600_000 {
        let gone: Vec<_> = ids.iter().copied().skip(round % 3).step_by(3).collect();
        ids.retain(|id| !gone.contains(id));
        assert_eq!(store.delete(&gone).await, Ok(gone.len() as u64));
        compact(&store).await;
        for id in &ids {
            assert!(store.get(*id, None).await.is_ok());
        }
        round += 1;
    }
    assert!(round > 1);
    let totals = store.totals();
    assert!(totals.used_bytes <= capacity, "{totals:?}");
    store.close().await;
    let store = shrunk(dir.path(), capacity);
    assert_eq!(store.totals().shards as usize, ids.len());
}

#[tokio::test]
async fn what_is_set_aside_can_be_emptied_and_puts_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let ids = filled(dir.path()).await;
    let store = shrunk(dir.path(), 1 << 20);
    assert_eq!(store.trash(&ids[5..], 1_000).await, Ok(55));
    assert_eq!(store.restore(&ids[5..6]).await, Ok(1), "marks need no room but the disk's");
    compact(&store).await;
    let totals = store.totals();
    assert!(totals.used_bytes <= 1 << 20 && totals.free_bytes > 100_000, "the trash gave way: {totals:?}");
    assert_eq!(totals.shards, 6);
    let (id, data) = shard(100, 50_000);
    assert_eq!(store.put(id, data, 0).await, Ok(Stored::New));
}

#[tokio::test]
async fn a_capacity_of_nothing_still_lets_everything_go() {
    let dir = tempfile::tempdir().unwrap();
    let ids = filled(dir.path()).await;
    let store = shrunk(dir.path(), 0);
    assert_eq!(store.delete(&ids).await, Ok(60));
    compact(&store).await;
    assert!(store.totals().used_bytes <= 256 << 10);
    assert_eq!((store.totals().shards, store.totals().free_bytes), (0, 0));
}
