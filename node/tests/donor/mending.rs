//! Rebuilds and pushes: shards between donors that don't believe one another, reported with evidence.

use bytes::Bytes;
use nodio_codec::erasure::encode;
use nodio_wire::api::{BadSource, Destination, Evidence, Outcome, RepairSource, StoredShard, Target, Task, Work};
use nodio_wire::donor::{DonorError, Transport};
use nodio_wire::proof::Slice;
use nodio_wire::ticket::{Op, Ticket, receipt};
use nodio_wire::{Code, PartId, SegmentId, ShardId};

use crate::agent::flip;
use crate::coordinator::Coordinator;
use crate::{Donor, shard, transport};

const LEN: usize = 90_000;
const PROBE: Slice = Slice { start: 40_960, len: 1024 };

/// A 2/4 segment.
fn segment() -> Vec<Bytes> {
    let data = [shard(1, LEN).1, shard(2, LEN).1];
    let mut parity = vec![vec![0; LEN]; 2];
    encode(&[&data[0], &data[1]], &mut parity.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>()).unwrap();
    data.into_iter().chain(parity.into_iter().map(Bytes::from)).collect()
}

/// Stores a shard with a donor and says where it is.
async fn source(donor: &Donor, position: u8, bytes: &Bytes) -> RepairSource {
    let id = ShardId::of(bytes);
    transport().put(donor.url(), &donor.put_ticket(), id, bytes.clone()).await.unwrap();
    RepairSource { position, shard: id, node: donor.node(), addr: donor.url().to_owned(), ticket: donor.get_ticket(id) }
}

fn here(position: u8, bytes: &Bytes) -> Target {
    Target { position, shard: ShardId::of(bytes), to: Destination::Here { probe: PROBE } }
}

fn there(position: u8, bytes: &Bytes, donor: &Donor, nonce: u64) -> Target {
    let ticket = Ticket { op: Op::Put, node: donor.node(), shard: None, bytes_max: LEN as u32, expires: u64::MAX, nonce };
    let (node, addr) = (donor.node(), donor.url().to_owned());
    Target { position, shard: ShardId::of(bytes), to: Destination::There { node, addr, ticket: ticket.sign(&donor.secret) } }
}

fn rebuild(targets: Vec<Target>, sources: Vec<RepairSource>) -> Work {
    let segment = SegmentId { part: PartId::random(), index: 0 };
    Work::Rebuild { segment, code: Code::new(2, 4).unwrap(), shard_bytes: LEN as u32, targets, sources }
}

async fn outcome(coordinator: &Coordinator, donor: &Donor, id: u64, work: Work) -> Outcome {
    coordinator.said().work.insert(donor.node(), vec![Task { id, work }]);
    coordinator.until("a report", |said| said.reports.get(&id).cloned()).await
}

fn assert_proven(stored: &StoredShard, position: u8, bytes: &Bytes) {
    let Evidence::Proof(proof) = &stored.evidence else { panic!("{stored:?}") };
    assert!(stored.position == position && proof.proves(&ShardId::of(bytes), LEN as u32, PROBE), "{stored:?}");
}

async fn assert_held(donor: &Donor, bytes: &Bytes) {
    let id = ShardId::of(bytes);
    assert_eq!(transport().get(donor.url(), &donor.get_ticket(id), id, None).await, Ok(bytes.clone()));
}

/// Positions 2 and 3 are made by one donor out of 0 and 1: one stays, the other goes to a fourth donor.
#[tokio::test]
async fn two_lost_shards_are_rebuilt_from_one_download_one_here_and_one_there() {
    let coordinator = Coordinator::start().await;
    let (one, two) = (Donor::join(&coordinator).await, Donor::join(&coordinator).await);
    let (worker, fourth) = (Donor::join(&coordinator).await, Donor::join(&coordinator).await);
    let shards = segment();
    let sources = vec![source(&one, 0, &shards[0]).await, source(&two, 1, &shards[1]).await];
    let targets = || vec![here(2, &shards[2]), there(3, &shards[3], &fourth, 77)];
    for id in [1, 2] {
        // The second time all is there already, which must be told the same way.
        let Outcome::Done { stored, bad } = outcome(&coordinator, &worker, id, rebuild(targets(), sources.clone())).await else {
            panic!("nothing was rebuilt")
        };
        let mut stored = stored;
        stored.sort_by_key(|stored| stored.position);
        assert!(bad.is_empty() && stored.len() == 2, "{stored:?}");
        assert_proven(&stored[0], 2, &shards[2]);
        let told = Evidence::Receipt(receipt(&fourth.secret, &ShardId::of(&shards[3]), 77));
        assert_eq!((stored[1].position, &stored[1].evidence), (3, &told));
    }
    assert_held(&worker, &shards[2]).await;
    assert_held(&fourth, &shards[3]).await;
    let id = ShardId::of(&shards[3]);
    let kept = transport().get(worker.url(), &worker.get_ticket(id), id, None).await;
    assert_eq!(kept, Err(DonorError::NotHeld), "what goes elsewhere isn't kept");
    for donor in [one, two, worker, fourth] {
        donor.stop().await;
    }
}

/// Of three sources one doesn't have its shard and one has rotted; a target that can't be reached doesn't spoil the other.
#[tokio::test]
async fn wrong_sources_are_named_and_what_can_be_done_is() {
    let coordinator = Coordinator::start().await;
    let (one, two, three) = (Donor::join(&coordinator).await, Donor::join(&coordinator).await, Donor::join(&coordinator).await);
    let (worker, away) = (Donor::join(&coordinator).await, Donor::join(&coordinator).await);
    let shards = segment();
    let absent = ShardId::of(b"nobody's");
    let held = [source(&one, 0, &shards[0]).await, source(&two, 1, &shards[1]).await, source(&three, 3, &shards[3]).await];
    let missing = RepairSource { position: 2, shard: absent, ticket: one.get_ticket(absent), ..held[0].clone() };
    let failed = outcome(&coordinator, &worker, 1, rebuild(vec![here(2, &shards[2])], vec![missing.clone()])).await;
    let Outcome::Failed { bad, .. } = failed else { panic!("rebuilt from nothing") };
    assert_eq!(bad, [BadSource { node: one.node(), shard: absent }]);

    flip(&two.dir.path().join("donor/volumes/00000001.vol"), 50_000);
    let unreachable = there(0, &shards[0], &away, 5);
    away.stop().await;
    let sources = vec![missing, held[1].clone(), held[0].clone(), held[2].clone()];
    let Outcome::Done { stored, mut bad } =
        outcome(&coordinator, &worker, 2, rebuild(vec![here(2, &shards[2]), unreachable], sources)).await
    else {
        panic!("nothing was rebuilt")
    };
    assert_eq!(stored.len(), 1);
    assert_proven(&stored[0], 2, &shards[2]);
    bad.sort_by_key(|bad| bad.node);
    let rotten = BadSource { node: two.node(), shard: ShardId::of(&shards[1]) };
    assert_eq!(bad, [BadSource { node: one.node(), shard: absent }, rotten]);
    for donor in [one, two, three, worker] {
        donor.stop().await;
    }
}

#[tokio::test]
async fn a_push_is_reported_with_the_receivers_receipt() {
    let coordinator = Coordinator::start().await;
    let (from, to) = (Donor::join(&coordinator).await, Donor::join(&coordinator).await);
    let shards = segment();
    source(&from, 1, &shards[1]).await;
    let push = |position: u8, nonce| {
        let segment = SegmentId { part: PartId::random(), index: 0 };
        let target = there(position, &shards[usize::from(position)], &to, nonce);
        Work::Push { segment, shard_bytes: LEN as u32, target }
    };
    let evidence = Evidence::Receipt(receipt(&to.secret, &ShardId::of(&shards[1]), 8));
    let done = Outcome::Done { stored: vec![StoredShard { position: 1, evidence }], bad: Vec::new() };
    assert_eq!(outcome(&coordinator, &from, 1, push(1, 8)).await, done);
    assert_held(&to, &shards[1]).await;
    assert_held(&from, &shards[1]).await;
    let Outcome::Failed { bad, .. } = outcome(&coordinator, &from, 2, push(2, 9)).await else { panic!("pushed from nothing") };
    assert_eq!(bad, [BadSource { node: from.node(), shard: ShardId::of(&shards[2]) }], "it says that it has none");
    from.stop().await;
    to.stop().await;
}

#[tokio::test]
async fn deletes_are_done_and_a_report_is_told_until_a_beat_with_it_was_answered() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let bytes = shard(1, 400).1;
    let id = source(&donor, 0, &bytes).await.shard;
    let delete = Work::Delete { shards: vec![id, ShardId::of(b"never held")] };
    coordinator.said().work.insert(donor.node(), vec![Task { id: 1, work: delete }]);
    coordinator.until("the work handed out", |said| said.work.is_empty().then_some(())).await;
    coordinator.said().deaf = 3;
    let told =
        |said: &crate::coordinator::Said| said.beats.iter().filter(|beat| beat.done.iter().any(|done| done.id == 1)).count();
    coordinator.until("the report three times", |said| (told(said) >= 3).then_some(())).await;
    coordinator.until("a beat without it", |said| said.beats.last().filter(|beat| beat.done.is_empty()).map(drop)).await;
    assert_eq!(coordinator.said().reports[&1], Outcome::done());
    assert_eq!(transport().get(donor.url(), &donor.get_ticket(id), id, None).await, Err(DonorError::NotHeld));
    donor.stop().await;
}
