//! What happens to the data when something happens to the donors.

use nodio_wire::SegmentId;
use nodio_wire::api::{BadSource, NodeState, Outcome, TaskReport};
use nodio_wire::fleet::{Fleet, FleetError, ShardFault, ShardReport};

use super::{LOST_MS, Network, code, config, part, shard_of};
use crate::config::CoordinatorConfig;

const BEATS_TO_LOST: usize = (LOST_MS / super::BEAT_MS) as usize + 6;

fn first(number: u8) -> SegmentId {
    SegmentId { part: part(number), index: 0 }
}

#[tokio::test]
async fn a_donor_that_stays_away_is_replaced_and_surplus_goes_when_it_returns() {
    let mut network = Network::new(8, config()).await;
    network.put(part(1), code(2, 6), 20).await.expect("written");
    network.assert_settled().await;
    network.donor(3).up = false;
    network.run(5).await;
    let status = network.status().await;
    assert_eq!(status.nodes[2].state, NodeState::Offline);
    assert!(status.segments.degraded > 0 && status.repair.queued == 0, "offline is waited for: {status:?}");
    network.run(BEATS_TO_LOST).await;
    let status = network.status().await;
    assert_eq!((status.nodes[2].state, status.segments.full), (NodeState::Lost, 20), "{status:?}");
    assert!(status.repair.rebuilt > 0);
    network.donor(3).up = true;
    network.run(10).await;
    network.assert_settled().await;
}

#[tokio::test]
async fn a_donor_that_returns_in_time_counts_again_untouched() {
    let mut network = Network::new(8, config()).await;
    network.put(part(1), code(2, 6), 20).await.expect("written");
    network.donor(3).up = false;
    network.run(10).await;
    network.donor(3).up = true;
    network.run(10).await;
    assert_eq!(network.status().await.repair.rebuilt, 0);
    network.assert_settled().await;
}

#[tokio::test]
async fn at_the_margin_nobody_is_waited_for() {
    let mut network = Network::new(9, config()).await;
    network.put(part(1), code(4, 6), 10).await.expect("written");
    let victim = network.holders(first(1)).await[0];
    network.donor(victim).up = false;
    network.run(8).await;
    let status = network.status().await;
    assert_eq!((status.segments.full, status.nodes[victim as usize - 1].state), (10, NodeState::Offline), "{status:?}");
}

#[tokio::test]
async fn a_graceful_leave_is_noticed_at_once() {
    let mut network = Network::new(7, CoordinatorConfig { emergency_margin: 0, ..config() }).await;
    network.put(part(1), code(2, 6), 3).await.expect("written");
    network.donor(2).up = false;
    network.beat(1, true).await;
    assert_eq!(network.status().await.nodes[1].state, NodeState::Offline);
    assert!(matches!(network.put(part(2), code(5, 7), 1).await, Ok(())), "six of seven are the quorum");
    assert!(matches!(network.put(part(3), code(6, 7), 1).await, Err(FleetError::NotEnoughDonors { need: 7, have: 6 })));
}

#[tokio::test]
async fn a_shard_that_never_arrived_is_made_up_for() {
    let mut network = Network::new(6, config()).await;
    network.donor(6).up = false;
    network.put(part(1), code(4, 6), 5).await.expect("written");
    assert!(network.status().await.repair.queued > 0);
    network.donor(6).up = true;
    network.run(6).await;
    network.assert_settled().await;
}

#[tokio::test]
async fn a_corrupt_shard_is_deleted_and_rebuilt_even_on_the_same_donor() {
    let mut network = Network::new(6, config()).await;
    network.put(part(1), code(4, 6), 1).await.expect("written");
    let holders = network.holders(first(1)).await;
    let (shard, node) = (shard_of(first(1), code(4, 6), 2), nodio_wire::NodeId(holders[2]));
    let report = ShardReport { segment: first(1), shard, node, fault: ShardFault::Corrupt };
    network.coordinator.report(vec![report, report]).await.expect("taken");
    assert_eq!(network.holders(first(1)).await[2], 0);
    network.run(8).await;
    assert_eq!(network.holders(first(1)).await, holders, "nobody else was free");
    let status = network.status().await;
    assert_eq!((status.nodes[node.0 as usize - 1].faults, status.repair.rebuilt), (1, 1));
    network.assert_settled().await;
}

/// Six donors and as many more as asked for, with a segment that has just enough live shards, one of which has rotted unnoticed.
async fn one_too_many_rotten(more: u32) -> (Network, Vec<u32>) {
    let mut network = Network::new(6, config()).await;
    network.put(part(1), code(4, 6), 1).await.expect("written");
    let holders = network.holders(first(1)).await;
    network.donor(holders[0]).rotten.insert(shard_of(first(1), code(4, 6), 0));
    for _ in 0..more {
        network.join().await;
    }
    network.run(2).await;
    holders[4..].iter().for_each(|donor| network.donor(*donor).up = false);
    network.run(5).await;
    (network, holders)
}

#[tokio::test]
async fn a_donor_accused_by_a_gateway_reads_the_shard_though_the_segment_cannot_be_read_without_it() {
    let (mut network, holders) = one_too_many_rotten(0).await;
    let (shard, node) = (shard_of(first(1), code(4, 6), 0), nodio_wire::NodeId(holders[0]));
    let report = ShardReport { segment: first(1), shard, node, fault: ShardFault::Corrupt };
    network.coordinator.report(vec![report]).await.expect("taken");
    assert_eq!(network.named(holders[0]).await, 1, "a gateway's word isn't enough for that");
    network.run(2).await;
    assert_eq!((network.named(holders[0]).await, network.status().await.segments.lost), (0, 1), "the donor's own is");
    holders[4..].iter().for_each(|donor| network.donor(*donor).up = true);
    network.run(20).await;
    assert!(network.donor(holders[0]).rotten.is_empty());
    network.assert_settled().await;
}

#[tokio::test]
async fn a_donor_accused_by_a_repairer_reads_the_shard_as_well() {
    let (mut network, holders) = one_too_many_rotten(1).await;
    network.run(4).await;
    assert_eq!((network.named(holders[0]).await, network.status().await.segments.lost), (0, 1), "found by who read it in vain");
    holders[4..].iter().for_each(|donor| network.donor(*donor).up = true);
    network.run(20).await;
    network.assert_settled().await;
}

#[tokio::test]
async fn replicas_share_one_name_and_are_still_told_apart_by_donor() {
    let mut network = Network::new(6, config()).await;
    network.put(part(1), code(1, 3), 4).await.expect("written");
    let victim = network.holders(first(1)).await[1];
    network.donor(victim).held.clear();
    network.donor(victim).up = false;
    network.run(BEATS_TO_LOST).await;
    network.donor(victim).up = true;
    network.run(15).await;
    network.assert_settled().await;
    network.release(part(1)).await;
    network.run(6).await;
    network.assert_settled().await;
}

#[tokio::test]
async fn what_a_donor_lost_unnoticed_is_found_by_its_inventory() {
    let mut network = Network::new(7, config()).await;
    network.put(part(1), code(4, 6), 12).await.expect("written");
    network.run(3).await;
    let donor = network.donor(4);
    let lost: Vec<_> = donor.held.keys().copied().step_by(2).collect();
    donor.held.retain(|shard, _| !lost.contains(shard));
    donor.held.insert(nodio_wire::ShardId([0xfe; 32]), 0);
    network.run(40).await;
    network.assert_settled().await;
    assert_eq!(network.status().await.nodes[3].faults, lost.len() as u64);
}

#[tokio::test]
async fn a_donor_that_lost_its_copy_does_not_cost_another_the_last_one() {
    let mut network = Network::new(3, config()).await;
    network.put(part(1), code(1, 2), 1).await.expect("written");
    let holders = network.holders(first(1)).await;
    let third = (1..=3).find(|donor| !holders.contains(donor)).expect("one is free");
    network.donor(holders[0]).up = false;
    network.run(BEATS_TO_LOST).await;
    assert_eq!(network.named(third).await, 1, "rebuilt there");
    network.donor(holders[1]).up = false;
    network.run(5).await;
    network.donor(third).held.clear();
    network.run(25).await;
    assert_eq!(network.named(third).await, 1, "its name is all that is left");
    network.make_light([holders[0]]);
    network.donor(holders[0]).up = true;
    network.run(12).await;
    assert_eq!(network.donor(holders[0]).held.len(), 1, "the lighter holder, and the only one");
    network.donor(holders[1]).up = true;
    network.run(40).await;
    network.assert_settled().await;
}

#[tokio::test]
async fn released_parts_leave_nothing_behind() {
    let mut network = Network::new(6, config()).await;
    for number in 1..=4 {
        network.put(part(number), code(4, 6), 40).await.expect("written");
    }
    network.coordinator.release(vec![part(2), part(77)]).await.expect("released");
    network.release(part(2)).await;
    let known = network.coordinator.parts(None, 10).await.expect("listed");
    assert_eq!(known.iter().map(|known| known.part).collect::<Vec<_>>(), [part(1), part(3), part(4)]);
    let known = network.coordinator.parts(Some(part(1)), 1).await.expect("listed");
    assert_eq!(known[0].part, part(3));
    network.run(5).await;
    assert!(network.coordinator.locate(part(2), 0, 10).await.expect("located").is_empty());
    network.assert_settled().await;
}

#[tokio::test]
async fn a_restart_loses_nothing_that_matters() {
    let mut network = Network::new(8, config()).await;
    network.put(part(1), code(4, 6), 20).await.expect("written");
    network.donor(1).up = false;
    network.run(4).await;
    network.release(part(9)).await;
    network.restart().await;
    assert_eq!(network.status().await.segments.full, 20, "everybody has three beats");
    assert!(network.put(part(2), code(4, 6), 1).await.is_err(), "nobody was heard yet");
    network.run(BEATS_TO_LOST).await;
    network.restart().await;
    network.run(4).await;
    assert_eq!(network.status().await.nodes[0].state, NodeState::Lost, "its absence goes on counting");
    network.donor(1).up = true;
    network.run(10).await;
    network.put(part(2), code(4, 6), 1).await.expect("written");
    network.assert_settled().await;
}

#[tokio::test]
async fn reports_that_are_late_foreign_or_repeated_change_nothing() {
    let mut network = Network::new(6, config()).await;
    network.put(part(1), code(4, 6), 3).await.expect("written");
    for id in [0, 1, u64::MAX] {
        let report = TaskReport { id, outcome: Outcome::done() };
        network.coordinator.complete_task(nodio_wire::NodeId(1), report).await.expect("no error");
    }
    let twice: Vec<_> = network.donor(1).reports.iter().cloned().flat_map(|report| [report.clone(), report]).collect();
    network.donor(1).reports = twice;
    network.run(2).await;
    network.assert_settled().await;
}

#[tokio::test]
async fn a_lying_repairer_cannot_talk_a_segment_to_death() {
    let mut network = Network::new(6, config()).await;
    network.donor(6).up = false;
    network.put(part(1), code(4, 6), 1).await.expect("written");
    network.donor(6).up = true;
    for _ in 0..10 {
        let sources: Vec<BadSource> = (0..6)
            .zip(network.holders(first(1)).await)
            .map(|(at, node)| BadSource { node: nodio_wire::NodeId(node), shard: shard_of(first(1), code(4, 6), at) })
            .collect();
        for donor in &mut network.donors {
            for report in &mut donor.reports {
                report.outcome = Outcome::Failed { reason: "they are all bad".into(), bad: sources.clone() };
            }
        }
        network.run(1).await;
    }
    let status = network.status().await;
    assert_eq!(status.segments.lost, 0, "{status:?}");
}
