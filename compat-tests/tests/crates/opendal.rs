//! `opendal`, below a root of its own.

use std::time::Duration;

use anyhow::{Result, ensure};
use nodio_compat_tests::data::Data;
use nodio_compat_tests::s3::S3;
use opendal::raw::PresignedRequest;
use opendal::{ErrorKind, HttpTransporter, OperationContext, Operator, services};
use opendal_http_transport_reqwest::ReqwestTransport;

use crate::{BUCKET, MIB, PART_BYTES};

/// One that tells the checksums of what it writes, or none.
fn operator(s3: &S3, checksum: Option<&str>) -> Result<Operator> {
    let service = services::S3::default().bucket(BUCKET).root("/a root").endpoint(&s3.endpoint).region(&s3.region);
    let service = service.access_key_id(&s3.key.id).secret_access_key(&s3.key.secret);
    let service = checksum.into_iter().fold(service, services::S3::checksum_algorithm);
    let transport = HttpTransporter::new(ReqwestTransport::new(reqwest::Client::new()));
    let operator = Operator::new(service.disable_config_load().disable_ec2_metadata())?;
    Ok(operator.with_context(OperationContext::new().with_http_transport(transport)))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_of_s3() -> Result<()> {
    let cluster = crate::start().await?;
    let operator = operator(cluster.s3(), Some("crc32c"))?;
    operator.check().await?;
    objects(&operator).await?;
    conditions(&operator).await?;
    multipart(&operator).await?;
    listings(&operator).await?;
    // With checksums it would sign that of an empty body.
    presigned(&self::operator(cluster.s3(), None)?).await?;
    removals(&operator).await
}

async fn objects(operator: &Operator) -> Result<()> {
    let colour = [("colour".to_owned(), "a, b; c +%41".to_owned())];
    for (name, data) in crate::objects() {
        let writing = operator.write_with(&name, data.bytes()).content_type("x/y").user_metadata(colour.clone());
        let written = writing.await?;
        ensure!(operator.read(&name).await?.to_bytes() == data.bytes(), "{name} differs");
        let found = operator.stat(&name).await?;
        ensure!(found.content_length() == data.len && found.content_type() == Some("x/y"), "{name}: {found:?}");
        ensure!(found.etag().is_some() && found.etag() == written.etag(), "{name}: {found:?}, {written:?}");
        let colour = found.user_metadata().and_then(|said| said.get("colour"));
        ensure!(colour == Some("a, b; c +%41"), "{name}: {found:?}");
    }
    let (name, data) = crate::objects().pop().expect("there are some");
    let middle = operator.read_with(&name).range(65_530..2_100_000).chunk(MIB as usize).concurrent(2).await?;
    ensure!(middle.to_bytes() == data.slice(65_530..2_100_000), "a range differs");
    let missing = operator.stat("never").await.expect_err("it was never written");
    ensure!(missing.kind() == ErrorKind::NotFound, "{missing}");
    Ok(())
}

async fn conditions(operator: &Operator) -> Result<()> {
    let first = operator.write_with("if", "1").if_not_exists(true).await?;
    let refused = operator.write_with("if", "2").if_not_exists(true).await.expect_err("it exists");
    ensure!(refused.kind() == ErrorKind::ConditionNotMatch, "{refused}");
    let etag = first.etag().unwrap_or_default();
    operator.write_with("if", "2").if_match(etag).await?;
    let refused = operator.write_with("if", "3").if_match(etag).await.expect_err("it is another");
    ensure!(refused.kind() == ErrorKind::ConditionNotMatch, "{refused}");
    let refused = operator.read_with("if").if_match(etag).await.expect_err("it is another");
    ensure!(refused.kind() == ErrorKind::ConditionNotMatch, "{refused}");
    ensure!(operator.read("if").await?.to_bytes() == "2");
    Ok(())
}

async fn multipart(operator: &Operator) -> Result<()> {
    let data = crate::large();
    let mut writer = operator.writer_with("large").chunk(PART_BYTES as usize).concurrent(3).await?;
    for from in (0..data.len).step_by(MIB as usize) {
        writer.write(data.slice(from..data.len.min(from + MIB))).await?;
    }
    let written = writer.close().await?;
    ensure!(written.etag().is_some_and(|etag| etag.ends_with("-4\"")), "{written:?}");
    operator.copy("large", "copy +%41 ü").await?;
    let reading = operator.read_with("copy +%41 ü").chunk(PART_BYTES as usize).concurrent(3);
    ensure!(reading.await?.to_bytes() == data.bytes(), "a copy differs");

    let mut writer = operator.writer_with("aborted").chunk(PART_BYTES as usize).await?;
    writer.write(Data::new(1, PART_BYTES + 1).bytes()).await?;
    writer.abort().await?;
    ensure!(!operator.exists("aborted").await?);
    Ok(())
}

async fn listings(operator: &Operator) -> Result<()> {
    let mut keys: Vec<_> = (0..12).map(|at| format!("list/{}/{at} +%41", at % 3)).collect();
    keys.sort();
    for key in &keys {
        operator.write(key, "x").await?;
    }
    operator.create_dir("list/empty/").await?;
    let folders = names(operator.list_with("list/").limit(2).await?);
    ensure!(folders == ["list/0/", "list/1/", "list/2/", "list/empty/"], "{folders:?}");
    let mut listed = names(operator.list_with("list/").recursive(true).limit(5).await?);
    listed.retain(|path| !path.ends_with('/'));
    ensure!(listed == keys, "{listed:?}");
    let after = operator.list_with("list/").recursive(true).start_after(&keys[6]).await?;
    ensure!(names(after)[..5] == keys[7..], "start_after");
    Ok(())
}

fn names(entries: Vec<opendal::Entry>) -> Vec<String> {
    entries.into_iter().map(|entry| entry.path().to_owned()).collect()
}

async fn presigned(operator: &Operator) -> Result<()> {
    let (name, data, soon) = ("signed +%41 ü", Data::new(12, 100_000), Duration::from_secs(60));
    ensure!(fetch(operator.presign_write(name, soon).await?, data.bytes()).await?.status() == 200);
    let read = operator.presign_read(name, soon).await?;
    ensure!(fetch(read.clone(), Vec::new()).await?.bytes().await? == data.bytes());
    ensure!(fetch(operator.presign_stat(name, soon).await?, Vec::new()).await?.status() == 200);
    let forged = reqwest::Client::new().put(read.uri().to_string()).body("not mine").send().await?;
    ensure!(forged.status() == 403);
    ensure!(fetch(operator.presign_delete(name, soon).await?, Vec::new()).await?.status() == 204);
    ensure!(!operator.exists(name).await?);
    Ok(())
}

/// The request, sent by somebody who knows no more than it says.
async fn fetch(request: PresignedRequest, body: Vec<u8>) -> Result<reqwest::Response> {
    let sent = reqwest::Client::new().request(request.method().clone(), request.uri().to_string());
    Ok(sent.headers(request.header().clone()).body(body).send().await?)
}

async fn removals(operator: &Operator) -> Result<()> {
    operator.delete("if").await?;
    operator.delete("never").await?;
    operator.delete_iter(["large", "copy +%41 ü", "never either"].map(str::to_owned)).await?;
    operator.delete_with("objects/").recursive(true).await?;
    let left = names(operator.list("/").await?);
    ensure!(left == ["list/"], "{left:?}");
    operator.delete_with("/").recursive(true).await?;
    ensure!(operator.list_with("/").recursive(true).await?.is_empty());
    Ok(())
}
