//! No plaintext and no name leaves the gateway: not over the wire to a donor, not to its disk, not to the coordinator's store.

use anyhow::{Result, ensure};
use nodio_compat_tests::cluster::{Cluster, Options};
use nodio_compat_tests::s3::{Call, object_path, outcome};

const MARKER: &str = "MARKER-7f3a9c-PLAINTEXT";
const NAME: &str = "secret-name-51e6";

#[tokio::test(flavor = "multi_thread")]
async fn no_marker_is_found_with_donors_or_coordinator() -> Result<()> {
    let mut cluster = Cluster::start(Options { tapped: true, ..Options::default() }).await?;
    let bucket = format!("{NAME}-bucket");
    cluster.s3().must_make_bucket(&bucket).await?;
    for len in [1_000, 60_000, 3_000_000, 9_000_000] {
        let body = MARKER.repeat(len / MARKER.len());
        let path = object_path(&bucket, &format!("{NAME}/{len}"));
        let call = Call::new("PUT", path).header("x-amz-meta-note", format!("{MARKER}-meta")).body(body);
        outcome(cluster.s3().send(call).await?).await?.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
    }
    let control = cluster.folder().join("control");
    std::fs::create_dir(&control)?;
    std::fs::write(control.join("file"), format!("..{MARKER}.."))?;
    assert!(cluster.must_not_contain(&control, MARKER.as_bytes()).is_err(), "the search finds nothing at all");

    for marker in [MARKER, NAME] {
        let (bytes, found) = cluster.tapped(marker.as_bytes());
        ensure!(bytes > 12_000_000 && !found, "{marker} on the wire: {found}, of {bytes} bytes");
    }
    cluster.kill_everything();
    for marker in [MARKER, NAME] {
        for donor in 0..6 {
            cluster.must_not_contain(&cluster.donor_folder(donor), marker.as_bytes())?;
        }
        cluster.must_not_contain(&cluster.coordinator_folder(), marker.as_bytes())?;
    }
    // What the gateway keeps has names, but no content and no secrets.
    let gateway = cluster.folder().join("gateway");
    cluster.must_not_contain(&gateway, format!("{MARKER}{MARKER}").as_bytes())?;
    cluster.must_not_contain(&gateway, cluster.s3().key.secret.as_bytes())
}
