//! The PUT that a form stands for. It goes the way of every PUT, signed anew by the key that signed the form: so whatever decides on
//! PUTs (access, tags, encryption, locks) decides on forms, and an unsigned form is an unsigned PUT.

use std::sync::Arc;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request};
use nodio_wire::UnixMs;
use s3s::Body;
use sha2::{Digest, Sha256};

use super::fields::{Field, Fields};
use super::multipart::malformed;
use super::signer::argument;
use super::tagging;
use crate::s3::access::{Original, Signed};
use crate::s3::guard::mac::signing_key;
use crate::s3::guard::query;
use crate::s3::guard::refusal::Refusal;

/// The body is the file of a form: how long it is shows at its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FormFile;

/// Headers of an object that have a field of the same name.
const CONTENT: [&str; 7] =
    ["cache-control", "content-disposition", "content-encoding", "content-language", "content-md5", "content-type", "expires"];
/// Of the form and not of the object.
const SIGNATURE: [&str; 4] = ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"];
/// They would change how the PUT is read.
const REFUSED_PREFIXES: [&str; 5] =
    ["x-amz-content-sha256", "x-amz-copy-source", "x-amz-decoded-content-length", "x-amz-trailer", "x-amz-write-offset"];
/// Of the form's own request: what access may depend on, and a length because s3s wants one. The file is shorter; see [`FormFile`].
const CONTEXT: [&str; 6] = ["content-length", "forwarded", "referer", "user-agent", "x-forwarded-for", "x-forwarded-proto"];
/// Not under any domain: the bucket is in the path.
const HOST: &str = "127.0.0.1";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// Who signs, when and for which region.
pub(super) struct Signing<'a> {
    pub(super) access_key: &'a str,
    pub(super) secret: &'a str,
    /// Of the form itself; see [`Signed`].
    pub(super) version: &'static str,
    pub(super) region: &'a str,
    pub(super) now: UnixMs,
}

/// `from` is the form's request.
pub(super) fn put(
    from: Parts,
    fields: &Fields,
    (bucket, key): (&str, &str),
    signing: Option<Signing<'_>>,
    body: Body,
) -> Result<Request<Body>, Refusal> {
    let wanted = headers(fields)?;
    let path = format!("/{}/{}", escape(bucket, true), escape(key, true));
    let mut request = Request::new(body);
    *request.method_mut() = Method::PUT;
    *request.headers_mut() = shown(&wanted, &from.headers);
    *request.extensions_mut() = from.extensions;
    if let Some(signing) = signing {
        sign(request.headers_mut(), &path, &signing)?;
        request.extensions_mut().insert(Signed { auth_type: "POST", version: signing.version });
    }
    *request.uri_mut() = path.parse().map_err(|_| malformed())?;
    request.extensions_mut().insert(FormFile);
    request.extensions_mut().insert(Original(Arc::new(wanted)));
    Ok(request)
}

/// What the fields say as headers.
fn headers(fields: &Fields) -> Result<HeaderMap, Refusal> {
    let mut headers = HeaderMap::new();
    for field in fields.iter().filter(|field| !SIGNATURE.contains(&field.name.as_str())) {
        let Some((name, value)) = header(field)? else { continue };
        let bad =
            || argument(&field.sent, &field.value, format!("The field '{}' has a value that no header can have.", field.sent));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).map_err(|_| bad())?);
    }
    Ok(headers)
}

fn header(field: &Field) -> Result<Option<(&str, String)>, Refusal> {
    let name = field.name.as_str();
    if REFUSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(argument(&field.sent, &field.value, format!("The field '{}' can't be in a form.", field.sent)));
    }
    let name = match name {
        "tagging" => return Ok(Some(("x-amz-tagging", tagging::query(&field.value)?))),
        "acl" => "x-amz-acl",
        "x-amz-checksum-algorithm" => "x-amz-sdk-checksum-algorithm",
        name if CONTENT.contains(&name) || name.starts_with("x-amz-") => name,
        _ => return Ok(None),
    };
    let said = !field.value.is_empty() || name.starts_with("x-amz-meta-");
    Ok(said.then(|| (name, field.value.clone())))
}

/// What s3s is shown of them. Of headers beyond ASCII it takes only metadata, and of dates only good ones; operations see all of them.
fn shown(wanted: &HeaderMap, from: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in wanted {
        if name != http::header::EXPIRES && (value.to_str().is_ok() || name.as_str().starts_with("x-amz-meta-")) {
            headers.append(name.clone(), value.clone());
        }
    }
    for name in CONTEXT {
        if let Some(value) = from.get(name) {
            headers.insert(name, value.clone());
        }
    }
    headers.insert(http::header::HOST, HeaderValue::from_static(HOST));
    headers
}

/// Signature Version 4 over method, path, time and host.
fn sign(headers: &mut HeaderMap, path: &str, signing: &Signing<'_>) -> Result<(), Refusal> {
    let Signing { access_key, secret, region, now, .. } = signing;
    let stamp = i64::try_from(*now).ok().and_then(|now| jiff::Timestamp::from_millisecond(now).ok()).unwrap_or_default();
    let (date, day) = (stamp.strftime("%Y%m%dT%H%M%SZ").to_string(), stamp.strftime("%Y%m%d").to_string());
    let signed = "host;x-amz-content-sha256;x-amz-date";
    let canonical =
        format!("PUT\n{path}\n\nhost:{HOST}\nx-amz-content-sha256:{UNSIGNED}\nx-amz-date:{date}\n\n{signed}\n{UNSIGNED}");
    let scope = format!("{day}/{region}/s3/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
    let signature = hex::encode(signing_key(secret, &day, region).sign(text.as_bytes()));
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={signed}, Signature={signature}");
    for (name, value) in [("authorization", authorization), ("x-amz-date", date), ("x-amz-content-sha256", UNSIGNED.to_owned())] {
        headers.insert(name, HeaderValue::try_from(value).map_err(|_| malformed())?);
    }
    Ok(())
}

/// Percent-encodes all but unreserved characters, and `/` where that is kept.
pub(super) fn escape(text: &str, slashes: bool) -> String {
    let text = query::encode(text).replace('*', "%2A");
    if slashes { text } else { text.replace('/', "%2F") }
}

#[cfg(test)]
mod tests {
    use super::super::fields::fields;
    use super::*;

    fn made(pairs: &[(&str, &str)]) -> Result<Request<Body>, Refusal> {
        let from = Request::builder().header("referer", "r").header("cookie", "c").body(()).expect("builds").into_parts().0;
        put(from, &fields(pairs), ("b", "a b/*"), None, Body::empty())
    }

    #[test]
    fn fields_become_headers_and_the_rest_stays_behind() {
        let request = made(&[
            ("key", "x"),
            ("aCl", "private"),
            ("Expires", "one day"),
            ("Content-Disposition", "\u{e9}"),
            ("x-amz-meta-\u{61}", ""),
            ("x-amz-meta-b", "\u{e9}"),
            ("x-amz-signature", "s"),
            ("tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b c</Value></Tag></TagSet></Tagging>"),
            ("submit", "go"),
        ])
        .expect("a PUT");
        assert_eq!((request.method(), request.uri().path()), (&Method::PUT, "/b/a%20b/%2A"));
        let names = |headers: &HeaderMap| headers.keys().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
        let shown = ["x-amz-acl", "x-amz-meta-a", "x-amz-meta-b", "x-amz-tagging", "referer", "host"];
        assert_eq!(names(request.headers()), shown);
        let all = ["x-amz-acl", "expires", "content-disposition", "x-amz-meta-a", "x-amz-meta-b", "x-amz-tagging"];
        assert_eq!(
            request.extensions().get::<Original>().map(|original| names(&original.0)),
            Some(all.map(str::to_owned).into())
        );
        assert_eq!(request.headers()["x-amz-tagging"], "a=b%20c");
    }

    #[test]
    fn what_would_make_another_request_of_it_is_refused() {
        for (name, value) in [
            ("x-amz-copy-source", "/other/object"),
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("x-amz-decoded-content-length", "1"),
            ("x-amz-trailer", "x"),
            ("content-type", "a\r\nx-amz-acl: public-read"),
            ("x-amz-meta-a b", "c"),
        ] {
            assert_eq!(
                made(&[(name, value)]).map(|_| ()).map_err(|refusal| refusal.code),
                Err("InvalidArgument".into()),
                "{name}"
            );
        }
    }
}
