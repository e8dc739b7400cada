//! Set aside and taken back out: what counts, what is read, what lasts.

use nodio_wire::api::{HeldShard, Trash, set_digest};

use super::*;

const ALL: (ShardId, ShardId) = (ShardId([0; 32]), ShardId([u8::MAX; 32]));

async fn put(store: &Store, seed: u64, len: usize) -> ShardId {
    let (id, data) = shard(seed, len);
    store.put(id, data, store.now_ms()).await.unwrap();
    id
}

fn aside(store: &Store) -> Vec<ShardId> {
    let all = store.range(ALL.0, ALL.1, None, usize::MAX).into_iter();
    all.filter(|held: &HeldShard| held.trashed).map(|held| held.id).collect()
}

#[tokio::test]
async fn what_is_set_aside_is_read_but_not_counted_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let (a, b) = (put(&store, 1, 1000).await, put(&store, 2, 70_000).await);
    assert_eq!(store.trash(&[b, b, shard(9, 9).0], 5_000).await, Ok(1), "once, and only what is held");
    for round in 0..3 {
        let totals = store.totals();
        assert_eq!((totals.shards, totals.held_bytes, totals.digest), (1, 1000, set_digest([a])), "round {round}");
        assert_eq!(totals.trash, Trash { shards: 1, bytes: 70_000 });
        assert_eq!(store.page(None, 9).into_iter().map(|(id, _)| id).collect::<Vec<_>>(), [a]);
        assert_eq!((aside(&store), store.len_of(&b)), (vec![b], Some(70_000)));
        assert_eq!(store.get(b, Some(5..69_000)).await, Ok(shard(2, 70_000).1.slice(5..69_000)));
        store = reopen(store, dir.path()).await;
    }
    assert_eq!(store.restore(&[a, b]).await, Ok(1));
    for _ in 0..2 {
        assert_eq!((store.totals().shards, store.totals().trash, aside(&store)), (2, Trash::default(), vec![]));
        assert_eq!(store.totals().digest, set_digest([a, b]));
        assert!(store.age_s(&b).unwrap() < 60, "its age counts from when it came back");
        store = reopen(store, dir.path()).await;
    }
}

#[tokio::test]
async fn a_put_takes_out_of_the_trash_and_a_delete_deletes_there_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (a, b) = (put(&store, 1, 1000).await, put(&store, 2, 1000).await);
    assert_eq!(store.trash(&[a, b], 5_000).await, Ok(2));
    assert_eq!(store.put(a, shard(1, 1000).1, store.now_ms()).await, Ok(Stored::Already));
    assert_eq!(store.delete(&[b]).await, Ok(1));
    let store = reopen(store, dir.path()).await;
    assert_eq!((store.totals().shards, store.totals().trash), (1, Trash::default()));
    assert_eq!((store.len_of(&a), store.len_of(&b)), (Some(1000), None));
}

#[tokio::test]
async fn the_trash_is_emptied_oldest_first_and_only_of_what_is_still_there() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut ids = Vec::new();
    for seed in 0..6 {
        ids.push(put(&store, seed, 100).await);
        store.trash(&ids[seed as usize..], 10_000 - 1_000 * seed).await.unwrap();
    }
    assert_eq!(store.empty_trash(5_000, 9).await, Ok(0), "none was set aside before that");
    assert_eq!(store.empty_trash(8_000, 2).await, Ok(2));
    assert_eq!((store.len_of(&ids[5]), store.len_of(&ids[4]), store.len_of(&ids[3])), (None, None, Some(100)));
    store.restore(&ids[3..4]).await.unwrap();
    assert_eq!(store.discard(&ids[3..4], u32::MAX).await, Ok(0), "one taken back out meanwhile stays");
    assert_eq!(store.discard(&ids[0..1], 10).await, Ok(0), "so does one set aside again later");
    let store = reopen(store, dir.path()).await;
    assert_eq!(store.empty_trash(u64::MAX, 9).await, Ok(3));
    assert_eq!((store.totals().shards, store.totals().trash), (1, Trash::default()));
}

/// The mark lies in another volume than its shard; each of the two volumes goes away in turn.
#[tokio::test]
async fn compaction_takes_marks_along() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let (gone, back) = (put(&store, 1, 50_000).await, put(&store, 2, 50_000).await);
    let mut fillers: Vec<u64> = Vec::new();
    for round in 0..4u64 {
        match round {
            1 => drop(store.trash(&[gone, back], 5_000).await.unwrap()),
            2 => drop(store.restore(&[back]).await.unwrap()),
            _ => {}
        }
        let new: Vec<u64> = (10 + round * 10..16 + round * 10).collect();
        for seed in &new {
            put(&store, *seed, 60_000).await;
        }
        let old: Vec<_> = std::mem::replace(&mut fillers, new).into_iter().map(|seed| shard(seed, 60_000).0).collect();
        store.delete(&old).await.unwrap();
        let volumes = volume::list(&options(dir.path()).dir).unwrap();
        compact(&store).await;
        assert!(round == 0 || volume::list(&options(dir.path()).dir).unwrap() != volumes, "something was compacted");
        store = reopen(store, dir.path()).await;
        let want = match round {
            0 => vec![],
            1 => Vec::from_iter(std::collections::BTreeSet::from([gone, back])),
            _ => vec![gone],
        };
        assert_eq!(aside(&store), want, "round {round}");
    }
    assert_eq!(store.empty_trash(6_000, 9).await, Ok(1), "the time went along");
}

#[tokio::test]
async fn what_rotted_in_the_trash_does_not_come_back_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (a, b) = (put(&store, 1, 1000).await, put(&store, 2, 1000).await);
    store.trash(&[a, b], 5_000).await.unwrap();
    for id in [a, b] {
        rot::flip(dir.path(), 1, store.shared.index().get(&id).unwrap().place.offset() + 64 + 500);
    }
    assert_eq!(store.restore(&[a]).await, Ok(0));
    assert_eq!(store.put(b, shard(2, 1000).1, store.now_ms()).await, Ok(Stored::New));
    assert_eq!(store.get(b, None).await, Ok(shard(2, 1000).1));
    assert_eq!(
        (store.len_of(&a), store.totals().trash, store.rotten(9)),
        (None, Trash::default(), vec![a]),
        "the other is well again"
    );
}

#[tokio::test]
async fn when_room_runs_short_the_oldest_trash_gives_way() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut ids = Vec::new();
    while let Ok(Stored::New) = store.put(shard(ids.len() as u64, 50_000).0, shard(ids.len() as u64, 50_000).1, 0).await {
        ids.push(shard(ids.len() as u64, 50_000).0);
    }
    let (kept, trashed) = ids.split_at(20);
    for (i, id) in trashed.iter().enumerate() {
        store.trash(&[*id], 1_000 * (i as u64 + 1)).await.unwrap();
    }
    compact(&store).await;
    let totals = store.totals();
    assert!(totals.free_bytes >= 256 << 10, "{totals:?}");
    assert!(totals.trash.shards as usize >= trashed.len() - 16, "no more than was needed: {totals:?}");
    assert_eq!(totals.shards as usize, kept.len());
    let left = aside(&store).len();
    assert!(trashed[trashed.len() - left..].iter().all(|id| store.is_trashed(id)), "the youngest are left");
    let (id, data) = shard(1000, 50_000);
    assert_eq!(store.put(id, data, 0).await, Ok(Stored::New));
}

#[tokio::test]
async fn a_store_is_of_format_1_until_something_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let guard = volume::path(&options(dir.path()).dir, 0);
    let a = put(&store, 1, 100).await;
    store.restore(&[a]).await.unwrap();
    let store = reopen(store, dir.path()).await;
    assert!(!guard.exists());
    store.trash(&[a], 5_000).await.unwrap();
    assert!(volume::open(&options(dir.path()).dir, 0).is_err() && guard.is_dir(), "a node of format 1 stops here");
    let store = reopen(store, dir.path()).await;
    assert!(store.is_trashed(&a));
    store.close().await;
    std::fs::write(guard.join("format"), "3").unwrap();
    let refused = Store::open(options(dir.path())).err().unwrap();
    assert!(refused.to_string().contains("format 3"), "{refused}");
}
