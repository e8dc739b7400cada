//! aws-cli: `s3 cp/sync/ls/rm/presign` and `s3api`, every size and awkward name, byte for byte.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use nodio_compat_tests::clients::Aws;
use nodio_compat_tests::cluster::{Cluster, Options};
use nodio_compat_tests::data::{Data, SIZES, awkward_tree, check_tree, write_tree};
use nodio_compat_tests::s3::{Call, Got};
use serde_json::Value;

const MIB: u64 = 1 << 20;

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_commands_carry_every_file_there_and_back() -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let Some(aws) = Aws::find(&cluster.access())? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (source, back) = (folder.path().join("source"), folder.path().join("back"));
    let files = awkward_tree();
    write_tree(&source, &files)?;

    aws.run(&["s3", "mb", "s3://photos"])?;
    aws.run(&["s3", "sync", "--no-progress", text(&source), "s3://photos/tree"])?;
    aws.run(&["s3", "sync", "--no-progress", "s3://photos/tree", text(&back)])?;
    check_tree(&back, &files).map_err(anyhow::Error::msg)?;
    let again = aws.run(&["s3", "sync", "--no-progress", text(&source), "s3://photos/tree", "--size-only"])?;
    ensure!(again.trim().is_empty(), "a second sync had something to do: {again}");

    let listed = aws.run(&["s3", "ls", "--recursive", "s3://photos/tree/"])?;
    for file in &files {
        let line = listed.lines().find(|line| line.ends_with(&format!("tree/{}", file.path)));
        ensure!(line.is_some_and(|line| line.contains(&format!(" {} ", file.data.len))), "{} is not listed right", file.path);
    }
    ensure!(aws.run(&["s3", "ls", "s3://photos/tree/"])?.contains("PRE sizes/"));

    aws.run(&["s3", "rm", "--recursive", "s3://photos/tree/names"])?;
    std::fs::remove_dir_all(source.join("names"))?;
    aws.run(&["s3", "sync", "--delete", "--no-progress", "s3://photos/tree", text(&back)])?;
    let left: Vec<_> = files.into_iter().filter(|file| file.path.starts_with("sizes/")).collect();
    check_tree(&back, &left).map_err(anyhow::Error::msg)?;
    aws.run(&["s3", "rb", "--force", "s3://photos"])?;
    ensure!(!aws.run(&["s3", "ls"])?.contains("photos"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn single_files_are_copied_moved_and_presigned() -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let Some(aws) = Aws::find(&cluster.access())? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (up, down) = (folder.path().join("up & away.bin"), folder.path().join("down.bin"));
    aws.run(&["s3", "mb", "s3://single"])?;
    for (seed, size) in SIZES.into_iter().enumerate() {
        let data = Data::new(40 + seed as u64, size);
        data.write_file(&up)?;
        aws.run(&["s3", "cp", "--no-progress", text(&up), "s3://single/a +%/ü"])?;
        aws.run(&["s3", "cp", "--no-progress", "s3://single/a +%/ü", "s3://single/copied"])?;
        aws.run(&["s3", "mv", "--no-progress", "s3://single/copied", text(&down)])?;
        data.check_file(&down).map_err(anyhow::Error::msg)?;
        ensure!(
            aws.try_run(&["s3api", "head-object", "--bucket", "single", "--key", "copied"])?.ok().is_err(),
            "mv left its source"
        );

        let url = aws.run(&["s3", "presign", "s3://single/a +%/ü", "--expires-in", "60"])?;
        let bytes = reqwest::get(url.trim()).await?.error_for_status()?.bytes().await?;
        ensure!(data.len == bytes.len() as u64 && data.matches(0, &bytes), "a presigned GET of {size} bytes differs");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn s3api_speaks_the_operations_one_by_one() -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let Some(aws) = Aws::find(&cluster.access())? else { return Ok(()) };
    let api = |words: &[&str]| aws.json(&[&["s3api"], words].concat());
    api(&["create-bucket", "--bucket", "api-bucket"])?;
    ensure!(api(&["get-bucket-location", "--bucket", "api-bucket"])?["LocationConstraint"].is_null());
    api(&["head-bucket", "--bucket", "api-bucket"])?;
    objects_by_hand(&api)?;
    multipart_by_hand(&api, &cluster).await
}

type Api<'a> = dyn Fn(&[&str]) -> Result<Value> + 'a;

fn objects_by_hand(api: &Api<'_>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (up, down) = (folder.path().join("up"), folder.path().join("down"));
    let data = Data::new(3, 3 * MIB + 7);
    data.write_file(&up)?;
    let at = ["--bucket", "api-bucket", "--key", "one/two +%ü"];
    let call = |operation: &str, more: &[&str]| api(&[&[operation], at.as_slice(), more].concat());

    let put = call("put-object", &["--body", text(&up), "--content-type", "a/b", "--metadata", "colour=blue"])?;
    let head = call("head-object", &[])?;
    ensure!(head["ContentLength"] == data.len && head["ETag"] == put["ETag"]);
    ensure!(head["ContentType"] == "a/b" && head["Metadata"]["colour"] == "blue");
    call("get-object", &[text(&down)])?;
    data.check_file(&down).map_err(anyhow::Error::msg)?;
    let part = call("get-object", &["--range", "bytes=1048570-1048581", text(&down)])?;
    ensure!(part["ContentRange"] == format!("bytes 1048570-1048581/{}", data.len));
    ensure!(std::fs::read(&down)? == data.slice(1_048_570..1_048_582), "the range differs");

    let source = "api-bucket/one/two +%ü";
    api(&["copy-object", "--bucket", "api-bucket", "--key", "copy", "--copy-source", source])?;
    api(&["get-object", "--bucket", "api-bucket", "--key", "copy", text(&down)])?;
    data.check_file(&down).map_err(anyhow::Error::msg)?;
    api(&["put-object", "--bucket", "api-bucket", "--key", "folder/"])?;

    let listed = api(&["list-objects-v2", "--bucket", "api-bucket", "--delimiter", "/", "--page-size", "1"])?;
    ensure!(listed["Contents"][0]["Key"] == "copy" && listed["Contents"].as_array().is_some_and(|keys| keys.len() == 1));
    let prefixes: Vec<_> =
        listed["CommonPrefixes"].as_array().into_iter().flatten().map(|item| item["Prefix"].as_str()).collect();
    ensure!(prefixes == [Some("folder/"), Some("one/")], "{prefixes:?}");

    let doomed = r#"{"Objects":[{"Key":"copy"},{"Key":"folder/"},{"Key":"never"}]}"#;
    let deleted = api(&["delete-objects", "--bucket", "api-bucket", "--delete", doomed])?;
    ensure!(deleted["Deleted"].as_array().is_some_and(|keys| keys.len() == 3), "{deleted}");
    call("delete-object", &[])?;
    ensure!(api(&["list-objects-v2", "--bucket", "api-bucket"])?["Contents"].is_null());
    Ok(())
}

async fn multipart_by_hand(api: &Api<'_>, cluster: &Cluster) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let part_file = folder.path().join("part");
    let whole = Data::new(4, 11 * MIB);
    let at = ["--bucket", "api-bucket", "--key", "in parts"];
    let call = |operation: &str, more: &[&str]| api(&[&[operation], at.as_slice(), more].concat());
    let created = call("create-multipart-upload", &[])?;
    let upload = created["UploadId"].as_str().context("no upload id")?;
    let mut parts = Vec::new();
    for (number, range) in [(1, 0..5 * MIB), (2, 5 * MIB..10 * MIB), (3, 10 * MIB..11 * MIB)] {
        std::fs::write(&part_file, whole.slice(range))?;
        let number_text = number.to_string();
        let words = ["--upload-id", upload, "--part-number", &number_text, "--body", text(&part_file)];
        let put = call("upload-part", &words)?;
        parts.push(serde_json::json!({ "PartNumber": number, "ETag": put["ETag"] }));
    }
    let listed = call("list-parts", &["--upload-id", upload])?;
    ensure!(listed["Parts"].as_array().is_some_and(|parts| parts.len() == 3));
    let list = serde_json::json!({ "Parts": parts }).to_string();
    let done = call("complete-multipart-upload", &["--upload-id", upload, "--multipart-upload", &list])?;
    ensure!(done["ETag"].as_str().is_some_and(|etag| etag.ends_with("-3\"")), "{done}");
    let got = cluster.s3().get("api-bucket", "in parts", whole).await?;
    ensure!(matches!(got, Got::Right), "{got:?}");

    let aborted = call("create-multipart-upload", &[])?;
    call("abort-multipart-upload", &["--upload-id", aborted["UploadId"].as_str().context("no upload id")?])?;
    let open = cluster.s3().send(Call::new("GET", "/api-bucket?uploads=")).await?.text().await?;
    ensure!(!open.contains("<Upload>"), "an upload is left: {open}");
    Ok(())
}
