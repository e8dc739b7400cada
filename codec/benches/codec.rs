//! What a byte costs on its way to shards and back: `cargo bench -p nodio-codec`, with a filter behind `--` for a part of it.
//! Throughput is in bytes of plaintext, for `rebuild` in bytes rebuilt.

#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nodio_codec::seal::{BLOCK_BYTES, PartCipher, sealed_len};
use nodio_codec::segment::{Shape, Window};
use nodio_codec::{DataKey, erasure, segment};

const MIB: usize = 1 << 20;
/// Narrow, wide, wide with much parity, the widest in use, and replication.
const CODES: [(usize, usize); 5] = [(4, 6), (10, 14), (10, 30), (29, 80), (1, 3)];

fn bytes(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(|_| next()).collect()
}

fn cipher() -> PartCipher {
    PartCipher::new([7; 16], &DataKey::from_bytes([9; 32]))
}

fn shape(k: usize, n: usize) -> Shape {
    Shape::new(k, n, k * MIB)
}

fn sealing(c: &mut Criterion) {
    let cipher = cipher();
    let mut group = c.benchmark_group("seal");
    for (name, len) in [("64 KiB", BLOCK_BYTES), ("4 MiB", 4 * MIB)] {
        let (plain, mut sealed) = (bytes(len), vec![0; sealed_len(len)]);
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(name, |b| b.iter(|| cipher.seal_segment(0, black_box(&plain), &mut sealed)));
    }
    group.finish();
}

/// A range read opens a block, a whole read the data shards of a segment, 4/6 here. Both where the bytes lie, so each round has its own.
fn opening(c: &mut Criterion) {
    let cipher = cipher();
    let plain = bytes(4 * MIB);
    let shape = shape(4, 6);
    let mut coded = vec![0; shape.coded_len()];
    segment::encode(&cipher, 0, &plain, shape, &mut coded).unwrap();
    let mut group = c.benchmark_group("open");
    for (name, len) in [("64 KiB", BLOCK_BYTES), ("4 MiB", plain.len())] {
        let window = shape.window(0..len);
        let pieces = || -> Vec<_> { window.pieces().map(|(shard, piece)| coded[shape.shard(shard)][piece].to_vec()).collect() };
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(name, |b| {
            b.iter_batched_ref(pieces, |pieces| open(&cipher, window.clone(), pieces), BatchSize::NumIterations(8));
        });
    }
    group.finish();
}

fn open(cipher: &PartCipher, window: Window, pieces: &mut [Vec<u8>]) {
    let mut opening = window.open();
    while let Some(opened) = opening.step(cipher, 0, pieces) {
        black_box(opened.unwrap());
    }
}

fn encoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    for (k, n) in CODES {
        let (data, mut parity) = (bytes(k * MIB), vec![0; (n - k) * MIB]);
        let data: Vec<&[u8]> = data.chunks(MIB).collect();
        let mut parity: Vec<&mut [u8]> = parity.chunks_mut(MIB).collect();
        group.throughput(Throughput::Bytes((k * MIB) as u64));
        group.bench_function(format!("{k}/{n}"), |b| b.iter(|| erasure::encode(black_box(&data), &mut parity).unwrap()));
    }
    group.finish();
    let cipher = cipher();
    let mut group = c.benchmark_group("seal and encode a segment");
    for (k, n) in CODES {
        let (plain, shape) = (bytes(k * MIB), shape(k, n));
        let mut coded = vec![0; shape.coded_len()];
        group.throughput(Throughput::Bytes(plain.len() as u64));
        group.bench_function(format!("{k}/{n}"), |b| {
            b.iter(|| segment::encode(&cipher, 0, black_box(&plain), shape, &mut coded).unwrap());
        });
    }
    group.finish();
}

/// The first shards are the lost ones: data, which is what a degraded read misses, then parity.
fn rebuilding(c: &mut Criterion) {
    for (k, n) in CODES {
        let mut all = bytes(n * MIB);
        let (data, parity) = all.split_at_mut(k * MIB);
        let data: Vec<&[u8]> = data.chunks(MIB).collect();
        let mut parity: Vec<&mut [u8]> = parity.chunks_mut(MIB).collect();
        erasure::encode(&data, &mut parity).unwrap();
        let shards: Vec<(usize, &[u8])> = all.chunks(MIB).enumerate().collect();
        let mut group = c.benchmark_group(format!("rebuild {k}/{n}"));
        for lost in losses(n - k) {
            let mut rebuilt = vec![0; lost * MIB];
            let mut wanted: Vec<(usize, &mut [u8])> = rebuilt.chunks_mut(MIB).enumerate().collect();
            group.throughput(Throughput::Bytes((lost * MIB) as u64));
            group.bench_function(BenchmarkId::new("lost", lost), |b| {
                b.iter(|| erasure::rebuild_into(k, n, black_box(&shards[lost..]), &mut wanted).unwrap());
            });
        }
        group.finish();
    }
}

/// 1, 2, 4, ... up to as many as may be lost.
fn losses(most: usize) -> Vec<usize> {
    let doubling = std::iter::successors(Some(1), |lost| Some(lost * 2)).take_while(|lost| *lost < most);
    doubling.chain([most]).collect()
}

/// What names a shard, and checks it wherever it goes.
fn hashing(c: &mut Criterion) {
    let mut group = c.benchmark_group("hash");
    for (name, len) in [("4 KiB", 4 << 10), ("64 KiB", 64 << 10), ("1 MiB", MIB)] {
        let shard = bytes(len);
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(name, |b| b.iter(|| blake3::hash(black_box(&shard))));
    }
    group.finish();
}

fn short() -> Criterion {
    Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = benches;
    config = short();
    targets = sealing, opening, encoding, rebuilding, hashing
}
criterion_main!(benches);
