//! How long a donor's store takes to open, after a clean stop and after a kill, with warm and with cold caches.
//!
//! ```sh
//! cargo bench -p nodio-node --bench start -- DIR [SHARDS [BYTES]]      # 1,000,000 shards of 1,024 bytes; DIR is kept and used again
//! ```
//! Cold caches need root. Every open is done by a process of its own, which tells its time and memory.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use nodio_node::store::{Store, StoreOptions};
use nodio_wire::ShardId;

const PUTS_AT_ONCE: usize = 64;
/// How long a process that is to be killed stores before it is.
const BUSY_MS: u64 = 1_500;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let dir = PathBuf::from(arguments.first().expect("the first argument is a folder"));
    let number = |at: usize, default: u64| arguments.get(at).map_or(default, |text| text.parse().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match std::env::var("NODIO_BENCH_START").as_deref() {
        Ok("fill") => runtime.block_on(fill(&dir, number(1, 0), number(2, 0))),
        Ok("open") => runtime.block_on(async { open(&dir).close().await }),
        Ok(_) => runtime.block_on(put_for_ever(&dir, number(2, 0))),
        Err(_) => measure(&dir, number(1, 1_000_000), number(2, 1_024)),
    }
}

fn measure(dir: &Path, shards: u64, len: u64) {
    let child = |what: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(dir).args([shards.to_string(), len.to_string()]).env("NODIO_BENCH_START", what);
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    if !dir.exists() {
        child("fill").wait().unwrap();
    }
    println!("{shards} shards of {len} bytes");
    for (stop, cold) in [("clean", false), ("clean", true), ("kill -9", false), ("kill -9", true)] {
        if stop == "kill -9" {
            let mut busy = child("put");
            tell_first_line(&mut busy, None);
            std::thread::sleep(Duration::from_millis(BUSY_MS));
            busy.kill().unwrap();
            busy.wait().unwrap();
        }
        let cold = cold && drop_caches();
        let mut opening = child("open");
        tell_first_line(&mut opening, Some(&format!("{stop}, caches {}", if cold { "cold" } else { "warm" })));
        opening.wait().unwrap();
    }
}

fn tell_first_line(child: &mut Child, label: Option<&str>) {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    if let Some(label) = label {
        println!("{label}: {}", line.trim());
    }
}

fn drop_caches() -> bool {
    let synced = Command::new("sync").status().is_ok_and(|status| status.success());
    synced && std::fs::write("/proc/sys/vm/drop_caches", "1").is_ok()
}

fn options(dir: &Path, fsync: bool) -> StoreOptions {
    StoreOptions {
        dir: dir.join("volumes"),
        capacity_bytes: 1 << 40,
        volume_bytes: 1 << 30,
        disk_reserve_bytes: 0,
        direct_min_bytes: 128 * 1024,
        fsync,
    }
}

/// Opens the store and says how long that took and what memory and processor time the process has by then.
fn open(dir: &Path) -> Store {
    let before = resident_kib();
    let began = Instant::now();
    let store = Store::open(options(dir, true)).unwrap();
    let (took, totals) = (began.elapsed(), store.totals());
    let ticks = std::fs::read_to_string("/proc/self/stat").unwrap();
    let ticks: Vec<u64> = ticks.split(' ').skip(13).take(2).map(|field| field.parse().unwrap()).collect();
    let grown = (resident_kib() - before) * 1024;
    println!(
        "{:.3} s, {} ms of processor time, {} shards, {} MB used, {} bytes of memory a shard",
        took.as_secs_f64(),
        10 * (ticks[0] + ticks[1]),
        totals.shards,
        totals.used_bytes / 1_000_000,
        grown / totals.shards.max(1)
    );
    store
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn shard(seed: u64, len: u64) -> (ShardId, Bytes) {
    let mut bytes = vec![0; len as usize];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    (ShardId::of(&bytes), bytes.into())
}

async fn put_all(store: &Store, seeds: impl Iterator<Item = u64>, len: u64) {
    let puts = seeds.map(|seed| {
        let store = store.clone();
        tokio::spawn(async move {
            let (id, data) = shard(seed, len);
            store.put(id, data, store.now_ms()).await.unwrap();
        })
    });
    futures::stream::iter(puts).buffer_unordered(PUTS_AT_ONCE).for_each(|put| async { put.unwrap() }).await;
}

async fn fill(dir: &Path, shards: u64, len: u64) {
    let store = Store::open(options(dir, false)).unwrap();
    put_all(&store, 0..shards, len).await;
    store.close().await;
}

async fn put_for_ever(dir: &Path, len: u64) {
    let store = open(dir);
    let first = u64::from(std::process::id()) << 32;
    put_all(&store, first.., len).await;
}
