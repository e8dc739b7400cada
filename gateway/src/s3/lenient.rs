//! Headers that S3 ignores when it can't read them and s3s refuses: a malformed `Range`, dates that are none, odd entity tags.
//!
//! A request with one of them takes a second turn, its signature checked already: without those headers, through a service without
//! signatures. The operation sees all headers as they came ([`super::access::headers`]).

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use http::{Extensions, HeaderMap, HeaderName, Method, Request, Uri};
use s3s::dto::{ETagCondition, Range, Timestamp, TimestampFormat};
use s3s::route::S3Route;
use s3s::service::S3Service;
use s3s::{Body, S3ErrorCode, S3Request, S3Response, S3Result};

use super::access::{Access, Original, Trailers};
use super::error::{fail, internal};

const DATES: [&str; 5] = [
    "if-modified-since",
    "if-unmodified-since",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-unmodified-since",
    "expires",
];
const TAGS: [&str; 4] = ["if-match", "if-none-match", "x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match"];

/// The second turn.
pub(crate) struct Lenient {
    pub(crate) access: Access,
    /// Set once the service that has this route is built beside.
    pub(crate) unsigned: Arc<OnceLock<S3Service>>,
}

/// Whether s3s would refuse this header.
fn unreadable(name: &HeaderName, value: &[u8]) -> bool {
    if value.is_empty() {
        return false;
    }
    let text = std::str::from_utf8(value).unwrap_or("\u{0}");
    match name.as_str() {
        "range" => Range::parse(text).is_err(),
        name if DATES.contains(&name) => Timestamp::parse(TimestampFormat::HttpDate, text).is_err(),
        name if TAGS.contains(&name) => ETagCondition::parse_http_header(value).is_err(),
        _ => false,
    }
}

fn without_unreadable(headers: &HeaderMap) -> HeaderMap {
    let kept = headers.iter().filter(|(name, value)| !unreadable(name, value.as_bytes()) && *name != http::header::AUTHORIZATION);
    let mut map = HeaderMap::new();
    for (name, value) in kept {
        map.append(name.clone(), value.clone());
    }
    map
}

/// The URI without the fields of a presigned URL.
fn without_signature(uri: &Uri) -> Option<Uri> {
    let query = uri.query().unwrap_or_default();
    let signature = |pair: &str| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        name.starts_with("X-Amz-") || ["AWSAccessKeyId", "Expires", "Signature"].contains(&name)
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| !signature(pair)).collect();
    let target = format!("{}?{}", uri.path(), kept.join("&"));
    target.parse().ok()
}

#[async_trait]
impl S3Route for Lenient {
    fn is_match(&self, _: &Method, _: &Uri, headers: &HeaderMap, _: &mut Extensions) -> bool {
        headers.iter().any(|(name, value)| unreadable(name, value.as_bytes()))
    }

    async fn check_access(&self, request: &mut S3Request<Body>) -> S3Result<()> {
        let access_key = request.credentials.as_ref().map(|credentials| credentials.access_key.clone());
        self.access.identify(access_key.as_deref(), &mut request.extensions).await
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let service = self.unsigned.get().ok_or_else(|| internal(&"the second turn has no service"))?;
        let uri =
            without_signature(&request.uri).ok_or_else(|| fail(S3ErrorCode::InvalidURI, "Couldn't parse the specified URI."))?;
        let mut again = Request::new(request.input);
        *again.method_mut() = request.method;
        *again.uri_mut() = uri;
        *again.headers_mut() = without_unreadable(&request.headers);
        *again.extensions_mut() = request.extensions;
        again.extensions_mut().insert(Original(Arc::new(request.headers)));
        if let Some(trailers) = request.trailing_headers {
            again.extensions_mut().insert(Trailers(trailers));
        }
        let answer = service.call(again).await.map_err(|error| internal(&format!("{error:?}")))?;
        let (parts, body) = answer.into_parts();
        let mut response = S3Response::with_headers(body, parts.headers);
        response.status = Some(parts.status);
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_s3s_refuses_is_hidden_from_it() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("range", "bytes=0-1,3-4"),
            ("if-modified-since", "yesterday"),
            ("if-match", "\"a\""),
            ("authorization", "x"),
            ("x-amz-date", "d"),
        ] {
            headers.insert(name, value.parse().expect("a header"));
        }
        let kept = without_unreadable(&headers);
        assert_eq!(kept.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["if-match", "x-amz-date"]);
    }

    #[test]
    fn a_presigned_uri_loses_its_signature_alone() {
        let uri = "/b/k?X-Amz-Signature=1&partNumber=2&X-Amz-Date=3&versionId=null".parse().expect("a URI");
        assert_eq!(without_signature(&uri).map(|uri| uri.to_string()), Some("/b/k?partNumber=2&versionId=null".into()));
        let uri = "/b/k?AWSAccessKeyId=a&Expires=1&uploads&Signature=b%3D".parse().expect("a URI");
        assert_eq!(without_signature(&uri).map(|uri| uri.to_string()), Some("/b/k?uploads".into()));
    }
}
