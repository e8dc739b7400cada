use std::sync::atomic::{AtomicU64, Ordering};

use nodio_wire::api::{Heartbeat, Register, Scrub, SegmentHealth, Status, Trash, set_digest};
use nodio_wire::auth::{Secret, Who};
use nodio_wire::fleet::{Fleet, FleetError, SegmentCommit};
use nodio_wire::limits::{PARTS_PER_ASK_MAX, SEGMENTS_PER_CALL_MAX};
use nodio_wire::{NodeId, SegmentId};

use super::*;
use crate::config::{CoordinatorConfig, DomainRule};
use crate::map::testing::{PART, commit_of, store};
use crate::state::reservations;

const START: UnixMs = 1_700_000_000_000;
const BEAT_MS: u64 = 1000;

/// A coordinator over the memory store, with donors `1..=count` that are up, under a clock that tests turn.
pub(crate) struct World {
    pub coordinator: Arc<Coordinator>,
    time: Arc<AtomicU64>,
    donors: u32,
}

impl World {
    pub(crate) async fn new(donors: u32) -> Self {
        let time = Arc::new(AtomicU64::new(START));
        let config = CoordinatorConfig { domain: DomainRule::Node, heartbeat_ms: BEAT_MS, ..CoordinatorConfig::default() };
        let clock = time.clone();
        let clock = Arc::new(move || clock.load(Ordering::Relaxed));
        let coordinator = Coordinator::with_store(store(), config, Secret::random(), clock).await.expect("opened");
        let world = Self { coordinator, time, donors };
        for number in 1..=donors {
            let register = Register {
                node: None,
                nonce: hex::encode([number as u8; 16]),
                addr: format!("http://donor-{number}:7400"),
                capacity_bytes: 1 << 40,
                operator: None,
                zone: None,
                version: "test".into(),
            };
            world.coordinator.register(Who::Joining, register).await.expect("registered");
            world.beat(number).await;
        }
        world
    }

    pub(crate) fn pass(&self, ms: u64) {
        self.time.fetch_add(ms, Ordering::Relaxed);
    }

    async fn beat(&self, number: u32) {
        let beat = Heartbeat {
            node: NodeId(number),
            capacity_bytes: 1 << 40,
            used_bytes: 5000,
            free_bytes: 1 << 39,
            shards: 4,
            held_bytes: 4000,
            digest: format!("{:x}", set_digest([])),
            trash: Trash { shards: 2, bytes: 77 },
            scrub: Scrub { rounds: 3, last_end: 9, bytes: 8 },
            answers: Vec::new(),
            done: Vec::new(),
            rotten: Vec::new(),
            slots: 0,
            leaving: false,
        };
        self.coordinator.heartbeat(beat).await.expect("heard");
    }

    /// Lets one donor fall silent until it is Offline, while the others are heard.
    pub(crate) async fn silence(&self, number: u32) {
        for _ in 0..4 {
            self.pass(BEAT_MS);
            for other in (1..=self.donors).filter(|other| *other != number) {
                self.beat(other).await;
            }
            self.coordinator.liveness_step().await.expect("looked");
        }
    }

    /// Donors from `first` on fall silent, the others are heard.
    async fn silence_all_from(&self, first: u32) {
        for _ in 0..4 {
            self.pass(BEAT_MS);
            for number in 1..first {
                self.beat(number).await;
            }
            self.coordinator.liveness_step().await.expect("looked");
        }
    }

    /// A grant that nobody remembers, made just now.
    fn grant(&self) -> u64 {
        reservations::number(self.coordinator.now(), 0)
    }

    pub(crate) async fn commit(&self, index: u32, k: u8, holders: &[u32]) {
        let commit = SegmentCommit { grant: self.grant(), ..commit_of(index, k, holders) };
        self.coordinator.commit(vec![commit]).await.expect("committed");
    }

    /// `count` segments of a part, 1/2 on the first two donors.
    async fn fill(&self, part: PartId, count: u32) {
        let grant = self.grant();
        let of = |index| SegmentCommit { segment: SegmentId { part, index }, grant, ..commit_of(index, 1, &[1, 2]) };
        let all: Vec<SegmentCommit> = (0..count).map(of).collect();
        for page in all.chunks(SEGMENTS_PER_CALL_MAX) {
            self.coordinator.commit(page.to_vec()).await.expect("committed");
        }
    }

    async fn status(&self) -> Status {
        self.coordinator.status().await.expect("status")
    }

    /// Runs the meter until it has nothing to do; how many steps that took.
    async fn meter(&self) -> usize {
        let mut steps = 1;
        while self.coordinator.meter_step().await.expect("a step") == Progress::More {
            steps += 1;
        }
        steps
    }
}

#[tokio::test]
async fn a_small_network_is_counted_at_each_look() {
    let world = World::new(6).await;
    assert_eq!(world.status().await.segments, SegmentHealth::default());
    world.commit(0, 4, &[1, 2, 3, 4, 5, 6]).await;
    world.commit(1, 2, &[1, 2, 0, 4]).await;
    world.commit(2, 1, &[6, 5]).await;
    let status = world.status().await;
    assert_eq!(status.segments, SegmentHealth { full: 2, degraded: 1, ..SegmentHealth::default() });
    assert_eq!((status.as_of, status.repair.queued), (status.now, 1));
    assert_eq!(status.durability.by_spare, [(1, 2), (2, 1)].into());
    assert_eq!((status.durability.segments, status.durability.bytes), (3, 7000));
    let held: Vec<(u64, u64)> = status.nodes.iter().map(|node| (node.shards, node.shard_bytes)).collect();
    assert_eq!(held, [(2, 2000), (2, 2000), (1, 1000), (2, 2000), (2, 2000), (2, 2000)]);
    world.silence(6).await;
    let status = world.status().await;
    assert_eq!(status.segments, SegmentHealth { full: 0, degraded: 2, at_risk: 1, lost: 0 });
    assert_eq!(status.durability.by_spare, [(0, 1), (1, 2)].into());
}

#[tokio::test]
async fn what_a_donor_says_of_itself_is_shown() {
    let world = World::new(1).await;
    let node = world.status().await.nodes.remove(0);
    assert_eq!((node.held_bytes, node.used_bytes, node.trash.bytes, node.trash.shards), (4000, 5000, 77, 2));
    assert_eq!(node.scrub, Scrub { rounds: 3, last_end: 9, bytes: 8 });
    let newcomer = crate::state::record::Record::default();
    assert_eq!((node.standing.trust, node.availability), (newcomer.trust(), newcomer.availability()));
}

#[tokio::test]
async fn donors_that_go_away_make_a_segment_less_safe_and_finally_unreadable() {
    let world = World::new(4).await;
    world.commit(0, 2, &[1, 2, 3, 4]).await;
    let mut before = world.status().await.durability;
    assert!(before.lost_per_year > 0.0 && before.lost_per_year < 0.1, "{before:?}");
    assert!(before.lost_per_year_next_parity < before.lost_per_year, "{before:?}");
    for silent in [4, 3] {
        world.silence_all_from(silent).await;
        let now = world.status().await.durability;
        assert!(now.lost_per_year > before.lost_per_year && now.unreadable_now > before.unreadable_now, "{now:?}");
        assert!(now.lost_per_year_next_donor < now.lost_per_year, "it would get the missing shard: {now:?}");
        before = now;
    }
    world.silence_all_from(2).await;
    let lost = world.status().await.durability;
    assert_eq!((lost.unreadable_now, lost.lost_per_year, lost.by_spare), (1.0, 1.0, [(-1, 1)].into()));
}

#[tokio::test]
async fn parts_add_up_to_the_whole() {
    let world = World::new(3).await;
    let (other, unknown) = (PartId([8; 16]), PartId([1; 16]));
    world.fill(PART, 3).await;
    world.fill(other, 2).await;
    let ask = async |parts: Vec<PartId>| world.coordinator.durability(parts).await.expect("measured");
    let (mut sum, two) = (ask(vec![PART]).await, ask(vec![other]).await);
    assert_eq!((sum.segments, two.segments, ask(vec![unknown]).await.segments), (3, 2, 0));
    let both = ask(vec![PART, unknown, other]).await;
    sum.add(&two);
    assert_eq!((sum.segments, sum.bytes, &sum.by_spare), (both.segments, both.bytes, &both.by_spare));
    assert!((sum.lost_per_year / both.lost_per_year - 1.0).abs() < 1e-12);
    assert_eq!(world.status().await.durability.segments, 5);
    let too_many = world.coordinator.durability(vec![PART; PARTS_PER_ASK_MAX + 1]).await;
    assert!(matches!(too_many, Err(FleetError::Refused(_))));
}

#[tokio::test]
async fn a_large_network_is_counted_in_the_background_and_shown_with_the_time_of_that() {
    let world = World::new(3).await;
    let large = FRESH_SEGMENTS_MAX as u32 + 1;
    world.fill(PART, large).await;
    let uncounted = world.status().await;
    assert_eq!((uncounted.as_of, uncounted.segments.full), (0, 0), "too large to be counted while somebody waits");
    let steps = world.meter().await;
    assert!(steps >= large as usize / PAGE_ROWS, "only {steps} steps: one of them took more than a page");
    let counted = world.status().await;
    assert_eq!((counted.as_of, counted.segments.full), (counted.now, u64::from(large)));
    assert_eq!(counted.nodes[0].shards, u64::from(large));

    world.pass(METER_COUNT_EVERY_MS - 1);
    world.commit(large, 1, &[1, 2]).await;
    assert_eq!(world.meter().await, 1, "the count isn't old yet");
    let stale = world.status().await;
    assert_eq!((stale.as_of, stale.segments.full), (counted.as_of, u64::from(large)));
    world.pass(1);
    world.meter().await;
    let again = world.status().await;
    assert_eq!((again.as_of, again.segments.full), (again.now, u64::from(large) + 1));
}
