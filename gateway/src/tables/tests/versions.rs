use super::world::{key, none};
use super::*;
use crate::names::VersionId;
use crate::rows::{ListedObject, Versioning};
use crate::tables::walk::PASSED_ROWS_MAX;

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
    let delete = async |version| {
        world.tables.delete_object(&world.bucket, &key("a"), Some(version), &Deletion::default(), 9).await.unwrap()
    };
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
    assert_eq!(page.objects, [(key("b"), ListedObject::of(&newest).unwrap())]);
    assert_eq!((page.common_prefixes, page.next), (vec!["dir/".to_owned()], None));
    assert!(matches!(world.tables.delete_bucket(&world.bucket.name).await, Err(TableError::BucketNotEmpty)));
}

/// Puts delete markers on keys that never were.
async fn mark(world: &World, keys: impl Iterator<Item = String>) {
    world.delete("marked").await;
    let marker = world.rows(&keyspace::versions(world.bucket.id, &key("marked"))).await.remove(0);
    let row = |at: String| keyspace::object(world.bucket.id, &key(&at), 1);
    let commit = keys.fold(nodio_meta::Commit::new(), |commit, at| commit.put(row(at), marker.value.clone()));
    world.store.commit(commit.delete(marker.key)).await.unwrap();
}

#[tokio::test]
async fn a_page_ends_where_it_passed_over_too_many_delete_markers() {
    let world = World::new().await.versioned(Versioning::Enabled).await;
    mark(&world, (0..PASSED_ROWS_MAX * 2).map(|number| format!("a/{number:06}"))).await;
    let found = world.put("z").await;
    for delimiter in [None, Some("/".to_owned())] {
        let mut query = ListQuery { delimiter, limit: 2, ..ListQuery::default() };
        let mut page = world.tables.list_objects(&world.bucket, &query).await.unwrap();
        let end = Marker::Key(format!("a/{:06}", PASSED_ROWS_MAX - 1));
        assert_eq!((page.objects.len(), page.common_prefixes.len(), &page.next), (0, 0, &Some(end)));
        let mut pages = 1;
        while page.next.is_some() {
            assert!(page.objects.is_empty() && page.common_prefixes.is_empty());
            query.after = page.next;
            page = world.tables.list_objects(&world.bucket, &query).await.unwrap();
            pages += 1;
        }
        assert_eq!((page.objects, pages), (vec![(key("z"), ListedObject::of(&found).unwrap())], 3));
    }
}

#[tokio::test]
async fn no_page_ends_with_a_key_that_would_be_taken_for_a_common_prefix() {
    let world = World::new().await.versioned(Versioning::Enabled).await;
    mark(&world, (0..PASSED_ROWS_MAX * 2).map(|number| format!("{number:06}/"))).await;
    world.put("000000/a").await;
    world.put("z").await;
    let query = ListQuery { delimiter: Some("/".to_owned()), limit: 9, ..ListQuery::default() };
    let page = world.tables.list_objects(&world.bucket, &query).await.unwrap();
    assert_eq!((page.common_prefixes, page.objects.len(), page.next), (vec!["000000/".to_owned()], 1, None));
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
        let (at, plain) = (key("a"), Deletion::default());
        let delete = || world.tables.delete_object(&world.bucket, &at, Some(old), &plain, world.now());
        let (one, two, three) = futures::join!(delete(), delete(), delete());
        let existed = [one, two, three].into_iter().filter(|deleted| deleted.as_ref().unwrap().existed).count();
        assert_eq!(existed, 1);
        world.audit().await;
    }
}
