//! How long a page of a listing takes, by the number of keys in the bucket and by where in it the page is: the whole request, over a
//! connection of its own.
//!
//! The bucket is filled by writing rows into the metadata: each is the row of one object that was really put, under another key.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, unused_imports)]
#[path = "../tests/s3/common/mod.rs"]
mod common;

use std::path::Path;

use common::{BUCKET, Call, World, exchange_bytes};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use nodio_meta::redb::Options;
use nodio_meta::{Commit, Direction, KeyRange, RedbStore, Store};
use tokio::runtime::Runtime;

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const COMMIT_ROWS: usize = 10_000;
const TEMPLATE: &str = "template";
const FOLDER_KEYS: usize = 10;
const VERSIONS: usize = 100;
const ORDER_BYTES: usize = 8;

/// The row that all others are made of.
struct Template {
    /// What row keys begin with before the object's key.
    space: Vec<u8>,
    /// What follows it, before the version's order.
    end: Vec<u8>,
    live: Vec<u8>,
    marker: Vec<u8>,
}

impl Template {
    async fn find(store: &RedbStore) -> Self {
        let rows = store.scan(KeyRange::prefix(b"o/"), 1, Direction::Ascending).await.unwrap();
        let (key, live) = (rows[0].key.to_vec(), rows[0].value.to_vec());
        let at = key.windows(TEMPLATE.len()).position(|window| window == TEMPLATE.as_bytes()).unwrap();
        // A delete marker ends where a live object's state says that it is one: behind the owner's 64 digits.
        let digit = |byte: &u8| byte.is_ascii_hexdigit();
        let owner = live.windows(64).position(|window| window.iter().all(digit)).unwrap();
        let marker = [&live[..owner + 64], &[1]].concat();
        let end = key[at + TEMPLATE.len()..key.len() - ORDER_BYTES].to_vec();
        Self { space: key[..at].to_vec(), end, live, marker }
    }

    fn key(&self, key: &str, version: usize) -> Vec<u8> {
        [&self.space, key.as_bytes(), &self.end, &(version as u64).to_be_bytes()].concat()
    }
}

fn flat(number: usize) -> String {
    format!("flat/{number:09}")
}

fn deep(number: usize) -> String {
    format!("deep/{:06}/a/b/c/d/e/{:02}", number / FOLDER_KEYS, number % FOLDER_KEYS)
}

/// Half of the keys in one folder, half in many; beside them a tenth as many older versions, and as many delete markers.
fn rows(template: &Template, size: usize) -> impl Iterator<Item = (Vec<u8>, &[u8])> {
    let live = (0..size / 2).flat_map(|number| [flat(number), deep(number)]).map(|key| (key, 0));
    let versions = (0..size / 10).map(|number| (format!("many/{:06}", number / VERSIONS), number % VERSIONS));
    let live = live.chain(versions).map(|(key, version)| (template.key(&key, version), &template.live[..]));
    let markers = (0..size / 10).map(|number| (template.key(&format!("void/{number:09}"), 0), &template.marker[..]));
    live.chain(markers)
}

async fn fill(file: &Path, size: usize) {
    let store = RedbStore::open(file, Options { fsync: false, ..Options::default() }).unwrap();
    let template = Template::find(&store).await;
    let mut rows = rows(&template, size).peekable();
    while rows.peek().is_some() {
        let batch = rows.by_ref().take(COMMIT_ROWS);
        let commit = batch.fold(Commit::new(), |commit, (key, value)| commit.put(key, value.to_vec()));
        store.commit(commit).await.unwrap();
    }
}

async fn world(size: usize) -> World {
    let world = World::with(|config| config.fsync = false).await;
    let put = Call::put(&format!("/{BUCKET}/{TEMPLATE}"), "x").header("content-type", "text/plain");
    assert_eq!(world.client.send(put).await.status, 200);
    // On a thread and a runtime of its own: this one's is waiting.
    let filled = |file: &Path| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        std::thread::scope(|scope| scope.spawn(|| runtime.block_on(fill(file, size))).join().unwrap());
    };
    world.restart_after(filled).await
}

/// Pages, and how many objects and common prefixes each has.
fn pages(size: usize) -> Vec<(&'static str, String, usize)> {
    let half = size / 2;
    let (page, folders) = (1000.min(half), half / FOLDER_KEYS);
    let many = (size / 10).div_ceil(VERSIONS);
    let behind_flat = |number: usize| 1000.min(half - number - 1 + many + 1);
    let after = |key: String| format!("&start-after={}", key.replace('/', "%2F"));
    vec![
        ("first", String::new(), 1000),
        ("a tenth in", after(flat(half / 10)), behind_flat(half / 10)),
        ("half in", after(flat(half / 2)), behind_flat(half / 2)),
        ("prefix, first", "&prefix=flat%2F".into(), page),
        ("prefix, near its end", format!("&prefix=flat%2F{}", after(flat(half - page.min(half / 2) - 1))), page.min(half / 2)),
        ("prefix of nothing", "&prefix=flat%2F5x".into(), 0),
        ("ten keys of a folder", format!("&prefix={}", deep(half / 2).replace('/', "%2F").trim_end_matches("00")), FOLDER_KEYS),
        ("common prefixes, first", "&delimiter=%2F&prefix=deep%2F".into(), 1000.min(folders)),
        (
            "common prefixes, half in",
            format!("&delimiter=%2F&prefix=deep%2F{}", after(deep(half / 2 - 1))),
            1000.min(folders / 2),
        ),
        ("top folders", "&delimiter=%2F".into(), 4),
        ("100 versions a key", "&prefix=many%2F".into(), 1000.min(many)),
        ("delete markers", "&prefix=void%2F".into(), 0),
    ]
}

fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for size in SIZES {
        let world = runtime.block_on(world(size));
        let mut group = criterion.benchmark_group("list");
        group
            .sample_size(20)
            .warm_up_time(std::time::Duration::from_millis(500))
            .measurement_time(std::time::Duration::from_secs(2));
        for (name, query, entries) in pages(size) {
            let call = Call::get(&format!("/{BUCKET}?list-type=2{query}"));
            let request = world.client.request(&call).0;
            let page = runtime.block_on(exchange_bytes(world.addr, &request));
            assert_eq!((page.status, page.one("KeyCount")), (200, Some(entries.to_string())), "{name} of {size}");
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter(|| runtime.block_on(exchange_bytes(world.addr, &request)));
            });
        }
        group.finish();
        runtime.block_on(world.stop());
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
