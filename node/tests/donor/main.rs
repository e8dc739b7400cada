//! A donor as others see it: real HTTP, real tickets, a coordinator that is only played.

#![allow(clippy::unwrap_used)]

mod agent;
mod audits;
mod coordinator;
mod leaving;
mod load;
mod mending;
mod reconciling;
mod shards;
mod start;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use nodio_host::{Shutdown, now_ms};
use nodio_node::{ByteSize, NodeConfig, RunningNode};
use nodio_wire::auth::Secret;
use nodio_wire::client::HttpTransport;
use nodio_wire::ticket::{Op, SignedTicket, Ticket};
use nodio_wire::{NodeId, ShardId};

use coordinator::Coordinator;

/// A donor that runs, and what it takes to make tickets for it.
struct Donor {
    running: RunningNode,
    shutdown: Shutdown,
    secret: Secret,
    dir: tempfile::TempDir,
}

impl Donor {
    async fn join(coordinator: &Coordinator) -> Self {
        Self::start(coordinator, tempfile::tempdir().unwrap(), true).await
    }

    async fn start(coordinator: &Coordinator, dir: tempfile::TempDir, invited: bool) -> Self {
        let shutdown = Shutdown::new();
        let mut config = config(dir.path());
        config.invite = invited.then(|| coordinator.invite());
        let running = nodio_node::start(config, shutdown.clone()).await.unwrap();
        let secret = coordinator.secret_of(running.node);
        Self { running, shutdown, secret, dir }
    }

    async fn stop(self) -> tempfile::TempDir {
        self.shutdown.trigger();
        self.running.wait().await.unwrap();
        self.dir
    }

    fn node(&self) -> NodeId {
        self.running.node
    }

    fn url(&self) -> &str {
        &self.running.url
    }

    fn ticket(&self, op: Op, shard: Option<ShardId>) -> SignedTicket {
        static NONCE: AtomicU64 = AtomicU64::new(1);
        let nonce = NONCE.fetch_add(1, Ordering::Relaxed);
        let expires = now_ms() + 60_000;
        Ticket { op, node: self.node(), shard, bytes_max: 2_000_000, expires, nonce }.sign(&self.secret)
    }

    fn put_ticket(&self) -> SignedTicket {
        self.ticket(Op::Put, None)
    }

    fn get_ticket(&self, shard: ShardId) -> SignedTicket {
        self.ticket(Op::Get, Some(shard))
    }
}

fn config(dir: &Path) -> NodeConfig {
    NodeConfig {
        data: dir.join("donor"),
        listen: "127.0.0.1:0".parse().unwrap(),
        capacity: Some(ByteSize(64 << 20)),
        disk_reserve: ByteSize(0),
        ..NodeConfig::default()
    }
}

fn transport() -> HttpTransport {
    HttpTransport::default()
}

/// A shard told by a number, of any length.
fn shard(seed: u64, len: usize) -> (ShardId, Bytes) {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    (ShardId::of(&bytes), bytes.into())
}
