use futures::{FutureExt, future::join_all};

use super::world::{key, none};
use super::*;
use crate::rows::ETag;

fn only_if(etag: ETag) -> Precondition {
    Precondition { if_match: Some(ETagMatch::OneOf(vec![etag])), if_none_match: None }
}

#[tokio::test]
async fn of_twenty_puts_that_want_no_object_there_exactly_one_wins() {
    for _ in 0..20 {
        let world = World::shuffled().await;
        let put = join_all((0..20).map(|_| world.try_put("a", Precondition::absent()).boxed())).await;
        let won: Vec<_> = put.iter().flatten().collect();
        assert_eq!(won.len(), 1);
        assert_eq!(world.get("a").await.unwrap(), *won[0]);
        assert!(put.iter().all(|put| matches!(put, Ok(_) | Err(TableError::PreconditionFailed))));
        world.audit().await;
    }
}

#[tokio::test]
async fn of_twenty_puts_that_want_the_same_object_there_exactly_one_wins() {
    let world = World::shuffled().await;
    for _ in 0..20 {
        let there = world.put("a").await.live().unwrap().etag;
        let put = join_all((0..20).map(|_| world.try_put("a", only_if(there)).boxed())).await;
        assert_eq!(put.iter().filter(|put| put.is_ok()).count(), 1);
        assert!(put.iter().all(|put| matches!(put, Ok(_) | Err(TableError::PreconditionFailed))));
    }
    world.audit().await;
}

#[tokio::test]
async fn completing_keeps_to_conditions_as_a_put_does() {
    for _ in 0..50 {
        let world = World::shuffled().await;
        let upload = world.begin("a").await;
        let part = world.add("a", upload, 1).await;
        let (at, list, absent) = (key("a"), world::completion(&[part]), Precondition::absent());
        let complete = world.tables.complete_upload(&world.bucket, &at, upload, &list, &absent, world.now());
        let (put, completed) = futures::join!(world.try_put("a", absent.clone()), complete);
        assert_ne!(put.is_ok(), completed.is_ok(), "exactly one wins");
        world.audit().await;
    }
}

#[tokio::test]
async fn a_delete_with_a_condition_deletes_only_what_it_means() {
    let world = World::new().await;
    let (first, second) = (world.put("a").await.live().unwrap().etag, world.put("a").await.live().unwrap().etag);
    let (bucket, at) = (&world.bucket, key("a"));
    let only_if = |etag| Deletion { if_match: Some(ETagMatch::OneOf(vec![etag])), ..Deletion::default() };
    let stale = world.tables.delete_object(bucket, &at, None, &only_if(first), 9).await;
    assert!(matches!(stale, Err(TableError::PreconditionFailed)));
    assert!(world.tables.delete_object(bucket, &at, None, &only_if(second), 9).await.unwrap().existed);
    assert!(!world.tables.delete_object(bucket, &at, None, &only_if(second), 9).await.unwrap().existed, "it is gone already");
}

#[tokio::test]
async fn of_two_hundred_puts_without_conditions_all_succeed_and_the_last_stays() {
    let world = World::shuffled().await;
    let put = join_all((0..200).map(|_| world.try_put("a", none()).boxed())).await;
    assert!(put.iter().all(Result::is_ok));
    assert_eq!(world.rows(b"o/").await.len(), 1);
    world.audit().await;
}
