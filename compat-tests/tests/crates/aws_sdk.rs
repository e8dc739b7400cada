//! The AWS SDK for Rust, with the checksums it makes and checks unless told otherwise.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};
use aws_sdk_s3::{Client, Config};
use nodio_compat_tests::data::Data;
use nodio_compat_tests::s3::S3;

use crate::{BUCKET, PART_BYTES};

fn client(s3: &S3) -> Client {
    let config = Config::builder().behavior_version(BehaviorVersion::latest()).region(Region::new(s3.region.clone()));
    let config = config.endpoint_url(&s3.endpoint).force_path_style(true).retry_config(RetryConfig::disabled());
    let key = Credentials::new(&s3.key.id, &s3.key.secret, None, None, "test");
    Client::from_conf(config.credentials_provider(key).http_client(aws_smithy_http_client::Builder::new().build_http()).build())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_for_rust() -> Result<()> {
    let cluster = crate::start().await?;
    let client = client(cluster.s3());
    objects(&client).await?;
    conditions(&client).await?;
    multipart(&client).await?;
    listings_and_deletes(&client).await?;
    presigned(&client).await
}

async fn read(client: &Client, key: &str) -> Result<Vec<u8>> {
    let got = client.get_object().bucket(BUCKET).key(key).send().await?;
    Ok(got.body.collect().await?.to_vec())
}

/// The call must have failed with this S3 error code.
fn refused<T, E: ProvideErrorMetadata>(result: Result<T, E>, code: &str) -> Result<()> {
    let error = result.err().with_context(|| format!("no {code}"))?;
    ensure!(error.code() == Some(code), "{:?} instead of {code}", error.code());
    Ok(())
}

async fn objects(client: &Client) -> Result<()> {
    for (key, data) in crate::objects() {
        let put = client.put_object().bucket(BUCKET).key(&key).content_type("x/y").metadata("colour", "a, b; c +%41");
        let put = put.body(data.bytes().into()).send().await?;
        ensure!(put.checksum_crc32().is_some(), "{key}: no checksum was made");
        ensure!(read(client, &key).await? == data.bytes(), "{key} differs");
        let head = client.head_object().bucket(BUCKET).key(&key).checksum_mode(ChecksumMode::Enabled).send().await?;
        ensure!(head.content_length() == Some(data.len.cast_signed()) && head.e_tag() == put.e_tag(), "{key}: {head:?}");
        ensure!(head.content_type() == Some("x/y") && head.checksum_crc32() == put.checksum_crc32(), "{key}: {head:?}");
        ensure!(head.metadata().is_some_and(|said| said.len() == 1 && said["colour"] == "a, b; c +%41"), "{key}: {head:?}");
    }
    let (key, data) = crate::objects().pop().context("there are some")?;
    let got = client.get_object().bucket(BUCKET).key(key).range("bytes=65530-65550").send().await?;
    ensure!(got.body.collect().await?.into_bytes() == data.slice(65_530..65_551));
    refused(client.get_object().bucket(BUCKET).key("never").send().await, "NoSuchKey")?;
    refused(client.head_object().bucket(BUCKET).key("never").send().await, "NotFound")?;
    refused(client.list_objects_v2().bucket("never-made").send().await, "NoSuchBucket")
}

async fn conditions(client: &Client) -> Result<()> {
    let put = |text: &'static str| client.put_object().bucket(BUCKET).key("if").body(ByteStream::from_static(text.as_bytes()));
    let etag = put("1").if_none_match("*").send().await?.e_tag.context("no ETag")?;
    refused(put("2").if_none_match("*").send().await, "PreconditionFailed")?;
    put("2").if_match(&etag).send().await?;
    refused(put("3").if_match(&etag).send().await, "PreconditionFailed")?;
    let unchanged = client.get_object().bucket(BUCKET).key("if").if_match(etag).send().await;
    refused(unchanged, "PreconditionFailed")?;
    ensure!(read(client, "if").await? == b"2");
    Ok(())
}

async fn multipart(client: &Client) -> Result<()> {
    let (key, data) = ("large +%41 ü", crate::large());
    let begun = client.create_multipart_upload().bucket(BUCKET).key(key).checksum_algorithm(ChecksumAlgorithm::Crc32C);
    let id = begun.send().await?.upload_id.context("no id")?;
    let mut parts = Vec::new();
    for (number, from) in (1..).zip((0..data.len).step_by(PART_BYTES as usize)) {
        let part = client.upload_part().bucket(BUCKET).key(key).upload_id(&id).part_number(number);
        let body = data.slice(from..data.len.min(from + PART_BYTES));
        let done = part.checksum_algorithm(ChecksumAlgorithm::Crc32C).body(body.into()).send().await?;
        let part = CompletedPart::builder().part_number(number).set_e_tag(done.e_tag);
        parts.push(part.set_checksum_crc32_c(done.checksum_crc32_c).build());
    }
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let done = client.complete_multipart_upload().bucket(BUCKET).key(key).upload_id(id).multipart_upload(parts);
    let done = done.send().await?;
    ensure!(done.e_tag().is_some_and(|etag| etag.ends_with("-4\"")), "{done:?}");
    ensure!(done.checksum_crc32_c().is_some_and(|sum| sum.ends_with("-4")), "{done:?}");
    ensure!(read(client, key).await? == data.bytes(), "{key} differs");

    let source = format!("{BUCKET}/large%20%2B%2541%20%C3%BC");
    client.copy_object().bucket(BUCKET).key("copy").copy_source(source).send().await?;
    ensure!(read(client, "copy").await? == data.bytes(), "a copy differs");
    Ok(())
}

async fn listings_and_deletes(client: &Client) -> Result<()> {
    let mut keys: Vec<_> = (0..12).map(|at| format!("list/{}/{at} +%41", at % 3)).collect();
    keys.sort();
    for key in &keys {
        client.put_object().bucket(BUCKET).key(key).body(ByteStream::from_static(b"x")).send().await?;
    }
    ensure!(listed(client).await? == keys);
    let folders = client.list_objects_v2().bucket(BUCKET).prefix("list/").delimiter("/").send().await?;
    let folders: Vec<_> = folders.common_prefixes().iter().filter_map(|folder| folder.prefix()).collect();
    ensure!(folders == ["list/0/", "list/1/", "list/2/"], "{folders:?}");
    let gone = keys[1..].iter().map(|key| ObjectIdentifier::builder().key(key).build()).collect::<Result<Vec<_>, _>>()?;
    let gone = client.delete_objects().bucket(BUCKET).delete(Delete::builder().set_objects(Some(gone)).build()?);
    let gone = gone.send().await?;
    ensure!(gone.deleted().len() == 11 && gone.errors().is_empty(), "{gone:?}");
    ensure!(listed(client).await? == keys[..1]);
    Ok(())
}

/// What is below `list/`, in pages of five.
async fn listed(client: &Client) -> Result<Vec<String>> {
    let mut pages = client.list_objects_v2().bucket(BUCKET).prefix("list/").into_paginator().page_size(5).send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        keys.extend(page?.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
    }
    Ok(keys)
}

async fn presigned(client: &Client) -> Result<()> {
    let (key, data) = ("signed +%41 ü", Data::new(12, 100_000));
    let soon = PresigningConfig::expires_in(Duration::from_secs(60))?;
    let put = client.put_object().bucket(BUCKET).key(key).presigned(soon.clone()).await?;
    ensure!(fetch(&put, data.bytes()).await?.status() == 200);
    let get = client.get_object().bucket(BUCKET).key(key).presigned(soon).await?;
    ensure!(fetch(&get, Vec::new()).await?.bytes().await? == data.bytes());
    let forged = reqwest::Client::new().put(get.uri()).body("not mine").send().await?;
    ensure!(forged.status() == 403);
    Ok(())
}

/// The request, sent by somebody who knows no more than it says.
async fn fetch(request: &PresignedRequest, body: Vec<u8>) -> Result<reqwest::Response> {
    let mut sent = reqwest::Client::new().request(request.method().parse()?, request.uri());
    for (name, value) in request.headers() {
        sent = sent.header(name, value);
    }
    Ok(sent.body(body).send().await?)
}
