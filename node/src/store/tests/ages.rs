//! Ages do not follow the wall clock.

use super::*;

const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1000;
const WALL_MS: u64 = 1_700_000_000_000;

async fn reopen_at(store: Store, dir: &Path, wall_ms: u64) -> Store {
    store.close().await;
    Store::open_at(options(dir), wall_ms).unwrap()
}

#[tokio::test]
async fn a_wall_clock_set_between_runs_ages_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open_at(options(dir.path()), WALL_MS).unwrap();
    assert!((WALL_MS..WALL_MS + 60_000).contains(&store.now_ms()));
    let mut ids = Vec::new();
    for (seed, wall_ms) in [WALL_MS + 10 * YEAR_MS, 0, WALL_MS, u64::from(u32::MAX) * 1000].into_iter().enumerate() {
        let (id, data) = shard(seed as u64, 100);
        store.put(id, data, store.now_ms()).await.unwrap();
        ids.push(id);
        store = reopen_at(store, dir.path(), wall_ms).await;
        assert!(ids.iter().all(|id| store.age_s(id).unwrap() < 60), "{wall_ms}");
        std::fs::remove_file(options(dir.path()).dir.join("notes.json")).unwrap();
        store = {
            drop(store);
            Store::open_at(options(dir.path()), wall_ms).unwrap()
        };
        assert!(ids.iter().all(|id| store.age_s(id).unwrap() < 60), "{wall_ms}, without notes");
    }
}

#[tokio::test]
async fn ages_grow_with_the_clock_of_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_at(options(dir.path()), WALL_MS).unwrap();
    let (old, data) = shard(1, 100);
    store.put(old, data, WALL_MS - 5_000).await.unwrap();
    let (later, data) = shard(2, 100);
    store.put(later, data, WALL_MS + 3_600_000).await.unwrap();
    assert!((4..60).contains(&store.age_s(&old).unwrap()));
    assert_eq!(store.age_s(&later), Some(0), "from a clock that is ahead: too young is harmless");
    assert_eq!(store.age_s(&shard(3, 100).0), None);
    let store = reopen_at(store, dir.path(), WALL_MS).await;
    assert!((3604..3700).contains(&store.age_s(&old).unwrap()), "the latest record moves the clock on");
    let ages: Vec<_> =
        store.range(ShardId([0; 32]), ShardId([255; 32]), None, 9).iter().map(|held| (held.id, held.age_s)).collect();
    assert!(ages.iter().all(|(id, age_s)| store.age_s(id).unwrap().abs_diff(*age_s) <= 1));
}

#[tokio::test]
async fn the_clock_of_an_idle_store_goes_on_from_its_notes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_at(options(dir.path()), WALL_MS).unwrap();
    let (id, data) = shard(1, 100);
    store.put(id, data, WALL_MS).await.unwrap();
    store.close().await;
    drop(store);
    let noted = notes::Notes { clock_ms: WALL_MS + 7_200_000, ..notes::load(&options(dir.path()).dir) };
    notes::save(&options(dir.path()).dir, &noted).unwrap();
    let store = Store::open_at(options(dir.path()), 0).unwrap();
    assert!((7_199..7_260).contains(&store.age_s(&id).unwrap()));
}
