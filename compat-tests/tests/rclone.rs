//! rclone: `copy`, `sync`, `check` and `lsf`, every size and awkward name, byte for byte.

use anyhow::{Result, ensure};
use nodio_compat_tests::clients::Rclone;
use nodio_compat_tests::cluster::{Cluster, Options};
use nodio_compat_tests::data::{Data, awkward_tree, check_tree, write_tree};

#[tokio::test(flavor = "multi_thread")]
async fn trees_are_copied_synced_checked_and_listed() -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let Some(rclone) = Rclone::find(&cluster.access())? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (source, back) = (folder.path().join("source"), folder.path().join("back"));
    let mut files = awkward_tree();
    write_tree(&source, &files)?;
    let (source, back_text) = (source.to_str().unwrap(), back.to_str().unwrap());

    rclone.run(&["mkdir", "nodio:tree"])?;
    rclone.run(&["copy", source, "nodio:tree/a b"])?;
    rclone.run(&["check", source, "nodio:tree/a b"])?;
    rclone.run(&["check", "--download", source, "nodio:tree/a b"])?;
    rclone.run(&["copy", "nodio:tree/a b", back_text])?;
    check_tree(&back, &files).map_err(anyhow::Error::msg)?;

    let listed = rclone.run(&["lsf", "--recursive", "--files-only", "--format", "sp", "nodio:tree/a b"])?;
    let mut listed: Vec<_> = listed.lines().map(str::to_owned).collect();
    let mut wanted: Vec<_> = files.iter().map(|file| format!("{};{}", file.data.len, file.path)).collect();
    listed.sort();
    wanted.sort();
    ensure!(listed == wanted, "{listed:#?} instead of {wanted:#?}");
    ensure!(rclone.run(&["lsf", "nodio:tree/a b"])? == "names/\nsizes/\n");

    let dropped = files.remove(0);
    std::fs::remove_file(std::path::Path::new(source).join(&dropped.path))?;
    files[0].data = Data::new(99, 12_345);
    files[0].data.write_file(&std::path::Path::new(source).join(&files[0].path))?;
    ensure!(!rclone.try_run(&["check", source, "nodio:tree/a b"])?.status.success(), "check saw no difference");
    rclone.run(&["sync", source, "nodio:tree/a b"])?;
    rclone.run(&["check", "--download", source, "nodio:tree/a b"])?;
    rclone.run(&["sync", "nodio:tree/a b", back_text])?;
    check_tree(&back, &files).map_err(anyhow::Error::msg)?;

    rclone.run(&["purge", "nodio:tree"])?;
    ensure!(!rclone.run(&["lsd", "nodio:"])?.contains("tree"));
    Ok(())
}
