//! s3fs: a bucket as a folder, in which files are written, changed, moved and removed as on a disk.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Result, ensure};
use nodio_compat_tests::clients::S3fs;
use nodio_compat_tests::cluster::{Cluster, Options};
use nodio_compat_tests::data::{Data, TreeFile, awkward_tree, check_tree, write_tree};
use nodio_compat_tests::s3::{Call, S3};

const BUCKET: &str = "mounted";
const MIB: u64 = 1 << 20;

/// Names as every client must take them, and sizes around what s3fs sends in parts.
fn tree() -> Vec<TreeFile> {
    let sizes = [0, 1, 4096, 70_000, 12 * MIB + 5];
    let names = awkward_tree().into_iter().filter(|file| file.data.len < 4096);
    let sized = sizes.iter().map(|len| TreeFile { path: format!("sizes/{len}"), data: Data::new(*len, *len) });
    names.chain(sized).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mounted_bucket_is_a_folder() -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let Some(s3fs) = S3fs::find(&cluster.access())? else { return Ok(()) };
    let s3 = cluster.s3();
    s3.must_make_bucket(BUCKET).await?;
    let mut files = tree();

    let mount = s3fs.mount(BUCKET).await?;
    write_tree(&mount.folder().join("tree"), &files)?;
    check_tree(&mount.folder().join("tree"), &files).map_err(anyhow::Error::msg)?;
    changes(&mount.folder())?;
    moves(&mount.folder(), &mut files)?;
    mount.unmount()?;

    // Nothing of this is in the second one's memory.
    let mount = s3fs.mount(BUCKET).await?;
    check_tree(&mount.folder().join("moved"), &files).map_err(anyhow::Error::msg)?;
    let link = fs::read_link(mount.folder().join("link"))?;
    ensure!(link == Path::new("changed"), "{link:?}");
    let mode = fs::metadata(mount.folder().join("changed"))?.permissions().mode();
    ensure!(mode & 0o777 == 0o640, "{mode:o}");
    mount.unmount()?;
    objects_are_as_the_folder_was(s3, &files).await
}

/// A file of 22 MiB, changed in its middle: s3fs sends what is new and has the rest copied.
fn changed() -> Vec<u8> {
    let mut bytes = Data::new(50, 22 * MIB).bytes();
    bytes[11 * MIB as usize..][..1000].copy_from_slice(&[7; 1000]);
    bytes.extend_from_slice(b"and more");
    bytes
}

fn changes(folder: &Path) -> Result<()> {
    let path = folder.join("changed");
    Data::new(50, 22 * MIB).write_file(&path)?;
    let file = OpenOptions::new().write(true).open(&path)?;
    file.write_all_at(&[7; 1000], 11 * MIB)?;
    file.write_all_at(b"and more", 22 * MIB)?;
    file.sync_all()?;
    drop(file);
    ensure!(fs::read(&path)? == changed(), "a changed file differs");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640))?;
    symlink("changed", folder.join("link"))?;

    let short = folder.join("short");
    Data::new(51, 100_000).write_file(&short)?;
    OpenOptions::new().write(true).open(&short)?.set_len(1000)?;
    ensure!(fs::read(&short)? == Data::new(51, 1000).bytes(), "a shortened file differs");
    Ok(())
}

/// Moves the tree, and within it a small file and one that is copied in parts; removes another.
fn moves(folder: &Path, files: &mut Vec<TreeFile>) -> Result<()> {
    let (tree, moved) = (folder.join("tree"), folder.join("moved"));
    for file in files.iter_mut().filter(|file| matches!(file.data.len, 700 | 4096) || file.data.len > MIB) {
        let to = format!("{} 2", file.path);
        fs::rename(tree.join(&file.path), tree.join(&to))?;
        file.path = to;
    }
    fs::remove_file(tree.join(files.remove(0).path))?;
    fs::rename(&tree, &moved)?;
    ensure!(!tree.exists(), "what was moved is still there");

    fs::create_dir(folder.join("gone"))?;
    ensure!(fs::remove_dir(&moved).is_err(), "a full folder was removed");
    fs::remove_dir(folder.join("gone"))?;
    let mut names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>>>()?;
    names.sort();
    ensure!(names == ["changed", "link", "moved", "short"], "{names:?}");
    Ok(())
}

async fn objects_are_as_the_folder_was(s3: &S3, files: &[TreeFile]) -> Result<()> {
    for file in files {
        s3.must_read(BUCKET, &format!("moved/{}", file.path), file.data).await?;
    }
    let object = s3.send(Call::new("GET", format!("/{BUCKET}/changed"))).await?;
    ensure!(object.error_for_status()?.bytes().await? == changed(), "the changed file differs");
    s3.must_read(BUCKET, "short", Data::new(51, 1000)).await?;
    s3.must_read(BUCKET, "moved/sizes/", Data::new(0, 0)).await
}
