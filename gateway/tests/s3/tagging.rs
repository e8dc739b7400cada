//! Tags of objects and buckets, and what GetObjectAttributes says.

use crate::common::{Answer, BUCKET, Call, Client, World};

fn document(tags: &[(&str, &str)]) -> String {
    let tags: String = tags.iter().map(|(key, value)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>")).collect();
    format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")
}

async fn put(client: &Client, key: &str, tags: &str) -> Answer {
    client.send(Call::put(&format!("/{BUCKET}/{key}"), key).header("x-amz-tagging", tags)).await
}

/// An object's tags, as `key=value`.
async fn tags(client: &Client, key: &str) -> Vec<String> {
    let answer = client.send(Call::get(&format!("/{BUCKET}/{key}?tagging"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.all("Key").iter().zip(answer.all("Value")).map(|(key, value)| format!("{key}={value}")).collect()
}

#[tokio::test]
async fn an_objects_tags_are_set_read_and_taken_off() {
    let world = World::new().await;
    let client = &world.client;
    assert_eq!(put(client, "k", "").await.status, 200);
    assert!(tags(client, "k").await.is_empty());
    let target = format!("/{BUCKET}/k?tagging");
    let etag = client.send(Call::head(&format!("/{BUCKET}/k"))).await.header("etag").unwrap().to_owned();
    assert_eq!(client.send(Call::put(&target, document(&[("a", "1"), ("b c", "")]))).await.status, 200);
    assert_eq!(tags(client, "k").await, ["a=1", "b c="]);
    assert_eq!(client.send(Call::put(&target, document(&[("d", "2")]))).await.status, 200);
    assert_eq!(tags(client, "k").await, ["d=2"]);
    for call in [Call::get(&format!("/{BUCKET}/k")), Call::head(&format!("/{BUCKET}/k"))] {
        let answer = client.send(call).await;
        assert_eq!((answer.header("x-amz-tagging-count"), answer.header("etag")), (Some("1"), Some(etag.as_str())));
    }
    assert_eq!(client.send(Call::delete(&target)).await.status, 204);
    assert!(tags(client, "k").await.is_empty());
    assert_eq!(client.send(Call::get(&format!("/{BUCKET}/k"))).await.header("x-amz-tagging-count"), None);
    for call in [Call::get(&target), Call::put(&target, document(&[])), Call::delete(&target)] {
        assert_ne!(client.send(call).await.status, 404);
    }
    let missing = format!("/{BUCKET}/missing?tagging");
    for call in [Call::get(&missing), Call::put(&missing, document(&[])), Call::delete(&missing)] {
        assert_eq!(client.send(call).await.error(), (404, "NoSuchKey".into()));
    }
}

#[tokio::test]
async fn tags_come_with_every_way_to_write() {
    let world = World::new().await;
    let client = &world.client;
    assert_eq!(put(client, "put", "b=x%20y&a=1").await.status, 200);
    assert_eq!(tags(client, "put").await, ["a=1", "b=x y"]);

    let copy = |to: &str, tags: &str, directive: &str| {
        let call = Call::put(&format!("/{BUCKET}/{to}"), "").header("x-amz-copy-source", &format!("{BUCKET}/put"));
        call.header("x-amz-tagging", tags).header("x-amz-tagging-directive", directive)
    };
    assert_eq!(client.send(copy("kept", "c=3", "COPY")).await.status, 200);
    assert_eq!(tags(client, "kept").await, ["a=1", "b=x y"]);
    assert_eq!(client.send(copy("replaced", "c=3", "REPLACE")).await.status, 200);
    assert_eq!(tags(client, "replaced").await, ["c=3"]);
    assert_eq!(client.send(copy("none", "", "REPLACE")).await.status, 200);
    assert!(tags(client, "none").await.is_empty());
    assert_eq!(client.send(copy("odd", "", "MOVE")).await.error(), (400, "InvalidArgument".into()));

    let begun = Call::post(&format!("/{BUCKET}/upload?uploads"), "").header("x-amz-tagging", "d=4");
    let upload = client.send(begun).await.one("UploadId").unwrap();
    let part = client.send(Call::put(&format!("/{BUCKET}/upload?partNumber=1&uploadId={upload}"), "part")).await;
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        part.header("etag").unwrap()
    );
    assert_eq!(client.send(Call::post(&format!("/{BUCKET}/upload?uploadId={upload}"), list)).await.status, 200);
    assert_eq!(tags(client, "upload").await, ["d=4"]);
}

#[tokio::test]
async fn tags_that_break_the_limits_change_nothing() {
    let world = World::new().await;
    let client = &world.client;
    assert_eq!(put(client, "k", "a=1").await.status, 200);
    let keys: Vec<String> = (0..11).map(|at| format!("k{at}")).collect();
    let eleven: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "v")).collect();
    let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
    for bad in
        [&eleven[..], &[(&long_key, "v")], &[("k", &long_value)], &[("a", "1"), ("a", "2")], &[("", "v")], &[("aws:a", "v")]]
    {
        let answer = client.send(Call::put(&format!("/{BUCKET}/k?tagging"), document(bad))).await;
        assert_eq!(answer.error(), (400, "InvalidTag".into()), "{bad:?}");
        let header: String = bad.iter().map(|(key, value)| format!("{key}={value}&")).collect();
        assert_eq!(put(client, "other", &header).await.error(), (400, "InvalidTag".into()), "{bad:?}");
    }
    assert_eq!(client.send(Call::put(&format!("/{BUCKET}/k?tagging"), document(&eleven[..10]))).await.status, 200);
    assert_eq!(tags(client, "k").await.len(), 10);
    assert_eq!(world.keys().await, ["k"]);
}

#[tokio::test]
async fn each_version_has_its_own_tags() {
    let world = World::new().await;
    let client = &world.client;
    let enable = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(client.send(Call::put(&format!("/{BUCKET}?versioning"), enable)).await.status, 200);
    let one = put(client, "k", "a=1").await.header("x-amz-version-id").unwrap().to_owned();
    let two = put(client, "k", "a=2").await.header("x-amz-version-id").unwrap().to_owned();
    let target = format!("/{BUCKET}/k?tagging&versionId={one}");
    let set = client.send(Call::put(&target, document(&[("b", "3")]))).await;
    assert_eq!((set.status, set.header("x-amz-version-id")), (200, Some(one.as_str())));
    assert_eq!(tags(client, "k").await, ["a=2"]);
    let old = client.send(Call::get(&target)).await;
    assert_eq!((old.one("Key").as_deref(), old.header("x-amz-version-id")), (Some("b"), Some(one.as_str())));
    assert_eq!(client.send(Call::delete(&format!("/{BUCKET}/k"))).await.status, 204);
    assert_eq!(client.send(Call::get(&format!("/{BUCKET}/k?tagging"))).await.error(), (404, "NoSuchKey".into()));
    assert_eq!(client.send(Call::get(&format!("/{BUCKET}/k?tagging&versionId={two}"))).await.one("Value").as_deref(), Some("2"));
}

#[tokio::test]
async fn a_buckets_tags_are_its_own() {
    let world = World::new().await;
    let client = &world.client;
    let target = format!("/{BUCKET}?tagging");
    assert_eq!(client.send(Call::get(&target)).await.error(), (404, "NoSuchTagSet".into()));
    assert_eq!(client.send(Call::put(&target, document(&[("team", "a/b")]))).await.status, 200);
    let shown = client.send(Call::get(&target)).await;
    assert_eq!((shown.one("Key").as_deref(), shown.one("Value").as_deref()), (Some("team"), Some("a/b")));
    assert_eq!(client.send(Call::put(&target, document(&[("a", "1"), ("a", "2")]))).await.error(), (400, "InvalidTag".into()));
    assert_eq!(client.send(Call::delete(&target)).await.status, 204);
    assert_eq!(client.send(Call::get(&target)).await.error(), (404, "NoSuchTagSet".into()));
}

#[tokio::test]
async fn attributes_are_told_as_asked_for() {
    let world = World::new().await;
    let client = &world.client;
    let begun = Call::post(&format!("/{BUCKET}/upload?uploads"), "").header("x-amz-checksum-algorithm", "SHA256");
    let upload = client.send(begun).await.one("UploadId").unwrap();
    let mut listed = String::new();
    for (number, bytes) in [(1, 5 << 20), (2, 3)] {
        let call = Call::put(&format!("/{BUCKET}/upload?partNumber={number}&uploadId={upload}"), vec![number as u8; bytes]);
        let part = client.send(call).await;
        let etag = part.header("etag").unwrap();
        listed += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let list = format!("<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>");
    let done = client.send(Call::post(&format!("/{BUCKET}/upload?uploadId={upload}"), list)).await;
    assert_eq!(done.status, 200, "{}", done.text());

    let ask = |key: &str, names: &str| Call::get(&format!("/{BUCKET}/{key}?attributes")).header("x-amz-object-attributes", names);
    let all = client.send(ask("upload", "ETag,Checksum,ObjectParts,StorageClass,ObjectSize")).await;
    assert_eq!(all.status, 200, "{}", all.text());
    assert!(all.header("last-modified").is_some());
    assert_eq!(all.one("StorageClass").as_deref(), Some("STANDARD"));
    assert_eq!(all.one("ObjectSize").as_deref(), Some("5242883"));
    assert_eq!(all.one("ChecksumType").as_deref(), Some("COMPOSITE"));
    assert_eq!(all.all("ChecksumSHA256").len(), 3);
    assert!(all.all("ChecksumSHA256").iter().any(|sum| sum.ends_with("-2")), "{}", all.text());
    assert_eq!((all.one("PartsCount").as_deref(), all.all("PartNumber")), (Some("2"), vec!["1".to_owned(), "2".to_owned()]));
    assert_eq!(all.one("ETag").map(|etag| etag.contains('"')), Some(false), "{}", all.text());

    let page = client.send(ask("upload", "ObjectParts").header("x-amz-max-parts", "1")).await;
    assert_eq!((page.one("IsTruncated").as_deref(), page.one("NextPartNumberMarker").as_deref()), (Some("true"), Some("1")));
    let rest = client.send(ask("upload", "ObjectParts").header("x-amz-part-number-marker", "1")).await;
    assert_eq!((rest.all("PartNumber"), rest.one("IsTruncated").as_deref()), (vec!["2".to_owned()], Some("false")));
    assert_eq!(rest.one("ETag"), None);

    assert_eq!(put(client, "one", "").await.status, 200);
    let single = client.send(ask("one", "ObjectParts, ObjectSize")).await;
    assert_eq!((single.one("ObjectSize").as_deref(), single.one("PartsCount")), (Some("3"), None));
    assert_eq!(client.send(ask("one", "Etag")).await.error(), (400, "InvalidArgument".into()));
    assert_eq!(client.send(ask("missing", "ETag")).await.error(), (404, "NoSuchKey".into()));
}
