//! The answer to a form whose object is there: the PUT's headers, with the status, body or redirect that the form asked for.
//!
//! Source: "POST Object" in the Amazon S3 API Reference.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderValue, Response, StatusCode};
use quick_xml::escape::escape as xml_escape;
use s3s::Body;

use super::fields::Fields;
use super::put::escape;

/// `base` is the URL of the bucket as the client has it.
pub(super) fn answer(fields: &Fields, base: &str, (bucket, key): (&str, &str), put: Response<Body>) -> Response<Body> {
    let (parts, _) = put.into_parts();
    let etag = parts.headers.get(ETAG).and_then(|etag| etag.to_str().ok()).unwrap_or_default().to_owned();
    let location = format!("{base}/{}", escape(key, false));
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = parts.headers;
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().remove(CONTENT_TYPE);
    let redirect = redirect(fields, bucket, key, &etag);
    *response.status_mut() = if redirect.is_some() { StatusCode::SEE_OTHER } else { status(fields) };
    if response.status() == StatusCode::CREATED {
        *response.body_mut() = Body::from(document(&location, bucket, key, &etag));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    }
    let location = redirect.or_else(|| HeaderValue::try_from(location).ok());
    if let Some(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Anything S3 doesn't know counts as not said.
fn status(fields: &Fields) -> StatusCode {
    match fields.get("success_action_status") {
        Some("200") => StatusCode::OK,
        Some("201") => StatusCode::CREATED,
        _ => StatusCode::NO_CONTENT,
    }
}

fn document(location: &str, bucket: &str, key: &str, etag: &str) -> String {
    let element = |name: &str, text: &str| format!("<{name}>{}</{name}>", xml_escape(text));
    let elements =
        [("Location", location), ("Bucket", bucket), ("Key", key), ("ETag", etag)].map(|(name, text)| element(name, text));
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse>{}</PostResponse>", elements.concat())
}

/// Where the form wants its sender to go, with what was stored. A URL that isn't whole counts as not said.
fn redirect(fields: &Fields, bucket: &str, key: &str, etag: &str) -> Option<HeaderValue> {
    let url = fields.get("success_action_redirect").or_else(|| fields.get("redirect"))?;
    let (scheme, rest) = url.split_once("://")?;
    let web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    if !web || rest.is_empty() || rest.starts_with(['/', '?', '#']) {
        return None;
    }
    let (url, fragment) = url.split_once('#').unwrap_or((url, ""));
    let hash = if fragment.is_empty() { "" } else { "#" };
    let join = if url.contains('?') { '&' } else { '?' };
    let form = |text: &str| escape(text, false).replace("%20", "+");
    let said = format!("bucket={}&key={}&etag={}", form(bucket), form(key), form(etag));
    HeaderValue::try_from(format!("{url}{join}{said}{hash}{fragment}")).ok()
}

#[cfg(test)]
mod tests {
    use super::super::fields::fields;
    use super::*;

    fn answered(pairs: &[(&str, &str)]) -> (u16, String, String) {
        let put = Response::builder().header("etag", "\"e\"").header("content-length", "0").body(Body::empty()).expect("builds");
        let response = answer(&fields(pairs), "http://h/b", ("b", "a b/c"), put);
        let header =
            |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let body = response.body().bytes().map(|body| String::from_utf8_lossy(&body).into_owned()).unwrap_or_default();
        (response.status().as_u16(), header("location"), body)
    }

    #[test]
    fn the_form_chooses_among_three_statuses() {
        let at = "http://h/b/a%20b%2Fc";
        assert_eq!(answered(&[]), (204, at.into(), String::new()));
        assert_eq!(answered(&[("success_action_status", "200")]), (200, at.into(), String::new()));
        assert_eq!(answered(&[("success_action_status", "404")]), (204, at.into(), String::new()));
        let (status, _, body) = answered(&[("success_action_status", "201")]);
        let wanted =
            format!("<PostResponse><Location>{at}</Location><Bucket>b</Bucket><Key>a b/c</Key><ETag>&quot;e&quot;</ETag>");
        assert!(status == 201 && body.contains(&wanted), "{body}");
    }

    #[test]
    fn a_redirect_goes_before_a_status_and_carries_what_was_stored() {
        let to = |url: &str| answered(&[("success_action_redirect", url), ("success_action_status", "201")]);
        let said = "bucket=b&key=a+b%2Fc&etag=%22e%22";
        assert_eq!(to("http://x/y"), (303, format!("http://x/y?{said}"), String::new()));
        assert_eq!(to("HTTPS://x?a=b#c"), (303, format!("HTTPS://x?a=b&{said}#c"), String::new()));
        assert_eq!(answered(&[("redirect", "http://x/")]).0, 303);
        for bad in ["/relative", "ftp://x/", "http://", "http:///x", "javascript:x", "http://x/\r\ny", ""] {
            assert_eq!(to(bad).0, 201, "{bad}");
        }
    }
}
