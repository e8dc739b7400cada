//! POST Object: forms as browsers send them.

use serde_json::{Value, json};

use crate::common::{Answer, BUCKET, Call, Form, World, bytes, time_in};

fn policy(conditions: &[Value]) -> Value {
    let mut all = vec![json!({"bucket": BUCKET}), json!(["starts-with", "$key", "k"])];
    all.extend_from_slice(conditions);
    json!({"expiration": time_in(600, "%Y-%m-%dT%H:%M:%SZ"), "conditions": all})
}

async fn post(world: &World, form: &Form) -> Answer {
    post_to(world, &format!("/{BUCKET}"), form).await
}

async fn post_to(world: &World, target: &str, form: &Form) -> Answer {
    let call = Call::post(target, form.body()).header("content-type", &Form::content_type());
    world.client.send_unsigned(call).await
}

async fn get(world: &World, key: &str) -> Answer {
    world.client.send(Call::get(&format!("/{BUCKET}/{key}"))).await
}

#[tokio::test]
async fn a_form_signed_either_way_stores_its_file() {
    let world = World::new().await;
    let conditions = [
        json!({"acl": "private"}),
        json!(["StArTs-WiTh", "$CoNtEnT-TyPe", "text/"]),
        json!(["starts-with", "$x-amz-meta-who", ""]),
        json!({"Content-Disposition": "attachment; filename=\"\u{e9}\""}),
        json!({"expires": "some day"}),
    ];
    let fields = [
        ("kEy", "k/1"),
        ("aCl", "private"),
        ("Content-Type", "text/plain"),
        ("X-Amz-Meta-Who", "\u{c4}nn"),
        ("Content-Disposition", "attachment; filename=\"\u{e9}\""),
        ("Expires", "some day"),
        ("x-ignore-me", "please"),
    ];
    for (at, file) in [Vec::new(), b"a file".to_vec(), bytes(300_000)].into_iter().enumerate() {
        let form = Form::new(&fields, &file);
        let signed = if at % 2 == 0 {
            form.signed_v2(&world.client, &policy(&conditions))
        } else {
            form.signed_v4(&world.client, policy(&conditions))
        };
        let answer = post(&world, &signed).await;
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{}", answer.text());
        let got = get(&world, "k/1").await;
        assert_eq!(got.body, file);
        assert_eq!(got.header("etag"), answer.header("etag"));
        assert_eq!(got.header("content-type"), Some("text/plain"));
        assert_eq!(got.header("expires"), Some("some day"));
        assert_eq!(got.header("x-amz-meta-who"), Some("=?UTF-8?B?w4Rubg==?="));
        assert!(got.header("content-disposition").is_some_and(|value| value.starts_with("attachment")));
    }
}

#[tokio::test]
async fn a_bucket_takes_forms_by_path_and_by_host_name() {
    let world = World::new().await;
    for (target, host, location) in [
        (format!("/{BUCKET}/"), None, format!("http://{}/{BUCKET}/k%2Fa%20b", world.addr)),
        ("/".into(), Some(format!("{BUCKET}.s3.localhost")), format!("http://{BUCKET}.s3.localhost/k%2Fa%20b")),
    ] {
        let form = Form::new(&[("key", "k/a b")], "x").signed_v4(&world.client, policy(&[]));
        let mut call = Call::post(&target, form.body()).header("content-type", &Form::content_type());
        call.host = host;
        let answer = world.client.send_unsigned(call).await;
        assert_eq!((answer.status, answer.header("location")), (204, Some(location.as_str())), "{}", answer.text());
        assert_eq!(get(&world, "k/a%20b").await.body, b"x");
    }
}

#[tokio::test]
async fn a_form_says_how_it_is_answered() {
    let world = World::new().await;
    let with = [json!(["starts-with", "$success_action_status", ""]), json!(["starts-with", "$success_action_redirect", "http"])];
    let sent = async |status: &str, redirect: &str| {
        let fields = [("key", "k"), ("success_action_status", status), ("success_action_redirect", redirect)];
        post(&world, &Form::new(&fields, "x").signed_v2(&world.client, &policy(&with))).await
    };
    for (asked, status) in [("200", 200), ("201", 201), ("204", 204), ("404", 204), ("", 204)] {
        assert_eq!(sent(asked, "http").await.status, status, "{asked}");
    }
    let answer = sent("201", "http:/nowhere").await;
    let elements = ["Bucket", "Key", "ETag", "Location"].map(|name| answer.one(name));
    assert_eq!(elements[..2], [Some(BUCKET.into()), Some("k".into())]);
    assert_eq!((elements[2].as_deref(), elements[3].as_deref()), (answer.header("etag"), answer.header("location")));
    let answer = sent("201", "http://example.org/done?a=b").await;
    let etag = answer.header("etag").unwrap().trim_matches('"').to_owned();
    let wanted = format!("http://example.org/done?a=b&bucket={BUCKET}&key=k&etag=%22{etag}%22");
    assert_eq!((answer.status, answer.header("location")), (303, Some(wanted.as_str())));
}

#[tokio::test]
async fn the_files_name_goes_where_a_field_asks_for_it() {
    let world = World::new().await;
    for (filename, key) in [(Some("C:\\dir\\one.txt"), "k-one.txt"), (Some(""), "k-"), (None, "k-${filename}")] {
        let mut form = Form::new(&[("key", "k-${filename}")], "x");
        form.filename = filename.map(str::to_owned);
        let answer = post(&world, &form.signed_v2(&world.client, &policy(&[]))).await;
        assert_eq!(answer.status, 204, "{}", answer.text());
        assert!(world.keys().await.contains(&key.to_owned()), "{key}");
    }
}

#[tokio::test]
async fn what_follows_the_file_is_ignored_and_what_looks_like_its_end_is_not() {
    let world = World::new().await;
    let file = b"\r\n------a-boundary-7f3\r\n--\r\n\r\n".repeat(20_000);
    let mut form = Form::new(&[("key", "k")], &file).signed_v4(&world.client, policy(&[]));
    form.after = vec![("key".into(), "other".into()), ("file".into(), "second".into()), ("submit".into(), "go".into())];
    let answer = post(&world, &form).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
    assert_eq!(get(&world, "k").await.body, file);
    assert_eq!(world.keys().await, ["k"]);
}

/// A good form, changed.
type Change = fn(Form) -> Form;

#[tokio::test]
async fn forms_that_are_not_whole_or_not_signed_are_refused() {
    let world = World::new().await;
    let v2 = Form::new(&[("key", "k")], "x").signed_v2(&world.client, &policy(&[]));
    let v4 = Form::new(&[("key", "k")], "x").signed_v4(&world.client, policy(&[]));
    let cases: [(&Form, Change, u16, &str); 15] = [
        (&v2, |form| form.change("key", None), 400, "InvalidArgument"),
        (&v2, |form| form.change("key", Some("")), 400, "InvalidArgument"),
        (&v2, |form| form.change("signature", None), 400, "InvalidArgument"),
        (&v2, |form| form.change("AWSAccessKeyId", None), 400, "InvalidArgument"),
        (&v2, |form| form.change("policy", None), 400, "InvalidArgument"),
        (&v2, |form| form.change("AWSAccessKeyId", Some("NOBODY")), 403, "InvalidAccessKeyId"),
        (&v2, |form| form.change("signature", Some("AAAA")), 403, "SignatureDoesNotMatch"),
        (&v2, |form| form.change("signature", Some("%")), 403, "SignatureDoesNotMatch"),
        (&v2, |form| form.change("policy", Some("AAAA")), 403, "SignatureDoesNotMatch"),
        (&v4, |form| form.change("Policy", Some("AAAA")), 403, "SignatureDoesNotMatch"),
        (&v4, |form| form.change("X-Amz-Signature", None), 400, "InvalidArgument"),
        (&v4, |form| form.change("x-amz-credential", Some("AK/20260101/eu-west-9/s3/aws4_request")), 400, "InvalidArgument"),
        (&v4, |form| form.change("x-amz-algorithm", Some("AWS4")), 400, "InvalidArgument"),
        (&v4, |form| form.change("x-amz-date", Some("20260101T000000Z")), 403, "AccessDenied"),
        (&v4, |form| form.field("signature", "x"), 400, "InvalidArgument"),
    ];
    for (at, (form, change, status, code)) in cases.into_iter().enumerate() {
        let answer = post(&world, &change(form.clone())).await;
        assert_eq!(answer.error(), (status, code.to_owned()), "case {at}: {}", answer.text());
    }
    let region = post(&world, &v4.clone().change("x-amz-credential", Some("AK/20260101/eu-west-9/s3/aws4_request"))).await;
    assert_eq!(region.one("Region").as_deref(), Some("us-east-1"));
    assert!(world.keys().await.is_empty());
}

#[tokio::test]
async fn a_policy_decides_on_every_field() {
    let world = World::new().await;
    let expired = json!({"expiration": time_in(-1, "%Y-%m-%dT%H:%M:%SZ"), "conditions": [{"bucket": BUCKET}, {"key": "k"}]});
    let spaced = json!({"expiration": time_in(600, "%Y-%m-%d %H:%M:%SZ"), "conditions": [{"bucket": BUCKET}, {"key": "k"}]});
    let no_bucket = json!({"expiration": time_in(600, "%Y-%m-%dT%H:%M:%SZ"), "conditions": [{"key": "k"}]});
    let other = json!({"expiration": time_in(600, "%Y-%m-%dT%H:%M:%SZ"), "conditions": [{"bucket": "other"}, {"key": "k"}]});
    let meta = json!(["starts-with", "$x-amz-meta-a", "bar"]);
    for (policy, more, status, code) in [
        (expired, None, 403, "AccessDenied"),
        (spaced, None, 400, "InvalidPolicyDocument"),
        (no_bucket, None, 403, "AccessDenied"),
        (other, Some(("bucket", "other")), 403, "AccessDenied"),
        (json!({"conditions": []}), None, 400, "InvalidPolicyDocument"),
        (policy(&[json!({})]), None, 400, "InvalidPolicyDocument"),
        (policy(std::slice::from_ref(&meta)), None, 403, "AccessDenied"),
        (policy(std::slice::from_ref(&meta)), Some(("x-amz-meta-a", "foo")), 403, "AccessDenied"),
        (policy(&[]), Some(("x-amz-meta-a", "bar")), 403, "AccessDenied"),
        (policy(&[json!({"key": "k2"})]), None, 403, "AccessDenied"),
        (policy(&[json!({"tagging": "no-xml"})]), Some(("tagging", "no-xml")), 400, "MalformedXML"),
        (policy(&[json!(["eq", "$x-amz-copy-source", "/a/b"])]), Some(("x-amz-copy-source", "/a/b")), 400, "InvalidArgument"),
    ] {
        let fields: Vec<(&str, &str)> = [Some(("key", "k")), more].into_iter().flatten().collect();
        let answer = post(&world, &Form::new(&fields, "x").signed_v2(&world.client, &policy)).await;
        assert_eq!(answer.error(), (status, code.to_owned()), "{policy} {more:?}: {}", answer.text());
    }
    let both = Form::new(&[("key", "k"), ("x-amz-meta-a", "barrel")], "x").signed_v2(&world.client, &policy(&[meta]));
    assert_eq!(post(&world, &both).await.status, 204);
    assert_eq!(get(&world, "k").await.header("x-amz-meta-a"), Some("barrel"));
}

#[tokio::test]
async fn a_file_of_a_size_that_is_not_allowed_leaves_nothing_behind() {
    let world = World::new().await;
    let sent = async |range: Value, file: &[u8]| {
        let policy = policy(&[range]);
        post(&world, &Form::new(&[("key", "k")], file).signed_v2(&world.client, &policy)).await
    };
    for (min, max, size, code) in [
        (0, 0, 3, "EntityTooLarge"),
        (512, 1000, 3, "EntityTooSmall"),
        (0, 4_000_000, 9_000_000, "EntityTooLarge"),
        (9_000_001, 9_999_999, 9_000_000, "EntityTooSmall"),
    ] {
        let answer = sent(json!(["content-length-range", min, max]), &bytes(size)).await;
        assert_eq!(answer.error(), (400, code.to_owned()), "{size} in {min}..={max}");
        assert!(answer.one("ProposedSize").is_some());
    }
    assert_eq!(sent(json!(["content-length-range", -1, 0]), b"x").await.error(), (400, "InvalidPolicyDocument".into()));
    assert!(world.keys().await.is_empty());
    assert!(world.settled(0).await, "shards of refused files are left");
    assert_eq!(sent(json!(["content-length-range", 9_000_000, 9_000_000]), &bytes(9_000_000)).await.status, 204);
    assert_eq!(get(&world, "k").await.body, bytes(9_000_000));
}

#[tokio::test]
async fn checksums_in_a_form_are_held_to() {
    let world = World::new().await;
    let plain = "x-amz-checksum-crc32";
    for (fields, status, code) in [
        (vec![(plain, "jNwWgQ==")], 400, "BadDigest"),
        (vec![(plain, "jNwWgQ=")], 400, "BadDigest"),
        (vec![("x-amz-checksum-algorithm", "CRC32")], 400, "InvalidRequest"),
        (vec![("x-amz-checksum-algorithm", "CRC32"), (plain, "jNwWgw==")], 204, ""),
        (vec![(plain, "jNwWgw==")], 204, ""),
    ] {
        let all: Vec<(&str, &str)> = [("key", "k")].into_iter().chain(fields.clone()).collect();
        let answer = post(&world, &Form::new(&all, "x").signed_v2(&world.client, &policy(&[]))).await;
        match code {
            "" => assert_eq!((answer.status, answer.header(plain)), (status, Some("jNwWgw==")), "{fields:?} {}", answer.text()),
            code => assert_eq!(answer.error(), (status, code.to_owned()), "{fields:?} {}", answer.text()),
        }
    }
    let form = Form::new(&[("key", "m"), ("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==")], "x");
    let answer = post(&world, &form.signed_v2(&world.client, &policy(&[json!(["starts-with", "$content-md5", ""])]))).await;
    // The key must begin with k: the policy comes before the file.
    assert_eq!(answer.error(), (403, "AccessDenied".into()));
    let form = Form::new(&[("key", "k2"), ("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==")], "x");
    let answer = post(&world, &form.signed_v2(&world.client, &policy(&[json!(["starts-with", "$content-md5", ""])]))).await;
    assert_eq!(answer.error(), (400, "BadDigest".into()));
    assert_eq!(world.keys().await, ["k"]);
}

#[tokio::test]
async fn an_unsigned_form_is_an_anonymous_put() {
    let world = World::new().await;
    for fields in [vec![("key", "k"), ("acl", "private")], vec![("key", "k"), ("Content-Type", "text/plain")]] {
        assert_eq!(post(&world, &Form::new(&fields, "x")).await.error(), (403, "AccessDenied".into()));
    }
    let stranger = world.stranger().await;
    let form = Form::new(&[("key", "k")], "x").signed_v4(&stranger, policy(&[]));
    assert_eq!(post(&world, &form).await.error(), (403, "AccessDenied".into()));
    let other = json!({"expiration": time_in(600, "%Y-%m-%dT%H:%M:%SZ"), "conditions": [{"bucket": "nowhere"}, {"key": "k"}]});
    let form = Form::new(&[("key", "k")], "x").signed_v4(&world.client, other);
    assert_eq!(post_to(&world, "/nowhere", &form).await.error(), (404, "NoSuchBucket".into()));
    assert!(world.keys().await.is_empty());
}

#[tokio::test]
async fn only_whole_forms_that_go_to_a_bucket_are_forms() {
    let world = World::new().await;
    let form = Form::new(&[("key", "k")], bytes(200_000)).signed_v4(&world.client, policy(&[]));
    assert_eq!(post_to(&world, &format!("/{BUCKET}/k"), &form).await.error(), (405, "MethodNotAllowed".into()));
    assert_eq!(post_to(&world, "/", &form).await.error(), (405, "MethodNotAllowed".into()));
    let target = format!("/{BUCKET}");
    let plain = Call::post(&target, "key=k").header("content-type", "application/x-www-form-urlencoded");
    let answer = world.client.send_unsigned(plain).await;
    assert_eq!(answer.error(), (412, "PreconditionFailed".into()));
    assert!(answer.one("Condition").is_some_and(|condition| condition.contains("multipart/form-data")));
    let long = Form::new(&[("key", "k"), ("x-ignore-it", &"x".repeat(21_000))], "x");
    assert_eq!(post(&world, &long).await.error(), (400, "MaxPostPreDataLengthExceeded".into()));
    let body = form.body();
    let typed = |body: &[u8]| Call::post(&target, body).header("content-type", &Form::content_type());
    for cut in [10, 400, body.len() - 150_000, body.len() - 60] {
        let answer = world.client.send_unsigned(typed(&body[..cut])).await;
        assert_eq!(answer.error(), (400, "MalformedPOSTRequest".into()), "cut at {cut}");
    }
    let signed = world.client.send(typed(&body)).await;
    assert_eq!(signed.error(), (400, "InvalidArgument".into()));
    assert!(world.keys().await.is_empty());
    assert!(world.settled(0).await, "shards of refused files are left");
}

#[tokio::test]
async fn a_form_that_breaks_off_stores_nothing() {
    let world = World::new().await;
    let form = Form::new(&[("key", "k")], bytes(5_000_000)).signed_v2(&world.client, &policy(&[]));
    let body = form.body();
    let head = format!(
        "POST /{BUCKET} HTTP/1.1\r\nhost: h\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        Form::content_type(),
        body.len()
    );
    for cut in [100, 4_000_000, body.len() - 2] {
        let mut request = head.clone().into_bytes();
        request.extend_from_slice(&body[..cut]);
        crate::common::break_off(world.addr, &request).await;
    }
    assert!(world.settled(0).await, "shards of a broken-off file are left");
    assert!(world.keys().await.is_empty());
}
