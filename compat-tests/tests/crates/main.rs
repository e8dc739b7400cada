//! What programs in Rust reach S3 with: `object_store`, `opendal` and the AWS SDK, each with a network of its own.

mod aws_sdk;
mod object_store;
mod opendal;

use anyhow::Result;
use nodio_compat_tests::cluster::{Cluster, Options};
use nodio_compat_tests::data::Data;

const BUCKET: &str = "crates";
const MIB: u64 = 1 << 20;
/// The least that S3 takes as a part which isn't the last.
const PART_BYTES: u64 = 5 * MIB;

async fn start() -> Result<Cluster> {
    let cluster = Cluster::start(Options::default()).await?;
    cluster.s3().must_make_bucket(BUCKET).await?;
    Ok(cluster)
}

/// Every size under an awkward name.
fn objects() -> Vec<(String, Data)> {
    let names = ["plain.bin", "with a space.bin", "ünïcödé-日本-😀.bin", "plus+and&=#.bin", "percent%41%20%2F.bin"];
    let sizes = [0, 1, 4096, 70_000, 3_000_000];
    let sized = names.into_iter().zip(sizes).enumerate();
    sized.map(|(seed, (name, len))| (format!("objects/{name}"), Data::new(seed as u64, len))).collect()
}

/// What takes four parts.
fn large() -> Data {
    Data::new(9, 3 * PART_BYTES + 2 * MIB + 3)
}
