//! Donors that are asked for proof, and what they may try instead.

use std::time::Duration;

use nodio_wire::api::{
    Answer, Ask, AuditAnswer, AuditAsk, AuditFinding, AuditPoll, AuditResult, AuditRun, Challenge, Heartbeat, Standing,
    StandingState,
};
use nodio_wire::client::ApiError;
use nodio_wire::fleet::{Fleet, SegmentCommit};
use nodio_wire::proof::Proof;
use nodio_wire::{PartId, ShardId};

use crate::cluster::*;

/// The bytes behind an id.
fn shard(entered: &[SegmentCommit], id: &ShardId) -> Vec<u8> {
    let all = entered.iter().flat_map(|commit| (0..4).map(|position| bytes_of(commit.segment.index, position)));
    all.into_iter().find(|bytes| ShardId::of(bytes) == *id).expect("a known shard")
}

fn honest(entered: &[SegmentCommit], challenge: &Challenge) -> AuditAnswer {
    let proof = Proof::of(&shard(entered, &challenge.shard), challenge.slice).expect("within");
    AuditAnswer { id: challenge.id, answer: Answer::Proof(proof) }
}

impl Donor {
    async fn answer(&self, answers: Vec<AuditAnswer>) -> Vec<Challenge> {
        let beat = Heartbeat { slots: 0, answers, ..self.heartbeat() };
        self.api.heartbeat(&beat).await.expect("answered").audits
    }

    async fn standing(&self) -> Standing {
        self.api.standing(&Ask { node: self.id }).await.expect("answered")
    }
}

async fn finished(cluster: &Cluster, donors: &[Donor], run: u64) -> AuditRun {
    for _ in 0..400 {
        let seen = cluster.operator.audit_progress(&AuditPoll { run }).await.expect("known");
        if seen.pending == 0 {
            return seen;
        }
        for donor in donors {
            donor.answer(Vec::new()).await;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the audit doesn't end");
}

#[tokio::test]
async fn every_answer_is_held_to_its_own_question_and_donor() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::start(folder.path()).await;
    let donors = cluster.donors(4, 1 << 30).await;
    let entered = enter(&cluster, &donors, 3).await;
    let part = entered[0].segment.part;
    let run = cluster.operator.audit(&AuditAsk { parts: vec![part, PartId::random()] }).await.expect("begun");
    assert!(run.pending > 0);
    let mut asked = Vec::new();
    for donor in &donors {
        let mut mine = Vec::new();
        while mine.len() < 3 {
            mine.extend(donor.answer(Vec::new()).await);
        }
        assert_eq!(mine.len(), 3, "one question a shard");
        asked.push(mine);
    }
    let proofs: Vec<AuditAnswer> = asked[0].iter().map(|challenge| honest(&entered, challenge)).collect();

    // An honest donor; what it says twice counts once.
    donors[0].answer(proofs.clone()).await;
    donors[0].answer(proofs.clone()).await;
    // One that replays the first one's proofs as answers to its own questions.
    let replayed = asked[1].iter().zip(&proofs).map(|(mine, theirs)| AuditAnswer { id: mine.id, ..theirs.clone() });
    donors[1].answer(replayed.collect()).await;
    // One that replays the first one's answers as they were, and never answers its own.
    donors[2].answer(proofs.clone()).await;
    // One that has lost a shard and says so, one that can't be read just now, and an old proof for a new question.
    let not_held = AuditAnswer { id: asked[3][0].id, answer: Answer::NotHeld };
    let unreadable = AuditAnswer { id: asked[3][1].id, answer: Answer::Unreadable };
    let old = AuditAnswer { id: asked[3][2].id, ..honest(&entered, &asked[3][0]) };
    donors[3].answer(vec![not_held, unreadable, old]).await;

    let seen = finished(&cluster, &donors, run.run).await;
    assert_eq!((seen.passed, seen.failed, seen.offline), (3, 5, 4), "{seen:?}");
    let results = |at: usize| {
        let mut of: Vec<&AuditFinding> = seen.findings.iter().filter(|finding| finding.node == donors[at].id).collect();
        of.sort_by_key(|finding| finding.segment);
        assert!(of.iter().all(|finding| usize::from(finding.position) == at));
        of.iter().map(|finding| finding.result).collect::<Vec<_>>()
    };
    assert!(results(0).is_empty());
    assert_eq!(results(1), [AuditResult::Failed; 3]);
    assert_eq!(results(2), [AuditResult::Offline; 3]);
    assert_eq!(results(3).iter().filter(|result| **result == AuditResult::Failed).count(), 2);

    // What failed is forgotten; trust follows, and absence costs none.
    let located = cluster.fleet.locate(part, 0, 3).await.expect("located");
    let named = |at: usize| located.iter().filter(|found| found.shards[at].source.is_some()).count();
    assert_eq!([named(0), named(1), named(2), named(3)], [3, 0, 3, 1]);
    let mut standings = Vec::new();
    for donor in &donors {
        standings.push(donor.standing().await);
    }
    assert!(standings[0].trust > standings[2].trust && standings[2].trust > standings[3].trust);
    assert_eq!((standings[1].state, standings[1].reason.as_str()), (StandingState::Draining, "3 of the last 3 audits failed"));
    assert_eq!(standings[2].state, StandingState::Vetting);
    cluster.stop().await;
}

#[tokio::test]
async fn donors_are_asked_of_themselves_and_a_hundred_proofs_make_trust() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = config(folder.path());
    (settings.audits_per_day, settings.inventory_every_ms) = (10_000_000, 100);
    let cluster = Cluster::start_with(settings).await;
    let mut donors = cluster.donors(4, 1 << 30).await;
    let entered = enter(&cluster, &donors, 20).await;
    let mut answers = vec![Vec::new(); 4];
    until(&mut donors, async |donors| {
        let mut trusted = 0;
        for (donor, answers) in donors.iter().zip(&mut answers) {
            let asked = donor.answer(std::mem::take(answers)).await;
            answers.extend(asked.iter().map(|challenge| honest(&entered, challenge)));
            trusted += usize::from(donor.standing().await.state == StandingState::Trusted);
        }
        (trusted == 4).then_some(())
    })
    .await;
    cluster.stop().await;

    let cluster = Cluster::start(folder.path()).await;
    let beat = donors[0].heartbeat();
    let api = nodio_wire::client::NodeApi::new(
        cluster.pool.clone(),
        cluster.base(),
        nodio_wire::auth::Who::Node(beat.node),
        donors[0].secret.clone(),
    );
    let standing = api.heartbeat(&beat).await.expect("answered").standing;
    assert_eq!((standing.state, standing.reason.as_str()), (StandingState::Trusted, "100 audits passed"), "across a restart");
    cluster.stop().await;
}

#[tokio::test]
async fn audits_that_are_too_much_or_unknown_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::start(folder.path()).await;
    let parts: Vec<PartId> = (0..=nodio_wire::limits::PARTS_PER_ASK_MAX).map(|_| PartId::random()).collect();
    assert!(matches!(cluster.operator.audit(&AuditAsk { parts }).await, Err(ApiError::Refused { status: 400, .. })));
    assert!(matches!(cluster.operator.audit_progress(&AuditPoll { run: 1 }).await, Err(ApiError::Refused { status: 400, .. })));
    let donors = cluster.donors(1, 1 << 30).await;
    let answer = AuditAnswer { id: 1, answer: Answer::NotHeld };
    let flood = Heartbeat { answers: vec![answer; nodio_wire::limits::CHALLENGES_MAX + 1], ..donors[0].heartbeat() };
    assert!(matches!(donors[0].api.heartbeat(&flood).await, Err(ApiError::Refused { status: 400, .. })));
    cluster.stop().await;
}
