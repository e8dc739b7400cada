use std::collections::BTreeSet;

use futures::{FutureExt, future::join_all};
use nodio_wire::PartId;

use super::*;
use crate::rows::ObjectBody;

async fn only_part(world: &World, at: &str) -> PartId {
    let row = world.get(at).await.unwrap();
    world.tables.parts(&row).await.unwrap()[0].id
}

#[tokio::test]
async fn a_part_is_let_go_with_its_last_object() {
    let world = World::new().await;
    world.put("a").await;
    let part = only_part(&world, "a").await;
    world.copy("a", "b").await.unwrap();
    world.copy("b", "c").await.unwrap();
    for at in ["b", "a"] {
        world.delete(at).await;
        assert!(world.pending().await.is_empty(), "{at} was not the last");
    }
    world.delete("c").await;
    assert_eq!(world.pending().await, BTreeSet::from([part]));
    world.audit().await;
}

#[tokio::test]
async fn an_overwritten_object_lets_its_parts_go() {
    let world = World::new().await;
    world.put("a").await;
    let part = only_part(&world, "a").await;
    world.put("a").await;
    assert_eq!(world.pending().await, BTreeSet::from([part]));
    world.put("b").await;
    world.copy("b", "a").await.unwrap();
    assert_eq!(world.pending().await.len(), 2);
    world.audit().await;
}

#[tokio::test]
async fn parts_are_released_oldest_first_after_a_while_and_then_forgotten() {
    let world = World::new().await;
    world.put("a").await;
    let (part, at) = (only_part(&world, "a").await, world::key("a"));
    world.tables.delete_object(&world.bucket, &at, None, &Deletion::default(), 5_000).await.unwrap();
    assert!(world.tables.release_step(5_000, 10).await.unwrap().is_empty(), "readers get a while");
    let pending = world.tables.release_step(5_001, 10).await.unwrap();
    assert_eq!(pending, [Pending { since: 5_000, part }]);
    world.tables.released(&pending).await.unwrap();
    assert!(world.pending().await.is_empty());
    assert!(world.rows(b"p/").await.is_empty() && world.rows(b"r/").await.is_empty());
}

#[tokio::test]
async fn the_sweep_finds_parts_that_nobody_names() {
    let world = World::new().await;
    world.put("a").await;
    let upload = world.begin("b").await;
    let (named, uploaded, crashed) = (only_part(&world, "a").await, world.add("b", upload, 1).await.id, PartId::random());
    let found = world.tables.unreferenced(&[named, crashed, uploaded]).await.unwrap();
    assert_eq!(found, [crashed]);
    world.tables.abandon(&[named, crashed, uploaded], 7).await.unwrap();
    assert_eq!(world.pending().await, BTreeSet::from([crashed]));
}

#[tokio::test]
async fn of_two_that_delete_the_last_two_names_one_lets_the_part_go() {
    for _ in 0..200 {
        let world = World::shuffled().await;
        world.put("a").await;
        world.copy("a", "b").await.unwrap();
        futures::join!(world.delete("a"), world.delete("b"));
        assert_eq!(world.pending().await.len(), 1);
        world.audit().await;
    }
}

#[tokio::test]
async fn a_copy_races_with_its_sources_end_and_never_names_a_part_let_go() {
    for round in 0..200 {
        let world = World::shuffled().await;
        world.put("a").await;
        let end = async {
            match round % 2 {
                0 => _ = world.delete("a").await,
                _ => _ = world.put("a").await,
            }
        };
        let (copied, ()) = futures::join!(world.copy("a", "b"), end);
        assert!(matches!(copied, Ok(_) | Err(TableError::SourceChanged | TableError::NoSuchKey)), "{copied:?}");
        world.audit().await;
    }
}

#[tokio::test]
async fn many_copies_and_deletes_of_one_part_at_once_leave_the_books_right() {
    for _ in 0..20 {
        let world = World::shuffled().await;
        world.put("k0").await;
        let names: Vec<String> = (0..6).map(|i| format!("k{i}")).collect();
        let tasks = (0..24usize).map(|i| {
            let (world, from, to) = (&world, &names[i % 6], &names[(i * 5 + 1) % 6]);
            async move { if i % 3 == 2 { _ = world.delete(from).await } else { _ = world.copy(from, to).await } }.boxed()
        });
        join_all(tasks).await;
        world.audit().await;
        for name in &names {
            world.delete(name).await;
        }
        assert_eq!(world.pending().await.len(), 1);
        world.audit().await;
    }
}

#[tokio::test]
async fn a_part_that_is_named_while_it_is_abandoned_is_never_released() {
    for _ in 0..100 {
        let world = World::shuffled().await;
        let (at, none) = (world::key("a"), world::none());
        let new = world.object(&at);
        let ObjectBody::Single(part) = &new.live.body else { panic!("an object of one part") };
        let parts = [part.id];
        let put = world.tables.put_object(&world.bucket, &at, &new, &none, 5);
        let (put, abandoned) = futures::join!(put, world.tables.abandon(&parts, 5));
        assert!(put.is_ok() && abandoned.is_ok());
        assert!(world.pending().await.is_empty());
        assert!(world.rows(b"p/").await.is_empty());
        world.audit().await;
    }
}
