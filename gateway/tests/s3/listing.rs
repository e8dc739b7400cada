//! ListObjects and ListObjectsV2 against a plain model, and their parameters.

use std::collections::BTreeSet;

use crate::common::{BUCKET, Call, World, encoded};

const KEYS: [&str; 14] = ["a", "a/", "a/b", "a/b/c", "a/c", "a0", "aa", "b b", "b+b", "d/e/f", "d/e/g", "d/h", "ü", "\u{10000}"];

async fn filled() -> World {
    let world = World::new().await;
    for key in KEYS {
        assert_eq!(world.client.send(Call::put(&format!("/{BUCKET}/{}", encoded(key)), "x")).await.status, 200);
    }
    world
}

/// Objects and common prefixes by the definition.
fn model(prefix: &str, delimiter: &str) -> (Vec<String>, Vec<String>) {
    let (mut objects, mut prefixes) = (Vec::new(), BTreeSet::new());
    let mut keys = KEYS;
    keys.sort_unstable();
    for key in keys.iter().filter(|key| key.starts_with(prefix)) {
        let rest = &key[prefix.len()..];
        match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(at) => drop(prefixes.insert(format!("{prefix}{}", &rest[..at + delimiter.len()]))),
            None => objects.push((*key).to_owned()),
        }
    }
    (objects, prefixes.into_iter().collect())
}

fn prefixes_of(answer: &crate::common::Answer) -> Vec<String> {
    answer
        .all("CommonPrefixes")
        .iter()
        .filter_map(|text| Some(text.strip_prefix("<Prefix>")?.strip_suffix("</Prefix>")?.to_owned()))
        .collect()
}

#[tokio::test]
async fn pages_of_any_size_add_up_to_the_model() {
    let world = filled().await;
    for (prefix, delimiter) in [("", ""), ("", "/"), ("a", "/"), ("a/", "/"), ("d/", "/"), ("a", "b"), ("zz", "/"), ("", "b")] {
        let wanted = model(prefix, delimiter);
        for size in [1, 2, 3, 1000] {
            assert_eq!(walk_v2(&world, prefix, delimiter, size).await, wanted, "V2 {prefix:?} {delimiter:?} {size}");
            assert_eq!(walk_v1(&world, prefix, delimiter, size).await, wanted, "V1 {prefix:?} {delimiter:?} {size}");
        }
    }
}

async fn walk_v2(world: &World, prefix: &str, delimiter: &str, size: usize) -> (Vec<String>, Vec<String>) {
    let (mut keys, mut prefixes, mut token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let target = format!("/{BUCKET}?list-type=2&prefix={prefix}&delimiter={delimiter}&max-keys={size}{token}");
        let page = world.client.send(Call::get(&target)).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let (found, common) = (page.all("Key"), prefixes_of(&page));
        assert_eq!(page.one("KeyCount"), Some((found.len() + common.len()).to_string()));
        assert!(found.len() + common.len() <= size);
        keys.extend(found);
        prefixes.extend(common);
        match page.one("NextContinuationToken") {
            Some(next) => token = format!("&continuation-token={next}"),
            None => {
                assert_eq!(page.one("IsTruncated").as_deref(), Some("false"));
                return (keys, prefixes);
            }
        }
    }
}

async fn walk_v1(world: &World, prefix: &str, delimiter: &str, size: usize) -> (Vec<String>, Vec<String>) {
    let (mut keys, mut prefixes, mut marker) = (Vec::new(), Vec::new(), String::new());
    loop {
        let encoded = encoded(&marker).replace('/', "%2F");
        let target = format!("/{BUCKET}?prefix={prefix}&delimiter={delimiter}&max-keys={size}&marker={encoded}");
        let page = world.client.send(Call::get(&target)).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let (found, common) = (page.all("Key"), prefixes_of(&page));
        let last = found.last().cloned();
        keys.extend(found);
        prefixes.extend(common);
        if page.one("IsTruncated").as_deref() == Some("false") {
            return (keys, prefixes);
        }
        marker = page.one("NextMarker").or(last).unwrap();
    }
}

#[tokio::test]
async fn the_parameters_of_v2() {
    let world = filled().await;
    let list = |query: &str| Call::get(&format!("/{BUCKET}?list-type=2&{query}"));
    let after = world.client.send(list("start-after=d%2Fe%2Ff&max-keys=2")).await;
    assert_eq!(after.all("Key"), ["d/e/g", "d/h"]);
    assert_eq!(after.one("StartAfter").as_deref(), Some("d/e/f"));
    let none = world.client.send(list("max-keys=0")).await;
    assert_eq!((none.all("Key").len(), none.one("IsTruncated").as_deref()), (0, Some("false")));
    let capped = world.client.send(list("max-keys=5000")).await;
    assert_eq!(capped.one("MaxKeys").as_deref(), Some("1000"));
    let encoded = world.client.send(list("encoding-type=url&prefix=b")).await;
    assert_eq!(encoded.all("Key"), ["b%20b", "b%2Bb"]);
    let begun = world.client.send(list("continuation-token=&max-keys=1000")).await;
    assert_eq!((begun.status, begun.one("IsTruncated").as_deref()), (200, Some("false")));
    assert_eq!(begun.all("Key").len(), world.client.send(list("")).await.all("Key").len());
    let owned = world.client.send(list("fetch-owner=true&max-keys=1")).await;
    assert_eq!(owned.one("DisplayName").as_deref(), Some("ann"));
    assert_eq!(world.client.send(list("max-keys=1")).await.one("Owner"), None);
    for bad in ["max-keys=-1", "max-keys=x", "max-keys=99999999999", "continuation-token=what", "encoding-type=rot13"] {
        assert_eq!(world.client.send(list(bad)).await.error(), (400, "InvalidArgument".into()), "{bad}");
    }
    let missing = world.client.send(Call::get("/no-such-bucket-here?list-type=2")).await;
    assert_eq!(missing.error(), (404, "NoSuchBucket".into()));
}

#[tokio::test]
async fn what_is_said_of_each_object() {
    let world = World::new().await;
    let put = Call::put(&format!("/{BUCKET}/k"), "12345").header("x-amz-storage-class", "GLACIER_IR");
    let etag = world.client.send(put).await.header("etag").unwrap().to_owned();
    let listed = world.client.send(Call::get(&format!("/{BUCKET}"))).await;
    assert_eq!(listed.one("ETag"), Some(etag));
    assert_eq!(listed.one("Size").as_deref(), Some("5"));
    assert_eq!(listed.one("StorageClass").as_deref(), Some("GLACIER_IR"));
    assert_eq!(listed.one("ChecksumAlgorithm").as_deref(), Some("CRC64NVME"));
    assert!(listed.one("LastModified").unwrap().ends_with('Z'));
    assert_eq!(listed.one("DisplayName").as_deref(), Some("ann"));
}
