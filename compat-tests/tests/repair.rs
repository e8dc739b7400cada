//! What was lost or damaged is mended without anybody asking.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nodio_compat_tests::cluster::{Cluster, Options};
use nodio_compat_tests::data::Data;
use nodio_compat_tests::shards::{flip, inside_a_shard};
use nodio_wire::api::{NodeState, Status};

const BUCKET: &str = "repair";
const PATIENCE: Duration = Duration::from_secs(90);

fn objects() -> Vec<(String, Data)> {
    let sizes = [20_000, 64_000, 300_000, 1_048_577, 4 << 20, 13_000_000];
    sizes.into_iter().enumerate().map(|(seed, len)| (format!("object-{seed}"), Data::new(seed as u64, len))).collect()
}

async fn write_all(cluster: &Cluster) -> Result<u64> {
    cluster.s3().must_make_bucket(BUCKET).await?;
    for (key, data) in objects() {
        cluster.s3().must_put(BUCKET, &key, data).await?;
    }
    let status = cluster.wait_for("every segment is full", PATIENCE, all_full).await?;
    Ok(status.segments.full)
}

async fn read_all(cluster: &Cluster) -> Result<()> {
    for (key, data) in objects() {
        cluster.s3().must_read(BUCKET, &key, data).await?;
    }
    Ok(())
}

fn all_full(status: &Status) -> bool {
    let health = status.segments;
    health.full > 0 && health.degraded + health.at_risk + health.lost == 0 && status.repair.queued + status.repair.running == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_donors_shards_are_rebuilt_until_every_segment_is_full() -> Result<()> {
    let mut cluster = Cluster::start(Options { donors: 8, repair_after_ms: 2_000, ..Options::default() }).await?;
    let segments = write_all(&cluster).await?;
    for donor in [3, 6] {
        cluster.kill_donor(donor);
    }
    let both_lost = |status: &Status| status.nodes.iter().filter(|node| node.state == NodeState::Lost).count() == 2;
    cluster.wait_for("two donors are lost", PATIENCE, both_lost).await?;
    let status =
        cluster.wait_for("every segment is full again", PATIENCE, |status| both_lost(status) && all_full(status)).await?;
    ensure!(status.segments.full == segments && status.repair.rebuilt > 0, "{:?} {:?}", status.segments, status.repair);
    // Full means that two more may go.
    for donor in [0, 1] {
        cluster.kill_donor(donor);
    }
    read_all(&cluster).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_donor_is_replaced_by_a_new_one() -> Result<()> {
    let mut cluster = Cluster::start(Options { repair_after_ms: 2_000, ..Options::default() }).await?;
    let segments = write_all(&cluster).await?;
    cluster.replace_donor(2)?;
    let replaced = |status: &Status| {
        let lost = status.nodes.iter().filter(|node| node.state == NodeState::Lost).count();
        lost == 1 && status.nodes.len() == 7 && all_full(status)
    };
    let status = cluster.wait_for("the new donor holds what the old one held", PATIENCE, replaced).await?;
    ensure!(status.segments.full == segments, "{:?} instead of {segments}", status.segments);
    for donor in [0, 5] {
        cluster.kill_donor(donor);
    }
    read_all(&cluster).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_donor_that_returns_counts_again() -> Result<()> {
    let mut cluster = Cluster::start(Options { donors: 6, repair_after_ms: 2_000, ..Options::default() }).await?;
    let segments = write_all(&cluster).await?;
    cluster.kill_donor(1);
    let degraded =
        |status: &Status| status.segments.full < segments && status.nodes.iter().any(|node| node.state == NodeState::Lost);
    cluster.wait_for("its absence is seen", PATIENCE, degraded).await?;
    read_all(&cluster).await?;
    cluster.start_donor(1)?;
    let status = cluster.wait_for("every segment is full again", PATIENCE, all_full).await?;
    ensure!(status.segments.full == segments, "{:?} instead of {segments}", status.segments);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_flipped_byte_is_read_around_reported_and_mended() -> Result<()> {
    let mut cluster = Cluster::start(Options::default()).await?;
    let data = Data::new(21, 4 << 20);
    cluster.s3().must_make_bucket(BUCKET).await?;
    cluster.s3().must_put(BUCKET, "precious", data).await?;
    cluster.wait_for("the segment is full", PATIENCE, all_full).await?;
    let mended = flip_until_noticed(&cluster, data).await?;
    let status =
        cluster.wait_for("the shard is mended", PATIENCE, |status| all_full(status) && status.repair.rebuilt > 0).await?;
    ensure!(status.segments.full == 1, "{:?}", status.segments);
    // The mended shard is one of the four that are left now.
    for donor in (0..6).filter(|donor| *donor != mended).take(2) {
        cluster.kill_donor(donor);
    }
    cluster.s3().must_read(BUCKET, "precious", data).await
}

/// Damages one donor's shard at a time, reads, and returns the donor whose damage came to light. A parity shard isn't read while all is
/// well, so its damage is undone again.
async fn flip_until_noticed(cluster: &Cluster, data: Data) -> Result<usize> {
    let faults = |cluster: &Cluster| anyhow::Ok(cluster.status()?.nodes.iter().map(|node| node.faults).sum::<u64>());
    let before = faults(cluster)?;
    for donor in 0..6 {
        let spot = inside_a_shard(&cluster.donor_folder(donor))?;
        flip(&spot)?;
        for _ in 0..5 {
            cluster.s3().must_read(BUCKET, "precious", data).await?;
            tokio::time::sleep(Duration::from_millis(300)).await;
            if faults(cluster)? > before {
                return Ok(donor);
            }
        }
        flip(&spot)?;
    }
    None.context("no donor's damage was ever reported")
}
