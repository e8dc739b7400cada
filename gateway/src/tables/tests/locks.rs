use super::world::{key, none};
use super::*;
use crate::rows::{DefaultRetention, Lock, ObjectRow, Retention, RetentionMode, RetentionPeriod, Versioning};

async fn locked(world: World) -> World {
    let mut world = world.versioned(Versioning::Enabled).await;
    world.tables.set_object_lock(&world.bucket.name, None).await.unwrap();
    world.bucket = (*world.tables.bucket(&world.bucket.name).await.unwrap()).clone();
    world
}

async fn put_locked(world: &World, lock: Lock) -> ObjectRow {
    let mut new = world.object(&key("a"));
    new.live.lock = lock;
    world.tables.put_object(&world.bucket, &key("a"), &new, &none(), 10).await.unwrap().row
}

#[tokio::test]
async fn a_lock_holds_until_its_time_and_not_longer() {
    let world = locked(World::new().await).await;
    for (mode, past_governance, opens) in [
        (RetentionMode::Governance, false, 5_000),
        (RetentionMode::Governance, true, 100),
        (RetentionMode::Compliance, true, 5_000),
    ] {
        let row = put_locked(&world, Lock { retention: Some(Retention { mode, until: 5_000 }), legal_hold: false }).await;
        let deletion = Deletion { past_governance, ..Deletion::default() };
        let delete = async |now| world.tables.delete_object(&world.bucket, &key("a"), Some(row.version), &deletion, now).await;
        if opens == 5_000 {
            assert!(matches!(delete(4_999).await, Err(TableError::ObjectLocked)));
        }
        assert!(delete(opens).await.unwrap().existed);
    }
    world.audit().await;
}

#[tokio::test]
async fn a_hold_and_a_delete_that_race_leave_a_held_version_or_none() {
    for _ in 0..100 {
        let world = locked(World::shuffled().await).await;
        let row = put_locked(&world, Lock::default()).await;
        let (at, plain) = (key("a"), Deletion::default());
        let hold = world.tables.change_object(&world.bucket, &at, &row, |live| {
            live.lock.legal_hold = true;
            Ok(())
        });
        let delete = world.tables.delete_object(&world.bucket, &at, Some(row.version), &plain, world.now());
        match futures::join!(hold, delete) {
            (Ok(()), Err(TableError::ObjectLocked)) => assert!(world.get("a").await.unwrap().live().unwrap().lock.legal_hold),
            (Err(TableError::NoSuchKey), Ok(deleted)) => assert!(deleted.existed),
            (held, deleted) => panic!("{held:?} and {deleted:?}"),
        }
        world.audit().await;
    }
}

#[tokio::test]
async fn a_default_set_while_an_object_is_written_counts_for_the_next_at_the_latest() {
    let default = DefaultRetention { mode: RetentionMode::Governance, period: RetentionPeriod::Days(1) };
    for _ in 0..50 {
        let world = World::shuffled().await.versioned(Versioning::Enabled).await;
        let (put, set) = futures::join!(world.put("a"), world.tables.set_object_lock(&world.bucket.name, Some(&default)));
        set.unwrap();
        assert_eq!(world.get("a").await.unwrap(), put);
        let later = world.put("a").await;
        assert_eq!(later.live().unwrap().lock.retention, Some(default.from(later.modified)));
    }
}
