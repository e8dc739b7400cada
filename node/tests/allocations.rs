//! What a donor's store allocates for a shard. Figures to record anew are printed by
//! `cargo test -p nodio-node --test allocations -- --nocapture`, in the form of the table.

#![allow(clippy::unwrap_used)]

#[path = "../../codec/tests/frugal/mod.rs"]
mod frugal;

use bytes::Bytes;
use frugal::{Figure, Ledger};
use nodio_node::store::{Store, StoreOptions};
use nodio_wire::ShardId;

const RECORDED: &[Figure] =
    &[("put 4 KiB", 9, 1_924), ("put 1 MiB", 9, 2_196), ("get 1 MiB", 2, 288), ("get 64 KiB of it", 4, 336)];

const SHARD_BYTES: usize = 1 << 20;

/// A shard like no other.
fn shard(number: u32, len: usize) -> (ShardId, Bytes) {
    let mut bytes = vec![0xa5; len];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    let bytes = Bytes::from(bytes);
    (ShardId::of(&bytes), bytes)
}

#[test]
fn a_shard_takes_few_allocations() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions {
        dir: folder.path().join("volumes"),
        capacity_bytes: 1 << 30,
        volume_bytes: 64 << 20,
        disk_reserve_bytes: 0,
        direct_min_bytes: 128 << 10,
        fsync: false,
    });
    let store = store.unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut ledger = Ledger::new(RECORDED);
    for (name, len) in [("put 4 KiB", 4096), ("put 1 MiB", SHARD_BYTES)] {
        let mut shards = (0..16).map(|number| shard(number, len)).collect::<Vec<_>>().into_iter();
        ledger.measure(name, || {
            let (id, bytes) = shards.next().unwrap();
            runtime.block_on(store.put(id, bytes, store.now_ms())).unwrap()
        });
    }
    let (id, _) = shard(0, SHARD_BYTES);
    ledger.measure("get 1 MiB", || runtime.block_on(store.get(id, None)).unwrap());
    ledger.measure("get 64 KiB of it", || runtime.block_on(store.get(id, Some(100_000..165_536))).unwrap());
    ledger.settle();
    runtime.block_on(store.close());
}
