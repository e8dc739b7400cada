//! Documents of buckets about what isn't on.

use super::common::{BUCKET, Call, World};

#[tokio::test]
async fn what_is_off_says_so() {
    let world = World::new().await;
    let answer = world.client.send(Call::get(&format!("/{BUCKET}?accelerate"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("AccelerateConfiguration") && !answer.text().contains("Enabled"), "{}", answer.text());
    assert_eq!(world.client.send(Call::put(&format!("/{BUCKET}/k"), "body")).await.status, 200);
    assert_eq!(world.client.send(Call::get(&format!("/{BUCKET}/k?torrent"))).await.error(), (404, "NoSuchKey".into()));
    let answer = world.client.send(Call::get(&format!("/{BUCKET}?replication"))).await;
    assert_eq!(answer.error(), (404, "ReplicationConfigurationNotFoundError".into()));
    let missing = world.client.send(Call::get("/no-such-bucket?replication")).await;
    assert_eq!(missing.error(), (404, "NoSuchBucket".into()));
    let denied = world.stranger().await.send(Call::get(&format!("/{BUCKET}?replication"))).await;
    assert_eq!(denied.error(), (403, "AccessDenied".into()));
}
