//! The AWS SDK for JavaScript, through its script of `clients/`.

use anyhow::Result;
use nodio_compat_tests::clients::Node;
use nodio_compat_tests::cluster::{Cluster, Options};

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_for_javascript() -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let Some(node) = Node::find(&cluster.access())? else { return Ok(()) };
    cluster.s3().must_make_bucket("javascript").await?;
    node.run("sdk.mjs", &["javascript"])?;
    Ok(())
}
