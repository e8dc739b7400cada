//! What must hold of a signature before s3s checks it: s3s takes any region, presigned URLs of any life, and leaves unsigned `x-amz-*`
//! headers alone. Version 2 is `signature_v2`'s.
//!
//! Source: "Authenticating Requests (AWS Signature Version 4)" in the Amazon S3 API Reference.

use http::request::Parts;
use http::{HeaderMap, StatusCode};
use nodio_host::clock::now_ms;

use super::refusal::Refusal;
use super::request::Rules;
use super::signature_v2;
use crate::s3::limits::PRESIGNED_S_MAX;

/// How a request says who sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Auth {
    Anonymous,
    Header,
    Query,
    /// By Version 2, in header or query: the body isn't signed.
    Version2,
}

const QUERY_FIELDS: [&str; 6] =
    ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"];

/// Refuses what S3 refuses without knowing any secret.
pub(super) fn check(parts: &Parts, query: &[(String, String)], rules: &Rules) -> Result<Auth, Refusal> {
    let region = rules.region.as_str();
    let header = parts.headers.get(http::header::AUTHORIZATION);
    let presigned = query.iter().any(|(name, _)| QUERY_FIELDS.contains(&name.as_str()));
    let version_2 = query.iter().any(|(name, _)| name == "Signature" || name == "AWSAccessKeyId");
    let old_header = header.is_some_and(|value| value.as_bytes() == b"AWS" || value.as_bytes().starts_with(b"AWS "));
    match (header, presigned, version_2) {
        (Some(_), true, _) | (Some(_), _, true) | (_, true, true) => Err(Refusal::bad(
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the \
             Authorization header should be specified",
        )),
        (None, false, true) | (Some(_), false, false) if (version_2 || old_header) && !rules.signature_v2 => {
            Err(version_2_refused())
        }
        (None, false, true) => signature_v2::check_query(query, now_ms()).map(|()| Auth::Version2),
        (Some(value), false, false) if old_header => {
            signature_v2::check_header(&parts.headers, value, query, now_ms()).map(|()| Auth::Version2)
        }
        (None, true, false) => check_query(parts, query, region).map(|()| Auth::Query),
        (Some(value), false, false) => {
            let value = value.to_str().map_err(|_| malformed("it must be ASCII"))?;
            check_header(parts, value, region).map(|()| Auth::Header)
        }
        (None, false, false) if overrides(query) => {
            let message = "Request specific response headers cannot be used for anonymous GET requests.";
            Err(Refusal::bad("InvalidRequest", message))
        }
        (None, false, false) => Ok(Auth::Anonymous),
    }
}

/// Whether a query changes the headers of its answer.
fn overrides(query: &[(String, String)]) -> bool {
    const OVERRIDES: [&str; 6] =
        ["cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"];
    query.iter().any(|(name, _)| name.strip_prefix("response-").is_some_and(|header| OVERRIDES.contains(&header)))
}

fn version_2_refused() -> Refusal {
    let message = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256 \
                   (aws-cli: aws configure set default.s3.signature_version s3v4; boto3: Config(signature_version=\"s3v4\")).";
    Refusal::bad("InvalidRequest", message)
}

fn malformed(why: &str) -> Refusal {
    Refusal::bad("AuthorizationHeaderMalformed", format!("The authorization header is malformed; {why}."))
}

fn check_header(parts: &Parts, value: &str, region: &str) -> Result<(), Refusal> {
    if parts.headers.get_all(http::header::AUTHORIZATION).iter().count() > 1 {
        return Err(Refusal::bad("InvalidArgument", "Only one auth mechanism allowed; the Authorization header was given twice"));
    }
    let (algorithm, rest) = value.split_once(' ').unwrap_or((value, ""));
    match algorithm {
        "AWS4-HMAC-SHA256" => {}
        _ => return Err(Refusal::bad("InvalidArgument", "Unsupported Authorization Type").with("ArgumentName", "Authorization")),
    }
    let field = |name: &str| rest.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
    let credential = field("Credential").ok_or_else(|| malformed("the Credential is missing"))?;
    let signed = field("SignedHeaders").ok_or_else(|| malformed("the SignedHeaders are missing"))?;
    field("Signature").ok_or_else(|| malformed("the Signature is missing"))?;
    check_scope(credential, region).map_err(|fault| fault.in_header(region))?;
    if !parts.headers.contains_key("x-amz-date") {
        return Err(denied("AWS authentication requires a valid Date or x-amz-date header"));
    }
    check_signed_headers(&parts.headers, signed, false)
}

fn check_query(parts: &Parts, query: &[(String, String)], region: &str) -> Result<(), Refusal> {
    let error = |message: String| Refusal::bad("AuthorizationQueryParametersError", message);
    let field = |name: &str| query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
    if QUERY_FIELDS.iter().any(|name| field(name).is_none()) {
        return Err(error(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, \
             X-Amz-SignedHeaders, and X-Amz-Expires parameters."
                .into(),
        ));
    }
    if field("X-Amz-Algorithm") != Some("AWS4-HMAC-SHA256") {
        return Err(error("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"".into()));
    }
    check_scope(field("X-Amz-Credential").unwrap_or_default(), region).map_err(|fault| fault.in_query(region))?;
    check_expires(field("X-Amz-Expires").unwrap_or_default()).map_err(out_of_bounds)?;
    check_signed_headers(&parts.headers, field("X-Amz-SignedHeaders").unwrap_or_default(), true)
}

/// A life that no URL can have: 403, as for one that is over.
fn out_of_bounds(message: String) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, "AuthorizationQueryParametersError", message)
}

fn check_expires(text: &str) -> Result<(), String> {
    let seconds: i64 = text.parse().map_err(|_| "X-Amz-Expires should be a number".to_owned())?;
    match u64::try_from(seconds) {
        Err(_) => Err("X-Amz-Expires must be non-negative".into()),
        Ok(0) => Err("X-Amz-Expires must be at least 1 second".into()),
        Ok(seconds) if seconds > PRESIGNED_S_MAX => Err(format!(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than {PRESIGNED_S_MAX} \
             seconds"
        )),
        Ok(_) => Ok(()),
    }
}

/// What is wrong with `KEY/DATE/REGION/SERVICE/aws4_request`.
pub(super) enum ScopeFault {
    Form,
    Region(String),
    Service(String),
}

impl ScopeFault {
    fn in_header(self, region: &str) -> Refusal {
        match self {
            Self::Form => malformed("the Credential must have the form KEY/YYYYMMDD/REGION/SERVICE/aws4_request"),
            Self::Region(wrong) => {
                malformed(&format!("the region '{wrong}' is wrong; expecting '{region}'")).with("Region", region)
            }
            Self::Service(wrong) => malformed(&format!("incorrect service \"{wrong}\". This endpoint belongs to \"s3\"")),
        }
    }

    fn in_query(self, region: &str) -> Refusal {
        let error = |why: String| {
            let message = format!("Error parsing the X-Amz-Credential parameter; {why}.");
            Refusal::bad("AuthorizationQueryParametersError", message)
        };
        match self {
            Self::Form => {
                error("the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"".into())
            }
            Self::Region(wrong) => error(format!("the region '{wrong}' is wrong; expecting '{region}'")).with("Region", region),
            Self::Service(wrong) => error(format!("incorrect service \"{wrong}\". This endpoint belongs to \"s3\"")),
        }
    }
}

pub(super) fn check_scope(credential: &str, region: &str) -> Result<(), ScopeFault> {
    let fields: Vec<&str> = credential.rsplitn(5, '/').collect();
    let [end, service, given, date, key] = fields[..] else { return Err(ScopeFault::Form) };
    let dated = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
    if end != "aws4_request" || key.is_empty() || !dated {
        return Err(ScopeFault::Form);
    }
    if given != region {
        return Err(ScopeFault::Region(given.to_owned()));
    }
    if service != "s3" {
        return Err(ScopeFault::Service(service.to_owned()));
    }
    Ok(())
}

/// `host` and every `x-amz-*` header must be under the signature, or whoever carries the request could add some.
fn check_signed_headers(headers: &HeaderMap, signed: &str, presigned: bool) -> Result<(), Refusal> {
    let is_signed = |name: &str| signed.split(';').any(|signed| signed.eq_ignore_ascii_case(name));
    let must = |name: &str| name == "host" || name.starts_with("x-amz-") && !(presigned && name == "x-amz-content-sha256");
    let missing: Vec<&str> = headers.keys().map(|name| name.as_str()).filter(|name| must(name) && !is_signed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let refusal = denied("There were headers present in the request which were not signed");
    Err(refusal.with("HeadersNotSigned", missing.join(", ")))
}

pub(super) fn denied(message: &'static str) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, "AccessDenied", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri("/b/k");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("builds").into_parts().0
    }

    fn check(parts: &Parts, query: &[(String, String)], region: &str) -> Result<Auth, Refusal> {
        let rules = Rules { region: region.into(), domains: crate::s3::hosts::Domains::new(&[], &[]), signature_v2: false };
        super::check(parts, query, &rules)
    }

    fn code(result: Result<Auth, Refusal>) -> String {
        result.expect_err("must be refused").code.into_owned()
    }

    const GOOD: &str =
        "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=00";

    #[test]
    fn a_signature_for_elsewhere_names_the_right_region() {
        let header = GOOD.replace("us-east-1", "eu-west-1");
        let refusal =
            check(&parts(&[("authorization", &header), ("x-amz-date", "d")]), &[], "us-east-1").expect_err("wrong region");
        assert_eq!(refusal.code, "AuthorizationHeaderMalformed");
        assert_eq!(refusal.extra, vec![("Region", "us-east-1".to_owned())]);
        assert!(refusal.message.contains("'eu-west-1' is wrong; expecting 'us-east-1'"));
    }

    #[test]
    fn only_version_4_for_s3_with_all_headers_signed() {
        let with =
            |header: &str| check(&parts(&[("host", "h"), ("authorization", header), ("x-amz-date", "d")]), &[], "us-east-1");
        assert_eq!(with(GOOD), Ok(Auth::Header));
        assert_eq!(code(with("AWS AK:sig")), "InvalidRequest");
        assert_eq!(code(with("Basic abc")), "InvalidArgument");
        assert_eq!(code(with(&GOOD.replace("/s3/", "/sts/"))), "AuthorizationHeaderMalformed");
        assert_eq!(code(with(&GOOD.replace("host;", ""))), "AccessDenied");
        assert_eq!(code(with("AWS4-HMAC-SHA256 Credential=AK")), "AuthorizationHeaderMalformed");
    }

    #[test]
    fn presigned_urls_live_a_second_to_a_week() {
        for (text, good) in
            [("1", true), ("604800", true), ("604801", false), ("0", false), ("-1", false), ("x", false), ("", false)]
        {
            assert_eq!(check_expires(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn queries_are_complete_or_refused() {
        let query = |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect::<Vec<_>>();
        let check = |pairs: &[(&str, &str)]| check(&parts(&[]), &query(pairs), "us-east-1");
        assert_eq!(check(&[]), Ok(Auth::Anonymous));
        assert_eq!(code(check(&[("Signature", "x"), ("Expires", "1")])), "InvalidRequest");
        assert_eq!(code(check(&[("response-expires", "x")])), "InvalidRequest");
        assert_eq!(check(&[("response-other", "x")]), Ok(Auth::Anonymous));
        assert_eq!(code(check(&[("X-Amz-Signature", "x")])), "AuthorizationQueryParametersError");
        assert_eq!(code(check(&[("X-Amz-Signature", "x"), ("Signature", "y")])), "InvalidArgument");
    }
}
