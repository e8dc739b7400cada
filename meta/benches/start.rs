//! How long a store with many rows takes to open, after a clean stop and after a kill, with warm and with cold caches; and how many
//! commits a second it makes for 16 and for 64 that wait.
//!
//! ```sh
//! cargo bench -p nodio-meta --bench start -- DIR [ROWS [BYTES]]      # 1,000,000 rows of 400 bytes; DIR is kept and used again
//! ```
//! Cold caches need root. Every open is done by a process of its own.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nodio_meta::redb::Options;
use nodio_meta::{Commit, RedbStore, Store};
use tokio::task::JoinSet;

const FILL_ROWS_PER_COMMIT: u64 = 1000;
const BUSY: Duration = Duration::from_millis(4_000);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let dir = PathBuf::from(arguments.first().expect("the first argument is a folder"));
    let number = |at: usize, default: u64| arguments.get(at).map_or(default, |text| text.parse().unwrap());
    let (rows, len) = (number(1, 1_000_000), number(2, 400) as usize);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match std::env::var("NODIO_BENCH_START").as_deref() {
        Ok("fill") => runtime.block_on(fill(&dir, rows, len)),
        Ok("open") => drop(open(&dir)),
        Ok(writers) => runtime.block_on(commit_for_ever(&dir, rows, len, writers.parse().unwrap())),
        Err(_) => measure(&dir, rows, len),
    }
}

fn measure(dir: &Path, rows: u64, len: usize) {
    let child = |what: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(dir).args([rows.to_string(), len.to_string()]).env("NODIO_BENCH_START", what);
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    if !dir.exists() {
        std::fs::create_dir_all(dir).unwrap();
        tell_lines(&mut child("fill"), "fill", 1);
    }
    println!("{rows} rows of {len} bytes, {} MB", file(dir).metadata().unwrap().len() / 1_000_000);
    for (stop, cold) in [("clean", false), ("clean", true), ("16", false), ("64", true)] {
        if stop != "clean" {
            let mut busy = child(stop);
            tell_lines(&mut busy, &format!("{stop} writers"), 2);
            busy.kill().unwrap();
            busy.wait().unwrap();
        }
        let cold = cold && drop_caches();
        let label = format!("{}, caches {}", if stop == "clean" { stop } else { "kill -9" }, if cold { "cold" } else { "warm" });
        tell_lines(&mut child("open"), &label, 1);
    }
    println!("{} MB at the end", file(dir).metadata().unwrap().len() / 1_000_000);
}

fn tell_lines(child: &mut Child, label: &str, lines: usize) {
    for line in BufReader::new(child.stdout.take().unwrap()).lines().take(lines) {
        println!("{label}: {}", line.unwrap());
    }
    if lines == 1 {
        child.wait().unwrap();
    }
}

fn drop_caches() -> bool {
    let synced = Command::new("sync").status().is_ok_and(|status| status.success());
    synced && std::fs::write("/proc/sys/vm/drop_caches", "1").is_ok()
}

fn file(dir: &Path) -> PathBuf {
    dir.join("meta.redb")
}

fn open(dir: &Path) -> RedbStore {
    let (began, before) = (Instant::now(), processor_ms());
    let store = RedbStore::open(&file(dir), Options::default()).unwrap();
    println!("opened in {:.3} s, {} ms of processor time", began.elapsed().as_secs_f64(), processor_ms() - before);
    store
}

fn processor_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    stat.split(' ').skip(13).take(2).map(|field| 10 * field.parse::<u64>().unwrap()).sum()
}

/// Spread as keys of many buckets and prefixes are.
fn row(number: u64, len: usize) -> (Vec<u8>, Vec<u8>) {
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (format!("o/{spread:016x}/photos/2026/{number:012}.jpg").into_bytes(), vec![spread as u8; len])
}

async fn fill(dir: &Path, rows: u64, len: usize) {
    let began = Instant::now();
    let store = Arc::new(RedbStore::open(&file(dir), Options::default()).unwrap());
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let (store, next) = (store.clone(), next.clone());
        tasks.spawn(async move {
            loop {
                let first = next.fetch_add(FILL_ROWS_PER_COMMIT, Ordering::Relaxed);
                if first >= rows {
                    return;
                }
                let put = |commit: Commit, number| {
                    let (key, value) = row(number, len);
                    commit.put(key, value)
                };
                let commit = (first..rows.min(first + FILL_ROWS_PER_COMMIT)).fold(Commit::new(), put);
                store.commit(commit).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    println!("{:.1} s", began.elapsed().as_secs_f64());
}

async fn commit_for_ever(dir: &Path, rows: u64, len: usize, writers: u64) {
    let store = Arc::new(open(dir));
    let next = Arc::new(AtomicU64::new(rows + (u64::from(std::process::id()) << 32)));
    for _ in 0..writers {
        let (store, next) = (store.clone(), next.clone());
        tokio::spawn(async move {
            loop {
                let (key, value) = row(next.fetch_add(1, Ordering::Relaxed), len);
                store.commit(Commit::new().check_absent(key.clone()).put(key, value)).await.unwrap();
            }
        });
    }
    let (began, first, before) = (Instant::now(), next.load(Ordering::Relaxed), (store.transactions(), processor_ms()));
    tokio::time::sleep(BUSY).await;
    let (commits, took) = (next.load(Ordering::Relaxed) - first, began.elapsed().as_secs_f64());
    let processor_us = 1000 * (processor_ms() - before.1) / commits.max(1);
    let transactions = (store.transactions() - before.0) as f64 / took;
    println!(
        "{:.0} commits/s, {transactions:.0} transactions/s, {processor_us} us of processor time each",
        commits as f64 / took
    );
    std::future::pending::<()>().await;
}
