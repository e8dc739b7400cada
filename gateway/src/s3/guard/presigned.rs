//! What a presigned URL says of the object it puts: `x-amz-acl`, `x-amz-meta-*` and their like in its query stand for headers.
//!
//! SDKs move headers there, so that whoever holds the URL needn't send them (`getSignedUrl` of the AWS SDK for JavaScript, presigners for
//! Go and Ruby). They are under the signature like all of the query.

use http::request::Parts;
use http::{HeaderName, HeaderValue};

use super::query;
use super::refusal::Refusal;

/// The signature's own parameters.
const OF_THE_SIGNATURE: [&str; 8] = [
    "x-amz-algorithm",
    "x-amz-content-sha256",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];
/// Checksums in a URL are of the body that the SDK had when it signed, which is none; S3 passes over them, too.
const OF_THE_BODY: [&str; 3] = ["x-amz-checksum-", "x-amz-sdk-checksum-algorithm", "x-amz-trailer"];
/// "Specifying server-side encryption with customer-provided keys" in the S3 User Guide: a presigned request sends them as headers.
const SECRET: [&str; 2] = ["x-amz-server-side-encryption-customer-", "x-amz-copy-source-server-side-encryption-customer-"];

/// Adds the headers that the query of a URL presigned by Version 4 stands for. A header that was sent counts, not the query.
///
/// # Errors
/// What can't be a header, and a customer's key, which doesn't belong into a URL.
pub(super) fn unfold(parts: &mut Parts) -> Result<(), Refusal> {
    let query = parts.uri.query().unwrap_or_default();
    if !query.contains("X-Amz-Signature=") {
        return Ok(());
    }
    for (name, value) in query::pairs(query).unwrap_or_default() {
        let name = name.to_ascii_lowercase();
        if !stands_for_a_header(&name) || parts.headers.contains_key(&name) {
            continue;
        }
        if SECRET.iter().any(|start| name.starts_with(start)) {
            return Err(bad(&name, "The keys of customers are taken in headers, not in the query of a URL."));
        }
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes())) {
            (Ok(header), Ok(value)) => parts.headers.append(header, value),
            _ => return Err(bad(&name, "A parameter that stands for a header can't be one.")),
        };
    }
    Ok(())
}

fn stands_for_a_header(name: &str) -> bool {
    name.starts_with("x-amz-") && !OF_THE_SIGNATURE.contains(&name) && !OF_THE_BODY.iter().any(|start| name.starts_with(start))
}

fn bad(name: &str, message: &'static str) -> Refusal {
    Refusal::bad("InvalidArgument", message).with("ArgumentName", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &str = "X-Amz-Algorithm=a&X-Amz-Credential=c&X-Amz-Signature=s&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD";

    fn unfolded(query: &str, sent: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
        let mut request = http::Request::put(format!("/b/k?{query}"));
        for (name, value) in sent {
            request = request.header(*name, *value);
        }
        let mut parts = request.body(()).expect("builds").into_parts().0;
        unfold(&mut parts).map_err(|refusal| refusal.code.into_owned())?;
        let pair = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.to_str().expect("ASCII").to_owned());
        Ok(parts.headers.iter().map(pair).collect())
    }

    #[test]
    fn all_but_the_signature_and_checksums_stand_for_headers() {
        let query = format!(
            "{SIGNED}&x-amz-meta-a=b%20c&X-Amz-Acl=private&x-amz-checksum-crc32=AAAAAA==&x-amz-sdk-checksum-algorithm=CRC32"
        );
        let headers = [("x-amz-meta-a", "b c"), ("x-amz-acl", "private")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(unfolded(&query, &[]), Ok(headers.to_vec()));
    }

    #[test]
    fn without_a_signature_nothing_does() {
        assert_eq!(unfolded("x-amz-acl=public-read", &[]), Ok(vec![]));
    }

    #[test]
    fn a_header_that_was_sent_counts() {
        let sent = [("x-amz-acl", "private")];
        assert_eq!(unfolded(&format!("{SIGNED}&x-amz-acl=public-read"), &sent), Ok(vec![("x-amz-acl".into(), "private".into())]));
    }

    #[test]
    fn what_cannot_be_a_header_is_refused() {
        for odd in ["x-amz-meta-a=%0a", "x-amz-meta-%20=b", "x-amz-server-side-encryption-customer-key=k"] {
            assert_eq!(unfolded(&format!("{SIGNED}&{odd}"), &[]), Err("InvalidArgument".into()), "{odd}");
        }
    }
}
