//! From a request to its line: what is kept of the head, what the answer says, and the body followed to its end.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body::Frame;
use nodio_host::clock::now_ms;
use nodio_host::serve::ConnectInfo;
use nodio_wire::UnixMs;
use s3s::{Body, StdError};

use super::AccessLog;
use super::line::{Record, operation};
use crate::rows::BucketRow;
use crate::s3::guard::query;
use crate::s3::seen::{Aim, Sight, WEBSITE};

/// What a line needs of a request's head. Cheap to make: most requests are never logged.
pub(crate) struct Asked {
    at: UnixMs,
    begun: Instant,
    method: Method,
    uri: Uri,
    version: Version,
    peer: Option<SocketAddr>,
    referer: Option<HeaderValue>,
    agent: Option<HeaderValue>,
    host: Option<HeaderValue>,
    length: Option<HeaderValue>,
    signed: (&'static str, &'static str),
}

impl Asked {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let headers = request.headers();
        let header = |name: &str| headers.get(name).cloned();
        Self {
            at: now_ms(),
            begun: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            peer: request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0),
            referer: header("referer"),
            agent: header("user-agent"),
            host: header("host"),
            length: header("x-amz-decoded-content-length").or_else(|| header("content-length")),
            signed: signed(headers, request.uri().query().unwrap_or_default()),
        }
    }

    /// A request's parts as far as they say which bucket it is for.
    pub(crate) fn parts(&self) -> Parts {
        let mut request = Request::new(());
        *request.uri_mut() = self.uri.clone();
        if let Some(host) = &self.host {
            request.headers_mut().insert(header::HOST, host.clone());
        }
        request.into_parts().0
    }

    pub(crate) fn is_preflight(&self) -> bool {
        self.method == Method::OPTIONS
    }

    fn record(
        self,
        (bucket, key): (&BucketRow, String),
        aim: Option<&Aim>,
        sight: &Sight,
        (status, headers): (StatusCode, &HeaderMap),
    ) -> Record {
        let text =
            |value: &Option<HeaderValue>| value.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let pairs = query::pairs(self.uri.query().unwrap_or_default()).unwrap_or_default();
        // A website's visitor is nobody: no signature is looked at.
        let signed = if aim.is_some_and(|aim| aim.operation == WEBSITE) { ("", "") } else { self.signed };
        let turned = self.begun.elapsed().as_millis() as u64;
        let brings_body = self.method == Method::PUT || self.method == Method::POST;
        Record {
            owner: bucket.owner.as_str().to_owned(),
            bucket: bucket.name.to_string(),
            at: self.at,
            address: self.peer.map(|peer| peer.ip().to_canonical().to_string()).unwrap_or_default(),
            requester: aim.and_then(|aim| aim.requester.as_ref()).map(|id| id.as_str().to_owned()).unwrap_or_default(),
            request_id: sight.ids.request.clone(),
            operation: operation(aim.map_or("", |aim| &*aim.operation), self.method.as_str(), !key.is_empty()),
            object_bytes: object_bytes(&self, aim, status, headers),
            key,
            request: format!("{} {} {:?}", self.method, without_signature(&self.uri), self.version),
            status: status.as_u16(),
            error: String::new(),
            bytes_sent: 0,
            total_ms: turned,
            // How much of it was the body's coming isn't known.
            turn_around_ms: (!brings_body).then_some(turned),
            referer: text(&self.referer),
            agent: text(&self.agent),
            version: pairs.into_iter().find(|(name, _)| name == "versionId").map(|(_, value)| value).unwrap_or_default(),
            host_id: sight.ids.host.clone(),
            signature: signed.0,
            authentication: signed.1,
            host: text(&self.host),
        }
    }
}

/// Signature version and where the signature is.
fn signed(headers: &HeaderMap, query: &str) -> (&'static str, &'static str) {
    let begins =
        |start: &str| headers.get(header::AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(start.as_bytes()));
    if begins("AWS4-") {
        ("SigV4", "AuthHeader")
    } else if begins("AWS ") {
        ("SigV2", "AuthHeader")
    } else if query.contains("X-Amz-Signature=") {
        ("SigV4", "QueryString")
    } else if query.contains("Signature=") {
        ("SigV2", "QueryString")
    } else {
        ("", "")
    }
}

/// The URI as it was sent, but for signatures: who reads the log must not be able to send the request again.
fn without_signature(uri: &Uri) -> String {
    let Some(query) = uri.query() else { return uri.path().to_owned() };
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name @ ("X-Amz-Signature" | "Signature"), _)) => format!("{name}=-"),
        _ => pair.to_owned(),
    };
    let pairs: Vec<String> = query.split('&').map(pair).collect();
    format!("{}?{}", uri.path(), pairs.join("&"))
}

/// The whole object's size: of what is read by the answer, of what is written by the request.
fn object_bytes(asked: &Asked, aim: Option<&Aim>, status: StatusCode, headers: &HeaderMap) -> Option<u64> {
    let number = |value: &HeaderValue| value.to_str().ok()?.rsplit('/').next()?.parse().ok();
    match &*aim?.operation {
        "GetObject" | "HeadObject" | WEBSITE if status.is_success() => {
            headers.get(header::CONTENT_RANGE).or_else(|| headers.get(header::CONTENT_LENGTH)).and_then(number)
        }
        "PutObject" | "UploadPart" if status.is_success() && asked.method == Method::PUT => {
            asked.length.as_ref().and_then(number)
        }
        _ => None,
    }
}

impl AccessLog {
    /// The same answer to a request about `key` (URL-encoded) in a bucket that logs, whose line is written when its body has ended, or was given up. `error` is its code.
    pub(crate) fn watch(
        &self,
        asked: Asked,
        (bucket, key): (&Arc<BucketRow>, String),
        sight: &Sight,
        error: Option<String>,
        response: Response<Body>,
    ) -> Response<Body> {
        let begun = asked.begun;
        let aim = sight.aim.get().and_then(Option::as_ref);
        let record = asked.record((bucket, key), aim, sight, (response.status(), response.headers()));
        let record = Record { error: error.unwrap_or_default(), ..record };
        let pending = Pending { log: self.clone(), bucket: bucket.clone(), begun, record };
        response.map(|body| Body::http_body_unsync(Watched { body, pending }))
    }
}

/// A line that lacks its end.
struct Pending {
    log: AccessLog,
    bucket: Arc<BucketRow>,
    begun: Instant,
    record: Record,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.record.total_ms = self.begun.elapsed().as_millis() as u64;
        self.log.add(&self.bucket, self.record.at, &self.record.line());
    }
}

struct Watched {
    body: Body,
    pending: Pending,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.pending.record.bytes_sent += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::Body::size_hint(&self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_named_and_never_shown() {
        for (authorization, target, signed, shown) in [
            (Some("AWS4-HMAC-SHA256 Credential=x"), "/b/k", ("SigV4", "AuthHeader"), "/b/k"),
            (Some("AWS a:b"), "/b/k?acl", ("SigV2", "AuthHeader"), "/b/k?acl"),
            (
                None,
                "/b/k?X-Amz-Date=1&X-Amz-Signature=secret&x",
                ("SigV4", "QueryString"),
                "/b/k?X-Amz-Date=1&X-Amz-Signature=-&x",
            ),
            (None, "/b/k?Expires=1&Signature=secret", ("SigV2", "QueryString"), "/b/k?Expires=1&Signature=-"),
            (None, "/b/k", ("", ""), "/b/k"),
        ] {
            let mut request = Request::new(());
            *request.uri_mut() = target.parse().unwrap();
            if let Some(value) = authorization {
                request.headers_mut().insert(header::AUTHORIZATION, value.parse().unwrap());
            }
            assert_eq!(Asked::of(&request).signed, signed, "{target}");
            assert_eq!(without_signature(request.uri()), shown);
        }
    }
}
