//! The gateway's memory doesn't grow with the object.
//!
//! `NODIO_TEST_LARGE=1` carries 1 GiB, alone and four at once; otherwise 256 MiB.

use anyhow::{Result, ensure};
use nodio_compat_tests::clients::Aws;
use nodio_compat_tests::cluster::{Cluster, Options};
use nodio_compat_tests::data::Data;

const MIB: u64 = 1 << 20;

fn large() -> bool {
    std::env::var_os("NODIO_TEST_LARGE").is_some()
}

/// Copies one large file up and down for each of `seeds`, all at once.
async fn carry(cluster: &Cluster, seeds: std::ops::Range<u64>, len: u64) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let mut copies = tokio::task::JoinSet::new();
    for seed in seeds {
        let Some(aws) = Aws::find(&cluster.access())? else { return Ok(false) };
        let (up, down) = (folder.path().join(format!("up-{seed}")), folder.path().join(format!("down-{seed}")));
        let target = format!("s3://large/{seed}");
        copies.spawn(async move {
            let data = Data::new(seed, len);
            data.write_file(&up)?;
            aws.run(&["s3", "cp", "--no-progress", up.to_str().unwrap_or_default(), &target])?;
            aws.run(&["s3", "cp", "--no-progress", &target, down.to_str().unwrap_or_default()])?;
            data.check_file(&down).map_err(anyhow::Error::msg)
        });
    }
    while let Some(copied) = copies.join_next().await {
        copied??;
    }
    Ok(true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_large_copy_stays_within_memory() -> Result<()> {
    let len = if large() { 1024 * MIB } else { 256 * MIB };
    let cluster = Cluster::start(Options::default()).await?;
    cluster.s3().must_make_bucket("large").await?;
    if !carry(&cluster, 0..1, len).await? {
        return Ok(());
    }
    let peak = cluster.gateway_peak_rss_bytes()?;
    eprintln!("the gateway's peak is {} MiB for one copy of {} MiB", peak / MIB, len / MIB);
    ensure!(peak < 400 * MIB, "the gateway's peak is {} MiB for one copy", peak / MIB);
    let at_once = if large() { len } else { 64 * MIB };
    carry(&cluster, 1..5, at_once).await?;
    let peak = cluster.gateway_peak_rss_bytes()?;
    eprintln!("the gateway's peak is {} MiB for four copies of {} MiB at once", peak / MIB, at_once / MIB);
    ensure!(peak < 700 * MIB, "the gateway's peak is {} MiB for four copies at once", peak / MIB);
    Ok(())
}
