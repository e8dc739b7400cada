//! Requester Pays: who must offer to pay, and how.

use std::time::Duration;

use serde_json::json;

use super::common::{Answer, BUCKET, Call, Client, Form, World, presign, time_in};

const OFFER: (&str, &str) = ("x-amz-request-payer", "requester");

fn key() -> String {
    format!("/{BUCKET}/k")
}

fn target() -> String {
    format!("/{BUCKET}?requestPayment")
}

fn payer(payer: &str) -> Call {
    let text = format!("<RequestPaymentConfiguration><Payer>{payer}</Payer></RequestPaymentConfiguration>");
    Call::put(&target(), text)
}

fn charged(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, answer.header("x-amz-request-charged"))
}

fn denied(answer: &Answer) {
    assert_eq!(answer.error(), (403, "AccessDenied".into()));
    assert_eq!(answer.header("x-amz-request-charged"), None);
}

/// A bucket that everybody may do everything in, whose requesters pay, with an object.
async fn world() -> World {
    let world = World::new().await;
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":"s3:*",
            "Resource":["arn:aws:s3:::{BUCKET}","arn:aws:s3:::{BUCKET}/*"]}}]}}"#
    );
    let document = Call::put(&format!("/{BUCKET}?policy"), policy);
    for call in [document, Call::put(&key(), "body"), payer("Requester")] {
        let answer = world.client.send(call).await;
        assert!(answer.status < 300, "{}", answer.text());
    }
    world
}

async fn offered(client: &Client, call: Call) -> Answer {
    client.send(call.header(OFFER.0, OFFER.1)).await
}

#[tokio::test]
async fn a_bucket_says_whether_requesters_pay() {
    let world = World::new().await;
    let said = async |client: &Client| client.send(Call::get(&target())).await.one("Payer");
    assert_eq!(said(&world.client).await.as_deref(), Some("BucketOwner"));
    assert_eq!(world.client.send(payer("Requester")).await.status, 200);
    assert_eq!(said(&world.client).await.as_deref(), Some("Requester"));
    assert_eq!(world.client.send(payer("Nobody")).await.error(), (400, "MalformedXML".into()));
    denied(&world.stranger().await.send(payer("BucketOwner")).await);
    let world = world.restart().await;
    assert_eq!(said(&world.client).await.as_deref(), Some("Requester"));
    assert_eq!(world.client.send(payer("BucketOwner")).await.status, 200);
    assert_eq!(said(&world.client).await.as_deref(), Some("BucketOwner"));
}

#[tokio::test]
async fn others_than_the_owner_must_offer_to_pay() {
    let world = world().await;
    let stranger = world.stranger().await;
    let list = format!("/{BUCKET}?list-type=2");
    let delete = "<Delete><Object><Key>other</Key></Object></Delete>";
    let calls = [
        (Call::get(&key()), 200),
        (Call::get(&key()).header("range", "bytes=1-2"), 206),
        (Call::head(&key()), 200),
        (Call::get(&list), 200),
        (Call::put(&format!("/{BUCKET}/other"), "body"), 200),
        (Call::post(&format!("/{BUCKET}?delete"), delete).header("content-md5", "PS4jeFpUJevT5uJtReUEaA=="), 200),
        (Call::post(&format!("/{BUCKET}/u?uploads"), ""), 200),
        (Call::delete(&format!("/{BUCKET}/other")), 204),
    ];
    for (call, status) in calls {
        let refused = stranger.send(call.clone()).await;
        let named = (call.method, call.target.clone());
        assert_eq!(charged(&refused), (403, None), "{named:?}");
        let unsigned = world.client.send_unsigned(call.clone().header(OFFER.0, OFFER.1)).await;
        assert_eq!(charged(&unsigned), (403, None), "{named:?} unsigned");
        let answer = offered(&stranger, call.clone()).await;
        assert_eq!(charged(&answer), (status, Some("requester")), "{named:?}: {}", answer.text());
        let owners = offered(&world.client, call.clone()).await;
        assert_eq!(charged(&owners), (status, None), "{named:?}: {}", owners.text());
        assert_eq!(charged(&world.client.send(call).await), (status, None), "{named:?}");
    }
    for other in ["BucketOwner", "Requester", ""] {
        denied(&stranger.send(Call::get(&key()).header(OFFER.0, other)).await);
    }
    // An answer that is an error charges nobody, and an offer opens nothing else.
    assert_eq!(charged(&offered(&stranger, Call::get(&format!("/{BUCKET}/none"))).await), (404, None));
    assert_eq!(world.client.send(Call::delete(&format!("/{BUCKET}?policy"))).await.status, 204);
    denied(&offered(&stranger, Call::get(&key())).await);
    assert_eq!(world.client.send(payer("BucketOwner")).await.status, 200);
    assert_eq!(charged(&offered(&world.client, Call::get(&key())).await), (200, None));
}

#[tokio::test]
async fn a_presigned_url_and_a_form_make_the_offer_too() {
    let world = world().await;
    let stranger = world.stranger().await;
    let presigned = |target: &str| {
        let url = presign(&stranger, &Call::get(target), Duration::from_secs(60));
        Call { headers: Vec::new(), ..Call::get(&url) }
    };
    denied(&world.client.send_unsigned(presigned(&key())).await);
    denied(&world.client.send_unsigned(presigned(&format!("{}?x-amz-request-payer=owner", key()))).await);
    let answer = world.client.send_unsigned(presigned(&format!("{}?x-amz-request-payer=requester", key()))).await;
    assert_eq!((charged(&answer), &*answer.text()), ((200, Some("requester")), "body"));

    let policy = |more: &[(&str, &str)]| {
        let mut conditions = vec![json!({"bucket": BUCKET}), json!({"key": "form"})];
        conditions.extend(more.iter().map(|(name, value)| json!({*name: value})));
        json!({"expiration": time_in(600, "%Y-%m-%dT%H:%M:%SZ"), "conditions": conditions})
    };
    let send = async |form: Form| {
        let call = Call::post(&format!("/{BUCKET}"), form.body()).header("content-type", &Form::content_type());
        world.client.send_unsigned(call).await
    };
    denied(&send(Form::new(&[("key", "form")], "file").signed_v4(&stranger, policy(&[]))).await);
    denied(&send(Form::new(&[("key", "form"), OFFER], "file")).await);
    assert_eq!(world.keys().await, ["k"]);
    let form = Form::new(&[("key", "form"), OFFER], "file").signed_v4(&stranger, policy(&[OFFER]));
    assert_eq!(charged(&send(form).await), (204, Some("requester")));
    assert_eq!(world.keys().await, ["form", "k"]);
}

#[tokio::test]
async fn a_copy_pays_for_the_bucket_that_it_reads() {
    let world = world().await;
    let stranger = world.stranger().await;
    assert_eq!(stranger.send(Call::put("/theirs", "")).await.status, 200);
    let copy = Call::put("/theirs/k", "").header("x-amz-copy-source", &key());
    denied(&stranger.send(copy.clone()).await);
    assert_eq!(charged(&offered(&stranger, copy).await), (200, Some("requester")));
    assert_eq!(stranger.send(Call::get("/theirs/k")).await.text(), "body");
    let upload = stranger.send(Call::post("/theirs/u?uploads", "")).await.one("UploadId").unwrap();
    let part = Call::put(&format!("/theirs/u?partNumber=1&uploadId={upload}"), "").header("x-amz-copy-source", &key());
    denied(&stranger.send(part.clone()).await);
    assert_eq!(charged(&offered(&stranger, part).await), (200, Some("requester")));
}

#[tokio::test]
async fn a_website_of_a_requester_pays_bucket_is_closed() {
    let world = world().await.restart_with(|config| config.website_domains = vec!["web.localhost".into()]).await;
    let website = "<WebsiteConfiguration><IndexDocument><Suffix>k</Suffix></IndexDocument></WebsiteConfiguration>";
    assert_eq!(world.client.send(Call::put(&format!("/{BUCKET}?website"), website)).await.status, 200);
    let visit = async || {
        let call = Call { host: Some(format!("{BUCKET}.web.localhost")), ..Call::get("/") };
        world.client.send_unsigned(call.header(OFFER.0, OFFER.1)).await
    };
    let closed = visit().await;
    assert_eq!((closed.status, closed.header("x-amz-error-code")), (403, Some("AccessDenied")));
    assert_eq!(world.client.send(payer("BucketOwner")).await.status, 200);
    assert_eq!(visit().await.text(), "body");
}
