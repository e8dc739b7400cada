//! What must hold of a request's head before s3s parses it, and what to make sure of in its body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};

use super::body::{Document, Plan};
use super::chunked::Announced;
use super::form::Target;
use super::query;
use super::refusal::Refusal;
use super::signature::{self, Auth};
use crate::checksum::{Checksum, ChecksumKind};
use crate::s3::digest::header_name;
use crate::s3::hosts::Domains;
use crate::s3::limits::{HEADER_BYTES_MAX, URI_BYTES_MAX};

/// What requests are held to.
pub(super) struct Rules {
    pub(super) region: String,
    pub(super) domains: Domains,
    /// Requests signed by Version 2 are taken.
    pub(super) signature_v2: bool,
}

/// What to make of a request.
#[derive(Debug)]
pub(super) enum Kind {
    /// A form, signed in its fields.
    Form(Target),
    /// For s3s, with this to be made sure of in its body.
    Other(Plan),
}

/// Refuses what s3s would misread, and plans the body.
pub(super) fn check(parts: &Parts, rules: &Rules) -> Result<Kind, Refusal> {
    check_method(&parts.method)?;
    let pairs = check_target(parts)?;
    if let Some(target) = Target::of(parts, !pairs.is_empty(), &rules.domains)? {
        return Ok(Kind::Form(target));
    }
    let auth = signature::check(parts, &pairs, rules)?;
    let payload = check_payload(&parts.headers, auth)?;
    plan(parts, &pairs, payload, &rules.domains).map(Kind::Other)
}

/// The query's pairs of a request whose target and headers can be read.
pub(super) fn check_target(parts: &Parts) -> Result<Vec<(String, String)>, Refusal> {
    check_sizes(parts)?;
    check_uri(parts)
}

fn check_method(method: &Method) -> Result<(), Refusal> {
    let known = [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE, Method::OPTIONS];
    if known.contains(method) {
        return Ok(());
    }
    let message = "The specified method is not allowed against this resource.";
    Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message).with("Method", method.as_str()))
}

fn check_sizes(parts: &Parts) -> Result<(), Refusal> {
    let uri = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if uri > URI_BYTES_MAX {
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, "InvalidURI", "The request URI is too long."));
    }
    let headers: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers > HEADER_BYTES_MAX {
        let message = "Your request header section exceeds the maximum allowed request header section size.";
        return Err(Refusal::bad("RequestHeaderSectionTooLarge", message).with("MaxSizeAllowed", HEADER_BYTES_MAX.to_string()));
    }
    Ok(())
}

/// The query's pairs; s3s reads broken escapes as plain text.
fn check_uri(parts: &Parts) -> Result<Vec<(String, String)>, Refusal> {
    let bad = || Refusal::bad("InvalidURI", "Couldn't parse the specified URI.").with("URI", parts.uri.path());
    let path = query::decode(parts.uri.path()).ok_or_else(bad)?;
    let pairs = query::pairs(parts.uri.query().unwrap_or_default()).ok_or_else(bad)?;
    let nul = path.contains('\0') || pairs.iter().any(|(name, value)| name.contains('\0') || value.contains('\0'));
    if nul || !path.starts_with('/') { Err(bad()) } else { Ok(pairs) }
}

/// How `x-amz-content-sha256` says the body travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Payload {
    Whole,
    Chunked { signed: bool, trailer: bool },
}

fn check_payload(headers: &HeaderMap, auth: Auth) -> Result<Payload, Refusal> {
    let Some(value) = headers.get("x-amz-content-sha256") else { return Ok(Payload::Whole) };
    if auth == Auth::Version2 && value.as_bytes().starts_with(b"STREAMING-") {
        // s3s would store the frames.
        return Err(Refusal::bad("InvalidRequest", "aws-chunked bodies need Signature Version 4."));
    }
    let chunked = |signed, trailer| if auth == Auth::Header { Payload::Chunked { signed, trailer } } else { Payload::Whole };
    match value.as_bytes() {
        b"UNSIGNED-PAYLOAD" => Ok(Payload::Whole),
        b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Ok(chunked(true, false)),
        b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Ok(chunked(true, true)),
        b"STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(chunked(false, true)),
        b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD" | b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER" => Ok(Payload::Whole),
        digest if digest.len() == 64 && digest.iter().all(u8::is_ascii_hexdigit) => Ok(Payload::Whole),
        _ => Err(Refusal::bad(
            "InvalidArgument",
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, \
             STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
        )
        .with("ArgumentName", "x-amz-content-sha256")),
    }
}

/// What is said of an object by a document instead of its bytes.
const DOCUMENTS_OF_OBJECTS: [&str; 4] = ["acl", "tagging", "retention", "legal-hold"];

fn plan(parts: &Parts, pairs: &[(String, String)], payload: Payload, domains: &Domains) -> Result<Plan, Refusal> {
    if let Payload::Chunked { signed, trailer } = payload {
        return plan_chunked(&parts.headers, signed, trailer);
    }
    let about_object = pairs.iter().any(|(name, _)| DOCUMENTS_OF_OBJECTS.contains(&name.as_str()));
    let document = parts.method == Method::POST || parts.method == Method::PUT && (about_object || !domains.names_object(parts));
    let deletes = pairs.iter().any(|(name, _)| name == "delete");
    if document { plan_document(&parts.headers, deletes).map(Plan::Document) } else { Ok(Plan::Plain) }
}

fn plan_chunked(headers: &HeaderMap, signed: bool, trailer: bool) -> Result<Plan, Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let decoded = text("x-amz-decoded-content-length").ok_or_else(|| {
        let message = "You must provide the x-amz-decoded-content-length HTTP header.";
        Refusal::new(StatusCode::LENGTH_REQUIRED, "MissingContentLength", message)
    })?;
    let decoded = decoded.parse().map_err(|_| {
        Refusal::bad("InvalidArgument", "x-amz-decoded-content-length must be a number")
            .with("ArgumentName", "x-amz-decoded-content-length")
    })?;
    let names = if trailer { text("x-amz-trailer").unwrap_or_default() } else { "" };
    let trailers = names.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect();
    Ok(Plan::Chunked(Announced { signed, decoded, trailers }))
}

/// A body that s3s parses: a POST's, and a PUT's to a bucket or about an object. On all but DeleteObjects, `x-amz-checksum-*` speaks of an object, not of the document.
fn plan_document(headers: &HeaderMap, deletes: bool) -> Result<Document, Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let md5 = headers.get("content-md5").map(|value| parse_md5(value.as_bytes())).transpose()?;
    let mut sha256 = [0; 32];
    let signed = text("x-amz-content-sha256").is_some_and(|digest| hex::decode_to_slice(digest, &mut sha256).is_ok());
    Ok(Document {
        length: text("content-length").and_then(|length| length.parse().ok()),
        md5,
        checksum: if deletes { document_checksum(headers)? } else { None },
        sha256: signed.then_some(sha256),
    })
}

fn document_checksum(headers: &HeaderMap) -> Result<Option<Checksum>, Refusal> {
    let mut checksum = None;
    for kind in ChecksumKind::ALL {
        let name = header_name(kind);
        if let Some(value) = headers.get(name) {
            let parsed = value.to_str().ok().and_then(|text| Checksum::from_base64(kind, text));
            let bad = || Refusal::bad("InvalidRequest", format!("Value for {name} header is invalid."));
            checksum = Some(parsed.ok_or_else(bad)?);
        }
    }
    Ok(checksum)
}

fn parse_md5(text: &[u8]) -> Result<[u8; 16], Refusal> {
    let bytes = BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Refusal::bad("InvalidDigest", "The Content-MD5 you specified is not valid."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(method: &str, uri: &str, headers: &[(&str, &str)]) -> String {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).expect("builds").into_parts().0;
        let rules = Rules { region: "us-east-1".into(), domains: Domains::new(&[], &[]), signature_v2: false };
        check(&parts, &rules).err().map_or_else(|| "taken".into(), |refusal| refusal.code.into_owned())
    }

    #[test]
    fn uris_are_strict() {
        assert_eq!(code("GET", "/bucket/key%20x?prefix=%2F", &[]), "taken");
        for bad in ["/b/%", "/b/%zz", "/b/%00", "/b/%ff", "/b?prefix=%2", "/b?x=%00"] {
            assert_eq!(code("GET", bad, &[]), "InvalidURI", "{bad}");
        }
        assert_eq!(code("GET", &format!("/b/{}", "k".repeat(URI_BYTES_MAX)), &[]), "InvalidURI");
        assert_eq!(code("PATCH", "/b", &[]), "MethodNotAllowed");
    }

    #[test]
    fn heads_are_bounded_and_forms_go_to_buckets() {
        assert_eq!(code("GET", "/b", &[("x-long", &"v".repeat(HEADER_BYTES_MAX))]), "RequestHeaderSectionTooLarge");
        let form = [("content-type", "Multipart/Form-Data; boundary=x"), ("content-length", "1")];
        assert_eq!(code("POST", "/b", &form), "taken");
        assert_eq!(code("POST", "/b", &form[..1]), "MissingContentLength");
        assert_eq!(code("POST", "/b/k", &form), "MethodNotAllowed");
        assert_eq!(code("POST", "/b?delete", &form), "NotImplemented");
        assert_eq!(
            code("POST", "/b", &[("content-type", "multipart/form-data"), ("content-length", "1")]),
            "MalformedPOSTRequest"
        );
        assert_eq!(code("POST", "/b/", &[("content-type", "text/plain")]), "PreconditionFailed");
        assert_eq!(code("POST", "/b", &[form[0], form[1], ("authorization", "AWS a:b")]), "InvalidArgument");
    }

    #[test]
    fn digests_of_a_document_are_parsed_at_once() {
        assert_eq!(code("POST", "/b?delete", &[("content-md5", "xx")]), "InvalidDigest");
        assert_eq!(code("POST", "/b?delete", &[("x-amz-checksum-crc32", "xx")]), "InvalidRequest");
        assert_eq!(code("PUT", "/b/k", &[("x-amz-content-sha256", "abc")]), "InvalidArgument");
    }
}
