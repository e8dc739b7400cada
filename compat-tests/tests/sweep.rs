//! Nothing that no object needs stays on a donor: bytes held and bytes in the map are the same number, and after all is deleted both are 0.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use futures::{StreamExt, stream};
use nodio_compat_tests::chaos::verdict;
use nodio_compat_tests::cluster::{Cluster, Options};
use nodio_compat_tests::data::Data;
use nodio_compat_tests::ops::Upload;
use nodio_compat_tests::s3::{Call, S3, object_path};
use nodio_compat_tests::shards::contents;
use nodio_compat_tests::wait;
use nodio_wire::api::Status;
use tokio::sync::Notify;

const BUCKET: &str = "sweep";
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// Plaintext of a segment under 4/6.
const SEGMENT_BYTES: u64 = 4 * MIB;
/// What an upload sends before it is cut off.
const BEGUN_BYTES: u64 = 13 * MIB;
/// Above the gateway's shortest age of what it sweeps, a minute.
const PATIENCE: Duration = Duration::from_secs(150);

async fn start() -> Result<Cluster> {
    let options = Options {
        coordinator: toml::toml! {
            litter_age_s = 10
            inventory_every_ms = 1000
            inventory_settle_ms = 1000
        },
        gateway: toml::toml! {
            release_after_ms = 500
            release_every_ms = 200
            sweep_age_ms = 60_000
            sweep_every_ms = 1000
        },
        donor: toml::toml! {
            trash_days = 0.0
        },
        ..Options::default()
    };
    let cluster = Cluster::start(options).await?;
    cluster.s3().must_make_bucket(BUCKET).await?;
    Ok(cluster)
}

/// Segments that the map must know for an object of so many bytes: none for one that lies in its row.
fn segments(len: u64) -> u64 {
    if len <= 4 * KIB { 0 } else { len.div_ceil(SEGMENT_BYTES) }
}

/// A PUT whose body stops after [`BEGUN_BYTES`] and never ends; `begun` is told when it stands still.
async fn put_that_stops(s3: S3, key: &str, begun: Arc<Notify>) -> Result<()> {
    let data = Data::new(77, 40 * MIB);
    let pieces = stream::iter((0..BEGUN_BYTES / MIB).map(move |at| Bytes::from(data.slice(at * MIB..(at + 1) * MIB))));
    let stands_still = stream::once(async move {
        begun.notify_one();
        std::future::pending::<Bytes>().await
    });
    let body = reqwest::Body::wrap_stream(pieces.chain(stands_still).map(Ok::<_, std::io::Error>));
    let call = Call::new("PUT", object_path(BUCKET, key)).header("content-length", data.len.to_string()).body(body);
    s3.send(call).await.map(drop)
}

/// Begins such a PUT and returns once the map has segments of it.
async fn begin_put(cluster: &Cluster, key: &'static str) -> Result<tokio::task::JoinHandle<Result<()>>> {
    let (before, begun) = (cluster.parts().await?, Arc::new(Notify::new()));
    let put = tokio::spawn(put_that_stops(cluster.s3().clone(), key, begun.clone()));
    begun.notified().await;
    wait::until("segments of it are in the map", PATIENCE, async || {
        ensure!(cluster.parts().await?.iter().any(|part| !before.contains(part)), "none");
        Ok(())
    })
    .await?;
    Ok(put)
}

async fn objects(s3: &S3) -> Result<Vec<(String, Data)>> {
    let sizes = [0, 3 * KIB, 5 * KIB, 64 * KIB, 300 * KIB, 4 * MIB + 1, 13 * MIB];
    let mut kept = Vec::new();
    for (seed, len) in (0..).zip(sizes) {
        let (key, data) = (format!("kept-{len}"), Data::new(seed, len));
        s3.must_put(BUCKET, &key, Data::new(seed + 100, len / 2 + 9 * KIB)).await?;
        s3.must_put(BUCKET, &key, data).await?;
        s3.must_put(BUCKET, &format!("deleted-{len}"), data).await?;
        ensure!(s3.delete(BUCKET, &format!("deleted-{len}")).await?.is_ok());
        kept.push((key, data));
    }
    Ok(kept)
}

async fn begin_upload(s3: &S3, key: &str) -> Result<Upload> {
    let mut upload = s3.begin_upload(BUCKET, key, &[]).await?.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
    ensure!(s3.put_part(&mut upload, Data::new(9, 6 * MIB).bytes()).await?.is_ok());
    Ok(upload)
}

/// Waits until the network is at rest with `segments` segments, and compares the donors' volumes with the map.
async fn at_rest(cluster: &Cluster, segments: u64) -> Result<Status> {
    let operator = cluster.operator()?;
    wait::until(&format!("{segments} segments, and bytes as the map says"), PATIENCE, async || {
        let status = verdict::settled(&operator).await?;
        ensure!(status.segments.full == segments, "{:?}", status.segments);
        Ok(status)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_broke_off_leaves_nothing_behind() -> Result<()> {
    let mut cluster = start().await?;
    let s3 = cluster.s3().clone();
    let mut kept = objects(&s3).await?;
    // Copies share the bytes of what they were made from, whose deletion they survive.
    let (first, copied) = kept[5].clone();
    for (from, to) in [(first.as_str(), "copy"), ("copy", "copy of the copy"), ("copy", "dropped copy")] {
        ensure!(s3.copy(BUCKET, from, to).await?.is_ok());
    }
    for key in [first.as_str(), "dropped copy"] {
        ensure!(s3.delete(BUCKET, key).await?.is_ok());
    }
    kept.remove(5);
    kept.push(("copy".into(), copied));
    let aborted = begin_upload(&s3, "aborted").await?;
    ensure!(s3.abort_upload(&aborted).await?.is_ok());
    let left_behind = begin_upload(&s3, "left behind").await?;
    // A client that goes away in the middle, and a gateway that does.
    begin_put(&cluster, "cut off").await?.abort();
    let put = begin_put(&cluster, "killed").await?;
    cluster.kill_gateway();
    ensure!(put.await?.is_err(), "a PUT succeeded without its body");
    cluster.start_gateway().await?;

    let open = segments(6 * MIB);
    let wanted = kept.iter().map(|(_, data)| segments(data.len)).sum::<u64>();
    at_rest(&cluster, wanted + open).await?;
    kept.push(("copy of the copy".into(), copied));
    for (key, data) in &kept {
        s3.must_read(BUCKET, key, *data).await?;
    }
    for (key, _) in &kept {
        ensure!(s3.delete(BUCKET, key).await?.is_ok());
    }
    at_rest(&cluster, open).await?;
    ensure!(s3.abort_upload(&left_behind).await?.is_ok());
    let status = at_rest(&cluster, 0).await?;
    ensure!(status.nodes.iter().all(|node| node.shards == 0 && node.held_bytes == 0), "{:?}", status.nodes);
    for donor in 0..cluster.donor_count() {
        cluster.stop_donor(donor)?;
        let contents = contents(&cluster.donor_folder(donor))?;
        ensure!(contents.held.is_empty() && contents.trash.is_empty(), "donor {donor}: {contents:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_disk_is_what_the_map_says_shard_by_shard() -> Result<()> {
    let mut cluster = start().await?;
    let kept = objects(&cluster.s3().clone()).await?;
    at_rest(&cluster, kept.iter().map(|(_, data)| segments(data.len)).sum()).await?;
    let map = cluster.map().await?;
    for donor in 0..cluster.donor_count() {
        cluster.stop_donor(donor)?;
    }
    let bytes = verdict::files(&cluster, &map, &[])?;
    let of_map: u64 = map.iter().map(|segment| u64::from(segment.shard_bytes) * segment.shards.len() as u64).sum();
    ensure!(bytes == of_map && bytes > 0, "{bytes} bytes in volumes, {of_map} in the map");
    Ok(())
}
