//! The status page as metrics.

use std::collections::BTreeMap;

use nodio_wire::api::{NodeState, NodeStatus, StandingState, Status};

use super::text::{Kind, Text};

pub(super) fn of(status: &Status) -> String {
    let mut text = Text::default();
    donors(&mut text, &status.nodes);
    space(&mut text, &status.nodes);
    each_donor(&mut text, &status.nodes);
    audits(&mut text, &status.nodes);
    segments(&mut text, status);
    durability(&mut text, status);
    repair(&mut text, status);
    ticks(&mut text, status);
    text.finish()
}

/// Every combination that occurs, and each state and standing at least as nought where nobody is: a line that vanishes raises no alarm.
fn donors(text: &mut Text, nodes: &[NodeStatus]) {
    let states = [NodeState::Up, NodeState::Suspect, NodeState::Offline, NodeState::Lost];
    let standings = [
        StandingState::Vetting,
        StandingState::Trusted,
        StandingState::Draining,
        StandingState::Refused,
        StandingState::Released,
    ];
    let mut family = text.family("donors", Kind::Gauge, "Donors by liveness and standing.");
    for state in states {
        for standing in standings {
            let count = nodes.iter().filter(|node| node.state == state && node.standing.state == standing).count();
            family.sample(&[("state", state_name(state)), ("standing", standing_name(standing))], count as f64);
        }
    }
}

fn space(text: &mut Text, nodes: &[NodeStatus]) {
    let mut sum = |name, help, bytes: fn(&NodeStatus) -> u64| text.gauge(name, help, nodes.iter().map(bytes).sum::<u64>() as f64);
    sum("capacity_bytes", "Most bytes that all donors will hold.", |node| node.capacity_bytes);
    sum("used_bytes", "Disk space taken by all donors' stores.", |node| node.used_bytes);
    sum("free_bytes", "What all donors can still take.", |node| node.free_bytes);
    sum("held_bytes", "Shard bytes that all donors say they hold.", |node| node.held_bytes);
    sum("mapped_bytes", "Shard bytes that the map places at all donors.", |node| node.shard_bytes);
    sum("trash_bytes", "Bytes set aside by all donors before they are deleted.", |node| node.trash.bytes);
}

fn each_donor(text: &mut Text, nodes: &[NodeStatus]) {
    let mut each = |name, help, value: fn(&NodeStatus) -> f64| {
        let mut family = text.family(name, Kind::Gauge, help);
        nodes.iter().for_each(|node| family.sample(&[("donor", &node.node.to_string())], value(node)));
    };
    each("donor_trust", "Expected share of audits passed, 0 to 1.", |node| node.standing.trust);
    each("donor_availability", "Share of the time it was there, 0 to 1.", |node| node.availability);
    each("donor_used_bytes", "Disk space taken by its store.", |node| node.used_bytes as f64);
    each("donor_shards", "Shards that the map places there.", |node| node.shards as f64);
    each("donor_silent_seconds", "Time since its last heartbeat.", |node| node.last_seen_ms as f64 / 1000.0);
}

fn audits(text: &mut Text, nodes: &[NodeStatus]) {
    let sum = |count: fn(&NodeStatus) -> u64| nodes.iter().map(count).sum::<u64>() as f64;
    let mut family = text.family("audits_total", Kind::Counter, "Audits of all donors, by how they ended.");
    family.sample(&[("result", "passed")], sum(|node| node.audits.passed));
    family.sample(&[("result", "failed")], sum(|node| node.audits.failed));
    family.sample(&[("result", "offline")], sum(|node| node.audits.offline));
    text.counter("faults_total", "Shards found missing or corrupt at donors.", sum(|node| node.faults));
}

fn segments(text: &mut Text, status: &Status) {
    let health = status.segments;
    let mut family = text.family("segments", Kind::Gauge, "Segments by live shards: full, degraded, at_risk, lost.");
    for (name, count) in
        [("full", health.full), ("degraded", health.degraded), ("at_risk", health.at_risk), ("lost", health.lost)]
    {
        family.sample(&[("health", name)], count as f64);
    }
    let help = "Segments by how many live shards they have beyond those they need; -1: unreadable now.";
    let mut family = text.family("segments_by_spare", Kind::Gauge, help);
    let mut by_spare: BTreeMap<i16, u64> = [(-1, 0), (0, 0)].into();
    by_spare.extend(&status.durability.by_spare);
    by_spare.iter().for_each(|(spare, count)| family.sample(&[("spare", &spare.to_string())], *count as f64));
    text.gauge("segment_bytes", "Plaintext bytes of all segments, about.", status.durability.bytes as f64);
    text.gauge("counted_seconds", "When segments were counted, seconds since 1970; 0: not yet.", status.as_of as f64 / 1000.0);
}

fn durability(text: &mut Text, status: &Status) {
    let figures = &status.durability;
    text.gauge(
        "unreadable_segments",
        "Expected number of segments that can't be read now, hidden damage included.",
        figures.unreadable_now,
    );
    let help = "Expected number of segments lost for good within a year: as the network is, with one donor more, with one parity shard more.";
    let mut family = text.family("lost_segments_per_year", Kind::Gauge, help);
    family.sample(&[("with", "as_is")], figures.lost_per_year);
    family.sample(&[("with", "next_donor")], figures.lost_per_year_next_donor);
    family.sample(&[("with", "next_parity")], figures.lost_per_year_next_parity);
}

fn repair(text: &mut Text, status: &Status) {
    let repair = status.repair;
    text.gauge("mend_queue", "Segments known to need a shard rebuilt.", repair.queued as f64);
    text.gauge("repairs_running", "Rebuilds handed to donors and not yet reported.", repair.running as f64);
    text.gauge("deletes_waiting", "Shards waiting to be deleted on donors.", repair.deletes as f64);
    text.counter("rebuilt_shards_total", "Shards rebuilt since the coordinator started.", repair.rebuilt as f64);
    text.counter("rebuilt_bytes_total", "Bytes rebuilt since the coordinator started.", repair.rebuilt_bytes as f64);
    text.counter("moved_shards_total", "Shards copied away from donors since the coordinator started.", repair.moved as f64);
}

fn ticks(text: &mut Text, status: &Status) {
    let mut family =
        text.family("tick_last_run_seconds", Kind::Gauge, "When a background step last ended, seconds since 1970; 0: never.");
    for tick in &status.ticks {
        family.sample(&[("tick", &tick.name)], tick.last_run.unwrap_or(0) as f64 / 1000.0);
    }
    let mut family = text.family("tick_failing", Kind::Gauge, "1 if the last step of this background work failed.");
    for tick in &status.ticks {
        family.sample(&[("tick", &tick.name)], f64::from(u8::from(tick.last_error.is_some())));
    }
    let mut family = text.family("tick_runs_total", Kind::Counter, "Steps of this background work.");
    for tick in &status.ticks {
        family.sample(&[("tick", &tick.name)], tick.runs as f64);
    }
}

fn state_name(state: NodeState) -> &'static str {
    match state {
        NodeState::Up => "up",
        NodeState::Suspect => "suspect",
        NodeState::Offline => "offline",
        NodeState::Lost => "lost",
    }
}

fn standing_name(standing: StandingState) -> &'static str {
    match standing {
        StandingState::Vetting => "vetting",
        StandingState::Trusted => "trusted",
        StandingState::Draining => "draining",
        StandingState::Refused => "refused",
        StandingState::Released => "released",
    }
}
