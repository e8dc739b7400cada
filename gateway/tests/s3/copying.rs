//! CopyObject.

use crate::common::{BUCKET, Call, World, bytes};

fn key(name: &str) -> String {
    format!("/{BUCKET}/{name}")
}

fn copy(from: &str, to: &str) -> Call {
    Call::put(&key(to), "").header("x-amz-copy-source", from)
}

#[tokio::test]
async fn a_copy_moves_no_data_and_outlives_its_source() {
    let world = World::new().await;
    for (len, segments) in [(10, 0), (100_000, 1), (9_000_000, 3)] {
        let data = bytes(len);
        let put =
            world.client.send(Call::put(&key("from"), &data).header("x-amz-meta-a", "1").header("content-type", "text/x")).await;
        assert_eq!(put.status, 200);
        let copied = world.client.send(copy(&format!("{BUCKET}/from"), "to")).await;
        assert_eq!(copied.status, 200, "{}", copied.text());
        assert_eq!(copied.one("ETag").as_deref(), put.header("etag"));
        assert_eq!(world.client.send(Call::delete(&key("from"))).await.status, 204);
        assert!(world.settled(segments).await, "{} segments", world.fleet.segments());
        let got = world.client.send(Call::get(&key("to"))).await;
        assert!(got.body == data);
        assert_eq!((got.header("x-amz-meta-a"), got.header("content-type")), (Some("1"), Some("text/x")));
        assert_eq!(world.client.send(Call::delete(&key("to"))).await.status, 204);
        assert!(world.settled(0).await);
    }
}

#[tokio::test]
async fn metadata_is_kept_or_replaced_as_told() {
    let world = World::new().await;
    let put = Call::put(&key("from"), "x").header("x-amz-meta-a", "1").header("x-amz-storage-class", "STANDARD_IA");
    assert_eq!(world.client.send(put).await.status, 200);
    let replace = copy(&key("from"), "to").header("x-amz-metadata-directive", "REPLACE").header("x-amz-meta-b", "2");
    assert_eq!(world.client.send(replace).await.status, 200);
    let got = world.client.send(Call::head(&key("to"))).await;
    assert_eq!((got.header("x-amz-meta-a"), got.header("x-amz-meta-b")), (None, Some("2")));
    assert_eq!(got.header("x-amz-storage-class"), None);
    let ignored = copy(&key("from"), "kept").header("x-amz-meta-b", "2");
    assert_eq!(world.client.send(ignored).await.status, 200);
    let got = world.client.send(Call::head(&key("kept"))).await;
    assert_eq!((got.header("x-amz-meta-a"), got.header("x-amz-meta-b")), (Some("1"), None));
    let odd = copy(&key("from"), "odd").header("x-amz-metadata-directive", "MERGE");
    assert_eq!(world.client.send(odd).await.error(), (400, "InvalidArgument".into()));
}

#[tokio::test]
async fn an_object_copied_onto_itself_must_change() {
    let world = World::new().await;
    assert_eq!(world.client.send(Call::put(&key("k"), bytes(100_000))).await.status, 200);
    assert_eq!(world.client.send(copy(&key("k"), "k")).await.error(), (400, "InvalidRequest".into()));
    let touched = copy(&key("k"), "k").header("x-amz-metadata-directive", "REPLACE").header("x-amz-meta-new", "1");
    assert_eq!(world.client.send(touched).await.status, 200);
    let got = world.client.send(Call::get(&key("k"))).await;
    assert!(got.body == bytes(100_000) && got.header("x-amz-meta-new") == Some("1"));
    assert!(world.settled(1).await);
}

#[tokio::test]
async fn sources_are_named_in_every_way() {
    let world = World::new().await;
    assert_eq!(world.client.send(Call::put(&key("a%20%2B%25%C3%BC"), "x")).await.status, 200);
    for source in [format!("{BUCKET}/a%20%2B%25%C3%BC"), format!("/{BUCKET}/a%20%2B%25%C3%BC?versionId=null")] {
        assert_eq!(world.client.send(copy(&source, "to")).await.status, 200, "{source}");
    }
    for (source, status, code) in [
        (format!("{BUCKET}/none"), 404, "NoSuchKey"),
        ("no-such-bucket-here/k".to_owned(), 404, "NoSuchBucket"),
        (format!("{BUCKET}/a%20%2B%25%C3%BC?versionId={}", "0".repeat(32)), 404, "NoSuchVersion"),
        ("nonsense".to_owned(), 400, "InvalidArgument"),
    ] {
        assert_eq!(world.client.send(copy(&source, "bad")).await.error(), (status, code.into()), "{source}");
    }
    assert_eq!(world.client.send(Call::head(&key("bad"))).await.status, 404);
}

#[tokio::test]
async fn copies_are_conditional_on_source_and_target() {
    let world = World::new().await;
    let etag = world.client.send(Call::put(&key("from"), "x")).await.header("etag").unwrap().to_owned();
    let past = "Mon, 01 Jan 2001 00:00:00 GMT";
    let other = "\"00000000000000000000000000000000\"";
    for (name, value, status) in [
        ("x-amz-copy-source-if-match", etag.as_str(), 200),
        ("x-amz-copy-source-if-match", other, 412),
        ("x-amz-copy-source-if-none-match", etag.as_str(), 412),
        ("x-amz-copy-source-if-none-match", other, 200),
        ("x-amz-copy-source-if-modified-since", past, 200),
        ("x-amz-copy-source-if-unmodified-since", past, 412),
        ("if-none-match", "*", 412),
    ] {
        let answer = world.client.send(copy(&key("from"), "to").header(name, value)).await;
        assert_eq!(answer.status, status, "{name}: {value}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_checksum_is_carried_or_computed_anew() {
    let world = World::new().await;
    let data = bytes(200_000);
    let put = world.client.send(Call::put(&key("from"), &data)).await;
    let carried = world.client.send(copy(&key("from"), "to")).await;
    assert_eq!(carried.one("ChecksumCRC64NVME").as_deref(), put.header("x-amz-checksum-crc64nvme"));
    let computed = world.client.send(copy(&key("from"), "to").header("x-amz-checksum-algorithm", "CRC32")).await;
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, &data) as u32;
    use base64::Engine;
    let wanted = base64::engine::general_purpose::STANDARD.encode(crc.to_be_bytes());
    assert_eq!(computed.one("ChecksumCRC32"), Some(wanted));
}
