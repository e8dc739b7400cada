//! The coordinator over a real port, with the clients that gateways, donors and operators use.

use std::path::Path;
use std::time::Duration;

use nodio_coordinator::{CoordinatorConfig, DomainRule, Running, start};
use nodio_host::Shutdown;
use nodio_wire::api::{Heartbeat, HeartbeatReply, NodeState, Outcome, Register, Status, TaskReport, Work, set_digest};
use nodio_wire::auth::{self, Request, Secret, Who, node_secret};
use nodio_wire::client::{ApiError, HttpFleet, NodeApi, OperatorApi, http_pool};
use nodio_wire::fleet::{Fleet, FleetError, Grant, GrantRequest, PlacedShard, SegmentCommit};
use nodio_wire::ticket::{Op, Ticket};
use nodio_wire::{Code, NodeId, PartId, SegmentId, ShardId};

const SHARD_BYTES: u32 = 5000;

fn config(folder: &Path) -> CoordinatorConfig {
    CoordinatorConfig {
        data: folder.to_owned(),
        listen: "127.0.0.1:0".parse().expect("an address"),
        domain: DomainRule::Node,
        heartbeat_ms: 200,
        repair_after_ms: 300,
        plan_every_ms: 20,
        ..CoordinatorConfig::default()
    }
}

struct Cluster {
    running: Running,
    shutdown: Shutdown,
    fleet: HttpFleet,
    operator: OperatorApi,
    pool: reqwest::Client,
}

impl Cluster {
    async fn start(folder: &Path) -> Self {
        let shutdown = Shutdown::new();
        let running = start(config(folder), shutdown.clone()).await.expect("started");
        let pool = http_pool().expect("a pool");
        let fleet = HttpFleet::new(pool.clone(), &running.links.gateway);
        let operator = OperatorApi::new(pool.clone(), &running.links.operator);
        Self { running, shutdown, fleet, operator, pool }
    }

    async fn stop(self) {
        self.shutdown.trigger();
        drop((self.fleet, self.operator, self.pool));
        self.running.wait().await;
    }

    fn base(&self) -> String {
        format!("http://{}", self.running.addr)
    }

    async fn status(&self) -> Status {
        self.operator.status().await.expect("status")
    }

    async fn donors(&self, count: u8, capacity_bytes: u64) -> Vec<Donor> {
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
struct Donor {
    id: NodeId,
    api: NodeApi,
    secret: Secret,
    capacity_bytes: u64,
    done: Vec<TaskReport>,
}

fn register(number: u8, capacity_bytes: u64) -> Register {
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
    async fn join(cluster: &Cluster, number: u8, capacity_bytes: u64) -> Self {
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

    fn heartbeat(&self) -> Heartbeat {
        Heartbeat {
            node: self.id,
            capacity_bytes: self.capacity_bytes,
            used_bytes: 0,
            free_bytes: self.capacity_bytes,
            shards: 0,
            digest: format!("{:x}", set_digest([])),
            done: self.done.clone(),
            rotten: Vec::new(),
            slots: 8,
            leaving: false,
        }
    }

    async fn beat(&mut self) -> HeartbeatReply {
        let reply = self.api.heartbeat(&self.heartbeat()).await.expect("answered");
        self.done.clear();
        reply
    }
}

fn code() -> Code {
    Code::new(2, 4).expect("a code")
}

fn ask(segments: u16) -> GrantRequest {
    GrantRequest { code: code(), shard_bytes: SHARD_BYTES, segments, spares: 1 }
}

fn commit(part: PartId, index: u32, grant: &Grant) -> SegmentCommit {
    let shard = |at: usize| PlacedShard { id: ShardId::of(&[index as u8, at as u8]), node: Some(grant.donors[at].node) };
    SegmentCommit {
        segment: SegmentId { part, index },
        code: code(),
        shard_bytes: SHARD_BYTES,
        shards: (0..code().n()).map(shard).collect(),
        grant: grant.id,
    }
}

/// Asks again, letting donors beat, until it holds.
async fn until<T>(donors: &mut [Donor], mut probe: impl AsyncFnMut(&mut [Donor]) -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(found) = probe(donors).await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it never came to hold");
}

#[tokio::test]
async fn what_is_committed_is_located_with_tickets_that_donors_accept() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::start(folder.path()).await;
    let donors = cluster.donors(6, 1 << 30).await;
    assert_eq!(cluster.fleet.summary().await.expect("answered").domains_up, 6);
    let grants = cluster.fleet.grant(ask(3)).await.expect("granted");
    for granted in grants.iter().flat_map(|grant| &grant.donors) {
        let donor = donors.iter().find(|donor| donor.id == granted.node).expect("known");
        let ticket = Ticket::open(Some(&granted.ticket.0), &donor.secret, donor.id, 0).expect("opens");
        assert_eq!(ticket.allows(Op::Put, &ShardId::of(b"any"), SHARD_BYTES as usize), Ok(()));
    }
    let part = PartId::random();
    let commits: Vec<_> = (0..).zip(&grants).map(|(index, grant)| commit(part, index, grant)).collect();
    cluster.fleet.commit(commits.clone()).await.expect("committed");
    cluster.fleet.commit(commits.clone()).await.expect("a retry is no error");
    let located = cluster.fleet.locate(part, 1, 10).await.expect("located");
    assert_eq!(located.iter().map(|found| found.segment.index).collect::<Vec<_>>(), [1, 2]);
    let source = located[0].shards[3].source.as_ref().expect("placed");
    let donor = donors.iter().find(|donor| donor.id == source.node).expect("known");
    let ticket = Ticket::open(Some(&source.ticket.0), &donor.secret, donor.id, 0).expect("opens");
    assert_eq!((ticket.allows(Op::Get, &commits[1].shards[3].id, 0), source.up), (Ok(()), true));
    let status = cluster.status().await;
    assert_eq!((status.segments.full, status.nodes.len()), (3, 6));
    assert!(status.ticks.iter().any(|tick| tick.name == "plan"));
    cluster.stop().await;
}

#[tokio::test]
async fn a_released_part_is_deleted_on_its_donors() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::start(folder.path()).await;
    let mut donors = cluster.donors(4, 1 << 30).await;
    let part = PartId::random();
    let grants = cluster.fleet.grant(ask(1)).await.expect("granted");
    let entered = commit(part, 0, &grants[0]);
    cluster.fleet.commit(vec![entered.clone()]).await.expect("committed");
    assert_eq!(cluster.fleet.parts(None, 10).await.expect("listed")[0].part, part);
    cluster.fleet.release(vec![part]).await.expect("released");
    assert!(cluster.fleet.parts(None, 10).await.expect("listed").is_empty());
    let mut deleted = Vec::new();
    until(&mut donors, async |donors| {
        for donor in donors {
            for task in donor.beat().await.work {
                let Work::Delete { shards } = task.work else { panic!("unexpected work") };
                deleted.extend(shards.into_iter().map(|shard| (donor.id, shard)));
                donor.done.push(TaskReport { id: task.id, outcome: Outcome::Done });
            }
        }
        (deleted.len() == 4 && cluster.status().await.repair.deletes == 0).then_some(())
    })
    .await;
    let mut want: Vec<_> = entered.shards.iter().map(|shard| (shard.node.expect("placed"), shard.id)).collect();
    deleted.sort();
    want.sort();
    assert_eq!(deleted, want);
    cluster.stop().await;
}

#[tokio::test]
async fn an_absent_donors_shard_is_rebuilt_by_another_also_across_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::start(folder.path()).await;
    let mut donors = cluster.donors(5, 1 << 30).await;
    let part = PartId::random();
    let grants = cluster.fleet.grant(ask(1)).await.expect("granted");
    let entered = commit(part, 0, &grants[0]);
    cluster.fleet.commit(vec![entered.clone()]).await.expect("committed");
    let absent = entered.shards[1].node.expect("placed");
    donors.retain(|donor| donor.id != absent);
    until(&mut donors, async |donors| {
        for donor in donors {
            donor.api.heartbeat(&Heartbeat { slots: 0, ..donor.heartbeat() }).await.expect("answered");
        }
        (cluster.status().await.repair.running == 1).then_some(())
    })
    .await;
    cluster.stop().await;

    let cluster = Cluster::start(folder.path()).await;
    for donor in &mut donors {
        donor.api = NodeApi::new(cluster.pool.clone(), cluster.base(), Who::Node(donor.id), donor.secret.clone());
    }
    let rebuilt_by = until(&mut donors, async |donors| {
        let mut found = None;
        for donor in donors {
            for task in donor.beat().await.work {
                let Work::Rebuild { segment, position, shard, sources, .. } = task.work else { panic!("unexpected work") };
                assert_eq!((segment, position, shard), (entered.segment, 1, entered.shards[1].id));
                assert!(sources.len() == 3 && sources.iter().all(|source| source.node != absent && source.node != donor.id));
                donor.done.push(TaskReport { id: task.id, outcome: Outcome::Done });
                donor.done.push(TaskReport { id: task.id, outcome: Outcome::Done });
                donor.beat().await;
                found = Some(donor.id);
            }
        }
        found
    })
    .await;
    let located = cluster.fleet.locate(part, 0, 1).await.expect("located");
    assert_eq!(located[0].shards[1].source.as_ref().map(|source| source.node), Some(rebuilt_by));
    let status = cluster.status().await;
    assert_eq!((status.repair.rebuilt, status.repair.queued, status.segments.full), (1, 0, 1), "{status:?}");
    assert!(matches!(status.nodes[absent.0 as usize - 1].state, NodeState::Offline | NodeState::Lost));
    cluster.stop().await;
}

#[tokio::test]
async fn racing_grants_never_promise_more_than_there_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::start(folder.path()).await;
    let capacity_bytes = 20 * u64::from(SHARD_BYTES + 4096);
    let _donors = cluster.donors(5, capacity_bytes).await;
    let grants = futures::future::join_all((0..30).map(|_| cluster.fleet.grant(ask(2)))).await;
    let mut promised = std::collections::HashMap::<NodeId, u64>::new();
    for grant in grants.iter().flatten().flatten() {
        grant.donors.iter().for_each(|donor| *promised.entry(donor.node).or_default() += u64::from(SHARD_BYTES + 4096));
    }
    assert!(promised.values().all(|bytes| *bytes <= capacity_bytes), "{promised:?}");
    assert!(grants.iter().any(Result::is_ok));
    assert!(grants.iter().any(|grant| matches!(grant, Err(FleetError::NotEnoughDonors { need: 3, .. }))));
    cluster.stop().await;
}

#[tokio::test]
async fn nothing_answers_without_the_right_signature() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::start(folder.path()).await;
    let donors = cluster.donors(1, 1 << 30).await;
    let paths =
        ["/api/health", "/api/status", "/api/nodes/register", "/fleet/summary", "/", "/nothing/here", "/api/files/zz/manifest"];
    for path in paths {
        for method in [reqwest::Method::GET, reqwest::Method::POST, reqwest::Method::DELETE] {
            let plain = cluster.pool.request(method.clone(), format!("{}{path}", cluster.base()));
            let answer = plain.send().await.expect("answered");
            assert_eq!(
                (answer.status().as_u16(), answer.text().await.expect("text")),
                (401, r#"{"error":"unauthorized"}"#.into())
            );
        }
    }
    let stranger = Secret::random();
    for who in [Who::Gateway, Who::Operator, Who::Joining, Who::Node(NodeId(1)), Who::Node(NodeId(99))] {
        assert_eq!(signed_get(&cluster, "/api/health", who, &stranger).await, 401);
    }
    let links = &cluster.running.links;
    for (who, secret) in [
        (Who::Gateway, &links.gateway.secret),
        (Who::Operator, &links.operator.secret),
        (Who::Node(donors[0].id), &donors[0].secret),
    ] {
        assert_eq!(signed_get(&cluster, "/api/health", who, secret).await, 200);
        assert_eq!(signed_get(&cluster, "/nothing/here", who, secret).await, 404);
        let allowed = if who == Who::Operator { 200 } else { 401 };
        assert_eq!(signed_get(&cluster, "/api/status", who, secret).await, allowed);
    }
    cluster.stop().await;
}

async fn signed_get(cluster: &Cluster, path: &str, who: Who, secret: &Secret) -> u16 {
    let header = Request { method: "GET", path, body: b"" }.sign(secret, who, nodio_host::now_ms());
    let request = cluster.pool.get(format!("{}{path}", cluster.base())).header(auth::HEADER, header);
    request.send().await.expect("answered").status().as_u16()
}

#[tokio::test]
async fn a_donor_speaks_only_for_itself_and_a_role_only_for_what_it_may() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::start(folder.path()).await;
    let donors = cluster.donors(2, 1 << 30).await;
    let forged = donors[0].api.heartbeat(&donors[1].heartbeat()).await;
    assert!(matches!(forged, Err(ApiError::Refused { status: 401, .. })), "{forged:?}");
    let taken_over = donors[0].api.register(&Register { node: Some(donors[1].id), ..register(2, 5) }).await;
    assert!(matches!(taken_over, Err(ApiError::Refused { status: 400, .. })), "{taken_over:?}");
    let not_a_gateway = HttpFleet::new(cluster.pool.clone(), &cluster.running.links.operator);
    assert!(matches!(not_a_gateway.grant(ask(1)).await, Err(FleetError::Refused(_))));
    let not_an_operator = OperatorApi::new(cluster.pool.clone(), &cluster.running.links.gateway);
    assert!(matches!(not_an_operator.status().await, Err(ApiError::Refused { status: 401, .. })));
    cluster.stop().await;
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::start(folder.path()).await;
    let body = vec![0; 9 * 1024 * 1024];
    let gateway = &cluster.running.links.gateway.secret;
    let header = Request { method: "POST", path: "/fleet/commit", body: &body }.sign(gateway, Who::Gateway, nodio_host::now_ms());
    let too_long = cluster.pool.post(format!("{}/fleet/commit", cluster.base())).header(auth::HEADER, header).body(body);
    match too_long.send().await {
        Ok(answer) => assert_eq!(answer.status().as_u16(), 413),
        Err(error) => assert!(error.is_request(), "{error:?}"),
    }
    cluster.stop().await;
}

#[tokio::test]
async fn operators_and_gateways_see_plans_and_manifests_as_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::start(folder.path()).await;
    let _donors = cluster.donors(4, 1 << 30).await;
    let operator = &cluster.running.links.operator.secret;
    let body = serde_json::to_vec(&ask(1)).expect("encodes");
    let path = "/api/shards/placement-plan";
    let header = Request { method: "POST", path, body: &body }.sign(operator, Who::Operator, nodio_host::now_ms());
    let request = cluster.pool.post(format!("{}{path}", cluster.base())).header(auth::HEADER, header).body(body);
    let grants: Vec<Grant> = request.send().await.expect("answered").json().await.expect("json");
    let part = PartId::random();
    cluster.fleet.commit(vec![commit(part, 0, &grants[0])]).await.expect("committed");
    assert_eq!(signed_get(&cluster, &format!("/api/files/{part}/manifest?first=0&count=5"), Who::Operator, operator).await, 200);
    assert_eq!(signed_get(&cluster, "/api/files/nonsense/manifest", Who::Operator, operator).await, 400);
    cluster.stop().await;
}

#[tokio::test]
async fn a_folder_serves_one_coordinator_and_keeps_its_links() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::start(folder.path()).await;
    let again = start(config(folder.path()), Shutdown::new()).await.err().expect("refused");
    assert!(again.to_string().contains("in use"), "{again}");
    let file = std::fs::read_to_string(folder.path().join(nodio_coordinator::OPERATOR_LINK_FILE)).expect("written");
    let link = cluster.running.links.operator.clone();
    assert_eq!(file.trim().parse(), Ok(link.clone()));
    cluster.stop().await;
    let cluster = Cluster::start(folder.path()).await;
    assert_eq!(cluster.running.links.operator.secret, link.secret);
    cluster.stop().await;
}
