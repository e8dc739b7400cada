//! What a body must hash to: five kinds and MD5, in headers; kept, and given back when asked for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::Md5;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::common::{BUCKET, Call, World};

const DATA: &[u8] = b"the bytes that are hashed";

fn key() -> String {
    format!("/{BUCKET}/k")
}

fn crc(algorithm: crc_fast::CrcAlgorithm, len: usize) -> String {
    let value = crc_fast::checksum(algorithm, DATA).to_be_bytes();
    BASE64.encode(&value[8 - len..])
}

fn all() -> [(&'static str, String); 5] {
    [
        ("crc32", crc(crc_fast::CrcAlgorithm::Crc32IsoHdlc, 4)),
        ("crc32c", crc(crc_fast::CrcAlgorithm::Crc32Iscsi, 4)),
        ("crc64nvme", crc(crc_fast::CrcAlgorithm::Crc64Nvme, 8)),
        ("sha1", BASE64.encode(Sha1::digest(DATA))),
        ("sha256", BASE64.encode(Sha256::digest(DATA))),
    ]
}

#[tokio::test]
async fn each_kind_is_checked_kept_and_given_back_on_request() {
    let world = World::new().await;
    for (name, value) in all() {
        let header = format!("x-amz-checksum-{name}");
        let put = world.client.send(Call::put(&key(), DATA).header(&header, &value)).await;
        assert_eq!((put.status, put.header(&header)), (200, Some(value.as_str())), "{}", put.text());
        assert_eq!(put.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
        for method in ["GET", "HEAD"] {
            let asked = world.client.send(Call::new(method, &key(), "").header("x-amz-checksum-mode", "ENABLED")).await;
            assert_eq!(asked.header(&header), Some(value.as_str()), "{method}");
            let not_asked = world.client.send(Call::new(method, &key(), "")).await;
            assert_eq!(not_asked.header(&header), None);
        }
        let part = Call::get(&key()).header("x-amz-checksum-mode", "ENABLED").header("range", "bytes=0-3");
        assert_eq!(world.client.send(part).await.header(&header), None);
    }
}

#[tokio::test]
async fn a_wrong_checksum_stores_nothing() {
    let world = World::new().await;
    for (name, value) in all() {
        let mut wrong = BASE64.decode(&value).unwrap();
        wrong[0] ^= 1;
        let call = Call::put(&key(), DATA).header(&format!("x-amz-checksum-{name}"), &BASE64.encode(wrong));
        let answer = world.client.send(call).await;
        assert_eq!(answer.error(), (400, "BadDigest".into()), "{name}");
        assert!(answer.text().contains(&name.to_uppercase()), "{}", answer.text());
        let malformed = Call::put(&key(), DATA).header(&format!("x-amz-checksum-{name}"), "AAA");
        assert_eq!(world.client.send(malformed).await.error(), (400, "BadDigest".into()), "{name}");
    }
    let big = Call::put(&key(), crate::common::bytes(300_000)).header("x-amz-checksum-crc32", &all()[0].1);
    assert_eq!(world.client.send(big).await.error(), (400, "BadDigest".into()));
    assert!(world.keys().await.is_empty());
    assert!(world.settled(0).await, "segments of a refused body are left");
}

#[tokio::test]
async fn content_md5_is_checked() {
    let world = World::new().await;
    let good = BASE64.encode(Md5::digest(DATA));
    assert_eq!(world.client.send(Call::put(&key(), DATA).header("content-md5", &good)).await.status, 200);
    let wrong = BASE64.encode(Md5::digest(b"else"));
    assert_eq!(world.client.send(Call::put(&key(), DATA).header("content-md5", &wrong)).await.error(), (400, "BadDigest".into()));
    assert_eq!(
        world.client.send(Call::put(&key(), DATA).header("content-md5", "what")).await.error(),
        (400, "InvalidDigest".into())
    );
    let document = "<Delete><Object><Key>k</Key></Object></Delete>";
    let delete = |md5: &str| Call::post(&format!("/{BUCKET}?delete"), document).header("content-md5", md5);
    assert_eq!(world.client.send(delete(&wrong)).await.error(), (400, "BadDigest".into()));
    assert_eq!(world.keys().await, ["k"]);
    assert_eq!(world.client.send(delete(&BASE64.encode(Md5::digest(document)))).await.status, 200);
}

#[tokio::test]
async fn two_kinds_at_once_or_a_name_without_a_value_are_refused() {
    let world = World::new().await;
    let [(crc32, first), _, _, (sha1, second), _] = all();
    let two = Call::put(&key(), DATA)
        .header(&format!("x-amz-checksum-{crc32}"), &first)
        .header(&format!("x-amz-checksum-{sha1}"), &second);
    assert_eq!(world.client.send(two).await.error(), (400, "InvalidRequest".into()));
    let bare = Call::put(&key(), DATA).header("x-amz-sdk-checksum-algorithm", "SHA256");
    assert_eq!(world.client.send(bare).await.error(), (400, "InvalidRequest".into()));
    assert!(world.keys().await.is_empty());
}

#[tokio::test]
async fn who_asks_for_none_gets_crc64nvme() {
    let world = World::new().await;
    let put = world.client.send(Call::put(&key(), DATA)).await;
    assert_eq!(put.header("x-amz-checksum-crc64nvme"), Some(all()[2].1.as_str()));
}
