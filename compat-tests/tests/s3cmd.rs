//! s3cmd: objects there and back, in parts too, their ACL, and the bucket's documents.

use anyhow::{Result, ensure};
use nodio_compat_tests::clients::S3cmd;
use nodio_compat_tests::cluster::{Cluster, Options};
use nodio_compat_tests::data::{Data, awkward_tree, check_tree, write_tree};

#[tokio::test(flavor = "multi_thread")]
async fn objects_acls_and_documents_go_there_and_back() -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let Some(s3cmd) = S3cmd::find(&cluster.access())? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (source, back) = (folder.path().join("source"), folder.path().join("back"));
    let files = awkward_tree();
    write_tree(&source, &files)?;
    s3cmd.run(&["mb", "s3://tools"])?;
    s3cmd.run(&["sync", &format!("{}/", source.display()), "s3://tools/tree/"])?;
    std::fs::create_dir(&back)?;
    s3cmd.run(&["sync", "s3://tools/tree/", &format!("{}/", back.display())])?;
    check_tree(&back, &files).map_err(anyhow::Error::msg)?;

    let large = Data::new(5, 12_345_678);
    let (up, down) = (folder.path().join("up"), folder.path().join("down"));
    large.write_file(&up)?;
    s3cmd.run(&["put", up.to_str().unwrap(), "s3://tools/large"])?;
    s3cmd.run(&["cp", "s3://tools/large", "s3://tools/copy"])?;
    s3cmd.run(&["mv", "s3://tools/copy", "s3://tools/moved"])?;
    s3cmd.run(&["get", "s3://tools/moved", down.to_str().unwrap()])?;
    ensure!(std::fs::read(&down)? == std::fs::read(&up)?);

    s3cmd.run(&["setacl", "--acl-public", "s3://tools/moved"])?;
    let told = s3cmd.run(&["info", "s3://tools/moved"])?;
    ensure!(told.contains("*anon*: READ"), "{told}");
    s3cmd.run(&["setacl", "--acl-private", "s3://tools/moved"])?;
    ensure!(!s3cmd.run(&["info", "s3://tools/moved"])?.contains("*anon*"));

    let policy = folder.path().join("policy");
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::tools/*"}]}"#;
    std::fs::write(&policy, text)?;
    s3cmd.run(&["setpolicy", policy.to_str().unwrap(), "s3://tools"])?;
    ensure!(s3cmd.run(&["info", "s3://tools"])?.contains("s3:GetObject"));
    s3cmd.run(&["delpolicy", "s3://tools"])?;
    s3cmd.run(&["expire", "s3://tools", "--expiry-days=30", "--expiry-prefix=old/"])?;
    ensure!(s3cmd.run(&["getlifecycle", "s3://tools"])?.contains("old/"));
    s3cmd.run(&["del", "--recursive", "--force", "s3://tools"])?;
    s3cmd.run(&["rb", "s3://tools"])?;
    Ok(())
}
