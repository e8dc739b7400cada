//! Storage classes: kept, told, and stored by codes of their own where the configuration says so.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use nodio_wire::CodePolicy;
use sha2::{Digest, Sha256};

use crate::common::{Answer, BUCKET, Call, World, bytes};

const LEAN: &str = "REDUCED_REDUNDANCY";

fn key(name: &str) -> String {
    format!("/{BUCKET}/{name}")
}

/// STANDARD is stored 4/6, the lean class 2/3.
async fn world() -> World {
    let lean: CodePolicy = "2/3".parse().unwrap();
    World::with(|config| config.storage_codes = [(LEAN.to_owned(), lean)].into()).await
}

async fn must(world: &World, call: Call) -> Answer {
    let answer = world.client.send(call).await;
    assert!(answer.status < 300, "{}", answer.text());
    answer
}

fn copy(from: &str, to: &str) -> Call {
    Call::put(&key(to), "").header("x-amz-copy-source", &key(from))
}

#[tokio::test]
async fn a_class_is_stored_by_its_own_code_and_others_as_standard_is() {
    let world = world().await;
    for (class, code) in [("STANDARD", "4/6"), (LEAN, "2/3"), ("STANDARD_IA", "4/6")] {
        let body = bytes(1 << 20);
        must(&world, Call::put(&key("k"), &body).header("x-amz-storage-class", class)).await;
        assert!(world.settled_as(&[code]).await, "{class}: {:?}", world.fleet.codes());
        let got = must(&world, Call::get(&key("k"))).await;
        assert_eq!(got.header("x-amz-storage-class"), Some(class).filter(|class| *class != "STANDARD"));
        assert!(got.body == body);
    }
}

#[tokio::test]
async fn the_parts_of_an_upload_have_the_code_of_its_class() {
    let world = world().await;
    let begin = Call::post(&key("up?uploads"), "").header("x-amz-storage-class", LEAN);
    let id = must(&world, begin).await.one("UploadId").unwrap();
    must(&world, Call::put(&key("whole"), bytes(5 << 20))).await;
    let part = must(&world, Call::put(&key(&format!("up?partNumber=1&uploadId={id}")), bytes(5 << 20))).await;
    let copied = Call::put(&key(&format!("up?partNumber=2&uploadId={id}")), "").header("x-amz-copy-source", &key("whole"));
    let copied = must(&world, copied).await.one("ETag").unwrap();
    let parts = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>\
         <Part><PartNumber>2</PartNumber><ETag>{copied}</ETag></Part></CompleteMultipartUpload>",
        part.header("etag").unwrap()
    );
    must(&world, Call::post(&key(&format!("up?uploadId={id}")), parts)).await;
    must(&world, Call::delete(&key("whole"))).await;
    // Two MiB of plaintext are a segment of 2/3: three to each part.
    assert!(world.settled_as(&["2/3"; 6]).await, "{:?}", world.fleet.codes());
    assert_eq!(must(&world, Call::head(&key("up"))).await.header("x-amz-storage-class"), Some(LEAN));
}

#[tokio::test]
async fn a_copy_into_a_class_of_another_code_is_written_anew_and_no_other_is() {
    let world = world().await;
    let body = bytes(1 << 20);
    let put = Call::put(&key("k"), &body).header("x-amz-storage-class", LEAN).header("x-amz-meta-a", "1");
    let sha256 = BASE64.encode(Sha256::digest(&body));
    let etag = must(&world, put.header("x-amz-checksum-sha256", &sha256)).await.header("etag").unwrap().to_owned();
    must(&world, copy("k", "same").header("x-amz-storage-class", LEAN)).await;
    assert!(world.settled_as(&["2/3"]).await, "no data moves: {:?}", world.fleet.codes());

    let answer = must(&world, copy("k", "k").header("x-amz-storage-class", "STANDARD")).await;
    assert_eq!(answer.one("ETag").as_deref(), Some(etag.as_str()));
    assert!(world.settled_as(&["2/3", "4/6"]).await, "{:?}", world.fleet.codes());
    must(&world, Call::delete(&key("same"))).await;
    assert!(world.settled_as(&["4/6"]).await, "{:?}", world.fleet.codes());
    let got = must(&world, Call::get(&key("k")).header("x-amz-checksum-mode", "ENABLED")).await;
    assert!(got.body == body);
    assert_eq!((got.header("x-amz-meta-a"), got.header("x-amz-storage-class")), (Some("1"), None));
    assert_eq!(got.header("x-amz-checksum-sha256"), Some(sha256.as_str()));

    let failed = copy("k", "other").header("x-amz-storage-class", LEAN).header("if-match", "\"another\"");
    assert_eq!(world.client.send(failed).await.status, 404);
    assert!(world.settled_as(&["4/6"]).await, "what a refused copy wrote is let go: {:?}", world.fleet.codes());

    must(&world, Call::put(&key("small"), "inline")).await;
    must(&world, copy("small", "small").header("x-amz-storage-class", LEAN)).await;
    assert!(world.settled_as(&["4/6"]).await);
    assert_eq!(must(&world, Call::get(&key("small"))).await.body, b"inline");
}
