//! The donors, one line each: what matters most, as far as the page is wide. Those that have left for good and are gone are counted only.

use nodio_wire::api::{NodeState, NodeStatus, StandingState, Status};

use super::{node_state, standing};
use crate::table::{Column, duration, fitted, size};
use crate::words::{count, grouped, percent};

/// A page that fits most terminals.
const WIDTH: usize = 120;

pub(super) fn render(status: &Status, wide: bool) -> String {
    let (past, mut nodes): (Vec<_>, Vec<_>) = status.nodes.iter().partition(|node| !wide && is_past(node, status));
    nodes.sort_by_key(|node| node.node);
    let past = match past.len() {
        0 => String::new(),
        past => format!("{} left and not listed (--wide does)\n", count(past as u64, "donor")),
    };
    if nodes.is_empty() {
        return if past.is_empty() { "no donor has joined yet\n".to_owned() } else { past };
    }
    let columns = columns(&nodes, status.now);
    let (table, folded) = fitted(columns, if wide { usize::MAX } else { WIDTH });
    let hint = if folded.is_empty() { String::new() } else { format!("(--wide shows {} too)\n", folded.join(", ")) };
    let notes: String = nodes.iter().filter_map(|node| note(node)).collect();
    format!("{table}{hint}{notes}{past}")
}

/// True of a donor that was released, is gone, and that no segment names: counted, for an uncounted map names nobody yet.
fn is_past(node: &NodeStatus, status: &Status) -> bool {
    let gone = matches!(node.state, NodeState::Offline | NodeState::Lost);
    gone && node.standing.state == StandingState::Released && node.shards == 0 && status.as_of > 0
}

/// Each with how gladly it is given up where there is no room; 0 never.
fn columns(nodes: &[&NodeStatus], now: u64) -> Vec<Column> {
    let column = |name, folds, cell: &dyn Fn(&NodeStatus) -> String| Column {
        name,
        folds,
        cells: nodes.iter().map(|node| cell(node)).collect(),
    };
    vec![
        column("DONOR", 0, &|node| node.node.to_string()),
        column("STATE", 0, &|node| node_state(node.state).to_owned()),
        column("STANDING", 0, &|node| standing(node.standing.state).to_owned()),
        column("TRUST", 2, &|node| percent(node.standing.trust)),
        column("THERE", 2, &|node| percent(node.availability)),
        column("AUDITS", 3, &audits),
        column("USED", 1, &|node| size(node.used_bytes)),
        column("FREE", 1, &|node| size(node.free_bytes)),
        column("SHARDS", 1, &|node| node.shards.to_string()),
        column("TRASH", 6, &|node| if node.trash.shards == 0 { "-".to_owned() } else { size(node.trash.bytes) }),
        column("SCRUBBED", 5, &|node| scrub(node, now)),
        column("FAULTS", 7, &|node| node.faults.to_string()),
        column("HELD", 9, &|node| size(node.held_bytes)),
        column("SEEN", 1, &|node| duration(node.last_seen_ms)),
        column("ADDRESS", 1, &|node| node.addr.strip_prefix("http://").unwrap_or(&node.addr).to_owned()),
        column("DOMAIN", 4, &|node| node.domain.clone()),
        column("VERSION", 8, &|node| node.version.clone()),
    ]
}

/// Passed, and what else there was.
fn audits(node: &NodeStatus) -> String {
    let counts = node.audits;
    let mut text = format!("{} ok", grouped(counts.passed));
    for (number, word) in [(counts.failed, "bad"), (counts.offline, "late")] {
        if number > 0 {
            text += &format!(" {} {word}", grouped(number));
        }
    }
    text
}

/// When the donor last finished reading all it has.
fn scrub(node: &NodeStatus, now: u64) -> String {
    match node.scrub.last_end {
        0 if node.scrub.bytes == 0 => "-".to_owned(),
        0 => format!("{} so far", size(node.scrub.bytes)),
        end => format!("{} ago", duration(now.saturating_sub(end))),
    }
}

/// Why a donor takes no shards.
fn note(node: &NodeStatus) -> Option<String> {
    let now = &node.standing;
    if matches!(now.state, StandingState::Vetting | StandingState::Trusted) {
        return None;
    }
    let left = now.left.map(|left| format!("; {} ({}) to copy away", count(left.shards, "shard"), size(left.bytes)));
    let reason = if now.reason.is_empty() { String::new() } else { format!(": {}", now.reason) };
    Some(format!("donor {} is {}{reason}{}\n", node.node, standing(now.state), left.unwrap_or_default()))
}
