use nodio_meta::{Direction, KeyRange};

use super::world::{key, none};
use super::*;
use crate::rows::{Cause, EventKind, EventRow, NotificationRule, Notifications, Watched};

fn telling(kind: EventKind) -> Telling {
    let cause = Cause { principal: "p".into(), source: "s".into(), request: "r".into(), host: "h".into() };
    Telling { kind, at: 7, cause }
}

fn rules() -> Notifications {
    let watched = vec![Watched::AllCreated, Watched::AllRemoved, Watched::AllTagging];
    Notifications { rules: vec![NotificationRule { id: "r".into(), webhook: "w".into(), watched, prefix: None, suffix: None }] }
}

async fn telling_world() -> World {
    let mut world = World::new().await;
    world.tables = world.tables.clone().with_webhooks(["w"]);
    world.tables.set_notifications(&world.bucket.name, Some(&rules()), None).await.unwrap();
    world.bucket = (*world.tables.bucket(&world.bucket.name).await.unwrap()).clone();
    world
}

fn told(waiting: &[WaitingEvent]) -> Vec<(EventKind, String)> {
    let change = |waiting: &WaitingEvent| match &waiting.event {
        EventRow::Change(change) => (change.kind, change.key.clone()),
        EventRow::Test(_) => panic!("no test was asked for"),
    };
    waiting.iter().map(change).collect()
}

/// The events that wait, in order; there are as many as the queue says.
async fn waiting(world: &World) -> Vec<WaitingEvent> {
    let waiting = world.tables.oldest_events("w", 100).await.unwrap();
    assert_eq!(world.tables.queue("w").unwrap().waiting(), waiting.len() as u64);
    waiting
}

#[tokio::test]
async fn an_event_is_written_in_the_commit_of_its_change() {
    let world = telling_world().await;
    let tables = world.tables.telling(telling(EventKind::CreatedPut));
    for at in ["b", "a"] {
        tables.put_object(&world.bucket, &key(at), &world.object(&key(at)), &none(), world.now()).await.unwrap();
    }
    let events = waiting(&world).await;
    assert_eq!(told(&events), ["b", "a"].map(|at| (EventKind::CreatedPut, at.to_owned())));
    let rows = world.store.scan(KeyRange::prefix(b"o/"), 10, Direction::Ascending).await.unwrap();
    let mut versions: Vec<_> = rows.iter().map(|row| row.version).collect();
    versions.sort_unstable();
    assert_eq!(versions, events.iter().map(|event| event.sequence).collect::<Vec<_>>(), "one commit wrote both");
}

#[tokio::test]
async fn a_change_that_is_not_made_leaves_no_event() {
    let world = telling_world().await;
    let tables = world.tables.telling(telling(EventKind::RemovedDelete));
    let gone = tables.delete_object(&world.bucket, &key("a"), None, &Deletion::default(), world.now()).await.unwrap();
    assert!(!gone.existed);
    let absent = Precondition { if_none_match: Some(ETagMatch::Any), ..none() };
    world.put("a").await;
    let refused = world.object(&key("a"));
    let tables = world.tables.telling(telling(EventKind::CreatedPut));
    tables.put_object(&world.bucket, &key("a"), &refused, &absent, world.now()).await.unwrap_err();
    assert!(waiting(&world).await.is_empty());
}

#[tokio::test]
async fn nobody_is_told_without_a_rule_or_a_webhook() {
    let world = telling_world().await;
    let tell = |world: &World| world.tables.telling(telling(EventKind::CreatedPut));
    let put = async |world: &World, at: &str| {
        let new = world.object(&key(at));
        tell(world).put_object(&world.bucket, &key(at), &new, &none(), world.now()).await.unwrap();
    };
    world.put("untold").await;
    let mut away = world.clone();
    away.tables = Tables::new(world.store.clone(), super::world::master(1));
    put(&away, "a").await;
    world.tables.set_notifications(&world.bucket.name, None, None).await.unwrap();
    put(&world, "b").await;
    assert!(waiting(&world).await.is_empty());
}

#[tokio::test]
async fn what_is_delivered_or_dropped_goes_and_the_rest_is_found_after_a_restart() {
    let world = telling_world().await;
    let tables = world.tables.telling(telling(EventKind::CreatedPut));
    for at in 0..10 {
        let at = key(&format!("k{at}"));
        tables.put_object(&world.bucket, &at, &world.object(&at), &none(), world.now()).await.unwrap();
    }
    let first = world.tables.oldest_events("w", 3).await.unwrap();
    world.tables.delivered("w", &first).await.unwrap();
    assert_eq!(world.tables.drop_events("w", 2).await.unwrap(), 2);
    let left = told(&waiting(&world).await);
    assert_eq!(left.iter().map(|(_, at)| at.as_str()).collect::<Vec<_>>(), ["k5", "k6", "k7", "k8", "k9"]);

    let again = Tables::new(world.store.clone(), super::world::master(1)).with_webhooks(["w", "v"]);
    assert_eq!(again.count_events().await.unwrap().len(), 0);
    assert_eq!((again.queue("w").unwrap().waiting(), again.queue("v").unwrap().waiting()), (5, 0));
    let without = Tables::new(world.store.clone(), super::world::master(1));
    assert_eq!(without.count_events().await.unwrap(), [("w".to_owned(), 5)].into());
}

#[tokio::test]
async fn a_change_of_tags_tells_of_what_it_left() {
    let world = telling_world().await;
    let row = world.put("a").await;
    let tables = world.tables.telling(telling(EventKind::TaggingPut));
    tables.change_object(&world.bucket, &key("a"), &row, |_| Ok(())).await.unwrap();
    let waiting = waiting(&world).await;
    let EventRow::Change(change) = &waiting[0].event else { panic!("a change") };
    assert_eq!((change.size, change.etag), (None, row.live().map(|live| live.etag)));
}
