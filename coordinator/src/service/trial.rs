//! Donors on trial: the real coordinator over a store that counts and fails, under a clock that tests turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use nodio_host::Progress;
use nodio_meta::memory::MemoryStore;
use nodio_meta::{Commit, CommitError, Direction, KeyRange, Row, Store, StoreError, Version, Versioned};
use nodio_wire::api::{
    Answer, AuditAnswer, AuditCounts, Challenge, Contents, Digests, Drain, Heartbeat, HeartbeatReply, HeldShard, Inventory,
    Leave, Left, Register, Scrub, StandingState, Trash, range_bounds,
};
use nodio_wire::auth::{Secret, Who};
use nodio_wire::fleet::{Fleet, FleetError, GrantRequest, PlacedShard, SegmentCommit};
use nodio_wire::proof::Proof;
use nodio_wire::{Code, NodeId, PartId, SegmentId, ShardId};

use super::{Clock, Coordinator, ServiceError};
use crate::config::{CoordinatorConfig, DomainRule};
use crate::limits::{INVENTORY_SHARDS_MAX, PAGE_ROWS, REPORTS_PER_COMMIT};
use crate::map::forget::Fault;
use crate::state::audit::TRIES_MAX;

const BEAT_MS: u64 = 30_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const SHARD_BYTES: u32 = 3000;

/// A store that counts what is asked of it, and that can be told to fail.
#[derive(Default)]
struct Watched {
    inner: MemoryStore,
    calls: AtomicU64,
    /// Most rows asked for by one scan, and most writes of one commit.
    rows: AtomicU64,
    writes: AtomicU64,
    broken: AtomicBool,
}

impl Watched {
    fn call(&self) -> Result<(), StoreError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.broken.load(Ordering::Relaxed) { Err(StoreError::Failed("told to".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for Watched {
    async fn get(&self, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        self.call()?;
        self.inner.get(key).await
    }

    async fn scan(&self, range: KeyRange, limit: usize, direction: Direction) -> Result<Vec<Row>, StoreError> {
        self.call()?;
        self.rows.fetch_max(limit as u64, Ordering::Relaxed);
        self.inner.scan(range, limit, direction).await
    }

    async fn commit(&self, commit: Commit) -> Result<Version, CommitError> {
        self.call().map_err(CommitError::Store)?;
        self.writes.fetch_max(commit.writes.len() as u64, Ordering::Relaxed);
        self.inner.commit(commit).await
    }
}

struct Trial {
    coordinator: Arc<Coordinator>,
    store: Arc<Watched>,
    time: Arc<AtomicU64>,
}

fn bytes_of(index: u32, position: usize) -> Vec<u8> {
    let name = [index.to_be_bytes(), (position as u32).to_be_bytes()].concat();
    name.into_iter().cycle().take(SHARD_BYTES as usize).collect()
}

fn honest(segments: u32, challenge: &Challenge) -> AuditAnswer {
    let all = (0..segments).flat_map(|index| (0..3).map(move |position| bytes_of(index, position)));
    let bytes = all.into_iter().find(|bytes| ShardId::of(bytes) == challenge.shard).expect("a known shard");
    AuditAnswer { id: challenge.id, answer: Answer::Proof(Proof::of(&bytes, challenge.slice).expect("within")) }
}

impl Trial {
    /// Three donors and `segments` segments with a shard on each.
    async fn new(segments: u32) -> Self {
        let (store, time) = (Arc::new(Watched::default()), Arc::new(AtomicU64::new(DAY_MS)));
        let trial = Self { coordinator: open(&store, &time).await, store, time };
        for number in 1..=3 {
            trial.join(number).await;
            trial.beat(u32::from(number), Vec::new()).await.expect("heard");
        }
        for index in 0..segments {
            trial.put(index).await;
        }
        trial.work().await;
        trial
    }

    /// Enters a segment whose shard `i` is with donor `i + 1`.
    async fn put(&self, index: u32) {
        let code = Code::new(2, 3).expect("a code");
        let ask = GrantRequest { code, shard_bytes: SHARD_BYTES, segments: 1, spares: 0, holding: Vec::new() };
        let grant = self.coordinator.grant(ask).await.expect("granted").remove(0).id;
        let shard = |at: usize| PlacedShard { id: ShardId::of(&bytes_of(index, at)), node: Some(NodeId(at as u32 + 1)) };
        let segment = SegmentId { part: PartId([1; 16]), index };
        let shards = (0..3).map(shard).collect();
        let commit = SegmentCommit { segment, code, shard_bytes: SHARD_BYTES, shards, grant };
        self.coordinator.commit(vec![commit]).await.expect("committed");
    }

    async fn join(&self, number: u8) {
        let register = Register {
            node: None,
            nonce: hex::encode([number; 16]),
            addr: format!("http://donor-{number}:7400"),
            capacity_bytes: 1 << 30,
            operator: None,
            zone: None,
            version: "test".into(),
        };
        self.coordinator.register(Who::Joining, register).await.expect("registered");
    }

    async fn beat(&self, donor: u32, answers: Vec<AuditAnswer>) -> Result<HeartbeatReply, ServiceError> {
        self.tell(donor, answers, Vec::new()).await
    }

    async fn tell(&self, donor: u32, answers: Vec<AuditAnswer>, rotten: Vec<ShardId>) -> Result<HeartbeatReply, ServiceError> {
        let beat = Heartbeat {
            node: NodeId(donor),
            capacity_bytes: 1 << 30,
            used_bytes: 0,
            free_bytes: 1 << 30,
            shards: 0,
            held_bytes: 1 << 40,
            digest: "0".into(),
            trash: Trash::default(),
            scrub: Scrub::default(),
            answers,
            done: Vec::new(),
            rotten,
            slots: 4,
            leaving: false,
        };
        self.coordinator.heartbeat(beat).await
    }

    async fn work(&self) {
        self.coordinator.liveness_step().await.expect("liveness");
        while self.coordinator.walk_step().await.expect("walk") == Progress::More {}
        while self.coordinator.count_step().await.expect("count") == Progress::More {}
    }

    /// A beat goes by for the donors named; returns what the first is asked.
    async fn pass(&self, donors: &[u32], answers: Vec<AuditAnswer>) -> Vec<Challenge> {
        self.time.fetch_add(BEAT_MS, Ordering::Relaxed);
        let (first, others) = donors.split_first().expect("one at least");
        let asked = self.beat(*first, answers).await.expect("heard").audits;
        for donor in others {
            self.beat(*donor, Vec::new()).await.expect("heard");
        }
        self.work().await;
        asked
    }

    async fn next_question(&self) -> Challenge {
        for _ in 0..200 {
            if let Some(challenge) = self.pass(&[1, 2, 3], Vec::new()).await.pop() {
                return challenge;
            }
        }
        panic!("nothing is asked");
    }

    fn counts(&self, donor: u32) -> AuditCounts {
        self.coordinator.state().nodes.get(NodeId(donor)).expect("known").audits
    }

    fn trust(&self, donor: u32) -> f64 {
        self.coordinator.state().nodes.get(NodeId(donor)).expect("known").record.trust()
    }

    async fn is_named(&self, donor: u32, shard: &ShardId) -> bool {
        crate::tables::any_row(&*self.store, crate::keyspace::holdings_of_shard(NodeId(donor), shard)).await.expect("reads")
    }
}

async fn open(store: &Arc<Watched>, time: &Arc<AtomicU64>) -> Arc<Coordinator> {
    let config = CoordinatorConfig { domain: DomainRule::Node, heartbeat_ms: BEAT_MS, ..CoordinatorConfig::default() };
    let (time, store) = (time.clone(), store.clone());
    let clock: Clock = Arc::new(move || time.load(Ordering::Relaxed));
    Coordinator::with_store(store, config, Secret::new([5; 32]), clock).await.expect("opened")
}

#[tokio::test]
async fn a_heartbeat_costs_the_same_whatever_the_network_holds() {
    let mut costs = Vec::new();
    for segments in [1, 2000] {
        let trial = Trial::new(segments).await;
        let before = trial.store.calls.load(Ordering::Relaxed);
        for _ in 0..10 {
            trial.beat(1, Vec::new()).await.expect("heard");
        }
        costs.push(trial.store.calls.load(Ordering::Relaxed) - before);
    }
    println!("ten heartbeats without news ask {costs:?} times of the store");
    assert_eq!(costs[0], costs[1]);
    assert!(costs[0] <= 20);
}

/// A donor that denies all it holds, and lists as many shards as fit a page that the map doesn't know.
#[tokio::test]
async fn a_donor_that_lies_about_everything_is_compared_with_a_page_at_a_time() {
    let mut widest = Vec::new();
    for segments in [1000, 4000] {
        let trial = Trial::new(segments).await;
        trial.store.rows.store(0, Ordering::Relaxed);
        trial.store.writes.store(0, Ordering::Relaxed);
        let digests = Digests { node: NodeId(1), bits: 0, ranges: vec![Contents { shards: 1 << 20, digest: 5 }] };
        assert_eq!(trial.coordinator.digests(digests).await.expect("compared").differing, [0]);
        let (from, through) = range_bounds(0, 0);
        let made_up = |number: u32| HeldShard { id: ShardId::of(&number.to_be_bytes()), age_s: u32::MAX, trashed: false };
        let shards = (0..INVENTORY_SHARDS_MAX as u32).map(made_up).collect();
        let page = Inventory { node: NodeId(1), from, through, shards, last: true };
        trial.time.fetch_add(DAY_MS, Ordering::Relaxed);
        let reply = trial.coordinator.inventory(page).await.expect("compared");
        assert_eq!((reply.surplus.len(), reply.restore.len()), (INVENTORY_SHARDS_MAX, 0));
        assert_eq!(trial.coordinator.state().nodes.get(NodeId(1)).expect("known").faults, u64::from(segments));
        widest.push((trial.store.rows.load(Ordering::Relaxed), trial.store.writes.load(Ordering::Relaxed)));
    }
    assert_eq!(widest[0], widest[1], "whatever the donor was named for");
    assert!(widest[0].0 <= PAGE_ROWS as u64 && widest[0].1 <= 4 * REPORTS_PER_COMMIT as u64, "{widest:?}");
}

#[tokio::test]
async fn absence_costs_no_trust_but_silence_about_one_shard_does_in_the_end() {
    let trial = Trial::new(50).await;
    let stranger = trial.trust(1);
    let wanted = trial.next_question().await.shard;
    for _ in 0..5 {
        trial.pass(&[2, 3], Vec::new()).await;
    }
    let away = AuditCounts { passed: 0, failed: 0, offline: 1 };
    assert_eq!((trial.counts(1), trial.trust(1)), (away, stranger), "it was away");
    let mut asked = 0;
    while trial.is_named(1, &wanted).await {
        asked += trial.pass(&[1, 2, 3], Vec::new()).await.iter().filter(|challenge| challenge.shard == wanted).count();
        assert!(asked <= usize::from(TRIES_MAX));
    }
    assert_eq!(asked, usize::from(TRIES_MAX));
    assert!(trial.trust(1) < stranger && trial.counts(1).failed > 0);
}

#[tokio::test]
async fn an_answer_that_comes_too_late_counts_nothing() {
    let trial = Trial::new(50).await;
    let challenge = trial.next_question().await;
    trial.pass(&[1, 2, 3], Vec::new()).await;
    trial.pass(&[1, 2, 3], Vec::new()).await;
    trial.pass(&[1, 2, 3], Vec::new()).await;
    trial.pass(&[1, 2, 3], vec![honest(50, &challenge)]).await;
    assert_eq!(trial.counts(1), AuditCounts { passed: 0, failed: 0, offline: 1 });
    let challenge = trial.next_question().await;
    trial.pass(&[1, 2, 3], vec![honest(50, &challenge)]).await;
    assert_eq!(trial.counts(1).passed, 1);
}

#[tokio::test]
async fn calling_a_shard_rotten_is_an_answer_where_it_was_asked_about_and_earns_no_blame_where_it_was_not() {
    let trial = Trial::new(50).await;
    let challenge = trial.next_question().await;
    let unasked = (0..50).map(|index| ShardId::of(&bytes_of(index, 0))).find(|shard| *shard != challenge.shard).expect("one");
    trial.tell(1, Vec::new(), vec![challenge.shard, unasked]).await.expect("heard");
    assert_eq!(trial.counts(1).failed, 1);
    assert!(!trial.is_named(1, &challenge.shard).await && !trial.is_named(1, &unasked).await);
    trial.beat(1, vec![AuditAnswer { id: challenge.id, answer: Answer::NotHeld }]).await.expect("heard");
    assert_eq!(trial.counts(1).failed, 1, "and counts once");
}

#[tokio::test]
async fn passing_what_one_was_accused_of_earns_nothing_and_failing_it_counts() {
    let trial = Trial::new(2).await;
    trial.beat(2, Vec::new()).await.expect("heard");
    trial.coordinator.state().nodes.get_mut(NodeId(3)).expect("known").standing.state = StandingState::Refused;
    let fault = |index| Fault {
        segment: SegmentId { part: PartId([1; 16]), index },
        shard: ShardId::of(&bytes_of(index, 0)),
        node: NodeId(1),
        corrupt: false,
    };
    let before = trial.trust(1);
    for index in 0..2 {
        trial.coordinator.suspect(&[fault(index)]).await.expect("taken");
        let asked = trial.beat(1, Vec::new()).await.expect("heard").audits;
        assert_eq!(
            asked.iter().map(|asked| asked.shard).collect::<Vec<_>>(),
            [fault(index).shard],
            "at once, and as it is named"
        );
        let lost = AuditAnswer { id: asked[0].id, answer: Answer::NotHeld };
        trial.beat(1, vec![if index == 0 { honest(2, &asked[0]) } else { lost }]).await.expect("heard");
        assert_eq!(trial.counts(1), AuditCounts { passed: 0, failed: u64::from(index), offline: 0 });
        assert_eq!(trial.trust(1) < before, index > 0);
    }
}

#[tokio::test]
async fn a_question_about_what_is_no_longer_named_counts_nothing() {
    let trial = Trial::new(1).await;
    let challenge = trial.next_question().await;
    trial.coordinator.release(vec![PartId([1; 16])]).await.expect("released");
    while trial.coordinator.release_step().await.expect("release") == Progress::More {}
    let lost = AuditAnswer { id: challenge.id, answer: Answer::NotHeld };
    trial.pass(&[1, 2, 3], vec![lost]).await;
    assert_eq!(trial.counts(1), AuditCounts::default());
}

#[tokio::test]
async fn an_answer_that_could_not_be_recorded_counts_when_it_is_sent_again() {
    let trial = Trial::new(50).await;
    let challenge = trial.next_question().await;
    let lost = AuditAnswer { id: challenge.id, answer: Answer::NotHeld };
    trial.store.broken.store(true, Ordering::Relaxed);
    assert!(matches!(trial.beat(1, vec![lost.clone()]).await, Err(ServiceError::Store(_))));
    assert_eq!(trial.counts(1).failed, 0);
    trial.store.broken.store(false, Ordering::Relaxed);
    for _ in 0..2 {
        trial.beat(1, vec![lost.clone()]).await.expect("heard");
    }
    assert_eq!(trial.counts(1).failed, 1, "and only once");
    assert!(!trial.is_named(1, &challenge.shard).await);
}

#[tokio::test]
async fn records_outlive_a_restart_and_are_written_at_a_bounded_rate() {
    let trial = Trial::new(50).await;
    let challenge = trial.next_question().await;
    trial.pass(&[1, 2, 3], vec![honest(50, &challenge)]).await;
    for _ in 0..20 {
        trial.pass(&[1, 2, 3], Vec::new()).await;
    }
    let (passed, trust) = (trial.counts(1).passed, trial.trust(1));
    let before = trial.store.calls.load(Ordering::Relaxed);
    trial.coordinator.liveness_step().await.expect("liveness");
    trial.coordinator.liveness_step().await.expect("liveness");
    assert_eq!(trial.store.calls.load(Ordering::Relaxed), before, "nothing to write so soon");
    let restarted = Trial { coordinator: open(&trial.store, &trial.time).await, ..trial };
    assert_eq!((passed, restarted.counts(1).passed), (1, 1));
    assert!((restarted.trust(1) - trust).abs() < 1e-9);
    let hours = restarted.coordinator.state().nodes.get(NodeId(1)).expect("known").byte_hours;
    assert!(hours > 0.0 && hours < 50.0 * f64::from(SHARD_BYTES) * 2.0, "claims of more than is named count nothing: {hours}");
}

#[tokio::test]
async fn standing_changes_are_written_at_once_and_shown_with_what_is_left() {
    let trial = Trial::new(50).await;
    let standing = trial.coordinator.leave(Leave { node: NodeId(1), cancel: false }).await.expect("leaves");
    assert_eq!(standing.left, Some(Left { shards: 50, bytes: 50 * u64::from(SHARD_BYTES) }));
    trial.coordinator.state().nodes.get_mut(NodeId(1)).expect("known").moved_away(SHARD_BYTES);
    let told = trial.beat(1, Vec::new()).await.expect("heard").standing;
    assert_eq!(told.left, Some(Left { shards: 49, bytes: 49 * u64::from(SHARD_BYTES) }));
    let restarted = Trial { coordinator: open(&trial.store, &trial.time).await, ..trial };
    let told = restarted.beat(1, Vec::new()).await.expect("heard").standing;
    assert_eq!((told.state, told.reason.as_str()), (StandingState::Draining, "you asked to leave"));
    assert!(restarted.coordinator.leave(Leave { node: NodeId(1), cancel: true }).await.is_ok(), "who began it is remembered too");
}

#[tokio::test]
async fn a_donor_that_loses_everything_is_drained_then_refused_and_can_be_taken_back() {
    let trial = Trial::new(200).await;
    let mut lost = Vec::new();
    let mut seen = Vec::new();
    for _ in 0..10_000 {
        let asked = trial.pass(&[1, 2, 3], std::mem::take(&mut lost)).await;
        lost.extend(asked.iter().map(|challenge| AuditAnswer { id: challenge.id, answer: Answer::NotHeld }));
        let state = trial.coordinator.standing_of(NodeId(1)).expect("known").state;
        if seen.last() != Some(&state) {
            seen.push(state);
        }
        if state == StandingState::Refused {
            break;
        }
    }
    assert_eq!(seen, [StandingState::Vetting, StandingState::Draining, StandingState::Refused]);
    assert_eq!(trial.counts(1).failed, 5);
    assert!(trial.beat(1, Vec::new()).await.expect("heard").audits.is_empty());
    let back = Drain { node: NodeId(1), cancel: true, reason: None };
    assert_eq!(trial.coordinator.drain(back).await.expect("taken back").state, StandingState::Vetting);
}

#[tokio::test]
async fn what_a_segment_still_lacks_is_granted_apart_from_what_it_has() {
    let trial = Trial::new(0).await;
    let code = Code::new(1, 3).expect("a code");
    let ask = |holding: &[u32]| GrantRequest {
        code,
        shard_bytes: SHARD_BYTES,
        segments: 1,
        spares: 5,
        holding: holding.iter().copied().map(NodeId).collect(),
    };
    for number in 4..=6 {
        trial.join(number).await;
        trial.beat(number.into(), Vec::new()).await.expect("heard");
        // Beside one of the first three.
        let beside = trial.coordinator.state().nodes.get(NodeId(u32::from(number) - 3)).expect("known").domain_number;
        trial.coordinator.state().nodes.get_mut(NodeId(number.into())).expect("known").domain_number = beside;
    }
    for (holding, free) in [(vec![], vec![1, 2, 3]), (vec![1], vec![2, 3]), (vec![2, 99], vec![1, 3])] {
        let grant = trial.coordinator.grant(ask(&holding)).await.expect("granted").remove(0);
        let mut beside: Vec<u32> = grant.donors.iter().map(|donor| (donor.node.0 - 1) % 3 + 1).collect();
        beside.sort_unstable();
        assert_eq!(beside, free, "with {holding:?}");
    }
    let three = trial.coordinator.grant(ask(&[1, 2, 3])).await;
    assert!(matches!(three, Err(FleetError::NotEnoughDonors { need: 1, have: 0 })), "{three:?}");
    assert!(matches!(trial.coordinator.grant(ask(&[1, 2, 3, 4])).await, Err(FleetError::Refused(_))));
}

#[tokio::test]
async fn a_donor_that_left_between_grant_and_commit_is_not_named() {
    let trial = Trial::new(0).await;
    let away = Drain { node: NodeId(3), cancel: false, reason: None };
    assert_eq!(trial.coordinator.drain(away).await.expect("drained").state, StandingState::Released, "it holds nothing");
    let code = Code::new(1, 3).expect("a code");
    let ask = GrantRequest { code, shard_bytes: SHARD_BYTES, segments: 1, spares: 0, holding: Vec::new() };
    assert!(trial.coordinator.grant(ask).await.expect("granted")[0].donors.iter().all(|donor| donor.node != NodeId(3)));
    let commit = |holders: [u32; 3]| {
        let shards = holders.map(|node| PlacedShard { id: ShardId::of(b"same"), node: Some(NodeId(node)) });
        let segment = SegmentId { part: PartId([9; 16]), index: holders[2] };
        SegmentCommit { segment, code, shard_bytes: SHARD_BYTES, shards: shards.to_vec(), grant: u64::MAX }
    };
    trial.coordinator.commit(vec![commit([1, 2, 3])]).await.expect("a quorum is left");
    assert!(!trial.is_named(3, &ShardId::of(b"same")).await && trial.is_named(1, &ShardId::of(b"same")).await);
}
