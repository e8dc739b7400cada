//! A whole network in memory under a clock that tests turn: the real coordinator over the memory store, and donors that do as they are told,
//! with real shards and real evidence; or that lie.

mod churn;
mod donor;
mod hitches;
mod moves;
mod stories;
mod trust;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nodio_host::Progress;
use nodio_meta::{Direction, Store};
use nodio_wire::api::{Register, StandingState, Status, Task, Work};
use nodio_wire::auth::{Secret, Who};
use nodio_wire::fleet::{Fleet, FleetError, GrantRequest, PlacedShard, SegmentCommit, ShardFault, ShardReport};
use nodio_wire::{Code, NodeId, PartId, SegmentId, ShardId, UnixMs};

use crate::config::{CoordinatorConfig, DomainRule};
use crate::keyspace;
use crate::map::testing::store;
use crate::service::{Clock, Coordinator};
use crate::tables::read_segment;

pub(super) const BEAT_MS: u64 = 1000;
pub(super) const LOST_MS: u64 = 20_000;
const SHARD_BYTES: u32 = 1000;

pub(super) use donor::{Donor, Lie};

pub(super) struct Network {
    pub coordinator: Arc<Coordinator>,
    pub donors: Vec<Donor>,
    pub store: Arc<dyn Store>,
    config: CoordinatorConfig,
    secret: Secret,
    time: Arc<AtomicU64>,
    /// Every segment that was acknowledged and not released.
    pub live: HashSet<SegmentId>,
    /// Every shard ever written.
    bytes: HashMap<ShardId, Vec<u8>>,
    /// All work ever handed out, and to whom.
    pub handed: Vec<(NodeId, Task)>,
}

pub(super) fn config() -> CoordinatorConfig {
    CoordinatorConfig {
        domain: DomainRule::Node,
        heartbeat_ms: BEAT_MS,
        repair_after_ms: LOST_MS,
        emergency_margin: 1,
        task_lease_ms: 10 * BEAT_MS,
        inventory_every_ms: 10 * BEAT_MS,
        inventory_settle_ms: BEAT_MS,
        litter_age_s: 5,
        census_every_ms: 30 * BEAT_MS,
        plan_every_ms: 100,
        ..CoordinatorConfig::default()
    }
}

impl Network {
    pub(super) async fn new(donors: u32, config: CoordinatorConfig) -> Self {
        let (store, time, secret) = (store(), Arc::new(AtomicU64::new(1_000_000)), Secret::random());
        let coordinator = open(&store, &config, &secret, &time).await;
        let (live, bytes) = (HashSet::new(), HashMap::new());
        let mut network = Self { coordinator, donors: Vec::new(), store, config, secret, time, live, bytes, handed: Vec::new() };
        for _ in 0..donors {
            network.join().await;
        }
        network.run(2).await;
        network
    }

    pub(super) fn now(&self) -> UnixMs {
        self.time.load(Ordering::Relaxed)
    }

    pub(super) async fn join(&mut self) {
        self.join_in(None).await;
    }

    pub(super) async fn join_in(&mut self, zone: Option<&str>) {
        let number = self.donors.len() + 1;
        let register = Register {
            node: None,
            nonce: hex::encode([number as u8; 16]),
            addr: format!("http://donor-{number}:7400"),
            capacity_bytes: 1 << 30,
            operator: None,
            zone: zone.map(str::to_owned),
            version: "test".into(),
        };
        let id = self.coordinator.register(Who::Joining, register).await.expect("registered").node;
        self.donors.push(Donor::new(id));
    }

    /// The coordinator ends, losing all it had in memory, and starts again.
    pub(super) async fn restart(&mut self) {
        self.coordinator = open(&self.store, &self.config, &self.secret, &self.time).await;
    }

    pub(super) fn donor(&mut self, number: u32) -> &mut Donor {
        &mut self.donors[number as usize - 1]
    }

    /// Lets `beats` heartbeats go by, with all the background work that falls into them.
    pub(super) async fn run(&mut self, beats: usize) {
        for _ in 0..beats * 2 {
            self.half_beat().await;
        }
    }

    pub(super) async fn half_beat(&mut self) {
        self.time.fetch_add(BEAT_MS / 2, Ordering::Relaxed);
        self.work().await;
        for at in 0..self.donors.len() {
            if self.donors[at].up {
                self.beat(at, false).await;
            }
        }
    }

    pub(super) async fn work(&mut self) {
        let this = &self.coordinator;
        this.liveness_step().await.expect("liveness");
        while this.walk_step().await.expect("walk") == Progress::More {}
        while this.count_step().await.expect("count") == Progress::More {}
        while this.plan_step().await.expect("plan") == Progress::More {}
        while this.move_step().await.expect("move") == Progress::More {}
        while this.release_step().await.expect("release") == Progress::More {}
        while this.expiry_step() == Progress::More {}
    }

    /// Writes segments `0..count` of a part as a gateway does.
    pub(super) async fn put(&mut self, part: PartId, code: Code, count: u16) -> Result<(), FleetError> {
        let commits = self.store_shards(part, code, count).await?;
        self.commit(commits).await
    }

    /// The part of a write before the segments are committed.
    pub(super) async fn store_shards(&mut self, part: PartId, code: Code, count: u16) -> Result<Vec<SegmentCommit>, FleetError> {
        let ask = GrantRequest { code, shard_bytes: SHARD_BYTES, segments: count, spares: 1, holding: Vec::new() };
        let grants = self.coordinator.grant(ask).await?;
        let mut commits = Vec::new();
        for (index, grant) in grants.into_iter().enumerate() {
            let segment = SegmentId { part, index: index as u32 };
            let mut takers = grant.donors.iter().filter(|granted| self.donors.iter().any(|d| d.id == granted.node && d.up));
            let shards: Vec<PlacedShard> = (0..code.n())
                .map(|position| {
                    let bytes = bytes_of(segment, code, position);
                    let id = ShardId::of(&bytes);
                    self.bytes.insert(id, bytes);
                    PlacedShard { id, node: takers.next().map(|donor| donor.node) }
                })
                .collect();
            if shards.iter().filter(|shard| shard.node.is_some()).count() < code.write_quorum() {
                return Err(FleetError::Unavailable("too few donors answered".into()));
            }
            commits.push(SegmentCommit { segment, code, shard_bytes: SHARD_BYTES, shards, grant: grant.id });
        }
        let now = self.now();
        for shard in commits.iter().flat_map(|commit| &commit.shards) {
            if let Some(donor) = self.donors.iter_mut().find(|donor| Some(donor.id) == shard.node) {
                donor.held.insert(shard.id, now);
            }
        }
        Ok(commits)
    }

    pub(super) async fn commit(&mut self, commits: Vec<SegmentCommit>) -> Result<(), FleetError> {
        self.coordinator.commit(commits.clone()).await?;
        self.live.extend(commits.iter().map(|commit| commit.segment));
        Ok(())
    }

    pub(super) async fn release(&mut self, part: PartId) {
        self.coordinator.release(vec![part]).await.expect("released");
        self.live.retain(|segment| segment.part != part);
    }

    pub(super) async fn status(&self) -> Status {
        self.coordinator.status().await.expect("status")
    }

    /// Changes what the coordinator makes of a donor; until its next start.
    pub(super) fn set_standing(&self, number: u32, state: StandingState) {
        self.coordinator.state().nodes.get_mut(NodeId(number)).expect("known").standing.state = state;
    }

    /// Gives donors a record by which their shards count half.
    pub(super) fn make_light(&self, donors: impl IntoIterator<Item = u32>) {
        for number in donors {
            self.coordinator.state().nodes.get_mut(NodeId(number)).expect("known").record.failed += 1.0;
        }
    }

    /// How often a donor was blamed.
    pub(super) fn blamed(&self, number: u32) -> f64 {
        self.coordinator.state().nodes.get(NodeId(number)).expect("known").record.failed
    }

    /// Shards that the map names a donor for.
    pub(super) async fn named(&self, number: u32) -> usize {
        let rows = self.store.scan(keyspace::holdings_of(NodeId(number)), 10_000, Direction::Ascending).await;
        rows.expect("scans").len()
    }

    /// A gateway finds these positions of a segment missing.
    pub(super) async fn lose(&mut self, segment: SegmentId, code: Code, positions: &[usize]) {
        let holders = self.holders(segment).await;
        for position in positions {
            let (node, shard) = (NodeId(holders[*position]), shard_of(segment, code, *position));
            self.donor(node.0).held.remove(&shard);
            let report = ShardReport { segment, shard, node, fault: ShardFault::Missing };
            self.coordinator.report(vec![report]).await.expect("taken");
        }
    }

    /// The rebuilds handed out so far.
    pub(super) fn rebuilds(&self) -> Vec<&Task> {
        self.handed.iter().map(|(_, task)| task).filter(|task| matches!(task.work, Work::Rebuild { .. })).collect()
    }

    /// Donors named for a segment, by position; 0 is none.
    pub(super) async fn holders(&self, segment: SegmentId) -> Vec<u32> {
        let found = self.coordinator.locate(segment.part, segment.index, 1).await.expect("located");
        found[0].shards.iter().map(|shard| shard.source.as_ref().map_or(0, |source| source.node.0)).collect()
    }

    /// Every segment is at `n`, on distinct donors that really have the shards; nobody holds anything else; nothing is left to do.
    pub(super) async fn assert_settled(&self) {
        let status = self.status().await;
        assert_eq!(
            (status.segments.full, status.repair.queued, status.repair.deletes),
            (self.live.len() as u64, 0, 0),
            "{status:?}"
        );
        let mut named: HashSet<(NodeId, ShardId)> = HashSet::new();
        for segment in &self.live {
            let row = read_segment(&*self.store, segment).await.expect("reads").expect("known").row;
            assert!(row.shards.iter().all(|place| place.holders.len() == 1), "not exactly one holder each: {row:?}");
            named.extend(row.placed().map(|(_, shard, node)| (node, shard)));
        }
        let held = self.donors.iter().flat_map(|donor| donor.held.keys().map(|shard| (donor.id, *shard)));
        assert_eq!(held.collect::<HashSet<_>>(), named, "donors hold what the map says");
        crate::map::testing::assert_consistent(&*self.store).await;
    }
}

async fn open(store: &Arc<dyn Store>, config: &CoordinatorConfig, secret: &Secret, time: &Arc<AtomicU64>) -> Arc<Coordinator> {
    let time = time.clone();
    let clock: Clock = Arc::new(move || time.load(Ordering::Relaxed));
    Coordinator::with_store(store.clone(), config.clone(), secret.clone(), clock).await.expect("opened")
}

/// The bytes of a shard; with `k = 1` all positions have the same.
fn bytes_of(segment: SegmentId, code: Code, position: usize) -> Vec<u8> {
    let position = if code.k() == 1 { 0 } else { position };
    format!("{segment}/{position} ").into_bytes().into_iter().cycle().take(SHARD_BYTES as usize).collect()
}

pub(super) fn shard_of(segment: SegmentId, code: Code, position: usize) -> ShardId {
    ShardId::of(&bytes_of(segment, code, position))
}

pub(super) fn part(number: u8) -> PartId {
    PartId([number; 16])
}

pub(super) fn code(k: u8, n: u8) -> Code {
    Code::new(k, n).expect("a code")
}
