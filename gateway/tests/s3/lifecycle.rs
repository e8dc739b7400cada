//! Lifecycle rules: as documents, in headers, and at work with days of a second.

use std::time::Duration;

use super::common::{Answer, BUCKET, Call, World};

fn target() -> String {
    format!("/{BUCKET}?lifecycle")
}

async fn set(world: &World, rules: &[&str]) -> Answer {
    let rules: String = rules.iter().map(|rule| format!("<Rule>{rule}</Rule>")).collect();
    let document = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
    world.client.send(Call::put(&target(), document)).await
}

fn rule(id: &str, filter: &str, action: &str) -> String {
    format!("<ID>{id}</ID>{filter}<Status>Enabled</Status>{action}")
}

const ALL: &str = "<Filter><Prefix></Prefix></Filter>";
const ONE_DAY: &str = "<Expiration><Days>1</Days></Expiration>";

#[tokio::test]
async fn rules_come_back_as_they_were_written_until_they_are_deleted() {
    let world = World::new().await;
    let missing = (404, "NoSuchLifecycleConfiguration".to_owned());
    assert_eq!(world.client.send(Call::get(&target())).await.error(), missing);
    let and = "<Filter><And><ObjectSizeGreaterThan>10</ObjectSizeGreaterThan><ObjectSizeLessThan>20</ObjectSizeLessThan>\
               <Prefix>b/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>l</Key><Value>w</Value></Tag></And></Filter>";
    let rules = [
        rule("old", "<Prefix>a/</Prefix>", "<Expiration><Days>31</Days></Expiration>"),
        rule("and", and, "<Expiration><Date>2027-01-01T00:00:00Z</Date></Expiration>"),
        rule("tag", "<Filter><Tag><Key>k</Key><Value></Value></Tag></Filter>", ONE_DAY),
        rule("size", "<Filter><ObjectSizeGreaterThan>7</ObjectSizeGreaterThan></Filter>", ONE_DAY),
        rule("marker", "<Filter/>", "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"),
        rule(
            "versions",
            ALL,
            "<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays>\
             <NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>\
             <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
        )
        .replace("Enabled", "Disabled"),
    ];
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    assert_eq!(set(&world, &rules).await.status, 200);
    let shown = world.client.send(Call::get(&target())).await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    for (element, texts) in [
        ("ID", &["old", "and", "tag", "size", "marker", "versions"][..]),
        ("Status", &["Enabled", "Enabled", "Enabled", "Enabled", "Enabled", "Disabled"]),
        ("Days", &["31", "1", "1"]),
        ("Date", &["2027-01-01T00:00:00Z"]),
        ("Key", &["k", "l", "k"]),
        ("ObjectSizeGreaterThan", &["10", "7"]),
        ("ObjectSizeLessThan", &["20"]),
        ("ExpiredObjectDeleteMarker", &["true"]),
        ("NoncurrentDays", &["3"]),
        ("NewerNoncurrentVersions", &["2"]),
        ("DaysAfterInitiation", &["7"]),
    ] {
        let dates: Vec<String> = shown.all(element).into_iter().map(|text| text.replace(".000Z", "Z")).collect();
        assert_eq!(dates, texts, "{element} in {}", shown.text());
    }
    assert!(shown.text().contains("<ID>old</ID><Prefix>a/</Prefix>"), "{}", shown.text());
    assert_eq!(world.client.send(Call::delete(&target())).await.status, 204);
    assert_eq!(world.client.send(Call::get(&target())).await.error(), missing);
    assert_eq!(world.stranger().await.send(Call::get(&target())).await.error(), (403, "AccessDenied".into()));
}

#[tokio::test]
async fn conditions_of_a_filter_all_count_wherever_they_stand() {
    let world = World::new().await;
    let (tag, other) = ("<Tag><Key>k</Key><Value>v</Value></Tag>", "<Tag><Key>l</Key><Value>w</Value></Tag>");
    let loose = format!("<Filter><Prefix>a/</Prefix>{tag}<ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></Filter>");
    assert_eq!(set(&world, &[&rule("r", &loose, ONE_DAY)]).await.status, 200);
    let shown = world.client.send(Call::get(&target())).await;
    assert_eq!((shown.all("Key"), shown.all("Prefix"), shown.all("And").len()), (vec!["k".into()], vec!["a/".into()], 0));
    let and = format!("<And><Prefix>a/b</Prefix>{other}<ObjectSizeGreaterThan>3</ObjectSizeGreaterThan></And>");
    let beside = format!("<Filter><Prefix>a/</Prefix>{tag}<ObjectSizeGreaterThan>5</ObjectSizeGreaterThan>{and}</Filter>");
    assert_eq!(set(&world, &[&rule("r", &beside, ONE_DAY)]).await.status, 200);
    let shown = world.client.send(Call::get(&target())).await;
    assert_eq!((shown.all("Key"), shown.all("Prefix")), (vec!["l".into(), "k".into()], vec!["a/b".into()]));
    assert_eq!(shown.all("ObjectSizeGreaterThan"), ["5"]);
}

#[tokio::test]
async fn rules_without_an_id_get_one() {
    let world = World::new().await;
    let unnamed = rule("", ALL, ONE_DAY).replace("<ID></ID>", "");
    assert_eq!(set(&world, &[&unnamed, &unnamed]).await.status, 200);
    let ids = world.client.send(Call::get(&target())).await.all("ID");
    assert!(ids.len() == 2 && ids[0] != ids[1] && ids.iter().all(|id| !id.is_empty()), "{ids:?}");
}

#[tokio::test]
async fn rules_that_cannot_be_are_refused_and_change_nothing() {
    let world = World::new().await;
    assert_eq!(set(&world, &[&rule("kept", ALL, ONE_DAY)]).await.status, 200);
    let expiration = |text: &str| rule("r", ALL, &format!("<Expiration>{text}</Expiration>"));
    let filter = |text: &str, action: &str| rule("r", &format!("<Filter>{text}</Filter>"), action);
    let tag = "<Tag><Key>k</Key><Value>v</Value></Tag>";
    let marker = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>";
    let abort = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>";
    let noncurrent = |text: &str| rule("r", ALL, &format!("<NoncurrentVersionExpiration>{text}</NoncurrentVersionExpiration>"));
    let glacier = |when: &str| rule("r", ALL, &format!("<Transition>{when}<StorageClass>GLACIER</StorageClass></Transition>"));
    for (rule, status, code) in [
        (rule(&"i".repeat(256), ALL, ONE_DAY), 400, "InvalidArgument"),
        (rule("r", ALL, ONE_DAY).replace("Enabled", "enabled"), 400, "MalformedXML"),
        (rule("r", ALL, ONE_DAY).replace("<Status>Enabled</Status>", ""), 400, "MalformedXML"),
        (rule("r", "", ONE_DAY), 400, "MalformedXML"),
        (rule("r", &format!("<Prefix>a</Prefix>{ALL}"), ONE_DAY), 400, "MalformedXML"),
        (rule("r", ALL, ""), 400, "InvalidRequest"),
        (expiration("<Days>0</Days>"), 400, "InvalidArgument"),
        (expiration("<Days>-1</Days>"), 400, "InvalidArgument"),
        (expiration("<Days>x</Days>"), 400, "MalformedXML"),
        (expiration(""), 400, "MalformedXML"),
        (expiration("<Days>1</Days><Date>2027-01-01T00:00:00Z</Date>"), 400, "MalformedXML"),
        (expiration("<Days>1</Days><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>"), 400, "MalformedXML"),
        (expiration("<Date>2027-01-01T12:00:00Z</Date>"), 400, "InvalidArgument"),
        (expiration("<Date>20270101</Date>"), 400, "MalformedXML"),
        (noncurrent("<NoncurrentDays>0</NoncurrentDays>"), 400, "InvalidArgument"),
        (noncurrent("<NewerNoncurrentVersions>1</NewerNoncurrentVersions>"), 400, "MalformedXML"),
        (filter("<Prefix>a/</Prefix><And><Prefix>b</Prefix></And>", ONE_DAY), 400, "MalformedXML"),
        (filter("<And></And>", ONE_DAY), 400, "MalformedXML"),
        (filter(&format!("<And>{tag}{tag}</And>"), ONE_DAY), 400, "InvalidRequest"),
        (filter(tag, marker), 400, "InvalidRequest"),
        (filter(tag, abort), 400, "InvalidRequest"),
        (glacier("<Days>1</Days>"), 501, "NotImplemented"),
        (glacier("<Date>2027-01-01T12:00:00Z</Date>"), 400, "InvalidArgument"),
    ] {
        assert_eq!(set(&world, &[&rule]).await.error(), (status, code.into()), "{rule}");
    }
    let twice = rule("same", ALL, ONE_DAY);
    assert_eq!(set(&world, &[&twice, &twice]).await.error(), (400, "InvalidArgument".into()));
    assert_eq!(set(&world, &[]).await.error(), (400, "MalformedXML".into()));
    assert_eq!(world.client.send(Call::get(&target())).await.all("ID"), ["kept"]);
}

#[tokio::test]
async fn objects_say_when_they_expire_and_by_which_rule() {
    let world = World::new().await;
    let two_days = "<Expiration><Days>2</Days></Expiration>";
    assert_eq!(set(&world, &[&rule("two days", "<Prefix>a/</Prefix>", two_days)]).await.status, 200);
    let key = format!("/{BUCKET}/a/k");
    for call in [Call::put(&key, "x"), Call::head(&key), Call::get(&key)] {
        let answer = world.client.send(call).await;
        let said = answer.header("x-amz-expiration").unwrap_or_default();
        assert!(said.starts_with("expiry-date=\"") && said.ends_with(" 00:00:00 GMT\", rule-id=\"two%20days\""), "{said}");
    }
    let copy = Call::put(&format!("/{BUCKET}/a/copy"), "").header("x-amz-copy-source", &key);
    assert!(world.client.send(copy).await.header("x-amz-expiration").is_some());
    let other = world.client.send(Call::put(&format!("/{BUCKET}/b"), "x")).await;
    assert_eq!((other.status, other.header("x-amz-expiration")), (200, None));
}

#[tokio::test]
async fn uploads_say_when_they_are_aborted_and_by_which_rule() {
    let world = World::new().await;
    let action = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>";
    assert_eq!(set(&world, &[&rule("r", "<Filter><Prefix>a/</Prefix></Filter>", action)]).await.status, 200);
    let begun = world.client.send(Call::post(&format!("/{BUCKET}/a/k?uploads"), "")).await;
    let id = begun.one("UploadId").unwrap();
    let listed = world.client.send(Call::get(&format!("/{BUCKET}/a/k?uploadId={id}"))).await;
    for answer in [begun, listed] {
        assert!(answer.header("x-amz-abort-date").is_some_and(|date| date.ends_with(" 00:00:00 GMT")), "{}", answer.text());
        assert_eq!(answer.header("x-amz-abort-rule-id"), Some("r"));
    }
    let other = world.client.send(Call::post(&format!("/{BUCKET}/b?uploads"), "")).await;
    assert_eq!((other.status, other.header("x-amz-abort-date")), (200, None));
}

/// A gateway with days of a second.
async fn quick() -> World {
    World::with(|config| config.lifecycle_day_seconds = 1).await
}

/// Waits until the bucket lists so many elements of this name.
async fn until(world: &World, query: &str, element: &str, count: usize) -> Answer {
    let mut listed = world.client.send(Call::get(&format!("/{BUCKET}?{query}"))).await;
    for _ in 0..300 {
        if listed.all(element).len() == count {
            return listed;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        listed = world.client.send(Call::get(&format!("/{BUCKET}?{query}"))).await;
    }
    panic!("{count} {element} were awaited: {}", listed.text());
}

async fn put(world: &World, key: &str, body: &str) -> Answer {
    let answer = world.client.send(Call::put(&format!("/{BUCKET}/{key}"), body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

#[tokio::test]
async fn objects_expire_by_age_date_and_size_and_their_bytes_go() {
    let world = quick().await;
    let large = "x".repeat(5000);
    for (key, body) in [("age/1", &*large), ("date/1", "x"), ("size/small", "x"), ("size/large", "xxxxx"), ("kept", "x")] {
        put(&world, key, body).await;
    }
    let size = "<Filter><And><Prefix>size/</Prefix><ObjectSizeGreaterThan>3</ObjectSizeGreaterThan></And></Filter>";
    let rules = [
        rule("age", "<Prefix>age/</Prefix>", ONE_DAY),
        rule("date", "<Prefix>date/</Prefix>", "<Expiration><Date>2015-01-01T00:00:00Z</Date></Expiration>"),
        rule("size", size, ONE_DAY),
        rule("off", "<Prefix>kept</Prefix>", ONE_DAY).replace("Enabled", "Disabled"),
        rule("late", "<Prefix>kept</Prefix>", "<Expiration><Days>100000</Days></Expiration>"),
    ];
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    assert_eq!(set(&world, &rules).await.status, 200);
    let left = until(&world, "list-type=2", "Key", 2).await;
    assert_eq!(left.all("Key"), ["kept", "size/small"]);
    assert!(world.settled(0).await, "what expired still has segments");
    let gone = world.client.send(Call::get(&format!("/{BUCKET}/age/1"))).await;
    assert_eq!(gone.error(), (404, "NoSuchKey".into()));
}

#[tokio::test]
async fn tags_choose_what_expires_and_a_tag_set_later_counts() {
    let world = quick().await;
    for (key, tags) in [("t/both", "a=1&b=2"), ("t/one", "a=1"), ("t/other", "a=2"), ("t/none", ""), ("u/one", "a=1")] {
        let call = Call::put(&format!("/{BUCKET}/{key}"), "x").header("x-amz-tagging", tags);
        assert_eq!(world.client.send(call).await.status, 200, "{key}");
    }
    let one = "<Filter><And><Prefix>t/</Prefix><Tag><Key>a</Key><Value>1</Value></Tag></And></Filter>";
    let both = "<Filter><And><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value>2</Value></Tag></And></Filter>";
    assert_eq!(set(&world, &[&rule("both", both, ONE_DAY)]).await.status, 200);
    let left = until(&world, "list-type=2", "Key", 4).await;
    assert_eq!(left.all("Key"), ["t/none", "t/one", "t/other", "u/one"]);
    assert_eq!(set(&world, &[&rule("one", one, ONE_DAY)]).await.status, 200);
    let left = until(&world, "list-type=2", "Key", 3).await;
    assert_eq!(left.all("Key"), ["t/none", "t/other", "u/one"]);
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";
    assert_eq!(world.client.send(Call::put(&format!("/{BUCKET}/t/none?tagging"), tags)).await.status, 200);
    let left = until(&world, "list-type=2", "Key", 2).await;
    assert_eq!(left.all("Key"), ["t/other", "u/one"]);
}

async fn versioned(world: &World) {
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(world.client.send(Call::put(&format!("/{BUCKET}?versioning"), on)).await.status, 200);
}

#[tokio::test]
async fn where_versions_are_kept_an_expired_object_gets_a_delete_marker() {
    let world = quick().await;
    versioned(&world).await;
    put(&world, "k", "one").await;
    let kept = put(&world, "k", "two").await;
    assert_eq!(set(&world, &[&rule("r", ALL, ONE_DAY)]).await.status, 200);
    until(&world, "list-type=2", "Key", 0).await;
    let versions = until(&world, "versions", "DeleteMarker", 1).await;
    assert_eq!(versions.all("Version").len(), 2);
    let version = kept.header("x-amz-version-id").unwrap();
    assert_eq!(world.client.send(Call::get(&format!("/{BUCKET}/k?versionId={version}"))).await.body, b"two");
}

#[tokio::test]
async fn noncurrent_versions_go_but_for_the_newest_that_are_kept() {
    let world = quick().await;
    versioned(&world).await;
    for body in ["1", "2", "3", "4", "5"] {
        put(&world, "k", body).await;
    }
    let action = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>\
                  <NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>";
    assert_eq!(set(&world, &[&rule("r", ALL, action)]).await.status, 200);
    let left = until(&world, "versions", "Version", 3).await;
    let mut bodies = Vec::new();
    for version in left.all("VersionId") {
        bodies.push(world.client.send(Call::get(&format!("/{BUCKET}/k?versionId={version}"))).await.text());
    }
    assert_eq!(bodies, ["5", "4", "3"]);
}

#[tokio::test]
async fn a_delete_marker_that_hides_nothing_any_more_goes_too() {
    let world = quick().await;
    versioned(&world).await;
    for key in ["a/k", "b/k"] {
        put(&world, key, "x").await;
        assert_eq!(world.client.send(Call::delete(&format!("/{BUCKET}/{key}"))).await.status, 204);
    }
    let action = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>\
                  <Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>";
    assert_eq!(set(&world, &[&rule("r", "<Filter><Prefix>a/</Prefix></Filter>", action)]).await.status, 200);
    let left = until(&world, "versions", "Key", 2).await;
    assert_eq!(left.all("Key"), ["b/k", "b/k"]);
}

#[tokio::test]
async fn uploads_that_nobody_completes_are_aborted() {
    let world = quick().await;
    for key in ["a/k", "b/k"] {
        assert_eq!(world.client.send(Call::post(&format!("/{BUCKET}/{key}?uploads"), "")).await.status, 200);
    }
    let action = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>";
    assert_eq!(set(&world, &[&rule("r", "<Filter><Prefix>a/</Prefix></Filter>", action)]).await.status, 200);
    let left = until(&world, "uploads", "Key", 1).await;
    assert_eq!(left.all("Key"), ["b/k"]);
}
