//! `object_store`, which data engines build on.

use std::time::Duration;

use anyhow::{Result, ensure};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use http_body_util::BodyExt;
use nodio_compat_tests::data::Data;
use nodio_compat_tests::s3::S3;
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum, S3CopyIfNotExists};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    Attribute, Attributes, ClientOptions, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, RetryConfig,
    WriteMultipart,
};
use reqwest::Method;

use crate::{BUCKET, MIB, PART_BYTES};

fn store(s3: &S3, checksum: Checksum) -> Result<AmazonS3> {
    let builder = AmazonS3Builder::new().with_endpoint(&s3.endpoint).with_allow_http(true).with_region(&s3.region);
    let builder = builder.with_access_key_id(&s3.key.id).with_secret_access_key(&s3.key.secret).with_bucket_name(BUCKET);
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let builder = builder.with_http_connector(Plain).with_retry(retry).with_copy_if_not_exists(S3CopyIfNotExists::Multipart);
    Ok(builder.with_checksum_algorithm(checksum).build()?)
}

/// HTTP without TLS, which the crate's own transport asks for.
#[derive(Debug)]
struct Plain;

impl HttpConnector for Plain {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Transport(reqwest::Client::new())))
    }
}

#[derive(Debug)]
struct Transport(reqwest::Client);

#[async_trait]
impl HttpService for Transport {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let failed = |error| HttpError::new(HttpErrorKind::Unknown, error);
        let request = request.map(reqwest::Body::wrap).try_into().map_err(failed)?;
        let answer = http::Response::from(self.0.execute(request).await.map_err(failed)?);
        Ok(answer.map(|body| HttpResponseBody::new(body.map_err(failed))))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_objects() -> Result<()> {
    let cluster = crate::start().await?;
    let store = store(cluster.s3(), Checksum::CRC64NVME)?;
    objects(&store).await?;
    conditions(&store).await?;
    multipart(&store).await?;
    multipart(&self::store(cluster.s3(), Checksum::SHA256)?).await?;
    copies(&store).await?;
    listings(&store).await?;
    signed_urls(&store).await
}

async fn objects(store: &AmazonS3) -> Result<()> {
    let said = [(Attribute::ContentType, "x/y"), (Attribute::Metadata("colour".into()), "a, b; c +%41")];
    let said = Attributes::from_iter(said);
    for (name, data) in crate::objects() {
        let at = Path::parse(&name)?;
        let put = store.put_opts(&at, data.bytes().into(), said.clone().into()).await?;
        let got = store.get(&at).await?;
        ensure!(got.meta.e_tag == put.e_tag && got.attributes == said, "{name}: {:?}, {:?}", got.meta, got.attributes);
        ensure!(got.bytes().await? == data.bytes(), "{name} differs");
        ensure!(store.head(&at).await?.size == data.len, "{name}");
        let unchanged = GetOptions::new().with_if_none_match(put.e_tag);
        ensure!(matches!(store.get_opts(&at, unchanged).await, Err(Error::NotModified { .. })), "{name}");
    }
    let (name, data) = crate::objects().pop().expect("there are some");
    let (at, ranges) = (Path::parse(name)?, [0..1, 65_530..65_550, 2_100_000..data.len]);
    for (range, got) in ranges.clone().into_iter().zip(store.get_ranges(&at, &ranges).await?) {
        ensure!(got == data.slice(range.clone()), "{range:?} differs");
    }
    let last = GetOptions::new().with_range(Some(GetRange::Suffix(7)));
    ensure!(store.get_opts(&at, last).await?.bytes().await? == data.slice(data.len - 7..data.len), "the last bytes differ");
    let never = Path::from("never");
    ensure!(matches!(store.head(&never).await, Err(Error::NotFound { .. })));
    ensure!(matches!(store.get(&never).await, Err(Error::NotFound { .. })));
    Ok(())
}

async fn conditions(store: &AmazonS3) -> Result<()> {
    let at = Path::from("log/00000000.json");
    let put = async |mode: PutMode, text: &'static str| store.put_opts(&at, text.into(), mode.into()).await;
    let first = put(PutMode::Create, "1").await?;
    ensure!(matches!(put(PutMode::Create, "2").await, Err(Error::AlreadyExists { .. })));
    put(PutMode::Update(first.clone().into()), "2").await?;
    ensure!(matches!(put(PutMode::Update(first.into()), "3").await, Err(Error::Precondition { .. })));
    ensure!(store.get(&at).await?.bytes().await? == "2");
    Ok(())
}

async fn multipart(store: &AmazonS3) -> Result<()> {
    let (at, data) = (Path::from("large"), crate::large());
    let mut upload = WriteMultipart::new_with_chunk_size(store.put_multipart(&at).await?, PART_BYTES as usize);
    for from in (0..data.len).step_by(MIB as usize) {
        upload.wait_for_capacity(3).await?;
        upload.write(&data.slice(from..data.len.min(from + MIB)));
    }
    let done = upload.finish().await?;
    ensure!(done.e_tag.is_some_and(|etag| etag.ends_with("-4\"")));
    ensure!(store.get(&at).await?.bytes().await? == data.bytes(), "it differs");
    ensure!(store.get_range(&at, PART_BYTES - 3..PART_BYTES + 4).await? == data.slice(PART_BYTES - 3..PART_BYTES + 4));

    let mut upload = store.put_multipart(&Path::from("aborted")).await?;
    upload.put_part(Data::new(1, PART_BYTES).bytes().into()).await?;
    upload.abort().await?;
    ensure!(matches!(store.head(&Path::from("aborted")).await, Err(Error::NotFound { .. })));
    Ok(())
}

async fn copies(store: &AmazonS3) -> Result<()> {
    let (from, to, moved) = (Path::parse("from +%41 ü")?, Path::from("to"), Path::from("moved"));
    let data = Data::new(11, 300_000);
    store.put(&from, data.bytes().into()).await?;
    store.copy(&from, &to).await?;
    ensure!(matches!(store.copy_if_not_exists(&from, &to).await, Err(Error::AlreadyExists { .. })));
    store.rename_if_not_exists(&from, &moved).await?;
    ensure!(matches!(store.head(&from).await, Err(Error::NotFound { .. })), "what was moved is still there");
    for copy in [to, moved] {
        ensure!(store.get(&copy).await?.bytes().await? == data.bytes(), "{copy} differs");
    }
    Ok(())
}

async fn listings(store: &AmazonS3) -> Result<()> {
    let mut keys: Vec<_> = (0..12).map(|at| Path::parse(format!("list/{}/{at} +%41", at % 3))).collect::<Result<_, _>>()?;
    keys.sort();
    for key in &keys {
        store.put(key, "x".into()).await?;
    }
    let prefix = Path::from("list");
    ensure!(listed(store, &prefix, None).await? == keys);
    ensure!(listed(store, &prefix, Some(&keys[6])).await? == keys[7..]);
    let folders = store.list_with_delimiter(Some(&prefix)).await?.common_prefixes;
    ensure!(folders == ["list/0", "list/1", "list/2"].map(Path::from), "{folders:?}");
    ensure!(pages(store, "list/").await? == [5, 5, 2]);

    let never = Path::from("list/never");
    let gone: Vec<_> = keys[1..].iter().cloned().chain([never]).collect();
    let deleted: Vec<_> = store.delete_stream(stream::iter(gone.clone()).map(Ok).boxed()).try_collect().await?;
    ensure!(deleted == gone, "{deleted:?}");
    ensure!(listed(store, &prefix, None).await? == keys[..1]);
    Ok(())
}

async fn listed(store: &AmazonS3, prefix: &Path, after: Option<&Path>) -> Result<Vec<Path>> {
    let found = match after {
        None => store.list(Some(prefix)),
        Some(after) => store.list_with_offset(Some(prefix), after),
    };
    Ok(found.map_ok(|meta| meta.location).try_collect().await?)
}

/// The lengths of a listing's pages of five.
async fn pages(store: &AmazonS3, prefix: &str) -> Result<Vec<usize>> {
    let (mut lengths, mut page_token) = (Vec::new(), None);
    loop {
        let options = PaginatedListOptions { max_keys: Some(5), page_token, ..PaginatedListOptions::default() };
        let page = store.list_paginated(Some(prefix), options).await?;
        lengths.push(page.result.objects.len());
        page_token = page.page_token;
        if page_token.is_none() {
            return Ok(lengths);
        }
    }
}

async fn signed_urls(store: &AmazonS3) -> Result<()> {
    let (at, data, soon) = (Path::parse("signed +%41 ü")?, Data::new(12, 100_000), Duration::from_secs(60));
    let http = reqwest::Client::new();
    let put = store.signed_url(Method::PUT, &at, soon).await?;
    http.put(put).body(data.bytes()).send().await?.error_for_status()?;
    let get = store.signed_url(Method::GET, &at, soon).await?;
    ensure!(http.get(get.clone()).send().await?.error_for_status()?.bytes().await? == data.bytes());
    ensure!(http.put(get).body("not mine").send().await?.status() == 403);
    Ok(())
}
