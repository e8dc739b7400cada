//! Notifications: as documents, and delivered to webhooks that take, refuse, hang up and dawdle.

use std::time::Duration;

use serde_json::{Value, json};

use super::common::{Answer, BUCKET, Call, Form, Manner, Posted, Webhook, World, bytes, exchange_bytes, time_in};

const PHOTOS: &str = "arn:nodio:sqs:us-east-1:photos:webhook";
const OTHER: &str = "arn:nodio:sqs:us-east-1:other:webhook";
const ALL: [&str; 5] =
    ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*", "s3:ObjectAcl:Put", "s3:LifecycleExpiration:*"];

fn target() -> String {
    format!("/{BUCKET}?notification")
}

async fn world(hook: &Webhook) -> World {
    World::with(|config| {
        config.webhook = vec![hook.setting("photos")];
        config.webhook_retry_ms = 10;
    })
    .await
}

fn queue(arn: &str, events: &[&str], rest: &str) -> String {
    let events: String = events.iter().map(|event| format!("<Event>{event}</Event>")).collect();
    format!("<QueueConfiguration>{rest}<Queue>{arn}</Queue>{events}</QueueConfiguration>")
}

fn filter(rules: &[(&str, &str)]) -> String {
    let rule = |(name, value): &(&str, &str)| format!("<FilterRule><Name>{name}</Name><Value>{value}</Value></FilterRule>");
    format!("<Filter><S3Key>{}</S3Key></Filter>", rules.iter().map(rule).collect::<String>())
}

async fn set(world: &World, queues: &[String]) -> Answer {
    let document = format!("<NotificationConfiguration>{}</NotificationConfiguration>", queues.concat());
    world.client.send(Call::put(&target(), document)).await
}

/// Sets rules and takes the test event away.
async fn listen(world: &World, hook: &Webhook, queues: &[String]) {
    let answer = set(world, queues).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(hook.wait_taken(1).await[0].body["Event"], "s3:TestEvent");
}

async fn put(world: &World, key: &str) -> Answer {
    let answer = world.client.send(Call::put(&format!("/{BUCKET}/{key}"), "abc")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

fn events(taken: &[Posted]) -> Vec<(String, String)> {
    taken.iter().map(Posted::event).collect()
}

fn keys(taken: &[Posted]) -> Vec<String> {
    taken.iter().map(|posted| posted.event().1).collect()
}

#[tokio::test]
async fn a_configuration_comes_back_as_it_was_written_until_it_is_emptied() {
    let hook = Webhook::new(Manner::Takes).await;
    let world = world(&hook).await;
    let filtered = format!("<Id>one</Id>{}", filter(&[("suffix", ".jpg"), ("Prefix", "a/")]));
    let queues = [
        queue(PHOTOS, &["s3:ObjectCreated:Put", "s3:ObjectCreated:Copy"], &filtered),
        queue(PHOTOS, &["s3:ObjectRemoved:*"], ""),
    ];
    assert_eq!(set(&world, &queues).await.status, 200);
    let shown = world.client.send(Call::get(&target())).await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    for (element, texts) in [
        ("Queue", &[PHOTOS, PHOTOS][..]),
        ("Event", &["s3:ObjectCreated:Put", "s3:ObjectCreated:Copy", "s3:ObjectRemoved:*"]),
        ("Name", &["Prefix", "Suffix"]),
        ("Value", &["a/", ".jpg"]),
    ] {
        assert_eq!(shown.all(element), texts, "{}", shown.text());
    }
    let ids = shown.all("Id");
    assert!(ids.len() == 2 && ids[0] == "one" && !ids[1].is_empty(), "{ids:?}");
    assert_eq!(world.stranger().await.send(Call::get(&target())).await.error(), (403, "AccessDenied".into()));
    assert_eq!(world.stranger().await.send(Call::put(&target(), "<NotificationConfiguration/>")).await.status, 403);
    assert_eq!(set(&world, &[]).await.status, 200);
    assert!(!world.client.send(Call::get(&target())).await.text().contains("Queue"));
    put(&world, "a/x.jpg").await;
    world.stop().await;
    assert_eq!(hook.taken().len(), 1, "but for the test event nothing is told");
}

#[tokio::test]
async fn a_new_configuration_sends_each_webhook_a_test_event() {
    let (hook, other) = (Webhook::new(Manner::Takes).await, Webhook::new(Manner::Takes).await);
    let world = World::with(|config| config.webhook = vec![hook.setting("photos"), other.setting("other")]).await;
    let queues = [
        queue(PHOTOS, &["s3:ObjectCreated:Put"], ""),
        queue(PHOTOS, &["s3:ObjectRemoved:*"], ""),
        queue(OTHER, &["s3:ObjectCreated:Copy"], ""),
    ];
    let answer = set(&world, &queues).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for hook in [&hook, &other] {
        let body = hook.wait_taken(1).await[0].body.clone();
        assert_eq!((&body["Service"], &body["Event"]), (&json!("Amazon S3"), &json!("s3:TestEvent")));
        assert_eq!((&body["Bucket"], body["RequestId"].as_str()), (&json!(BUCKET), answer.header("x-amz-request-id")));
        assert!(body["Time"].is_string() && body["HostId"].as_str() == answer.header("x-amz-id-2"), "{body}");
    }
    let skipping = format!("<NotificationConfiguration>{}</NotificationConfiguration>", queues.concat());
    let call = Call::put(&target(), skipping).header("x-amz-skip-destination-validation", "true");
    assert_eq!(world.client.send(call).await.status, 200);
    put(&world, "k").await;
    assert_eq!(hook.wait_taken(2).await[1].event().0, "ObjectCreated:Put");
    world.stop().await;
    assert_eq!(other.taken().len(), 1);
}

#[tokio::test]
async fn configurations_that_cannot_be_are_refused_and_change_nothing() {
    let hook = Webhook::new(Manner::Takes).await;
    let world = world(&hook).await;
    let kept = queue(PHOTOS, &["s3:ObjectCreated:Put"], "<Id>kept</Id>");
    assert_eq!(set(&world, &[kept]).await.status, 200);
    let made = ["s3:ObjectCreated:*"];
    let of = |rules: &[(&str, &str)]| filter(rules);
    let argument = (400, "InvalidArgument");
    let unbuilt = (501, "NotImplemented");
    let long = "x".repeat(1025);
    for (queues, (status, code)) in [
        (vec![queue("arn:nodio:sqs:us-east-1:nobody:webhook", &made, "")], argument),
        (vec![queue("arn:nodio:sqs:eu-west-1:photos:webhook", &made, "")], argument),
        (vec![queue("arn:aws:sqs:us-east-1:123456789012:queue", &made, "")], argument),
        (vec![queue("photos", &made, "")], argument),
        (vec![queue(PHOTOS, &["s3:ObjectCreated:Nothing"], "")], argument),
        (vec![queue(PHOTOS, &["s3:ObjectRestore:Post"], "")], unbuilt),
        (vec![queue(PHOTOS, &["s3:Replication:*"], "")], unbuilt),
        (vec![queue(PHOTOS, &[], "")], (400, "MalformedXML")),
        (vec![queue(PHOTOS, &["s3:ObjectCreated:*", "s3:ObjectCreated:Put"], "")], argument),
        (vec![queue(PHOTOS, &made, ""), queue(PHOTOS, &["s3:ObjectCreated:Copy"], "")], argument),
        (vec![queue(PHOTOS, &made, &of(&[("prefix", "a")])), queue(PHOTOS, &made, &of(&[("prefix", "ab")]))], argument),
        (vec![queue(PHOTOS, &made, &of(&[("suffix", "g")])), queue(PHOTOS, &made, &of(&[("suffix", "jpg")]))], argument),
        (vec![queue(PHOTOS, &made, &of(&[("prefix", "a")])), queue(PHOTOS, &made, &of(&[("suffix", "jpg")]))], argument),
        (vec![queue(PHOTOS, &made, &of(&[("middle", "a")]))], argument),
        (vec![queue(PHOTOS, &made, &of(&[("prefix", "a"), ("Prefix", "b")]))], argument),
        (vec![queue(PHOTOS, &made, &of(&[("prefix", &long)]))], argument),
        (vec![queue(PHOTOS, &made, &format!("<Id>{}</Id>", "i".repeat(256)))], argument),
        (
            vec![queue(PHOTOS, &made, "<Id>i</Id>"), queue(PHOTOS, &["s3:ObjectRemoved:*"], "<Id>i</Id>")],
            argument,
        ),
        (vec!["<TopicConfiguration><Topic>arn:aws:sns:us-east-1:1:t</Topic><Event>s3:ObjectCreated:*</Event></TopicConfiguration>".into()], unbuilt),
        (vec!["<CloudFunctionConfiguration><CloudFunction>arn:aws:lambda:us-east-1:1:f</CloudFunction><Event>s3:ObjectCreated:*</Event></CloudFunctionConfiguration>".into()], unbuilt),
        (vec!["<EventBridgeConfiguration/>".into()], unbuilt),
        (vec!["<QueueConfiguration/>".into()], (400, "MalformedXML")),
    ] {
        let answer = set(&world, &queues).await;
        assert_eq!(answer.error(), (status, code.to_owned()), "{queues:?}");
    }
    assert_eq!(world.client.send(Call::get(&target())).await.all("Id"), ["kept"]);
    let apart = [queue(PHOTOS, &made, &of(&[("prefix", "a"), ("suffix", "jpg")])), queue(PHOTOS, &made, &of(&[("prefix", "b")]))];
    assert_eq!(set(&world, &apart).await.status, 200);
}

async fn form(world: &World, key: &str) {
    let conditions = json!([{"bucket": BUCKET}, {"key": key}]);
    let policy = json!({"expiration": time_in(600, "%Y-%m-%dT%H:%M:%SZ"), "conditions": conditions});
    let form = Form::new(&[("key", key)], "abc").signed_v4(&world.client, policy);
    let call = Call::post(&format!("/{BUCKET}"), form.body()).header("content-type", &Form::content_type());
    assert_eq!(world.client.send_unsigned(call).await.status, 204);
}

async fn upload(world: &World, key: &str) {
    let begun = world.client.send(Call::post(&format!("/{BUCKET}/{key}?uploads"), "")).await;
    let id = begun.one("UploadId").unwrap();
    let part = world.client.send(Call::put(&format!("/{BUCKET}/{key}?partNumber=1&uploadId={id}"), "abc")).await;
    let part = format!("<Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>", part.header("etag").unwrap());
    let document = format!("<CompleteMultipartUpload>{part}</CompleteMultipartUpload>");
    assert_eq!(world.client.send(Call::post(&format!("/{BUCKET}/{key}?uploadId={id}"), document)).await.status, 200);
}

async fn must(world: &World, call: Call) -> Answer {
    let answer = world.client.send(call).await;
    assert!((200..300).contains(&answer.status), "{}", answer.text());
    answer
}

const TAGS: &str = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>";

#[tokio::test]
async fn every_kind_of_change_is_told_by_its_name() {
    let hook = Webhook::new(Manner::Takes).await;
    let world = world(&hook).await;
    listen(&world, &hook, &[queue(PHOTOS, &ALL, "<Id>all</Id>")]).await;
    let at = |rest: &str| format!("/{BUCKET}/{rest}");
    let written = put(&world, "k").await;
    form(&world, "posted").await;
    must(&world, Call::put(&at("copied"), "").header("x-amz-copy-source", &at("k"))).await;
    upload(&world, "completed").await;
    must(&world, Call::put(&at("k?tagging"), TAGS)).await;
    must(&world, Call::delete(&at("k?tagging"))).await;
    must(&world, Call::put(&at("k?acl"), "").header("x-amz-acl", "public-read")).await;
    must(&world, Call::delete(&at("posted"))).await;
    must(&world, Call::delete(&at("posted"))).await;
    let doomed = "<Delete><Object><Key>copied</Key></Object><Object><Key>never</Key></Object></Delete>";
    must(&world, Call::post(&format!("/{BUCKET}?delete"), doomed).header("content-md5", &md5(doomed))).await;
    let taken = hook.wait_taken(10).await;
    let told = [
        ("ObjectCreated:Put", "k"),
        ("ObjectCreated:Post", "posted"),
        ("ObjectCreated:Copy", "copied"),
        ("ObjectCreated:CompleteMultipartUpload", "completed"),
        ("ObjectTagging:Put", "k"),
        ("ObjectTagging:Delete", "k"),
        ("ObjectAcl:Put", "k"),
        ("ObjectRemoved:Delete", "posted"),
        ("ObjectRemoved:Delete", "copied"),
    ];
    assert_eq!(events(&taken[1..]), told.map(|(event, key)| (event.to_owned(), key.to_owned())));

    let first = &taken[1];
    for (place, value) in [
        ("/awsRegion", json!("us-east-1")),
        ("/requestParameters/sourceIPAddress", json!("127.0.0.1")),
        ("/responseElements/x-amz-request-id", json!(written.header("x-amz-request-id"))),
        ("/responseElements/x-amz-id-2", json!(written.header("x-amz-id-2"))),
        ("/s3/configurationId", json!("all")),
        ("/s3/bucket/name", json!(BUCKET)),
        ("/s3/object/size", json!(3)),
        ("/s3/object/eTag", json!("900150983cd24fb0d6963f7d28e17f72")),
    ] {
        assert_eq!(first.at(place), Some(&value), "{place}");
    }
    assert_eq!(first.at("/userIdentity/principalId"), first.at("/s3/bucket/ownerIdentity/principalId"));
    assert_eq!(first.at("/s3/object/versionId"), None, "a bucket that never had versions");
    assert_eq!((taken[8].at("/s3/object/size"), taken[8].at("/s3/object/eTag")), (None, None), "what is gone");
    let sequence: Vec<&Value> = taken[1..].iter().map(|posted| posted.at("/s3/object/sequencer").unwrap()).collect();
    assert!(sequence.is_sorted_by(|one, next| one.as_str() < next.as_str()), "{sequence:?}");
    world.stop().await;
    assert_eq!(hook.taken().len(), 10, "what changed nothing is not told");
}

fn md5(text: &str) -> String {
    use base64::Engine;
    use md5::Digest;
    base64::engine::general_purpose::STANDARD.encode(md5::Md5::digest(text))
}

async fn versioned(world: &World) {
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    must(world, Call::put(&format!("/{BUCKET}?versioning"), on)).await;
}

#[tokio::test]
async fn delete_markers_and_versions_are_told_apart() {
    let hook = Webhook::new(Manner::Takes).await;
    let world = world(&hook).await;
    versioned(&world).await;
    listen(&world, &hook, &[queue(PHOTOS, &ALL, "")]).await;
    let version = |answer: &Answer| answer.header("x-amz-version-id").unwrap().to_owned();
    let written = version(&put(&world, "k").await);
    let marker = version(&must(&world, Call::delete(&format!("/{BUCKET}/k"))).await);
    must(&world, Call::delete(&format!("/{BUCKET}/k?versionId={marker}"))).await;
    must(&world, Call::delete(&format!("/{BUCKET}/k?versionId={written}"))).await;
    let taken = hook.wait_taken(5).await;
    let told: Vec<_> =
        taken[1..].iter().map(|posted| (posted.event().0, posted.at("/s3/object/versionId").unwrap().clone())).collect();
    let expected = [
        ("ObjectCreated:Put", &written),
        ("ObjectRemoved:DeleteMarkerCreated", &marker),
        ("ObjectRemoved:Delete", &marker),
        ("ObjectRemoved:Delete", &written),
    ];
    assert_eq!(told, expected.map(|(event, version)| (event.to_owned(), json!(version))));
}

#[tokio::test]
async fn what_lifecycle_rules_end_is_told_as_theirs() {
    let hook = Webhook::new(Manner::Takes).await;
    let world = World::with(|config| {
        config.webhook = vec![hook.setting("photos")];
        config.lifecycle_day_seconds = 1;
    })
    .await;
    put(&world, "k").await;
    listen(&world, &hook, &[queue(PHOTOS, &ALL, "")]).await;
    let rule = "<Rule><ID>r</ID><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>";
    let document = format!("<LifecycleConfiguration>{rule}</LifecycleConfiguration>");
    must(&world, Call::put(&format!("/{BUCKET}?lifecycle"), document)).await;
    let expired = hook.wait_taken(2).await.remove(1);
    assert_eq!(expired.event(), ("LifecycleExpiration:Delete".into(), "k".into()));
    assert_eq!(expired.at("/userIdentity/principalId"), Some(&json!("s3.amazonaws.com")));
    assert_eq!(expired.at("/eventVersion"), Some(&json!("2.3")));
}

#[tokio::test]
async fn rules_choose_events_by_kind_prefix_and_suffix() {
    let (hook, other) = (Webhook::new(Manner::Takes).await, Webhook::new(Manner::Takes).await);
    let world = World::with(|config| config.webhook = vec![hook.setting("photos"), other.setting("other")]).await;
    let queues = [
        queue(PHOTOS, &["s3:ObjectCreated:*"], &filter(&[("prefix", "a/"), ("suffix", ".jpg")])),
        queue(OTHER, &["s3:ObjectCreated:Put"], &filter(&[("prefix", "my+photos/")])),
        queue(OTHER, &["s3:ObjectRemoved:Delete"], ""),
    ];
    listen(&world, &hook, &queues).await;
    other.wait_taken(1).await;
    for key in ["a/x.jpg", "a/x.png", "b/x.jpg", "my%20photos/1", "my+photos/2", "a/.jpg"] {
        put(&world, key).await;
    }
    must(&world, Call::delete(&format!("/{BUCKET}/a/x.png"))).await;
    assert_eq!(keys(&hook.wait_taken(3).await[1..]), ["a/x.jpg", "a/.jpg"]);
    let told = events(&other.wait_taken(3).await[1..]);
    assert_eq!(
        told,
        [("ObjectCreated:Put", "my+photos/1"), ("ObjectRemoved:Delete", "a/x.png")]
            .map(|(event, key)| (event.into(), key.into()))
    );
    world.stop().await;
    assert_eq!((hook.taken().len(), other.taken().len()), (3, 3));
}

#[tokio::test]
async fn what_is_refused_is_not_told() {
    let hook = Webhook::new(Manner::Takes).await;
    let world = world(&hook).await;
    put(&world, "k").await;
    listen(&world, &hook, &[queue(PHOTOS, &ALL, "")]).await;
    let at = format!("/{BUCKET}/k");
    assert_eq!(world.client.send(Call::put(&at, "x").header("if-none-match", "*")).await.status, 412);
    assert_eq!(world.client.send(Call::delete(&at).header("if-match", "\"no\"")).await.status, 412);
    assert_eq!(world.stranger().await.send(Call::put(&at, "x")).await.status, 403);
    assert_eq!(world.client.send(Call::put(&format!("{at}?tagging"), "<Tagging/>")).await.status, 400);
    put(&world, "last").await;
    assert_eq!(keys(&hook.wait_taken(2).await[1..]), ["last"]);
}

#[tokio::test]
async fn a_webhook_that_fails_gets_every_event_in_order_once_it_takes_them() {
    let hook = Webhook::new(Manner::Takes).await;
    let world = world(&hook).await;
    listen(&world, &hook, &[queue(PHOTOS, &ALL, "")]).await;
    let mut wanted = Vec::new();
    for (manner, name) in
        [(Manner::Answers(500), "a"), (Manner::HangsUp, "b"), (Manner::Answers(301), "c"), (Manner::Answers(429), "d")]
    {
        hook.becomes(manner);
        for at in 0..3 {
            put(&world, &format!("{name}{at}")).await;
            wanted.push(format!("{name}{at}"));
        }
        hook.wait_attempts(2).await;
        assert_eq!(hook.taken().len(), 1, "{manner:?}");
    }
    hook.becomes(Manner::Takes);
    assert_eq!(keys(&hook.wait_taken(13).await[1..]), wanted);
}

#[tokio::test]
async fn a_webhook_that_dawdles_or_is_away_slows_no_request_and_no_other_webhook() {
    let (slow, quick) = (Webhook::new(Manner::Takes).await, Webhook::new(Manner::Takes).await);
    let world = World::with(|config| config.webhook = vec![slow.setting("photos"), quick.setting("other")]).await;
    let queues = [
        queue(PHOTOS, &["s3:ObjectCreated:*"], &filter(&[("prefix", "s")])),
        queue(OTHER, &["s3:ObjectCreated:*"], &filter(&[("prefix", "q")])),
    ];
    listen(&world, &slow, &queues).await;
    slow.becomes(Manner::Holds);
    for at in 0..10 {
        put(&world, &format!("s{at}")).await;
        put(&world, &format!("q{at}")).await;
    }
    quick.wait_taken(11).await;
    assert_eq!(slow.taken().len(), 1);
    slow.becomes(Manner::Takes);
    let wanted: Vec<String> = (0..10).map(|at| format!("s{at}")).collect();
    assert_eq!(keys(&slow.wait_taken(11).await[1..]), wanted);
}

#[tokio::test]
async fn what_waits_at_a_shutdown_is_delivered_after_the_restart() {
    let hook = Webhook::new(Manner::Takes).await;
    let world = world(&hook).await;
    listen(&world, &hook, &[queue(PHOTOS, &ALL, "")]).await;
    hook.becomes(Manner::Holds);
    let names: Vec<String> = (0..80).map(|at| format!("k{at:02}")).collect();
    for name in &names {
        put(&world, name).await;
    }
    // The first is being posted: the shutdown doesn't wait for an answer.
    let world = tokio::time::timeout(Duration::from_secs(8), world.restart()).await.expect("a shutdown that waits for nobody");
    hook.becomes(Manner::HangsUp);
    put(&world, "last").await;
    hook.becomes(Manner::Takes);
    let taken = hook.wait_taken(82).await;
    assert_eq!(keys(&taken[1..81]), names);
    assert_eq!(taken[81].event().1, "last");
}

#[tokio::test]
async fn a_full_queue_drops_its_oldest_events_and_counts_them() {
    let hook = Webhook::new(Manner::Takes).await;
    let world = World::with(|config| {
        config.webhook = vec![hook.setting("photos")];
        (config.webhook_retry_ms, config.webhook_queue_max) = (10, 5);
        config.metrics_listen = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    listen(&world, &hook, &[queue(PHOTOS, &ALL, "")]).await;
    hook.becomes(Manner::Answers(503));
    for at in 0..20 {
        put(&world, &format!("k{at:02}")).await;
    }
    hook.wait_attempts(2).await;
    hook.becomes(Manner::Takes);
    let wanted: Vec<String> = (15..20).map(|at| format!("k{at}")).collect();
    assert_eq!(keys(&hook.wait_taken(6).await[1..]), wanted);
    put(&world, "one-more").await;
    hook.wait_taken(7).await;
    let figure = |text: &str, name: &str| {
        let line = format!("nodio_webhook_{name}{{webhook=\"photos\"}} ");
        text.lines().find_map(|found| found.strip_prefix(&line)?.parse::<u64>().ok())
    };
    // What was taken is counted once it is removed, just after.
    for _ in 0..500 {
        let text =
            exchange_bytes(world.metrics_addr(), b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.text();
        if figure(&text, "events_delivered_total") == Some(7) {
            assert_eq!(figure(&text, "events_waiting"), Some(0), "{text}");
            assert_eq!(figure(&text, "events_dropped_total"), Some(15), "{text}");
            assert!(figure(&text, "attempts_failed_total") >= Some(2), "{text}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("seven delivered events were never counted");
}

#[tokio::test]
async fn events_are_posted_as_json_with_the_token_of_the_webhook() {
    let hook = Webhook::new(Manner::Takes).await;
    let world = World::with(|config| {
        config.webhook = vec![nodio_gateway::config::Webhook { token: Some("s3cr3t".into()), ..hook.setting("photos") }];
    })
    .await;
    listen(&world, &hook, &[queue(PHOTOS, &ALL, "")]).await;
    let large = world.client.send(Call::put(&format!("/{BUCKET}/large"), bytes(300_000))).await;
    assert_eq!(large.status, 200);
    let posted = hook.wait_taken(2).await.remove(1);
    let head = posted.head.to_ascii_lowercase();
    assert!(head.starts_with("post /events http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nauthorization: bearer s3cr3t") && head.contains("\r\ncontent-type: application/json"), "{head}");
    assert_eq!(posted.at("/s3/object/size"), Some(&json!(300_000)));
}

#[tokio::test]
async fn events_for_a_webhook_that_is_configured_no_more_wait_for_it() {
    let hook = Webhook::new(Manner::Takes).await;
    let world = world(&hook).await;
    listen(&world, &hook, &[queue(PHOTOS, &ALL, "")]).await;
    hook.becomes(Manner::HangsUp);
    put(&world, "before").await;
    let world = world.restart_with(|config| config.webhook = Vec::new()).await;
    put(&world, "meanwhile").await;
    assert_eq!(world.client.send(Call::get(&target())).await.all("Queue"), [PHOTOS]);
    hook.becomes(Manner::Takes);
    let setting = hook.setting("photos");
    let world = world.restart_with(|config| config.webhook = vec![setting]).await;
    put(&world, "after").await;
    assert_eq!(keys(&hook.wait_taken(3).await[1..]), ["before", "after"]);
}
