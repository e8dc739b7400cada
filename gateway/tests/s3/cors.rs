//! CORS: the rules as documents, preflight requests, and the headers on answers.

use super::common::{Answer, BUCKET, Call, World};

fn document(rules: &[&str]) -> String {
    let rules: String = rules.iter().map(|rule| format!("<CORSRule>{rule}</CORSRule>")).collect();
    format!("<CORSConfiguration>{rules}</CORSConfiguration>")
}

fn rule(method: &str, origin: &str) -> String {
    format!("<AllowedOrigin>{origin}</AllowedOrigin><AllowedMethod>{method}</AllowedMethod>")
}

async fn set(world: &World, rules: &[&str]) -> Answer {
    world.client.send(Call::put(&format!("/{BUCKET}?cors"), document(rules))).await
}

/// Origin and methods that an answer allows.
fn allows(answer: &Answer) -> (u16, Option<&str>, Option<&str>) {
    let header = |name| answer.header(name);
    (answer.status, header("access-control-allow-origin"), header("access-control-allow-methods"))
}

#[tokio::test]
async fn rules_come_back_as_they_were_written_until_they_are_deleted() {
    let world = World::new().await;
    let target = format!("/{BUCKET}?cors");
    let missing = (404, "NoSuchCORSConfiguration".to_owned());
    assert_eq!(world.client.send(Call::get(&target)).await.error(), missing);
    let full = format!(
        "<ID>one</ID><AllowedMethod>PUT</AllowedMethod>{}<AllowedHeader>x-amz-*</AllowedHeader>\
         <ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>3000</MaxAgeSeconds>",
        rule("GET", "https://*.example")
    );
    assert_eq!(set(&world, &[&full, &rule("HEAD", "*")]).await.status, 200);
    let shown = world.client.send(Call::get(&target)).await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    for (element, texts) in [
        ("ID", &["one"][..]),
        ("AllowedMethod", &["PUT", "GET", "HEAD"]),
        ("AllowedOrigin", &["https://*.example", "*"]),
        ("AllowedHeader", &["x-amz-*"]),
        ("ExposeHeader", &["ETag"]),
        ("MaxAgeSeconds", &["3000"]),
    ] {
        assert_eq!(shown.all(element), texts, "{element}");
    }
    assert_eq!(world.client.send(Call::delete(&target)).await.status, 204);
    assert_eq!(world.client.send(Call::get(&target)).await.error(), missing);
    let stranger = world.stranger().await;
    assert_eq!(stranger.send(Call::put(&target, document(&[&rule("GET", "*")]))).await.error(), (403, "AccessDenied".into()));
}

#[tokio::test]
async fn rules_that_cannot_be_are_refused_and_change_nothing() {
    let world = World::new().await;
    assert_eq!(set(&world, &[&rule("GET", "*")]).await.status, 200);
    let many = vec![rule("GET", "*"); 101];
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (rules, code) in [
        (&[][..], "MalformedXML"),
        (&many, "MalformedXML"),
        (&["<AllowedMethod>GET</AllowedMethod>"], "MalformedXML"),
        (&[rule("PATCH", "*").as_str()], "InvalidRequest"),
        (&[rule("get", "*").as_str()], "InvalidRequest"),
        (&[rule("GET", "*.*").as_str()], "InvalidRequest"),
        (&[format!("{}<AllowedHeader>*-*</AllowedHeader>", rule("GET", "*")).as_str()], "InvalidRequest"),
        (&[format!("{}<ExposeHeader>x-*</ExposeHeader>", rule("GET", "*")).as_str()], "InvalidRequest"),
        (&[format!("{}<ID>{}</ID>", rule("GET", "*"), "i".repeat(256)).as_str()], "InvalidArgument"),
    ] {
        assert_eq!(set(&world, rules).await.error(), (400, code.into()), "{rules:?}");
    }
    let kept = world.client.send(Call::get(&format!("/{BUCKET}?cors"))).await;
    assert_eq!(kept.all("AllowedMethod"), ["GET"]);
}

fn preflight(target: &str, headers: &[(&str, &str)]) -> Call {
    headers.iter().fold(Call::new("OPTIONS", target, ""), |call, (name, value)| call.header(name, value))
}

#[tokio::test]
async fn a_preflight_is_answered_to_anybody_by_the_rules_alone() {
    let world = World::new().await;
    let key = format!("/{BUCKET}/k");
    let ask = |origin, method| preflight(&key, &[("origin", origin), ("access-control-request-method", method)]);
    let forbidden = (403, "AccessForbidden".to_owned());
    assert_eq!(world.client.send_unsigned(ask("https://a.example", "GET")).await.error(), forbidden);
    let full = format!(
        "<AllowedMethod>PUT</AllowedMethod>{}<AllowedHeader>X-Amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>\
         <MaxAgeSeconds>60</MaxAgeSeconds>",
        rule("GET", "https://*.example")
    );
    assert_eq!(set(&world, &[&full, &rule("DELETE", "*")]).await.status, 200);

    let wish = ask("https://a.example", "PUT").header("access-control-request-headers", "x-amz-date, X-AMZ-META-A");
    let answer = world.client.send_unsigned(wish).await;
    assert_eq!(allows(&answer), (200, Some("https://a.example"), Some("PUT, GET")));
    for (name, value) in [
        ("access-control-allow-headers", "x-amz-date, x-amz-meta-a"),
        ("access-control-allow-credentials", "true"),
        ("access-control-expose-headers", "ETag"),
        ("access-control-max-age", "60"),
        ("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert!(answer.body.is_empty() && answer.header("x-amz-request-id").is_some());
    let any = world.client.send_unsigned(ask("https://b.test", "DELETE")).await;
    assert_eq!(allows(&any), (200, Some("*"), Some("DELETE")));
    assert_eq!(any.header("access-control-allow-credentials"), None);
    // A presigned URL is asked about like any other.
    let signed = preflight(&format!("{key}?X-Amz-Signature=1"), &[("origin", "x"), ("access-control-request-method", "DELETE")]);
    assert_eq!(world.client.send_unsigned(signed).await.status, 200);

    for refused in [
        ask("https://b.test", "GET"),
        ask("https://a.example", "POST"),
        ask("https://a.example", "PUT").header("access-control-request-headers", "content-type"),
        preflight("/no-such-bucket/k", &[("origin", "x"), ("access-control-request-method", "GET")]),
    ] {
        let answer = world.client.send_unsigned(refused).await;
        assert_eq!(answer.error(), forbidden);
        assert_eq!(allows(&answer), (403, None, None));
    }
    for incomplete in [
        preflight(&key, &[]),
        preflight(&key, &[("origin", "https://a.example")]),
        preflight(&key, &[("access-control-request-method", "GET")]),
        ask("https://a.example", "PATCH"),
    ] {
        assert_eq!(world.client.send_unsigned(incomplete).await.error(), (400, "BadRequest".into()));
    }
}

#[tokio::test]
async fn answers_to_allowed_origins_say_so_even_when_they_are_errors() {
    let world = World::new().await;
    assert_eq!(set(&world, &[&rule("GET", "*suffix"), &rule("PUT", "*.put")]).await.status, 200);
    let (bucket, key) = (format!("/{BUCKET}"), format!("/{BUCKET}/k"));
    let from = |call: Call, origin: &str| call.header("origin", origin);
    let shown = |answer: Answer| {
        let (status, origin, methods) = allows(&answer);
        (status, origin.map(str::to_owned), methods.map(str::to_owned))
    };
    let allowed = |status, origin: &str, methods: &str| (status, Some(origin.to_owned()), Some(methods.to_owned()));

    assert_eq!(shown(world.client.send(Call::get(&bucket)).await), (200, None, None));
    assert_eq!(shown(world.client.send(from(Call::get(&bucket), "foo.suffix")).await), allowed(200, "foo.suffix", "GET"));
    assert_eq!(shown(world.client.send(from(Call::get(&bucket), "foo.other")).await), (200, None, None));
    assert_eq!(shown(world.client.send(from(Call::get(&key), "foo.suffix")).await), allowed(404, "foo.suffix", "GET"));
    // What no rule allows is done all the same: it is the page that doesn't see the answer.
    assert_eq!(shown(world.client.send(from(Call::put(&key, "x"), "foo.suffix")).await), (200, None, None));
    assert_eq!(shown(world.client.send(from(Call::put(&key, "x"), "a.put")).await), allowed(200, "a.put", "PUT"));
    assert_eq!(shown(world.client.send_unsigned(from(Call::put(&key, ""), "a.put")).await), allowed(403, "a.put", "PUT"));
    let as_asked = from(Call::put(&key, ""), "foo.suffix").header("access-control-request-method", "GET");
    assert_eq!(shown(world.client.send_unsigned(as_asked).await), allowed(403, "foo.suffix", "GET"));

    let mut host = from(Call::get("/k"), "foo.suffix");
    host.host = Some(format!("{BUCKET}.s3.localhost"));
    assert_eq!(shown(world.client.send(host).await), allowed(200, "foo.suffix", "GET"));
}
