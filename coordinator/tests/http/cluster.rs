//! A coordinator on a real port, and donors that say what they are told to say.

use std::path::Path;
use std::time::Duration;

use nodio_coordinator::{CoordinatorConfig, DomainRule, Running, start};
use nodio_host::Shutdown;
use nodio_wire::api::{Heartbeat, HeartbeatReply, Register, Scrub, Status, TaskReport, Trash, set_digest};
use nodio_wire::auth::{Secret, Who, node_secret};
use nodio_wire::client::{HttpFleet, NodeApi, OperatorApi, http_pool};
use nodio_wire::fleet::{Fleet, Grant, GrantRequest, PlacedShard, SegmentCommit};
use nodio_wire::{Code, NodeId, PartId, SegmentId, ShardId};

pub(crate) const SHARD_BYTES: u32 = 5000;

pub(crate) fn config(folder: &Path) -> CoordinatorConfig {
    CoordinatorConfig {
        data: folder.to_owned(),
        listen: "127.0.0.1:0".parse().expect("an address"),
        domain: DomainRule::Node,
        heartbeat_ms: 200,
        repair_after_ms: 300,
        plan_every_ms: 20,
        audits_per_day: 0,
        ..CoordinatorConfig::default()
    }
}

pub(crate) struct Cluster {
    pub running: Running,
    shutdown: Shutdown,
    pub fleet: HttpFleet,
    pub operator: OperatorApi,
    pub pool: reqwest::Client,
}

impl Cluster {
    pub(crate) async fn start(folder: &Path) -> Self {
        Self::start_with(config(folder)).await
    }

    pub(crate) async fn start_with(config: CoordinatorConfig) -> Self {
        let shutdown = Shutdown::new();
        let running = start(config, shutdown.clone()).await.expect("started");
        let pool = http_pool().expect("a pool");
        let fleet = HttpFleet::new(pool.clone(), &running.links.gateway);
        let operator = OperatorApi::new(pool.clone(), &running.links.operator);
        Self { running, shutdown, fleet, operator, pool }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.trigger();
        drop((self.fleet, self.operator, self.pool));
        self.running.wait().await;
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.running.addr)
    }

    pub(crate) async fn status(&self) -> Status {
        self.operator.status().await.expect("status")
    }

    pub(crate) async fn donors(&self, count: u8, capacity_bytes: u64) -> Vec<Donor> {
        let mut donors = Vec::new();
        for number in 1..=count {
            let mut donor = Donor::join(self, number, capacity_bytes).await;
            donor.beat().await;
            donors.push(donor);
        }
        donors
    }
}

/// A donor that says what it is told to say.
pub(crate) struct Donor {
    pub id: NodeId,
    pub api: NodeApi,
    pub secret: Secret,
    capacity_bytes: u64,
    pub done: Vec<TaskReport>,
}

pub(crate) fn register(number: u8, capacity_bytes: u64) -> Register {
    Register {
        node: None,
        nonce: hex::encode([number; 16]),
        addr: format!("http://10.0.0.{number}:7400"),
        capacity_bytes,
        operator: None,
        zone: None,
        version: "test".into(),
    }
}

impl Donor {
    pub(crate) async fn join(cluster: &Cluster, number: u8, capacity_bytes: u64) -> Self {
        let join = cluster.running.links.donor.secret.clone();
        let newcomer = NodeApi::new(cluster.pool.clone(), cluster.base(), Who::Joining, join.clone());
        let registered = newcomer.register(&register(number, capacity_bytes)).await.expect("registered");
        assert_eq!(newcomer.register(&register(number, capacity_bytes)).await, Ok(registered.clone()), "the same donor");
        let mut theirs = [0; 16];
        hex::decode_to_slice(&registered.nonce, &mut theirs).expect("hex");
        let secret = node_secret(&join, &[number; 16], &theirs);
        let api = NodeApi::new(cluster.pool.clone(), cluster.base(), Who::Node(registered.node), secret.clone());
        Self { id: registered.node, api, secret, capacity_bytes, done: Vec::new() }
    }

    pub(crate) fn heartbeat(&self) -> Heartbeat {
        Heartbeat {
            node: self.id,
            capacity_bytes: self.capacity_bytes,
            used_bytes: 0,
            free_bytes: self.capacity_bytes,
            shards: 0,
            held_bytes: 0,
            digest: format!("{:x}", set_digest([])),
            trash: Trash::default(),
            scrub: Scrub::default(),
            answers: Vec::new(),
            done: self.done.clone(),
            rotten: Vec::new(),
            slots: 8,
            leaving: false,
        }
    }

    pub(crate) async fn beat(&mut self) -> HeartbeatReply {
        let reply = self.api.heartbeat(&self.heartbeat()).await.expect("answered");
        self.done.clear();
        reply
    }
}

pub(crate) fn code() -> Code {
    Code::new(2, 4).expect("a code")
}

pub(crate) fn ask(segments: u16) -> GrantRequest {
    GrantRequest { code: code(), shard_bytes: SHARD_BYTES, segments, spares: 1, holding: Vec::new() }
}

/// The bytes of a shard.
pub(crate) fn bytes_of(index: u32, position: u8) -> Vec<u8> {
    (0..SHARD_BYTES).map(|at| (at % 253) as u8 ^ index as u8 ^ position.rotate_right(2)).collect()
}

pub(crate) fn commit(part: PartId, index: u32, grant: &Grant) -> SegmentCommit {
    let shard = |at: usize| PlacedShard { id: ShardId::of(&bytes_of(index, at as u8)), node: Some(grant.donors[at].node) };
    SegmentCommit {
        segment: SegmentId { part, index },
        code: code(),
        shard_bytes: SHARD_BYTES,
        shards: (0..code().n()).map(shard).collect(),
        grant: grant.id,
    }
}

/// Asks again, letting donors beat, until it holds.
pub(crate) async fn until<T>(donors: &mut [Donor], mut probe: impl AsyncFnMut(&mut [Donor]) -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(found) = probe(donors).await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it never came to hold");
}

/// Enters `count` segments of a new part on these donors: shard `i` of each is with donor `i`.
pub(crate) async fn enter(cluster: &Cluster, donors: &[Donor], count: u32) -> Vec<SegmentCommit> {
    let part = PartId::random();
    let grants = cluster.fleet.grant(ask(count as u16)).await.expect("granted");
    let mut commits: Vec<SegmentCommit> = (0..).zip(&grants).map(|(index, grant)| commit(part, index, grant)).collect();
    for commit in &mut commits {
        (0..).zip(&mut commit.shards).for_each(|(at, shard): (usize, _)| shard.node = Some(donors[at].id));
    }
    cluster.fleet.commit(commits.clone()).await.expect("committed");
    commits
}
