//! Absurd requests get S3's own error codes and store nothing.

use crate::common::{BUCKET, Call, Payload, World, exchange_bytes};

#[tokio::test]
async fn keys_have_at_most_1024_bytes() {
    let world = World::new().await;
    let longest = format!("/{BUCKET}/{}", "k".repeat(1024));
    assert_eq!(world.client.send(Call::put(&longest, "x")).await.status, 200);
    assert_eq!(world.client.send(Call::get(&longest)).await.body, b"x");
    let long = format!("/{BUCKET}/{}", "k".repeat(1025));
    for call in [Call::put(&long, "x"), Call::get(&long), Call::delete(&long)] {
        assert_eq!(world.client.send(call).await.error(), (400, "KeyTooLongError".into()));
    }
    let encoded = format!("/{BUCKET}/{}", "%C3%BC".repeat(513));
    assert_eq!(world.client.send(Call::put(&encoded, "x")).await.error(), (400, "KeyTooLongError".into()));
    assert_eq!(world.keys().await.len(), 1);
}

#[tokio::test]
async fn lengths_must_be_said_and_kept() {
    let world = World::new().await;
    let key = format!("/{BUCKET}/k");
    let mut none = Call::put(&key, "").payload(Payload::Unsigned);
    none.length = Some(None);
    assert_eq!(world.client.send(none).await.error(), (411, "MissingContentLength".into()));
    let mut huge = Call::put(&key, "").payload(Payload::Unsigned);
    huge.length = Some(Some(5 * 1024 * 1024 * 1024 + 1));
    assert_eq!(world.client.send(huge).await.error(), (400, "EntityTooLarge".into()));
    let mut short = Call::put(&key, "0123456789").payload(Payload::Unsigned);
    short.length = Some(Some(20));
    if let Some(answer) = world.client.send_cut(short, 10).await {
        assert_eq!(answer.error(), (400, "IncompleteBody".into()));
    }
    assert!(world.keys().await.is_empty());
    assert!(world.settled(0).await);
}

/// The AWS SDK for Rust sends none, where others send `Content-Length: 0`.
#[tokio::test]
async fn what_has_no_body_needs_no_length() {
    let world = World::new().await;
    let key = format!("/{BUCKET}/k");
    assert_eq!(world.client.send(Call::put(&key, "x")).await.status, 200);
    let begin = Call::post(&format!("{key}?uploads"), "");
    let calls = [
        begin.clone(),
        Call::put(&format!("{key}?acl"), "").header("x-amz-acl", "private"),
        Call::put(&format!("/{BUCKET}/copy"), "").header("x-amz-copy-source", &key),
        Call::put("/another-bucket", ""),
    ];
    for (call, payload) in calls.iter().flat_map(|call| [(call, Payload::Signed), (call, Payload::Unsigned)]) {
        let mut call = call.clone().payload(payload);
        call.length = Some(None);
        let answer = world.client.send(call.clone()).await;
        assert_eq!(answer.status, 200, "{} {}: {}", call.method, call.target, answer.text());
    }
    const OF_SOMETHING: &str = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    let mut other = begin.payload(Payload::As(OF_SOMETHING));
    other.length = Some(None);
    assert_eq!(world.client.send(other).await.status / 100, 4);
}

#[tokio::test]
async fn a_large_body_that_breaks_off_leaves_nothing_behind() {
    let world = World::new().await;
    let mut call = Call::put(&format!("/{BUCKET}/k"), crate::common::bytes(9_000_000)).payload(Payload::Unsigned);
    call.length = Some(Some(20_000_000));
    if let Some(answer) = world.client.send_cut(call, 9_000_000).await {
        assert_eq!(answer.error(), (400, "IncompleteBody".into()));
    }
    assert!(world.keys().await.is_empty());
    assert!(world.settled(0).await, "{} segments are left", world.fleet.segments());
}

#[tokio::test]
async fn uris_heads_and_methods_are_bounded() {
    let world = World::new().await;
    for target in [format!("/{BUCKET}/a%zz"), format!("/{BUCKET}/a%"), format!("/{BUCKET}/a%00b"), format!("/{BUCKET}/a%FF")] {
        assert_eq!(world.client.send_unsigned(Call::get(&target)).await.error(), (400, "InvalidURI".into()), "{target}");
    }
    let long = format!("/{BUCKET}/{}", "k".repeat(20_000));
    assert_eq!(world.client.send_unsigned(Call::get(&long)).await.error(), (414, "InvalidURI".into()));
    let heavy = Call::get(&format!("/{BUCKET}")).header("x-heavy", &"v".repeat(20_000));
    assert_eq!(world.client.send(heavy).await.error(), (400, "RequestHeaderSectionTooLarge".into()));
    let patch = Call::new("PATCH", &format!("/{BUCKET}/k"), "");
    assert_eq!(world.client.send(patch).await.error(), (405, "MethodNotAllowed".into()));
    let form = Call::post(&format!("/{BUCKET}"), "--x--").header("content-type", "multipart/form-data; boundary=x");
    assert_eq!(world.client.send_unsigned(form).await.error(), (400, "InvalidArgument".into()));
}

#[tokio::test]
async fn malformed_and_oversized_documents_are_refused() {
    let world = World::new().await;
    let delete = format!("/{BUCKET}?delete");
    for document in ["<Delete>", "nonsense", "<Delete></Delete>", "<Delete><Object></Object></Delete>", "<Remove/>"] {
        assert_eq!(world.client.send(Call::post(&delete, document)).await.error(), (400, "MalformedXML".into()), "{document}");
    }
    let many = |count: usize| {
        let objects: String = (0..count).map(|i| format!("<Object><Key>{i}</Key></Object>")).collect();
        format!("<Delete>{objects}</Delete>")
    };
    assert_eq!(world.client.send(Call::post(&delete, many(1001))).await.error(), (400, "MalformedXML".into()));
    assert_eq!(world.client.send(Call::post(&delete, many(1000))).await.status, 200);
    let huge = format!("<Delete>{}</Delete>", " ".repeat(9 * 1024 * 1024));
    assert_eq!(world.client.send(Call::post(&delete, &huge)).await.error(), (400, "MaxMessageLengthExceeded".into()));
    assert_eq!(world.client.send(Call::put("/another-bucket", &huge)).await.error(), (400, "MaxMessageLengthExceeded".into()));
}

#[tokio::test]
async fn user_metadata_has_at_most_2_kib() {
    let world = World::new().await;
    let key = format!("/{BUCKET}/k");
    let fits = Call::put(&key, "x").header("x-amz-meta-m", &"v".repeat(2047));
    assert_eq!(world.client.send(fits).await.status, 200);
    let over = Call::put(&format!("/{BUCKET}/l"), "x").header("x-amz-meta-m", &"v".repeat(2048));
    assert_eq!(world.client.send(over).await.error(), (400, "MetadataTooLarge".into()));
    assert_eq!(world.keys().await, ["k"]);
}

#[tokio::test]
async fn what_is_not_built_is_refused_rather_than_ignored() {
    let world = World::new().await;
    for (name, value) in [("x-amz-server-side-encryption", "aws:kms:dsse"), ("x-amz-acl", "aws-exec-read")] {
        let answer = world.client.send(Call::put(&format!("/{BUCKET}/k"), "x").header(name, value)).await;
        assert_eq!(answer.error(), (501, "NotImplemented".into()), "{name}");
    }
    let analytics = world.client.send(Call::get(&format!("/{BUCKET}?analytics&id=x"))).await;
    assert_eq!(analytics.error(), (501, "NotImplemented".into()));
    assert!(world.keys().await.is_empty());
}

#[tokio::test]
async fn every_answer_has_its_ids_and_the_connection_goes_on() {
    let world = World::new().await;
    let (first, _) = world.client.request(&Call::head(&format!("/{BUCKET}")));
    let first = String::from_utf8(first).unwrap().replace("connection: close\r\n", "").into_bytes();
    let (second, _) = world.client.request(&Call::get(&format!("/{BUCKET}/none")));
    let both = exchange_bytes(world.addr, &[first, second].concat()).await;
    assert_eq!(both.status, 200);
    assert!(both.header("x-amz-request-id").is_some_and(|id| id.len() == 16));
    assert!(both.header("x-amz-id-2").is_some());
    assert!(both.text().contains("<Code>NoSuchKey</Code>"), "{}", both.text());
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_is_told_to() {
    let world = World::new().await;
    let put = Call::put(&format!("/{BUCKET}/k"), "body").unsigned_header("expect", "100-continue");
    assert_eq!(world.client.send(put).await.status, 200);
    let refused = Call::put("/no-such-bucket-here/k", "body").unsigned_header("expect", "100-continue");
    assert_eq!(world.client.send(refused).await.error(), (404, "NoSuchBucket".into()));
    assert_eq!(world.client.send(Call::get(&format!("/{BUCKET}/k"))).await.body, b"body");
}
