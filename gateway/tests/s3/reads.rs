//! Reads of parts of objects, and reads on condition.

use crate::common::{Answer, BUCKET, Call, World, bytes};

fn key() -> String {
    format!("/{BUCKET}/k")
}

async fn stored(world: &World, data: &[u8]) -> Answer {
    let put = world.client.send(Call::put(&key(), data)).await;
    assert_eq!(put.status, 200, "{}", put.text());
    put
}

#[tokio::test]
async fn ranges_are_answered_as_rfc_9110_and_s3_say() {
    let world = World::new().await;
    let data = bytes(5_000_000);
    stored(&world, &data).await;
    let ranges = [
        ("bytes=0-0", 0..1),
        ("bytes=0-99", 0..100),
        ("bytes=65535-65536", 65_535..65_537),
        ("bytes=4194300-4194310", 4_194_300..4_194_311),
        ("bytes=4999999-", 4_999_999..5_000_000),
        ("bytes=4999990-99999999999999999999999", 4_999_990..5_000_000),
        ("bytes=-7", 4_999_993..5_000_000),
        ("bytes=-9999999", 0..5_000_000),
    ];
    for (range, bytes) in ranges {
        let got = world.client.send(Call::get(&key()).header("range", range)).await;
        assert_eq!(got.status, 206, "{range}");
        assert!(got.body == data[bytes.clone()], "{range}");
        let shown = format!("bytes {}-{}/5000000", bytes.start, bytes.end - 1);
        assert_eq!(got.header("content-range"), Some(shown.as_str()));
        let head = world.client.send(Call::head(&key()).header("range", range)).await;
        assert_eq!((head.status, head.header("content-range")), (206, Some(shown.as_str())));
    }
    for range in ["bytes=5000000-", "bytes=5000000-5000001", "bytes=-0"] {
        let got = world.client.send(Call::get(&key()).header("range", range)).await;
        assert_eq!(got.error(), (416, "InvalidRange".into()), "{range}");
        assert_eq!(got.header("content-range"), Some("bytes */5000000"));
    }
    for ignored in ["bytes=9-3", "bytes=0-1,4-5", "lines=0-1", "bytes=x-y", "gibberish"] {
        let got = world.client.send(Call::get(&key()).header("range", ignored)).await;
        assert!(got.status == 200 && got.body.len() == data.len(), "{ignored}: {}", got.status);
        assert_eq!(got.header("content-range"), None);
    }
}

#[tokio::test]
async fn an_empty_object_has_no_satisfiable_range() {
    let world = World::new().await;
    stored(&world, b"").await;
    let got = world.client.send(Call::get(&key()).header("range", "bytes=0-")).await;
    assert_eq!(got.error(), (416, "InvalidRange".into()));
    assert_eq!(world.client.send(Call::get(&key())).await.status, 200);
}

#[tokio::test]
async fn reads_are_conditional() {
    let world = World::new().await;
    let etag = stored(&world, b"x").await.header("etag").unwrap().to_owned();
    let other = "\"00000000000000000000000000000000\"";
    let (past, future) = ("Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT");
    let cases: &[(&[(&str, &str)], u16)] = &[
        (&[("if-match", &etag)], 200),
        (&[("if-match", "*")], 200),
        (&[("if-match", other)], 412),
        (&[("if-none-match", &etag)], 304),
        (&[("if-none-match", other)], 200),
        (&[("if-none-match", "*")], 304),
        (&[("if-modified-since", past)], 200),
        (&[("if-modified-since", future)], 304),
        (&[("if-unmodified-since", past)], 412),
        (&[("if-unmodified-since", future)], 200),
        (&[("if-match", &etag), ("if-unmodified-since", past)], 200),
        (&[("if-none-match", &etag), ("if-modified-since", past)], 304),
        (&[("if-none-match", other), ("if-modified-since", future)], 200),
        (&[("if-modified-since", "not a date")], 200),
        (&[("if-unmodified-since", "yesterday")], 200),
        (&[("if-none-match", "\"a\", \"b\"")], 200),
    ];
    for (headers, status) in cases {
        for method in ["GET", "HEAD"] {
            let call = headers.iter().fold(Call::new(method, &key(), ""), |call, (name, value)| call.header(name, value));
            let got = world.client.send(call).await;
            assert_eq!(got.status, *status, "{method} {headers:?}");
            if *status == 304 {
                assert_eq!((got.header("etag"), got.body.len()), (Some(etag.as_str()), 0));
            }
        }
    }
    let listed = format!("{other}, {etag}");
    assert_eq!(world.client.send(Call::get(&key()).header("if-none-match", &listed)).await.status, 304);
}

#[tokio::test]
async fn answers_can_be_overridden() {
    let world = World::new().await;
    stored(&world, b"x").await;
    let query = "?response-content-type=text%2Fplain&response-cache-control=no-store&response-content-disposition=inline\
                 &response-content-encoding=br&response-content-language=fr&response-expires=Thu%2C%2001%20Jan%202032%2000%3A00%3A00%20GMT";
    for call in [Call::get(&format!("{}{query}", key())), Call::head(&format!("{}{query}", key()))] {
        let got = world.client.send(call).await;
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(got.header("content-type"), Some("text/plain"));
        assert_eq!(got.header("cache-control"), Some("no-store"));
        assert_eq!(got.header("content-disposition"), Some("inline"));
        assert_eq!(got.header("content-encoding"), Some("br"));
        assert_eq!(got.header("content-language"), Some("fr"));
        assert_eq!(got.header("expires"), Some("Thu, 01 Jan 2032 00:00:00 GMT"));
    }
}

#[tokio::test]
async fn an_object_in_one_piece_is_its_first_part() {
    let world = World::new().await;
    stored(&world, b"0123456789").await;
    let first = world.client.send(Call::get(&format!("{}?partNumber=1", key()))).await;
    assert_eq!((first.status, first.body.as_slice()), (206, &b"0123456789"[..]));
    assert_eq!(first.header("x-amz-mp-parts-count"), None);
    let second = world.client.send(Call::get(&format!("{}?partNumber=2", key()))).await;
    assert_eq!(second.error(), (400, "InvalidPart".into()));
    for bad in ["0", "10001", "x"] {
        let answer = world.client.send(Call::get(&format!("{}?partNumber={bad}", key()))).await;
        assert_eq!(answer.error(), (400, "InvalidArgument".into()), "{bad}");
    }
    let both = Call::get(&format!("{}?partNumber=1", key())).header("range", "bytes=0-1");
    assert_eq!(world.client.send(both).await.error(), (400, "InvalidRequest".into()));
}
