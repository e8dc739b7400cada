use std::collections::BTreeSet;

use super::world::key;
use super::*;
use crate::rows::{ObjectBody, ObjectRow, Versioning};

async fn walked(world: &World, which: Which, limit: PageLimit) -> Vec<(String, bool, usize)> {
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = world.tables.holdings(&world.bucket, &which, after.as_ref(), limit).await.unwrap();
        assert!(page.holdings.len() <= limit.versions);
        seen.extend(page.holdings.iter().map(|held| (held.key.as_str().to_owned(), held.newest, held.parts.len())));
        after = page.next;
        if after.is_none() {
            return seen;
        }
    }
}

#[tokio::test]
async fn every_version_is_met_once_whatever_the_page() {
    let world = World::new().await.versioned(Versioning::Enabled).await;
    for at in ["a", "a", "a/b", "a", "b", "a\0", "c/d"] {
        world.put(at).await;
    }
    world.delete("b").await;
    let upload = world.begin("a/parts").await;
    let parts = [world.add("a/parts", upload, 1).await, world.add("a/parts", upload, 2).await];
    world.complete("a/parts", upload, &parts).await.unwrap();
    let whole = |at: &str| (at.to_owned(), true, 1);
    let all = vec![
        whole("a"),
        ("a".into(), false, 1),
        ("a".into(), false, 1),
        whole("a\0"),
        whole("a/b"),
        ("a/parts".into(), true, 2),
        ("b".into(), true, 0),
        ("b".into(), false, 1),
        whole("c/d"),
    ];
    for versions in 1..all.len() + 2 {
        for parts in [1, 3, 100] {
            let limit = PageLimit { versions, parts };
            assert_eq!(walked(&world, Which::Prefix(String::new()), limit).await, all, "{limit:?}");
            assert_eq!(walked(&world, Which::Prefix("a/".into()), limit).await, all[4..6], "{limit:?}");
            assert_eq!(walked(&world, Which::Key(key("a")), limit).await, all[..3], "{limit:?}");
            assert_eq!(walked(&world, Which::Key(key("none")), limit).await, []);
        }
    }
}

#[tokio::test]
async fn a_copied_part_is_shared_until_one_of_its_names_goes() {
    let world = World::new().await;
    let (first, other) = (world.put("a").await, world.put("other").await);
    world.copy("a", "b").await.unwrap();
    let part = |row: &ObjectRow| match &row.live().unwrap().body {
        ObjectBody::Single(part) => part.id,
        _ => panic!("one part"),
    };
    let both = [part(&first), part(&other)];
    assert_eq!(world.tables.shared(&both).await.unwrap(), [both[0]]);
    world.delete("a").await;
    assert!(world.tables.shared(&both).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_waits_to_be_released_is_counted_up_to_a_limit() {
    let world = World::new().await;
    assert_eq!(world.tables.waiting(10).await.unwrap(), Waiting::default());
    for at in 0..3 {
        let at = format!("k{at}");
        world.put(&at).await;
        let deleted = world.tables.delete_object(&world.bucket, &key(&at), None, &Deletion::default(), 5_000).await.unwrap();
        assert!(deleted.existed);
    }
    assert_eq!(world.tables.waiting(10).await.unwrap(), Waiting { parts: 3, more: false, oldest: Some(5_000) });
    world.release().await;
    assert_eq!(world.tables.waiting(10).await.unwrap(), Waiting::default());
}

#[tokio::test]
async fn buckets_of_all_owners_are_listed_by_name() {
    let world = World::new().await;
    for name in ["zebra", "apple"] {
        world.tables.create_bucket(world::new_bucket(name, &crate::names::UserId::random()), 1).await.unwrap();
    }
    let mut names = BTreeSet::new();
    let mut after = None;
    while let Some(bucket) = world.tables.all_buckets(after.as_ref(), 1).await.unwrap().pop() {
        assert!(names.insert(bucket.name.as_str().to_owned()));
        after = Some(bucket.name);
    }
    assert_eq!(names, BTreeSet::from(["apple", "bucket", "zebra"].map(str::to_owned)));
}
