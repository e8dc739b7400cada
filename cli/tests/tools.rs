//! The operator's tools as processes, against a coordinator and a gateway that are played.

#![allow(clippy::unwrap_used)]

mod played;

use nodio_gateway::admin::{BucketView, ObjectView, PartView, Reply, Request, Waiting};
use nodio_wire::api::{
    AuditCounts, AuditFinding, AuditResult, AuditRun, HolderView, Left, NodeState, NodeStatus, Receipt, RepairRun, RepairStatus,
    Scrub, SegmentHealth, SegmentView, ShardView, Standing, StandingState, Status, Trash,
};
use nodio_wire::fleet::Durability;
use nodio_wire::{Code, NodeId, PartId, SegmentId, ShardId};
use played::Played;
use serde_json::{Value, json};

const PART: PartId = PartId([1; 16]);

fn object(key: &str, parts: Vec<PartView>) -> ObjectView {
    let inline = parts.iter().any(|part| part.code.is_none());
    ObjectView { key: key.into(), version: None, newest: true, delete_marker: false, size: 5 << 20, modified: 0, inline, parts }
}

fn part(id: PartId, segments: u32) -> PartView {
    let code = (segments > 0).then_some(Code::DEFAULT);
    PartView { number: 1, part: id, bytes: 5 << 20, code, segments }
}

/// Two pages of objects, and figures of one bucket.
fn gateway(request: Request) -> Reply {
    match request {
        Request::Objects { bucket, .. } if bucket != "bucket" => Reply::Refused { error: "there is no such bucket".into() },
        Request::Objects { key: Some(key), .. } if key == "a%2Fb" => {
            Reply::Objects { objects: vec![object(&key, vec![part(PART, 2)])], next: None }
        }
        Request::Objects { key: Some(key), .. } if key == "inline" => {
            Reply::Objects { objects: vec![object(&key, vec![part(PART, 0)])], next: None }
        }
        Request::Objects { key: Some(_), .. } => Reply::Objects { objects: Vec::new(), next: None },
        Request::Objects { after: None, .. } => {
            Reply::Objects { objects: vec![object("p/a", vec![part(PART, 2)])], next: Some("00".into()) }
        }
        Request::Objects { after: Some(after), .. } => {
            assert_eq!(after, "00");
            let objects = vec![object("p/b", vec![part(PartId([2; 16]), 1)]), object("p/c", vec![part(PART, 0)])];
            Reply::Objects { objects, next: None }
        }
        Request::Buckets { .. } => {
            let durability = Durability { segments: 3, by_spare: [(2, 3)].into(), ..Durability::default() };
            let bucket = BucketView { bucket: "bucket".into(), measured: Some(1), objects: 3, inline_objects: 1, durability };
            Reply::Buckets { buckets: vec![bucket], next: None, counted: true }
        }
        Request::Waiting => {
            Reply::Waiting { waiting: Waiting { parts: 4, more: false, oldest: Some(0), release_after_ms: 600_000 } }
        }
        _ => Reply::Refused { error: "not played".into() },
    }
}

fn segment(part: PartId, index: u32, live: u8) -> SegmentView {
    let holder = |node: u32| HolderView {
        node: NodeId(node),
        domain: format!("d{node}"),
        state: NodeState::Up,
        standing: StandingState::Trusted,
    };
    let shard = |at: u8| ShardView {
        id: ShardId([at; 32]),
        holders: if at < live { vec![holder(u32::from(at) + 1)] } else { Vec::new() },
    };
    SegmentView {
        segment: SegmentId { part, index },
        code: Code::DEFAULT,
        shard_bytes: 1,
        committed: 0,
        live,
        queued_for_repair: live < 6,
        shards: (0..6).map(shard).collect(),
    }
}

fn told(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

fn node(id: u32, standing: Standing) -> NodeStatus {
    NodeStatus {
        node: NodeId(id),
        addr: format!("http://127.0.0.1:{id}"),
        domain: format!("d{id}"),
        state: NodeState::Up,
        last_seen_ms: 1,
        capacity_bytes: 1,
        used_bytes: 1,
        free_bytes: 1,
        shards: 1,
        shard_bytes: 1,
        held_bytes: 1,
        trash: Trash::default(),
        scrub: Scrub::default(),
        standing,
        audits: AuditCounts::default(),
        availability: 1.0,
        faults: 0,
        version: "0".into(),
    }
}

fn status(nodes: Vec<NodeStatus>) -> Status {
    Status {
        now: 60_000,
        as_of: 60_000,
        nodes,
        segments: SegmentHealth::default(),
        repair: RepairStatus::default(),
        ticks: Vec::new(),
        durability: Durability::default(),
    }
}

#[test]
fn inspect_draws_an_object_and_fails_where_it_cant_be_read() {
    let views = |live| told([segment(PART, 0, 6), segment(PART, 1, live)]);
    let played = Played::new(gateway, [("/api/inspect", vec![views(4), views(3)])]);
    let (code, out, err) = played.nodio(&["inspect", "s3://bucket/a%2Fb"]);
    let expected = "\
s3://bucket/a%2Fb   5.0 MiB, 2 segments
segment 0 4/6  ●1 ●2 ●3 ●4 ●5 ●6   live 6 of 6, spare 2
segment 1 4/6  ●1 ●2 ●3 ●4 ×- ×-   live 4 of 6, spare 0, queued for repair
";
    assert!(out.starts_with(expected) && out.ends_with("6      up     trusted   d6\n"), "{out}");
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(played.asked("/api/inspect"), [json!({"part": PART, "first": 0, "count": 2})]);

    let (code, out, err) = played.nodio(&["inspect", "--json", "s3://bucket/a%2Fb"]);
    assert_eq!((code, err.as_str()), (1, "nodio: 1 segment can't be read now\n"));
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["unreadable"], &json["segments"][0][1]["live"]), (&json!(1), &json!(3)));

    let (code, out, _) = played.nodio(&["inspect", "s3://bucket/inline"]);
    assert_eq!((code, out.lines().count(), out.contains("inline: sealed")), (0, 1, true), "{out}");
    let (code, _, err) = played.nodio(&["inspect", "s3://bucket/none"]);
    assert_eq!((code, err.as_str()), (1, "nodio: there is no object s3://bucket/none\n"));
    let (code, _, err) = played.nodio(&["inspect", "s3://elsewhere/k"]);
    assert_eq!((code, err.as_str()), (1, "nodio: there is no such bucket\n"));
}

#[test]
fn audit_waits_for_the_answers_and_fails_with_a_shard() {
    let finding = AuditFinding {
        segment: SegmentId { part: PART, index: 1 },
        position: 3,
        shard: ShardId([9; 32]),
        node: NodeId(7),
        result: AuditResult::Failed,
    };
    let begun = AuditRun { run: 5, pending: 12, ..AuditRun::default() };
    let failed = AuditRun { run: 5, passed: 11, failed: 1, findings: vec![finding], ..AuditRun::default() };
    let fine = AuditRun { run: 6, passed: 6, ..AuditRun::default() };
    let played = Played::new(
        gateway,
        [("/api/audit", vec![told(&begun), told(&fine)]), ("/api/audit/progress", vec![told(&begun), told(&failed)])],
    );
    let (code, out, err) = played.nodio(&["audit", "s3://bucket/p/", "--all"]);
    let expected = "\
FAILED   s3://bucket/p/a   segment 1, shard 3, donor 7
ok       s3://bucket/p/b   6 shards
audited 18 shards of 3 objects: 17 passed, 1 failed (forgotten there, and rebuilt elsewhere); 1 without shards
";
    assert_eq!((code, out.as_str(), err.as_str()), (1, expected, "nodio: 1 shard did not pass\n"));
    assert_eq!(played.asked("/api/audit/progress"), [json!({"run": 5}), json!({"run": 5})]);
    assert_eq!(played.asked("/api/audit")[0], json!({"parts": [PART]}));
    let (code, out, err) = played.nodio(&["audit", "s3://bucket"]);
    assert_eq!((code, out.lines().count(), err.as_str()), (0, 1, ""), "{out}");
}

#[test]
fn repair_waits_until_all_is_full() {
    let run = told(RepairRun { segments: 2, queued: 1, unheard: 0 });
    let first = told([segment(PART, 0, 6), segment(PART, 1, 5)]);
    let none = told([segment(PartId([2; 16]), 0, 6)]);
    let views = vec![first, none, told([segment(PART, 1, 5)]), told([segment(PART, 1, 6)])];
    let played = Played::new(gateway, [("/api/repair", vec![run]), ("/api/inspect", views)]);
    let (code, out, err) = played.nodio(&["repair", "s3://bucket/p/"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(out, "2 of 4 segments queued for repair\nevery segment is full\n");
    assert_eq!(played.asked("/api/inspect")[2..], vec![json!({"part": PART, "first": 1, "count": 1}); 2]);
    let (code, out, _) = played.nodio(&["repair", "s3://bucket", "--no-wait"]);
    assert_eq!((code, out.as_str()), (0, "2 of 4 segments queued for repair\n"));
}

#[test]
fn repair_says_what_is_left_and_why() {
    let run = told(RepairRun { segments: 2, queued: 1, unheard: 0 });
    let short = told([segment(PART, 0, 3), segment(PART, 1, 5)]);
    let nodes = (1..=5).map(|id| node(id, Standing::default())).collect();
    let played = Played::new(
        gateway,
        [
            ("/api/repair", vec![run]),
            ("/api/inspect", vec![short, told([segment(PART, 2, 6)])]),
            ("/api/status", vec![told(status(nodes))]),
        ],
    );
    let (code, out, err) = played.nodio(&["repair", "s3://bucket/p/", "--patience", "0"]);
    let expected = "\
2 of 4 segments queued for repair
s3://bucket/p/a   segment 0, live 3 of 6: 1 live shard must come back before it can be rebuilt
s3://bucket/p/a   segment 1, live 5 of 6: 6 donors in different failure domains are needed, 5 take shards now
";
    assert_eq!((code, out.as_str(), err.as_str()), (1, expected, "nodio: 2 segments not full\n"));
}

#[test]
fn drain_watches_until_the_receipt() {
    let draining = |shards| Standing {
        state: StandingState::Draining,
        reason: "old disk".into(),
        left: Some(Left { shards, bytes: 1024 }),
        ..Standing::default()
    };
    let receipt = Receipt { node: NodeId(3), joined: 0, released: 1000, gib_hours: 4, audits_passed: 5, mac: "beef".into() };
    let released = Standing { state: StandingState::Released, receipt: Some(receipt), ..Standing::default() };
    let pages = [draining(2), draining(1), released].map(|standing| told(status(vec![node(3, standing)])));
    let played = Played::new(gateway, [("/api/drain", vec![told(draining(2))]), ("/api/status", pages.to_vec())]);
    let (code, out, err) = played.nodio(&["drain", "3", "--reason", "old disk"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.starts_with("donor 3 is draining, 2 shards (1.0 KiB) to copy away: old disk\n"), "{out}");
    assert!(out.contains("\ndonor 3 is released\nreceipt   donor 3,") && out.ends_with("beef\n"), "{out}");
    assert_eq!(played.asked("/api/drain"), [json!({"node": 3, "cancel": false, "reason": "old disk"})]);
    let (code, out, _) = played.nodio(&["drain", "3", "--no-wait", "--json"]);
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()["state"].clone()), (0, json!("draining")));
}

#[test]
fn a_drain_is_taken_back_and_a_drain_that_was_is_noticed() {
    let trusted = Standing { state: StandingState::Trusted, ..Standing::default() };
    let draining = Standing { state: StandingState::Draining, ..Standing::default() };
    let page = told(status(vec![node(3, trusted.clone())]));
    let played = Played::new(gateway, [("/api/drain", vec![told(&trusted), told(draining)]), ("/api/status", vec![page])]);
    let (code, out, _) = played.nodio(&["drain", "3", "--cancel"]);
    assert_eq!((code, out.as_str()), (0, "donor 3 is trusted\n"));
    assert_eq!(played.asked("/api/drain"), [json!({"node": 3, "cancel": true, "reason": null})]);
    let (code, _, err) = played.nodio(&["drain", "3"]);
    assert_eq!((code, err.as_str()), (1, "nodio: donor 3 is not draining any more\n"));
}

#[test]
fn status_shows_what_the_gateway_knows_too() {
    let played = Played::new(gateway, [("/api/status", vec![told(status(vec![node(1, Standing::default())]))])]);
    let (code, out, err) = played.nodio(&["status"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("release   4 parts of deleted objects wait out the delay of 10 min"), "{out}");
    assert!(out.contains("\nbucket  3        1       3 "), "{out}");
    let (_, out, _) = played.nodio(&["status", "--json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["nodes"][0]["node"], &json["buckets"][0]["objects"]), (&json!(1), &json!(3)));
}

#[test]
fn a_coordinator_that_refuses_is_one_line() {
    let played = Played::new(gateway, []);
    for words in [["audit", "s3://bucket"], ["repair", "s3://bucket"], ["drain", "3"], ["inspect", "s3://bucket/a%2Fb"]] {
        let (code, _, err) = played.nodio(&words);
        assert!(code == 1 && err.lines().count() == 1 && err.contains("404: no such path"), "{words:?}: {err}");
    }
}

#[test]
fn wrong_command_lines_end_with_2() {
    let played = Played::new(gateway, []);
    for words in [
        &["inspect", "s3://bucket"][..],
        &["inspect", "bucket/key"],
        &["inspect"],
        &["audit", "s3://"],
        &["repair", "s3://bucket", "--patience", "long"],
        &["drain", "all"],
        &["drain", "3", "--cancel", "--reason", "x"],
    ] {
        let (code, out, err) = played.nodio(words);
        assert!(code == 2 && out.is_empty() && err.lines().count() == 1, "{words:?}: {code} {err}");
    }
}
