//! boto3 and MinIO's SDK, through the scripts of `clients/`, each with a bucket of its own.

use anyhow::Result;
use nodio_compat_tests::clients::Python;
use nodio_compat_tests::cluster::{Cluster, Options};

async fn script(name: &str, bucket: &str) -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let Some(python) = Python::find(&cluster.access())? else { return Ok(()) };
    cluster.s3().must_make_bucket(bucket).await?;
    python.run(name, &[bucket])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_every_size_and_name() -> Result<()> {
    script("objects.py", "objects").await
}

#[tokio::test(flavor = "multi_thread")]
async fn multipart_uploads() -> Result<()> {
    script("multipart.py", "multipart").await
}

#[tokio::test(flavor = "multi_thread")]
async fn paginators_over_many_keys() -> Result<()> {
    script("listing.py", "listing").await
}

#[tokio::test(flavor = "multi_thread")]
async fn presigned_urls() -> Result<()> {
    script("presigned.py", "presigned").await
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_locks_access_and_encryption() -> Result<()> {
    script("features.py", "features").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_of_minio() -> Result<()> {
    script("minio_sdk.py", "sdk").await
}
