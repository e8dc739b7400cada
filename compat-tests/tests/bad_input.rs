//! What a gateway process answers to the worst of clients: S3's own error, nothing stored, and it goes on serving.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nodio_compat_tests::cluster::{Cluster, Options};
use nodio_compat_tests::data::Data;
use nodio_compat_tests::s3::{Call, S3, object_path, outcome};

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_get_s3_errors_and_store_nothing() -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let s3 = cluster.s3();
    s3.must_make_bucket("bad").await?;
    s3.must_put("bad", "good", Data::new(1, 100)).await?;

    let put = |key: &str| Call::new("PUT", object_path("bad", key)).body("hello").header("content-length", "5");
    let wrong_md5 = put("x").header("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==");
    refused(s3, "BadDigest", wrong_md5).await?;
    refused(s3, "InvalidDigest", put("x").header("content-md5", "short")).await?;
    refused(s3, "BadDigest", put("x").header("x-amz-checksum-crc32", "AAAAAA==")).await?;
    refused(s3, "KeyTooLongError", put(&"k".repeat(1025))).await?;
    for ahead in [20 * 60, -20 * 60] {
        refused(s3, "RequestTimeTooSkewed", Call { clock_ahead_s: ahead, ..put("x") }).await?;
    }
    let upload_part = "/bad/x?partNumber=10001&uploadId=00000000000000000000000000000000";
    refused(s3, "InvalidArgument", Call::new("PUT", upload_part).body("x")).await?;
    let range = Call::new("GET", "/bad/good").header("range", "bytes=100-200");
    refused(s3, "InvalidRange", range).await?;
    refused(s3, "MalformedXML", Call::new("POST", "/bad?delete=").body("<Delete><Object>")).await?;

    // Not bad: without a length and without chunks there is no body, and a bucket needs none.
    let made = outcome(s3.send(Call::new("PUT", "/made-without-length")).await?).await?;
    ensure!(made.is_ok(), "a bucket without Content-Length: {made:?}");

    cut_body(s3)?;
    absurd_headers(s3)?;
    let listed = s3.send(Call::new("GET", "/bad?list-type=2")).await?.text().await?;
    ensure!(listed.contains("<KeyCount>1</KeyCount>") && listed.contains("<Key>good</Key>"), "something was stored: {listed}");
    s3.must_read("bad", "good", Data::new(1, 100)).await
}

async fn refused(s3: &S3, code: &str, call: Call<'_>) -> Result<()> {
    let what = format!("{} {:.60} {:?}", call.method, call.path, call.headers);
    let answer = outcome(s3.send(call).await.context(what.clone())?).await?;
    ensure!(answer.as_ref().is_err_and(|refusal| refusal.code == code), "{what}: {answer:?} instead of {code}");
    Ok(())
}

/// Says it brings 1,000 bytes, brings 10 and hangs up.
fn cut_body(s3: &S3) -> Result<()> {
    let call = Call::new("PUT", "/bad/cut").header("content-length", "1000");
    let mut request = head(s3, &call)?;
    request.push_str("\r\n0123456789");
    let mut stream = connect(s3)?;
    stream.write_all(request.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    ensure!(!answer.starts_with("HTTP/1.1 200"), "a cut body was taken: {answer}");
    Ok(())
}

/// More headers than anybody needs: an error or a closed connection, soon.
fn absurd_headers(s3: &S3) -> Result<()> {
    let mut request = head(s3, &Call::new("GET", "/bad/good"))?;
    for number in 0..5000 {
        request.push_str(&format!("x-amz-meta-{number}: {}\r\n", "v".repeat(200)));
    }
    request.push_str("\r\n");
    let mut stream = connect(s3)?;
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    ensure!(!answer.starts_with(b"HTTP/1.1 200"), "absurd headers were taken");
    Ok(())
}

fn connect(s3: &S3) -> Result<TcpStream> {
    let stream = TcpStream::connect(authority(s3))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_write_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

fn head(s3: &S3, call: &Call<'_>) -> Result<String> {
    let mut text = format!("{} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", call.method, call.path, authority(s3));
    let said = call.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    for (name, value) in said.chain(s3.signature(call, &format!("{}{}", s3.endpoint, call.path))?) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    Ok(text)
}

fn authority(s3: &S3) -> &str {
    s3.endpoint.trim_start_matches("http://")
}
