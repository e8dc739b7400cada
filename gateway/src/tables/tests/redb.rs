//! The same over redb: what the memory model promises, a file on disk keeps.

use futures::{FutureExt, future::join_all};
use nodio_meta::RedbStore;
use nodio_meta::redb::Options;

use super::*;

async fn open(dir: &tempfile::TempDir) -> RedbStore {
    let options = Options { fsync: false, cache_bytes: 1 << 20 };
    RedbStore::open(&dir.path().join("meta.redb"), options).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_are_decided_by_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::over(Arc::new(Shuffled(open(&dir).await))).await;
    let put = join_all((0..20).map(|_| world.try_put("a", Precondition::absent()).boxed())).await;
    assert_eq!(put.iter().filter(|put| put.is_ok()).count(), 1);
    let upload = world.begin("b").await;
    let parts = [world.add("b", upload, 1).await, world.add("b", upload, 2).await];
    let (completed, aborted) = futures::join!(world.complete("b", upload, &parts), world.abort("b", upload));
    assert_ne!(completed.is_ok(), aborted.is_ok());
    let copies = join_all((0..10).map(|i| {
        let world = &world;
        async move { world.copy("a", &format!("copy{i}")).await.unwrap() }.boxed()
    }));
    copies.await;
    world.audit().await;
    join_all((0..10).map(|i| {
        let world = &world;
        async move { world.delete(&format!("copy{i}")).await }.boxed()
    }))
    .await;
    world.audit().await;
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (bucket, row, secret) = {
        let world = World::over(Arc::new(open(&dir).await)).await;
        world.tables.check_master().await.unwrap();
        let new = NewKey { user: "ann".to_owned(), ..NewKey::default() };
        (world.bucket.clone(), world.put("a").await, world.tables.create_key(&new, 1).await.unwrap())
    };
    let tables = Tables::new(Arc::new(open(&dir).await), world::master(1));
    tables.check_master().await.unwrap();
    let bucket = tables.bucket(&bucket.name).await.unwrap();
    assert_eq!(tables.object(&bucket, &world::key("a"), None).await.unwrap(), row);
    let found = tables.find_key(&secret.info.access_key, 2).await.unwrap().unwrap();
    assert_eq!(found.secret, secret.secret);
}
