//! aws-chunked bodies: taken whole in every form, refused when cut, malformed or not what was announced.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::common::{BUCKET, Call, Payload, World, bytes};

const UNSIGNED: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";

fn key() -> String {
    format!("/{BUCKET}/k")
}

fn crc32(data: &[u8]) -> String {
    let value = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, data) as u32;
    BASE64.encode(value.to_be_bytes())
}

/// An unsigned chunked PUT in chunks of `size`, with a CRC32 trailer.
fn unsigned(data: &[u8], size: usize, trailer: &str) -> Call {
    let mut body = Vec::new();
    for chunk in data.chunks(size) {
        body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("0\r\nx-amz-checksum-crc32:{trailer}\r\n\r\n").as_bytes());
    Call::put(&key(), body)
        .payload(Payload::As(UNSIGNED))
        .header("content-encoding", "aws-chunked")
        .header("x-amz-decoded-content-length", &data.len().to_string())
        .header("x-amz-trailer", "x-amz-checksum-crc32")
        .header("x-amz-sdk-checksum-algorithm", "CRC32")
}

#[tokio::test]
async fn an_unsigned_body_comes_through_in_any_chunking() {
    let world = World::new().await;
    let data = bytes(3_000_001);
    for size in [65_536, 1_000_000, 4_000_000] {
        let put = world.client.send(unsigned(&data, size, &crc32(&data))).await;
        assert_eq!((put.status, put.header("x-amz-checksum-crc32")), (200, Some(crc32(&data).as_str())), "{}", put.text());
        let got = world.client.send(Call::get(&key())).await;
        assert!(got.body == data, "{size}");
        assert_eq!(got.header("content-encoding"), None);
    }
}

#[tokio::test]
async fn a_cut_body_is_never_stored_and_never_answered_200() {
    let world = World::new().await;
    let data = bytes(200_000);
    let call = unsigned(&data, 65_536, &crc32(&data));
    let last = call.body.len() - format!("0\r\nx-amz-checksum-crc32:{}\r\n\r\n", crc32(&data)).len();
    // The sender ends its body early and says so by a shorter Content-Length: HTTP has nothing to complain of.
    for keep in [0, 5, 65_536 + 7, last, last + 3, call.body.len() - 10] {
        let mut cut = call.clone();
        cut.body.truncate(keep);
        let answer = world.client.send(cut).await;
        let (status, code) = answer.error();
        assert_eq!(status, 400, "{keep}: {code}");
        assert!(code == "IncompleteBody" || code == "MalformedTrailerError", "{keep}: {code}");
    }
    // The connection ends in the middle.
    if let Some(answer) = world.client.send_cut(call, 100_000).await {
        assert_eq!(answer.error().0, 400);
    }
    assert!(world.keys().await.is_empty());
    assert!(world.settled(0).await, "segments of refused bodies are left");
}

#[tokio::test]
async fn chunks_that_do_not_add_up_are_refused() {
    let world = World::new().await;
    for announced in [9, 11, 1_000_000] {
        let mut call = unsigned(b"0123456789", 4, &crc32(b"0123456789"));
        call.headers.retain(|(name, _)| name != "x-amz-decoded-content-length");
        let call = call.header("x-amz-decoded-content-length", &announced.to_string());
        assert_eq!(world.client.send(call).await.error(), (400, "IncompleteBody".into()), "{announced}");
    }
    let mut call = unsigned(b"0123456789", 4, &crc32(b"0123456789"));
    call.headers.retain(|(name, _)| name != "x-amz-decoded-content-length");
    assert_eq!(world.client.send(call).await.error(), (411, "MissingContentLength".into()));
    assert!(world.keys().await.is_empty());
}

#[tokio::test]
async fn trailing_checksums_are_held_to() {
    let world = World::new().await;
    let wrong = world.client.send(unsigned(b"hello", 5, &crc32(b"hallo"))).await;
    assert_eq!(wrong.error(), (400, "BadDigest".into()));
    let mut missing = unsigned(b"hello", 5, "");
    missing.body = b"5\r\nhello\r\n0\r\n\r\n".to_vec();
    assert_eq!(world.client.send(missing).await.error(), (400, "MalformedTrailerError".into()));
    let mut other = unsigned(b"hello", 5, "");
    other.body = b"5\r\nhello\r\n0\r\nx-amz-checksum-sha1:AAAA\r\n\r\n".to_vec();
    assert_eq!(world.client.send(other).await.error(), (400, "MalformedTrailerError".into()));
    assert!(world.keys().await.is_empty());
}

#[tokio::test]
async fn signed_chunks_are_checked_one_by_one() {
    let world = World::new().await;
    let data = bytes(150_000);
    let call = Call::put(&key(), "").payload(Payload::As(SIGNED)).header("x-amz-decoded-content-length", "150000");
    let chunks: Vec<&[u8]> = data.chunks(65_536).collect();
    let (mut body, _) = world.client.chunked(&call, &chunks);
    body.extend_from_slice(b"\r\n");
    let good = Call { body: body.clone(), ..call.clone() };
    assert_eq!(world.client.send(good).await.status, 200);
    assert!(world.client.send(Call::get(&key())).await.body == data);
    assert_eq!(world.client.send(Call::delete(&key())).await.status, 204);

    let mut flipped = Call { body: body.clone(), ..call.clone() };
    flipped.body[70_000] ^= 1;
    assert_eq!(world.client.send(flipped).await.error(), (403, "SignatureDoesNotMatch".into()));
    let cut = Call { body: body[..65_536 + 88].to_vec(), ..call };
    assert_eq!(world.client.send(cut).await.error(), (400, "IncompleteBody".into()));
    assert!(world.keys().await.is_empty());
}

#[tokio::test]
async fn signed_chunks_may_end_in_a_signed_trailer() {
    let world = World::new().await;
    let data = bytes(100_000);
    let call = Call::put(&key(), "")
        .payload(Payload::As("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"))
        .header("x-amz-decoded-content-length", "100000")
        .header("x-amz-trailer", "x-amz-checksum-crc32");
    let trailer = |value: &str| format!("x-amz-checksum-crc32:{value}\n");
    let (chunks, last) = world.client.chunked(&call, &[&data[..65_536], &data[65_536..]]);
    let with = |value: &str, signature: &str| {
        let end = format!("x-amz-checksum-crc32:{value}\r\nx-amz-trailer-signature:{signature}\r\n\r\n");
        Call { body: [&chunks[..], end.as_bytes()].concat(), ..call.clone() }
    };
    let good = crc32(&data);
    let signature = world.client.trailer_signature(&call, &last, &trailer(&good));
    let forged = world.client.send(with(&good, &"0".repeat(64))).await;
    assert_eq!(forged.error(), (403, "SignatureDoesNotMatch".into()));
    let wrong = crc32(b"else");
    let wrong_signature = world.client.trailer_signature(&call, &last, &trailer(&wrong));
    assert_eq!(world.client.send(with(&wrong, &wrong_signature)).await.error(), (400, "BadDigest".into()));
    let missing = Call { body: [&chunks[..], b"\r\n"].concat(), ..call.clone() };
    assert_eq!(world.client.send(missing).await.error(), (400, "MalformedTrailerError".into()));
    assert!(world.keys().await.is_empty());
    let put = world.client.send(with(&good, &signature)).await;
    assert_eq!((put.status, put.header("x-amz-checksum-crc32")), (200, Some(good.as_str())), "{}", put.text());
    assert!(world.client.send(Call::get(&key())).await.body == data);
}

#[tokio::test]
async fn a_signed_chunk_too_long_to_hold_is_refused() {
    let world = World::new().await;
    let body = format!("{:x};chunk-signature={}\r\n", 17 * 1024 * 1024, "0".repeat(64));
    let call = Call::put(&key(), body).payload(Payload::As(SIGNED)).header("x-amz-decoded-content-length", "17825792");
    assert_eq!(world.client.send(call).await.error(), (400, "InvalidChunkSizeError".into()));
}
