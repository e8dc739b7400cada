//! `/BUCKET` and `/BUCKET/` under Signature Version 2: many clients send the one and sign the other, as they would for a host name. S3
//! takes both; s3s takes what the path says. So a path whose signature is right with a slash gets one.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Uri;
use http::request::Parts;
use nodio_host::clock::now_ms;

use super::mac::check_sha1;
use super::query;
use crate::s3::hosts::Domains;
use crate::tables::Tables;

/// Query names that Version 2 signs, sorted. Source: "Constructing the CanonicalizedResource element" in the Amazon S3 Developer Guide,
/// with those that came while it was in use.
const SIGNED: [&str; 35] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// Gives the path its slash where that is what was signed. Whoever signed wrongly finds out from s3s.
pub(super) async fn settle(parts: &mut Parts, tables: &Tables, domains: &Domains) {
    let path = parts.uri.path();
    let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if domains.has_bucket(host) || path.len() < 2 || path[1..].contains('/') {
        return;
    }
    let pairs = query::pairs(parts.uri.query().unwrap_or_default()).unwrap_or_default();
    let Some(signed) = Signed::of(parts, &pairs) else { return };
    let Ok(Some(credentials)) = tables.find_key(signed.access_key, now_ms()).await else { return };
    let target = format!("{path}/");
    let text = signed.text(parts, &pairs, &target);
    let given = BASE64.decode(signed.signature);
    if given.is_ok_and(|given| check_sha1(credentials.secret.as_bytes(), text.as_bytes(), &given)) {
        let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let uri: Result<Uri, _> = format!("{target}{query}").parse();
        parts.uri = uri.unwrap_or_else(|_| parts.uri.clone());
    }
}

/// A signature, and the time it is for.
struct Signed<'a> {
    access_key: &'a str,
    signature: &'a str,
    time: &'a str,
}

impl<'a> Signed<'a> {
    fn of(parts: &'a Parts, pairs: &'a [(String, String)]) -> Option<Self> {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(authorization) = header("authorization") {
            let (access_key, signature) = authorization.strip_prefix("AWS ")?.split_once(':')?;
            let time = if header("x-amz-date").is_some() { "" } else { header("date").unwrap_or_default() };
            return Some(Self { access_key, signature, time });
        }
        let field = |name: &str| pairs.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
        Some(Self { access_key: field("AWSAccessKeyId")?, signature: field("Signature")?, time: field("Expires")? })
    }

    /// What was signed, if it was for `target`.
    fn text(&self, parts: &Parts, pairs: &[(String, String)], target: &str) -> String {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut own: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in parts.headers.iter().filter(|(name, _)| name.as_str().starts_with("x-amz-")) {
            own.entry(name.as_str()).or_default().push(value.to_str().unwrap_or_default().trim());
        }
        let own: String = own.iter().map(|(name, values)| format!("{name}:{}\n", values.join(","))).collect();
        let named = SIGNED.iter().filter_map(|name| pairs.iter().find(|(given, _)| given == name));
        let shown: Vec<String> =
            named.map(|(name, value)| if value.is_empty() { name.clone() } else { format!("{name}={value}") }).collect();
        let join = if shown.is_empty() { "" } else { "?" };
        let (md5, kind) = (header("content-md5"), header("content-type"));
        format!("{}\n{md5}\n{kind}\n{}\n{own}{target}{join}{}", parts.method, self.time, shown.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(request: http::request::Builder, target: &str) -> String {
        let parts = request.body(()).expect("builds").into_parts().0;
        let pairs = query::pairs(parts.uri.query().unwrap_or_default()).expect("a query");
        Signed::of(&parts, &pairs).expect("signed").text(&parts, &pairs, target)
    }

    #[test]
    fn what_is_signed_is_as_in_the_guides_examples() {
        let request = || http::Request::builder().header("authorization", "AWS a:b").header("date", "D");
        assert_eq!(text(request().uri("/?prefix=photos&max-keys=50"), "/b/"), "GET\n\n\nD\n/b/");
        assert_eq!(text(request().uri("/?acl"), "/b/"), "GET\n\n\nD\n/b/?acl");
        let upload = request()
            .method("PUT")
            .uri("/k?uploadId=1&partNumber=2")
            .header("content-md5", "m")
            .header("content-type", "t")
            .header("X-Amz-Meta-B", "1")
            .header("x-amz-meta-b", "2")
            .header("x-amz-acl", " public-read ");
        assert_eq!(text(upload, "/b/k"), "PUT\nm\nt\nD\nx-amz-acl:public-read\nx-amz-meta-b:1,2\n/b/k?partNumber=2&uploadId=1");
        assert_eq!(text(request().uri("/k").header("x-amz-date", "E"), "/b/k"), "GET\n\n\n\nx-amz-date:E\n/b/k");
        let by_query = http::Request::builder().uri("/k?AWSAccessKeyId=a&Expires=5&Signature=s");
        assert_eq!(text(by_query, "/b/k"), "GET\n\n\n5\n/b/k");
        assert!(SIGNED.is_sorted());
    }
}
