//! MD5 of one stream by the md-5 crate, and of 1 to 16 streams in step; throughput is that of all together.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use md5::Digest;
use nodio_codec::md5::{Md5, update_together};

/// What the gateway hashes of each part in one go.
const SLICE_BYTES: usize = 64 * 1024;

fn bytes(stream: usize) -> Vec<u8> {
    (0..SLICE_BYTES).map(|i| (i * 31 + i / 253 + stream * 7) as u8).collect()
}

fn md5_of_streams(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("md5");
    group.throughput(Throughput::Bytes(SLICE_BYTES as u64));
    group.bench_function("md-5 crate", |bencher| {
        let (bytes, mut md5) = (bytes(0), md5::Md5::new());
        bencher.iter(|| md5.update(black_box(&bytes)));
    });
    for streams in [1, 2, 3, 4, 6, 8, 16] {
        group.throughput(Throughput::Bytes((streams * SLICE_BYTES) as u64));
        group.bench_function(BenchmarkId::new("streams", streams), |bencher| {
            let bytes: Vec<Vec<u8>> = (0..streams).map(bytes).collect();
            let mut md5s = vec![Md5::new(); streams];
            bencher.iter(|| update_together(md5s.iter_mut().zip(bytes.iter().map(|bytes| black_box(&bytes[..])))));
        });
    }
    group.finish();
}

criterion_group!(benches, md5_of_streams);
criterion_main!(benches);
