//! Challenges, and what a donor can say to them.

use nodio_wire::ShardId;
use nodio_wire::api::{Answer, Challenge};
use nodio_wire::donor::Transport;
use nodio_wire::proof::Slice;

use crate::agent::flip;
use crate::coordinator::Coordinator;
use crate::{Donor, shard, transport};

const LEN: usize = 300_000;

async fn put(donor: &Donor, seed: u64) -> ShardId {
    let (id, data) = shard(seed, LEN);
    transport().put(donor.url(), &donor.put_ticket(), id, data).await.unwrap();
    id
}

async fn answer(coordinator: &Coordinator, donor: &Donor, challenge: Challenge) -> Answer {
    coordinator.said().audits.insert(donor.node(), vec![challenge]);
    coordinator.until("an answer", |said| said.answers.get(&challenge.id).map(|(answer, _)| answer.clone())).await
}

#[tokio::test]
async fn a_challenge_is_answered_with_a_proof_of_its_slice() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let held = put(&donor, 1).await;
    for (id, at) in [(1, 0), (2, 150_000), (3, LEN as u32 - 1)] {
        let slice = Slice::around(at, 16 * 1024, LEN as u32).unwrap();
        let Answer::Proof(proof) = answer(&coordinator, &donor, Challenge { id, shard: held, slice }).await else {
            panic!("no proof of {slice:?}")
        };
        assert!(proof.proves(&held, LEN as u32, slice));
        let other = Slice::around(70_000, 16 * 1024, LEN as u32).unwrap();
        assert!(!proof.proves(&held, LEN as u32, other), "one answer doesn't serve for another");
    }
    donor.stop().await;
}

#[tokio::test]
async fn what_is_rotten_or_was_never_there_is_not_held() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let held = put(&donor, 1).await;
    let slice = Slice { start: 0, len: 1024 };
    let absent = ShardId::of(b"never there");
    assert_eq!(answer(&coordinator, &donor, Challenge { id: 1, shard: absent, slice }).await, Answer::NotHeld);
    // Far from the slice: a proof of it could still be made, but not by a donor that checks.
    flip(&donor.dir.path().join("donor/volumes/00000001.vol"), 200_000);
    assert_eq!(answer(&coordinator, &donor, Challenge { id: 2, shard: held, slice }).await, Answer::NotHeld);
    coordinator.until("the rotten shard", |said| said.beats.iter().find(|beat| beat.rotten == [held]).map(drop)).await;
    donor.stop().await;
}

#[tokio::test]
async fn an_answer_is_told_until_a_beat_with_it_was_answered() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let held = put(&donor, 1).await;
    let slice = Slice { start: 0, len: 1024 };
    let challenge = Challenge { id: 5, shard: held, slice };
    {
        let mut said = coordinator.said();
        said.audits.insert(donor.node(), vec![challenge]);
    }
    coordinator.until("the challenge handed out", |said| said.audits.is_empty().then_some(())).await;
    coordinator.said().deaf = 3;
    let times = |said: &crate::coordinator::Said| said.answers.get(&5).map(|(_, times)| *times).filter(|times| *times >= 3);
    coordinator.until("the answer three times", times).await;
    coordinator.until("beats that are heard", |said| said.beats.last().filter(|beat| beat.answers.is_empty()).map(drop)).await;
    donor.stop().await;
}
