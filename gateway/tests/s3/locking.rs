//! Object Lock: "Locking objects with Object Lock" in the S3 User Guide.

use nodio_host::clock::now_ms;

use crate::common::{Answer, BUCKET, Call, Client, World};

const LOCKED: &str = "locked-bucket";
const GOVERNANCE: &str = "GOVERNANCE";
const COMPLIANCE: &str = "COMPLIANCE";
const BYPASS: (&str, &str) = ("x-amz-bypass-governance-retention", "true");

/// So many hours from now, as S3 writes dates.
fn in_hours(hours: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(now_ms() as i64).unwrap() + jiff::SignedDuration::from_hours(hours);
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

async fn locked() -> World {
    let world = World::new().await;
    let made = Call::put(&format!("/{LOCKED}"), "").header("x-amz-bucket-object-lock-enabled", "true");
    assert_eq!(world.client.send(made).await.status, 200);
    world
}

async fn put(client: &Client, key: &str, headers: &[(&str, &str)]) -> String {
    let call = headers.iter().fold(Call::put(&format!("/{LOCKED}/{key}"), key), |call, (name, value)| call.header(name, value));
    let answer = client.send(call).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-amz-version-id").unwrap().to_owned()
}

async fn delete(client: &Client, key: &str, version: &str, headers: &[(&str, &str)]) -> Answer {
    let call = Call::delete(&format!("/{LOCKED}/{key}?versionId={version}"));
    client.send(headers.iter().fold(call, |call, (name, value)| call.header(name, value))).await
}

fn retention(mode: &str, until: &str) -> String {
    format!("<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>")
}

async fn retain(client: &Client, key: &str, document: &str, headers: &[(&str, &str)]) -> Answer {
    let call = Call::put(&format!("/{LOCKED}/{key}?retention"), document);
    client.send(headers.iter().fold(call, |call, (name, value)| call.header(name, value))).await
}

async fn hold(client: &Client, key: &str, status: &str) -> Answer {
    let document = format!("<LegalHold><Status>{status}</Status></LegalHold>");
    client.send(Call::put(&format!("/{LOCKED}/{key}?legal-hold"), document)).await
}

fn refused() -> (u16, String) {
    (403, "AccessDenied".into())
}

#[tokio::test]
async fn a_bucket_says_how_new_versions_are_locked() {
    let world = locked().await;
    let client = &world.client;
    let target = format!("/{LOCKED}?object-lock");
    let versioning = client.send(Call::get(&format!("/{LOCKED}?versioning"))).await;
    assert_eq!(versioning.one("Status").as_deref(), Some("Enabled"));
    let suspend = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    let suspended = client.send(Call::put(&format!("/{LOCKED}?versioning"), suspend)).await;
    assert_eq!(suspended.error(), (409, "InvalidBucketState".into()));

    let set = async |enabled: &str, rule: &str| {
        let document =
            format!("<ObjectLockConfiguration><ObjectLockEnabled>{enabled}</ObjectLockEnabled>{rule}</ObjectLockConfiguration>");
        client.send(Call::put(&target, document)).await
    };
    let rule = |inner: &str| format!("<Rule><DefaultRetention>{inner}</DefaultRetention></Rule>");
    let nothing = client.send(Call::get(&target)).await;
    assert_eq!((nothing.one("ObjectLockEnabled").as_deref(), nothing.one("Mode")), (Some("Enabled"), None));
    for (mode, unit, count) in [(GOVERNANCE, "Days", "1"), (COMPLIANCE, "Years", "2")] {
        assert_eq!(set("Enabled", &rule(&format!("<Mode>{mode}</Mode><{unit}>{count}</{unit}>"))).await.status, 200);
        let shown = client.send(Call::get(&target)).await;
        assert_eq!((shown.one("Mode").as_deref(), shown.one(unit).as_deref()), (Some(mode), Some(count)));
    }
    for (enabled, inner, code) in [
        ("Disabled", "<Mode>GOVERNANCE</Mode><Days>1</Days>", "MalformedXML"),
        ("Enabled", "<Mode>governance</Mode><Days>1</Days>", "MalformedXML"),
        ("Enabled", "<Mode>GOVERNANCE</Mode>", "MalformedXML"),
        ("Enabled", "<Days>1</Days>", "MalformedXML"),
        ("Enabled", "<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>", "MalformedXML"),
        ("Enabled", "<Mode>GOVERNANCE</Mode><Days>0</Days>", "InvalidRetentionPeriod"),
        ("Enabled", "<Mode>GOVERNANCE</Mode><Years>-1</Years>", "InvalidRetentionPeriod"),
        ("Enabled", "<Mode>GOVERNANCE</Mode><Years>101</Years>", "InvalidRetentionPeriod"),
    ] {
        assert_eq!(set(enabled, &rule(inner)).await.error(), (400, code.into()), "{inner}");
    }
    assert_eq!(client.send(Call::get(&target)).await.one("Years").as_deref(), Some("2"));
}

#[tokio::test]
async fn a_bucket_gets_object_lock_later_once_it_keeps_versions() {
    let world = World::new().await;
    let client = &world.client;
    let target = format!("/{BUCKET}?object-lock");
    assert_eq!(client.send(Call::get(&target)).await.error(), (404, "ObjectLockConfigurationNotFoundError".into()));
    let enable = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
    assert_eq!(client.send(Call::put(&target, enable)).await.error(), (409, "InvalidBucketState".into()));
    let versioned = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(client.send(Call::put(&format!("/{BUCKET}?versioning"), versioned)).await.status, 200);
    assert_eq!(client.send(Call::put(&target, enable)).await.status, 200);
    assert_eq!(client.send(Call::get(&target)).await.status, 200);
}

#[tokio::test]
async fn a_bucket_without_object_lock_locks_nothing() {
    let world = World::new().await;
    let client = &world.client;
    let key = format!("/{BUCKET}/k");
    assert_eq!(client.send(Call::put(&key, "k")).await.status, 200);
    let document = retention(GOVERNANCE, &in_hours(1));
    for call in [
        Call::put(&format!("{key}?retention"), &document),
        Call::get(&format!("{key}?retention")),
        Call::put(&format!("{key}?legal-hold"), "<LegalHold><Status>ON</Status></LegalHold>"),
        Call::get(&format!("{key}?legal-hold")),
        Call::put(&key, "other").header("x-amz-object-lock-legal-hold", "ON"),
        Call::post(&format!("{key}?uploads"), "").header("x-amz-object-lock-legal-hold", "ON"),
    ] {
        assert_eq!(client.send(call).await.error(), (400, "InvalidRequest".into()));
    }
    assert_eq!(client.send(Call::get(&key)).await.text(), "k");
}

#[tokio::test]
async fn a_retained_version_stays_until_governance_is_bypassed() {
    let world = locked().await;
    let client = &world.client;
    let until = in_hours(1);
    let lock = |mode| [("x-amz-object-lock-mode", mode), ("x-amz-object-lock-retain-until-date", until.as_str())];
    let (governed, complied) = (put(client, "g", &lock(GOVERNANCE)).await, put(client, "c", &lock(COMPLIANCE)).await);
    let head = client.send(Call::head(&format!("/{LOCKED}/g"))).await;
    assert_eq!(head.header("x-amz-object-lock-mode"), Some(GOVERNANCE));
    assert_eq!(head.header("x-amz-object-lock-retain-until-date"), Some(until.as_str()));
    assert_eq!(head.header("x-amz-object-lock-legal-hold"), None);
    assert_eq!(delete(client, "g", &governed, &[]).await.error(), refused());
    assert_eq!(delete(client, "c", &complied, &[BYPASS]).await.error(), refused());

    // Without a version named, a marker is put on it, and taken off again.
    let marker = client.send(Call::delete(&format!("/{LOCKED}/g"))).await;
    assert_eq!(marker.status, 204);
    assert_eq!(delete(client, "g", marker.header("x-amz-version-id").unwrap(), &[]).await.status, 204);

    let many = format!(
        "<Delete><Object><Key>g</Key><VersionId>{governed}</VersionId></Object><Object><Key>c</Key><VersionId>{complied}</VersionId></Object></Delete>"
    );
    let both = client.send(Call::post(&format!("/{LOCKED}?delete"), &many)).await;
    assert_eq!((both.status, both.all("Code")), (200, vec!["AccessDenied".to_owned(), "AccessDenied".to_owned()]));
    let one = client.send(Call::post(&format!("/{LOCKED}?delete"), &many).header(BYPASS.0, BYPASS.1)).await;
    assert_eq!((one.all("Key"), one.all("Code")), (vec!["g".to_owned(), "c".to_owned()], vec!["AccessDenied".to_owned()]));
    assert_eq!(client.send(Call::get(&format!("/{LOCKED}/g"))).await.error().0, 404);
    assert_eq!(client.send(Call::get(&format!("/{LOCKED}/c"))).await.text(), "c");
}

#[tokio::test]
async fn retention_is_only_made_longer_unless_governance_is_bypassed() {
    let world = locked().await;
    let client = &world.client;
    put(client, "k", &[]).await;
    let none = client.send(Call::get(&format!("/{LOCKED}/k?retention"))).await;
    assert_eq!(none.error(), (404, "NoSuchObjectLockConfiguration".into()));
    let (short, long) = (retention(GOVERNANCE, &in_hours(1)), retention(GOVERNANCE, &in_hours(2)));
    assert_eq!(retain(client, "k", &short, &[]).await.status, 200);
    assert_eq!(retain(client, "k", &long, &[]).await.status, 200);
    assert_eq!(retain(client, "k", &short, &[]).await.error(), refused());
    assert_eq!(retain(client, "k", "<Retention></Retention>", &[]).await.error(), refused());
    assert_eq!(retain(client, "k", &retention(COMPLIANCE, &in_hours(3)), &[]).await.error(), refused());
    assert_eq!(retain(client, "k", &short, &[BYPASS]).await.status, 200);
    assert_eq!(retain(client, "k", &retention(COMPLIANCE, &in_hours(3)), &[BYPASS]).await.status, 200);
    for next in [retention(GOVERNANCE, &in_hours(4)), retention(COMPLIANCE, &in_hours(2)), "<Retention></Retention>".into()] {
        assert_eq!(retain(client, "k", &next, &[BYPASS]).await.error(), refused());
    }
    assert_eq!(retain(client, "k", &retention(COMPLIANCE, &in_hours(4)), &[]).await.status, 200);
    let shown = client.send(Call::get(&format!("/{LOCKED}/k?retention"))).await;
    assert_eq!(shown.one("Mode").as_deref(), Some(COMPLIANCE));
    for (document, code) in [
        (retention("governance", &in_hours(1)), "MalformedXML"),
        (retention(COMPLIANCE, "tomorrow"), "MalformedXML"),
        ("<Retention><Mode>GOVERNANCE</Mode></Retention>".into(), "MalformedXML"),
        (retention(COMPLIANCE, &in_hours(-1)), "InvalidArgument"),
    ] {
        assert_eq!(retain(client, "k", &document, &[]).await.error(), (400, code.into()), "{document}");
    }
    assert_eq!(retain(client, "missing", &short, &[]).await.error(), (404, "NoSuchKey".into()));
}

#[tokio::test]
async fn a_legal_hold_stands_until_it_is_taken_off() {
    let world = locked().await;
    let client = &world.client;
    let version = put(client, "k", &[("x-amz-object-lock-legal-hold", "ON")]).await;
    let shown = async || client.send(Call::get(&format!("/{LOCKED}/k?legal-hold"))).await.one("Status");
    assert_eq!(shown().await.as_deref(), Some("ON"));
    let head = client.send(Call::head(&format!("/{LOCKED}/k"))).await;
    assert_eq!(head.header("x-amz-object-lock-legal-hold"), Some("ON"));
    assert_eq!(delete(client, "k", &version, &[BYPASS]).await.error(), refused());
    assert_eq!(hold(client, "k", "on").await.error(), (400, "MalformedXML".into()));
    assert_eq!(hold(client, "k", "OFF").await.status, 200);
    assert_eq!(shown().await.as_deref(), Some("OFF"));
    assert_eq!(delete(client, "k", &version, &[]).await.status, 204);
}

#[tokio::test]
async fn every_way_to_write_gets_the_buckets_default() {
    let world = locked().await;
    let client = &world.client;
    let document = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    assert_eq!(client.send(Call::put(&format!("/{LOCKED}?object-lock"), document)).await.status, 200);
    put(client, "put", &[]).await;
    let copy = Call::put(&format!("/{LOCKED}/copy"), "").header("x-amz-copy-source", &format!("{LOCKED}/put"));
    assert_eq!(client.send(copy).await.status, 200);
    let upload = client.send(Call::post(&format!("/{LOCKED}/upload?uploads"), "")).await.one("UploadId").unwrap();
    let part = client.send(Call::put(&format!("/{LOCKED}/upload?partNumber=1&uploadId={upload}"), "part")).await;
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        part.header("etag").unwrap()
    );
    assert_eq!(client.send(Call::post(&format!("/{LOCKED}/upload?uploadId={upload}"), list)).await.status, 200);
    for key in ["put", "copy", "upload"] {
        let head = client.send(Call::head(&format!("/{LOCKED}/{key}"))).await;
        assert_eq!(head.header("x-amz-object-lock-mode"), Some(GOVERNANCE), "{key}");
        let version = head.header("x-amz-version-id").unwrap().to_owned();
        assert_eq!(delete(client, key, &version, &[]).await.error(), refused(), "{key}");
    }
    let own = [("x-amz-object-lock-mode", COMPLIANCE), ("x-amz-object-lock-retain-until-date", &in_hours(50))];
    put(client, "own", &own).await;
    let head = client.send(Call::head(&format!("/{LOCKED}/own"))).await;
    assert_eq!(head.header("x-amz-object-lock-mode"), Some(COMPLIANCE));
}

#[tokio::test]
async fn a_lock_in_headers_is_whole_and_in_the_future() {
    let world = locked().await;
    let (past, next) = (in_hours(-1), in_hours(1));
    for headers in [
        &[("x-amz-object-lock-mode", GOVERNANCE)][..],
        &[("x-amz-object-lock-retain-until-date", next.as_str())],
        &[("x-amz-object-lock-mode", "abc"), ("x-amz-object-lock-retain-until-date", &next)],
        &[("x-amz-object-lock-mode", GOVERNANCE), ("x-amz-object-lock-retain-until-date", &past)],
        &[("x-amz-object-lock-legal-hold", "abc")],
    ] {
        let call = headers.iter().fold(Call::put(&format!("/{LOCKED}/k"), "k"), |call, (name, value)| call.header(name, value));
        assert_eq!(world.client.send(call).await.error(), (400, "InvalidArgument".into()), "{headers:?}");
    }
    assert_eq!(world.client.send(Call::get(&format!("/{LOCKED}/k"))).await.error().0, 404);
}
