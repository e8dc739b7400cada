//! A small S3 client for the fault tests, signed by the AWS SDK's own signer. It retries nothing: what the gateway answers is what the test sees.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;

use crate::data::{Checker, Data};

/// Nothing may hang for longer, unless a test says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// An access key and its secret.
#[derive(Debug, Clone)]
pub struct AccessKey {
    pub id: String,
    pub secret: String,
}

/// One endpoint, one access key.
#[derive(Debug, Clone)]
pub struct S3 {
    pub endpoint: String,
    pub region: String,
    pub key: AccessKey,
    /// Longest wait for an answer.
    pub patience: Duration,
    http: reqwest::Client,
}

/// An answer that is not a success: S3's code, or "" when the body names none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub code: String,
}

/// What came of a read.
#[derive(Debug)]
pub enum Got {
    /// Every byte came and is right.
    Right,
    /// Every byte came, or seemed to, and something is wrong with them: this must never be.
    Wrong(String),
    Refused(Refusal),
    /// The connection broke before the end.
    Broken(String),
}

/// What to send; the signature is added by [`S3::send`].
pub struct Call<'a> {
    pub method: &'a str,
    /// Path and query, already percent-encoded.
    pub path: String,
    pub headers: Vec<(&'a str, String)>,
    pub body: reqwest::Body,
    /// Seconds that the client's clock is ahead.
    pub clock_ahead_s: i64,
}

impl<'a> Call<'a> {
    pub fn new(method: &'a str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: reqwest::Body::from(""), clock_ahead_s: 0 }
    }

    pub fn body(self, body: impl Into<reqwest::Body>) -> Self {
        Self { body: body.into(), ..self }
    }

    pub fn header(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl S3 {
    pub fn new(endpoint: String, region: &str, key: AccessKey) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { endpoint, region: region.to_owned(), key, patience: PATIENCE, http })
    }

    /// The same, waiting longer or less for answers.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Sends a signed request with an unsigned payload.
    pub async fn send(&self, call: Call<'_>) -> Result<reqwest::Response> {
        let url = format!("{}{}", self.endpoint, call.path);
        let mut request = self.http.request(call.method.parse()?, &url);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        for (name, value) in self.signature(&call, &url)? {
            request = request.header(name, value);
        }
        Ok(request.body(call.body).send().await?)
    }

    /// The headers that sign `call`.
    pub fn signature(&self, call: &Call<'_>, url: &str) -> Result<Vec<(String, String)>> {
        let identity = Credentials::new(&self.key.id, &self.key.secret, None, None, "test").into();
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let params = v4::SigningParams::builder().identity(&identity).region(&self.region).name("s3");
        let params = params.time(clock(call.clock_ahead_s)).settings(settings).build()?.into();
        let headers = call.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let request = SignableRequest::new(call.method, url, headers, SignableBody::UnsignedPayload)?;
        let (signed, _) = sign(request, &params)?.into_parts();
        Ok(signed.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// PUT with the length told ahead. `Ok(Ok(()))` is an acknowledgement.
    pub async fn put(&self, bucket: &str, key: &str, data: Data) -> Result<Result<(), Refusal>> {
        let call = Call::new("PUT", object_path(bucket, key)).header("content-length", data.len.to_string()).body(data.body());
        let answer = within(self.patience, self.send(call)).await??;
        outcome(answer).await
    }

    /// GET of the whole object, compared as it arrives.
    pub async fn get(&self, bucket: &str, key: &str, want: Data) -> Result<Got> {
        within(self.patience, self.get_unbounded(bucket, key, want)).await?
    }

    async fn get_unbounded(&self, bucket: &str, key: &str, want: Data) -> Result<Got> {
        let mut answer = match self.send(Call::new("GET", object_path(bucket, key))).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Got::Broken(format!("{error:#}"))),
        };
        if !answer.status().is_success() {
            return Ok(Got::Refused(refusal(answer).await?));
        }
        let mut check = Checker::new(want);
        loop {
            match answer.chunk().await {
                Ok(Some(bytes)) => {
                    if let Err(wrong) = check.update(&bytes) {
                        return Ok(Got::Wrong(wrong));
                    }
                }
                Ok(None) => return Ok(check.finish().map_or_else(Got::Wrong, |()| Got::Right)),
                Err(error) => return Ok(Got::Broken(error.to_string())),
            }
        }
    }

    /// Fails unless the object reads, now, byte for byte.
    pub async fn must_read(&self, bucket: &str, key: &str, want: Data) -> Result<()> {
        match self.get(bucket, key, want).await.with_context(|| format!("GET {bucket}/{key}"))? {
            Got::Right => Ok(()),
            other => bail!("GET {bucket}/{key} ({} bytes): {other:?}", want.len),
        }
    }

    pub async fn must_put(&self, bucket: &str, key: &str, data: Data) -> Result<()> {
        match self.put(bucket, key, data).await.with_context(|| format!("PUT {bucket}/{key}"))? {
            Ok(()) => Ok(()),
            Err(refusal) => bail!("PUT {bucket}/{key} ({} bytes): {refusal:?}", data.len),
        }
    }

    /// Fails unless the bucket was made or is already the caller's.
    pub async fn must_make_bucket(&self, bucket: &str) -> Result<()> {
        let call = Call::new("PUT", format!("/{bucket}")).header("content-length", "0");
        match outcome(self.send(call).await?).await? {
            Ok(()) => Ok(()),
            Err(refusal) if refusal.code == "BucketAlreadyOwnedByYou" => Ok(()),
            Err(refusal) => bail!("the bucket {bucket} could not be made: {refusal:?}"),
        }
    }
}

/// The success, or S3's error.
pub async fn outcome(answer: reqwest::Response) -> Result<Result<(), Refusal>> {
    if answer.status().is_success() {
        answer.bytes().await?;
        return Ok(Ok(()));
    }
    Ok(Err(refusal(answer).await?))
}

async fn refusal(answer: reqwest::Response) -> Result<Refusal> {
    let status = answer.status().as_u16();
    Ok(refusal_in(status, &answer.text().await?))
}

/// S3's error as `text` has it.
pub fn refusal_in(status: u16, text: &str) -> Refusal {
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(code, _)| code);
    Refusal { status, code: code.to_owned() }
}

/// The path of an object, percent-encoded as SigV4 wants it.
pub fn object_path(bucket: &str, key: &str) -> String {
    let mut path = format!("/{bucket}/");
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => path.push(byte.into()),
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

/// `work`, or an error that says it hung.
pub async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(patience, work).await.map_err(|_| anyhow::anyhow!("no answer within {patience:?}"))
}

#[allow(clippy::disallowed_methods)]
fn clock(ahead_s: i64) -> SystemTime {
    let by = Duration::from_secs(ahead_s.unsigned_abs());
    if ahead_s < 0 { SystemTime::now() - by } else { SystemTime::now() + by }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awkward_keys_are_encoded_once() {
        assert_eq!(object_path("b", "a b+c%2F/é"), "/b/a%20b%2Bc%252F/%C3%A9");
    }
}
