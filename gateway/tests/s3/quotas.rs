//! Quotas of buckets and users, and the figures that they are held against.

use std::path::Path;

use nodio_gateway::admin::{Amounts, Limits, QuotaChange, Reply, Request, UsageView, UserView, call};
use nodio_meta::redb::Options;
use nodio_meta::{Commit, KeyRange, RedbStore, Store};

use crate::common::{BUCKET, Call, Client, World, break_off, bytes, exchange_bytes, id_of};

const KIB: usize = 1024;
const MIB: usize = 1024 * 1024;

async fn asked(folder: &Path, request: &Request) -> Reply {
    call(folder, request).await.unwrap()
}

async fn limit_bucket(world: &World, bytes: Option<u64>, objects: Option<u64>) -> UsageView {
    let change = QuotaChange { lift: true, bytes, objects };
    match asked(&world.data_folder(), &Request::BucketQuota { bucket: BUCKET.into(), change }).await {
        Reply::Usage { mut buckets, next: None } => buckets.remove(0),
        _ => panic!("refused"),
    }
}

async fn limit_user(world: &World, user: &str, bytes: Option<u64>) -> UserView {
    let change = QuotaChange { lift: true, bytes, objects: None };
    match asked(&world.data_folder(), &Request::UserQuota { user: user.into(), change }).await {
        Reply::Users { mut users, next: None } => users.remove(0),
        _ => panic!("refused"),
    }
}

async fn used(world: &World) -> (u64, u64) {
    let change = QuotaChange::default();
    match asked(&world.data_folder(), &Request::BucketQuota { bucket: BUCKET.into(), change }).await {
        Reply::Usage { buckets, .. } => (buckets[0].usage.bytes, buckets[0].usage.objects),
        _ => panic!("refused"),
    }
}

fn put(at: &str, len: usize) -> Call {
    Call::put(&format!("/{BUCKET}/{at}"), bytes(len))
}

async fn status(client: &Client, call: Call) -> u16 {
    client.send(call).await.status
}

async fn full(client: &Client, call: Call) {
    assert_eq!(client.send(call).await.error(), (403, "QuotaExceeded".into()));
}

async fn begin(world: &World, at: &str) -> String {
    let begun = world.client.send(Call::post(&format!("/{BUCKET}/{at}?uploads"), "")).await;
    begun.one("UploadId").unwrap()
}

fn part(at: &str, upload: &str, number: u16, len: usize) -> Call {
    Call::put(&format!("/{BUCKET}/{at}?partNumber={number}&uploadId={upload}"), bytes(len))
}

fn complete(at: &str, upload: &str, etag: &str) -> Call {
    let list =
        format!("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>");
    Call::post(&format!("/{BUCKET}/{at}?uploadId={upload}"), list)
}

#[tokio::test]
async fn a_bucket_takes_no_more_bytes_than_its_quota() {
    let world = World::new().await;
    let client = &world.client;
    let view = limit_bucket(&world, Some(100 * KIB as u64), None).await;
    assert_eq!((view.bucket.as_str(), view.quota), (BUCKET, Limits { bytes: Some(100 * KIB as u64), objects: None }));
    assert_eq!(status(client, put("inline", KIB)).await, 200);
    assert_eq!(status(client, put("large", 90 * KIB)).await, 200);
    full(client, put("more", 10 * KIB)).await;
    full(client, put("more", 90 * KIB)).await;
    full(client, put("inline", 11 * KIB)).await;
    full(client, Call::put(&format!("/{BUCKET}/copy"), "").header("x-amz-copy-source", &format!("{BUCKET}/large"))).await;
    assert_eq!(world.keys().await, ["inline", "large"]);
    assert!(world.settled(1).await, "what was refused is let go");
    assert_eq!(used(&world).await, (91 * KIB as u64, 2));
    assert_eq!(status(client, put("inline", 10 * KIB)).await, 200, "as much as there is room for");
    assert_eq!(status(client, Call::delete(&format!("/{BUCKET}/large"))).await, 204);
    assert_eq!(used(&world).await, (10 * KIB as u64, 1));
    assert_eq!(status(client, put("more", 90 * KIB)).await, 200);
    limit_bucket(&world, None, None).await;
    assert_eq!(status(client, put("even-more", 90 * KIB)).await, 200);
}

#[tokio::test]
async fn a_body_without_room_is_refused_before_it_is_sent() {
    let world = World::new().await;
    limit_bucket(&world, Some(MIB as u64), None).await;
    let upload = begin(&world, "b").await;
    for mut call in [put("a", 0), part("b", &upload, 1, 0)] {
        call.length = Some(Some(2 * MIB));
        call.payload = crate::common::Payload::Unsigned;
        let (head, _) = world.client.request(&call);
        let answer = exchange_bytes(world.addr, &head).await;
        assert_eq!(answer.error(), (403, "QuotaExceeded".into()));
    }
    let mut fits = put("a", 0);
    fits.length = Some(Some(MIB));
    let (head, _) = world.client.request(&fits);
    let broken = break_off(world.addr, &head).await;
    assert!(broken.is_none_or(|answer| answer.status != 403), "its body was waited for");
}

#[tokio::test]
async fn an_object_quota_counts_versions_and_no_delete_markers() {
    let world = World::new().await;
    let client = &world.client;
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(status(client, Call::put(&format!("/{BUCKET}?versioning"), on)).await, 200);
    limit_bucket(&world, None, Some(2)).await;
    let first = client.send(put("a", 10)).await;
    assert_eq!(status(client, put("a", 10)).await, 200);
    full(client, put("a", 10)).await;
    assert_eq!(status(client, Call::delete(&format!("/{BUCKET}/a"))).await, 204);
    assert_eq!(used(&world).await, (20, 2));
    let version = first.header("x-amz-version-id").unwrap();
    assert_eq!(status(client, Call::delete(&format!("/{BUCKET}/a?versionId={version}"))).await, 204);
    assert_eq!(status(client, put("a", 10)).await, 200);
}

#[tokio::test]
async fn parts_of_uploads_count_until_their_upload_ends() {
    let world = World::new().await;
    let client = &world.client;
    limit_bucket(&world, Some(300 * KIB as u64), None).await;
    let upload = begin(&world, "a").await;
    let first = client.send(part("a", &upload, 1, 100 * KIB)).await;
    assert_eq!(status(client, part("a", &upload, 2, 200 * KIB)).await, 200);
    assert_eq!(used(&world).await, (300 * KIB as u64, 0));
    full(client, part("a", &upload, 3, 1)).await;
    full(client, put("b", 1)).await;
    // Completing takes no room, whatever the quota is by then.
    limit_bucket(&world, Some(1), None).await;
    let done = complete("a", &upload, first.header("etag").unwrap());
    assert_eq!(status(client, done).await, 200);
    assert_eq!(used(&world).await, (100 * KIB as u64, 1));
    limit_bucket(&world, None, Some(1)).await;
    let upload = begin(&world, "b").await;
    let only = client.send(part("b", &upload, 1, 10)).await;
    let done = complete("b", &upload, only.header("etag").unwrap());
    full(client, done).await;
    let listed = client.send(Call::get(&format!("/{BUCKET}/b?uploadId={upload}"))).await;
    assert_eq!(listed.all("PartNumber"), ["1"], "the upload goes on");
    assert_eq!(used(&world).await, (100 * KIB as u64 + 10, 1));
    assert_eq!(status(client, Call::delete(&format!("/{BUCKET}/b?uploadId={upload}"))).await, 204);
    assert_eq!(used(&world).await, (100 * KIB as u64, 1));
}

#[tokio::test]
async fn a_users_quota_is_for_all_buckets_that_the_user_owns() {
    let world = World::new().await;
    let (carol, bob) = (world.user("carol", None).await, world.user("bob", None).await);
    for bucket in ["carols-first", "carols-second"] {
        assert_eq!(status(&carol, Call::put(&format!("/{bucket}"), "").header("x-amz-acl", "public-read-write")).await, 200);
    }
    let view = limit_user(&world, "carol", Some(20)).await;
    assert_eq!((view.user_id, view.email.as_deref()), (id_of("carol"), Some("carol@example.org")));
    limit_user(&world, &id_of("bob"), Some(0)).await;
    assert_eq!(status(&carol, Call::put("/carols-first/a", bytes(10))).await, 200);
    assert_eq!(status(&bob, Call::put("/carols-second/a", bytes(10))).await, 200, "the bucket's owner pays");
    full(&carol, Call::put("/carols-first/b", bytes(1))).await;
    full(&bob, Call::put("/carols-second/b", bytes(1))).await;
    let Reply::Users { users, next: None } = asked(&world.data_folder(), &Request::Users { after: None }).await else {
        panic!("refused")
    };
    let of = |name: &str| users.iter().find(|user| user.user == name).map(|user| (user.usage, user.quota.bytes)).unwrap();
    assert_eq!(of("carol"), (Amounts { bytes: 20, objects: 2 }, Some(20)));
    assert_eq!(of("bob"), (Amounts::default(), Some(0)));
    assert_eq!(status(&carol, Call::delete("/carols-second/a")).await, 204);
    assert_eq!(status(&carol, Call::put("/carols-first/b", bytes(10))).await, 200);
}

#[tokio::test]
async fn of_many_writers_at_once_just_those_get_in_that_have_room() {
    let world = World::new().await;
    limit_bucket(&world, Some(5_000), None).await;
    let puts = (0..16).map(|at| status(&world.client, put(&format!("{at}"), 1_000)));
    let answers = futures::future::join_all(puts).await;
    let made = answers.iter().filter(|status| **status == 200).count();
    assert_eq!((made, answers.iter().filter(|status| **status == 403).count()), (5, 11), "{answers:?}");
    assert_eq!(used(&world).await, (5_000, 5));
}

#[tokio::test]
async fn usage_is_told_of_every_bucket_and_outlives_a_restart() {
    let world = World::with(|config| config.metrics_listen = Some(([127, 0, 0, 1], 0).into())).await;
    assert_eq!(status(&world.client, Call::put("/other-bucket", "")).await, 200);
    assert_eq!(status(&world.client, put("a", 10)).await, 200);
    limit_bucket(&world, Some(1_000), Some(7)).await;
    let world = world.restart().await;
    let Reply::Usage { buckets, next: None } = asked(&world.data_folder(), &Request::Usage { after: None }).await else {
        panic!("refused")
    };
    let seen: Vec<_> = buckets.iter().map(|one| (one.bucket.as_str(), one.usage, one.quota.objects)).collect();
    assert_eq!(seen, [(BUCKET, Amounts { bytes: 10, objects: 1 }, Some(7)), ("other-bucket", Amounts::default(), None)]);
    let metrics = exchange_bytes(world.metrics_addr(), b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let line = format!("nodio_bucket_usage_bytes{{bucket=\"{BUCKET}\"}} 10\n");
    assert!(metrics.text().contains(&line), "{}", metrics.text());
    for (request, word) in [
        (Request::UserQuota { user: "nobody".into(), change: QuotaChange::default() }, "no such user"),
        (Request::BucketQuota { bucket: "not-there".into(), change: QuotaChange::default() }, "no such bucket"),
    ] {
        let Reply::Refused { error } = asked(&world.data_folder(), &request).await else { panic!("{word} was taken") };
        assert!(error.contains(word), "{error}");
    }
    world.stop().await;
}

/// Takes from a store what the versions before counters didn't write.
fn make_older(file: &Path) {
    let store = RedbStore::open(file, Options { fsync: false, cache_bytes: 1 << 20 }).unwrap();
    let older = Commit::new().delete_range(KeyRange::prefix(b"c/")).delete("k/counted");
    std::thread::scope(|scope| {
        let commit = || tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(store.commit(older));
        scope.spawn(commit).join().unwrap().unwrap();
    });
}

#[tokio::test]
async fn what_a_store_held_before_there_were_counters_is_counted_at_the_next_start() {
    let world = World::new().await;
    for (at, len) in [("inline", 10), ("large", 90 * KIB)] {
        assert_eq!(status(&world.client, put(at, len)).await, 200);
    }
    let upload = begin(&world, "b").await;
    assert_eq!(status(&world.client, part("b", &upload, 1, 100)).await, 200);
    let world = world.restart_after(make_older).await;
    assert_eq!(used(&world).await, (90 * KIB as u64 + 110, 2));
    assert_eq!(status(&world.client, put("more", 1)).await, 200);
    let world = world.restart().await;
    assert_eq!(used(&world).await, (90 * KIB as u64 + 111, 3), "counted once, then kept");
}

#[tokio::test]
async fn users_are_made_with_any_id_and_without_a_name() {
    let world = World::new().await;
    let made = async |text: serde_json::Value| {
        let request = serde_json::from_value(text).unwrap();
        match asked(&world.data_folder(), &request).await {
            Reply::Created { key, secret_key } => Ok((key, secret_key)),
            Reply::Refused { error } => Err(error),
            _ => panic!("neither made nor refused"),
        }
    };
    let create = |more: serde_json::Value| {
        let mut request = serde_json::json!({"do": "create_key"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let (key, secret) = made(create(serde_json::json!({"user_id": "tenant-1.a_b", "email": "T1@example.org"}))).await.unwrap();
    assert_eq!((key.user.as_str(), key.user_id.as_str()), ("t1@example.org", "tenant-1.a_b"));
    let (named, _) = made(create(serde_json::json!({"display_name": "Ann B."}))).await.unwrap();
    assert_eq!((named.user.as_str(), named.display_name.as_str()), ("ann-b.", "Ann B."));
    assert!(made(create(serde_json::json!({"display_name": "Ann b."}))).await.is_err(), "another Ann");
    for refused in [serde_json::json!({"user_id": "a b"}), serde_json::json!({"user_id": "ann-b."})] {
        assert!(made(create(refused.clone())).await.is_err(), "{refused}");
    }
    // The id works wherever ids do: as an owner, in ACLs and in policies.
    let tenant = Client::new(world.addr, &key.access_key, &secret);
    assert_eq!(status(&tenant, Call::put("/tenants-own", "")).await, 200);
    assert_eq!(tenant.send(Call::get("/tenants-own?acl")).await.one("ID").as_deref(), Some("tenant-1.a_b"));
    assert_eq!(status(&world.client, put("acl", 1).header("x-amz-grant-read", "id=\"tenant-1.a_b\"")).await, 200);
    assert_eq!(status(&tenant, Call::get(&format!("/{BUCKET}/acl"))).await, 200);
    assert_eq!(status(&world.client, put("policy", 1)).await, 200);
    for principal in ["tenant-1.a_b", "arn:aws:iam::tenant-1.a_b:root"] {
        let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": principal}, "Action": "s3:GetObject",
            "Resource": format!("arn:aws:s3:::{BUCKET}/policy"),
        }]});
        assert_eq!(status(&world.client, Call::put(&format!("/{BUCKET}?policy"), policy.to_string())).await, 204);
        assert_eq!(status(&tenant, Call::get(&format!("/{BUCKET}/policy"))).await, 200, "{principal}");
    }
}
