//! Websites: the configuration as a document, and what visitors are answered.

use super::common::{Answer, BUCKET, Call, Payload, World, bytes};

const DOMAIN: &str = "web.localhost";

fn target() -> String {
    format!("/{BUCKET}?website")
}

fn document(inner: &str) -> Call {
    Call::put(&target(), format!("<WebsiteConfiguration>{inner}</WebsiteConfiguration>"))
}

const INDEX: &str = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>";
const ERROR: &str = "<ErrorDocument><Key>error.html</Key></ErrorDocument>";

fn rules(rules: &[&str]) -> String {
    let rules: String = rules.iter().map(|rule| format!("<RoutingRule>{rule}</RoutingRule>")).collect();
    format!("<RoutingRules>{rules}</RoutingRules>")
}

async fn must(world: &World, call: Call) -> Answer {
    let answer = world.client.send(call).await;
    assert!((200..300).contains(&answer.status), "{}", answer.text());
    answer
}

/// A gateway that shows websites; anybody may read what is in the bucket under `open`, `*` at its end allowed.
async fn world(inner: &str, open: &[&str]) -> World {
    let world = World::with(|config| config.website_domains = vec![DOMAIN.into()]).await;
    must(&world, document(inner)).await;
    let resources: Vec<String> = open.iter().map(|key| format!("\"arn:aws:s3:::{BUCKET}/{key}\"")).collect();
    let statement =
        format!(r#"{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":[{}]}}"#, resources.join(","));
    let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
    must(&world, Call::put(&format!("/{BUCKET}?policy"), policy)).await;
    world
}

/// Lets everybody list the bucket, so that what is missing is said to be.
async fn let_list(world: &World) {
    must(world, Call::put(&format!("/{BUCKET}?acl"), "").header("x-amz-acl", "public-read")).await;
}

async fn put(world: &World, key: &str, body: &str) {
    must(world, Call::put(&format!("/{BUCKET}/{key}"), body).header("content-type", "text/html")).await;
}

fn to_website(mut call: Call, bucket: &str) -> Call {
    call.host = Some(format!("{bucket}.{DOMAIN}"));
    call
}

async fn visit(world: &World, path: &str) -> Answer {
    world.client.send_unsigned(to_website(Call::get(path), BUCKET)).await
}

/// The code on S3's own page.
fn page(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{}", answer.text());
    let of = |name: &str| {
        let text = answer.text();
        let (_, rest) = text.split_once(&format!("<li>{name}: "))?;
        Some(rest.split_once("</li>")?.0.to_owned())
    };
    assert!(of("Message").is_some() && of("HostId").is_some(), "{}", answer.text());
    assert_eq!(of("RequestId").as_deref(), answer.header("x-amz-request-id"));
    assert_eq!(of("Code").as_deref(), answer.header("x-amz-error-code"));
    (answer.status, of("Code").unwrap())
}

fn moved(answer: &Answer) -> (u16, &str) {
    assert!(answer.body.is_empty() && answer.whole, "{}", answer.text());
    (answer.status, answer.header("location").unwrap_or_default())
}

#[tokio::test]
async fn a_configuration_comes_back_as_it_was_written_until_it_is_deleted() {
    let world = World::new().await;
    let missing = (404, "NoSuchWebsiteConfiguration".to_owned());
    assert_eq!(world.client.send(Call::get(&target())).await.error(), missing);
    let both = "<Condition><KeyPrefixEquals>docs/</KeyPrefixEquals><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals>\
                </Condition><Redirect><HostName>h.example:81</HostName><HttpRedirectCode>307</HttpRedirectCode>\
                <Protocol>https</Protocol><ReplaceKeyPrefixWith>documents/</ReplaceKeyPrefixWith></Redirect>";
    let bare = "<Redirect><ReplaceKeyWith>a &amp; b</ReplaceKeyWith></Redirect>";
    must(&world, document(&format!("{INDEX}{ERROR}{}", rules(&[both, bare])))).await;
    let shown = must(&world, Call::get(&target())).await;
    assert_eq!(shown.all("RoutingRule").len(), 2, "{}", shown.text());
    for (element, texts) in [
        ("Suffix", &["index.html"][..]),
        ("Key", &["error.html"]),
        ("KeyPrefixEquals", &["docs/"]),
        ("HttpErrorCodeReturnedEquals", &["404"]),
        ("HostName", &["h.example:81"]),
        ("HttpRedirectCode", &["307"]),
        ("Protocol", &["https"]),
        ("ReplaceKeyPrefixWith", &["documents/"]),
        ("ReplaceKeyWith", &["a & b"]),
    ] {
        assert_eq!(shown.all(element), texts, "{element}");
    }
    must(&world, document("<RedirectAllRequestsTo><HostName>other.example</HostName></RedirectAllRequestsTo>")).await;
    let shown = must(&world, Call::get(&target())).await;
    assert_eq!((shown.all("HostName"), shown.all("Suffix").len()), (vec!["other.example".to_owned()], 0));
    let stranger = world.stranger().await;
    for call in [Call::get(&target()), document(INDEX), Call::delete(&target())] {
        assert_eq!(stranger.send(call).await.error(), (403, "AccessDenied".into()));
    }
    assert_eq!(world.client.send(Call::delete(&target())).await.status, 204);
    assert_eq!(world.client.send(Call::get(&target())).await.error(), missing);
    assert_eq!(world.client.send(Call::delete(&target())).await.status, 204);
}

#[tokio::test]
async fn configurations_that_cannot_be_are_refused_and_change_nothing() {
    let world = World::new().await;
    must(&world, document(INDEX)).await;
    let to = "<RedirectAllRequestsTo><HostName>h</HostName></RedirectAllRequestsTo>";
    let all_to = |inner: &str| format!("<RedirectAllRequestsTo>{inner}</RedirectAllRequestsTo>");
    let with_rule = |rule: &str| format!("{INDEX}{}", rules(&[rule]));
    let redirect = |inner: &str| with_rule(&format!("<Redirect>{inner}</Redirect>"));
    let on = |inner: &str| with_rule(&format!("<Condition>{inner}</Condition><Redirect><HostName>h</HostName></Redirect>"));
    let many = vec!["<Redirect><HostName>h</HostName></Redirect>"; 51];
    for (inner, code) in [
        (String::new(), "InvalidArgument"),
        (ERROR.to_owned(), "InvalidArgument"),
        ("<IndexDocument><Suffix></Suffix></IndexDocument>".to_owned(), "InvalidArgument"),
        ("<IndexDocument><Suffix>a/b</Suffix></IndexDocument>".to_owned(), "InvalidArgument"),
        ("<IndexDocument></IndexDocument>".to_owned(), "MalformedXML"),
        (format!("{INDEX}<ErrorDocument><Key></Key></ErrorDocument>"), "InvalidArgument"),
        (format!("{to}{INDEX}"), "InvalidRequest"),
        (format!("{to}{ERROR}"), "InvalidRequest"),
        (format!("{to}{}", rules(&many[..1])), "InvalidRequest"),
        (all_to("<HostName></HostName>"), "InvalidRequest"),
        (all_to("<HostName>a b</HostName>"), "InvalidArgument"),
        (all_to("<HostName>h</HostName><Protocol>ftp</Protocol>"), "InvalidRequest"),
        (all_to("<Protocol>http</Protocol>"), "MalformedXML"),
        (format!("{INDEX}{}", rules(&many)), "InvalidRequest"),
        (redirect(""), "MalformedXML"),
        (redirect("<HostName></HostName>"), "InvalidRequest"),
        (redirect("<Protocol>http2</Protocol>"), "InvalidRequest"),
        (redirect("<HttpRedirectCode>300</HttpRedirectCode>"), "InvalidRequest"),
        (redirect("<HttpRedirectCode>304</HttpRedirectCode>"), "InvalidRequest"),
        (redirect("<HttpRedirectCode>200</HttpRedirectCode>"), "InvalidRequest"),
        (redirect("<HttpRedirectCode>often</HttpRedirectCode>"), "MalformedXML"),
        (redirect("<ReplaceKeyWith>a</ReplaceKeyWith><ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith>"), "InvalidRequest"),
        (on(""), "MalformedXML"),
        (on("<HttpErrorCodeReturnedEquals>302</HttpErrorCodeReturnedEquals>"), "InvalidRequest"),
        (on("<HttpErrorCodeReturnedEquals>4xx</HttpErrorCodeReturnedEquals>"), "MalformedXML"),
        (on(&format!("<KeyPrefixEquals>{}</KeyPrefixEquals>", "k".repeat(128 * 1024))), "MaxMessageLengthExceeded"),
    ] {
        let error = world.client.send(document(&inner)).await.error();
        assert_eq!(error, (400, code.into()), "{}", inner.get(..200).unwrap_or(&inner));
    }
    let kept = must(&world, Call::get(&target())).await;
    assert_eq!((kept.one("Suffix").as_deref(), kept.text().contains("Rout")), (Some("index.html"), false));
}

#[tokio::test]
async fn a_folder_is_answered_with_its_index() {
    let world = world(INDEX, &["*"]).await;
    for (key, body) in [("index.html", "root"), ("a/index.html", "of a"), ("a/b.html", "b"), ("a%20%C3%A9/index.html", "odd")] {
        put(&world, key, body).await;
    }
    for (path, body) in [
        ("/", "root"),
        ("/?x=y&website&versionId=1", "root"),
        ("/index.html", "root"),
        ("/a/", "of a"),
        ("/a/b.html", "b"),
        ("/a%20%C3%A9/", "odd"),
    ] {
        let answer = visit(&world, path).await;
        assert_eq!((answer.status, &*answer.text()), (200, body), "{path}");
        assert_eq!(answer.header("content-type"), Some("text/html"));
    }
    let mut host = Call::get("/");
    host.host = Some(format!("{}.{}:9000", BUCKET.to_uppercase(), DOMAIN.to_uppercase()));
    assert_eq!(world.client.send_unsigned(host).await.text(), "root");
    // A folder without its slash.
    assert_eq!(moved(&visit(&world, "/a").await), (302, "/a/"));
    assert_eq!(moved(&visit(&world, "/a%20%C3%A9?q").await), (302, "/a%20%C3%A9/"));
    put(&world, "a", "no folder").await;
    assert_eq!(visit(&world, "/a").await.text(), "no folder");
    // The endpoint itself is what it was.
    assert_eq!(world.client.send(Call::get(&format!("/{BUCKET}/a/"))).await.error(), (404, "NoSuchKey".into()));
}

#[tokio::test]
async fn ranges_conditions_and_heads_are_answered_as_of_any_object() {
    let world = world(INDEX, &["*"]).await;
    let body = bytes(300_000);
    let made = must(&world, Call::put(&format!("/{BUCKET}/a/index.html"), &body)).await;
    let etag = made.header("etag").unwrap().to_owned();
    let whole = visit(&world, "/a/").await;
    assert_eq!((whole.status, &whole.body), (200, &body));
    assert_eq!(whole.header("etag"), Some(&*etag));
    assert!(whole.header("last-modified").is_some() && whole.header("accept-ranges") == Some("bytes"));
    let ask = |method, headers: &[(&str, &str)]| {
        let call = headers.iter().fold(Call::new(method, "/a/", ""), |call, (name, value)| call.header(name, value));
        world.client.send_unsigned(to_website(call, BUCKET))
    };
    let part = ask("GET", &[("range", "bytes=100000-100009")]).await;
    assert_eq!((part.status, &part.body[..]), (206, &body[100_000..100_010]));
    assert_eq!(part.header("content-range"), Some("bytes 100000-100009/300000"));
    assert_eq!(ask("GET", &[("range", "bytes=3-1")]).await.status, 200);
    let past = ask("GET", &[("range", "bytes=300000-")]).await;
    assert_eq!((page(&past), past.header("content-range")), ((416, "InvalidRange".into()), Some("bytes */300000")));
    let same = ask("GET", &[("if-none-match", &etag)]).await;
    assert_eq!((same.status, same.header("etag"), same.body.len()), (304, Some(&*etag), 0));
    assert_eq!(page(&ask("GET", &[("if-match", "\"x\"")]).await), (412, "PreconditionFailed".into()));
    let head = ask("HEAD", &[]).await;
    assert_eq!((head.status, head.header("content-length"), head.header("etag")), (200, Some("300000"), Some(&*etag)));
    let none = world.client.send_unsigned(to_website(Call::head("/none"), BUCKET)).await;
    assert_eq!((none.status, none.header("x-amz-error-code"), none.body.len()), (403, Some("AccessDenied"), 0));
}

#[tokio::test]
async fn a_visitor_is_nobody_whoever_signed() {
    let world = world(INDEX, &["open/*"]).await;
    for key in ["open/index.html", "index.html", "closed", "closed/index.html"] {
        put(&world, key, key).await;
    }
    assert_eq!(visit(&world, "/open/").await.text(), "open/index.html");
    let denied = (403, "AccessDenied".to_owned());
    let signed = world.client.send(to_website(Call::get("/"), BUCKET)).await;
    assert_eq!(page(&signed), denied);
    let signed_wrongly = to_website(Call::get("/open/"), BUCKET).unsigned_header("authorization", "AWS4-HMAC-SHA256 nonsense");
    assert_eq!(world.client.send_unsigned(signed_wrongly).await.status, 200);
    assert_eq!(visit(&world, "/open/?X-Amz-Signature=1&X-Amz-Algorithm=2").await.status, 200);
    // What is closed isn't told from what is missing, nor taken for a folder; who may list is told.
    for path in ["/", "/closed", "/missing", "/open", "/open/missing"] {
        let answer = visit(&world, path).await;
        match path {
            "/open" => assert_eq!(moved(&answer), (302, "/open/")),
            _ => assert_eq!(page(&answer), denied, "{path}"),
        }
    }
    let_list(&world).await;
    assert_eq!(page(&visit(&world, "/").await), denied);
    let missing = visit(&world, "/missing%3Cb%3E").await;
    assert_eq!(page(&missing), (404, "NoSuchKey".into()));
    assert!(missing.text().contains("<li>Key: missing&lt;b&gt;</li>"), "{}", missing.text());
    // Blocking public access closes a website too.
    let block =
        "<PublicAccessBlockConfiguration><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>";
    must(&world, Call::put(&format!("/{BUCKET}?publicAccessBlock"), block)).await;
    assert_eq!(page(&visit(&world, "/open/").await), denied);
}

#[tokio::test]
async fn buckets_without_a_website_and_other_methods_have_pages_of_their_own() {
    let world = world(INDEX, &["*"]).await;
    let nowhere = world.client.send_unsigned(to_website(Call::get("/"), "no-such-bucket")).await;
    assert_eq!(page(&nowhere), (404, "NoSuchBucket".into()));
    assert!(nowhere.text().contains("<li>BucketName: no-such-bucket</li>"), "{}", nowhere.text());
    assert_eq!(page(&world.client.send_unsigned(to_website(Call::get("/"), "No_Name")).await), (404, "NoSuchBucket".into()));
    for (method, body) in [("PUT", "body"), ("POST", "body"), ("DELETE", ""), ("PATCH", "")] {
        let call = to_website(Call::new(method, "/k", body).payload(Payload::Unsigned), BUCKET);
        let answer = world.client.send(call).await;
        assert_eq!(page(&answer), (405, "MethodNotAllowed".into()), "{method}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    }
    assert!(world.keys().await.is_empty());
    assert_eq!(page(&visit(&world, "/%ff").await), (400, "InvalidURI".into()));
    must(&world, Call::delete(&target())).await;
    assert_eq!(page(&visit(&world, "/").await), (404, "NoSuchWebsiteConfiguration".into()));
}

#[tokio::test]
async fn an_error_document_is_served_with_the_errors_status() {
    let world = world(&format!("{INDEX}{ERROR}"), &["open/*", "error.html"]).await;
    let unshown = visit(&world, "/open/missing").await;
    assert_eq!(page(&unshown), (403, "AccessDenied".into()));
    let second = "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>";
    assert!(unshown.text().contains(second), "{}", unshown.text());
    put(&world, "error.html", "sorry").await;
    let asked = Call::get("/open/missing").header("range", "bytes=0-1").header("if-none-match", "*");
    let shown = world.client.send_unsigned(to_website(asked, BUCKET)).await;
    assert_eq!((shown.status, &*shown.text()), (403, "sorry"));
    assert_eq!((shown.header("content-type"), shown.header("etag")), (Some("text/html"), None));
    assert_eq!(shown.header("x-amz-error-code"), Some("AccessDenied"));
    let_list(&world).await;
    let shown = visit(&world, "/open/missing").await;
    assert_eq!((shown.status, &*shown.text(), shown.header("x-amz-error-code")), (404, "sorry", Some("NoSuchKey")));
    let head = world.client.send_unsigned(to_website(Call::head("/open/missing"), BUCKET)).await;
    assert_eq!((head.status, head.body.len()), (404, 0));
    // An error of the website as such is no error of a page.
    assert_eq!(page(&world.client.send_unsigned(to_website(Call::put("/k", ""), BUCKET)).await).0, 405);
}

#[tokio::test]
async fn every_request_is_sent_elsewhere_where_that_is_asked_for() {
    let to = |more: &str| format!("<RedirectAllRequestsTo><HostName>other.example</HostName>{more}</RedirectAllRequestsTo>");
    let world = world(&to(""), &["*"]).await;
    put(&world, "a", "never shown").await;
    assert_eq!(moved(&visit(&world, "/").await), (301, "http://other.example/"));
    assert_eq!(moved(&visit(&world, "/a%20b/c").await), (301, "http://other.example/a%20b/c"));
    let over_tls = to_website(Call::get("/a").header("x-forwarded-proto", "https"), BUCKET);
    assert_eq!(moved(&world.client.send_unsigned(over_tls).await), (301, "https://other.example/a"));
    must(&world, document(&to("<Protocol>https</Protocol>"))).await;
    let head = world.client.send_unsigned(to_website(Call::head("/a"), BUCKET)).await;
    assert_eq!(moved(&head), (301, "https://other.example/a"));
}

#[tokio::test]
async fn routing_rules_redirect_before_the_lookup_and_after_an_error() {
    let redirects = [
        "<Condition><KeyPrefixEquals>docs/</KeyPrefixEquals></Condition>\
         <Redirect><ReplaceKeyPrefixWith>documents/</ReplaceKeyPrefixWith></Redirect>",
        "<Condition><KeyPrefixEquals>img/</KeyPrefixEquals><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals>\
         </Condition><Redirect><HostName>img.example</HostName><Protocol>https</Protocol><HttpRedirectCode>302\
         </HttpRedirectCode></Redirect>",
        "<Condition><HttpErrorCodeReturnedEquals>403</HttpErrorCodeReturnedEquals></Condition>\
         <Redirect><ReplaceKeyWith>login.html</ReplaceKeyWith></Redirect>",
    ];
    let world = world(&format!("{INDEX}{ERROR}{}", rules(&redirects)), &["img/*", "docs/*", "error.html"]).await;
    let_list(&world).await;
    for key in ["docs/there", "img/there", "secret", "error.html"] {
        put(&world, key, key).await;
    }
    let here = format!("http://{BUCKET}.{DOMAIN}");
    assert_eq!(moved(&visit(&world, "/docs/there").await), (301, &*format!("{here}/documents/there")));
    assert_eq!(visit(&world, "/img/there").await.text(), "img/there");
    assert_eq!(moved(&visit(&world, "/img/none").await), (302, "https://img.example/img/none"));
    assert_eq!(moved(&visit(&world, "/secret").await), (301, &*format!("{here}/login.html")));
    let missing = visit(&world, "/none").await;
    assert_eq!((missing.status, &*missing.text()), (404, "error.html"));
}

#[tokio::test]
async fn an_object_may_send_its_visitors_on() {
    let world = world(&format!("{INDEX}{ERROR}"), &["open/*"]).await;
    let put_redirect =
        |key: &str, to: &str| Call::put(&format!("/{BUCKET}/{key}"), "").header("x-amz-website-redirect-location", to);
    must(&world, put_redirect("open/relative", "/there?x#y")).await;
    must(&world, put_redirect("open/index.html", "https://other.example/a")).await;
    must(&world, put_redirect("closed", "/there")).await;
    assert_eq!(moved(&visit(&world, "/open/relative").await), (301, "/there?x#y"));
    assert_eq!(moved(&visit(&world, "/open/").await), (301, "https://other.example/a"));
    assert_eq!(moved(&visit(&world, "/open").await), (302, "/open/"));
    let asked = Call::get("/open/relative").header("range", "bytes=0-1").header("if-none-match", "*");
    assert_eq!(moved(&world.client.send_unsigned(to_website(asked, BUCKET)).await), (301, "/there?x#y"));
    assert_eq!(moved(&world.client.send_unsigned(to_website(Call::head("/open/"), BUCKET)).await).0, 301);
    assert_eq!(page(&visit(&world, "/closed").await), (403, "AccessDenied".into()));
    // To the endpoint itself it is a header like others.
    let plain = world.client.send_unsigned(Call::get(&format!("/{BUCKET}/open/relative"))).await;
    assert_eq!((plain.status, plain.header("x-amz-website-redirect-location")), (200, Some("/there?x#y")));
    assert_eq!(plain.header("location"), None);
    let routed = format!("{INDEX}{}", rules(&["<Redirect><ReplaceKeyWith>first</ReplaceKeyWith></Redirect>"]));
    must(&world, document(&routed)).await;
    assert_eq!(moved(&visit(&world, "/open/relative").await).1, format!("http://{BUCKET}.{DOMAIN}/first"));
}

#[tokio::test]
async fn pages_of_other_origins_see_what_cors_lets_them() {
    let world = world(INDEX, &["*"]).await;
    put(&world, "index.html", "root").await;
    let cors = "<CORSConfiguration><CORSRule><AllowedOrigin>https://a.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
                </CORSRule></CORSConfiguration>";
    must(&world, Call::put(&format!("/{BUCKET}?cors"), cors)).await;
    for (method, path, status) in [("GET", "/", 200), ("GET", "/none", 403), ("OPTIONS", "/", 200)] {
        let call = Call::new(method, path, "").header("origin", "https://a.example");
        let answer = world.client.send_unsigned(to_website(call.header("access-control-request-method", "GET"), BUCKET)).await;
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!((answer.status, allowed), (status, Some("https://a.example")), "{method} {path}");
    }
    let other = world.client.send_unsigned(to_website(Call::get("/").header("origin", "https://b.example"), BUCKET)).await;
    assert_eq!((other.status, other.header("access-control-allow-origin")), (200, None));
}

#[tokio::test]
async fn without_website_domains_there_are_no_websites() {
    let world = World::new().await;
    must(&world, document(INDEX)).await;
    let answer = visit(&world, "/").await;
    // Such a host names nothing: this asks for the list of buckets.
    assert!(answer.status == 200 && answer.text().contains("ListAllMyBucketsResult"), "{}", answer.text());
}
