//! Access logs: the status as a document, the permission to deliver, and the records.

use std::time::Duration;

use super::common::{Answer, BUCKET, Call, Payload, World, exchange_bytes, id_of, presign};

const LOGS: &str = "the-logs";

fn target() -> String {
    format!("/{BUCKET}?logging")
}

fn status(bucket: &str, rest: &str) -> Call {
    let enabled = format!("<TargetBucket>{bucket}</TargetBucket>{rest}<TargetPrefix>l/</TargetPrefix>");
    Call::put(&target(), format!("<BucketLoggingStatus><LoggingEnabled>{enabled}</LoggingEnabled></BucketLoggingStatus>"))
}

async fn must(world: &World, call: Call) -> Answer {
    let answer = world.client.send(call).await;
    assert!((200..300).contains(&answer.status), "{}", answer.text());
    answer
}

/// A bucket that takes logs, by its ACL.
async fn make_logs(world: &World) {
    must(world, Call::put(&format!("/{LOGS}"), "").header("x-amz-acl", "log-delivery-write")).await;
}

async fn logs(world: &World) -> Vec<String> {
    must(world, Call::get(&format!("/{LOGS}?list-type=2"))).await.all("Key")
}

/// All records that were written, oldest object first, each cut into its fields.
async fn records(world: &World) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for key in logs(world).await {
        let object = must(world, Call::get(&format!("/{LOGS}/{key}"))).await;
        assert_eq!(object.header("content-type"), Some("text/plain"));
        all.extend(object.text().lines().map(fields));
    }
    all
}

/// Cut at spaces outside of quotes and brackets.
fn fields(line: &str) -> Vec<String> {
    let (mut all, mut field, mut until) = (Vec::new(), String::new(), None);
    for char in line.chars() {
        match (until, char) {
            (None, ' ') => all.push(std::mem::take(&mut field)),
            (None, '"') => until = Some('"'),
            (None, '[') => until = Some(']'),
            (Some(end), char) if char == end => until = None,
            (_, char) => field.push(char),
        }
    }
    all.push(field);
    assert_eq!(all.len(), 26, "{line}");
    all
}

#[tokio::test]
async fn a_status_comes_back_as_it_was_written_until_it_is_emptied() {
    let world = World::new().await;
    make_logs(&world).await;
    world.user("carl", None).await;
    assert!(!must(&world, Call::get(&target())).await.text().contains("LoggingEnabled"));
    let grantee = |kind: &str, who: &str| {
        format!("<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"{kind}\">{who}</Grantee>")
    };
    let grant = |grantee: String, permission: &str| format!("<Grant>{grantee}<Permission>{permission}</Permission></Grant>");
    let everybody = "<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>";
    let grants = [
        grant(grantee("CanonicalUser", &format!("<ID>{}</ID>", id_of("carl"))), "FULL_CONTROL"),
        grant(grantee("Group", everybody), "READ"),
    ];
    let grants = format!("<TargetGrants>{}</TargetGrants>", grants.concat());
    must(&world, status(LOGS, &grants)).await;
    let shown = must(&world, Call::get(&target())).await;
    for (element, texts) in [
        ("TargetBucket", &[LOGS][..]),
        ("TargetPrefix", &["l/"]),
        ("ID", &[&*id_of("carl")]),
        ("URI", &["http://acs.amazonaws.com/groups/global/AllUsers"]),
        ("Permission", &["FULL_CONTROL", "READ"]),
    ] {
        assert_eq!(shown.all(element), texts, "{}", shown.text());
    }
    assert!(!shown.text().contains("TargetObjectKeyFormat"), "{}", shown.text());
    for (given, wanted) in [
        ("<SimplePrefix/>", "<SimplePrefix></SimplePrefix>"),
        ("<PartitionedPrefix/>", "<PartitionDateSource>DeliveryTime</PartitionDateSource>"),
        (
            "<PartitionedPrefix><PartitionDateSource>EventTime</PartitionDateSource></PartitionedPrefix>",
            "<PartitionDateSource>EventTime</PartitionDateSource>",
        ),
    ] {
        must(&world, status(LOGS, &format!("<TargetObjectKeyFormat>{given}</TargetObjectKeyFormat>"))).await;
        let shown = must(&world, Call::get(&target())).await;
        assert!(shown.text().contains(wanted), "{}", shown.text());
    }
    let stranger = world.stranger().await;
    assert_eq!(stranger.send(status(LOGS, "")).await.error(), (403, "AccessDenied".into()));
    assert_eq!(stranger.send(Call::get(&target())).await.error(), (403, "AccessDenied".into()));
    must(&world, Call::put(&target(), "<BucketLoggingStatus/>")).await;
    assert!(!must(&world, Call::get(&target())).await.text().contains("LoggingEnabled"));
}

#[tokio::test]
async fn a_target_that_cannot_be_is_refused_and_nothing_changes() {
    let world = World::new().await;
    make_logs(&world).await;
    must(&world, status(LOGS, "")).await;
    let stranger = world.stranger().await;
    let theirs = Call::put("/theirs", "").header("x-amz-acl", "log-delivery-write");
    assert_eq!(stranger.send(theirs).await.status, 200);
    must(&world, Call::put("/enforced", "").header("x-amz-object-ownership", "BucketOwnerEnforced")).await;
    let grants = "<TargetGrants><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Group\">\
                  <URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant></TargetGrants>";
    let format = |format: &str| format!("<TargetObjectKeyFormat>{format}</TargetObjectKeyFormat>");
    let bad_target = (400, "InvalidTargetBucketForLogging");
    for (bucket, rest, (code, error)) in [
        ("no-such-bucket", String::new(), bad_target),
        ("No_Bucket", String::new(), bad_target),
        ("theirs", String::new(), bad_target),
        (BUCKET, String::new(), bad_target),
        ("enforced", String::new(), bad_target),
        ("enforced", grants.to_owned(), (400, "AccessControlListNotSupported")),
        (LOGS, grants.replace("READ<", "WRITE_ACP<"), (400, "MalformedXML")),
        (LOGS, format(""), (400, "MalformedXML")),
        (LOGS, format("<SimplePrefix/><PartitionedPrefix/>"), (400, "MalformedXML")),
        (
            LOGS,
            format("<PartitionedPrefix><PartitionDateSource>Never</PartitionDateSource></PartitionedPrefix>"),
            (400, "MalformedXML"),
        ),
    ] {
        let answer = world.client.send(status(bucket, &rest)).await;
        assert_eq!(answer.error(), (code, error.to_owned()), "{bucket} {rest}");
    }
    let long = format!("<TargetBucket>{LOGS}</TargetBucket><TargetPrefix>{}</TargetPrefix>", "p".repeat(801));
    let long = format!("<BucketLoggingStatus><LoggingEnabled>{long}</LoggingEnabled></BucketLoggingStatus>");
    assert_eq!(world.client.send(Call::put(&target(), long)).await.error(), (400, "InvalidArgument".into()));
    assert_eq!(must(&world, Call::get(&target())).await.one("TargetBucket").as_deref(), Some(LOGS));
}

fn policy(effect: &str, principal: &str, resource: &str, source: &str) -> String {
    format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"{effect}\",\"Principal\":{principal},\"Action\":\"s3:PutObject\",\
         \"Resource\":\"arn:aws:s3:::{LOGS}/{resource}\",\"Condition\":{{\"ArnLike\":{{\"aws:SourceArn\":\"arn:aws:s3:::{source}\"}}}}}}]}}"
    )
}

#[tokio::test]
async fn delivery_is_allowed_by_policy_or_acl() {
    const SERVICE: &str = "{\"Service\":\"logging.s3.amazonaws.com\"}";
    let world = World::new().await;
    must(&world, Call::put(&format!("/{LOGS}"), "").header("x-amz-object-ownership", "BucketOwnerEnforced")).await;
    let at = format!("/{LOGS}?policy");
    for (policy, allowed) in [
        (policy("Allow", SERVICE, "*", BUCKET), true),
        (policy("Allow", SERVICE, "l/*", "my-*"), true),
        (policy("Allow", SERVICE, "other/*", BUCKET), false),
        (policy("Allow", SERVICE, "*", "another"), false),
        (policy("Allow", "{\"Service\":\"other.amazonaws.com\"}", "*", BUCKET), false),
        (policy("Allow", "{\"CanonicalUser\":\"logging.s3.amazonaws.com\"}", "*", BUCKET), false),
        (policy("Allow", "{\"AWS\":\"*\"}", "*", BUCKET), true),
        (policy("Deny", "\"*\"", "*", BUCKET), false),
    ] {
        must(&world, Call::put(&at, &policy)).await;
        let answer = world.client.send(status(LOGS, "")).await;
        match allowed {
            true => assert_eq!(answer.status, 200, "{policy}: {}", answer.text()),
            false => assert_eq!(answer.error(), (400, "InvalidTargetBucketForLogging".into()), "{policy}"),
        }
    }
    must(&world, Call::put(&at, policy("Allow", SERVICE, "*", BUCKET))).await;
    must(&world, status(LOGS, "")).await;
    must(&world, Call::put(&format!("/{BUCKET}/k"), "abc")).await;
    let world = world.restart().await;
    assert_eq!(logs(&world).await.len(), 1);
}

#[tokio::test]
async fn requests_are_logged_with_all_that_is_known_of_them() {
    let world = World::new().await;
    make_logs(&world).await;
    must(&world, status(LOGS, "")).await;
    let at = |rest: &str| format!("/{BUCKET}/{rest}");
    let put =
        must(&world, Call::put(&at("a%20b"), "abc").header("user-agent", "an \"agent\"").header("referer", "http://x/")).await;
    must(&world, Call::get(&at("a%20b")).header("range", "bytes=1-2")).await;
    must(&world, Call::head(&at("a%20b"))).await;
    assert_eq!(world.client.send(Call::get(&at("missing?versionId=null"))).await.status, 404);
    assert_eq!(world.client.send(Call::head(&at("missing"))).await.status, 404);
    let url = presign(&world.client, &Call::get(&at("a%20b")), Duration::from_secs(60));
    let presigned = Call { headers: Vec::new(), ..Call::get(&url) };
    assert_eq!(world.client.send_unsigned(presigned).await.status, 200);
    assert_eq!(world.client.send_unsigned(Call::get(&at("a%20b"))).await.status, 403);
    let mut forger = world.client.clone();
    forger.secret = "not-the-secret".into();
    assert_eq!(forger.send(Call::get(&at("a%20b"))).await.status, 403);
    assert_eq!(world.client.send_unsigned(Call::new("OPTIONS", &at("a%20b"), "")).await.status, 400);
    must(&world, Call::get(&format!("/{BUCKET}?list-type=2"))).await;
    must(&world, Call::put(&at("copy"), "").header("x-amz-copy-source", &at("a%20b"))).await;
    must(&world, Call::put(&at("u"), "abc").payload(Payload::Unsigned)).await;
    must(&world, Call::delete(&at("a%20b"))).await;
    // Another bucket's requests, and those to no bucket, are nobody's here.
    must(&world, Call::get(&format!("/{LOGS}?list-type=2"))).await;
    must(&world, Call::get("/")).await;

    let (address, owner) = (world.addr, must(&world, Call::get("/")).await.one("ID").unwrap());
    let world = world.restart().await;
    let records = records(&world).await;
    let told: Vec<[&str; 7]> = records
        .iter()
        .map(|record| [6, 7, 9, 10, 11, 12, 4].map(|at| record[at].as_str()))
        .map(|record| {
            if record[6] == owner { [record[0], record[1], record[2], record[3], record[4], record[5], "owner"] } else { record }
        })
        .collect();
    let error_bytes = |at: usize| records[at][11].as_str();
    assert_eq!(
        told,
        [
            ["REST.PUT.OBJECT", "a%20b", "200", "-", "-", "3", "owner"],
            ["REST.GET.OBJECT", "a%20b", "206", "-", "2", "3", "owner"],
            ["REST.HEAD.OBJECT", "a%20b", "200", "-", "-", "3", "owner"],
            ["REST.GET.OBJECT", "missing", "404", "NoSuchVersion", error_bytes(3), "-", "owner"],
            ["REST.HEAD.OBJECT", "missing", "404", "NoSuchKey", "-", "-", "owner"],
            ["REST.GET.OBJECT", "a%20b", "200", "-", "3", "3", "owner"],
            ["REST.GET.OBJECT", "a%20b", "403", "AccessDenied", error_bytes(6), "-", "-"],
            ["REST.GET.OBJECT", "a%20b", "403", "SignatureDoesNotMatch", error_bytes(7), "-", "-"],
            ["REST.OPTIONS.PREFLIGHT", "a%20b", "400", "BadRequest", error_bytes(8), "-", "-"],
            ["REST.GET.BUCKET", "-", "200", "-", error_bytes(9), "-", "owner"],
            ["REST.COPY.OBJECT", "copy", "200", "-", error_bytes(10), "-", "owner"],
            ["REST.PUT.OBJECT", "u", "200", "-", "-", "3", "owner"],
            ["REST.DELETE.OBJECT", "a%20b", "204", "-", "-", "-", "owner"],
        ]
    );
    let first = &records[0];
    let time = &first[2];
    assert!(time.len() == 26 && time.ends_with(" +0000") && time.contains("/20"), "{time}");
    let ids = [put.header("x-amz-request-id").unwrap(), put.header("x-amz-id-2").unwrap()];
    for (at, wanted) in [
        (0, owner.as_str()),
        (1, BUCKET),
        (3, "127.0.0.1"),
        (5, ids[0]),
        (8, &*format!("PUT {} HTTP/1.1", at("a%20b"))),
        (14, "-"),
        (15, "http://x/"),
        (16, "an %22agent%22"),
        (17, "-"),
        (18, ids[1]),
        (19, "SigV4"),
        (20, "-"),
        (21, "AuthHeader"),
        (22, &*address.to_string()),
        (23, "-"),
    ] {
        assert_eq!(first[at], wanted, "field {at} of {first:?}");
    }
    assert!(first[13].parse::<u64>().is_ok() && records[1][14].parse::<u64>().is_ok(), "{first:?}");
    assert_eq!(records[3][17], "null");
    assert_eq!((records[5][19].as_str(), records[5][21].as_str()), ("SigV4", "QueryString"));
    assert!(records[5][8].contains("X-Amz-Signature=- ") || records[5][8].contains("X-Amz-Signature=-&"), "{}", records[5][8]);
    assert_eq!(records[6][19], "-");
}

#[tokio::test]
async fn log_objects_are_named_by_the_format_and_shared_by_the_grants() {
    let world = World::new().await;
    make_logs(&world).await;
    world.user("carl", None).await;
    let grants = "<TargetGrants><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Group\">\
                  <URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant></TargetGrants>";
    let by_event = "<TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>EventTime</PartitionDateSource></PartitionedPrefix>\
                    </TargetObjectKeyFormat>";
    let by_delivery = by_event.replace("EventTime", "DeliveryTime");
    for rest in [grants, by_event, &by_delivery] {
        must(&world, status(LOGS, rest)).await;
        must(&world, Call::get(&format!("/{BUCKET}?location"))).await;
    }
    let owner = must(&world, Call::get("/")).await.one("ID").unwrap();
    let world = world.restart().await;
    let keys = logs(&world).await;
    assert_eq!(keys.len(), 3, "{keys:?}");
    let pattern = |text: &str| text.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect::<String>();
    let simple = keys.iter().find(|key| key.starts_with("l/2")).unwrap();
    let (time, unique) = simple.strip_prefix("l/").unwrap().split_at(20);
    assert_eq!((pattern(time).as_str(), unique.len()), ("0000-00-00-00-00-00-", 16), "{simple}");
    let folder = format!("l/{owner}/us-east-1/{BUCKET}/");
    let days: Vec<&str> = keys.iter().filter_map(|key| key.strip_prefix(&folder)).collect();
    assert!(days.iter().all(|rest| pattern(&rest[..31]) == "0000/00/00/0000-00-00-00-00-00-"), "{days:?}");
    assert_eq!(days.len(), 2);
    assert!(days.iter().any(|rest| rest[21..].starts_with("-00-00-00-")), "days of events are at midnight: {days:?}");
    assert_eq!(world.client.send_unsigned(Call::get(&format!("/{LOGS}/{simple}"))).await.status, 200, "the grant");
    let partitioned = keys.iter().find(|key| key.starts_with(&folder)).unwrap();
    assert_eq!(world.client.send_unsigned(Call::get(&format!("/{LOGS}/{partitioned}"))).await.status, 403);
}

#[tokio::test]
async fn a_bucket_that_logs_into_itself_does_not_log_its_logs() {
    let world = World::new().await;
    must(&world, Call::put(&format!("/{BUCKET}?acl"), "").header("x-amz-acl", "log-delivery-write")).await;
    must(&world, status(BUCKET, "")).await;
    must(&world, Call::put(&format!("/{BUCKET}/k"), "abc")).await;
    let world = world.restart().await.restart().await;
    let keys = world.keys().await;
    assert_eq!(keys.len(), 2, "{keys:?}");
    let log = keys.iter().find(|key| key.starts_with("l/")).unwrap();
    let text = must(&world, Call::get(&format!("/{BUCKET}/{log}"))).await.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(" REST.PUT.OBJECT k "), "{text}");
}

async fn figure(world: &World, name: &str) -> u64 {
    let text =
        exchange_bytes(world.metrics_addr(), b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.text();
    let line = format!("nodio_access_log_records_{name} ");
    text.lines().find_map(|found| found.strip_prefix(&line)?.parse().ok()).unwrap()
}

async fn until(world: &World, name: &str, wanted: u64) {
    for _ in 0..600 {
        if figure(world, name).await == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{name} never was {wanted}");
}

#[tokio::test]
async fn records_are_written_now_and_then_and_dropped_without_a_target() {
    let world = World::with(|config| {
        config.access_log_every_ms = 100;
        config.metrics_listen = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    make_logs(&world).await;
    must(&world, status(LOGS, "")).await;
    must(&world, Call::put(&format!("/{BUCKET}/k"), "abc")).await;
    until(&world, "written_total", 1).await;
    assert_eq!(records(&world).await.len(), 1);
    for key in logs(&world).await {
        must(&world, Call::delete(&format!("/{LOGS}/{key}"))).await;
    }
    must(&world, Call::delete(&format!("/{LOGS}"))).await;
    must(&world, Call::get(&format!("/{BUCKET}/k"))).await;
    until(&world, "dropped_total", 1).await;
    assert_eq!((figure(&world, "written_total").await, figure(&world, "waiting").await), (1, 0));
}

#[tokio::test]
async fn visits_to_a_website_are_logged_as_such() {
    let world = World::with(|config| config.website_domains = vec!["web.localhost".into()]).await;
    make_logs(&world).await;
    let rule =
        "<Condition><KeyPrefixEquals>old/</KeyPrefixEquals></Condition><Redirect><ReplaceKeyWith>new</ReplaceKeyWith></Redirect>";
    let website = format!(
        "<WebsiteConfiguration><IndexDocument><Suffix>i.html</Suffix></IndexDocument><ErrorDocument><Key>e.html</Key></ErrorDocument>\
         <RoutingRules><RoutingRule>{rule}</RoutingRule></RoutingRules></WebsiteConfiguration>"
    );
    must(&world, Call::put(&format!("/{BUCKET}?website"), website)).await;
    for key in ["i.html", "e.html"] {
        must(&world, Call::put(&format!("/{BUCKET}/{key}"), "abc").header("x-amz-acl", "public-read")).await;
    }
    must(&world, status(LOGS, "")).await;
    for (method, target, status) in [
        ("GET", "/", 200),
        ("HEAD", "/i.html", 200),
        ("GET", "/none%20such", 403),
        ("GET", "/old/x", 301),
        ("PUT", "/k", 405),
        ("GET", "/%zz", 400),
    ] {
        let call = Call { host: Some(format!("{BUCKET}.web.localhost")), ..Call::new(method, target, "") };
        assert_eq!(world.client.send(call).await.status, status, "{method} {target}");
    }
    let world = world.restart().await;
    let records = records(&world).await;
    let told: Vec<[&str; 9]> =
        records.iter().map(|record| [6, 7, 9, 10, 11, 12, 4, 19, 21].map(|at| record[at].as_str())).collect();
    let bytes = |at: usize| records[at][11].as_str();
    assert_eq!(
        told,
        [
            ["WEBSITE.GET.OBJECT", "i.html", "200", "-", "3", "3", "-", "-", "-"],
            ["WEBSITE.HEAD.OBJECT", "i.html", "200", "-", "-", "3", "-", "-", "-"],
            ["WEBSITE.GET.OBJECT", "none%20such", "403", "AccessDenied", "3", "-", "-", "-", "-"],
            ["WEBSITE.GET.OBJECT", "old/x", "301", "-", "-", "-", "-", "-", "-"],
            ["WEBSITE.PUT.OBJECT", "k", "405", "MethodNotAllowed", bytes(4), "-", "-", "-", "-"],
            ["WEBSITE.GET.OBJECT", "-", "400", "InvalidURI", bytes(5), "-", "-", "-", "-"],
        ]
    );
}
