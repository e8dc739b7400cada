//! Shards that are there, and belong elsewhere.

use nodio_wire::api::{Drain, StandingState, Work};
use nodio_wire::fleet::Fleet;
use nodio_wire::{NodeId, SegmentId};

use super::{LOST_MS, Network, code, config, part};
use crate::config::{CoordinatorConfig, DomainRule};

const BEATS_TO_LOST: usize = (LOST_MS / super::BEAT_MS) as usize + 6;

#[tokio::test]
async fn when_a_lost_donor_returns_the_lighter_copy_goes() {
    for returning_is_light in [true, false] {
        let mut network = Network::new(9, config()).await;
        network.put(part(1), code(2, 6), 20).await.expect("written");
        let before = network.named(3).await;
        network.donor(3).up = false;
        network.run(BEATS_TO_LOST).await;
        assert!(before > 0 && network.named(3).await == before, "it counts again, should it return");
        if returning_is_light {
            network.make_light([3]);
        } else {
            network.make_light([1, 2, 4, 5, 6, 7, 8, 9]);
        }
        network.donor(3).up = true;
        network.run(6).await;
        assert_eq!(network.named(3).await, if returning_is_light { 0 } else { before });
        network.assert_settled().await;
    }
}

#[tokio::test]
async fn surplus_that_a_restart_forgot_is_found_by_the_walk_over_the_map() {
    let mut network = Network::new(9, config()).await;
    network.put(part(1), code(2, 6), 10).await.expect("written");
    network.donor(3).up = false;
    network.run(BEATS_TO_LOST).await;
    network.donor(3).up = true;
    network.restart().await;
    network.run(40).await;
    network.assert_settled().await;
}

#[tokio::test]
async fn a_draining_donor_gives_everything_away_by_itself_and_ends_with_nothing() {
    let mut network = Network::new(9, config()).await;
    network.put(part(1), code(4, 6), 40).await.expect("written");
    let held = network.named(2).await as u64;
    network.set_standing(2, StandingState::Draining);
    network.put(part(2), code(4, 6), 10).await.expect("written");
    assert_eq!(network.named(2).await as u64, held, "it gets nothing new");
    network.run(30).await;
    assert!(held > 0 && network.named(2).await == 0 && network.donor(2).held.is_empty());
    let status = network.status().await;
    assert_eq!((status.repair.moved, status.repair.rebuilt), (held, 0));
    assert!(network.handed.iter().all(|(node, task)| node.0 == 2 || !matches!(task.work, Work::Push { .. })));
    network.assert_settled().await;
}

#[tokio::test]
async fn a_draining_donor_that_does_not_move_a_finger_is_emptied_by_the_others() {
    let mut network = Network::new(9, config()).await;
    network.put(part(1), code(4, 6), 5).await.expect("written");
    network.set_standing(2, StandingState::Draining);
    network.donor(2).idle = true;
    network.run(60).await;
    assert_eq!(network.named(2).await, 0);
    assert!(network.status().await.repair.moved > 0);
    network.donor(2).idle = false;
    network.run(15).await;
    network.assert_settled().await;
}

#[tokio::test]
async fn a_draining_donor_that_is_away_is_not_waited_for() {
    let mut network = Network::new(9, CoordinatorConfig { repair_after_ms: 1 << 40, ..config() }).await;
    network.put(part(1), code(2, 6), 10).await.expect("written");
    network.donor(2).up = false;
    network.run(6).await;
    assert_eq!(network.status().await.repair.rebuilt, 0);
    network.set_standing(2, StandingState::Draining);
    network.run(10).await;
    assert_eq!(network.status().await.segments.full, 10);
    network.donor(2).up = true;
    network.run(10).await;
    assert!(network.named(2).await == 0 && network.donor(2).held.is_empty());
    network.assert_settled().await;
}

#[tokio::test]
async fn a_refused_donor_counts_for_nothing_and_is_replaced() {
    let mut network = Network::new(9, config()).await;
    network.put(part(1), code(4, 6), 10).await.expect("written");
    let held = network.named(2).await as u64;
    network.set_standing(2, StandingState::Refused);
    let located = network.coordinator.locate(part(1), 0, 10).await.expect("located");
    let sources = || located.iter().flat_map(|segment| &segment.shards).filter_map(|shard| shard.source.as_ref());
    assert!(sources().all(|source| source.up == (source.node.0 != 2)), "it is read last");
    network.run(40).await;
    assert!(held > 0 && network.named(2).await == 0 && network.donor(2).held.is_empty());
    assert_eq!(network.status().await.repair.rebuilt, held);
    network.assert_settled().await;
}

/// A network with a segment that lacks one shard more than it can, of a donor that was given up for good and comes back with `holds`.
async fn given_up(holds: bool) -> (Network, u32) {
    let mut network = Network::new(9, config()).await;
    network.put(part(1), code(4, 6), 1).await.expect("written");
    let holders = network.holders(SegmentId { part: part(1), index: 0 }).await;
    holders[..3].iter().for_each(|donor| network.donor(*donor).up = false);
    network.run(5).await;
    let given_up = holders[0];
    let drain = Drain { node: NodeId(given_up), cancel: false, reason: None };
    assert_eq!(network.coordinator.drain(drain).await.expect("given up").state, StandingState::Released);
    network.run(5).await;
    assert_eq!(network.status().await.segments.lost, 1);
    if !holds {
        network.donor(given_up).held.clear();
    }
    network.donor(given_up).up = true;
    (network, given_up)
}

#[tokio::test]
async fn a_stuck_segment_is_mended_from_a_donor_that_was_given_up_and_came_back() {
    let (mut network, given_up) = given_up(true).await;
    network.run(8).await;
    let status = network.status().await;
    assert_eq!((status.segments.full, status.repair.rebuilt), (1, 3), "{status:?}");
    assert_eq!(network.named(given_up).await, 0, "and isn't needed any more");
    assert!(network.handed.iter().all(|(node, _)| node.0 != given_up), "nor given work");
}

#[tokio::test]
async fn one_that_came_back_with_nothing_is_not_read_in_vain_for_ever() {
    let (mut network, _) = given_up(false).await;
    network.run(300).await;
    assert_eq!((network.status().await.segments.lost, network.rebuilds().len()), (1, 1));
}

#[tokio::test]
async fn a_donor_that_shrinks_sheds_exactly_what_is_too_much() {
    let mut network = Network::new(8, config()).await;
    network.put(part(1), code(4, 6), 60).await.expect("written");
    network.put(part(2), code(4, 6), 60).await.expect("written");
    let before = network.named(5).await;
    assert!(before > 20, "{before} shards");
    network.donor(5).capacity = 20_500;
    network.run(60).await;
    assert_eq!((network.named(5).await, network.donor(5).held.len()), (20, 20));
    assert_eq!(network.status().await.repair.moved, before as u64 - 20);
    network.assert_settled().await;
    network.run(20).await;
    assert_eq!(network.named(5).await, 20, "and then it is left alone");
}

#[tokio::test]
async fn shards_that_had_to_share_a_domain_move_apart_when_there_is_another() {
    let mut network = Network::new(0, CoordinatorConfig { domain: DomainRule::Auto, ..config() }).await;
    for zone in ["a", "b", "c", "d", "d"] {
        network.join_in(Some(zone)).await;
    }
    network.run(2).await;
    network.put(part(1), code(2, 5), 6).await.expect("written");
    network.run(5).await;
    assert_eq!((network.status().await.segments.full, network.named(4).await, network.named(5).await), (6, 6, 6), "side by side");
    network.run(40).await;
    assert_eq!(network.status().await.repair.moved, 0, "there is nowhere else");
    network.join_in(Some("e")).await;
    network.run(45).await;
    assert_eq!((network.named(4).await + network.named(5).await, network.named(6).await), (6, 6));
    assert_eq!(network.status().await.repair.moved, 6);
    network.assert_settled().await;
}
