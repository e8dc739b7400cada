//! Multipart uploads from begin to end, and all the ways to do them wrong.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};

use crate::common::{BUCKET, Call, World, bytes};

const MIB: usize = 1024 * 1024;

fn key(query: &str) -> String {
    format!("/{BUCKET}/big{query}")
}

async fn begin(world: &World, call: Call) -> String {
    let answer = world.client.send(call).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.one("UploadId").unwrap()
}

async fn upload(world: &World, id: &str, number: u32, data: &[u8]) -> String {
    let answer = world.client.send(Call::put(&key(&format!("?partNumber={number}&uploadId={id}")), data)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("etag").unwrap().to_owned()
}

fn complete(id: &str, parts: &[(u32, String)]) -> Call {
    let parts: String =
        parts.iter().map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")).collect();
    Call::post(&key(&format!("?uploadId={id}")), format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"))
}

#[tokio::test]
async fn parts_become_one_object() {
    let world = World::new().await;
    let (one, two, three) = (bytes(5 * MIB), bytes(6 * MIB + 3), bytes(17));
    let id = begin(&world, Call::post(&key("?uploads"), "").header("x-amz-meta-m", "1").header("content-type", "text/x")).await;
    // Out of order, and one of them twice.
    let third = upload(&world, &id, 9, &three).await;
    upload(&world, &id, 1, &two).await;
    let first = upload(&world, &id, 1, &one).await;
    let second = upload(&world, &id, 4, &two).await;
    assert_eq!(world.client.send(Call::get(&key(""))).await.status, 404);

    let listed = world.client.send(Call::get(&key(&format!("?uploadId={id}&max-parts=2")))).await;
    assert_eq!(listed.all("PartNumber"), ["1", "4"]);
    assert_eq!((listed.one("IsTruncated").as_deref(), listed.one("NextPartNumberMarker").as_deref()), (Some("true"), Some("4")));
    let rest = world.client.send(Call::get(&key(&format!("?uploadId={id}&part-number-marker=4")))).await;
    assert_eq!((rest.all("PartNumber"), rest.one("Size").as_deref()), (vec!["9".to_owned()], Some("17")));

    let parts = [(1, first), (4, second), (9, third)];
    let done = world.client.send(complete(&id, &parts)).await;
    assert_eq!(done.status, 200, "{}", done.text());
    let md5s: Vec<u8> = [&one, &two, &three].iter().flat_map(|part| Md5::digest(part).to_vec()).collect();
    let etag = format!("\"{}-3\"", hex::encode(Md5::digest(md5s)));
    assert_eq!(done.one("ETag"), Some(etag.clone()));
    assert!(done.one("Location").unwrap().ends_with("/my-bucket/big"));

    let whole = [one.clone(), two.clone(), three.clone()].concat();
    let got = world.client.send(Call::get(&key(""))).await;
    assert!(got.body == whole);
    assert_eq!((got.header("etag"), got.header("x-amz-meta-m")), (Some(etag.as_str()), Some("1")));
    let edge = 5 * MIB;
    let across = world.client.send(Call::get(&key("")).header("range", &format!("bytes={}-{}", edge - 5, edge + 5))).await;
    assert!(across.body == whole[edge - 5..=edge + 5]);
    let part = world.client.send(Call::get(&key("?partNumber=4"))).await;
    assert!(part.status == 206 && part.body == two && part.header("x-amz-mp-parts-count") == Some("3"));
    // The same again is the same answer.
    assert_eq!(world.client.send(complete(&id, &parts)).await.one("ETag"), Some(etag));
    assert!(world.settled(4).await, "{} segments", world.fleet.segments());
    assert_eq!(world.client.send(Call::delete(&key(""))).await.status, 204);
    assert!(world.settled(0).await);
}

#[tokio::test]
async fn of_a_part_listed_twice_what_was_said_last_counts() {
    let world = World::new().await;
    let id = begin(&world, Call::post(&key("?uploads"), "")).await;
    let old = upload(&world, &id, 1, b"old").await;
    let new = upload(&world, &id, 1, b"new").await;
    let listed = |etags: [&String; 2]| etags.map(|etag| (1, etag.clone()));
    assert_eq!(world.client.send(complete(&id, &listed([&new, &old]))).await.error(), (400, "InvalidPart".into()));
    assert_eq!(world.client.send(complete(&id, &listed([&old, &new]))).await.status, 200);
    assert_eq!(world.client.send(Call::get(&key(""))).await.body, b"new");
}

#[tokio::test]
async fn an_upload_is_listed_and_aborted() {
    let world = World::new().await;
    let id = begin(&world, Call::post(&key("?uploads"), "")).await;
    upload(&world, &id, 1, &bytes(100_000)).await;
    let other = begin(&world, Call::post(&format!("/{BUCKET}/dir/x?uploads"), "")).await;
    let listed = world.client.send(Call::get(&format!("/{BUCKET}?uploads"))).await;
    assert_eq!(
        (listed.all("Key"), listed.all("UploadId")),
        (vec!["big".into(), "dir/x".into()], vec![id.clone(), other.clone()])
    );
    let by_prefix = world.client.send(Call::get(&format!("/{BUCKET}?uploads&delimiter=/&max-uploads=1"))).await;
    assert_eq!((by_prefix.all("Key"), by_prefix.one("IsTruncated").as_deref()), (vec!["big".into()], Some("true")));
    let next = format!(
        "/{BUCKET}?uploads&delimiter=/&key-marker={}&upload-id-marker={}",
        by_prefix.one("NextKeyMarker").unwrap(),
        by_prefix.one("NextUploadIdMarker").unwrap()
    );
    let rest = world.client.send(Call::get(&next)).await;
    assert_eq!((rest.all("Key").len(), rest.text().contains("<CommonPrefixes><Prefix>dir/</Prefix>")), (0, true));

    assert_eq!(world.client.send(Call::delete(&key(&format!("?uploadId={id}")))).await.status, 204);
    assert_eq!(world.client.send(Call::delete(&key(&format!("?uploadId={id}")))).await.error(), (404, "NoSuchUpload".into()));
    assert_eq!(world.client.send(Call::get(&key(&format!("?uploadId={id}")))).await.error(), (404, "NoSuchUpload".into()));
    let late = world.client.send(Call::put(&key(&format!("?partNumber=1&uploadId={id}")), "x")).await;
    assert_eq!(late.error(), (404, "NoSuchUpload".into()));
    assert!(world.settled(0).await);
}

#[tokio::test]
async fn part_numbers_and_upload_ids_are_checked() {
    let world = World::new().await;
    let id = begin(&world, Call::post(&key("?uploads"), "")).await;
    for number in ["0", "10001", "-1", "x", "99999999999"] {
        let call = Call::put(&key(&format!("?partNumber={number}&uploadId={id}")), "x");
        assert_eq!(world.client.send(call).await.error(), (400, "InvalidArgument".into()), "{number}");
    }
    for wrong in ["0".repeat(32), "what".into()] {
        let call = Call::put(&key(&format!("?partNumber=1&uploadId={wrong}")), "x");
        assert_eq!(world.client.send(call).await.error(), (404, "NoSuchUpload".into()));
    }
    let elsewhere = Call::put(&format!("/{BUCKET}/other?partNumber=1&uploadId={id}"), "x");
    assert_eq!(world.client.send(elsewhere).await.error(), (404, "NoSuchUpload".into()));
    assert!(world.settled(0).await);
}

#[tokio::test]
async fn completions_that_do_not_fit_are_refused_and_the_upload_goes_on() {
    let world = World::new().await;
    let id = begin(&world, Call::post(&key("?uploads"), "")).await;
    let first = upload(&world, &id, 1, &bytes(5 * MIB)).await;
    let second = upload(&world, &id, 2, b"small").await;
    let third = upload(&world, &id, 3, b"last").await;
    let part = |number: u32, etag: &str| (number, etag.to_owned());
    let cases = [
        (vec![part(2, &second), part(1, &first)], "InvalidPartOrder"),
        (vec![part(1, &first), part(2, &second), part(1, &first)], "InvalidPartOrder"),
        (vec![part(1, &first), part(1, &second)], "InvalidPart"),
        (vec![part(1, &second)], "InvalidPart"),
        (vec![part(7, &first)], "InvalidPart"),
        (vec![part(1, &first), part(2, &second), part(3, &third)], "EntityTooSmall"),
        (vec![part(10_001, &first)], "InvalidArgument"),
        (vec![], "MalformedXML"),
    ];
    for (parts, code) in cases {
        assert_eq!(world.client.send(complete(&id, &parts)).await.error(), (400, code.into()));
    }
    let malformed = Call::post(&key(&format!("?uploadId={id}")), "<CompleteMultipartUpload><Part>");
    assert_eq!(world.client.send(malformed).await.error(), (400, "MalformedXML".into()));
    let size = complete(&id, &[part(1, &first)]).header("x-amz-mp-object-size", "5");
    assert_eq!(world.client.send(size).await.error(), (400, "InvalidRequest".into()));
    assert_eq!(world.client.send(Call::head(&key(""))).await.status, 404);
    let done = world.client.send(complete(&id, &[part(1, &first), part(3, &third)])).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(world.client.send(Call::head(&key(""))).await.header("content-length"), Some((5 * MIB + 4).to_string().as_str()));
}

#[tokio::test]
async fn completing_is_conditional() {
    let world = World::new().await;
    let id = begin(&world, Call::post(&key("?uploads"), "")).await;
    let etag = upload(&world, &id, 1, b"upload").await;
    assert_eq!(world.client.send(Call::put(&key(""), "there before")).await.status, 200);
    let call = || complete(&id, &[(1, etag.clone())]);
    assert_eq!(world.client.send(call().header("if-none-match", "*")).await.error(), (412, "PreconditionFailed".into()));
    assert_eq!(world.client.send(Call::get(&key(""))).await.body, b"there before");
    assert_eq!(world.client.send(Call::delete(&key(""))).await.status, 204);
    assert_eq!(world.client.send(call().header("if-none-match", "*")).await.status, 200);
    assert_eq!(world.client.send(Call::get(&key(""))).await.body, b"upload");
}

fn crc32(data: &[u8]) -> [u8; 4] {
    (crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, data) as u32).to_be_bytes()
}

#[tokio::test]
async fn checksums_of_uploads_are_composite_or_of_the_whole() {
    let world = World::new().await;
    let (one, two) = (bytes(5 * MIB), bytes(1000));
    let whole = [one.clone(), two.clone()].concat();
    let composite = [crc32(&one), crc32(&two)].concat();
    let cases = [("COMPOSITE", format!("{}-2", BASE64.encode(crc32(&composite)))), ("FULL_OBJECT", BASE64.encode(crc32(&whole)))];
    for (scope, wanted) in cases {
        let call =
            Call::post(&key("?uploads"), "").header("x-amz-checksum-algorithm", "CRC32").header("x-amz-checksum-type", scope);
        let id = begin(&world, call).await;
        let mut parts = Vec::new();
        for (number, data) in [(1, &one), (2, &two)] {
            let call = Call::put(&key(&format!("?partNumber={number}&uploadId={id}")), data);
            let answer = world.client.send(call.header("x-amz-checksum-crc32", &BASE64.encode(crc32(data)))).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            parts.push((number, answer.header("etag").unwrap().to_owned()));
        }
        let wrong = complete(&id, &parts).header("x-amz-checksum-crc32", &BASE64.encode([0; 4]));
        assert_eq!(world.client.send(wrong).await.error(), (400, "BadDigest".into()));
        let done = world.client.send(complete(&id, &parts)).await;
        assert_eq!((done.one("ChecksumCRC32"), done.one("ChecksumType").as_deref()), (Some(wanted.clone()), Some(scope)));
        let head = world.client.send(Call::head(&key("")).header("x-amz-checksum-mode", "ENABLED")).await;
        assert_eq!(head.header("x-amz-checksum-crc32"), Some(wanted.as_str()));
    }
    let mixed =
        Call::post(&key("?uploads"), "").header("x-amz-checksum-algorithm", "SHA1").header("x-amz-checksum-type", "FULL_OBJECT");
    assert_eq!(world.client.send(mixed).await.error(), (400, "InvalidRequest".into()));
    let id = begin(&world, Call::post(&key("?uploads"), "").header("x-amz-checksum-algorithm", "SHA256")).await;
    let other =
        Call::put(&key(&format!("?partNumber=1&uploadId={id}")), "x").header("x-amz-checksum-crc32", &BASE64.encode(crc32(b"x")));
    assert_eq!(world.client.send(other).await.error(), (400, "InvalidRequest".into()));
}

#[tokio::test]
async fn parts_are_copied_from_objects() {
    let world = World::new().await;
    let data = bytes(7 * MIB);
    assert_eq!(world.client.send(Call::put(&format!("/{BUCKET}/source"), &data)).await.status, 200);
    let id = begin(&world, Call::post(&key("?uploads"), "")).await;
    let copy = |number: u32| {
        Call::put(&key(&format!("?partNumber={number}&uploadId={id}")), "")
            .header("x-amz-copy-source", &format!("{BUCKET}/source"))
    };
    let all = world.client.send(copy(1)).await;
    assert_eq!(all.status, 200, "{}", all.text());
    let some = world.client.send(copy(2).header("x-amz-copy-source-range", "bytes=100-1099")).await;
    for bad in ["100-200", "bytes=5-", "bytes=-5", "bytes=9-1"] {
        let answer = world.client.send(copy(3).header("x-amz-copy-source-range", bad)).await;
        assert_eq!(answer.error(), (400, "InvalidArgument".into()), "{bad}");
    }
    let beyond = world.client.send(copy(3).header("x-amz-copy-source-range", "bytes=0-99999999")).await;
    assert_eq!(beyond.error(), (400, "InvalidRange".into()));
    let refused = world.client.send(copy(3).header("x-amz-copy-source-if-none-match", "*")).await;
    assert_eq!(refused.error(), (412, "PreconditionFailed".into()));
    let parts = [(1, all.one("ETag").unwrap()), (2, some.one("ETag").unwrap())];
    assert_eq!(world.client.send(complete(&id, &parts)).await.status, 200);
    assert_eq!(world.client.send(Call::delete(&format!("/{BUCKET}/source"))).await.status, 204);
    assert!(world.client.send(Call::get(&key(""))).await.body == [&data[..], &data[100..1100]].concat());
}
