//! A whole network in memory under a clock that tests turn: the real coordinator over the memory store, and donors that do as they are told.

mod churn;
mod stories;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nodio_host::Progress;
use nodio_meta::Store;
use nodio_wire::api::{
    BadSource, Heartbeat, HeldShard, Inventory, Outcome, Register, Status, Task, TaskReport, Work, set_digest,
};
use nodio_wire::auth::{Secret, Who};
use nodio_wire::fleet::{Fleet, FleetError, GrantRequest, PlacedShard, SegmentCommit};
use nodio_wire::{Code, NodeId, PartId, SegmentId, ShardId, UnixMs};

use crate::config::{CoordinatorConfig, DomainRule};
use crate::map::testing::store;
use crate::service::{Clock, Coordinator};

pub(super) const BEAT_MS: u64 = 1000;
pub(super) const LOST_MS: u64 = 20_000;
const SHARD_BYTES: u32 = 1000;

/// A donor: what it holds, since when, and what it has to report.
pub(super) struct Donor {
    pub id: NodeId,
    pub up: bool,
    pub held: BTreeMap<ShardId, UnixMs>,
    pub reports: Vec<TaskReport>,
}

pub(super) struct Network {
    pub coordinator: Arc<Coordinator>,
    pub donors: Vec<Donor>,
    pub store: Arc<dyn Store>,
    config: CoordinatorConfig,
    secret: Secret,
    time: Arc<AtomicU64>,
    /// Every segment that was acknowledged and not released.
    pub live: HashSet<SegmentId>,
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
        ..CoordinatorConfig::default()
    }
}

impl Network {
    pub(super) async fn new(donors: u32, config: CoordinatorConfig) -> Self {
        let (store, time, secret) = (store(), Arc::new(AtomicU64::new(1_000_000)), Secret::random());
        let coordinator = open(&store, &config, &secret, &time).await;
        let mut network = Self { coordinator, donors: Vec::new(), store, config, secret, time, live: HashSet::new() };
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
        let number = self.donors.len() + 1;
        let register = Register {
            node: None,
            nonce: hex::encode([number as u8; 16]),
            addr: format!("http://donor-{number}:7400"),
            capacity_bytes: 1 << 30,
            operator: None,
            zone: None,
            version: "test".into(),
        };
        let id = self.coordinator.register(Who::Joining, register).await.expect("registered").node;
        self.donors.push(Donor { id, up: true, held: BTreeMap::new(), reports: Vec::new() });
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
            self.time.fetch_add(BEAT_MS / 2, Ordering::Relaxed);
            self.work().await;
            for at in 0..self.donors.len() {
                if self.donors[at].up {
                    self.beat(at, false).await;
                }
            }
        }
    }

    async fn work(&mut self) {
        let this = &self.coordinator;
        this.liveness_step().await.expect("liveness");
        while this.walk_step().await.expect("walk") == Progress::More {}
        while this.plan_step().await.expect("plan") == Progress::More {}
        while this.release_step().await.expect("release") == Progress::More {}
        while this.expiry_step() == Progress::More {}
    }

    pub(super) async fn beat(&mut self, at: usize, leaving: bool) {
        let donor = &mut self.donors[at];
        let used = donor.held.len() as u64 * 4096;
        let beat = Heartbeat {
            node: donor.id,
            capacity_bytes: 1 << 30,
            used_bytes: used,
            free_bytes: (1 << 30) - used,
            shards: donor.held.len() as u64,
            digest: format!("{:032x}", set_digest(donor.held.keys().copied())),
            done: std::mem::take(&mut donor.reports),
            rotten: Vec::new(),
            slots: 8,
            leaving,
        };
        let reply = self.coordinator.heartbeat(beat).await.expect("answered");
        for task in reply.work {
            let report = self.perform(at, task);
            self.donors[at].reports.push(report);
        }
        if reply.inventory_wanted {
            self.send_inventory(at).await;
        }
    }

    fn perform(&mut self, at: usize, task: Task) -> TaskReport {
        let now = self.now();
        let outcome = match task.work {
            Work::Delete { shards } => {
                self.donors[at].held.retain(|shard, _| !shards.contains(shard));
                Outcome::Done
            }
            Work::Rebuild { code, shard, sources, .. } => {
                let has = |node: NodeId, shard: &ShardId| {
                    self.donors.iter().any(|d| d.id == node && d.up && d.held.contains_key(shard))
                };
                let readable = sources.iter().filter(|source| has(source.node, &source.shard)).count();
                let dead = |node: NodeId| self.donors.iter().any(|d| d.id == node && !d.up);
                let bad = sources.iter().filter(|source| !has(source.node, &source.shard) && !dead(source.node));
                let bad: Vec<BadSource> = bad.map(|source| BadSource { node: source.node, shard: source.shard }).collect();
                if readable >= code.k() {
                    self.donors[at].held.entry(shard).or_insert(now);
                    Outcome::Done
                } else {
                    Outcome::Failed { reason: "too few sources".into(), bad }
                }
            }
        };
        TaskReport { id: task.id, outcome }
    }

    async fn send_inventory(&mut self, at: usize) {
        let now = self.now();
        let donor = &mut self.donors[at];
        let all: Vec<HeldShard> =
            donor.held.iter().map(|(id, since)| HeldShard { id: *id, age_s: ((now - since) / 1000) as u32 }).collect();
        let pages: Vec<&[HeldShard]> = if all.is_empty() { vec![&[]] } else { all.chunks(7).collect() };
        let mut after = None;
        for (number, shards) in pages.iter().enumerate() {
            let through = if number + 1 == pages.len() { None } else { shards.last().map(|shard| shard.id) };
            let page = Inventory { node: donor.id, after, through, shards: shards.to_vec() };
            let reply = self.coordinator.inventory(page).await.expect("answered");
            donor.held.retain(|shard, _| !reply.surplus.contains(shard));
            after = through;
        }
    }

    /// Writes segments `0..count` of a part as a gateway does.
    pub(super) async fn put(&mut self, part: PartId, code: Code, count: u16) -> Result<(), FleetError> {
        let ask = GrantRequest { code, shard_bytes: SHARD_BYTES, segments: count, spares: 1 };
        let grants = self.coordinator.grant(ask).await?;
        let mut commits = Vec::new();
        for (index, grant) in grants.into_iter().enumerate() {
            let segment = SegmentId { part, index: index as u32 };
            let mut takers = grant.donors.iter().filter(|granted| self.donors.iter().any(|d| d.id == granted.node && d.up));
            let shards: Vec<PlacedShard> = (0..code.n())
                .map(|position| PlacedShard {
                    id: shard_of(segment, code, position),
                    node: takers.next().map(|donor| donor.node),
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
            let found = self.coordinator.locate(segment.part, segment.index, 1).await.expect("located");
            let sources: Vec<_> =
                found[0].shards.iter().map(|shard| (shard.source.as_ref().expect("placed").node, shard.id)).collect();
            assert_eq!(sources.iter().map(|(node, _)| node).collect::<HashSet<_>>().len(), sources.len(), "a donor twice");
            named.extend(sources);
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

/// The id of a shard; with `k = 1` all positions have the same.
pub(super) fn shard_of(segment: SegmentId, code: Code, position: usize) -> ShardId {
    let position = if code.k() == 1 { 0 } else { position };
    ShardId::of(format!("{segment}/{position}").as_bytes())
}

pub(super) fn part(number: u8) -> PartId {
    PartId([number; 16])
}

pub(super) fn code(k: u8, n: u8) -> Code {
    Code::new(k, n).expect("a code")
}
