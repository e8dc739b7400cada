//! Is everything as it should be? Each question answers with all that is wrong, so that a run that fails says what with.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use nodio_wire::api::{
    AuditAsk, AuditPoll, AuditRun, HolderView, NodeState, NodeStatus, SegmentView, ShardView, StandingState, Status,
};
use nodio_wire::client::OperatorApi;
use nodio_wire::limits::PARTS_PER_ASK_MAX;
use nodio_wire::{NodeId, PartId, ShardId};

use super::book::Book;
use super::read::{Seen, get};
use crate::cluster::Cluster;
use crate::s3::S3;
use crate::shards::contents;
use crate::wait;

/// Wrongs of one kind that are told.
const TOLD: usize = 10;
const AUDIT_PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// What keeps the network from being at rest with everything whole: nothing, if it is.
///
/// A donor that the network has sent away is of no account: nothing may be placed there, and what it does with its disk is its own affair.
pub fn unsettled(status: &Status) -> Vec<String> {
    let (health, repair) = (status.segments, status.repair);
    let mut wrong = Vec::new();
    if health.degraded + health.at_risk + health.lost > 0 {
        wrong.push(format!("{health:?}"));
    }
    if repair.queued + repair.running + repair.deletes > 0 {
        wrong.push(format!("{repair:?}"));
    }
    wrong.extend(status.nodes.iter().filter_map(unsettled_node));
    wrong
}

fn unsettled_node(node: &NodeStatus) -> Option<String> {
    let gone = matches!(node.standing.state, StandingState::Refused | StandingState::Released);
    let settled = match gone {
        true => node.shard_bytes == 0,
        false => node.state == NodeState::Up && node.held_bytes == node.shard_bytes && node.trash.bytes == 0,
    };
    let NodeStatus { node: name, state, shard_bytes, held_bytes, trash, standing, .. } = node;
    (!settled).then(|| {
        format!(
            "donor {name}: {state:?}, {standing:?}, the map has {shard_bytes} bytes there, it holds {held_bytes} and {trash:?}"
        )
    })
}

/// Fails with what keeps the network from rest.
pub async fn settled(operator: &OperatorApi) -> Result<Status> {
    let status = operator.status().await?;
    let wrong = unsettled(&status);
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(status)
}

/// Audits every shard of the network, as `nodio audit` does, to the end.
pub async fn audit(operator: &OperatorApi, parts: &[PartId]) -> Result<AuditRun> {
    let mut all = AuditRun::default();
    for parts in parts.chunks(PARTS_PER_ASK_MAX) {
        let run = operator.audit(&AuditAsk { parts: parts.to_vec() }).await?.run;
        let done = wait::until("the audit ends", AUDIT_PATIENCE, async || {
            let progress = operator.audit_progress(&AuditPoll { run }).await?;
            ensure!(progress.pending == 0, "{} pending", progress.pending);
            Ok(progress)
        });
        let done = done.await?;
        all.passed += done.passed;
        all.failed += done.failed;
        all.offline += done.offline;
        all.findings.extend(done.findings);
    }
    Ok(all)
}

/// Reads every key of the book to the last byte.
pub async fn objects(s3: &S3, book: &Book) -> Result<usize> {
    let (all, mut wrong) = (book.all(), Vec::new());
    for expected in &all {
        match get(s3, book, expected, None).await {
            Ok(Seen::Right) => {}
            Ok(other) => wrong.push(format!("{}: {other:?}", expected.key)),
            Err(error) => wrong.push(format!("{}: {error:#}", expected.key)),
        }
    }
    told(&wrong, "objects are wrong")?;
    Ok(all.len())
}

/// The second opinion, from the volume files of donors that no longer run: exactly the shards that the map places at each, whole.
pub fn files(cluster: &Cluster, map: &[SegmentView], but: &[NodeId]) -> Result<u64> {
    let mut wanted: BTreeMap<NodeId, BTreeMap<ShardId, (u32, &SegmentView)>> = BTreeMap::new();
    for segment in map {
        for shard in &segment.shards {
            for holder in &shard.holders {
                wanted.entry(holder.node).or_default().insert(shard.id, (segment.shard_bytes, segment));
            }
        }
    }
    let (mut wrong, mut bytes) = (Vec::new(), 0);
    for donor in 0..cluster.donor_count() {
        let node = cluster.donor_node(donor).with_context(|| format!("donor {donor} never joined"))?;
        let mut wanted = wanted.remove(&node).unwrap_or_default();
        let found = contents(&cluster.donor_folder(donor))?;
        for held in found.held {
            bytes += u64::from(held.len);
            match wanted.remove(&held.id) {
                Some((len, segment)) if len != held.len => {
                    wrong.push(format!("{node}: {} is too long: {}", held.id, drawn(segment)))
                }
                Some((_, segment)) if !held.is_whole()? => {
                    wrong.push(format!("{node}: {} is damaged: {}", held.id, drawn(segment)))
                }
                None if !but.contains(&node) => wrong.push(format!("{node}: {} ({} bytes) is litter", held.id, held.len)),
                _ => {}
            }
        }
        wrong.extend(wanted.iter().map(|(id, (_, segment))| format!("{node}: {id} is missing: {}", drawn(segment))));
    }
    wrong.extend(wanted.keys().map(|node| format!("the map names donor {node}, whom nobody knows")));
    told(&wrong, "shards are wrong")?;
    Ok(bytes)
}

/// Segments that are not as they should be: each position live, with one donor.
pub fn picture(map: &[SegmentView]) -> String {
    let odd = |segment: &&SegmentView| {
        let single = segment.shards.iter().all(|shard| shard.holders.len() == 1);
        usize::from(segment.live) < segment.code.n() || !single || segment.queued_for_repair
    };
    let odd: Vec<_> = map.iter().filter(odd).collect();
    let lines: Vec<_> = odd.iter().take(TOLD).map(|segment| drawn(segment)).collect();
    format!("{} of {} segments are not whole\n{}", odd.len(), map.len(), lines.join("\n"))
}

/// `PART/INDEX 4/8, 7 live, queued: 0=3 1=- 2=5+9(Offline) ..`: position and its donors.
fn drawn(segment: &SegmentView) -> String {
    let holder = |holder: &HolderView| match (holder.state, holder.standing) {
        (NodeState::Up, StandingState::Vetting | StandingState::Trusted) => holder.node.to_string(),
        (state, standing) => format!("{}({state:?} {standing:?})", holder.node),
    };
    let at = |(position, shard): (usize, &ShardView)| {
        let holders: Vec<_> = shard.holders.iter().map(holder).collect();
        format!("{position}={}", if holders.is_empty() { "-".to_owned() } else { holders.join("+") })
    };
    let shards: Vec<_> = segment.shards.iter().enumerate().map(at).collect();
    let queued = if segment.queued_for_repair { ", queued" } else { "" };
    format!("{:?} {}, {} live{queued}: {}", segment.segment, segment.code, segment.live, shards.join(" "))
}

fn told(wrong: &[String], what: &str) -> Result<()> {
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("{} {what}:\n{}", wrong.len(), wrong[..wrong.len().min(TOLD)].join("\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(held: u64, of_map: u64, standing: &str) -> serde_json::Value {
        json!({
            "node": 1, "addr": "", "domain": "", "state": "up", "last_seen_ms": 0, "capacity_bytes": 0, "used_bytes": 0, "free_bytes": 0,
            "shards": 1, "shard_bytes": of_map, "held_bytes": held, "trash": { "shards": 0, "bytes": 0 },
            "scrub": { "rounds": 0, "last_end": 0, "bytes": 0 },
            "standing": { "state": standing, "since": 0, "reason": "", "trust": 1.0, "left": null, "receipt": null },
            "audits": { "passed": 0, "failed": 0, "offline": 0 }, "availability": 1.0, "faults": 0, "version": ""
        })
    }

    fn status(node: serde_json::Value) -> Status {
        let durability = serde_json::to_value(nodio_wire::fleet::Durability::default()).unwrap();
        let mut status = json!({
            "now": 0, "as_of": 0, "nodes": [node], "segments": { "full": 3, "degraded": 0, "at_risk": 0, "lost": 0 }, "ticks": [],
            "durability": durability,
        });
        status["repair"] = serde_json::to_value(nodio_wire::api::RepairStatus::default()).unwrap();
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn a_network_is_at_rest_when_bytes_and_map_agree_and_nothing_waits() {
        let rest = status(node(10, 10, "trusted"));
        assert_eq!(unsettled(&rest), Vec::<String>::new());
        assert_eq!(unsettled(&status(node(11, 10, "trusted"))).len(), 1);
        assert_eq!(unsettled(&status(node(9, 10, "vetting"))).len(), 1);
        let mut degraded = rest.clone();
        degraded.segments.degraded = 1;
        let mut deleting = rest;
        deleting.repair.deletes = 1;
        assert!(unsettled(&degraded).len() == 1 && unsettled(&deleting).len() == 1);
    }

    #[test]
    fn a_donor_that_was_sent_away_may_keep_its_bytes_but_no_place_in_the_map() {
        assert!(unsettled(&status(node(10, 0, "refused"))).is_empty());
        assert_eq!(unsettled(&status(node(10, 10, "refused"))).len(), 1);
    }
}
