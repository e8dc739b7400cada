//! Objects put, found, replaced and deleted, with everything they carry.

use crate::common::{BUCKET, Call, World, bytes, encoded};

fn key(name: &str) -> String {
    format!("/{BUCKET}/{name}")
}

#[tokio::test]
async fn objects_of_every_size_come_back_and_leave_nothing_when_deleted() {
    let world = World::new().await;
    for len in [0, 1, 4096, 4097, 65_536, 65_537, 1_048_577, 9_000_000] {
        let data = bytes(len);
        let put = world.client.send(Call::put(&key("k"), &data)).await;
        assert_eq!(put.status, 200, "{len}: {}", put.text());
        let got = world.client.send(Call::get(&key("k"))).await;
        assert!(got.status == 200 && got.whole && got.body == data, "{len}");
        assert_eq!(got.header("etag"), put.header("etag"));
        assert_eq!(got.header("accept-ranges"), Some("bytes"));
        let head = world.client.send(Call::head(&key("k"))).await;
        assert_eq!((head.status, head.header("content-length")), (200, Some(len.to_string().as_str())));
        assert_eq!(head.header("last-modified"), got.header("last-modified"));
    }
    assert_eq!(world.client.send(Call::delete(&key("k"))).await.status, 204);
    assert_eq!(world.client.send(Call::get(&key("k"))).await.error(), (404, "NoSuchKey".into()));
    assert_eq!(world.client.send(Call::delete(&key("k"))).await.status, 204);
    assert!(world.settled(0).await, "{} segments are left", world.fleet.segments());
    world.stop().await;
}

#[tokio::test]
async fn no_plaintext_and_no_name_reaches_a_donor() {
    let world = World::new().await;
    let marker = "a-marker-nobody-else-writes".repeat(10_000);
    assert_eq!(world.client.send(Call::put(&key("name-marker"), &marker)).await.status, 200);
    let held = world.donors.held();
    assert!(!held.is_empty());
    for (_, _, shard) in held {
        let text = String::from_utf8_lossy(&shard);
        assert!(!text.contains("a-marker-nobody") && !text.contains("name-marker"));
    }
}

#[tokio::test]
async fn names_are_taken_as_they_are() {
    let world = World::new().await;
    let names = ["a b", "ü/漢字", "a+b", "100%", "dir/", "a//b", "q?x=1&y", "../up", "~.-_*'()!", "emoji-😀", "a\tb"];
    for name in names {
        let target = key(&encoded(name));
        assert_eq!(world.client.send(Call::put(&target, name)).await.status, 200, "{name}");
        assert_eq!(world.client.send(Call::get(&target)).await.body, name.as_bytes(), "{name}");
    }
    let mut sorted = names.map(str::to_owned);
    sorted.sort();
    assert_eq!(world.keys().await, sorted);
}

#[tokio::test]
async fn headers_and_metadata_come_back_as_they_were() {
    let world = World::new().await;
    let pairs = [
        ("content-type", "text/x-test; charset=utf-8"),
        ("cache-control", "max-age=60"),
        ("content-disposition", "attachment; filename=\"x\""),
        ("content-encoding", "deflate, gzip"),
        ("content-language", "de"),
        ("expires", "Thu, 01 Jan 2032 00:00:00 GMT"),
        ("x-amz-meta-one", "1"),
        ("x-amz-meta-two-words", "a b"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-website-redirect-location", "/other"),
        ("x-amz-server-side-encryption", "AES256"),
    ];
    let put = pairs.iter().fold(Call::put(&key("k"), "x"), |call, (name, value)| call.header(name, value));
    let answer = world.client.send(put).await;
    assert_eq!((answer.status, answer.header("x-amz-server-side-encryption")), (200, Some("AES256")));
    for call in [Call::get(&key("k")), Call::head(&key("k"))] {
        let got = world.client.send(call).await;
        for (name, value) in pairs {
            assert_eq!(got.header(name), Some(value), "{name}");
        }
    }
    let plain = world.client.send(Call::put(&key("plain"), "x")).await;
    assert_eq!(plain.status, 200);
    let got = world.client.send(Call::get(&key("plain"))).await;
    assert_eq!(got.header("content-type"), Some("binary/octet-stream"));
    assert_eq!(got.header("x-amz-storage-class"), None);
    let bad = world.client.send(Call::put(&key("bad"), "x").header("x-amz-storage-class", "CHEAP")).await;
    assert_eq!(bad.error(), (400, "InvalidStorageClass".into()));
}

#[tokio::test]
async fn metadata_beyond_ascii_is_encoded_as_rfc_2047() {
    let world = World::new().await;
    let put = Call::put(&key("k"), "x").header("x-amz-meta-name", "=?UTF-8?B?w7xiZXI=?=");
    assert_eq!(world.client.send(put).await.status, 200);
    let got = world.client.send(Call::get(&key("k"))).await;
    assert_eq!(got.header("x-amz-meta-name"), Some("=?UTF-8?B?w7xiZXI=?="));
}

#[tokio::test]
async fn an_expires_that_is_no_date_is_kept_as_it_is() {
    let world = World::new().await;
    let put = Call::put(&key("k"), "body").header("expires", "0");
    assert_eq!(world.client.send(put).await.status, 200);
    let got = world.client.send(Call::get(&key("k"))).await;
    assert_eq!((got.header("expires"), got.body.as_slice()), (Some("0"), &b"body"[..]));
}

#[tokio::test]
async fn writes_are_conditional() {
    let world = World::new().await;
    let absent = || Call::put(&key("k"), "first").header("if-none-match", "*");
    let first = world.client.send(absent()).await;
    assert_eq!(first.status, 200);
    assert_eq!(world.client.send(absent()).await.error(), (412, "PreconditionFailed".into()));
    let etag = first.header("etag").unwrap().to_owned();
    let replace = |etag: &str| Call::put(&key("k"), "second").header("if-match", etag);
    assert_eq!(world.client.send(replace("\"00000000000000000000000000000000\"")).await.error().0, 412);
    assert_eq!(world.client.send(replace(&etag)).await.status, 200);
    assert_eq!(world.client.send(replace(&etag)).await.error(), (412, "PreconditionFailed".into()));
    let missing = Call::put(&key("none"), "x").header("if-match", &etag);
    assert_eq!(world.client.send(missing).await.error(), (404, "NoSuchKey".into()));
    let other = |etag: &str| Call::put(&key("k"), "third").header("if-none-match", etag);
    let second = world.client.send(Call::head(&key("k"))).await.header("etag").unwrap().to_owned();
    assert_eq!(world.client.send(other(&second)).await.error(), (412, "PreconditionFailed".into()));
    assert_eq!(world.client.send(other(second.trim_matches('"'))).await.error(), (412, "PreconditionFailed".into()));
    assert_eq!(world.client.send(Call::get(&key("k"))).await.body, b"second");
    assert_eq!(world.client.send(other(&etag)).await.status, 200);
    assert_eq!(world.client.send(Call::get(&key("k"))).await.body, b"third");
    let delete = Call::delete(&key("k")).header("if-match", &etag);
    assert_eq!(world.client.send(delete).await.error(), (412, "PreconditionFailed".into()));
}

#[tokio::test]
async fn deletes_are_conditional_on_tag_size_and_time() {
    let world = World::new().await;
    let client = &world.client;
    let written = client.send(Call::put(&key("k"), "four")).await;
    let (etag, head) = (written.header("etag").unwrap().to_owned(), client.send(Call::head(&key("k"))).await);
    let modified = head.header("last-modified").unwrap().to_owned();
    let (size, time, tag) = ("x-amz-if-match-size", "x-amz-if-match-last-modified-time", "if-match");
    let delete =
        |pairs: &[(&str, &str)]| pairs.iter().fold(Call::delete(&key("k")), |call, (name, value)| call.header(name, value));
    for (name, value) in [(size, "5"), (size, "-1"), (time, "Thu, 01 Jan 2015 00:00:00 GMT"), (tag, "\"no\"")] {
        let refused = client.send(delete(&[(name, value)])).await;
        assert_eq!(refused.error(), (412, "PreconditionFailed".into()), "{name}: {value}");
    }
    let many = "<Delete><Object><Key>k</Key><Size>5</Size></Object></Delete>";
    let answer = client.send(Call::post(&format!("/{BUCKET}?delete"), many)).await;
    assert_eq!((answer.status, answer.one("Code").as_deref()), (200, Some("PreconditionFailed")));
    assert_eq!(world.keys().await, ["k"]);
    for _ in 0..2 {
        assert_eq!(client.send(delete(&[(tag, &etag), (size, "4"), (time, &modified)])).await.status, 204);
        assert!(world.keys().await.is_empty());
    }
    for (name, value) in [(tag, "*"), (tag, "\"no\""), (size, "9")] {
        assert_eq!(client.send(delete(&[(name, value)])).await.status, 204, "what isn't there is gone already");
    }
    assert_eq!(client.send(Call::post(&format!("/{BUCKET}?delete"), many)).await.all("Key"), ["k"]);
}

#[tokio::test]
async fn of_many_writers_that_race_for_absence_one_wins() {
    let world = World::new().await;
    let racers = (0..12).map(|i| {
        let client = world.client.clone();
        async move { client.send(Call::put(&key("race"), bytes(100_000 + i)).header("if-none-match", "*")).await }
    });
    let answers = futures::future::join_all(racers).await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.error().1 == "PreconditionFailed"));
    assert!(world.settled(1).await, "{} segments for one object", world.fleet.segments());
}

#[tokio::test]
async fn many_keys_are_deleted_at_once() {
    let world = World::new().await;
    for name in ["a", "b", "c%26d"] {
        assert_eq!(world.client.send(Call::put(&key(name), "x")).await.status, 200);
    }
    let objects = |names: &[&str]| names.iter().map(|name| format!("<Object><Key>{name}</Key></Object>")).collect::<String>();
    let long = "k".repeat(1025);
    let document = format!("<Delete>{}</Delete>", objects(&["a", "none", "c&amp;d", &long]));
    let answer = world.client.send(Call::post(&format!("/{BUCKET}?delete"), document)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.text().matches("<Deleted>").count(), 3);
    assert_eq!(answer.one("Code").as_deref(), Some("KeyTooLongError"));
    assert_eq!(world.keys().await, ["b"]);
    let quiet =
        format!("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>{}</Delete>", objects(&["b"]));
    let answer = world.client.send(Call::post(&format!("/{BUCKET}?delete"), quiet)).await;
    assert_eq!((answer.status, answer.text().contains("<Deleted>")), (200, false));
    assert!(world.keys().await.is_empty());
}

#[tokio::test]
async fn the_null_version_is_the_object_and_there_is_no_other() {
    let world = World::new().await;
    assert_eq!(world.client.send(Call::put(&key("k"), "x")).await.status, 200);
    assert_eq!(world.client.send(Call::get(&key("k?versionId=null"))).await.body, b"x");
    let other = format!("k?versionId={}", "0".repeat(32));
    assert_eq!(world.client.send(Call::get(&key(&other))).await.error(), (404, "NoSuchVersion".into()));
    assert_eq!(world.client.send(Call::get(&key("k?versionId=what"))).await.error(), (400, "InvalidArgument".into()));
    let tags = world.client.send(Call::get(&key("k?tagging"))).await;
    assert_eq!((tags.status, tags.all("Tag").len()), (200, 0));
    assert_eq!(world.client.send(Call::delete(&key("k?versionId=null"))).await.status, 204);
    assert!(world.keys().await.is_empty());
}
