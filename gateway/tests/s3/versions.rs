//! Versioning: "Using versioning in S3 buckets" in the S3 User Guide.

use crate::common::{Answer, BUCKET, Call, Client, World};

const ENABLED: &str = "Enabled";
const SUSPENDED: &str = "Suspended";

async fn set(client: &Client, status: &str) -> Answer {
    let body = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
    client.send(Call::put(&format!("/{BUCKET}?versioning"), body)).await
}

async fn versioned(status: &str) -> World {
    let world = World::new().await;
    assert_eq!(set(&world.client, status).await.status, 200);
    world
}

/// Puts `body` under `key` and answers the version it became.
async fn put(client: &Client, key: &str, body: &str) -> String {
    let answer = client.send(Call::put(&format!("/{BUCKET}/{key}"), body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-amz-version-id").unwrap().to_owned()
}

async fn get(client: &Client, key: &str, version: &str) -> Answer {
    client.send(Call::get(&format!("/{BUCKET}/{key}?versionId={version}"))).await
}

async fn list(client: &Client, query: &str) -> Answer {
    let answer = client.send(Call::get(&format!("/{BUCKET}?versions&{query}"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

#[tokio::test]
async fn a_bucket_says_whether_it_keeps_versions() {
    let world = World::new().await;
    let asked = || world.client.send(Call::get(&format!("/{BUCKET}?versioning")));
    assert_eq!(asked().await.one("Status"), None);
    for status in [ENABLED, SUSPENDED, ENABLED] {
        assert_eq!(set(&world.client, status).await.status, 200);
        assert_eq!(asked().await.one("Status").as_deref(), Some(status));
    }
    assert_eq!(set(&world.client, "Perhaps").await.error().0, 400);
    assert_eq!(asked().await.one("Status").as_deref(), Some(ENABLED));
    let mfa = "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>";
    let refused = world.client.send(Call::put(&format!("/{BUCKET}?versioning"), mfa)).await;
    assert_eq!(refused.error(), (501, "NotImplemented".into()));
    let stranger = world.stranger().await;
    assert_eq!(set(&stranger, SUSPENDED).await.error().0, 403);
}

#[tokio::test]
async fn every_version_is_kept_read_and_deleted_by_its_id() {
    let world = versioned(ENABLED).await;
    let client = &world.client;
    let (one, two) = (put(client, "k", "one").await, put(client, "k", "two").await);
    assert_ne!(one, two);
    assert_eq!((get(client, "k", &one).await.text(), get(client, "k", &two).await.text()), ("one".into(), "two".into()));
    let newest = client.send(Call::get(&format!("/{BUCKET}/k"))).await;
    assert_eq!((newest.text(), newest.header("x-amz-version-id")), ("two".into(), Some(two.as_str())));
    let head = client.send(Call::head(&format!("/{BUCKET}/k?versionId={one}"))).await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("3")));

    let gone = client.send(Call::delete(&format!("/{BUCKET}/k?versionId={two}"))).await;
    assert_eq!(
        (gone.status, gone.header("x-amz-version-id"), gone.header("x-amz-delete-marker")),
        (204, Some(two.as_str()), None)
    );
    assert_eq!(client.send(Call::get(&format!("/{BUCKET}/k"))).await.text(), "one");
    assert_eq!(get(client, "k", &two).await.error(), (404, "NoSuchVersion".into()));
    assert_eq!(get(client, "k", "not-a-version").await.error(), (400, "InvalidArgument".into()));
    assert_eq!(client.send(Call::delete(&format!("/{BUCKET}"))).await.error(), (409, "BucketNotEmpty".into()));
}

#[tokio::test]
async fn a_delete_marker_hides_the_object_until_it_is_removed() {
    let world = versioned(ENABLED).await;
    let client = &world.client;
    let version = put(client, "k", "body").await;
    let deleted = client.send(Call::delete(&format!("/{BUCKET}/k"))).await;
    let marker = deleted.header("x-amz-version-id").unwrap().to_owned();
    assert_eq!((deleted.status, deleted.header("x-amz-delete-marker")), (204, Some("true")));
    let missing = client.send(Call::get(&format!("/{BUCKET}/k"))).await;
    assert_eq!((missing.error(), missing.header("x-amz-delete-marker")), ((404, "NoSuchKey".into()), Some("true")));
    let named = get(client, "k", &marker).await;
    assert_eq!((named.error().0, named.header("x-amz-delete-marker")), (405, Some("true")));
    assert_eq!(get(client, "k", &version).await.text(), "body");
    assert!(world.keys().await.is_empty());
    let removed = client.send(Call::delete(&format!("/{BUCKET}/k?versionId={marker}"))).await;
    assert_eq!((removed.status, removed.header("x-amz-delete-marker")), (204, Some("true")));
    assert_eq!(client.send(Call::get(&format!("/{BUCKET}/k"))).await.text(), "body");
}

#[tokio::test]
async fn what_was_there_before_is_the_null_version() {
    let world = World::new().await;
    let client = &world.client;
    let before = client.send(Call::put(&format!("/{BUCKET}/k"), "before")).await;
    assert_eq!(before.header("x-amz-version-id"), None);
    assert_eq!(set(client, ENABLED).await.status, 200);
    let kept = put(client, "k", "kept").await;
    assert_eq!(get(client, "k", "null").await.text(), "before");
    assert_eq!(set(client, SUSPENDED).await.status, 200);
    let after = client.send(Call::put(&format!("/{BUCKET}/k"), "after")).await;
    assert_eq!((after.status, after.header("x-amz-version-id")), (200, None));
    assert_eq!(client.send(Call::head(&format!("/{BUCKET}/k"))).await.header("x-amz-version-id"), Some("null"));
    assert_eq!((get(client, "k", "null").await.text(), get(client, "k", &kept).await.text()), ("after".into(), "kept".into()));
    let marker = client.send(Call::delete(&format!("/{BUCKET}/k"))).await;
    assert_eq!(marker.header("x-amz-version-id"), Some("null"));
    let listed = list(client, "").await;
    // Markers come first in the document.
    assert_eq!(
        (listed.all("VersionId"), listed.all("IsLatest")),
        (vec!["null".into(), kept], vec!["true".into(), "false".into()])
    );
}

#[tokio::test]
async fn copies_name_the_version_they_come_from_and_the_one_they_make() {
    let world = versioned(ENABLED).await;
    let client = &world.client;
    let old = put(client, "k", "old").await;
    put(client, "k", "new").await;
    let copy = Call::put(&format!("/{BUCKET}/copy"), "").header("x-amz-copy-source", &format!("/{BUCKET}/k?versionId={old}"));
    let copied = client.send(copy).await;
    assert_eq!((copied.status, copied.header("x-amz-copy-source-version-id")), (200, Some(old.as_str())));
    let made = copied.header("x-amz-version-id").unwrap();
    assert_eq!(get(client, "copy", made).await.text(), "old");
    let back = Call::put(&format!("/{BUCKET}/k"), "").header("x-amz-copy-source", &format!("/{BUCKET}/k?versionId={old}"));
    assert_eq!(client.send(back).await.status, 200, "an old version is brought back by copying it onto its key");
    assert_eq!(client.send(Call::get(&format!("/{BUCKET}/k"))).await.text(), "old");
}

#[tokio::test]
async fn an_upload_becomes_a_version() {
    let world = versioned(ENABLED).await;
    let client = &world.client;
    let first = put(client, "k", "first").await;
    let upload = client.send(Call::post(&format!("/{BUCKET}/k?uploads"), "")).await.one("UploadId").unwrap();
    let part = client.send(Call::put(&format!("/{BUCKET}/k?partNumber=1&uploadId={upload}"), "part")).await;
    let etag = part.header("etag").unwrap();
    let list =
        format!("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>");
    let done = client.send(Call::post(&format!("/{BUCKET}/k?uploadId={upload}"), list)).await;
    let made = done.header("x-amz-version-id").unwrap();
    assert_eq!((get(client, "k", made).await.text(), get(client, "k", &first).await.text()), ("part".into(), "first".into()));
}

#[tokio::test]
async fn a_listing_of_versions_pages_through_all_of_them() {
    let world = versioned(ENABLED).await;
    let client = &world.client;
    let mut want = Vec::new();
    for key in ["a", "b/1", "b/2", "c"] {
        let mut versions = Vec::new();
        for body in ["1", "2", "3"] {
            versions.push((key.to_owned(), put(client, key, body).await));
        }
        want.extend(versions.into_iter().rev());
    }
    let entries = |answer: &Answer| answer.all("Key").into_iter().zip(answer.all("VersionId")).collect::<Vec<_>>();
    let all = list(client, "").await;
    assert_eq!((entries(&all), all.one("IsTruncated").as_deref()), (want.clone(), Some("false")));
    assert_eq!(all.all("IsLatest").iter().filter(|latest| *latest == "true").count(), 4);
    for size in 1..=5 {
        let (mut got, mut latest, mut query) = (Vec::new(), 0, format!("max-keys={size}"));
        loop {
            let page = list(client, &query).await;
            got.extend(entries(&page));
            latest += page.all("IsLatest").iter().filter(|latest| *latest == "true").count();
            let Some(key) = page.one("NextKeyMarker") else { break };
            let version = page.one("NextVersionIdMarker").unwrap();
            query = format!("max-keys={size}&key-marker={}&version-id-marker={version}", key.replace('/', "%2F"));
        }
        assert_eq!((got, latest), (want.clone(), 4), "{size} a page");
    }
    let folders = list(client, "delimiter=%2F&max-keys=4").await;
    assert_eq!((folders.all("VersionId").len(), folders.one("NextKeyMarker").as_deref()), (3, Some("b/")));
    let rest = list(client, "delimiter=%2F&key-marker=b%2F").await;
    assert_eq!(entries(&rest), want[9..]);
    let below = list(client, "prefix=b%2F").await;
    assert_eq!(entries(&below), want[3..9]);
    let alone = client.send(Call::get(&format!("/{BUCKET}?versions&version-id-marker=null"))).await;
    assert_eq!(alone.error(), (400, "InvalidArgument".into()));
}

#[tokio::test]
async fn versions_are_deleted_many_at_once_and_under_conditions() {
    let world = versioned(ENABLED).await;
    let client = &world.client;
    let (one, two) = (put(client, "k", "one").await, put(client, "k", "two").await);
    let etag = |body: &str| format!("\"{}\"", hex::encode(md5(body)));
    let delete = |version: &str, etag: &str| Call::delete(&format!("/{BUCKET}/k?versionId={version}")).header("if-match", etag);
    assert_eq!(
        client.send(delete(&one, &etag("two"))).await.error(),
        (412, "PreconditionFailed".into()),
        "it speaks of the version named"
    );
    for _ in 0..2 {
        assert_eq!(client.send(delete(&one, &etag("one"))).await.status, 204);
    }
    let never = client.send(Call::delete(&format!("/{BUCKET}/never")).header("if-match", "*")).await;
    assert_eq!((never.status, never.header("x-amz-delete-marker")), (204, None), "no marker for what never was");
    let body = format!("<Delete><Object><Key>k</Key><VersionId>{two}</VersionId></Object><Object><Key>k</Key></Object></Delete>");
    let done = client.send(Call::post(&format!("/{BUCKET}?delete"), body)).await;
    assert_eq!((done.status, done.all("Key")), (200, vec!["k".into(), "k".into()]));
    assert_eq!(done.all("DeleteMarker"), ["true"]);
    let left = list(client, "").await;
    assert_eq!(left.all("VersionId"), done.all("DeleteMarkerVersionId"), "a marker alone is left");
    let again = |etag: &str| Call::delete(&format!("/{BUCKET}/k")).header("if-match", etag);
    assert_eq!(client.send(again(&etag("two"))).await.error(), (412, "PreconditionFailed".into()), "a marker has no tag");
    assert_eq!(client.send(again("*")).await.status, 204);
}

fn md5(body: &str) -> [u8; 16] {
    use md5::Digest;
    md5::Md5::digest(body).into()
}
