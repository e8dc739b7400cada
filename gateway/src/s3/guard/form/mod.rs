//! POST Object: uploads by forms, as browsers send them.
//!
//! ```text
//!   fields ─► file's name filled in ─► signature of the policy ─► policy ─► a PUT, signed anew ─► s3s, access, operations
//!   file ────────────────────────────────────────────────── streamed, its size held to ──────────────┘
//! ```
//! Promises: of a form, its fields are held and one frame of its file; what stands behind the file is not looked at, but must arrive.
//! Whoever has a form can send it as it is meant and in no other way: every field is under its policy's conditions. A form that isn't
//! signed is an anonymous PUT: whether that may be is decided where it is decided for PUTs.
//!
//! Source: "Browser-Based Uploads Using POST (AWS Signature Version 4)" in the Amazon S3 API Reference.

mod answer;
mod fields;
mod file;
pub(super) mod fuzz;
mod multipart;
mod policy;
mod put;
mod signer;
mod tagging;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use nodio_host::clock::now_ms;
use s3s::Body;
use zeroize::Zeroizing;

use super::body::{self, Watch};
use super::refusal::Refusal;
use crate::s3::hosts::Domains;
use crate::s3::limits::PUT_BYTES_MAX;
use crate::tables::Tables;
pub(crate) use file::FileEnd;
pub(crate) use put::FormFile;

use fields::Fields;
use multipart::{Boundary, Head};
use policy::Policy;
use put::Signing;
use signer::{Signer, argument, missing};

/// Where a form is sent to, and how it is cut.
#[derive(Debug)]
pub(super) struct Target {
    bucket: String,
    /// The bucket's URL as the client has it.
    base: String,
    boundary: Boundary,
}

impl Target {
    /// `None` for what isn't a form. A form that goes to anything but a bucket is refused.
    pub(super) fn of(parts: &Parts, queried: bool, domains: &Domains) -> Result<Option<Self>, Refusal> {
        if parts.method != Method::POST {
            return Ok(None);
        }
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let boundary = Boundary::of(text(http::header::CONTENT_TYPE));
        let (bucket, key) = domains.names(parts);
        match (boundary, bucket.filter(|_| key.is_empty())) {
            (None, Some(_)) if !queried => Err(no_form()),
            (None, _) => Ok(None),
            // s3s would hold its file whole.
            (Some(_), _) if queried => {
                Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", "A form can't be sent to a sub-resource."))
            }
            (Some(_), None) => {
                let message = "The specified method is not allowed against this resource.";
                Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message).with("Method", "POST"))
            }
            (Some(boundary), Some(bucket)) => {
                let host = text(http::header::HOST);
                let base = if domains.has_bucket(host) { format!("http://{host}") } else { format!("http://{host}/{bucket}") };
                check_head(parts)?;
                Ok(Some(Self { bucket, base, boundary: boundary? }))
            }
        }
    }
}

fn no_form() -> Refusal {
    let message = "At least one of the pre-conditions you specified did not hold";
    let refusal = Refusal::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message);
    refusal.with("Condition", "Bucket POST must be of the enclosure-type multipart/form-data")
}

/// A form is signed in its fields and nowhere else, and says how long it is.
fn check_head(parts: &Parts) -> Result<(), Refusal> {
    if parts.headers.contains_key(http::header::AUTHORIZATION) {
        return Err(Refusal::bad("InvalidArgument", "Only one auth mechanism allowed; a form is signed in its fields"));
    }
    if !parts.headers.contains_key(http::header::CONTENT_LENGTH) {
        let message = "You must provide the Content-Length HTTP header.";
        return Err(Refusal::new(StatusCode::LENGTH_REQUIRED, "MissingContentLength", message));
    }
    Ok(())
}

/// A form whose fields were read and found right. Its file is still to come, in the body of the PUT.
pub(super) struct Form {
    target: Target,
    fields: Fields,
    key: String,
}

impl Form {
    /// Reads the fields and makes the PUT of them.
    pub(super) async fn read(
        target: Target,
        parts: Parts,
        mut incoming: Incoming,
        (tables, region): (&Tables, &str),
        watch: Watch,
    ) -> Result<(Self, Request<Body>), Refusal> {
        let (fields, begun) = read_fields(&mut incoming, &target.boundary).await?;
        let key = key(&fields)?;
        let now = now_ms();
        let signer = Signer::of(&fields, region)?;
        let secret = secret(&signer, &fields, tables, region).await?;
        let (mut min, mut max) = (0, PUT_BYTES_MAX);
        if let Some(policy) = fields.get("policy") {
            let allowed = Policy::parse(policy)?.check(&fields, &target.bucket, now)?;
            (min, max) = (*allowed.start(), max.min(*allowed.end()));
        }
        let file = FileEnd::new(target.boundary.clone(), min..=max);
        let body = body::file(incoming, file, begun, watch);
        let signing = signer.access_key().zip(secret.as_ref());
        let signing = signing.map(|(access_key, secret)| Signing { access_key, secret, version: signer.version(), region, now });
        let put = put::put(parts, &fields, (&target.bucket, &key), signing, body)?;
        Ok((Self { target, fields, key }, put))
    }

    /// What the form's sender gets for the answer to the PUT, which is no error.
    pub(super) fn answer(&self, put: Response<Body>) -> Response<Body> {
        answer::answer(&self.fields, &self.target.base, (&self.target.bucket, &self.key), put)
    }
}

/// The fields, the file's name filled in, and what of the file came with them.
async fn read_fields(incoming: &mut Incoming, boundary: &Boundary) -> Result<(Fields, Bytes), Refusal> {
    let mut head = Head::new(boundary.clone());
    loop {
        let Some(bytes) = body::receive(incoming).await? else { return Err(multipart::malformed()) };
        if let Some(file) = head.push(&bytes)? {
            let (mut fields, begun) = head.finish();
            fields.expand(file.name.as_deref())?;
            return Ok((fields, begun.into()));
        }
    }
}

fn key(fields: &Fields) -> Result<String, Refusal> {
    match fields.get("key") {
        None => Err(missing("key")),
        Some("") => Err(argument("key", "", "User key must have a length greater than 0.")),
        Some(key) if key.contains('\0') => Err(argument("key", key, "A key can't contain NUL.")),
        Some(key) => Ok(key.to_owned()),
    }
}

/// The secret of the key that signed the form; `None` where nobody did.
async fn secret(
    signer: &Signer<'_>,
    fields: &Fields,
    tables: &Tables,
    region: &str,
) -> Result<Option<Zeroizing<String>>, Refusal> {
    let Some(access_key) = signer.access_key() else { return Ok(None) };
    let found = tables.find_key(access_key, now_ms()).await.map_err(|error| {
        tracing::error!("a form's key can't be looked up: {error}");
        super::internal_error()
    })?;
    let denied = |code, message| Refusal::new(StatusCode::FORBIDDEN, code, message).with("AWSAccessKeyId", access_key);
    let unknown = || denied("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.");
    let credentials = found.ok_or_else(unknown)?;
    let policy = fields.get("policy").unwrap_or_default();
    if signer.check(policy, &credentials.secret, region) {
        return Ok(Some(credentials.secret.clone()));
    }
    let message =
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
    Err(denied("SignatureDoesNotMatch", message).with("StringToSign", policy))
}
