use super::world::{key, none};
use super::*;
use crate::names::VersionId;
use crate::rows::Versioning;

#[tokio::test]
async fn a_versioned_bucket_keeps_every_version_until_it_is_named() {
    let world = World::new().await.versioned(Versioning::Enabled).await;
    let (first, second) = (world.put("a").await, world.put("a").await);
    assert_ne!(first.version, second.version);
    let get = async |version| world.tables.object(&world.bucket, &key("a"), Some(version)).await;
    assert_eq!(get(first.version).await.unwrap(), first);
    assert_eq!(world.get("a").await.unwrap(), second);
    assert!(matches!(get(VersionId::Null).await, Err(TableError::NoSuchVersion)));
    let marked = world.delete("a").await;
    assert!(marked.existed && marked.delete_marker);
    assert!(world.get("a").await.unwrap().live().is_none());
    let delete = async |version| world.tables.delete_object(&world.bucket, &key("a"), Some(version), &none(), 9).await.unwrap();
    assert!(delete(marked.version.unwrap()).await.delete_marker);
    assert_eq!(world.get("a").await.unwrap(), second, "without its marker the object is back");
    assert!(delete(first.version).await.existed && !delete(first.version).await.existed);
    assert_eq!(world.pending().await.len(), 1);
    world.audit().await;
}

#[tokio::test]
async fn a_suspended_bucket_replaces_only_the_null_version() {
    let world = World::new().await;
    let null = world.put("a").await;
    let world = world.versioned(Versioning::Enabled).await;
    let kept = world.put("a").await;
    let get = async |version| world.tables.object(&world.bucket, &key("a"), Some(version)).await;
    assert_eq!(get(VersionId::Null).await.unwrap(), null);
    let world = world.versioned(Versioning::Suspended).await;
    let newest = world.put("a").await;
    assert_eq!((newest.version, world.rows(b"o/").await.len()), (VersionId::Null, 2));
    let get = async |version| world.tables.object(&world.bucket, &key("a"), Some(version)).await;
    assert_eq!(get(kept.version).await.unwrap(), kept);
    let marked = world.delete("a").await;
    assert_eq!((marked.delete_marker, marked.version), (true, Some(VersionId::Null)));
    assert_eq!(world.rows(b"o/").await.len(), 2);
    assert_eq!(world.pending().await.len(), 2);
    world.audit().await;
}

#[tokio::test]
async fn lists_show_each_keys_newest_version_and_no_deleted_key() {
    let world = World::new().await.versioned(Versioning::Enabled).await;
    for _ in 0..5 {
        world.put("dir/a").await;
        world.put("b").await;
        world.put("gone/x").await;
    }
    world.delete("gone/x").await;
    let newest = world.put("b").await;
    let query = ListQuery { delimiter: Some("/".to_owned()), limit: 10, ..ListQuery::default() };
    let page = world.tables.list_objects(&world.bucket, &query).await.unwrap();
    assert_eq!(page.objects, [(key("b"), newest)]);
    assert_eq!((page.common_prefixes, page.next), (vec!["dir/".to_owned()], None));
    assert!(matches!(world.tables.delete_bucket(&world.bucket.name).await, Err(TableError::BucketNotEmpty)));
}

#[tokio::test]
async fn the_last_version_put_is_the_newest_even_when_the_clock_stands_still_or_goes_back() {
    let world = World::new().await.versioned(Versioning::Enabled).await;
    let mut put = Vec::new();
    for now in [5_000, 5_000, 10, 5_000, 4_999] {
        let new = world.object(&key("a"));
        put.push(world.tables.put_object(&world.bucket, &key("a"), &new, &none(), now).await.unwrap().row);
        assert_eq!(world.get("a").await.unwrap(), put[put.len() - 1]);
    }
    for row in put {
        assert_eq!(world.tables.object(&world.bucket, &key("a"), Some(row.version)).await.unwrap(), row);
    }
    world.audit().await;
}

#[tokio::test]
async fn of_many_that_delete_one_old_version_one_finds_it() {
    for _ in 0..50 {
        let world = World::shuffled().await.versioned(Versioning::Enabled).await;
        let old = world.put("a").await.version;
        world.put("a").await;
        let (at, none) = (key("a"), none());
        let delete = || world.tables.delete_object(&world.bucket, &at, Some(old), &none, world.now());
        let (one, two, three) = futures::join!(delete(), delete(), delete());
        let existed = [one, two, three].into_iter().filter(|deleted| deleted.as_ref().unwrap().existed).count();
        assert_eq!(existed, 1);
        world.audit().await;
    }
}
