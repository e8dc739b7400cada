//! Donors that leave, or are sent away.

use nodio_wire::api::{Ask, Drain, Heartbeat, Leave, Left, Standing, StandingState};
use nodio_wire::auth::Who;
use nodio_wire::client::{ApiError, NodeApi};
use nodio_wire::fleet::Fleet;

use crate::cluster::*;

impl Donor {
    async fn leave(&self, cancel: bool) -> Result<Standing, ApiError> {
        self.api.leave(&Leave { node: self.id, cancel }).await
    }

    async fn told(&self) -> Standing {
        let beat = Heartbeat { slots: 0, ..self.heartbeat() };
        self.api.heartbeat(&beat).await.expect("answered").standing
    }
}

fn drain(donor: &Donor, cancel: bool) -> Drain {
    Drain { node: donor.id, cancel, reason: (!cancel).then(|| "its disk is old".into()) }
}

#[tokio::test]
async fn a_donor_leaves_once_nothing_is_named_for_it_and_gets_a_receipt() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::start(folder.path()).await;
    let mut donors = cluster.donors(5, 1 << 30).await;
    let entered = enter(&cluster, &donors, 2).await;

    let gone = donors[4].leave(false).await.expect("answered");
    assert_eq!(gone.state, StandingState::Released, "it holds nothing");
    assert!(cluster.running.coordinator.is_own_receipt(&gone.receipt.expect("a receipt")));

    assert_eq!(donors[0].leave(false).await.expect("answered").state, StandingState::Draining);
    until(&mut donors, async |donors| {
        let standing = donors[0].told().await;
        assert_eq!((standing.state, standing.reason.as_str()), (StandingState::Draining, "you asked to leave"));
        (standing.left == Some(Left { shards: 2, bytes: 2 * u64::from(SHARD_BYTES) })).then_some(())
    })
    .await;
    assert_eq!(donors[0].leave(true).await.expect("taken back").state, StandingState::Vetting);
    assert_eq!(donors[0].leave(true).await.expect("twice is once").state, StandingState::Vetting);
    donors[0].leave(false).await.expect("answered");
    cluster.fleet.release(vec![entered[0].segment.part]).await.expect("released");
    let standing = until(&mut donors, async |donors| {
        let standing = donors[0].told().await;
        (standing.state == StandingState::Released).then_some(standing)
    })
    .await;
    let receipt = standing.receipt.expect("a receipt");
    assert_eq!((receipt.node, receipt.released), (donors[0].id, standing.since));
    assert!(receipt.joined <= receipt.released && cluster.running.coordinator.is_own_receipt(&receipt));
    let beat = donors[0].beat().await;
    assert!(beat.work.is_empty() && beat.audits.is_empty() && !beat.reconcile_wanted, "{beat:?}");
    cluster.stop().await;

    // The same across a restart, and registering again changes nothing.
    let cluster = Cluster::start(folder.path()).await;
    donors[0].api = NodeApi::new(cluster.pool.clone(), cluster.base(), Who::Node(donors[0].id), donors[0].secret.clone());
    let again = nodio_wire::api::Register { node: Some(donors[0].id), ..register(1, 1 << 30) };
    donors[0].api.register(&again).await.expect("answered");
    assert_eq!(donors[0].told().await.receipt, Some(receipt));
    let back = donors[0].leave(true).await;
    assert!(matches!(&back, Err(ApiError::Refused { status: 400, message }) if message.contains("join again")), "{back:?}");
    cluster.stop().await;
}

#[tokio::test]
async fn an_operator_drains_a_donor_and_takes_it_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::start(folder.path()).await;
    let mut donors = cluster.donors(5, 1 << 30).await;
    enter(&cluster, &donors, 1).await;
    let drained = cluster.operator.drain(&drain(&donors[0], false)).await.expect("answered");
    assert_eq!(drained.state, StandingState::Draining);
    assert_eq!(donors[0].told().await.reason, "the operator drains this donor: its disk is old");
    assert!(matches!(donors[0].leave(true).await, Err(ApiError::Refused { status: 400, .. })));
    for grant in cluster.fleet.grant(ask(4)).await.expect("four are left") {
        assert!(grant.donors.iter().all(|donor| donor.node != donors[0].id), "nothing new goes there");
    }
    let kept = cluster.operator.drain(&drain(&donors[0], true)).await.expect("answered");
    assert_eq!((kept.state, kept.reason.as_str()), (StandingState::Vetting, "the operator keeps this donor"));

    // One that is offline is given up at once, and what it held is to be mended.
    let absent = donors.remove(1);
    absent.api.heartbeat(&Heartbeat { leaving: true, ..absent.heartbeat() }).await.expect("answered");
    let released = cluster.operator.drain(&drain(&absent, false)).await.expect("answered");
    assert_eq!(released.state, StandingState::Released);
    assert!(cluster.running.coordinator.is_own_receipt(&released.receipt.expect("a receipt")));
    until(&mut donors, async |donors| {
        for donor in donors {
            donor.told().await;
        }
        let repair = cluster.status().await.repair;
        (repair.queued + repair.running > 0).then_some(())
    })
    .await;
    let unknown = Drain { node: nodio_wire::NodeId(77), cancel: false, reason: None };
    assert!(matches!(cluster.operator.drain(&unknown).await, Err(ApiError::Refused { status: 404, .. })));
    let shouting = Drain { reason: Some("x".repeat(5000)), ..drain(&donors[0], false) };
    assert!(matches!(cluster.operator.drain(&shouting).await, Err(ApiError::Refused { status: 400, .. })));
    let state = donors[0].api.standing(&Ask { node: donors[0].id }).await.expect("answered").state;
    assert_eq!(state, StandingState::Vetting, "a refused request changes nothing");
    cluster.stop().await;
}
