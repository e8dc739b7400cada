//! restic: a repository in a bucket, from init to prune.

use anyhow::{Result, ensure};
use nodio_compat_tests::clients::Restic;
use nodio_compat_tests::cluster::{Cluster, Options};
use nodio_compat_tests::data::{Data, awkward_tree, check_tree, write_tree};

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_made_filled_checked_restored_and_pruned() -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let Some(restic) = Restic::find(&cluster.access(), "backups")? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (source, back) = (folder.path().join("source"), folder.path().join("back"));
    let mut files = awkward_tree();
    write_tree(&source, &files)?;
    let source_text = source.to_str().unwrap();
    ensure!(!restic.try_run(&["snapshots"])?.status.success(), "a repository that nobody made");
    restic.run(&["init"])?;
    restic.run(&["backup", source_text])?;
    restic.run(&["check", "--read-data"])?;

    let dropped = files.remove(0);
    std::fs::remove_file(source.join(&dropped.path))?;
    files[0].data = Data::new(7, 3_000_000);
    files[0].data.write_file(&source.join(&files[0].path))?;
    restic.run(&["backup", source_text])?;
    let kept: serde_json::Value = serde_json::from_str(&restic.run(&["snapshots", "--json"])?)?;
    ensure!(kept.as_array().is_some_and(|all| all.len() == 2), "{kept}");
    restic.run(&["forget", "--keep-last", "1", "--prune"])?;
    restic.run(&["check", "--read-data"])?;
    restic.run(&["restore", "latest", "--target", back.to_str().unwrap()])?;
    let restored = back.join(source.strip_prefix("/")?);
    check_tree(&restored, &files).map_err(anyhow::Error::msg)
}
