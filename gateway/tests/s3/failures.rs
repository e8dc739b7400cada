//! When donors are missing: S3's errors, never a wrong byte, never a short 200.

use crate::common::{BUCKET, Call, World, bytes};

fn key() -> String {
    format!("/{BUCKET}/k")
}

#[tokio::test]
async fn too_few_donors_to_write_means_slow_down() {
    let world = World::new().await;
    world.fleet.shrink_to(2);
    let answer = world.client.send(Call::put(&key(), bytes(300_000))).await;
    assert_eq!(answer.error(), (503, "SlowDown".into()));
    assert!(answer.header("retry-after").is_some());
    assert!(world.keys().await.is_empty());
    // What needs no donor goes on.
    assert_eq!(world.client.send(Call::put(&key(), "small")).await.status, 200);
}

#[tokio::test]
async fn any_two_donors_may_be_dead_and_a_third_makes_it_an_error() {
    let world = World::new().await;
    let data = bytes(9_000_000);
    assert_eq!(world.client.send(Call::put(&key(), &data)).await.status, 200);
    for donor in [1, 4] {
        world.donors.kill(&format!("http://donor-{donor}"));
    }
    assert!(world.client.send(Call::get(&key())).await.body == data);
    world.donors.kill("http://donor-2");
    assert_eq!(world.client.send(Call::get(&key())).await.error(), (503, "ServiceUnavailable".into()));
    world.donors.revive("http://donor-4");
    assert!(world.client.send(Call::get(&key())).await.body == data);
}

#[tokio::test]
async fn a_flipped_bit_is_never_served() {
    let world = World::new().await;
    let data = bytes(5_000_000);
    assert_eq!(world.client.send(Call::put(&key(), &data)).await.status, 200);
    assert!(world.donors.corrupt("http://donor-1") > 0);
    assert!(world.client.send(Call::get(&key())).await.body == data);
    for donor in 2..=6 {
        world.donors.corrupt(&format!("http://donor-{donor}"));
    }
    let answer = world.client.send(Call::get(&key())).await;
    assert!(answer.status >= 500 && answer.error().0 >= 500, "{}", answer.status);
}

#[tokio::test]
async fn a_read_that_fails_midway_breaks_off_and_is_no_short_200() {
    let world = World::new().await;
    let data = bytes(80_000_000);
    assert_eq!(world.client.send(Call::put(&key(), &data)).await.status, 200);
    let reading = {
        let client = world.client.clone();
        tokio::spawn(async move { client.send(Call::get(&key())).await })
    };
    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    for donor in 1..=6 {
        world.donors.wipe(&format!("http://donor-{donor}"));
    }
    let answer = reading.await.unwrap();
    let right = answer.whole && answer.body == data;
    let broken = !answer.whole && data.starts_with(&answer.body);
    assert!(right || broken || answer.status >= 500, "{} with {} bytes", answer.status, answer.body.len());
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let world = World::new().await;
    let data = bytes(200_000);
    assert_eq!(world.client.send(Call::put(&key(), &data)).await.status, 200);
    let again = world.restart().await;
    assert!(again.client.send(Call::get(&key())).await.body == data);
    again.stop().await;
}

#[tokio::test]
async fn parts_that_a_crash_left_without_a_name_are_swept() {
    let world = World::with(|config| config.sweep_every_ms = 100).await;
    let data = bytes(200_000);
    assert_eq!(world.client.send(Call::put(&key(), &data)).await.status, 200);
    world.fleet.leave_behind().await;
    assert!(world.settled(1).await, "{} segments", world.fleet.segments());
    assert!(world.client.send(Call::get(&key())).await.body == data);
}
