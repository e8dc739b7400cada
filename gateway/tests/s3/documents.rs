//! Documents of buckets about what isn't on.

use super::common::{BUCKET, Call, World};

#[tokio::test]
async fn what_is_off_says_so() {
    let world = World::new().await;
    for (target, element) in [("accelerate", "AccelerateConfiguration"), ("requestPayment", "RequestPaymentConfiguration")] {
        let answer = world.client.send(Call::get(&format!("/{BUCKET}?{target}"))).await;
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        assert!(answer.text().contains(element), "{}", answer.text());
        assert!(!answer.text().contains("Enabled"), "{}", answer.text());
    }
    assert_eq!(world.client.send(Call::put(&format!("/{BUCKET}/k"), "body")).await.status, 200);
    assert_eq!(world.client.send(Call::get(&format!("/{BUCKET}/k?torrent"))).await.error(), (404, "NoSuchKey".into()));
    let answer = world.client.send(Call::get(&format!("/{BUCKET}?replication"))).await;
    assert_eq!(answer.error(), (404, "ReplicationConfigurationNotFoundError".into()));
    let missing = world.client.send(Call::get("/no-such-bucket?replication")).await;
    assert_eq!(missing.error(), (404, "NoSuchBucket".into()));
    let denied = world.stranger().await.send(Call::get(&format!("/{BUCKET}?replication"))).await;
    assert_eq!(denied.error(), (403, "AccessDenied".into()));
}

#[tokio::test]
async fn requesters_are_never_made_to_pay() {
    let world = World::new().await;
    let target = format!("/{BUCKET}?requestPayment");
    let put = |payer: &str| {
        let text = format!("<RequestPaymentConfiguration><Payer>{payer}</Payer></RequestPaymentConfiguration>");
        Call::put(&target, text)
    };
    assert_eq!(world.client.send(put("BucketOwner")).await.status, 200);
    assert_eq!(world.client.send(put("Requester")).await.error(), (501, "NotImplemented".into()));
    assert_eq!(world.client.send(put("Nobody")).await.error(), (400, "MalformedXML".into()));
    assert_eq!(world.client.send(Call::get(&target)).await.one("Payer").as_deref(), Some("BucketOwner"));
}
