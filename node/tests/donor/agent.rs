//! What passes between a donor and its coordinator.

use std::io::{Read, Seek, SeekFrom, Write};

use nodio_wire::ShardId;
use nodio_wire::api::{Standing, StandingState, set_digest};
use nodio_wire::donor::{DonorError, Transport};

use crate::coordinator::Coordinator;
use crate::{Donor, shard, transport};

#[tokio::test]
async fn beats_tell_what_is_held_and_the_last_one_takes_leave() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let ids: Vec<ShardId> = (0..5).map(|seed| shard(seed, 700).0).collect();
    for seed in 0..5 {
        let (id, data) = shard(seed, 700);
        transport().put(donor.url(), &donor.put_ticket(), id, data).await.unwrap();
    }
    let digest = format!("{:032x}", set_digest(ids));
    let told = |said: &crate::coordinator::Said| said.beats.last().filter(|beat| beat.shards == 5).cloned();
    let beat = coordinator.until("five shards", told).await;
    assert_eq!((beat.digest, beat.leaving, beat.slots), (digest, false, 32));
    donor.stop().await;
    assert!(coordinator.said().beats.last().unwrap().leaving);
}

#[tokio::test]
async fn a_donor_that_is_disowned_registers_again_as_itself() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    coordinator.said().disown = true;
    let again = coordinator.until("a second registration", |said| said.registered.get(1).cloned()).await;
    assert_eq!((again.node, &again.nonce), (Some(donor.node()), &coordinator.said().registered[0].nonce));
    let beats = coordinator.said().beats.len();
    coordinator.until("beats again", |said| (said.beats.len() > beats).then_some(())).await;
    donor.stop().await;
}

#[tokio::test]
async fn a_rotten_shard_is_not_served_and_told() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let (id, data) = shard(1, 10_000);
    transport().put(donor.url(), &donor.put_ticket(), id, data).await.unwrap();
    flip(&donor.dir.path().join("donor/volumes/00000001.vol"), 5000);
    let read = transport().get(donor.url(), &donor.get_ticket(id), id, None).await;
    assert_eq!(read, Err(DonorError::Rotten));
    coordinator.until("the rotten shard", |said| said.beats.iter().find(|beat| beat.rotten == [id]).map(drop)).await;
    coordinator.until("told once", |said| said.beats.last().filter(|beat| beat.rotten.is_empty()).map(drop)).await;
    donor.stop().await;
}

#[tokio::test]
async fn a_change_of_standing_is_kept_for_people_and_the_donor_goes_on_serving() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let (id, data) = shard(1, 700);
    transport().put(donor.url(), &donor.put_ticket(), id, data.clone()).await.unwrap();
    let refused =
        Standing { state: StandingState::Refused, reason: "40 audits failed".into(), trust: 0.3, ..Standing::default() };
    coordinator.said().standing = refused.clone();
    let beats = coordinator.said().beats.len();
    coordinator.until("two more beats", |said| (said.beats.len() > beats + 1).then_some(())).await;
    let file = std::fs::read(donor.dir.path().join("donor/standing.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Standing>(&file).unwrap(), refused);
    assert_eq!(transport().get(donor.url(), &donor.get_ticket(id), id, None).await, Ok(data));
    donor.stop().await;
}

pub(crate) fn flip(path: &std::path::Path, offset: u64) {
    let mut file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.write_all(&[byte[0] ^ 1]).unwrap();
}
