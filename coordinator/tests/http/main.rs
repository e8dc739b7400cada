//! The coordinator over a real port, with the clients that gateways, donors and operators use.

mod audits;
mod cluster;
mod leaving;
mod reconcile;

use nodio_coordinator::start;
use nodio_host::Shutdown;
use nodio_wire::api::{
    Ask, AuditAsk, Contents, Destination, Digests, Drain, Evidence, Heartbeat, Leave, NodeState, Outcome, Register, RepairAsk,
    StoredShard, TaskReport, Work,
};
use nodio_wire::auth::{self, Request, Secret, Who};
use nodio_wire::client::{ApiError, HttpFleet, NodeApi, OperatorApi};
use nodio_wire::fleet::{Fleet, FleetError, Grant};
use nodio_wire::proof::Proof;
use nodio_wire::ticket::{Op, Ticket};
use nodio_wire::{NodeId, PartId, ShardId};

use cluster::*;

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
                donor.done.push(TaskReport { id: task.id, outcome: Outcome::done() });
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
                let Work::Rebuild { segment, targets, sources, .. } = task.work else { panic!("unexpected work") };
                let [target] = &targets[..] else { panic!("one shard is missing: {targets:?}") };
                assert_eq!((segment, target.position, target.shard), (entered.segment, 1, entered.shards[1].id));
                assert!(sources.len() == 3 && sources.iter().all(|source| source.node != absent && source.node != donor.id));
                let Destination::Here { probe } = target.to else { panic!("it stays here") };
                let evidence = Evidence::Proof(Proof::of(&bytes_of(0, 1), probe).expect("within"));
                let outcome = Outcome::Done { stored: vec![StoredShard { position: 1, evidence }], bad: Vec::new() };
                donor.done = vec![TaskReport { id: task.id, outcome }; 2];
                donor.beat().await;
                found = Some(donor.id);
            }
        }
        found
    })
    .await;
    let located = cluster.fleet.locate(part, 0, 1).await.expect("located");
    assert_eq!(located[0].shards[1].source.as_ref().map(|source| source.node), Some(rebuilt_by));
    let status = until(&mut donors, async |donors| {
        for donor in donors {
            donor.beat().await;
        }
        let status = cluster.status().await;
        (status.repair.queued == 0).then_some(status)
    })
    .await;
    assert_eq!((status.repair.rebuilt, status.segments.full), (1, 1), "{status:?}");
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
    let drain = Drain { node: donors[0].id, cancel: false, reason: None };
    assert!(matches!(not_an_operator.drain(&drain).await, Err(ApiError::Refused { status: 401, .. })));
    let audit = AuditAsk { parts: vec![PartId::random()] };
    assert!(matches!(not_an_operator.audit(&audit).await, Err(ApiError::Refused { status: 401, .. })));
    let repair = RepairAsk { parts: vec![] };
    assert!(matches!(not_an_operator.repair(&repair).await, Err(ApiError::Refused { status: 401, .. })));
    let other = donors[1].id;
    assert!(matches!(
        donors[0].api.leave(&Leave { node: other, cancel: false }).await,
        Err(ApiError::Refused { status: 401, .. })
    ));
    assert!(matches!(donors[0].api.standing(&Ask { node: other }).await, Err(ApiError::Refused { status: 401, .. })));
    let digests = Digests { node: other, bits: 0, ranges: vec![Contents::default()] };
    assert!(matches!(donors[0].api.digests(&digests).await, Err(ApiError::Refused { status: 401, .. })));
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
