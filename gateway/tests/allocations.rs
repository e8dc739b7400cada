//! What a request takes, from the socket to the donors' memory and back. Figures to record anew are printed by
//! `cargo test -p nodio-gateway --test allocations -- --nocapture`, in the form of the table.

#![allow(clippy::unwrap_used)]

#[path = "s3/common/mod.rs"]
#[allow(dead_code, unused_imports)]
mod common;
#[path = "../../codec/tests/frugal/mod.rs"]
mod frugal;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use common::{BUCKET, Call, World, bytes};
use frugal::{Figure, Ledger};

const RECORDED: &[Figure] = &[
    ("PUT 4 KiB", 284, 106_877),
    ("GET 4 KiB", 154, 59_247),
    ("HEAD 4 KiB", 124, 43_568),
    ("LIST of 100", 543, 124_404),
    ("PUT 1 MiB", 439, 479_183),
    ("GET 1 MiB", 178, 53_210),
];

const HOUR_MS: u64 = 3_600_000;
const LISTED: usize = 100;

/// Sends what was signed beforehand and reads the answer into `answer`, so that the client's part takes nothing. Returns its length.
fn exchange(addr: SocketAddr, request: &[u8], answer: &mut [u8]) -> usize {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(request).unwrap();
    let mut len = 0;
    loop {
        match stream.read(&mut answer[len..]).unwrap() {
            0 => break,
            some => len += some,
        }
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..len.min(1000)]));
    len
}

#[test]
fn a_request_takes_few_allocations() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let quiet = World::with(|config| (config.release_every_ms, config.durability_every_ms) = (HOUR_MS, HOUR_MS));
    let world = runtime.block_on(quiet);
    let donors = [1, 2, 3, 4, 5, 6].map(|donor| format!("http://donor-{donor}"));
    let mut ledger = Ledger::new(RECORDED);
    let mut answer = vec![0; 2 << 20];
    let mut measure = |name, call: Call| {
        let (request, _) = world.client.request(&call);
        ledger.measure(name, || {
            if call.method == "PUT" {
                // Real donors keep shards elsewhere than in the gateway's buffers.
                donors.iter().for_each(|donor| world.donors.wipe(donor));
            }
            exchange(world.addr, &request, &mut answer)
        });
    };
    let path = |key: &str| format!("/{BUCKET}/{key}");
    measure("PUT 4 KiB", Call::put(&path("small"), bytes(4096)));
    measure("GET 4 KiB", Call::get(&path("small")));
    measure("HEAD 4 KiB", Call::head(&path("small")));
    for number in 0..LISTED {
        let put = Call::put(&path(&format!("listed/{number:04}")), "1");
        assert_eq!(runtime.block_on(world.client.send(put)).status, 200);
    }
    measure("LIST of 100", Call::get(&format!("/{BUCKET}?list-type=2&prefix=listed%2F")));
    measure("PUT 1 MiB", Call::put(&path("large"), bytes(1 << 20)));
    measure("GET 1 MiB", Call::get(&path("large")));
    ledger.settle();
    runtime.block_on(world.stop());
}
