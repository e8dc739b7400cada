//! Counters and quotas. That counters are exact whatever happens, every audit of the world checks.

use futures::{FutureExt, future::join_all};
use nodio_meta::{Commit, KeyRange, Sums};
use proptest::prelude::*;

use super::world::{MIB, OBJECT_BYTES, key, new_bucket, none};
use super::*;
use crate::names::{PartNumber, UserId};
use crate::rows::Versioning;

fn limited(bytes: Option<u64>, objects: Option<u64>) -> QuotaChange {
    QuotaChange { lift: true, bytes, objects }
}

async fn limit_bucket(world: &World, bytes: Option<u64>, objects: Option<u64>) {
    world.tables.change_bucket_quota(&world.bucket.name, limited(bytes, objects)).await.unwrap();
}

async fn limit_owner(world: &World, bytes: Option<u64>, objects: Option<u64>) {
    world.tables.change_user_quota(&world.owner, limited(bytes, objects)).await.unwrap();
}

fn full<T>(answer: &Result<T, TableError>) -> bool {
    matches!(answer, Err(TableError::QuotaExceeded))
}

async fn used(world: &World) -> (u64, u64) {
    let Usage { bytes, objects } = world.tables.bucket_usage(world.bucket.id).await.unwrap();
    (bytes, objects)
}

#[tokio::test]
async fn a_quota_lets_in_just_what_fits_and_lets_all_out() {
    let world = World::new().await;
    limit_bucket(&world, Some(2 * OBJECT_BYTES), None).await;
    world.put("a").await;
    world.put("b").await;
    assert!(full(&world.try_put("c", none()).await) && full(&world.copy("a", "c").await));
    // What replaces its like doesn't grow, and so isn't refused.
    world.put("a").await;
    world.copy("b", "a").await.unwrap();
    world.delete("b").await;
    world.put("c").await;
    limit_bucket(&world, Some(1), None).await;
    world.put("c").await;
    assert!(full(&world.try_put("d", none()).await));
    world.delete("a").await;
    world.delete("c").await;
    assert!(full(&world.try_put("c", none()).await));
    limit_bucket(&world, None, Some(1)).await;
    world.put("c").await;
    assert!(full(&world.try_put("d", none()).await));
    limit_bucket(&world, None, None).await;
    world.put("d").await;
    assert_eq!(used(&world).await, (2 * OBJECT_BYTES, 2));
    world.audit().await;
}

#[tokio::test]
async fn versions_count_and_delete_markers_do_not() {
    let world = World::new().await.versioned(Versioning::Enabled).await;
    limit_bucket(&world, None, Some(2)).await;
    world.put("a").await;
    world.put("a").await;
    assert!(full(&world.try_put("a", none()).await));
    for _ in 0..3 {
        world.delete("a").await;
    }
    assert_eq!(used(&world).await, (2 * OBJECT_BYTES, 2));
    let versions = world.tables.version_rows(&world.bucket, None, 100).await.unwrap();
    let oldest = Some(versions.last().unwrap().row.version);
    world.tables.delete_object(&world.bucket, &key("a"), oldest, &Deletion::default(), 9).await.unwrap();
    world.put("a").await;
    world.audit().await;
}

#[tokio::test]
async fn parts_count_from_their_upload_on_and_completing_needs_no_more_room() {
    let world = World::new().await;
    limit_bucket(&world, Some(15 * MIB), None).await;
    let upload = world.begin("a").await;
    let parts = [world.add("a", upload, 1).await, world.add("a", upload, 2).await, world.add("a", upload, 3).await];
    assert_eq!(used(&world).await, (15 * MIB, 0));
    assert!(full(&world.try_part("a", upload, 4, 1).await) && full(&world.try_put("b", none()).await));
    assert!(full(&world.try_part("a", upload, 1, 5 * MIB + 1).await));
    let first = world.add("a", upload, 1).await;
    limit_bucket(&world, Some(1), None).await;
    world.complete("a", upload, &[first, parts[1].clone()]).await.unwrap();
    assert_eq!(used(&world).await, (10 * MIB, 1), "the part that wasn't listed is gone");
    limit_bucket(&world, Some(16 * MIB), Some(1)).await;
    let upload = world.begin("b").await;
    let part = world.add("b", upload, 1).await;
    assert!(full(&world.complete("b", upload, std::slice::from_ref(&part)).await), "one object is there");
    world.audit().await;
    world.delete("a").await;
    world.complete("b", upload, &[part]).await.unwrap();
    assert_eq!(used(&world).await, (5 * MIB, 1));
    world.audit().await;
}

#[tokio::test]
async fn an_owner_pays_for_all_buckets_and_a_deleted_bucket_leaves_no_counter() {
    let world = World::new().await;
    let other = world.tables.create_bucket(new_bucket("other", &world.owner), 1).await.unwrap();
    let other = World { bucket: other, ..world.clone() };
    let guest = World { owner: UserId::random(), ..other.clone() };
    limit_owner(&world, Some(2 * OBJECT_BYTES), Some(5)).await;
    limit_owner(&guest, Some(0), Some(0)).await;
    world.put("a").await;
    guest.put("a").await;
    assert!(full(&other.try_put("b", none()).await) && full(&world.try_put("b", none()).await));
    let owners = world.tables.user_usage(&world.owner).await.unwrap();
    assert_eq!((owners, used(&other).await), (Usage { bytes: 2 * OBJECT_BYTES, objects: 2 }, (OBJECT_BYTES, 1)));
    assert_eq!(world.tables.user_usage(&guest.owner).await.unwrap(), Usage::default());
    guest.delete("a").await;
    world.put("b").await;
    other.tables.delete_bucket(&other.bucket.name).await.unwrap();
    let counters = world.rows(b"c/").await;
    assert_eq!(counters.len(), 2, "{counters:?}");
    let again = world.tables.create_bucket(new_bucket("other", &world.owner), 1).await.unwrap();
    assert_eq!(world.tables.bucket_usage(again.id).await.unwrap(), Usage::default());
}

#[tokio::test]
async fn what_has_no_room_is_known_before_it_is_read() {
    let world = World::new().await;
    let room = async |coming, bytes| world.tables.check_room(&world.bucket, coming, bytes).await;
    let (a, b) = (key("a"), key("b"));
    world.put("a").await;
    assert!(room(Coming::Object(&b), u64::MAX).await.is_ok());
    limit_owner(&world, Some(2 * OBJECT_BYTES), None).await;
    assert!(room(Coming::Object(&b), OBJECT_BYTES).await.is_ok() && full(&room(Coming::Object(&b), OBJECT_BYTES + 1).await));
    assert!(
        room(Coming::Object(&a), 2 * OBJECT_BYTES).await.is_ok() && full(&room(Coming::Object(&a), 2 * OBJECT_BYTES + 1).await)
    );
    let upload = world.begin("c").await;
    let part = |number| Coming::Part(upload, PartNumber::new(number).unwrap());
    world.try_part("c", upload, 1, OBJECT_BYTES).await.unwrap();
    assert!(
        room(part(1), OBJECT_BYTES).await.is_ok()
            && full(&room(part(1), OBJECT_BYTES + 1).await)
            && full(&room(part(2), 1).await)
    );
}

#[tokio::test]
async fn what_was_there_before_counters_is_counted_once() {
    let world = World::new().await.versioned(Versioning::Enabled).await;
    for at in 0..5 {
        world.put(&format!("key{}", at % 3)).await;
    }
    world.delete("key0").await;
    let upload = world.begin("b").await;
    world.add("b", upload, 1).await;
    world.add("b", upload, 2).await;
    let counters = || world.rows(b"c/");
    let kept = counters().await;
    let forget = Commit::new().delete_range(KeyRange::prefix(b"c/"));
    world.store.commit(forget.clone()).await.unwrap();
    world.tables.count_once().await.unwrap();
    let values = |rows: Vec<nodio_meta::Row>| rows.into_iter().map(|row| (row.key, row.value)).collect::<Vec<_>>();
    assert_eq!(values(counters().await), values(kept));
    world.audit().await;
    world.put("c").await;
    world.audit().await;
    // Only once: from then on they are kept, not counted.
    world.store.commit(forget).await.unwrap();
    world.tables.count_once().await.unwrap();
    assert!(counters().await.is_empty());
}

#[tokio::test]
async fn a_recount_takes_any_number_of_rows() {
    let world = World::new().await;
    for at in 0..1_100 {
        world.put(&format!("{at}")).await;
    }
    let sums: Vec<_> = world.tables.recount().await.unwrap().into_values().collect();
    assert_eq!(sums, [Sums([1_100 * OBJECT_BYTES as i64, 1_100]); 2]);
    world.audit().await;
}

async fn one_of_many(world: &World, step: u8) {
    match step {
        0 | 1 => drop(world.try_put(&format!("key{step}"), none()).await),
        2 => drop(world.copy("key0", &format!("copy{step}")).await),
        3 => _ = world.delete("key0").await,
        4 => _ = world.delete("key1").await,
        _ => {
            let upload = world.begin("up").await;
            let part = world.try_part("up", upload, 1, OBJECT_BYTES).await;
            if let (true, Ok(part)) = (step == 5, part) {
                let _ = world.complete("up", upload, &[part]).await;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn however_many_write_at_once_no_quota_is_passed(
        steps in proptest::collection::vec(0u8..7, 2..14),
        limit in 0u64..4,
        owners: bool,
        versioned: bool,
    ) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
            let versioning = if versioned { Versioning::Enabled } else { Versioning::Off };
            let world = World::shuffled().await.versioned(versioning).await;
            let (bytes, objects) = (Some(limit * OBJECT_BYTES), Some(2));
            if owners { limit_owner(&world, bytes, objects).await } else { limit_bucket(&world, bytes, objects).await }
            join_all(steps.into_iter().map(|step| one_of_many(&world, step).boxed())).await;
            let (bytes, objects) = used(&world).await;
            assert!(bytes <= limit * OBJECT_BYTES && objects <= 2, "{bytes} bytes in {objects} objects");
            world.audit().await;
        });
    }
}
