//! duplicity: a full backup, one of what changed since, and both brought back.

use anyhow::{Result, ensure};
use nodio_compat_tests::clients::Duplicity;
use nodio_compat_tests::cluster::{Cluster, Options};
use nodio_compat_tests::data::{Data, TreeFile, awkward_tree, check_tree, write_tree};

const BUCKET: &str = "backups";
const MIB: u64 = 1 << 20;

/// Without the largest file, which would be compressed for long; with one that fills several volumes.
fn tree() -> Vec<TreeFile> {
    let large = TreeFile { path: "large".to_owned(), data: Data::new(30, 17 * MIB + 3) };
    awkward_tree().into_iter().filter(|file| file.data.len < 17 * MIB).chain([large]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_backup_and_an_increment_are_verified_and_restored() -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let Some(duplicity) = Duplicity::find(&cluster.access(), BUCKET)? else { return Ok(()) };
    cluster.s3().must_make_bucket(BUCKET).await?;
    let folder = tempfile::tempdir()?;
    let (source, url) = (folder.path().join("source"), duplicity.url());
    let source_text = source.to_str().unwrap();
    let restored = |name: &str, files: &[TreeFile]| -> Result<()> {
        let to = folder.path().join(name);
        duplicity.run(&["restore", &url, to.to_str().unwrap()])?;
        check_tree(&to, files).map_err(anyhow::Error::msg)
    };

    let mut files = tree();
    write_tree(&source, &files)?;
    duplicity.run(&["full", source_text, &url])?;
    duplicity.run(&["verify", "--compare-data", &url, source_text])?;
    restored("first", &files)?;

    let dropped = files.remove(0);
    std::fs::remove_file(source.join(&dropped.path))?;
    files[0].data = Data::new(7, 3 * MIB);
    files[0].data.write_file(&source.join(&files[0].path))?;
    ensure!(!duplicity.try_run(&["verify", "--compare-data", &url, source_text])?.status.success(), "verify saw no difference");
    duplicity.run(&["incremental", source_text, &url])?;
    duplicity.run(&["verify", "--compare-data", &url, source_text])?;
    duplicity.forget()?;
    restored("second", &files)?;
    let kept = duplicity.run(&["collection-status", &url])?;
    ensure!(kept.contains("Number of contained backup sets: 2"), "{kept}");
    Ok(())
}
