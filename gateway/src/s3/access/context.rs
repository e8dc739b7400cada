//! What the conditions of policies may ask of a request.
//!
//! Source: "Condition keys for Amazon S3" in the Service Authorization Reference, "AWS global condition context keys" in the IAM User
//! Guide. A key that isn't here has no value.

use std::net::SocketAddr;

use http::{HeaderMap, Uri, header};
use nodio_host::clock::now_ms;

use crate::access::Context;
use crate::rows::{ObjectRow, UserRow};
use crate::s3::guard::query;
use crate::s3::headers::text;

/// Headers that are keys by their own name, behind `s3:`.
const BY_NAME: [&str; 14] = [
    "x-amz-acl",
    "x-amz-content-sha256",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-metadata-directive",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
    "x-amz-object-ownership",
];
const UNDER_ANOTHER: [(&str, &str); 7] = [
    ("if-match", "s3:if-match"),
    ("if-none-match", "s3:if-none-match"),
    ("referer", "aws:referer"),
    ("user-agent", "aws:useragent"),
    ("x-amz-object-lock-mode", "s3:object-lock-mode"),
    ("x-amz-object-lock-legal-hold", "s3:object-lock-legal-hold"),
    ("x-amz-object-lock-retain-until-date", "s3:object-lock-retain-until-date"),
];
const OF_LISTING: [(&str, &str); 3] = [("prefix", "s3:prefix"), ("delimiter", "s3:delimiter"), ("max-keys", "s3:max-keys")];

/// How a request is signed, in the words of policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) auth_type: &'static str,
    pub(crate) version: &'static str,
}

impl Signed {
    pub(crate) const VERSION_2: &'static str = "AWS";
    pub(crate) const VERSION_4: &'static str = "AWS4-HMAC-SHA256";

    /// Of a request that is no form.
    pub(super) fn of(headers: &HeaderMap, uri: &Uri) -> Self {
        match headers.get(header::AUTHORIZATION) {
            Some(value) if value.as_bytes().starts_with(b"AWS ") => Self { auth_type: "REST-HEADER", version: Self::VERSION_2 },
            Some(_) => Self { auth_type: "REST-HEADER", version: Self::VERSION_4 },
            None if uri.query().is_some_and(|query| query.contains("X-Amz-Signature=")) => {
                Self { auth_type: "REST-QUERY-STRING", version: Self::VERSION_4 }
            }
            None => Self { auth_type: "REST-QUERY-STRING", version: Self::VERSION_2 },
        }
    }
}

/// What is asked for and how; `by` is who signed it in which way.
pub(super) fn of_request(headers: &HeaderMap, uri: &Uri, peer: Option<SocketAddr>, by: Option<(&UserRow, Signed)>) -> Context {
    let mut context = Context::default();
    for name in BY_NAME {
        add(&mut context, &format!("s3:{name}"), text(headers, name));
    }
    for (name, key) in UNDER_ANOTHER {
        add(&mut context, key, text(headers, name));
    }
    let source = text(headers, "x-amz-copy-source").and_then(query::decode);
    add(&mut context, "s3:x-amz-copy-source", source.as_deref().map(|source| source.trim_start_matches('/')));
    let pairs = query::pairs(uri.query().unwrap_or_default()).unwrap_or_default();
    let of_query = |name: &str| pairs.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
    add(&mut context, "s3:versionid", of_query("versionId"));
    if let Some(tags) = text(headers, "x-amz-tagging").and_then(query::pairs) {
        for (key, value) in tags {
            context.add(&format!("s3:requestobjecttag/{key}"), value);
            context.add("s3:requestobjecttagkeys", key);
        }
    }
    if let Some(peer) = peer {
        context.add("aws:sourceip", peer.ip().to_canonical().to_string());
    }
    if let Some((user, signed)) = by {
        context.add("aws:username", user.name.clone());
        context.add("aws:userid", user.id.as_str());
        context.add("s3:authtype", signed.auth_type);
        context.add("s3:signatureversion", signed.version);
    }
    let seconds = now_ms() / 1000;
    context.add("aws:epochtime", seconds.to_string());
    context.add("aws:currenttime", seconds.to_string());
    context.add("aws:securetransport", "false");
    context
}

/// What a listing is asked for. In another operation's query the same words mean nothing, so there no condition must see them.
pub(super) fn add_listing(context: &mut Context, uri: &Uri) {
    let pairs = query::pairs(uri.query().unwrap_or_default()).unwrap_or_default();
    for (name, key) in OF_LISTING {
        add(context, key, pairs.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str()));
    }
}

/// The tags of the object asked for.
pub(super) fn add_object(context: &mut Context, row: &ObjectRow) {
    for (key, value) in row.live().map_or(&[][..], |live| &live.tags) {
        context.add(&format!("s3:existingobjecttag/{key}"), value.clone());
    }
}

fn add(context: &mut Context, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        context.add(key, value);
    }
}
