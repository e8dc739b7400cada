use futures::future::join_all;

use super::world::{key, new_bucket, none};
use super::*;
use crate::names::{BucketName, UserId};
use crate::tables::buckets::BucketPage;

#[tokio::test]
async fn a_bucket_is_made_once_and_says_whose_it_is() {
    let world = World::new().await;
    let again = world.tables.create_bucket(new_bucket("bucket", &world.owner), 2).await;
    assert!(matches!(again, Err(TableError::BucketExists { owned_by_you: true })));
    let stranger = world.tables.create_bucket(new_bucket("bucket", &UserId::random()), 2).await;
    assert!(matches!(stranger, Err(TableError::BucketExists { owned_by_you: false })));
    assert_eq!(*world.tables.bucket(&world.bucket.name).await.unwrap(), world.bucket);
    let missing = world.tables.bucket(&BucketName::parse("missing").unwrap()).await;
    assert!(matches!(missing, Err(TableError::NoSuchBucket)));
}

#[tokio::test]
async fn of_many_that_make_one_bucket_one_succeeds() {
    let world = World::shuffled().await;
    let made = join_all((0..20).map(|_| world.tables.create_bucket(new_bucket("same", &world.owner), 2))).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
}

#[tokio::test]
async fn only_an_empty_bucket_is_deleted() {
    let world = World::new().await;
    world.put("a").await;
    assert!(matches!(world.tables.delete_bucket(&world.bucket.name).await, Err(TableError::BucketNotEmpty)));
    world.delete("a").await;
    let upload = world.begin("a").await;
    assert!(matches!(world.tables.delete_bucket(&world.bucket.name).await, Err(TableError::BucketNotEmpty)));
    world.abort("a", upload).await.unwrap();
    world.tables.delete_bucket(&world.bucket.name).await.unwrap();
    assert!(matches!(world.tables.delete_bucket(&world.bucket.name).await, Err(TableError::NoSuchBucket)));
}

#[tokio::test]
async fn nothing_is_written_into_a_deleted_bucket_even_if_there_is_a_new_one_of_its_name() {
    let world = World::new().await;
    world.tables.delete_bucket(&world.bucket.name).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(world.try_put("a", none()).await, Err(TableError::NoSuchBucket)));
        let upload = world.tables.create_upload(&world.bucket, &key("a"), &world.upload_row()).await;
        assert!(matches!(upload, Err(TableError::NoSuchBucket)));
        let _ = world.tables.create_bucket(new_bucket("bucket", &world.owner), 3).await;
    }
    assert!(world.rows(b"o/").await.is_empty() && world.rows(b"u/").await.is_empty());
    world.audit().await;
}

#[tokio::test]
async fn deleting_a_bucket_races_with_writing_into_it_and_never_both_succeed() {
    for _ in 0..200 {
        let world = World::shuffled().await;
        let write = async {
            let (at, row) = (key("u"), world.upload_row());
            let upload = world.tables.create_upload(&world.bucket, &at, &row);
            let (put, upload) = futures::join!(world.try_put("a", none()), upload);
            (put.is_ok(), upload.is_ok())
        };
        let ((put, upload), deleted) = futures::join!(write, world.tables.delete_bucket(&world.bucket.name));
        assert_eq!(world.tables.bucket(&world.bucket.name).await.is_err(), deleted.is_ok());
        assert_eq!(world.rows(b"o/").await.len(), usize::from(put));
        assert_eq!(world.rows(b"u/").await.len(), usize::from(upload));
        assert_eq!(deleted.is_ok(), !put && !upload, "either the bucket is gone or something is in it");
        world.audit().await;
    }
}

#[tokio::test]
async fn buckets_are_listed_by_owner_and_name_in_pages() {
    let world = World::new().await;
    let stranger = UserId::random();
    for name in ["zoo", "ant", "art", "ape"] {
        world.tables.create_bucket(new_bucket(name, &world.owner), 2).await.unwrap();
        world.tables.create_bucket(new_bucket(&format!("{name}-not-mine"), &stranger), 2).await.unwrap();
    }
    let names = |page: &BucketPage| page.buckets.iter().map(|row| row.name.to_string()).collect::<Vec<_>>();
    let all = world.tables.list_buckets(&world.owner, "", None, 1000).await.unwrap();
    assert_eq!(names(&all), ["ant", "ape", "art", "bucket", "zoo"]);
    assert_eq!(all.next, None);
    let first = world.tables.list_buckets(&world.owner, "a", None, 2).await.unwrap();
    assert_eq!(names(&first), ["ant", "ape"]);
    let second = world.tables.list_buckets(&world.owner, "a", first.next.as_ref(), 2).await.unwrap();
    assert_eq!((names(&second), second.next), (vec!["art".to_owned()], None));
}
