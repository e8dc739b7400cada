//! The metrics over a real port: every line by the grammar of Prometheus' text format 0.0.4, every value as the status page has it.

use std::collections::{BTreeMap, BTreeSet};

use nodio_coordinator::{CoordinatorConfig, DomainRule, Running, start};
use nodio_host::Shutdown;
use nodio_wire::api::{Heartbeat, Register, Scrub, Status, Trash, set_digest};
use nodio_wire::auth::{Who, node_secret};
use nodio_wire::client::{HttpFleet, NodeApi, OperatorApi, http_pool};
use nodio_wire::fleet::{Fleet, GrantRequest, PlacedShard, SegmentCommit};
use nodio_wire::{Code, NodeId, PartId, SegmentId, ShardId};

/// Samples by name and labels as written, and the type of each family.
#[derive(Debug, Default)]
struct Page {
    samples: BTreeMap<String, f64>,
    types: BTreeMap<String, String>,
}

impl Page {
    fn value(&self, series: &str) -> f64 {
        *self.samples.get(series).unwrap_or_else(|| panic!("{series} isn't there: {:#?}", self.samples))
    }
}

fn is_name(text: &str, colons: bool) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    !text.is_empty() && text.chars().all(good) && !text.starts_with(|c: char| c.is_ascii_digit())
}

/// The rest behind a label value: `"` up to the next `"` that isn't escaped; only `\\`, `\"` and `\n` are escapes.
fn behind_value(text: &str) -> &str {
    let mut chars = text.strip_prefix('"').expect("a value begins with a quote").char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return &text[at + 2..],
            '\\' => assert!(matches!(chars.next(), Some((_, '\\' | '"' | 'n'))), "an unknown escape in {text}"),
            _ => {}
        }
    }
    panic!("a value without an end: {text}");
}

/// Checks `{name="value",...}`; returns what follows.
fn behind_labels(text: &str) -> &str {
    let (mut rest, mut seen) = (text.strip_prefix('{').expect("labels"), BTreeSet::new());
    loop {
        let (name, value) = rest.split_once('=').expect("a label and its value");
        assert!(is_name(name, false) && seen.insert(name), "the label {name} of {text}");
        rest = behind_value(value);
        match rest.split_at(1) {
            (",", more) => rest = more,
            ("}", more) => return more,
            _ => panic!("labels of {text}"),
        }
    }
}

fn parse(text: &str) -> Page {
    assert!(text.ends_with('\n'), "the last line ends with a line feed");
    let (mut page, mut family) = (Page::default(), String::new());
    let mut helped = BTreeSet::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("help");
            assert!(is_name(name, true) && !help.is_empty() && helped.insert(name.to_owned()), "{line}");
            family = name.to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a type");
            assert!(name == family && matches!(kind, "gauge" | "counter"), "{line}");
            assert!(page.types.insert(name.to_owned(), kind.to_owned()).is_none(), "two types: {line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        } else {
            let end = line.find(['{', ' ']).expect("a value");
            assert!(line[..end] == family && page.types.contains_key(&family), "{line} stands outside its family");
            let rest = if line[end..].starts_with('{') { behind_labels(&line[end..]) } else { &line[end..] };
            let number = rest.strip_prefix(' ').expect("a space before the value");
            let value = number.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            let series = line[..line.len() - rest.len()].to_owned();
            assert!(page.samples.insert(series, value).is_none(), "twice: {line}");
        }
    }
    page
}

async fn donor(running: &Running, number: u8, zone: &str) {
    let pool = http_pool().expect("a pool");
    let (base, join) = (format!("http://{}", running.addr), running.links.donor.secret.clone());
    let register = Register {
        node: None,
        nonce: hex::encode([number; 16]),
        addr: format!("http://10.0.0.{number}:7400"),
        capacity_bytes: 1 << 30,
        operator: None,
        zone: Some(zone.to_owned()),
        version: "test".into(),
    };
    let newcomer = NodeApi::new(pool.clone(), base.clone(), Who::Joining, join.clone());
    let registered = newcomer.register(&register).await.expect("registered");
    let mut theirs = [0; 16];
    hex::decode_to_slice(&registered.nonce, &mut theirs).expect("hex");
    let node = NodeApi::new(pool, base, Who::Node(registered.node), node_secret(&join, &[number; 16], &theirs));
    let beat = Heartbeat {
        node: registered.node,
        capacity_bytes: 1 << 30,
        used_bytes: 1000 * u64::from(number),
        free_bytes: 1 << 29,
        shards: 0,
        held_bytes: 900 * u64::from(number),
        digest: format!("{:x}", set_digest([])),
        trash: Trash { shards: 1, bytes: 100 * u64::from(number) },
        scrub: Scrub::default(),
        answers: Vec::new(),
        done: Vec::new(),
        rotten: Vec::new(),
        slots: 0,
        leaving: false,
    };
    node.heartbeat(&beat).await.expect("heard");
}

async fn commit(running: &Running, indexes: u32) {
    let fleet = HttpFleet::new(http_pool().expect("a pool"), &running.links.gateway);
    let (code, part) = (Code::new(2, 4).expect("a code"), PartId::random());
    let ask = GrantRequest { code, shard_bytes: 5000, segments: indexes as u16, spares: 0, holding: Vec::new() };
    let grants = fleet.grant(ask).await.expect("granted");
    let segment = |(index, grant): (usize, &nodio_wire::fleet::Grant)| {
        let shard = |at: usize| PlacedShard { id: ShardId::of(&[index as u8, at as u8]), node: Some(grant.donors[at].node) };
        let segment = SegmentId { part, index: index as u32 };
        SegmentCommit { segment, code, shard_bytes: 5000, shards: (0..4).map(shard).collect(), grant: grant.id }
    };
    fleet.commit(grants.iter().enumerate().map(segment).collect()).await.expect("committed");
}

async fn running(folder: &std::path::Path, shutdown: &Shutdown) -> Running {
    let config = CoordinatorConfig {
        data: folder.to_owned(),
        listen: "127.0.0.1:0".parse().expect("an address"),
        metrics_listen: Some("127.0.0.1:0".parse().expect("an address")),
        domain: DomainRule::Node,
        heartbeat_ms: 600_000,
        ..CoordinatorConfig::default()
    };
    start(config, shutdown.clone()).await.expect("started")
}

fn assert_same(page: &Page, status: &Status) {
    let sum = |of: fn(&nodio_wire::api::NodeStatus) -> u64| status.nodes.iter().map(of).sum::<u64>() as f64;
    for (series, value) in [
        ("nodio_donors{state=\"up\",standing=\"vetting\"}", status.nodes.len() as f64),
        ("nodio_donors{state=\"lost\",standing=\"refused\"}", 0.0),
        ("nodio_capacity_bytes", sum(|node| node.capacity_bytes)),
        ("nodio_used_bytes", sum(|node| node.used_bytes)),
        ("nodio_free_bytes", sum(|node| node.free_bytes)),
        ("nodio_held_bytes", sum(|node| node.held_bytes)),
        ("nodio_mapped_bytes", sum(|node| node.shard_bytes)),
        ("nodio_trash_bytes", sum(|node| node.trash.bytes)),
        ("nodio_segments{health=\"full\"}", status.segments.full as f64),
        ("nodio_segments{health=\"degraded\"}", status.segments.degraded as f64),
        ("nodio_segments{health=\"at_risk\"}", status.segments.at_risk as f64),
        ("nodio_segments{health=\"lost\"}", status.segments.lost as f64),
        ("nodio_segments_by_spare{spare=\"2\"}", status.durability.by_spare[&2] as f64),
        ("nodio_segments_by_spare{spare=\"-1\"}", 0.0),
        ("nodio_segment_bytes", status.durability.bytes as f64),
        ("nodio_unreadable_segments", status.durability.unreadable_now),
        ("nodio_mend_queue", status.repair.queued as f64),
        ("nodio_repairs_running", status.repair.running as f64),
        ("nodio_rebuilt_shards_total", status.repair.rebuilt as f64),
        ("nodio_rebuilt_bytes_total", status.repair.rebuilt_bytes as f64),
        ("nodio_moved_shards_total", status.repair.moved as f64),
        ("nodio_audits_total{result=\"passed\"}", sum(|node| node.audits.passed)),
        ("nodio_audits_total{result=\"failed\"}", sum(|node| node.audits.failed)),
        ("nodio_audits_total{result=\"offline\"}", sum(|node| node.audits.offline)),
    ] {
        assert_eq!(page.value(series), value, "{series}");
    }
    // Donors grow older, and so a little steadier, between the two looks.
    let figures = &status.durability;
    for (with, value) in [
        ("as_is", figures.lost_per_year),
        ("next_donor", figures.lost_per_year_next_donor),
        ("next_parity", figures.lost_per_year_next_parity),
    ] {
        let shown = page.value(&format!("nodio_lost_segments_per_year{{with=\"{with}\"}}"));
        assert!(shown > 0.0 && (shown / value - 1.0).abs() < 1e-3, "{with}: {shown} is not {value}");
    }
    for node in &status.nodes {
        let series = |name: &str| page.value(&format!("nodio_donor_{name}{{donor=\"{}\"}}", node.node));
        assert!((series("trust") - node.standing.trust).abs() < 1e-9);
        assert_eq!(series("used_bytes"), node.used_bytes as f64);
        assert!((series("availability") - node.availability).abs() < 1e-3);
        assert_eq!(series("shards"), node.shards as f64);
    }
    for tick in &status.ticks {
        let series = |name: &str| page.value(&format!("nodio_tick_{name}{{tick=\"{}\"}}", tick.name));
        assert_eq!(series("failing"), 0.0);
        assert!(series("runs_total") <= tick.runs as f64 && series("last_run_seconds") <= status.now as f64 / 1000.0);
    }
}

#[tokio::test]
async fn a_scraper_reads_the_figures_of_the_status_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let shutdown = Shutdown::new();
    let running = running(folder.path(), &shutdown).await;
    for number in 1..=5 {
        donor(&running, number, "home \"sweet\\home\"").await;
    }
    commit(&running, 7).await;
    let pool = http_pool().expect("a pool");
    let base = format!("http://{}", running.metrics_addr.expect("metrics are served"));
    let answer = pool.get(format!("{base}/metrics")).send().await.expect("answered");
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"text/plain; version=0.0.4; charset=utf-8".parse().expect("a value"))
    );
    let page = parse(&answer.text().await.expect("a text"));
    let status = OperatorApi::new(pool.clone(), &running.links.operator).status().await.expect("status");
    assert_eq!((status.nodes.len(), status.segments.full), (5, 7));
    assert_eq!(status.nodes[0].node, NodeId(1));
    assert_same(&page, &status);

    let elsewhere = pool.get(format!("{base}/api/status")).send().await.expect("answered");
    assert_eq!(elsewhere.status().as_u16(), 404, "nothing but the metrics is there");
    let unsigned = pool.get(format!("http://{}/metrics", running.addr)).send().await.expect("answered");
    assert_eq!(unsigned.status().as_u16(), 401, "and nothing unsigned at the other port");
    shutdown.trigger();
    drop(pool);
    running.wait().await;
}

#[tokio::test]
async fn without_an_address_there_are_no_metrics() {
    let folder = tempfile::tempdir().expect("a folder");
    let shutdown = Shutdown::new();
    let config = CoordinatorConfig {
        data: folder.path().to_owned(),
        listen: "127.0.0.1:0".parse().expect("an address"),
        ..CoordinatorConfig::default()
    };
    assert_eq!(config.metrics_listen, None);
    let running = start(config, shutdown.clone()).await.expect("started");
    assert_eq!(running.metrics_addr, None);
    shutdown.trigger();
    running.wait().await;
}
