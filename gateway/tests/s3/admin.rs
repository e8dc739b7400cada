//! The admin socket and the gauges of a running gateway.

use std::path::Path;
use std::time::Duration;

use nodio_gateway::admin::{BucketView, ObjectView, Reply, Request, call};

use crate::common::{BUCKET, Call, World, bytes, exchange_bytes};

const MIB: usize = 1024 * 1024;

fn objects(prefix: &str, key: Option<&str>, after: Option<String>, limit: usize) -> Request {
    Request::Objects { bucket: BUCKET.into(), prefix: prefix.into(), key: key.map(str::to_owned), after, limit }
}

async fn put(world: &World, target: &str, len: usize) {
    let answer = world.client.send(Call::put(target, bytes(len))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn asked(folder: &Path, request: &Request) -> Reply {
    call(folder, request).await.unwrap()
}

async fn all(folder: &Path, prefix: &str, limit: usize) -> Vec<ObjectView> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let Reply::Objects { objects, next } = asked(folder, &objects(prefix, None, after, limit)).await else {
            panic!("no page")
        };
        assert!(objects.len() <= limit);
        seen.extend(objects);
        after = next;
        if after.is_none() {
            return seen;
        }
    }
}

/// What was counted, as soon as all buckets were.
async fn counted(folder: &Path) -> Vec<BucketView> {
    for _ in 0..1000 {
        match asked(folder, &Request::Buckets { after: None }).await {
            Reply::Buckets { buckets, next: None, counted: true } => return buckets,
            Reply::Buckets { .. } => tokio::time::sleep(Duration::from_millis(10)).await,
            _ => panic!("refused"),
        }
    }
    panic!("nothing was counted within 10 s");
}

#[tokio::test]
async fn objects_are_told_page_by_page_with_their_parts() {
    let world = World::new().await;
    let folder = world.data_folder();
    for (at, len) in [("a/inline", 100), ("a/small", 50_000), ("b/large", 9 * MIB), ("empty", 0), ("a%2Fb c", 10)] {
        put(&world, &format!("/{BUCKET}/{}", crate::common::encoded(at)), len).await;
    }
    let whole = all(&folder, "", 1000).await;
    for limit in [1, 2, 3] {
        assert_eq!(all(&folder, "", limit).await, whole);
    }
    let keys: Vec<_> = whole.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(keys, ["a%2Fb c", "a/inline", "a/small", "b/large", "empty"]);
    let shape = |object: &ObjectView| {
        let parts: Vec<_> = object.parts.iter().map(|part| (part.code.map(|code| code.to_string()), part.segments)).collect();
        (object.inline, object.size, parts)
    };
    assert_eq!(shape(&whole[1]), (true, 100, vec![(None, 0)]));
    assert_eq!(shape(&whole[2]), (false, 50_000, vec![(Some("1/3".into()), 1)]));
    assert_eq!(shape(&whole[3]), (false, 9 * MIB as u64, vec![(Some("4/6".into()), 3)]));
    assert_eq!(shape(&whole[4]), (false, 0, vec![]));
    assert!(whole.iter().all(|object| object.newest && object.version.is_none() && !object.delete_marker));

    assert_eq!(all(&folder, "a/", 10).await, whole[1..3]);
    let Reply::Objects { objects: one, next: None } = asked(&folder, &objects("", Some("a/small"), None, 10)).await else {
        panic!("no page")
    };
    assert_eq!(one, whole[2..3]);
    world.stop().await;
}

#[tokio::test]
async fn nonsense_on_the_socket_is_refused_in_words() {
    let world = World::new().await;
    let folder = world.data_folder();
    let nowhere = Request::Objects { bucket: "not-there".into(), prefix: "".into(), key: None, after: None, limit: 1 };
    let badly_named = Request::Objects { bucket: "NO".into(), prefix: "".into(), key: None, after: None, limit: 1 };
    for (request, word) in [
        (nowhere, "no such bucket"),
        (badly_named, "a bucket name has"),
        (objects("", None, Some("xyz".into()), 1), "`after`"),
        (objects("", Some(""), None, 1), "an object key is not empty"),
        (Request::Buckets { after: Some("/".into()) }, "a bucket name has"),
    ] {
        let Reply::Refused { error } = asked(&folder, &request).await else { panic!("{word} was taken") };
        assert!(error.contains(word), "{error}");
    }
}

#[tokio::test]
async fn buckets_are_counted_when_first_asked_for_and_shown_as_gauges() {
    let world = World::with(|config| config.metrics_listen = Some(([127, 0, 0, 1], 0).into())).await;
    let folder = world.data_folder();
    assert_eq!(world.client.send(Call::put("/other-bucket", "")).await.status, 200);
    put(&world, &format!("/{BUCKET}/large"), 9 * MIB).await;
    put(&world, &format!("/{BUCKET}/inline"), 9).await;
    for target in [format!("/{BUCKET}/copy"), "/other-bucket/copy".to_owned()] {
        let copy = Call::put(&target, "").header("x-amz-copy-source", &format!("{BUCKET}/large"));
        assert_eq!(world.client.send(copy).await.status, 200);
    }
    let figures = |view: &BucketView| (view.bucket.clone(), view.objects, view.inline_objects, view.durability.segments);
    let seen: Vec<_> = counted(&folder).await.iter().map(figures).collect();
    assert_eq!(seen, [(BUCKET.to_owned(), 3, 1, 3), ("other-bucket".to_owned(), 1, 0, 3)]);

    let metrics = world.metrics_addr();
    let answer = exchange_bytes(metrics, b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("nodio_bucket_segments{bucket=\"other-bucket\",spare=\"2\"} 3\n"), "{}", answer.text());
    let elsewhere = exchange_bytes(metrics, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert_eq!(elsewhere.status, 404);
    world.stop().await;
}

#[tokio::test]
async fn what_waits_out_the_release_delay_is_counted() {
    let world = World::with(|config| config.release_after_ms = 3_600_000).await;
    let folder = world.data_folder();
    put(&world, &format!("/{BUCKET}/a"), 50_000).await;
    assert_eq!(world.client.send(Call::delete(&format!("/{BUCKET}/a"))).await.status, 204);
    let Reply::Waiting { waiting } = asked(&folder, &Request::Waiting).await else { panic!("refused") };
    assert_eq!((waiting.parts, waiting.more, waiting.release_after_ms), (1, false, 3_600_000));
    assert!(waiting.oldest.is_some());
}
