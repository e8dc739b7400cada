//! Policies of buckets and of keys: what they open, what they close, and every condition key that a request fills. "Policies and
//! permissions in Amazon S3" in the S3 User Guide.

use std::time::Duration;

use serde_json::json;

use crate::common::access::{actions, allow, bucket, denied, object, ok, owner_id, policy, put};
use crate::common::{BUCKET, Call, Client, Form, Payload, World, id_of, presign, time_in};

#[tokio::test]
async fn a_policy_is_kept_as_written_and_opens_what_it_names() {
    let world = World::new().await;
    let (owner, ben, cleo) = (&world.client, world.user("ben", None).await, world.user("cleo", None).await);
    let target = format!("{}?policy", bucket());
    assert_eq!(owner.send(Call::get(&target)).await.error(), (404, "NoSuchBucketPolicy".into()));
    put(owner, "k", "private").await;
    let statements = [
        allow(&format!(r#"{{"AWS":"arn:aws:iam::{}:root"}}"#, id_of("ben")), "s3:ListBucket", BUCKET),
        allow(r#"{"AWS":"arn:aws:iam:::user/ben"}"#, "s3:GetObject", &format!("{BUCKET}/*")),
        format!(r#"{{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::{BUCKET}/*"}}"#),
    ];
    let text = format!(r#"{{"Version":"2012-10-17",  "Statement":[{}]}}"#, statements.join(","));
    assert_eq!(owner.send(Call::put(&target, &text)).await.status, 204);
    assert_eq!(owner.send(Call::get(&target)).await.text(), text);
    ok(&ben.send(Call::get(&bucket())).await);
    assert_eq!(ben.send(Call::get(&object("k"))).await.body, b"body");
    assert_eq!(ben.send(Call::get(&object("missing"))).await.error(), (404, "NoSuchKey".into()));
    denied(&ben.send(Call::put(&object("k"), "x")).await);
    denied(&ben.send(Call::get(&target)).await);
    denied(&cleo.send(Call::get(&object("k"))).await);
    denied(&owner.send(Call::delete(&object("k"))).await);
    let deletes = "<Delete><Object><Key>k</Key></Object></Delete>";
    let answer = owner.send(Call::post(&format!("{}?delete", bucket()), deletes)).await;
    assert_eq!((answer.status, answer.one("Code").as_deref()), (200, Some("AccessDenied")));
    assert_eq!(owner.send(Call::delete(&target)).await.status, 204);
    denied(&ben.send(Call::get(&object("k"))).await);
    ok(&owner.send(Call::delete(&object("k"))).await);

    for bad in [
        "{}".to_owned(),
        "policy".to_owned(),
        format!(r#"{{"Statement":[{}]}}"#, allow(r#""*""#, "s3:GetObject", "another/*")),
        format!(
            r#"{{"Statement":[{}]}}"#,
            allow(r#""*""#, "s3:GetObject", &format!("{BUCKET}/*")).replace("Principal", "NotPrincipal")
        ),
    ] {
        assert_eq!(owner.send(Call::put(&target, &bad)).await.error(), (400, "MalformedPolicy".into()), "{bad}");
    }
    assert_eq!(owner.send(Call::get(&target)).await.error(), (404, "NoSuchBucketPolicy".into()));
}

#[tokio::test]
async fn conditions_of_a_policy_see_the_request_and_the_object() {
    let world = World::new().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    put(owner, "k", "private").await;
    let condition = |action: &str, effect: &str, condition: &str| {
        format!(
            r#"{{"Effect":"{effect}","Principal":"*","Action":"{action}","Resource":["arn:aws:s3:::{BUCKET}","arn:aws:s3:::{BUCKET}/*"],
                "Condition":{condition}}}"#
        )
    };
    ok(&policy(owner, &condition("s3:GetObject", "Allow", r#"{"StringLike":{"aws:Referer":"http://good.example/*"}}"#)).await);
    let from = |referer: &str| Call::get(&object("k")).header("referer", referer);
    ok(&ben.send(from("http://good.example/page")).await);
    ok(&owner.send_unsigned(from("http://good.example/page")).await);
    denied(&ben.send(from("http://bad.example/")).await);
    ok(&ben.send(from("http://good.example/x").header("range", "bytes=nonsense")).await);

    ok(&policy(owner, &condition("s3:GetObject", "Allow", r#"{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}"#)).await);
    ok(&ben.send(Call::get(&object("k"))).await);
    ok(&policy(owner, &condition("s3:GetObject", "Allow", r#"{"NotIpAddress":{"aws:SourceIp":"127.0.0.0/8"}}"#)).await);
    denied(&ben.send(Call::get(&object("k"))).await);

    let list = condition("s3:ListBucket", "Allow", r#"{"StringEquals":{"s3:prefix":"open/"}}"#);
    ok(&policy(owner, &list).await);
    ok(&ben.send(Call::get(&format!("{}?prefix=open%2F", bucket()))).await);
    denied(&ben.send(Call::get(&format!("{}?prefix=other", bucket()))).await);

    let write = allow(r#""*""#, "s3:PutObject", &format!("{BUCKET}/*"));
    let not_public = condition("s3:PutObject", "Deny", r#"{"StringLike":{"s3:x-amz-acl":"public*"}}"#);
    ok(&policy(owner, &format!("{write},{not_public}")).await);
    ok(&ben.send(Call::put(&object("b"), "x")).await);
    denied(&ben.send(Call::put(&object("b"), "x").header("x-amz-acl", "public-read")).await);
}

#[tokio::test]
async fn a_policy_of_a_key_narrows_what_the_key_may_do() {
    let world = World::new().await;
    let text = r#"{"Statement":{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket","s3:CreateBucket"],"Resource":["arn:aws:s3:::bens*"]}}"#;
    let (ben, narrow) = (world.user("ben", None).await, world.user("ben", Some(text)).await);
    ok(&narrow.send(Call::put("/bens-bucket", "")).await);
    denied(&narrow.send(Call::put("/other-bucket", "")).await);
    denied(&narrow.send(Call::put("/bens-bucket/k", "x")).await);
    ok(&ben.send(Call::put("/bens-bucket/k", "x")).await);
    assert_eq!(narrow.send(Call::get("/bens-bucket/k")).await.body, b"x");
    ok(&narrow.send(Call::get("/bens-bucket")).await);
    denied(&narrow.send(Call::get("/")).await);
    denied(&narrow.send(Call::delete("/bens-bucket/k")).await);
    denied(&narrow.send(Call::get("/bens-bucket?versioning")).await);
    denied(&narrow.send(Call::get(&bucket())).await);
}

#[tokio::test]
async fn a_policy_cannot_lock_out_the_bucket_owner() {
    let world = World::new().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    let all = format!(
        r#"{{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::{BUCKET}","arn:aws:s3:::{BUCKET}/*"]}}"#
    );
    let bens = allow(r#"{"AWS":"arn:aws:iam:::user/ben"}"#, "s3:*", BUCKET);
    ok(&policy(owner, &bens).await);
    denied(&policy(&ben, &all).await);
    ok(&policy(owner, &all).await);
    denied(&owner.send(Call::get(&bucket())).await);
    ok(&owner.send(Call::get(&format!("{}?policy", bucket()))).await);
    ok(&owner.send(Call::delete(&format!("{}?policy", bucket()))).await);
    ok(&owner.send(Call::get(&bucket())).await);
}

/// A statement for everybody about the bucket and what is in it, under a condition.
fn allow_if(action: &str, condition: &str) -> String {
    format!(
        r#"{{"Effect":"Allow","Principal":"*","Action":"{action}","Resource":["arn:aws:s3:::{BUCKET}","arn:aws:s3:::{BUCKET}/*"],
            "Condition":{condition}}}"#
    )
}

#[tokio::test]
async fn listing_conditions_are_about_listings_alone() {
    let world = World::new().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    put(owner, "private/k", "private").await;
    ok(&policy(owner, &allow_if("s3:*", r#"{"StringLike":{"s3:prefix":"public/*"}}"#)).await);
    ok(&ben.send(Call::get(&format!("{}?prefix=public/", bucket()))).await);
    denied(&ben.send(Call::get(&format!("{}?prefix=private/", bucket()))).await);
    for query in ["", "?prefix=public/", "?prefix=public/&delimiter=/&max-keys=1"] {
        let at = object(&format!("private/k{query}"));
        denied(&ben.send(Call::get(&at)).await);
        denied(&ben.send(Call::put(&at, "x")).await);
        denied(&ben.send(Call::delete(&at)).await);
        assert_eq!(ben.send(Call::head(&at)).await.status, 403);
    }
    assert_eq!(owner.send(Call::get(&object("private/k"))).await.body, b"body");
}

#[tokio::test]
async fn what_is_missing_is_told_to_who_could_list_its_key() {
    let world = World::new().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    ok(&policy(owner, &allow_if("s3:ListBucket", r#"{"StringLike":{"s3:prefix":"public/*"}}"#)).await);
    for (key, status) in [("public/k", 404), ("private/k", 403), ("private/k?prefix=public/", 403)] {
        assert_eq!(ben.send(Call::head(&object(key))).await.status, status, "{key}");
        assert_eq!(ben.send(Call::get(&object(key))).await.status, status, "{key}");
    }
}

#[tokio::test]
async fn services_are_taken_as_principals_and_are_nobody() {
    let world = World::new().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    put(owner, "k", "private").await;
    let service = r#"{"Service":"logging.s3.amazonaws.com"}"#;
    ok(&policy(owner, &allow(service, "s3:*", &format!("{BUCKET}/*"))).await);
    denied(&ben.send(Call::get(&object("k"))).await);
    denied(&owner.send_unsigned(Call::get(&object("k"))).await);
    for odd in [r#"{"Service":"logging"}"#, r#"{"Service":"*"}"#, r#"{"Service":[]}"#, r#"{"Group":"a.b"}"#] {
        let refused = policy(owner, &allow(odd, "s3:*", &format!("{BUCKET}/*"))).await;
        assert_eq!(refused.error(), (400, "MalformedPolicy".into()), "{odd}");
    }
}

/// What is under test is allowed to everybody under a condition; all that a write of tags, ACLs, locks or copies needs besides is allowed.
async fn allow_only_if(owner: &Client, action: &str, condition: &str) {
    let besides: Vec<String> = ["GetObject", "PutObjectTagging", "PutObjectAcl", "PutObjectRetention", "PutObjectLegalHold"]
        .iter()
        .map(|name| format!("s3:{name}"))
        .filter(|name| name != action)
        .map(|name| allow(r#""*""#, &name, &format!("{BUCKET}/*")))
        .collect();
    ok(&policy(owner, &format!("{},{}", besides.join(","), allow_if(action, condition))).await);
}

/// A bucket that may lock, an object `k` that is red and one that isn't.
async fn colourful() -> World {
    let world = World::with(|config| config.kms_keys = vec!["attic".into()]).await;
    let owner = &world.client;
    for (query, document) in [
        ("versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
        ("object-lock", "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>"),
    ] {
        ok(&owner.send(Call::put(&format!("{}?{query}", bucket()), document)).await);
    }
    ok(&owner.send(Call::put(&object("k"), "body").header("x-amz-tagging", "colour=red&size=l")).await);
    ok(&owner.send(Call::put(&object("plain"), "body")).await);
    world
}

fn write() -> Call {
    Call::put(&object("new"), "x")
}

fn copy() -> Call {
    Call::put(&object("new"), "").header("x-amz-copy-source", &object("k"))
}

fn list(query: &str) -> Call {
    Call::get(&format!("{}?{query}", bucket()))
}

#[tokio::test]
async fn each_condition_on_a_write_holds_for_what_it_says_and_nothing_else() {
    let world = colourful().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    let until = time_in(3600, "%Y-%m-%dT%H:%M:%SZ");
    let locked =
        |mode: &str| write().header("x-amz-object-lock-mode", mode).header("x-amz-object-lock-retain-until-date", &until);
    let full = format!("id={}", owner_id(owner).await);
    let kms = |key: &str| {
        let call = write().header("x-amz-server-side-encryption", "aws:kms");
        call.header("x-amz-server-side-encryption-aws-kms-key-id", key)
    };
    let with = |name: &str, value: &str| write().header(name, value);
    for (condition, holds, fails) in [
        (
            r#"{"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}"#,
            with("x-amz-acl", "bucket-owner-full-control"),
            write(),
        ),
        (
            r#"{"StringEquals":{"s3:x-amz-storage-class":"REDUCED_REDUNDANCY"}}"#,
            with("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            with("x-amz-storage-class", "STANDARD"),
        ),
        (
            r#"{"StringEquals":{"s3:x-amz-server-side-encryption":"AES256"}}"#,
            with("x-amz-server-side-encryption", "AES256"),
            kms("attic"),
        ),
        (r#"{"Null":{"s3:x-amz-server-side-encryption":"false"}}"#, with("x-amz-server-side-encryption", "AES256"), write()),
        (r#"{"StringLike":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"att*"}}"#, kms("attic"), write()),
        (
            r#"{"StringEquals":{"s3:RequestObjectTag/colour":"red"}}"#,
            with("x-amz-tagging", "colour=red"),
            with("x-amz-tagging", "colour=blue"),
        ),
        (
            r#"{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["colour","size"]}}"#,
            with("x-amz-tagging", "colour=a&size=b"),
            with("x-amz-tagging", "colour=a&shape=b"),
        ),
        (r#"{"ForAnyValue:StringEquals":{"s3:RequestObjectTagKeys":"colour"}}"#, with("x-amz-tagging", "colour=a"), write()),
        (
            r#"{"StringLike":{"s3:x-amz-copy-source":"my-bucket/k*"}}"#,
            copy(),
            copy().change("x-amz-copy-source", &object("plain")),
        ),
        (
            r#"{"StringEquals":{"s3:x-amz-metadata-directive":"REPLACE"}}"#,
            copy().header("x-amz-metadata-directive", "REPLACE"),
            copy(),
        ),
        (r#"{"Null":{"s3:if-none-match":"false"}}"#, Call::put(&object("unique"), "x").header("if-none-match", "*"), write()),
        (r#"{"StringEquals":{"s3:object-lock-mode":"GOVERNANCE"}}"#, locked("GOVERNANCE"), locked("COMPLIANCE")),
        (r#"{"StringEquals":{"s3:object-lock-legal-hold":"ON"}}"#, with("x-amz-object-lock-legal-hold", "ON"), write()),
        (r#"{"StringLike":{"s3:x-amz-grant-full-control":"id=*"}}"#, with("x-amz-grant-full-control", &full), write()),
        (
            r#"{"StringEquals":{"s3:x-amz-website-redirect-location":"/a"}}"#,
            with("x-amz-website-redirect-location", "/a"),
            with("x-amz-website-redirect-location", "/b"),
        ),
        (r#"{"StringEquals":{"s3:x-amz-content-sha256":"UNSIGNED-PAYLOAD"}}"#, write().payload(Payload::Unsigned), write()),
    ] {
        allow_only_if(owner, "s3:PutObject", condition).await;
        let answer = ben.send(holds).await;
        assert_eq!(answer.status, 200, "{condition}: {}", answer.text());
        assert_eq!(ben.send(fails).await.error(), (403, "AccessDenied".into()), "{condition}");
    }
}

#[tokio::test]
async fn each_condition_on_a_read_holds_for_what_it_says_and_nothing_else() {
    let world = colourful().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    let version = owner.send(Call::head(&object("k"))).await.header("x-amz-version-id").unwrap().to_owned();
    let other = owner.send(Call::head(&object("plain"))).await.header("x-amz-version-id").unwrap().to_owned();
    let (red, plain) = (|| Call::get(&object("k")), || Call::get(&object("plain")));
    let by_version = format!(r#"{{"StringEquals":{{"s3:VersionId":"{version}"}}}}"#);
    let at = |version: &str| Call::get(&object(&format!("k?versionId={version}")));
    for (action, condition, holds, fails) in [
        ("s3:GetObject", r#"{"StringEquals":{"s3:ExistingObjectTag/colour":"red"}}"#, red(), plain()),
        ("s3:GetObject", r#"{"Null":{"s3:ExistingObjectTag/colour":"true"}}"#, plain(), red()),
        (
            "s3:GetObject",
            r#"{"StringLike":{"aws:UserAgent":"nice/*"}}"#,
            red().header("user-agent", "nice/1"),
            red().header("user-agent", "odd"),
        ),
        ("s3:GetObject", r#"{"StringNotLike":{"aws:Referer":"http://bad/*"}}"#, red(), red().header("referer", "http://bad/x")),
        ("s3:GetObjectVersion", &by_version, at(&version), at(&other)),
        (
            "s3:GetObjectTagging",
            r#"{"StringEquals":{"s3:ExistingObjectTag/size":"l"}}"#,
            Call::get(&object("k?tagging")),
            Call::get(&object("plain?tagging")),
        ),
        ("s3:ListBucket", r#"{"NumericLessThanEquals":{"s3:max-keys":"10"}}"#, list("max-keys=10"), list("max-keys=11")),
        ("s3:ListBucket", r#"{"StringEquals":{"s3:delimiter":"/"}}"#, list("delimiter=/"), list("list-type=2")),
        ("s3:ListBucket", r#"{"StringLike":{"s3:prefix":["","home/*"]}}"#, list("prefix=home/a"), list("prefix=h")),
        ("s3:ListBucketVersions", r#"{"StringEquals":{"s3:prefix":"a"}}"#, list("versions&prefix=a"), list("versions&prefix=b")),
    ] {
        allow_only_if(owner, action, condition).await;
        let answer = ben.send(holds).await;
        assert_eq!(answer.status, 200, "{condition}: {}", answer.text());
        assert_eq!(ben.send(fails).await.error(), (403, "AccessDenied".into()), "{condition}");
    }
}

#[tokio::test]
async fn conditions_on_the_caller_and_the_moment_hold_or_do_not() {
    let world = World::new().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    put(owner, "k", "private").await;
    let id = format!(r#"{{"StringEquals":{{"aws:userid":"{}"}}}}"#, id_of("ben"));
    for (condition, holds) in [
        (r#"{"Bool":{"aws:SecureTransport":"false"}}"#, true),
        (r#"{"Bool":{"aws:SecureTransport":"true"}}"#, false),
        (r#"{"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}"#, true),
        (r#"{"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}"#, false),
        (r#"{"NumericGreaterThan":{"aws:EpochTime":"1577836800"}}"#, true),
        (r#"{"StringEquals":{"aws:username":"ben"}}"#, true),
        (r#"{"StringEquals":{"aws:username":"Ben"}}"#, false),
        (r#"{"StringEqualsIgnoreCase":{"aws:username":"BEN"}}"#, true),
        (&id, true),
        (r#"{"StringEquals":{"s3:authType":"REST-HEADER"}}"#, true),
        (r#"{"StringEquals":{"s3:authType":"REST-QUERY-STRING"}}"#, false),
        (r#"{"StringEquals":{"s3:signatureversion":"AWS4-HMAC-SHA256"}}"#, true),
        (r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}"#, true),
        (r#"{"StringEquals":{"aws:SourceVpc":"vpc-1"}}"#, false),
    ] {
        ok(&policy(owner, &allow_if("s3:GetObject", condition)).await);
        let answer = ben.send(Call::get(&object("k"))).await;
        assert_eq!(answer.status, if holds { 200 } else { 403 }, "{condition}");
    }
    ok(&policy(owner, &allow_if("s3:GetObject", r#"{"StringEquals":{"s3:authType":"REST-QUERY-STRING"}}"#)).await);
    let url = presign(&ben, &Call::get(&object("k")), Duration::from_secs(60));
    ok(&ben.send_unsigned(Call::get(&url)).await);
}

#[tokio::test]
async fn forms_are_held_to_conditions_too() {
    let world = World::new().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    let rules = json!({"expiration": time_in(600, "%Y-%m-%dT%H:%M:%SZ"), "conditions": [{"bucket": BUCKET}, {"key": "form"}]});
    let form = Form::new(&[("key", "form")], "a file").signed_v4(&ben, rules);
    let post = |referer: &str| {
        Call::post(&bucket(), form.body()).header("content-type", &Form::content_type()).header("referer", referer)
    };
    let post_only = r#"{"StringEquals":{"s3:authType":"POST","s3:signatureversion":"AWS4-HMAC-SHA256"},"StringLike":{"aws:Referer":"http://good/*"}}"#;
    ok(&policy(owner, &allow_if("s3:PutObject", post_only)).await);
    denied(&ben.send_unsigned(post("http://bad/")).await);
    assert_eq!(ben.send_unsigned(post("http://good/page")).await.status, 204);
    denied(&ben.send(Call::put(&object("form"), "x").header("referer", "http://good/page")).await);
}

#[tokio::test]
async fn variables_stand_for_what_the_request_says() {
    let world = World::new().await;
    let (owner, ben, cleo) = (&world.client, world.user("ben", None).await, world.user("cleo", None).await);
    let home = allow(r#""*""#, "s3:*", &format!("{BUCKET}/home/${{aws:username}}/*"));
    let list = allow_if("s3:ListBucket", r#"{"StringLike":{"s3:prefix":"home/${aws:username}/*"}}"#);
    ok(&policy(owner, &format!("{home},{list}")).await);
    for (client, own, others) in [(&ben, "home/ben/k", "home/cleo/k"), (&cleo, "home/cleo/k", "home/ben/k")] {
        ok(&client.send(Call::put(&object(own), "x")).await);
        denied(&client.send(Call::put(&object(others), "x")).await);
        denied(&client.send(Call::get(&object("home/${aws:username}/k"))).await);
        let folder = |key: &str| Call::get(&format!("{}?prefix={}", bucket(), key.trim_end_matches('k')));
        ok(&client.send(folder(own)).await);
        denied(&client.send(folder(others)).await);
    }
    denied(&owner.send_unsigned(Call::get(&object("home/ben/k"))).await);
    let text = format!(r#"{{"Version":"2008-10-17","Statement":[{home}]}}"#);
    ok(&owner.send(Call::put(&format!("{}?policy", bucket()), text)).await);
    denied(&ben.send(Call::put(&object("home/ben/new"), "x")).await);
}

#[tokio::test]
async fn a_condition_on_what_no_request_has_is_refused() {
    let world = World::new().await;
    for key in ["s3:ExistingObjectTags/a", "s3:x-amz-acls", "aws:Nonsense", "s3:LocationConstraint", "prefix"] {
        let refused = policy(&world.client, &allow_if("s3:GetObject", &format!(r#"{{"StringEquals":{{"{key}":"x"}}}}"#))).await;
        assert_eq!(refused.error(), (400, "MalformedPolicy".into()), "{key}");
    }
    assert_eq!(world.client.send(Call::get(&format!("{}?policy", bucket()))).await.error(), (404, "NoSuchBucketPolicy".into()));
}

#[tokio::test]
async fn each_operation_needs_its_own_action_and_no_other() {
    let world = World::new().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    put(owner, "k", "private").await;
    let resources = format!(r#"["arn:aws:s3:::{BUCKET}","arn:aws:s3:::{BUCKET}/*"]"#);
    for (action, call) in actions() {
        let target = format!("{action}: {} {}", call.method, call.target);
        for (element, allowed) in [("NotAction", false), ("Action", true)] {
            let statement = format!(r#"{{"Effect":"Allow","Principal":"*","{element}":"{action}","Resource":{resources}}}"#);
            ok(&policy(owner, &statement).await);
            let answer = ben.send(call.clone()).await;
            assert_eq!(answer.status < 300, allowed, "{element} {target}: {} {}", answer.status, answer.text());
            assert!(allowed || answer.status == 403, "{element} {target}: {} {}", answer.status, answer.text());
        }
    }
}
