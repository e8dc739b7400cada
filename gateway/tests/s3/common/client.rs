//! HTTP/1.1 byte by byte over TCP, signed by aws-sigv4: what is sent is exactly what the test says.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::{self, SigningParams};
use nodio_host::clock::now_ms;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::REGION;

/// How a body travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Its SHA-256 is signed.
    Signed,
    Unsigned,
    /// The body is what the test made it; this is `x-amz-content-sha256`.
    As(&'static str),
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    /// Path and query, as sent.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) unsigned_headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) payload: Payload,
    /// `Content-Length`, where it isn't the body's own.
    pub(crate) length: Option<Option<usize>>,
    /// Seconds by which the client's clock is off.
    pub(crate) skew: i64,
    /// When the request was made: its clones are signed for the same second.
    pub(crate) at: u64,
    pub(crate) region: &'static str,
    pub(crate) service: &'static str,
    pub(crate) host: Option<String>,
}

impl Call {
    pub(crate) fn new(method: &'static str, target: &str, body: impl AsRef<[u8]>) -> Self {
        Self {
            method,
            target: target.to_owned(),
            headers: Vec::new(),
            unsigned_headers: Vec::new(),
            body: body.as_ref().to_vec(),
            payload: Payload::Signed,
            length: None,
            skew: 0,
            at: now_ms(),
            region: REGION,
            service: "s3",
            host: None,
        }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target, "")
    }

    pub(crate) fn head(target: &str) -> Self {
        Self::new("HEAD", target, "")
    }

    pub(crate) fn put(target: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("PUT", target, body)
    }

    pub(crate) fn post(target: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("POST", target, body)
    }

    pub(crate) fn delete(target: &str) -> Self {
        Self::new("DELETE", target, "")
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With another value for a header that it has.
    pub(crate) fn change(mut self, name: &str, value: &str) -> Self {
        self.headers.iter_mut().filter(|header| header.0 == name).for_each(|header| header.1 = value.to_owned());
        self
    }

    /// A header that is sent and not signed.
    pub(crate) fn unsigned_header(mut self, name: &str, value: &str) -> Self {
        self.unsigned_headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The body has as many bytes as the head said.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of every element of this name.
    pub(crate) fn all(&self, element: &str) -> Vec<String> {
        let text = self.text();
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        text.split(&open).skip(1).filter_map(|rest| rest.split_once(&close).map(|(text, _)| unescaped(text))).collect()
    }

    /// The text of the first element of this name.
    pub(crate) fn one(&self, element: &str) -> Option<String> {
        self.all(element).into_iter().next()
    }

    /// Status and error code; also checks what every error must have.
    pub(crate) fn error(&self) -> (u16, String) {
        assert!(self.status >= 300, "no error: {}", self.text());
        for element in ["Message", "Resource", "RequestId", "HostId"] {
            assert!(self.one(element).is_some_and(|text| !text.is_empty()), "{element} is missing in {}", self.text());
        }
        assert_eq!(self.header("x-amz-request-id"), self.one("RequestId").as_deref());
        (self.status, self.one("Code").unwrap_or_default())
    }
}

fn unescaped(text: &str) -> String {
    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    plain.replace("&#39;", "'").replace("&amp;", "&")
}

/// Signs and sends.
#[derive(Clone)]
pub(crate) struct Client {
    addr: SocketAddr,
    pub(crate) access_key: String,
    pub(crate) secret: String,
}

impl Client {
    pub(crate) fn new(addr: SocketAddr, access_key: &str, secret: &str) -> Self {
        Self { addr, access_key: access_key.to_owned(), secret: secret.to_owned() }
    }

    pub(crate) async fn send(&self, call: Call) -> Answer {
        let (request, _) = self.request(&call);
        exchange(self.addr, &request, true).await.expect("an answer")
    }

    /// Sends the request without any signature.
    pub(crate) async fn send_unsigned(&self, call: Call) -> Answer {
        let host = call.host.clone().unwrap_or_else(|| self.addr.to_string());
        let mut headers = vec![("host".to_owned(), host), ("content-length".to_owned(), call.body.len().to_string())];
        headers.extend(call.headers.clone());
        headers.extend(call.unsigned_headers.clone());
        exchange(self.addr, &wire(&call, &headers), true).await.expect("an answer")
    }

    /// Sends the first `cut` bytes of the body, then closes the connection's sending side.
    pub(crate) async fn send_cut(&self, call: Call, cut: usize) -> Option<Answer> {
        let (request, _) = self.request(&call);
        let keep = request.len() - call.body.len() + cut;
        exchange(self.addr, &request[..keep], false).await
    }

    /// The request's bytes, and the signature in its head.
    pub(crate) fn request(&self, call: &Call) -> (Vec<u8>, String) {
        let host = call.host.clone().unwrap_or_else(|| self.addr.to_string());
        let mut headers = vec![("host".to_owned(), host.clone())];
        headers.extend(call.headers.clone());
        let body = match &call.payload {
            Payload::Signed => SignableBody::Bytes(&call.body),
            Payload::Unsigned => SignableBody::UnsignedPayload,
            Payload::As(value) => SignableBody::Precomputed((*value).to_owned()),
        };
        let uri = format!("http://{host}{}", call.target);
        let borrowed = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let signable = SignableRequest::new(call.method, uri, borrowed, body).unwrap();
        let identity = Credentials::new(&self.access_key, &self.secret, None, None, "test").into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(call.region)
            .name(call.service)
            .time(time(call))
            .settings(settings(SignatureLocation::Headers, None))
            .build()
            .unwrap()
            .into();
        let (instructions, signature) = sign(signable, &params).unwrap().into_parts();
        headers.extend(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())));
        if let Some(length) = call.length.unwrap_or(Some(call.body.len())) {
            headers.push(("content-length".to_owned(), length.to_string()));
        }
        headers.extend(call.unsigned_headers.clone());
        (wire(call, &headers), signature)
    }

    /// The body of a signed aws-chunked request, cut into these chunks, and the signature of its last chunk.
    pub(crate) fn chunked(&self, call: &Call, chunks: &[&[u8]]) -> (Vec<u8>, String) {
        let (_, mut signature) = self.request(call);
        let identity = Credentials::new(&self.access_key, &self.secret, None, None, "test").into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(call.region)
            .name("s3")
            .time(time(call))
            .settings(())
            .build()
            .unwrap();
        let mut body = Vec::new();
        for chunk in chunks.iter().copied().chain([&b""[..]]) {
            let data = bytes::Bytes::copy_from_slice(chunk);
            signature = v4::sign_chunk(&data, &signature, &params).unwrap().into_parts().1;
            body.extend_from_slice(format!("{:x};chunk-signature={signature}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            if !chunk.is_empty() {
                body.extend_from_slice(b"\r\n");
            }
        }
        (body, signature)
    }
}

impl Client {
    /// The signature of a signed aws-chunked body's trailers, `name:value` and LF each ("Trailing headers" in the Amazon S3 API
    /// Reference), after the signature of its last chunk.
    pub(crate) fn trailer_signature(&self, call: &Call, last_chunk: &str, trailers: &str) -> String {
        let head = String::from_utf8(self.request(call).0).unwrap();
        let date = head.lines().find_map(|line| line.strip_prefix("x-amz-date: ")).unwrap().to_owned();
        let digest = hex::encode(Sha256::digest(trailers));
        let scope = format!("{}/{}/s3/aws4_request", &date[..8], call.region);
        let text = format!("AWS4-HMAC-SHA256-TRAILER\n{date}\n{scope}\n{last_chunk}\n{digest}");
        let key = v4::generate_signing_key(&self.secret, time(call), call.region, "s3");
        v4::calculate_signature(key, text.as_bytes())
    }
}

/// The target of a presigned URL, with the call's headers under the signature.
pub(crate) fn presign(client: &Client, call: &Call, expires: Duration) -> String {
    let host = client.addr.to_string();
    let uri = format!("http://{host}{}", call.target);
    let own = call.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let headers = [("host", host.as_str())].into_iter().chain(own);
    let signable = SignableRequest::new(call.method, &uri, headers, SignableBody::UnsignedPayload).unwrap();
    let identity = Credentials::new(&client.access_key, &client.secret, None, None, "test").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(call.region)
        .name("s3")
        .time(time(call))
        .settings(settings(SignatureLocation::QueryParams, Some(expires)))
        .build()
        .unwrap()
        .into();
    let mut request = http::Request::builder().method(call.method).uri(&uri).body(()).unwrap();
    sign(signable, &params).unwrap().into_parts().0.apply_to_request_http1x(&mut request);
    request.uri().path_and_query().unwrap().to_string()
}

fn settings(location: SignatureLocation, expires: Option<Duration>) -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = match location {
        SignatureLocation::QueryParams => PayloadChecksumKind::NoHeader,
        _ => PayloadChecksumKind::XAmzSha256,
    };
    settings.signature_location = location;
    settings.expires_in = expires;
    settings
}

fn time(call: &Call) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(call.at.saturating_add_signed(call.skew * 1000))
}

fn wire(call: &Call, headers: &[(String, String)]) -> Vec<u8> {
    let mut request = format!("{} {} HTTP/1.1\r\n", call.method, call.target);
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("connection: close\r\n\r\n");
    let mut request = request.into_bytes();
    request.extend_from_slice(&call.body);
    request
}

/// Sends bytes and reads what comes back until the connection ends. `None` when nothing does.
pub(crate) async fn exchange(addr: SocketAddr, request: &[u8], whole: bool) -> Option<Answer> {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let send = async {
        // The answer may come, and the connection end, before all is sent.
        let _ = write.write_all(request).await;
        if !whole {
            let _ = write.shutdown().await;
        }
        write
    };
    let mut received = Vec::new();
    let receive = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(len @ 1..) = read.read(&mut buffer).await {
            received.extend_from_slice(&buffer[..len]);
        }
    };
    let both = async { tokio::join!(send, receive) };
    tokio::time::timeout(Duration::from_secs(60), both).await.expect("an end of the connection");
    let head = request.starts_with(b"HEAD ");
    parse(&received, head)
}

fn parse(received: &[u8], head_only: bool) -> Option<Answer> {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    if head.starts_with("HTTP/1.1 100") {
        return parse(&received[end + 4..], head_only);
    }
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> =
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
    let mut answer = Answer { status, headers, body: received[end + 4..].to_vec(), whole: true };
    if answer.header("transfer-encoding") == Some("chunked") {
        (answer.body, answer.whole) = dechunk(&answer.body);
    } else if let Some(length) = answer.header("content-length") {
        answer.whole = head_only || length.parse() == Ok(answer.body.len());
    }
    Some(answer)
}

fn dechunk(mut body: &[u8]) -> (Vec<u8>, bool) {
    let mut data = Vec::new();
    loop {
        let Some(end) = body.windows(2).position(|two| two == b"\r\n") else { return (data, false) };
        let size = std::str::from_utf8(&body[..end]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        match size {
            Some(0) => return (data, true),
            Some(size) if body.len() >= end + 2 + size + 2 => {
                data.extend_from_slice(&body[end + 2..end + 2 + size]);
                body = &body[end + 2 + size + 2..];
            }
            _ => return (data, false),
        }
    }
}
