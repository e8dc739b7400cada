//! Who is believed: signature forms, clocks, regions, presigned URLs, headers that must be signed.

use std::time::Duration;

use crate::common::{BUCKET, Call, Client, Payload, World, exchange_bytes, presign, sign_v2, time_in};

fn key() -> String {
    format!("/{BUCKET}/k")
}

#[tokio::test]
async fn anonymous_and_wrongly_signed_requests_do_nothing() {
    let world = World::new().await;
    let answer = world.client.send_unsigned(Call::put(&key(), "x")).await;
    assert_eq!(answer.error(), (403, "AccessDenied".into()));
    let mut thief = world.client.clone();
    thief.secret = "guess".into();
    assert_eq!(thief.send(Call::put(&key(), "x")).await.error(), (403, "SignatureDoesNotMatch".into()));
    thief.access_key = "NOBODY".into();
    assert_eq!(thief.send(Call::put(&key(), "x")).await.error(), (403, "InvalidAccessKeyId".into()));
    assert!(world.keys().await.is_empty());
}

#[tokio::test]
async fn a_clock_20_minutes_off_is_told_so() {
    let world = World::new().await;
    for skew in [-20 * 60, 20 * 60] {
        let mut call = Call::put(&key(), "x");
        call.skew = skew;
        assert_eq!(world.client.send(call).await.error(), (403, "RequestTimeTooSkewed".into()));
    }
    let mut call = Call::put(&key(), "x");
    call.skew = -10 * 60;
    assert_eq!(world.client.send(call).await.status, 200);
}

#[tokio::test]
async fn another_region_or_service_is_refused_and_the_right_one_named() {
    let world = World::new().await;
    let mut call = Call::put(&key(), "x");
    call.region = "eu-central-1";
    let answer = world.client.send(call.clone()).await;
    assert_eq!(answer.error(), (400, "AuthorizationHeaderMalformed".into()));
    assert_eq!(answer.one("Region").as_deref(), Some("us-east-1"));
    let target = presign(&world.client, &call, Duration::from_secs(60));
    let answer = world.client.send_unsigned(Call::put(&target, "x")).await;
    assert_eq!(answer.error(), (400, "AuthorizationQueryParametersError".into()));
    assert_eq!(answer.one("Region").as_deref(), Some("us-east-1"));
    let mut call = Call::put(&key(), "x");
    call.service = "sts";
    assert_eq!(world.client.send(call).await.error(), (400, "AuthorizationHeaderMalformed".into()));
    assert!(world.keys().await.is_empty());
}

#[tokio::test]
async fn version_2_is_refused_in_header_and_query() {
    let world = World::new().await;
    let header = format!("AWS {}:c2lnbmF0dXJl", world.client.access_key);
    let call = Call::get(&format!("/{BUCKET}")).header("authorization", &header).header("date", "Mon, 06 Jan 2020 00:00:00 GMT");
    assert_eq!(world.client.send_unsigned(call).await.error(), (400, "InvalidRequest".into()));
    let target = format!("/{BUCKET}?AWSAccessKeyId={}&Signature=x&Expires=9999999999", world.client.access_key);
    assert_eq!(world.client.send_unsigned(Call::get(&target)).await.error(), (400, "InvalidRequest".into()));
    let bearer = Call::get(&format!("/{BUCKET}")).header("authorization", "Bearer x");
    assert_eq!(world.client.send_unsigned(bearer).await.error(), (400, "InvalidArgument".into()));
}

#[tokio::test]
async fn presigned_urls_put_and_get_within_their_time() {
    let world = World::new().await;
    let put = presign(&world.client, &Call::put(&key(), ""), Duration::from_secs(60));
    assert_eq!(world.client.send_unsigned(Call::put(&put, "by url")).await.status, 200);
    let mut get = Call::get(&format!("{}?response-content-type=text%2Fx", key()));
    let url = presign(&world.client, &get, Duration::from_secs(604_800));
    let answer = world.client.send_unsigned(Call::get(&url)).await;
    assert_eq!((answer.body.as_slice(), answer.header("content-type")), (&b"by url"[..], Some("text/x")));
    let tampered = url.replace("text%2Fx", "text%2Fy");
    assert_eq!(world.client.send_unsigned(Call::get(&tampered)).await.error(), (403, "SignatureDoesNotMatch".into()));
    get.skew = -120;
    let url = presign(&world.client, &get, Duration::from_secs(60));
    assert_eq!(world.client.send_unsigned(Call::get(&url)).await.error(), (403, "AccessDenied".into()));
}

#[tokio::test]
async fn what_a_presigned_url_says_of_its_object_counts_as_headers() {
    let world = World::new().await;
    let says = "x-amz-meta-colour=dark%20red&x-amz-acl=public-read&x-amz-tagging=a%3Db&x-amz-storage-class=REDUCED_REDUNDANCY";
    let of_nothing = "x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32";
    let call = Call::put(&format!("{}?{says}&{of_nothing}", key()), "");
    let url = presign(&world.client, &call, Duration::from_secs(60));
    let tampered = url.replace("dark", "light");
    assert_eq!(world.client.send_unsigned(Call::put(&tampered, "x")).await.error(), (403, "SignatureDoesNotMatch".into()));
    assert_eq!(world.client.send_unsigned(Call::put(&url, "by url")).await.status, 200);
    let anybody = world.client.send_unsigned(Call::get(&key())).await;
    assert_eq!((anybody.status, anybody.body.as_slice()), (200, &b"by url"[..]));
    for (name, value) in
        [("x-amz-meta-colour", "dark red"), ("x-amz-tagging-count", "1"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")]
    {
        let read = world.client.send(Call::get(&key())).await;
        assert_eq!(read.header(name), Some(value), "{name}");
    }
    let secret = format!("{}?x-amz-server-side-encryption-customer-algorithm=AES256", key());
    let url = presign(&world.client, &Call::put(&secret, ""), Duration::from_secs(60));
    assert_eq!(world.client.send_unsigned(Call::put(&url, "x")).await.error(), (400, "InvalidArgument".into()));
    let by_header = world.client.send(Call::put(&format!("{}?x-amz-acl=public-read", key()), "x")).await;
    assert_eq!(by_header.status, 200, "{}", by_header.text());
    assert_eq!(world.client.send_unsigned(Call::get(&key())).await.error(), (403, "AccessDenied".into()), "no presigned URL");
}

#[tokio::test]
async fn presigned_urls_of_more_than_a_week_are_refused() {
    let world = World::new().await;
    for seconds in [604_801, 30 * 86_400] {
        let url = presign(&world.client, &Call::put(&key(), ""), Duration::from_secs(seconds));
        let answer = world.client.send_unsigned(Call::put(&url, "x")).await;
        assert_eq!(answer.error(), (403, "AuthorizationQueryParametersError".into()), "{seconds}");
    }
    let url = presign(&world.client, &Call::put(&key(), ""), Duration::from_secs(60));
    for bound in ["0", "-7", "soon"] {
        let url = url.replace("X-Amz-Expires=60", &format!("X-Amz-Expires={bound}"));
        let answer = world.client.send_unsigned(Call::put(&url, "x")).await;
        assert_eq!(answer.error(), (403, "AuthorizationQueryParametersError".into()), "{bound}");
    }
    let without = url.split('&').filter(|pair| !pair.starts_with("X-Amz-Date")).collect::<Vec<_>>().join("&");
    let answer = world.client.send_unsigned(Call::put(&without, "x")).await;
    assert_eq!(answer.error(), (400, "AuthorizationQueryParametersError".into()));
    let both = world.client.send(Call::put(&url, "x")).await;
    assert_eq!(both.error(), (400, "InvalidArgument".into()));
    assert!(world.keys().await.is_empty());
}

#[tokio::test]
async fn a_presigned_put_is_for_the_headers_that_were_signed() {
    let world = World::new().await;
    let call = Call::put(&key(), "").header("content-type", "text/x").header("x-amz-meta-a", "b");
    let url = presign(&world.client, &call, Duration::from_secs(60));
    for (content_type, meta, error) in [
        ("text/y", Some("b"), "SignatureDoesNotMatch"),
        ("text/x", Some("c"), "SignatureDoesNotMatch"),
        ("text/x", None, "SignatureDoesNotMatch"),
    ] {
        let mut put = Call::put(&url, "x").header("content-type", content_type);
        if let Some(meta) = meta {
            put = put.header("x-amz-meta-a", meta);
        }
        assert_eq!(world.client.send_unsigned(put).await.error(), (403, error.into()), "{content_type} {meta:?}");
    }
    let put = Call::put(&url, "x").header("content-type", "text/x").header("x-amz-meta-a", "b");
    let more = put.clone().header("x-amz-acl", "private");
    assert_eq!(world.client.send_unsigned(more).await.error(), (403, "AccessDenied".into()));
    assert!(world.keys().await.is_empty());
    assert_eq!(world.client.send_unsigned(put).await.status, 200);
    let got = world.client.send(Call::get(&key())).await;
    assert_eq!((got.header("content-type"), got.header("x-amz-meta-a")), (Some("text/x"), Some("b")));
}

#[tokio::test]
async fn who_signs_nothing_overrides_nothing() {
    let world = World::new().await;
    let answer = world.client.send_unsigned(Call::get(&format!("{}?response-expires=x", key()))).await;
    assert_eq!(answer.error(), (400, "InvalidRequest".into()));
}

async fn old_world() -> World {
    World::with(|config| config.signature_v2 = true).await
}

/// A call with its Version 2 header; `resource` as Version 2 names it.
fn by_v2(client: &Client, call: Call, resource: &str) -> Call {
    let date = time_in(call.skew, "%a, %d %b %Y %H:%M:%S GMT");
    let own = |name: &str| call.headers.iter().find(|header| header.0 == name).map_or("", |header| header.1.as_str());
    let meta: String = call
        .headers
        .iter()
        .filter(|header| header.0.starts_with("x-amz-"))
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let text = format!("{}\n{}\n{}\n{date}\n{meta}{resource}", call.method, own("content-md5"), own("content-type"));
    let authorization = format!("AWS {}:{}", client.access_key, sign_v2(&client.secret, &text));
    call.header("date", &date).header("authorization", &authorization)
}

#[tokio::test]
async fn version_2_signs_headers_where_it_is_switched_on() {
    let world = old_world().await;
    let send = async |call: Call, resource: &str| world.client.send_unsigned(by_v2(&world.client, call, resource)).await;
    let put = Call::put("/my-bucket/a%20b", "x").header("content-type", "text/x").header("x-amz-meta-a", "b");
    assert_eq!(send(put.clone(), "/my-bucket/a%20b").await.status, 200);
    let mut by_host = Call::get("/a%20b?response-content-type=text/y&partNumber=1&other=1");
    by_host.host = Some(format!("{BUCKET}.s3.localhost"));
    let got = send(by_host, "/my-bucket/a%20b?partNumber=1&response-content-type=text/y").await;
    assert_eq!(
        (got.body.as_slice(), got.header("content-type"), got.header("x-amz-meta-a")),
        (&b"x"[..], Some("text/y"), Some("b"))
    );
    assert_eq!(send(put.clone(), "/my-bucket/other").await.error(), (403, "SignatureDoesNotMatch".into()));
    let mut late = put.clone();
    late.skew = -1200;
    assert_eq!(send(late, "/my-bucket/a%20b").await.error(), (403, "RequestTimeTooSkewed".into()));
    assert_eq!(send(Call::get("/my-bucket?encryption"), "/my-bucket").await.error(), (400, "InvalidRequest".into()));
    let framed = put.header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    assert_eq!(send(framed, "/my-bucket/a%20b").await.error(), (400, "InvalidRequest".into()));
    for (header, error) in [("AWS HAHAHA", (400, "InvalidArgument")), ("AWS NOBODY:c2ln", (403, "InvalidAccessKeyId"))] {
        let call = Call::get("/my-bucket").header("authorization", header).header("x-amz-date", &time_in(0, "%Y%m%dT%H%M%SZ"));
        assert_eq!(world.client.send_unsigned(call).await.error(), (error.0, error.1.into()), "{header}");
    }
    // Sent without a slash and signed with one, as for a host name.
    for resource in ["/my-bucket", "/my-bucket/"] {
        assert_eq!(send(Call::get("/my-bucket?list-type=2"), resource).await.all("Key"), ["a b"], "{resource}");
        assert_eq!(send(Call::get("/my-bucket?versioning"), &format!("{resource}?versioning")).await.status, 200, "{resource}");
    }
    assert_eq!(send(Call::get("/my-bucket"), "/my-bucket//").await.error(), (403, "SignatureDoesNotMatch".into()));
    let undated = Call::get("/my-bucket").header("authorization", "AWS a:b");
    assert_eq!(world.client.send_unsigned(undated).await.error(), (403, "AccessDenied".into()));
    // Version 4 goes on as it was.
    assert_eq!(world.keys().await, ["a b"]);
}

#[tokio::test]
async fn version_2_presigns_where_it_is_switched_on() {
    let world = old_world().await;
    let url = |method: &str, seconds: i64, resource: &str, query: &str| {
        let expires = time_in(seconds, "%s");
        let signature = sign_v2(&world.client.secret, &format!("{method}\n\n\n{expires}\n{resource}"));
        let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let key = &world.client.access_key;
        format!("/my-bucket/k?{query}AWSAccessKeyId={key}&Expires={expires}&Signature={signature}")
    };
    let put = url("PUT", 60, "/my-bucket/k", "");
    assert_eq!(world.client.send_unsigned(Call::put(&put, "by url")).await.status, 200);
    assert_eq!(world.client.send_unsigned(Call::get(&put)).await.error(), (403, "SignatureDoesNotMatch".into()));
    let get = url("GET", 60, "/my-bucket/k?response-content-type=text/y", "response-content-type=text%2Fy&");
    let got = world.client.send_unsigned(Call::get(&get)).await;
    assert_eq!((got.body.as_slice(), got.header("content-type")), (&b"by url"[..], Some("text/y")));
    let lenient = world.client.send_unsigned(Call::get(&get).header("range", "nonsense")).await;
    assert_eq!(lenient.body, b"by url");
    let over = url("GET", -60, "/my-bucket/k", "");
    assert_eq!(world.client.send_unsigned(Call::get(&over)).await.error(), (403, "AccessDenied".into()));
    let more = url("GET", 60, "/my-bucket/k", "retention&");
    assert_eq!(world.client.send_unsigned(Call::get(&more)).await.error(), (400, "InvalidRequest".into()));
}

#[tokio::test]
async fn an_x_amz_header_that_is_not_signed_is_refused() {
    let world = World::new().await;
    let call = Call::put(&key(), "x").unsigned_header("x-amz-meta-owner", "mallory");
    let answer = world.client.send(call).await;
    assert_eq!(answer.error(), (403, "AccessDenied".into()));
    assert_eq!(answer.one("HeadersNotSigned").as_deref(), Some("x-amz-meta-owner"));
    let call = Call::put(&key(), "x").unsigned_header("x-other", "fine");
    assert_eq!(world.client.send(call).await.status, 200);
}

#[tokio::test]
async fn the_signed_payload_must_be_the_one_sent() {
    let world = World::new().await;
    let (mut request, _) = world.client.request(&Call::put(&key(), "what was signed"));
    let at = request.len() - 1;
    request[at] ^= 1;
    let answer = exchange_bytes(world.addr, &request).await;
    assert_eq!(answer.error(), (400, "XAmzContentSHA256Mismatch".into()));
    let delete = "<Delete><Object><Key>k</Key></Object></Delete>";
    let (mut request, _) = world.client.request(&Call::post(&format!("/{BUCKET}?delete"), delete));
    let at = request.len() - delete.len() + delete.find("k<").unwrap();
    request[at] = b'j';
    let answer = exchange_bytes(world.addr, &request).await;
    assert_eq!(answer.error(), (400, "XAmzContentSHA256Mismatch".into()));
    let odd = Call::put(&key(), "x").payload(Payload::As("SOMETHING"));
    assert_eq!(world.client.send(odd).await.error(), (400, "InvalidArgument".into()));
    assert!(world.keys().await.is_empty());
}
