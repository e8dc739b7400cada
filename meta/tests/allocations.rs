//! What reading and committing allocate on redb. Figures to record anew are printed by
//! `cargo test -p nodio-meta --test allocations -- --nocapture`, in the form of the table.

#![allow(clippy::unwrap_used)]

#[path = "../../codec/tests/frugal/mod.rs"]
mod frugal;

use bytes::Bytes;
use frugal::{Figure, Ledger};
use nodio_meta::redb::Options;
use nodio_meta::{Commit, Direction, KeyRange, RedbStore, Store};
use tokio::task::JoinSet;

const RECORDED: &[Figure] =
    &[("get", 13, 354), ("scan of 100", 218, 30_802), ("commit of one", 103, 30_877), ("64 commits at once", 1032, 205_153)];

const ROWS: u32 = 1000;
const BATCH: u32 = 64;

fn key(number: u32) -> Bytes {
    format!("row/{number:08x}").into()
}

fn row(number: u32) -> Commit {
    Commit::new().check_absent(key(number)).put(key(number), vec![0x5a; 200])
}

#[test]
fn reads_and_commits_take_few_allocations() {
    let folder = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&folder.path().join("meta.redb"), Options { fsync: false, ..Options::default() }).unwrap();
    let store = std::sync::Arc::new(store);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rows = (0..ROWS).fold(Commit::new(), |commit, number| commit.and(row(number)));
    runtime.block_on(store.commit(rows)).unwrap();

    let mut ledger = Ledger::new(RECORDED);
    ledger.measure("get", || runtime.block_on(store.get(&key(ROWS / 2))).unwrap().unwrap());
    let all = KeyRange::prefix(b"row/");
    ledger.measure("scan of 100", || runtime.block_on(store.scan(all.clone(), 100, Direction::Ascending)).unwrap());
    let mut next = ROWS;
    ledger.measure("commit of one", || {
        next += 1;
        runtime.block_on(store.commit(row(next))).unwrap()
    });
    ledger.measure("64 commits at once", || {
        next += BATCH;
        let (store, first) = (&store, next);
        runtime.block_on(async {
            let mut commits = JoinSet::new();
            for number in first..first + BATCH {
                let store = store.clone();
                commits.spawn(async move { store.commit(row(number)).await.unwrap() });
            }
            commits.join_all().await
        })
    });
    ledger.settle();
}
