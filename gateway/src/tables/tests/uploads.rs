use std::collections::BTreeSet;

use futures::{FutureExt, future::join_all};
use md5::{Digest, Md5};

use super::world::{MIB, completion, key, none, number};
use super::*;
use crate::checksum::{Checksum, ChecksumKind, ChecksumScope, Hasher, combine_crc, composite};
use crate::rows::{ETag, ObjectBody, PartPlace, PartRef};
use crate::tables::uploads::PartPage;

#[tokio::test]
async fn an_upload_becomes_an_object() {
    let world = World::new().await;
    let upload = world.begin("a").await;
    let parts =
        [world.add("a", upload, 2).await, world.add("a", upload, 7).await, world.try_part("a", upload, 9, 1).await.unwrap()];
    world.audit().await;
    let row = world.complete("a", upload, &parts).await.unwrap();
    let live = row.live().unwrap();
    assert_eq!((row.uid, live.size, &live.body), (upload.0, 10 * MIB + 1, &ObjectBody::Manifest { parts: 3 }));
    assert_eq!(world.tables.parts(&row).await.unwrap(), parts);
    let md5s: Vec<u8> = parts.iter().flat_map(|part| part.md5).collect();
    assert_eq!(live.etag.to_string(), format!("{}-3", hex::encode(Md5::digest(md5s))));
    assert!(matches!(world.tables.upload(&world.bucket, &key("a"), upload).await, Err(TableError::NoSuchUpload)));
    assert!(world.rows(b"u/").await.is_empty() && world.rows(b"q/").await.is_empty());
    world.audit().await;
    world.delete("a").await;
    assert_eq!(world.pending().await.len(), 3);
    world.audit().await;
}

#[tokio::test]
async fn completing_twice_is_completing_once() {
    let world = World::new().await;
    let upload = world.begin("a").await;
    let parts = [world.add("a", upload, 1).await, world.add("a", upload, 2).await];
    let row = world.complete("a", upload, &parts).await.unwrap();
    assert_eq!(world.complete("a", upload, &parts).await.unwrap(), row);
    assert!(matches!(world.complete("a", upload, &parts[..1]).await, Err(TableError::NoSuchUpload)));
    assert!(matches!(world.complete("b", upload, &parts).await, Err(TableError::NoSuchUpload)));
    assert!(matches!(world.abort("a", upload).await, Err(TableError::NoSuchUpload)));
    world.put("a").await;
    assert!(matches!(world.complete("a", upload, &parts).await, Err(TableError::NoSuchUpload)), "the object is another's now");
    world.audit().await;
}

#[tokio::test]
async fn parts_not_listed_and_parts_replaced_are_let_go() {
    let world = World::new().await;
    let upload = world.begin("a").await;
    let replaced = world.add("a", upload, 1).await;
    let listed = world.add("a", upload, 1).await;
    assert_eq!(world.pending().await, BTreeSet::from([replaced.id]));
    let unlisted = world.add("a", upload, 3).await;
    assert!(matches!(
        world.complete("a", upload, std::slice::from_ref(&replaced)).await,
        Err(TableError::InvalidPart { number: 1 })
    ));
    let row = world.complete("a", upload, std::slice::from_ref(&listed)).await.unwrap();
    assert_eq!(row.live().unwrap().body, ObjectBody::Single(listed.clone()));
    assert_eq!(row.live().unwrap().etag, ETag::of_parts([listed.md5]));
    assert_eq!(world.pending().await, BTreeSet::from([replaced.id, unlisted.id]));
    world.audit().await;
}

#[tokio::test]
async fn an_upload_replaces_the_object_there() {
    let world = World::new().await;
    let upload = world.begin("a").await;
    let part = world.add("a", upload, 1).await;
    world.put("a").await;
    world.complete("a", upload, &[part]).await.unwrap();
    assert_eq!(world.pending().await.len(), 1);
    world.audit().await;
}

#[tokio::test]
async fn an_aborted_upload_lets_all_its_parts_go() {
    let world = World::new().await;
    let (upload, other) = (world.begin("a").await, world.begin("a").await);
    for n in [1, 5, 10_000] {
        world.add("a", upload, n).await;
    }
    let stays = world.add("a", other, 1).await;
    world.abort("a", upload).await.unwrap();
    assert_eq!(world.pending().await.len(), 3);
    assert!(matches!(world.abort("a", upload).await, Err(TableError::NoSuchUpload)));
    assert!(matches!(world.try_part("a", upload, 1, 1).await, Err(TableError::NoSuchUpload)));
    assert!(matches!(world.complete("a", upload, &[stays]).await, Err(TableError::NoSuchUpload)));
    world.audit().await;
}

#[tokio::test]
async fn lists_that_are_wrong_are_refused_and_change_nothing() {
    let world = World::new().await;
    let upload = world.begin("a").await;
    let (one, small, three) = (
        world.add("a", upload, 1).await,
        world.try_part("a", upload, 2, 5 * MIB - 1).await.unwrap(),
        world.add("a", upload, 3).await,
    );
    let missing = PartRef { number: 4, ..three.clone() };
    let of = |parts: &[&PartRef]| parts.iter().map(|part| (*part).clone()).collect::<Vec<_>>();
    let complete = async |parts: &[&PartRef]| world.complete("a", upload, &of(parts)).await.unwrap_err();
    assert!(matches!(complete(&[]).await, TableError::NoParts));
    assert!(matches!(complete(&[&three, &one]).await, TableError::InvalidPartOrder));
    assert!(matches!(complete(&[&one, &one]).await, TableError::InvalidPartOrder));
    assert!(matches!(complete(&[&one, &missing]).await, TableError::InvalidPart { number: 4 }));
    assert!(matches!(complete(&[&one, &small, &three]).await, TableError::EntityTooSmall { number: 2 }));
    let list = |size| Completion { size: Some(size), ..completion(&of(&[&one, &small])) };
    let bucket = &world.bucket;
    let wrong = world.tables.complete_upload(bucket, &key("a"), upload, &list(1), &none(), 9).await;
    assert!(matches!(wrong, Err(TableError::SizeMismatch { want: 1, .. })));
    world.audit().await;
    world.tables.complete_upload(bucket, &key("a"), upload, &list(10 * MIB - 1), &none(), 9).await.unwrap();
    world.audit().await;
}

#[tokio::test]
async fn ten_thousand_parts_complete_copy_and_delete() {
    let world = World::new().await;
    let upload = world.begin("a").await;
    let mut parts = Vec::new();
    for n in 1..=10_000 {
        parts.push(world.add("a", upload, n).await);
    }
    let row = world.complete("a", upload, &parts).await.unwrap();
    assert_eq!(row.live().unwrap().body, ObjectBody::Manifest { parts: 10_000 });
    assert_eq!(row.live().unwrap().etag.parts, Some(10_000));
    world.copy("a", "b").await.unwrap();
    world.delete("a").await;
    assert!(world.pending().await.is_empty());
    world.delete("b").await;
    assert_eq!(world.pending().await.len(), 10_000);
    world.audit().await;
}

fn crc(kind: ChecksumKind, bytes: &[u8]) -> Checksum {
    let mut hasher = Hasher::new(kind);
    hasher.update(bytes);
    hasher.finish()
}

#[tokio::test]
async fn the_checksum_of_the_whole_comes_from_the_parts() {
    for (kind, scope) in [(ChecksumKind::Crc32c, ChecksumScope::FullObject), (ChecksumKind::Sha256, ChecksumScope::Composite)] {
        let world = World::new().await;
        let row = crate::rows::UploadRow { checksum: Some((kind, scope)), ..world.upload_row() };
        let upload = world.tables.create_upload(&world.bucket, &key("a"), &row).await.unwrap();
        let sums = [crc(kind, b"one"), crc(kind, b"two")];
        let mut parts = Vec::new();
        for (n, sum) in [1, 2].into_iter().zip(&sums) {
            let part = PartRef { checksum: Some(sum.clone()), ..world.part(&key("a"), upload.0, n, 5 * MIB) };
            let new = NewPart { part: part.clone(), inline: None };
            world.tables.put_part(&world.bucket, &key("a"), upload, &new, 1).await.unwrap();
            parts.push(part);
        }
        let whole = match scope {
            ChecksumScope::Composite => composite(kind, &sums),
            ChecksumScope::FullObject => combine_crc(kind, &sums.clone().map(|sum| (sum, 5 * MIB))).unwrap(),
        };
        let saying = |checksum| Completion { checksum: Some(checksum), ..completion(&parts) };
        let complete =
            async |list: Completion| world.tables.complete_upload(&world.bucket, &key("a"), upload, &list, &none(), 2).await;
        assert!(matches!(complete(saying(sums[0].clone())).await, Err(TableError::ChecksumMismatch)));
        let swapped = [PartRef { checksum: Some(sums[1].clone()), ..parts[0].clone() }, parts[1].clone()];
        assert!(matches!(complete(completion(&swapped)).await, Err(TableError::InvalidPart { number: 1 })));
        let row = complete(saying(whole.clone())).await.unwrap();
        assert_eq!(row.live().unwrap().checksum.as_ref().map(|sum| &sum.checksum), Some(&whole));
    }
}

#[tokio::test]
async fn inline_and_empty_parts_belong_to_uploads_too() {
    let world = World::new().await;
    let upload = world.begin("a").await;
    let one = world.add("a", upload, 1).await;
    let inline = world.inline_object(&key("a"), b"sealed");
    let ObjectBody::Single(part) = inline.live.body else { panic!("an inline object has one part") };
    let two = PartRef { number: 2, len: 5 * MIB, ..part };
    let new = NewPart { part: two.clone(), inline: inline.inline };
    world.tables.put_part(&world.bucket, &key("a"), upload, &new, 1).await.unwrap();
    let three = PartRef { number: 3, len: 0, place: PartPlace::Empty, id: nodio_wire::PartId([9; 16]), ..one.clone() };
    world.tables.put_part(&world.bucket, &key("a"), upload, &NewPart { part: three.clone(), inline: None }, 1).await.unwrap();
    world.audit().await;
    let row = world.complete("a", upload, &[one, two.clone(), three]).await.unwrap();
    assert_eq!(world.tables.inline(&two.id).await.unwrap(), "sealed");
    assert_eq!(world.tables.parts(&row).await.unwrap().len(), 3);
    world.audit().await;
    world.delete("a").await;
    world.audit().await;
}

#[tokio::test]
async fn of_completing_and_aborting_at_once_exactly_one_wins() {
    for _ in 0..100 {
        let world = World::shuffled().await;
        let upload = world.begin("a").await;
        let parts = [world.add("a", upload, 1).await, world.add("a", upload, 2).await];
        let (completed, aborted) = futures::join!(world.complete("a", upload, &parts), world.abort("a", upload));
        assert_ne!(completed.is_ok(), aborted.is_ok(), "{completed:?} {aborted:?}");
        assert_eq!(world.get("a").await.is_ok(), completed.is_ok());
        world.audit().await;
    }
}

#[tokio::test]
async fn parts_that_race_with_the_end_of_their_upload_are_in_it_or_refused() {
    for round in 0..100u16 {
        let world = World::shuffled().await;
        let upload = world.begin("a").await;
        let first = world.add("a", upload, 3).await;
        let more = join_all([1, 3, 4, 9].map(|n| world.try_part("a", upload, n, 5 * MIB).boxed()));
        let end = async {
            match round % 2 {
                0 => world.abort("a", upload).await.is_ok(),
                _ => world.complete("a", upload, &[first]).await.is_ok(),
            }
        };
        let (_, ended) = futures::join!(more, end);
        assert!(ended || round % 2 == 1, "an abort always succeeds");
        world.audit().await;
    }
}

#[tokio::test]
async fn parts_of_one_upload_do_not_hinder_one_another() {
    let world = World::shuffled().await;
    let upload = world.begin("a").await;
    let parts = join_all((1..=100).map(|n| world.add("a", upload, n).boxed())).await;
    let same = join_all((0..20).map(|_| world.add("a", upload, 50).boxed())).await;
    let listed = world.tables.list_parts(&world.bucket, &key("a"), upload, None, 1000).await.unwrap();
    assert_eq!((listed.parts.len(), listed.next), (parts.len(), None));
    assert_eq!(same.iter().filter(|part| listed.parts.iter().any(|row| row.part.id == part.id)).count(), 1);
    world.audit().await;
}

#[tokio::test]
async fn parts_are_listed_in_pages() {
    let world = World::new().await;
    let upload = world.begin("a").await;
    for n in [10_000, 2, 5, 9] {
        world.add("a", upload, n).await;
    }
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = world.tables.list_parts(&world.bucket, &key("a"), upload, after, 2).await.unwrap();
        seen.push(page.parts.iter().map(|row| row.part.number).collect::<Vec<_>>());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, [vec![2, 5], vec![9, 10_000]]);
    let past = world.tables.list_parts(&world.bucket, &key("a"), upload, Some(number(10_000)), 2).await.unwrap();
    assert_eq!(past, PartPage { parts: vec![], next: None });
}

#[tokio::test]
async fn completing_twice_at_once_is_completing_once() {
    for _ in 0..200 {
        let world = World::shuffled().await;
        let upload = world.begin("a").await;
        let parts = [world.add("a", upload, 1).await, world.add("a", upload, 2).await];
        let at = key("a");
        let list = async { world.tables.list_parts(&world.bucket, &at, upload, None, 9).await };
        let (one, two, listed) = futures::join!(world.complete("a", upload, &parts), world.complete("a", upload, &parts), list);
        assert_eq!(one.unwrap(), two.unwrap());
        assert!(listed.map_or(true, |page| page.parts.len() == 2), "all parts or no upload");
        world.audit().await;
    }
}

#[tokio::test]
async fn objects_of_many_parts_are_replaced_and_deleted_at_once() {
    for _ in 0..200 {
        let world = World::shuffled().await;
        let upload = world.begin("a").await;
        let parts = [world.add("a", upload, 1).await, world.add("a", upload, 2).await];
        world.complete("a", upload, &parts).await.unwrap();
        let again = async { world.complete("a", upload, &parts).await };
        let (_, _, _, again, copied) =
            futures::join!(world.delete("a"), world.put("a"), world.put("a"), again, world.copy("a", "b"));
        assert!(matches!(again, Ok(_) | Err(TableError::NoSuchUpload)), "{again:?}");
        assert!(matches!(copied, Ok(_) | Err(TableError::SourceChanged | TableError::NoSuchKey)), "{copied:?}");
        world.audit().await;
    }
}
