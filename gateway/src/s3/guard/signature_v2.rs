//! What must hold of a Signature Version 2 before s3s checks it: a time that is now, or an end that is to come, and nothing in the query
//! that says what to do and isn't signed.
//!
//! Source: "Signing and Authenticating REST Requests (AWS signature version 2)" in the Amazon S3 Developer Guide.

use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::fmt::rfc2822;
use nodio_wire::UnixMs;

use super::refusal::Refusal;
use super::signature::denied;
use crate::s3::limits::CLOCK_SKEW_S_MAX;

/// Sub-resources that came after Version 2, whose signature doesn't cover them: whoever has a URL could add one.
const NOT_COVERED: [&str; 14] = [
    "abac",
    "attributes",
    "encryption",
    "intelligent-tiering",
    "legal-hold",
    "metadataConfiguration",
    "metadataTable",
    "ownershipControls",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "retention",
    "session",
    "updateObjectEncryption",
];

/// `Authorization: AWS KEY:SIGNATURE`
pub(super) fn check_header(
    headers: &HeaderMap,
    value: &HeaderValue,
    query: &[(String, String)],
    now: UnixMs,
) -> Result<(), Refusal> {
    let malformed = || {
        let message = "AWS authorization header is invalid. Expected AwsAccessKeyId:signature";
        Refusal::bad("InvalidArgument", message).with("ArgumentName", "Authorization")
    };
    if headers.get_all(http::header::AUTHORIZATION).iter().count() > 1 {
        return Err(malformed());
    }
    let text = value.to_str().ok().and_then(|text| text.strip_prefix("AWS "));
    let (key, signature) = text.and_then(|text| text.split_once(':')).ok_or_else(malformed)?;
    if key.is_empty() || signature.is_empty() {
        return Err(malformed());
    }
    check_covered(query)?;
    check_time(headers, now)
}

fn check_time(headers: &HeaderMap, now: UnixMs) -> Result<(), Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let given = text("x-amz-date").or_else(|| text("date")).and_then(seconds);
    let given = given.ok_or_else(|| denied("AWS authentication requires a valid Date or x-amz-date header"))?;
    if given.abs_diff(now / 1000) <= CLOCK_SKEW_S_MAX {
        return Ok(());
    }
    let message = "The difference between the request time and the current time is too large.";
    Err(Refusal::new(StatusCode::FORBIDDEN, "RequestTimeTooSkewed", message))
}

/// Seconds since 1970 of `Tue, 27 Mar 2007 19:36:42 +0000` or `20070327T193642Z`.
fn seconds(text: &str) -> Option<u64> {
    let basic = || {
        let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
        u64::try_from(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second()).ok()
    };
    // A wrong day of the week is no reason to refuse what the rest says plainly.
    let date = rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok();
    date.and_then(|stamp| u64::try_from(stamp.as_second()).ok()).or_else(basic)
}

/// `AWSAccessKeyId`, `Expires`, `Signature`.
pub(super) fn check_query(query: &[(String, String)], now: UnixMs) -> Result<(), Refusal> {
    let field = |name: &str| query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
    let (Some(_), Some(expires), Some(_)) = (field("AWSAccessKeyId"), field("Expires"), field("Signature")) else {
        return Err(denied("Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"));
    };
    let bad = || denied("Invalid date (should be seconds since epoch)").with("Expires", expires);
    let expires: i64 = expires.parse().map_err(|_| bad())?;
    if u64::try_from(expires).unwrap_or(0).saturating_mul(1000) < now {
        return Err(denied("Request has expired"));
    }
    check_covered(query)
}

fn check_covered(query: &[(String, String)]) -> Result<(), Refusal> {
    match query.iter().find(|(name, _)| NOT_COVERED.contains(&name.as_str())) {
        Some((name, _)) => Err(Refusal::bad("InvalidRequest", format!("The sub-resource {name} needs Signature Version 4."))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01T00:00:00Z
    const NOW: UnixMs = 1_767_225_600_000;

    fn code(result: Result<(), Refusal>) -> String {
        result.err().map_or_else(|| "taken".into(), |refusal| refusal.code.into_owned())
    }

    fn pairs(query: &str) -> Vec<(String, String)> {
        crate::s3::guard::query::pairs(query).expect("a query")
    }

    fn header(authorization: &'static str, more: &[(&'static str, &'static str)], query: &str) -> String {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_static(authorization);
        headers.insert("authorization", value.clone());
        more.iter().for_each(|(name, value)| {
            headers.insert(*name, HeaderValue::from_static(value));
        });
        code(check_header(&headers, &value, &pairs(query), NOW))
    }

    #[test]
    fn a_header_has_a_key_a_signature_and_a_time_that_is_now() {
        for (date, wanted) in [
            ("Thu, 01 Jan 2026 00:10:00 GMT", "taken"),
            ("Thu, 01 Jan 2026 00:10:00 +0000", "taken"),
            ("20251231T235000Z", "taken"),
            ("Thu, 01 Jan 2026 00:15:01 GMT", "RequestTimeTooSkewed"),
            ("Tue, 07 Jul 2010 21:53:04 GMT", "RequestTimeTooSkewed"),
            ("Tue, 07 Jul 9999 21:53:04 GMT", "RequestTimeTooSkewed"),
            ("Tue, 07 Jul 1950 21:53:04 GMT", "AccessDenied"),
            ("Bad Date", "AccessDenied"),
            ("", "AccessDenied"),
        ] {
            assert_eq!(header("AWS a:b", &[("date", date)], ""), wanted, "{date}");
            assert_eq!(header("AWS a:b", &[("x-amz-date", date), ("date", "x")], ""), wanted, "{date}");
        }
        assert_eq!(header("AWS a:b", &[], ""), "AccessDenied");
        for bad in ["AWS HAHAHA", "AWS :b", "AWS a:", "AWS"] {
            assert_eq!(header(bad, &[], ""), "InvalidArgument", "{bad}");
        }
    }

    #[test]
    fn a_query_ends() {
        for (query, wanted) in [
            ("AWSAccessKeyId=a&Signature=b&Expires=1767225600", "taken"),
            ("AWSAccessKeyId=a&Signature=b&Expires=1767225599", "AccessDenied"),
            ("AWSAccessKeyId=a&Signature=b&Expires=-1", "AccessDenied"),
            ("AWSAccessKeyId=a&Signature=b&Expires=soon", "AccessDenied"),
            ("AWSAccessKeyId=a&Signature=b", "AccessDenied"),
            ("Signature=b&Expires=1767225600", "AccessDenied"),
        ] {
            assert_eq!(code(check_query(&pairs(query), NOW)), wanted, "{query}");
        }
    }

    #[test]
    fn what_is_not_signed_must_not_decide() {
        assert_eq!(code(check_query(&pairs("AWSAccessKeyId=a&Signature=b&Expires=1767225600&retention"), NOW)), "InvalidRequest");
        assert_eq!(header("AWS a:b", &[("x-amz-date", "20260101T000000Z")], "legal-hold"), "InvalidRequest");
    }
}
