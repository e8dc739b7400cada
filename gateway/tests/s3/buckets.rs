//! Buckets and whose they are.

use crate::common::access::{actions, bucket, object, owner_id};
use crate::common::{BUCKET, Call, World, id_of};

#[tokio::test]
async fn a_bucket_is_made_found_listed_and_deleted() {
    let world = World::new().await;
    let made = world.client.send(Call::put("/second-bucket", "")).await;
    assert_eq!((made.status, made.header("location")), (200, Some("/second-bucket")));
    let head = world.client.send(Call::head("/second-bucket")).await;
    assert_eq!((head.status, head.header("x-amz-bucket-region")), (200, Some("us-east-1")));
    let listed = world.client.send(Call::get("/")).await;
    assert_eq!(listed.all("Name"), [BUCKET, "second-bucket"]);
    assert_eq!(listed.one("DisplayName").as_deref(), Some("ann"));
    let page = world.client.send(Call::get("/?max-buckets=1")).await;
    let token = page.one("ContinuationToken").unwrap();
    let rest = world.client.send(Call::get(&format!("/?continuation-token={token}&max-buckets=5"))).await;
    assert_eq!((page.all("Name"), rest.all("Name")), (vec![BUCKET.to_owned()], vec!["second-bucket".to_owned()]));
    assert_eq!(world.client.send(Call::delete("/second-bucket")).await.status, 204);
    assert_eq!(world.client.send(Call::head("/second-bucket")).await.status, 404);
    assert_eq!(world.client.send(Call::delete("/second-bucket")).await.error(), (404, "NoSuchBucket".into()));
    world.stop().await;
}

#[tokio::test]
async fn a_bucket_with_an_object_stays_and_uploads_go_with_it() {
    let world = World::new().await;
    assert_eq!(world.client.send(Call::put(&format!("/{BUCKET}/k"), "x")).await.status, 200);
    assert_eq!(world.client.send(Call::delete(&format!("/{BUCKET}"))).await.error(), (409, "BucketNotEmpty".into()));
    assert_eq!(world.client.send(Call::delete(&format!("/{BUCKET}/k"))).await.status, 204);
    let upload = world.client.send(Call::post(&format!("/{BUCKET}/k?uploads"), "")).await.one("UploadId").unwrap();
    assert_eq!(world.client.send(Call::delete(&format!("/{BUCKET}"))).await.status, 204);
    assert_eq!(world.client.send(Call::put(&format!("/{BUCKET}"), "")).await.status, 200);
    let gone = world.client.send(Call::get(&format!("/{BUCKET}/k?uploadId={upload}"))).await.error();
    assert_eq!(gone, (404, "NoSuchUpload".into()));
}

#[tokio::test]
async fn making_a_bucket_twice_is_answered_as_in_us_east_1() {
    let world = World::new().await;
    assert_eq!(world.client.send(Call::put(&format!("/{BUCKET}"), "")).await.status, 200);
    let stranger = world.stranger().await;
    assert_eq!(stranger.send(Call::put(&format!("/{BUCKET}"), "")).await.error(), (409, "BucketAlreadyExists".into()));
}

#[tokio::test]
async fn a_bucket_is_its_owners_alone() {
    let world = World::new().await;
    assert_eq!(world.client.send(Call::put(&format!("/{BUCKET}/k"), "secret")).await.status, 200);
    let stranger = world.stranger().await;
    let key = format!("/{BUCKET}/k");
    for call in [
        Call::get(&key),
        Call::put(&key, "mine"),
        Call::delete(&key),
        Call::get(&format!("/{BUCKET}")),
        Call::get(&format!("/{BUCKET}?location")),
        Call::delete(&format!("/{BUCKET}")),
        Call::post(&format!("{key}?uploads"), ""),
        Call::put("/my-bucket/other", "").header("x-amz-copy-source", &key),
    ] {
        let what = format!("{} {}", call.method, call.target);
        assert_eq!(stranger.send(call).await.error(), (403, "AccessDenied".into()), "{what}");
    }
    assert_eq!(stranger.send(Call::head(&key)).await.status, 403);
    assert!(stranger.send(Call::get("/")).await.all("Name").is_empty());
    assert_eq!(world.client.send(Call::get(&key)).await.body, b"secret");
}

#[tokio::test]
async fn bad_names_and_constraints_are_refused() {
    let world = World::new().await;
    for name in ["ab", "UPPER", "has_underscore", "192.168.1.1", "xn--a", "a.-b", "a-.b", &"a".repeat(64)] {
        assert_eq!(
            world.client.send(Call::put(&format!("/{name}"), "")).await.error(),
            (400, "InvalidBucketName".into()),
            "{name}"
        );
    }
    let constraint = |region: &str| {
        format!("<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>")
    };
    let refused = world.client.send(Call::put("/third-bucket", constraint("mars-1"))).await;
    assert_eq!(refused.error(), (400, "IllegalLocationConstraintException".into()));
    assert_eq!(world.client.send(Call::put("/third-bucket", "<Create")).await.error(), (400, "MalformedXML".into()));
    assert_eq!(world.client.send(Call::put("/third-bucket", constraint("us-east-1"))).await.status, 200);
    let odd = Call::put("/fourth-bucket", "").header("x-amz-acl", "aws-exec-read");
    assert_eq!(world.client.send(odd).await.error(), (501, "NotImplemented".into()));
    assert_eq!(world.client.send(Call::head("/fourth-bucket")).await.status, 404);
}

#[tokio::test]
async fn what_tools_ask_of_a_bucket_is_answered() {
    let world = World::new().await;
    let location = world.client.send(Call::get(&format!("/{BUCKET}?location"))).await;
    assert_eq!(location.status, 200);
    assert!(location.text().contains("LocationConstraint"), "{}", location.text());
    let versioning = world.client.send(Call::get(&format!("/{BUCKET}?versioning"))).await;
    assert_eq!((versioning.status, versioning.one("Status")), (200, None));
    for unbuilt in ["metadataTable", "inventory"] {
        let answer = world.client.send(Call::get(&format!("/{BUCKET}?{unbuilt}"))).await;
        assert_eq!(answer.error(), (501, "NotImplemented".into()), "{unbuilt}");
    }
}

#[tokio::test]
async fn buckets_are_paths_and_host_names_at_once() {
    let world = World::new().await;
    let mut put = Call::put("/dir/k%20ey", "virtual");
    put.host = Some(format!("{BUCKET}.s3.localhost:{}", world.addr.port()));
    assert_eq!(world.client.send(put).await.status, 200);
    assert_eq!(world.client.send(Call::get(&format!("/{BUCKET}/dir/k%20ey"))).await.body, b"virtual");
    let mut path = Call::get(&format!("/{BUCKET}/dir/k%20ey"));
    path.host = Some("s3.localhost".into());
    assert_eq!(world.client.send(path).await.body, b"virtual");
    let mut list = Call::get("/?list-type=2");
    list.host = Some(format!("{BUCKET}.s3.localhost"));
    assert_eq!(world.client.send(list).await.all("Key"), ["dir/k ey"]);
}

#[tokio::test]
async fn every_operation_is_for_the_owner_that_was_expected() {
    let world = World::new().await;
    let owner = owner_id(&world.client).await;
    assert_eq!(world.client.send(Call::put(&object("k"), "x")).await.status, 200);
    let policy = format!(
        r#"{{"Statement":{{"Effect":"Deny","Principal":{{"AWS":"{}"}},"Action":"s3:GetObject","Resource":"arn:aws:s3:::{BUCKET}/*"}}}}"#,
        id_of("cleo")
    );
    for (_, call) in actions() {
        if call.target.contains("policy") {
            assert_eq!(world.client.send(Call::put(&format!("{}?policy", bucket()), &policy)).await.status, 204);
        }
        let target = format!("{} {}", call.method, call.target);
        let other = world.client.send(call.clone().header("x-amz-expected-bucket-owner", &id_of("ben"))).await;
        assert_eq!(other.status, 403, "{target}: {}", other.text());
        let right = world.client.send(call.header("x-amz-expected-bucket-owner", &owner)).await;
        assert!(right.status < 300, "{target}: {} {}", right.status, right.text());
    }
    assert_eq!(world.client.send(Call::put(&object("k"), "x")).await.status, 200);
    let copy = |expected: &str| {
        let call = Call::put(&object("copy"), "").header("x-amz-copy-source", &object("k"));
        call.header("x-amz-source-expected-bucket-owner", expected)
    };
    assert_eq!(world.client.send(copy(&id_of("ben"))).await.error(), (403, "AccessDenied".into()));
    assert_eq!(world.client.send(copy(&owner)).await.status, 200);
}
