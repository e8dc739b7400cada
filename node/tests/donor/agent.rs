//! What passes between a donor and its coordinator.

use std::io::{Read, Seek, SeekFrom, Write};

use bytes::Bytes;
use nodio_codec::erasure::encode;
use nodio_wire::api::{Outcome, RepairSource, Task, Work, set_digest};
use nodio_wire::donor::{DonorError, Transport};
use nodio_wire::{Code, PartId, SegmentId, ShardId};

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

/// Two of the four shards of a 2/4 segment on two donors; a third rebuilds another position.
#[tokio::test]
async fn a_lost_shard_is_rebuilt_from_other_donors() {
    let coordinator = Coordinator::start().await;
    let (one, two, three) = (Donor::join(&coordinator).await, Donor::join(&coordinator).await, Donor::join(&coordinator).await);
    let data = [shard(1, 90_000).1, shard(2, 90_000).1];
    let mut parity = vec![vec![0; 90_000]; 2];
    encode(&[&data[0], &data[1]], &mut parity.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>()).unwrap();
    let lost = Bytes::from(parity[1].clone());
    let mut sources = Vec::new();
    for (position, (donor, bytes)) in [(&one, &data[0]), (&two, &data[1])].into_iter().enumerate() {
        let id = ShardId::of(bytes);
        transport().put(donor.url(), &donor.put_ticket(), id, bytes.clone()).await.unwrap();
        let (addr, ticket) = (donor.url().to_owned(), donor.get_ticket(id));
        sources.push(RepairSource { position: position as u8, shard: id, node: donor.node(), addr, ticket });
    }
    let task = |id, sources| {
        let segment = SegmentId { part: PartId::random(), index: 0 };
        let code = Code::new(2, 4).unwrap();
        let work = Work::Rebuild { segment, code, shard_bytes: 90_000, position: 3, shard: ShardId::of(&lost), sources };
        Task { id, work }
    };
    let missing =
        RepairSource { shard: ShardId::of(b"nobody's"), ticket: one.get_ticket(ShardId::of(b"nobody's")), ..sources[0].clone() };
    coordinator.said().work.insert(three.node(), vec![task(1, vec![missing.clone()])]);
    let failed = coordinator.until("a failed rebuild", |said| said.reports.get(&1).cloned()).await;
    let Outcome::Failed { bad, .. } = failed else { panic!("rebuilt from nothing") };
    assert_eq!(bad.iter().map(|bad| (bad.node, bad.shard)).collect::<Vec<_>>(), [(one.node(), missing.shard)]);

    sources.insert(0, missing);
    coordinator.said().work.insert(three.node(), vec![task(2, sources.clone()), task(3, sources)]);
    for id in [2, 3] {
        assert_eq!(coordinator.until("a rebuild", |said| said.reports.get(&id).cloned()).await, Outcome::Done);
    }
    let id = ShardId::of(&lost);
    assert_eq!(transport().get(three.url(), &three.get_ticket(id), id, None).await, Ok(lost));
    for donor in [one, two, three] {
        donor.stop().await;
    }
}

#[tokio::test]
async fn deletes_are_done_and_surplus_of_the_inventory_goes() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let ids: Vec<ShardId> = (0..6).map(|seed| shard(seed, 400).0).collect();
    for seed in 0..6 {
        let (id, data) = shard(seed, 400);
        transport().put(donor.url(), &donor.put_ticket(), id, data).await.unwrap();
    }
    let delete = Work::Delete { shards: vec![ids[0], ids[1], ShardId::of(b"never held")] };
    coordinator.said().work.insert(donor.node(), vec![Task { id: 1, work: delete }]);
    assert_eq!(coordinator.until("the delete", |said| said.reports.get(&1).cloned()).await, Outcome::Done);

    {
        let mut said = coordinator.said();
        said.surplus = vec![ids[2], ShardId::of(b"never held")];
        said.inventory_wanted = true;
    }
    let inventory = coordinator.until("an inventory", |said| said.inventories.first().cloned()).await;
    let mut told: Vec<ShardId> = inventory.shards.iter().map(|held| held.id).collect();
    assert!(told.is_sorted() && inventory.after.is_none() && inventory.through.is_none());
    assert!(inventory.shards.iter().all(|held| held.age_s < 60));
    told.sort();
    let mut held = ids[2..].to_vec();
    held.sort();
    assert_eq!(told, held);
    coordinator.until("the surplus gone", |said| said.beats.last().filter(|beat| beat.shards == 3).map(drop)).await;
    let gone = transport().get(donor.url(), &donor.get_ticket(ids[2]), ids[2], None).await;
    assert_eq!(gone, Err(DonorError::NotHeld));
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

fn flip(path: &std::path::Path, offset: u64) {
    let mut file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.write_all(&[byte[0] ^ 1]).unwrap();
}
