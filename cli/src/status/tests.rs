//! The page, word by word.

use nodio_wire::NodeId;
use nodio_wire::api::{AuditCounts, Left, RepairStatus, Scrub, SegmentHealth, Standing, TickStatus, Trash};
use nodio_wire::fleet::Durability;

use super::*;

const NOW: u64 = 1_000_000_000;

fn node(id: u32, state: NodeState, standing: StandingState) -> NodeStatus {
    NodeStatus {
        node: NodeId(id),
        addr: format!("http://192.168.1.{id}:7400"),
        domain: format!("node-{id}"),
        state,
        last_seen_ms: 2500,
        capacity_bytes: 3 << 30,
        used_bytes: 1 << 30,
        free_bytes: 2 << 30,
        shards: 12,
        shard_bytes: 1 << 20,
        held_bytes: 1 << 20,
        trash: Trash::default(),
        scrub: Scrub::default(),
        standing: Standing { state: standing, trust: 0.9991, ..Standing::default() },
        audits: AuditCounts { passed: 1200, failed: 0, offline: 0 },
        availability: 1.0,
        faults: 0,
        version: "0.1.0".into(),
    }
}

fn durability() -> Durability {
    Durability {
        segments: 1206,
        bytes: 5 << 30,
        by_spare: [(-1, 1), (0, 0), (1, 5), (2, 1200)].into(),
        unreadable_now: 1.0001,
        lost_per_year: 2.5e-4,
        lost_per_year_next_donor: 2.4e-4,
        lost_per_year_next_parity: 1e-8,
    }
}

fn page() -> Page {
    let mut leaving = node(2, NodeState::Offline, StandingState::Draining);
    leaving.standing.reason = "failed 4 of its last 10 audits".into();
    leaving.standing.left = Some(Left { shards: 12, bytes: 1 << 20 });
    leaving.audits = AuditCounts { passed: 7, failed: 4, offline: 1 };
    leaving.trash = Trash { shards: 2, bytes: 2048 };
    leaving.scrub = Scrub { rounds: 1, last_end: NOW - 8_000_000, bytes: 0 };
    let status = Status {
        now: NOW,
        as_of: NOW,
        nodes: vec![leaving, node(1, NodeState::Up, StandingState::Trusted)],
        segments: SegmentHealth { full: 1200, degraded: 5, at_risk: 0, lost: 1 },
        repair: RepairStatus { queued: 6, running: 1, rebuilt: 3, rebuilt_bytes: 3 << 20, moved: 2, deletes: 0 },
        ticks: vec![
            TickStatus { name: "census".into(), last_run: None, runs: 1, last_error: None },
            TickStatus { name: "plan".into(), last_run: Some(1), runs: 1, last_error: Some("no donor".into()) },
        ],
        durability: durability(),
    };
    let bucket = |name: &str, measured| BucketView {
        bucket: name.into(),
        measured,
        objects: 1500,
        inline_objects: 20,
        durability: durability(),
    };
    let empty = BucketView { durability: Durability::default(), objects: 1, ..bucket("empty", Some(NOW)) };
    let waiting = Waiting { parts: 12, more: false, oldest: Some(NOW - 200_000), release_after_ms: 600_000 };
    Page {
        status,
        buckets: Some(vec![bucket("my-bucket", Some(NOW - 90_000)), empty, bucket("new", None)]),
        waiting: Some(waiting),
    }
}

#[test]
fn the_page_is_what_an_operator_reads() {
    let expected = "\
DONOR  STATE    STANDING  TRUST  THERE  AUDITS             USED     FREE     SHARDS  SEEN  ADDRESS           DOMAIN
1      up       trusted   99.9%  100%   1,200 ok           1.0 GiB  2.0 GiB  12      2 s   192.168.1.1:7400  node-1
2      offline  draining  99.9%  100%   7 ok 4 bad 1 late  1.0 GiB  2.0 GiB  12      2 s   192.168.1.2:7400  node-2
(--wide shows TRASH, SCRUBBED, FAULTS, HELD, VERSION too)
donor 2 is draining: failed 4 of its last 10 audits; 12 shards (1.0 MiB) to copy away

segments  1,200 full, 5 degraded, 0 at risk, 1 lost
repair    6 queued, 1 running, 3 rebuilt (3.0 MiB), 2 moved; 0 deletions waiting
release   12 parts of deleted objects wait out the delay of 10 min, the oldest deleted 3 min ago
trouble   plan: no donor

durability  segments: 1,200 with 2 to spare, 5 with 1 to spare, 1 unreadable
            unreadable now: 1 segment
            expected loss: 1 segment in 4,000 years
            one more donor would change little
            one more parity shard would make that less than 1 segment in 1,000,000 years

BUCKET     OBJECTS  INLINE  SEGMENTS  BYTES    LEAST SPARE   EXPECTED LOSS             COUNTED
my-bucket  1,500    20      1,206     5.0 GiB  1 unreadable  1 segment in 4,000 years  90 s ago
empty      1        20      0         0 B      -             -                         just now
new        -        -       -         -        -             -                         not yet
";
    assert_eq!(render(&page(), false), expected);
}

#[test]
fn wide_shows_every_column_and_narrow_stays_within_the_page() {
    let mut page = page();
    for node in &mut page.status.nodes {
        node.domain = "zone-frankfurt-basement".into();
        node.addr = "http://a-rather-long-host-name.example.org:7400".into();
    }
    let narrow = render(&page, false);
    assert!(narrow.lines().take(3).all(|line| line.chars().count() <= 120), "{narrow}");
    for kept in ["DONOR", "STATE", "STANDING", "USED", "SHARDS", "SEEN"] {
        assert!(narrow.lines().next().unwrap().contains(kept), "{kept}");
    }
    let wide = render(&page, true);
    for column in ["TRASH", "SCRUBBED", "FAULTS", "HELD", "VERSION", "DOMAIN"] {
        assert!(wide.lines().next().unwrap().contains(column), "{column}");
    }
    assert!(wide.contains("2.0 KiB") && !wide.contains("--wide"));
}

#[test]
fn donors_that_have_left_are_counted_and_listed_only_where_asked_for() {
    let mut page = page();
    let left = |id, state, shards| NodeStatus { shards, ..node(id, state, StandingState::Released) };
    page.status.nodes.extend([left(3, NodeState::Lost, 0), left(4, NodeState::Offline, 0)]);
    page.status.nodes.extend([left(5, NodeState::Up, 0), left(6, NodeState::Lost, 1)]);
    let listed = |page: &Page, wide| {
        let text = render(page, wide);
        let ids = text.lines().skip(1).map_while(|line| line.split_whitespace().next()?.parse().ok());
        (ids.collect::<Vec<u32>>(), text.contains("2 donors left and not listed"))
    };
    assert_eq!(listed(&page, false), (vec![1, 2, 5, 6], true), "one is still there, one still named");
    assert_eq!(listed(&page, true), (vec![1, 2, 3, 4, 5, 6], false));
    page.status.as_of = 0;
    assert_eq!(listed(&page, false).0.len(), 6, "it isn't known yet who is named");
}

#[test]
fn a_network_without_donors_or_gateway_says_so() {
    let page = page();
    let status = Status { nodes: Vec::new(), durability: Durability::default(), ..page.status };
    let text = render(&Page { status, buckets: None, waiting: None }, false);
    assert!(text.starts_with("no donor has joined yet\n"));
    assert!(text.ends_with("durability  nothing stored on donors yet\n"), "{text}");
    assert!(!text.contains("release") && !text.contains("BUCKET"));
}

#[test]
fn json_carries_all() {
    let json = serde_json::to_value(page()).unwrap();
    assert_eq!(json["segments"]["full"], 1200);
    assert_eq!(json["durability"]["by_spare"]["-1"], 1);
    assert_eq!(json["buckets"][0]["durability"]["segments"], 1206);
    assert_eq!(json["waiting"]["parts"], 12);
    assert_eq!(json["nodes"][0]["standing"]["left"]["shards"], 12);
}
