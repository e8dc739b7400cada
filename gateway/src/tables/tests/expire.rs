//! Deletes of the very write that was seen, and a walk of lifecycle rules in pages of every size.

use super::world::key;
use super::*;
use crate::lifecycle::{Clock, Walk};
use crate::rows::{Expiration, FilterForm, Lifecycle, LifecycleRule, NoncurrentExpiration, ObjectRow, RuleFilter, Versioning};

/// Long after everything, in days of a second.
const LATE: u64 = 1_000_000_000;

fn only(seen: &ObjectRow) -> Deletion {
    Deletion { if_write: Some(seen.uid), ..Deletion::default() }
}

#[tokio::test]
async fn only_the_write_that_was_seen_is_deleted() {
    let world = World::shuffled().await;
    let seen = world.put("a").await;
    let delete = async |seen: &ObjectRow| world.tables.delete_object(&world.bucket, &key("a"), None, &only(seen), 9).await;
    let newer = world.put("a").await;
    assert!(matches!(delete(&seen).await, Err(TableError::PreconditionFailed)), "a write that nobody judged went");
    assert_eq!(world.get("a").await.unwrap(), newer);
    assert!(delete(&newer).await.unwrap().existed);
    assert!(!delete(&newer).await.unwrap().existed);
    assert!(world.rows(b"o/").await.is_empty());
    world.audit().await;
}

#[tokio::test]
async fn a_version_that_was_seen_goes_and_an_object_gets_a_marker() {
    let world = World::new().await.versioned(Versioning::Enabled).await;
    let (first, second) = (world.put("a").await, world.put("a").await);
    let delete =
        async |version, seen: &ObjectRow| world.tables.delete_object(&world.bucket, &key("a"), version, &only(seen), 9).await;
    assert!(delete(Some(first.version), &second).await.is_err() && delete(None, &first).await.is_err());
    assert!(delete(None, &second).await.unwrap().delete_marker);
    assert!(delete(Some(first.version), &first).await.unwrap().existed);
    assert_eq!(world.rows(b"o/").await.len(), 2, "the second version and the marker");
    world.audit().await;
}

fn rule(expiration: Option<Expiration>, kept: Option<u32>) -> Lifecycle {
    let filter =
        RuleFilter { form: FilterForm::OldPrefix, prefix: Some("a".into()), tags: vec![], larger_than: None, smaller_than: None };
    let noncurrent = Some(NoncurrentExpiration { days: 1, kept });
    let rule = LifecycleRule { id: "r".into(), enabled: true, filter, expiration, noncurrent, abort_after_days: Some(1) };
    Lifecycle { rules: vec![rule] }
}

async fn walk(world: &World, rows: usize) {
    let mut walk = Walk::of_pages(rows);
    let mut steps = 0;
    while walk.advance(&world.tables, Clock::with_days_of(1), LATE).await.unwrap() {
        steps += 1;
        assert!(steps < 1000, "the walk has no end");
    }
}

#[tokio::test]
async fn a_walk_judges_alike_in_pages_of_every_size() {
    for rows in [1, 2, 3, 100] {
        let world = World::new().await.versioned(Versioning::Enabled).await;
        for at in ["a", "a", "a", "a", "ab", "b", "b"] {
            world.put(at).await;
        }
        for at in ["a", "ab", "ac", "b"] {
            world.begin(at).await;
        }
        let rules = rule(None, Some(1));
        world.tables.set_setting(&world.bucket.name, Some(&rules)).await.unwrap();
        walk(&world, rows).await;
        assert_eq!(world.rows(b"o/").await.len(), 5, "of a two, one of ab, two of b: pages of {rows}");
        assert_eq!(world.rows(b"u/").await.len(), 1, "pages of {rows}");

        world.delete("a").await;
        let rules = rule(Some(Expiration::LoneMarker(true)), None);
        world.tables.set_setting(&world.bucket.name, Some(&rules)).await.unwrap();
        walk(&world, rows).await;
        assert_eq!(world.rows(b"o/").await.len(), 4, "a marker over what went just now stays: pages of {rows}");
        walk(&world, rows).await;
        assert_eq!(world.rows(b"o/").await.len(), 3, "and goes with the next walk: pages of {rows}");
        world.audit().await;
    }
}
