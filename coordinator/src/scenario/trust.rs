//! Repairs by donors that nobody trusts, through restarts and in the right order.

use std::collections::HashSet;

use nodio_wire::SegmentId;
use nodio_wire::api::{Destination, RepairAsk, Work};
use nodio_wire::fleet::FleetError;

use super::{BEAT_MS, LOST_MS, Lie, Network, code, config, part};
use crate::config::CoordinatorConfig;

fn segment(number: u8, index: u32) -> SegmentId {
    SegmentId { part: part(number), index }
}

#[tokio::test]
async fn one_download_rebuilds_all_that_is_missing_of_a_segment() {
    let mut network = Network::new(10, config()).await;
    network.put(part(1), code(4, 8), 1).await.expect("written");
    network.lose(segment(1, 0), code(4, 8), &[1, 6]).await;
    network.run(6).await;
    let rebuilds = network.rebuilds();
    let [task] = rebuilds.as_slice() else { panic!("one task, not {rebuilds:?}") };
    let Work::Rebuild { targets, sources, .. } = &task.work else { panic!("a rebuild") };
    assert_eq!(targets.iter().map(|target| target.position).collect::<Vec<_>>(), [1, 6]);
    let here = targets.iter().filter(|target| matches!(target.to, Destination::Here { .. })).count();
    let positions: HashSet<u8> = sources.iter().map(|source| source.position).collect();
    assert_eq!((here, positions.len(), sources.len()), (1, 6, 6), "one stays, one is pushed, from six distinct sources");
    let status = network.status().await;
    assert_eq!((status.repair.rebuilt, status.repair.rebuilt_bytes), (2, 2000));
    network.assert_settled().await;
}

#[tokio::test]
async fn who_reports_what_it_cannot_show_is_blamed_and_others_do_the_work() {
    for lie in [Lie::MadeUp, Lie::Replayed, Lie::WrongKind, Lie::NotAsked] {
        let mut network = Network::new(9, config()).await;
        network.put(part(1), code(4, 6), 30).await.expect("written");
        network.donor(7).lie = Some(lie);
        network.donor(7).held.clear();
        for index in 0..30 {
            let holders = network.holders(segment(1, index)).await;
            let own = holders.iter().position(|holder| *holder == 7);
            let two: Vec<usize> = own.into_iter().chain((0..6).filter(|at| Some(*at) != own)).take(2).collect();
            network.lose(segment(1, index), code(4, 6), &two).await;
        }
        let faults: Vec<f64> = (1..=9).map(|donor| network.blamed(donor)).collect();
        network.run(60).await;
        let asked = network.handed.iter().filter(|(node, task)| node.0 == 7 && !matches!(task.work, Work::Delete { .. })).count();
        assert!(asked > 0 && network.blamed(7) >= faults[6] + asked as f64, "{lie:?}: asked {asked} times");
        assert!((1..=9).filter(|donor| *donor != 7).all(|donor| network.blamed(donor) == faults[donor as usize - 1]));
        network.assert_settled().await;
    }
}

#[tokio::test]
async fn a_restart_at_any_point_of_a_repair_and_doubled_reports_change_nothing_in_the_end() {
    for beats in 0..12 {
        let mut network = Network::new(9, config()).await;
        network.put(part(1), code(4, 6), 6).await.expect("written");
        for index in 0..6 {
            network.lose(segment(1, index), code(4, 6), &[0, 3]).await;
        }
        for _ in 0..beats {
            network.half_beat().await;
            for donor in &mut network.donors {
                donor.reports = donor.reports.iter().flat_map(|report| [report.clone(), report.clone()]).collect();
            }
        }
        network.restart().await;
        network.run(50).await;
        network.assert_settled().await;
    }
}

#[tokio::test]
async fn a_repair_that_nobody_reports_on_is_given_to_another() {
    let mut network = Network::new(8, config()).await;
    network.put(part(1), code(4, 6), 4).await.expect("written");
    network.donor(8).idle = true;
    for index in 0..4 {
        network.lose(segment(1, index), code(4, 6), &[2]).await;
    }
    network.run(60).await;
    assert_eq!(network.status().await.segments.full, 4);
    network.donor(8).idle = false;
    network.run(25).await;
    network.assert_settled().await;
}

#[tokio::test]
async fn the_segments_in_most_danger_are_handed_out_first() {
    let mut network = Network::new(8, CoordinatorConfig { rebuilds_per_donor: 1, ..config() }).await;
    network.put(part(1), code(2, 6), 15).await.expect("written");
    for index in 0..15u32 {
        let lost: Vec<usize> = (0..=(index as usize % 3)).collect();
        network.lose(segment(1, index), code(2, 6), &lost).await;
    }
    network.work().await;
    let under_way: Vec<u32> =
        (0..15).filter(|index| !network.coordinator.state().tasks.under_way(&segment(1, *index)).is_empty()).collect();
    // A donor that no segment in danger can use may get another.
    let in_danger = under_way.iter().filter(|index| *index % 3 == 2).count();
    assert!(in_danger > under_way.len() - in_danger, "{under_way:?}");
    network.run(40).await;
    network.assert_settled().await;
}

#[tokio::test]
async fn repairs_keep_within_the_limit() {
    let mut network = Network::new(9, CoordinatorConfig { repair_bytes_per_s: 5000, ..config() }).await;
    network.put(part(1), code(4, 6), 20).await.expect("written");
    for index in 0..20 {
        network.lose(segment(1, index), code(4, 6), &[5]).await;
    }
    network.run(10).await;
    let rebuilt = network.status().await.repair.rebuilt;
    assert!((8..=12).contains(&rebuilt), "{rebuilt} shards at 5000 bytes each in ten seconds");
    network.run(20).await;
    network.assert_settled().await;
}

#[tokio::test]
async fn an_operator_need_not_wait_for_the_lost() {
    let mut network = Network::new(9, CoordinatorConfig { repair_after_ms: 1 << 40, ..config() }).await;
    network.put(part(1), code(2, 6), 10).await.expect("written");
    network.put(part(2), code(2, 6), 10).await.expect("written");
    network.donor(4).up = false;
    network.run(5).await;
    let run = network.coordinator.repair(RepairAsk { parts: vec![part(1), part(77)] }).await.expect("asked");
    assert!(run.segments == 10 && run.queued > 0, "{run:?}");
    network.run(10).await;
    let status = network.status().await;
    assert_eq!((status.repair.rebuilt, status.repair.queued), (run.queued, 0));
    network.donor(4).up = true;
    network.run(10).await;
    network.assert_settled().await;
    assert!(network.coordinator.repair(RepairAsk { parts: vec![part(1); 1001] }).await.is_err());
}

#[tokio::test]
async fn an_operators_repair_outlives_a_start_of_the_coordinator_before_and_after_it_was_asked_for() {
    for asked_first in [true, false] {
        let mut network = Network::new(9, CoordinatorConfig { repair_after_ms: 1 << 40, ..config() }).await;
        network.put(part(1), code(2, 6), 10).await.expect("written");
        network.donor(4).up = false;
        network.run(5).await;
        let named = network.named(4).await as u64;
        let ask = || RepairAsk { parts: vec![part(1)] };
        if asked_first {
            network.coordinator.repair(ask()).await.expect("asked");
        }
        network.restart().await;
        if !asked_first {
            let run = network.coordinator.repair(ask()).await.expect("asked");
            assert_eq!((run.segments, run.queued, run.unheard), (10, 10, 10), "nobody was heard yet");
        }
        network.run(15).await;
        let status = network.status().await;
        assert_eq!((status.repair.rebuilt, status.repair.queued), (named, 0), "asked first: {asked_first}");
    }
}

#[tokio::test]
async fn an_operators_repair_that_nobody_can_do_yet_keeps_its_place_beside_others_rows() {
    let mut network = Network::new(6, CoordinatorConfig { repair_after_ms: 1 << 40, ..config() }).await;
    network.put(part(1), code(2, 6), 1).await.expect("written");
    network.donor(4).up = false;
    network.run(5).await;
    network.coordinator.repair(RepairAsk { parts: vec![part(1)] }).await.expect("asked");
    network.run(2).await;
    let holders = network.holders(segment(1, 0)).await;
    let another = holders.iter().position(|holder| *holder != 4).expect("five others");
    network.lose(segment(1, 0), code(2, 6), &[another]).await;
    network.donor(holders[another]).up = false;
    network.run(5).await;
    network.join().await;
    network.join().await;
    network.run(10).await;
    let holders = network.holders(segment(1, 0)).await;
    assert!(!holders.contains(&4) && !holders.contains(&0), "newcomers took both: {holders:?}");
}

#[tokio::test]
async fn a_gateway_that_slept_cannot_commit_what_is_litter_by_now() {
    for restart in [false, true] {
        let mut network = Network::new(8, config()).await;
        let asleep = network.store_shards(part(1), code(4, 6), 2).await.expect("stored");
        let quick = network.store_shards(part(2), code(4, 6), 2).await.expect("stored");
        network.commit(quick.clone()).await.expect("written");
        network.run(30).await;
        if restart {
            network.restart().await;
        }
        assert!(matches!(network.commit(asleep).await, Err(FleetError::Refused(_))));
        network.commit(quick).await.expect("a retry of what is known is answered as before");
        network.run(10).await;
        network.assert_settled().await;
    }
}

#[tokio::test]
async fn a_segment_below_k_waits_in_the_tail_and_is_mended_when_a_donor_returns() {
    let mut network = Network::new(9, config()).await;
    network.put(part(1), code(4, 6), 4).await.expect("written");
    let holders = network.holders(segment(1, 0)).await;
    holders[..3].iter().for_each(|donor| network.donor(*donor).up = false);
    network.run((LOST_MS / BEAT_MS) as usize + 6).await;
    let status = network.status().await;
    assert!(status.segments.lost > 0 && status.repair.queued >= status.segments.lost, "{status:?}");
    network.donor(holders[0]).up = true;
    network.run(10).await;
    assert_eq!(network.status().await.segments.lost, 0);
    holders.iter().for_each(|donor| network.donor(*donor).up = true);
    network.run(15).await;
    network.assert_settled().await;
}
