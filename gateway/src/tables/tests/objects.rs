use nodio_codec::DataKey;

use super::world::{OBJECT_BYTES, key, master, none};
use super::*;
use crate::keys::WrapAad;
use crate::names::ObjectUid;
use crate::rows::{ETag, LiveObject, ObjectBody, PartPlace};

#[tokio::test]
async fn an_object_is_found_replaced_and_deleted() {
    let world = World::new().await;
    assert!(matches!(world.get("a").await, Err(TableError::NoSuchKey)));
    let first = world.put("a").await;
    assert_eq!(world.get("a").await.unwrap(), first);
    let second = world.put("a").await;
    assert_eq!(world.get("a").await.unwrap(), second);
    assert_eq!(world.rows(b"o/").await.len(), 1, "the former object is replaced");
    assert!(world.delete("a").await.existed);
    assert!(matches!(world.get("a").await, Err(TableError::NoSuchKey)));
    let again = world.delete("a").await;
    assert_eq!(again, Deleted { existed: false, delete_marker: false, version: None });
    world.audit().await;
}

#[tokio::test]
async fn neighbouring_keys_do_not_touch_one_another() {
    let world = World::new().await;
    let keys = ["a", "a\0", "a\0b", "a\u{1}", "aa", "\0", "a/"];
    for name in keys {
        world.put(name).await;
    }
    world.delete("a\0").await;
    world.put("a").await;
    for name in keys {
        assert_eq!(world.get(name).await.is_ok(), name != "a\0", "{name:?}");
    }
    world.audit().await;
}

#[tokio::test]
async fn an_object_is_replaced_even_when_the_clock_stands_still_or_goes_back() {
    let world = World::new().await;
    for now in [5_000, 5_000, 10, 5_000] {
        let new = world.object(&key("a"));
        let put = world.tables.put_object(&world.bucket, &key("a"), &new, &none(), now).await.unwrap();
        assert_eq!(put.row.modified, now);
        assert_eq!(world.get("a").await.unwrap(), put.row);
    }
    world.audit().await;
}

#[tokio::test]
async fn an_empty_object_has_no_parts() {
    let world = World::new().await;
    let new = NewObject {
        uid: ObjectUid::new(1),
        owner: world.owner.clone(),
        live: LiveObject::plain(OBJECT_BYTES, ETag::single([1; 16]), ObjectBody::Empty),
        inline: None,
    };
    let row = world.tables.put_object(&world.bucket, &key("a"), &new, &none(), 1).await.unwrap().row;
    assert_eq!(world.tables.parts(&row).await.unwrap(), []);
    world.copy("a", "b").await.unwrap();
    world.delete("a").await;
    world.audit().await;
}

#[tokio::test]
async fn inline_bytes_live_as_long_as_an_object_that_names_them() {
    let world = World::new().await;
    let new = world.inline_object(&key("a"), b"sealed");
    world.tables.put_object(&world.bucket, &key("a"), &new, &none(), 1).await.unwrap();
    let copy = world.copy("a", "b").await.unwrap();
    world.delete("a").await;
    world.audit().await;
    let part = world.tables.parts(&copy).await.unwrap().remove(0);
    assert_eq!(part.place, PartPlace::Inline);
    assert_eq!(world.tables.inline(&part.id).await.unwrap(), "sealed");
    world.delete("b").await;
    assert!(matches!(world.tables.inline(&part.id).await, Err(TableError::Vanished)));
    assert!(world.pending().await.is_empty(), "no donor holds them");
    world.audit().await;
}

#[tokio::test]
async fn a_copy_names_the_same_parts_and_opens_its_own_keys() {
    let world = World::new().await;
    let source = world.put("a").await;
    let copy = world.copy("a", "b").await.unwrap();
    let (from, to) = (world.tables.parts(&source).await.unwrap().remove(0), world.tables.parts(&copy).await.unwrap().remove(0));
    assert_eq!((from.id, from.len, from.md5), (to.id, to.len, to.md5));
    assert_eq!((copy.live().unwrap().size, copy.live().unwrap().etag), (100, source.live().unwrap().etag));
    let keys = world.tables.bucket_keys(world.bucket.id);
    let name = key("b");
    let aad = WrapAad { key: &name, uid: copy.uid, part: to.id };
    assert_eq!(keys.unwrap(&to.key, aad), Ok(DataKey::from_bytes([from.id.0[0]; 32])));
    assert!(keys.unwrap(&from.key, aad).is_err(), "the source's wrapping opens for the source alone");
}

#[tokio::test]
async fn a_copy_into_another_bucket_outlives_the_first_bucket() {
    let world = World::new().await;
    world.put("a").await;
    let other = world.tables.create_bucket(world::new_bucket("other", &world.owner), 1).await.unwrap();
    let row = world.get("a").await.unwrap();
    let new = NewObject {
        uid: ObjectUid::new(1),
        owner: world.owner.clone(),
        live: LiveObject::plain(OBJECT_BYTES, ETag::single([0; 16]), ObjectBody::Empty),
        inline: None,
    };
    let source = CopySource { bucket: &world.bucket, key: &key("a"), row: &row };
    let (from, to) = (world.tables.bucket_keys(world.bucket.id), world.tables.bucket_keys(other.id));
    let keys = CopyKeys { from: &from, to: &to };
    let copy = world.tables.copy_object(source, (&other, &key("z")), keys, new, &none(), 9).await.unwrap().row;
    world.delete("a").await;
    world.tables.delete_bucket(&world.bucket.name).await.unwrap();
    world.audit().await;
    let (part, name) = (world.tables.parts(&copy).await.unwrap().remove(0), key("z"));
    let aad = WrapAad { key: &name, uid: copy.uid, part: part.id };
    assert!(world.tables.bucket_keys(other.id).unwrap(&part.key, aad).is_ok());
    assert!(world.pending().await.is_empty());
}

#[tokio::test]
async fn a_copy_onto_itself_keeps_its_parts() {
    let world = World::new().await;
    let before = world.put("a").await;
    let after = world.copy("a", "a").await.unwrap();
    assert_ne!(before.uid, after.uid);
    assert!(world.pending().await.is_empty());
    assert_eq!(world.rows(b"o/").await.len(), 1);
    world.audit().await;
}

#[tokio::test]
async fn a_source_that_was_replaced_is_not_copied() {
    let world = World::new().await;
    let row = world.put("a").await;
    world.put("a").await;
    let new = world.object(&key("b"));
    let source = CopySource { bucket: &world.bucket, key: &key("a"), row: &row };
    let keys = world.tables.bucket_keys(world.bucket.id);
    let keys = CopyKeys { from: &keys, to: &keys };
    let copied = world.tables.copy_object(source, (&world.bucket, &key("b")), keys, new, &none(), 9).await;
    assert!(matches!(copied, Err(TableError::SourceChanged)));
    assert!(matches!(world.get("b").await, Err(TableError::NoSuchKey)));
}

#[tokio::test]
async fn another_master_key_is_refused_and_opens_nothing() {
    let world = World::new().await;
    world.tables.check_master().await.unwrap();
    world.tables.check_master().await.unwrap();
    world.put("a").await;
    let stranger = World { tables: Tables::new(world.store.clone(), master(2)), ..world.clone() };
    let refused = stranger.tables.check_master().await.unwrap_err();
    assert!(matches!(refused, TableError::OtherMasterKey));
    assert!(refused.to_string().contains("master key"));
    assert!(matches!(stranger.copy("a", "b").await, Err(TableError::Key(_))));
}

/// Compiles only if the calls can run in handlers, which move between threads.
#[tokio::test]
async fn calls_can_be_spawned() {
    let world = World::new().await;
    let task = tokio::spawn(async move {
        world.put("a").await;
        world.copy("a", "b").await.unwrap();
        let upload = world.begin("c").await;
        let part = world.add("c", upload, 1).await;
        world.complete("c", upload, &[part]).await.unwrap();
        world.delete("a").await;
        world.tables.list_objects(&world.bucket, &ListQuery { limit: 10, ..ListQuery::default() }).await.unwrap().objects.len()
    });
    assert_eq!(task.await.unwrap(), 2);
}
