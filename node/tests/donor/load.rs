//! A donor's process under load: its memory stays bounded.

use std::process::{Child, Command, Stdio};

use futures::stream::{self, StreamExt};
use nodio_host::now_ms;
use nodio_wire::ShardId;
use nodio_wire::donor::{DonorError, Transport};
use nodio_wire::ticket::{Op, Ticket};

use crate::coordinator::Coordinator;
use crate::{shard, transport};

/// Killed when the test ends, however it does.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// Repeats a request that found the donor busy, as a gateway would.
async fn insist<T>(mut attempt: impl AsyncFnMut() -> Result<T, DonorError>) -> T {
    loop {
        match attempt().await {
            Err(DonorError::Busy) => {}
            outcome => return outcome.unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_donor_under_load_stays_below_100_mb() {
    let coordinator = Coordinator::start().await;
    let dir = tempfile::tempdir().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_nodio-node"))
        .args(["--data", dir.path().to_str().unwrap(), "--listen", "127.0.0.1:0", "--capacity", "1 GiB", "--no-fsync"])
        .env("NODIO_NODE_DISK_RESERVE", "0")
        .env("NODIO_NODE_INVITE", coordinator.invite().to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let process = Process(child);
    let (node, url) =
        coordinator.until("a beat", |said| Some((said.beats.first()?.node, said.registered.first()?.addr.clone()))).await;
    let secret = coordinator.secret_of(node);
    let sign = |op, shard: Option<ShardId>, nonce| {
        Ticket { op, node, shard, bytes_max: 2 << 20, expires: now_ms() + 60_000, nonce }.sign(&secret)
    };
    let (transport, url, sign) = (&transport(), &url, &sign);
    let puts = stream::iter(0..200u64).map(async |seed| {
        let (id, data) = shard(seed, 1_048_832);
        let ticket = sign(Op::Put, None, seed);
        insist(async || transport.put(url, &ticket, id, data.clone()).await).await;
        id
    });
    let ids: Vec<ShardId> = puts.buffer_unordered(32).collect().await;
    let gets = stream::iter(ids.iter().chain(&ids)).map(async |id| {
        let ticket = sign(Op::Get, Some(*id), 0);
        assert_eq!(ShardId::of(&insist(async || transport.get(url, &ticket, *id, None).await).await), *id);
    });
    gets.buffer_unordered(32).collect::<Vec<()>>().await;
    let peak_kib = process.peak_kib();
    assert!(peak_kib < 100_000, "the donor took {peak_kib} KiB");
}
