//! Who is believed: signature forms, clocks, regions, presigned URLs, headers that must be signed.

use std::time::Duration;

use crate::common::{BUCKET, Call, Payload, World, exchange_bytes, presign};

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
async fn presigned_urls_of_more_than_a_week_are_refused() {
    let world = World::new().await;
    for seconds in [604_801, 30 * 86_400] {
        let url = presign(&world.client, &Call::put(&key(), ""), Duration::from_secs(seconds));
        let answer = world.client.send_unsigned(Call::put(&url, "x")).await;
        assert_eq!(answer.error(), (400, "AuthorizationQueryParametersError".into()), "{seconds}");
    }
    let url = presign(&world.client, &Call::put(&key(), ""), Duration::from_secs(60));
    let without = url.split('&').filter(|pair| !pair.starts_with("X-Amz-Date")).collect::<Vec<_>>().join("&");
    let answer = world.client.send_unsigned(Call::put(&without, "x")).await;
    assert_eq!(answer.error(), (400, "AuthorizationQueryParametersError".into()));
    let both = world.client.send(Call::put(&url, "x")).await;
    assert_eq!(both.error(), (400, "InvalidArgument".into()));
    assert!(world.keys().await.is_empty());
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
