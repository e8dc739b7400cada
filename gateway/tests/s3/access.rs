//! Who may do what: ACLs, ownership, policies, public access. "Access control in Amazon S3" in the S3 User Guide.

use crate::common::access::{allow, bucket, denied, object, ok, owner_id, policy, put};
use crate::common::{Answer, BUCKET, Call, Client, World, exchange_bytes, id_of};

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";

async fn set_bucket_acl(client: &Client, acl: &str) -> Answer {
    client.send(Call::put(&format!("{}?acl", bucket()), "").header("x-amz-acl", acl)).await
}

/// `who permission` of each grant.
async fn grants(client: &Client, target: &str) -> Vec<String> {
    let answer = client.send(Call::get(&format!("{target}?acl"))).await;
    ok(&answer);
    let of = |grant: &str| {
        let part = |name: &str| Some(grant.split_once(&format!("<{name}>"))?.1.split_once('<')?.0.to_owned());
        let who = part("ID").or_else(|| part("URI")).unwrap();
        format!("{who} {}", part("Permission").unwrap())
    };
    answer.all("Grant").iter().map(|grant| of(grant)).collect()
}

fn document(owner: &str, grants: &[(&str, &str)]) -> String {
    let grant = |(grantee, permission): &(&str, &str)| {
        let (kind, inner) = match grantee {
            uri if uri.starts_with("http") => ("Group", format!("<URI>{uri}</URI>")),
            mail if mail.contains('@') => ("AmazonCustomerByEmail", format!("<EmailAddress>{mail}</EmailAddress>")),
            id => ("CanonicalUser", format!("<ID>{id}</ID>")),
        };
        format!(
            "<Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"{kind}\">{inner}</Grantee>\
             <Permission>{permission}</Permission></Grant>"
        )
    };
    let grants: String = grants.iter().map(grant).collect();
    format!(
        "<AccessControlPolicy><Owner><ID>{owner}</ID></Owner><AccessControlList>{grants}</AccessControlList></AccessControlPolicy>"
    )
}

#[tokio::test]
async fn canned_acls_open_a_bucket_and_its_objects_as_far_as_they_say() {
    let world = World::new().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    // For each bucket ACL: may strangers list and write, signed and unsigned?
    for (acl, signed, unsigned) in [
        ("private", (false, false), (false, false)),
        ("public-read", (true, false), (true, false)),
        ("public-read-write", (true, true), (true, true)),
        ("authenticated-read", (true, false), (false, false)),
    ] {
        ok(&set_bucket_acl(owner, acl).await);
        let list = || Call::get(&bucket());
        let write = || Call::put(&object("by-another"), "x");
        assert_eq!((ben.send(list()).await.status == 200, ben.send(write()).await.status == 200), signed, "{acl}");
        let anonymous = (owner.send_unsigned(list()).await.status == 200, owner.send_unsigned(write()).await.status == 200);
        assert_eq!(anonymous, unsigned, "{acl}");
    }
    ok(&set_bucket_acl(owner, "private").await);
    for (acl, signed, unsigned) in [
        ("private", false, false),
        ("public-read", true, true),
        ("public-read-write", true, true),
        ("authenticated-read", true, false),
    ] {
        put(owner, "k", acl).await;
        assert_eq!(ben.send(Call::get(&object("k"))).await.status == 200, signed, "{acl}");
        assert_eq!(owner.send_unsigned(Call::get(&object("k"))).await.status == 200, unsigned, "{acl}");
        denied(&ben.send(Call::put(&object("k"), "x")).await);
        denied(&owner.send_unsigned(Call::put(&object("k"), "x")).await);
        assert_eq!(owner.send(Call::get(&object("k"))).await.body, b"body");
    }
    assert_eq!(set_bucket_acl(owner, "everyone").await.error(), (400, "InvalidArgument".into()));
    assert_eq!(set_bucket_acl(owner, "aws-exec-read").await.error(), (501, "NotImplemented".into()));
}

#[tokio::test]
async fn what_is_missing_is_told_only_to_who_may_list() {
    let world = World::new().await;
    let owner = &world.client;
    let nobody = |call| owner.send_unsigned(call);
    assert_eq!(nobody(Call::get("/no-such-bucket/k")).await.error(), (404, "NoSuchBucket".into()));
    assert_eq!(nobody(Call::delete("/no-such-bucket/k")).await.error(), (404, "NoSuchBucket".into()));
    denied(&nobody(Call::get(&object("missing"))).await);
    assert_eq!(owner.send(Call::get(&object("missing"))).await.error(), (404, "NoSuchKey".into()));
    ok(&policy(owner, &allow(r#""*""#, "s3:GetObject", &format!("{BUCKET}/*"))).await);
    denied(&nobody(Call::get(&object("missing"))).await);
    ok(&set_bucket_acl(owner, "public-read").await);
    assert_eq!(nobody(Call::get(&object("missing"))).await.error(), (404, "NoSuchKey".into()));
    assert_eq!(nobody(Call::head(&object("missing"))).await.status, 404);
    let none = nobody(Call::get("/")).await;
    assert_eq!((none.status, none.all("Bucket").len()), (200, 0));
    denied(&nobody(Call::put("/new-bucket", "")).await);
}

#[tokio::test]
async fn acls_are_written_as_documents_and_headers_and_read_back() {
    let world = World::new().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    let (me, bens) = (owner_id(owner).await, id_of("ben"));
    assert_eq!(grants(owner, &bucket()).await, [format!("{me} FULL_CONTROL")]);
    let answer = owner.send(Call::get(&format!("{}?acl", bucket()))).await;
    assert_eq!(answer.all("DisplayName"), ["ann", "ann"]);

    put(owner, "k", "private").await;
    for target in [bucket(), object("k")] {
        let all =
            [(&*me, "FULL_CONTROL"), (&*bens, "READ"), ("ben@example.org", "READ_ACP"), (ALL_USERS, "READ"), (USERS, "WRITE")];
        ok(&owner.send(Call::put(&format!("{target}?acl"), document(&me, &all))).await);
        let want = [
            format!("{ALL_USERS} READ"),
            format!("{USERS} WRITE"),
            format!("{me} FULL_CONTROL"),
            format!("{bens} READ"),
            format!("{bens} READ_ACP"),
        ];
        assert_eq!(grants(owner, &target).await, want);
        assert_eq!(grants(&ben, &target).await, want, "ben may read the list");
        denied(&ben.send(Call::put(&format!("{target}?acl"), "").header("x-amz-acl", "public-read")).await);

        let headers = Call::put(&format!("{target}?acl"), "")
            .header("x-amz-grant-full-control", &format!("id=\"{bens}\", emailAddress=\"ben@example.org\""))
            .header("x-amz-grant-read", &format!("uri={USERS}"));
        ok(&owner.send(headers).await);
        let want = [format!("{USERS} READ"), format!("{bens} FULL_CONTROL"), format!("{bens} FULL_CONTROL")];
        assert_eq!(grants(&ben, &target).await, want);
        ok(&owner.send(Call::put(&format!("{target}?acl"), "").header("x-amz-acl", "private")).await);
        assert_eq!(grants(owner, &target).await, [format!("{me} FULL_CONTROL")]);
    }
    let made = Call::put("/with-headers", "").header("x-amz-grant-read", &format!("id={bens}"));
    ok(&owner.send(made).await);
    assert_eq!(grants(owner, "/with-headers").await, [format!("{bens} READ")]);
}

#[tokio::test]
async fn an_acl_that_names_nobody_or_nothing_is_refused() {
    let world = World::new().await;
    let owner = &world.client;
    let me = owner_id(owner).await;
    put(owner, "k", "private").await;
    for target in [bucket(), object("k")] {
        let acl = format!("{target}?acl");
        for (body, status, code) in [
            (document(&me, &[("_foo", "READ")]), 400, "InvalidArgument"),
            (document(&me, &[(&id_of("nobody"), "READ")]), 400, "InvalidArgument"),
            (document(&me, &[("who@example.org", "READ")]), 400, "UnresolvableGrantByEmailAddress"),
            (document(&me, &[("http://example.org/group", "READ")]), 400, "InvalidArgument"),
            (document(&me, &[(&me, "FLY")]), 400, "MalformedACLError"),
            (document(&id_of("ben"), &[(&me, "READ")]), 403, "AccessDenied"),
            (format!("<AccessControlPolicy><Owner><ID>{me}</ID></Owner></AccessControlPolicy>"), 400, "MalformedACLError"),
            ("<AccessControlPolicy>".to_owned(), 400, "MalformedXML"),
            (String::new(), 400, "MissingSecurityHeader"),
        ] {
            assert_eq!(owner.send(Call::put(&acl, &body)).await.error(), (status, code.into()), "{body}");
        }
        let both = Call::put(&acl, "").header("x-amz-acl", "private").header("x-amz-grant-read", &format!("id={me}"));
        assert_eq!(owner.send(both).await.error(), (400, "InvalidRequest".into()));
        let both = Call::put(&acl, document(&me, &[])).header("x-amz-acl", "private");
        assert_eq!(owner.send(both).await.error(), (400, "UnexpectedContent".into()));
        assert_eq!(grants(owner, &target).await, [format!("{me} FULL_CONTROL")]);
    }
}

#[tokio::test]
async fn a_document_that_was_changed_on_its_way_is_refused() {
    let world = World::new().await;
    let owner = &world.client;
    let me = owner_id(owner).await;
    put(owner, "k", "private").await;
    for target in [bucket(), object("k")] {
        let call = Call::put(&format!("{target}?acl"), document(&me, &[(ALL_USERS, "READ")]));
        let digest = call.clone().header("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==");
        assert_eq!(owner.send(digest).await.error(), (400, "BadDigest".into()));
        let (mut request, _) = owner.request(&call);
        let at = String::from_utf8_lossy(&request).find("READ<").unwrap();
        request[at] = b'X';
        assert_eq!(exchange_bytes(world.addr, &request).await.error(), (400, "XAmzContentSHA256Mismatch".into()));
        assert_eq!(grants(owner, &target).await, [format!("{me} FULL_CONTROL")]);
    }
}

#[tokio::test]
async fn who_does_not_sign_cannot_choose_the_headers_of_the_answer() {
    let world = World::new().await;
    put(&world.client, "k", "public-read").await;
    let call = || Call::get(&format!("{}?response-content-type=text%2Fhtml", object("k")));
    assert_eq!(world.client.send_unsigned(call()).await.error(), (400, "InvalidRequest".into()));
    assert_eq!(world.client.send(call()).await.header("content-type"), Some("text/html"));
}

#[tokio::test]
async fn every_version_has_an_acl_of_its_own() {
    let world = World::new().await;
    let owner = &world.client;
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    ok(&owner.send(Call::put(&format!("{}?versioning", bucket()), on)).await);
    let mut versions = Vec::new();
    for body in ["one", "two"] {
        let made = owner.send(Call::put(&object("k"), body)).await;
        versions.push(made.header("x-amz-version-id").unwrap().to_owned());
    }
    let of = |version: &str| format!("{}?versionId={version}", object("k"));
    let open = Call::put(&format!("{}&acl", of(&versions[0])), "").header("x-amz-acl", "public-read");
    ok(&owner.send(open).await);
    assert_eq!(owner.send_unsigned(Call::get(&of(&versions[0]))).await.body, b"one");
    denied(&owner.send_unsigned(Call::get(&of(&versions[1]))).await);
    denied(&owner.send_unsigned(Call::get(&object("k"))).await);
    assert_eq!(owner.send(Call::get(&format!("{}&acl", of(&versions[0])))).await.all("Grant").len(), 2);
    ok(&owner.send(Call::put(&format!("{}?acl", object("k")), "").header("x-amz-acl", "public-read")).await);
    assert_eq!(owner.send_unsigned(Call::get(&object("k"))).await.body, b"two");
    let listed = owner.send(Call::get(&format!("{}?versions", bucket()))).await;
    assert_eq!(listed.all("VersionId"), [versions[1].clone(), versions[0].clone()], "setting an ACL makes no version");
    ok(&owner.send(Call::delete(&object("k"))).await);
    denied(&owner.send_unsigned(Call::delete(&of(&versions[0]))).await);
    assert_eq!(owner.send(Call::get(&format!("{}?acl", object("k")))).await.error(), (404, "NoSuchKey".into()));
}

#[tokio::test]
async fn each_permission_on_a_bucket_grants_its_own_and_nothing_else() {
    let world = World::new().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    let me = owner_id(owner).await;
    for permission in ["READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL"] {
        let acl = document(&me, &[(&me, "FULL_CONTROL"), (&id_of("ben"), permission)]);
        ok(&owner.send(Call::put(&format!("{}?acl", bucket()), acl)).await);
        let may = |one: &str| permission == one || permission == "FULL_CONTROL";
        assert_eq!(ben.send(Call::get(&bucket())).await.status == 200, may("READ"), "{permission}");
        assert_eq!(ben.send(Call::put(&object("k"), "x")).await.status == 200, may("WRITE"), "{permission}");
        assert_eq!(ben.send(Call::get(&format!("{}?acl", bucket()))).await.status == 200, may("READ_ACP"), "{permission}");
        assert_eq!(set_bucket_acl(&ben, "public-read").await.status == 200, may("WRITE_ACP"), "{permission}");
        denied(&ben.send(Call::get(&format!("{}?versioning", bucket()))).await);
        denied(&ben.send(Call::delete(&bucket())).await);
    }
}

#[tokio::test]
async fn owners_may_take_from_themselves_all_but_the_acl() {
    let world = World::new().await;
    let owner = &world.client;
    let me = owner_id(owner).await;
    put(owner, "k", "private").await;
    ok(&owner.send(Call::put(&format!("{}?acl", bucket()), document(&me, &[]))).await);
    ok(&owner.send(Call::get(&object("k"))).await);
    denied(&owner.send(Call::put(&object("other"), "x")).await);
    denied(&owner.send(Call::get(&bucket())).await);
    assert!(grants(owner, &bucket()).await.is_empty());
    ok(&set_bucket_acl(owner, "private").await);
    ok(&owner.send(Call::put(&format!("{}?acl", object("k")), document(&me, &[(&me, "READ_ACP")]))).await);
    denied(&owner.send(Call::get(&object("k"))).await);
    ok(&owner.send(Call::put(&format!("{}?acl", object("k")), "").header("x-amz-acl", "private")).await);
    ok(&owner.send(Call::get(&object("k"))).await);
    assert_eq!(world.keys().await, ["k"]);
}

#[tokio::test]
async fn who_writes_an_object_owns_it_unless_ownership_says_otherwise() {
    let world = World::new().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    let (me, bens) = (owner_id(owner).await, id_of("ben"));
    ok(&set_bucket_acl(owner, "public-read-write").await);
    ok(&ben.send(Call::put(&object("bens"), "x")).await);
    denied(&owner.send(Call::get(&object("bens"))).await);
    denied(&owner.send(Call::get(&format!("{}?acl", object("bens")))).await);
    for (acl, permission) in [("bucket-owner-read", "READ"), ("bucket-owner-full-control", "FULL_CONTROL")] {
        put(&ben, "shared", acl).await;
        assert_eq!(grants(&ben, &object("shared")).await, [format!("{bens} FULL_CONTROL"), format!("{me} {permission}")]);
        ok(&owner.send(Call::get(&object("shared"))).await);
    }
    ok(&owner.send(Call::delete(&object("bens"))).await);

    let upload = ben.send(Call::post(&format!("{}?uploads", object("big")), "").header("x-amz-acl", "public-read")).await;
    let id = upload.one("UploadId").unwrap();
    let part = ben.send(Call::put(&format!("{}?partNumber=1&uploadId={id}", object("big")), "part")).await;
    denied(&owner.send_unsigned(Call::delete(&format!("{}?uploadId={id}", object("big")))).await);
    let etag = part.header("etag").unwrap().to_owned();
    let done =
        format!("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>");
    ok(&ben.send(Call::post(&format!("{}?uploadId={id}", object("big")), done)).await);
    assert_eq!(grants(&ben, &object("big")).await, [format!("{ALL_USERS} READ"), format!("{bens} FULL_CONTROL")]);
    let begun = ben.send(Call::post(&format!("{}?uploads", object("big")), "")).await.one("UploadId").unwrap();
    ok(&ben.send(Call::delete(&format!("{}?uploadId={begun}", object("big")))).await);
}

async fn own(client: &Client, ownership: &str) -> Answer {
    let body = format!("<OwnershipControls><Rule><ObjectOwnership>{ownership}</ObjectOwnership></Rule></OwnershipControls>");
    client.send(Call::put(&format!("{}?ownershipControls", bucket()), body)).await
}

#[tokio::test]
async fn ownership_controls_decide_whose_an_object_is_and_whether_acls_count() {
    let world = World::new().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    let me = owner_id(owner).await;
    let controls = format!("{}?ownershipControls", bucket());
    assert_eq!(owner.send(Call::get(&controls)).await.error(), (404, "OwnershipControlsNotFoundError".into()));
    ok(&policy(owner, &allow(&format!(r#"{{"AWS":"{}"}}"#, id_of("ben")), "s3:PutObject", &format!("{BUCKET}/*"))).await);
    for kind in ["ObjectWriter", "BucketOwnerPreferred", "BucketOwnerEnforced"] {
        ok(&own(owner, kind).await);
        assert_eq!(owner.send(Call::get(&controls)).await.one("ObjectOwnership").as_deref(), Some(kind));
        ok(&ben.send(Call::put(&object("plain"), "x")).await);
        put(&ben, "given", "bucket-owner-full-control").await;
        assert_eq!(owner.send(Call::get(&object("plain"))).await.status == 200, kind == "BucketOwnerEnforced", "{kind}");
        ok(&owner.send(Call::get(&object("given"))).await);
        let given = owner.send(Call::get(&format!("{}?acl", object("given")))).await;
        let whose = if kind == "ObjectWriter" { id_of("ben") } else { me.clone() };
        assert!(given.one("Owner").unwrap().contains(&whose), "{kind}");
        assert_eq!(ben.send(Call::get(&object("given"))).await.status == 200, kind == "ObjectWriter", "{kind}");
    }
    let public = Call::put(&object("k"), "x").header("x-amz-acl", "public-read");
    assert_eq!(owner.send(public).await.error(), (400, "AccessControlListNotSupported".into()));
    assert_eq!(set_bucket_acl(owner, "public-read").await.error(), (400, "AccessControlListNotSupported".into()));
    assert_eq!(grants(owner, &bucket()).await, [format!("{me} FULL_CONTROL")]);
    ok(&owner.send(Call::delete(&controls)).await);
    ok(&set_bucket_acl(owner, "public-read").await);
    assert_eq!(own(owner, "BucketOwnerEnforced").await.error(), (400, "InvalidBucketAclWithObjectOwnership".into()));
    assert_eq!(own(owner, "Nobody").await.error(), (400, "MalformedXML".into()));

    let made = Call::put("/enforced", "").header("x-amz-object-ownership", "BucketOwnerEnforced");
    ok(&owner.send(made).await);
    assert_eq!(
        owner.send(Call::get("/enforced?ownershipControls")).await.one("ObjectOwnership").as_deref(),
        Some("BucketOwnerEnforced")
    );
    let both = Call::put("/both", "").header("x-amz-object-ownership", "BucketOwnerEnforced").header("x-amz-acl", "public-read");
    assert_eq!(owner.send(both).await.error(), (400, "InvalidBucketAclWithObjectOwnership".into()));
    let again = Call::put(&bucket(), "").header("x-amz-acl", "private");
    assert_eq!(
        owner.send(again).await.error(),
        (409, "BucketAlreadyExists".into()),
        "access isn't changed by making a bucket twice"
    );
}

#[tokio::test]
async fn copies_need_leave_to_read_their_source() {
    let world = World::new().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    put(owner, "secret", "private").await;
    put(owner, "open", "public-read").await;
    ok(&ben.send(Call::put("/bens-bucket", "")).await);
    let copy = |from: &str| Call::put("/bens-bucket/copy", "").header("x-amz-copy-source", &object(from));
    denied(&ben.send(copy("secret")).await);
    denied(&ben.send(copy("missing")).await);
    ok(&ben.send(copy("open")).await);
    assert_eq!(ben.send(Call::get("/bens-bucket/copy")).await.body, b"body");
    assert_eq!(
        grants(&ben, "/bens-bucket/copy").await,
        [format!("{} FULL_CONTROL", id_of("ben"))],
        "a copy has an ACL of its own"
    );
    let id = ben.send(Call::post("/bens-bucket/up?uploads", "")).await.one("UploadId").unwrap();
    let part = |from: &str| {
        Call::put(&format!("/bens-bucket/up?partNumber=1&uploadId={id}"), "").header("x-amz-copy-source", &object(from))
    };
    denied(&ben.send(part("secret")).await);
    ok(&ben.send(part("open")).await);
}

#[tokio::test]
async fn public_access_can_be_blocked_in_four_ways() {
    let world = World::new().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    let target = format!("{}?publicAccessBlock", bucket());
    assert_eq!(owner.send(Call::get(&target)).await.error(), (404, "NoSuchPublicAccessBlockConfiguration".into()));
    const NAMES: [&str; 4] = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
    let block = |on: &'static str| {
        let switches: String = NAMES.iter().map(|name| format!("<{name}>{}</{name}>", *name == on)).collect();
        Call::put(&target, format!("<PublicAccessBlockConfiguration>{switches}</PublicAccessBlockConfiguration>"))
    };
    put(owner, "k", "public-read").await;
    let open = allow(r#""*""#, "s3:GetObject", &format!("{BUCKET}/*"));

    ok(&owner.send(block("BlockPublicAcls")).await);
    assert_eq!(owner.send(Call::get(&target)).await.all("BlockPublicAcls"), ["true"]);
    for acl in ["public-read", "public-read-write", "authenticated-read"] {
        denied(&set_bucket_acl(owner, acl).await);
        denied(&owner.send(Call::put(&object("new"), "x").header("x-amz-acl", acl)).await);
        denied(&owner.send(Call::put(&format!("{}?acl", object("k")), "").header("x-amz-acl", acl)).await);
    }
    ok(&ben.send(Call::get(&object("k"))).await);

    ok(&owner.send(block("IgnorePublicAcls")).await);
    denied(&ben.send(Call::get(&object("k"))).await);
    ok(&owner.send(Call::get(&object("k"))).await);

    ok(&owner.send(block("BlockPublicPolicy")).await);
    denied(&policy(owner, &open).await);
    let closed = allow(&format!(r#"{{"AWS":"{}"}}"#, id_of("ben")), "s3:GetObject", &format!("{BUCKET}/*"));
    ok(&policy(owner, &closed).await);

    ok(&owner.send(block("RestrictPublicBuckets")).await);
    put(owner, "k", "private").await;
    ok(&ben.send(Call::get(&object("k"))).await);
    ok(&policy(owner, &open).await);
    denied(&ben.send(Call::get(&object("k"))).await);
    assert_eq!(owner.send(Call::delete(&target)).await.status, 204);
    ok(&ben.send(Call::get(&object("k"))).await);
    denied(&ben.send(Call::get(&target)).await);
}

#[tokio::test]
async fn a_bucket_says_whether_it_is_public() {
    let world = World::new().await;
    let owner = &world.client;
    let status = || async { owner.send(Call::get(&format!("{}?policyStatus", bucket()))).await.one("IsPublic").unwrap() };
    assert_eq!(status().await, "false");
    for acl in ["public-read", "authenticated-read"] {
        ok(&set_bucket_acl(owner, acl).await);
        assert_eq!(status().await, "true", "{acl}");
    }
    ok(&set_bucket_acl(owner, "private").await);
    let open = allow(r#""*""#, "s3:GetObject", &format!("{BUCKET}/*"));
    ok(&policy(owner, &open).await);
    assert_eq!(status().await, "true");
    let near = open.replace(r#""Effect""#, r#""Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}},"Effect""#);
    ok(&policy(owner, &near).await);
    assert_eq!(status().await, "false");
}

#[tokio::test]
async fn owners_of_objects_are_listed_by_name() {
    let world = World::new().await;
    let (owner, ben) = (&world.client, world.user("ben", None).await);
    ok(&set_bucket_acl(owner, "public-read-write").await);
    put(owner, "a", "private").await;
    put(&ben, "b", "private").await;
    ok(&owner.send_unsigned(Call::put(&object("c"), "x")).await);
    for query in ["", "?list-type=2&fetch-owner=true", "?versions"] {
        let listed = owner.send(Call::get(&format!("{}{query}", bucket()))).await;
        assert_eq!(listed.all("DisplayName"), ["ann", "The ben", "anonymous"], "{query}");
    }
}
