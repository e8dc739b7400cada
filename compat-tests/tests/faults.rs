//! Donors killed under load, everything killed in mid-write: nothing wrong is served, nothing acknowledged is lost, nothing hangs.

use std::time::Duration;

use anyhow::{Result, ensure};
use nodio_compat_tests::cluster::{Cluster, Options};
use nodio_compat_tests::data::Data;
use nodio_compat_tests::load::{Book, Load, Reads};
use nodio_compat_tests::s3::{Got, PATIENCE, S3};
use nodio_compat_tests::wait;

const BUCKET: &str = "faults";
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Waits until the load has written and read some more.
async fn progress(load: &Load, writes: usize, reads: u64) -> Result<()> {
    let begun = load.book.counts();
    wait::until("the load goes on", Duration::from_secs(60), async || {
        let now = load.book.counts();
        ensure!(now.acknowledged >= begun.acknowledged + writes && now.reads >= begun.reads + reads, "{now:?} since {begun:?}");
        Ok(())
    })
    .await
}

async fn read_all(s3: &S3, book: &Book) -> Result<()> {
    let acknowledged = book.acknowledged();
    for (key, data) in &acknowledged {
        s3.must_read(BUCKET, key, *data).await?;
    }
    ensure!(!acknowledged.is_empty(), "nothing was written");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn any_two_of_six_donors_may_die_under_load() -> Result<()> {
    let mut cluster = Cluster::start(Options::default()).await?;
    cluster.s3().must_make_bucket(BUCKET).await?;
    let load = Load::start(cluster.s3(), BUCKET, 3, 3, Reads::Always);
    progress(&load, 20, 20).await?;
    cluster.kill_donor(4);
    progress(&load, 10, 20).await?;
    cluster.kill_donor(1);
    progress(&load, 0, 60).await?;
    read_all(cluster.s3(), &load.book).await?;
    cluster.start_donor(4)?;
    cluster.start_donor(1)?;
    cluster.wait_for_donors_up(6).await?;
    progress(&load, 20, 20).await?;
    let book = load.stop().await?;
    read_all(cluster.s3(), &book).await?;
    cluster.check_alive()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_three_of_six_dead_reads_fail_clearly_and_come_back() -> Result<()> {
    let mut cluster = Cluster::start(Options::default()).await?;
    let s3 = cluster.s3().clone();
    s3.must_make_bucket(BUCKET).await?;
    let objects = [("inline", 1000), ("one segment", 300 * KIB), ("several segments", 9 * MIB)];
    let objects = objects.map(|(key, len)| (key, Data::new(len, len)));
    for (key, data) in objects {
        s3.must_put(BUCKET, key, data).await?;
    }
    for donor in [0, 2, 5] {
        cluster.kill_donor(donor);
    }
    for round in 0..2 {
        for (key, data) in &objects[1..] {
            let got = s3.get(BUCKET, key, *data).await?;
            ensure!(
                matches!(&got, Got::Refused(refusal) if refusal.status >= 500 && !refusal.code.is_empty()),
                "{round} {key}: {got:?}"
            );
        }
        let put = s3.put(BUCKET, "new", Data::new(5, 300 * KIB)).await?;
        ensure!(put.as_ref().is_err_and(|refusal| refusal.status >= 500 && !refusal.code.is_empty()), "a PUT got {put:?}");
        s3.must_read(BUCKET, "inline", objects[0].1).await?;
        // The second round meets donors that are known to be away.
        cluster.wait_for_donors_up(3).await?;
    }
    for donor in [0, 2, 5] {
        cluster.start_donor(donor)?;
    }
    cluster.wait_for_donors_up(6).await?;
    for (key, data) in objects {
        wait::until("everything reads again", PATIENCE, async || s3.must_read(BUCKET, key, data).await).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_acknowledged_survives_kill_9_of_everything() -> Result<()> {
    let mut cluster = Cluster::start(Options::default()).await?;
    cluster.s3().must_make_bucket(BUCKET).await?;
    let mut books = Vec::new();
    for _ in 0..2 {
        let load = Load::start(cluster.s3(), BUCKET, 4, 1, Reads::MayFail);
        progress(&load, 30, 0).await?;
        cluster.kill_everything();
        let book = load.stop().await?;
        cluster.start_everything().await?;
        read_all(cluster.s3(), &book).await?;
        nothing_half_written(cluster.s3(), &book).await?;
        books.push(book);
    }
    // The second load wrote the first one's keys again: the same bytes, or the load's own check fails.
    read_all(cluster.s3(), &books[0]).await
}

/// A PUT that was not acknowledged left all of its object or none.
async fn nothing_half_written(s3: &S3, book: &Book) -> Result<()> {
    let acknowledged = book.acknowledged();
    for number in 0..book.counts().asked {
        let (key, data) = Book::data_of(number);
        if acknowledged.contains_key(&key) {
            continue;
        }
        match s3.get(BUCKET, &key, data).await? {
            Got::Right => {}
            Got::Refused(refusal) if refusal.code == "NoSuchKey" => {}
            other => anyhow::bail!("{key} is neither there nor absent: {other:?}"),
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_and_the_coordinator_may_restart_alone() -> Result<()> {
    let mut cluster = Cluster::start(Options::default()).await?;
    let s3 = cluster.s3().clone();
    s3.must_make_bucket(BUCKET).await?;
    let data = Data::new(8, 6 * MIB);
    s3.must_put(BUCKET, "before", data).await?;
    cluster.kill_coordinator();
    // Where the shards lie is still known to the gateway, or the answer is a clear error.
    let got = s3.get(BUCKET, "before", data).await?;
    ensure!(matches!(&got, Got::Right) || matches!(&got, Got::Refused(refusal) if refusal.status >= 500), "{got:?}");
    cluster.start_coordinator().await?;
    cluster.wait_for_donors_up(6).await?;
    wait::until("writes go on", PATIENCE, async || s3.must_put(BUCKET, "after", data).await).await?;
    cluster.kill_gateway();
    cluster.start_gateway().await?;
    s3.must_read(BUCKET, "before", data).await?;
    s3.must_read(BUCKET, "after", data).await
}
