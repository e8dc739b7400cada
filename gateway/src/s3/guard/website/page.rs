//! The pages that S3 has for errors of websites: HTML, with the code and the request's ids.
//!
//! Source: "Configuring a custom error document" in the S3 User Guide.

use http::header::{ACCEPT_RANGES, CONTENT_TYPE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use quick_xml::escape::escape;
use s3s::Body;

use crate::s3::guard::ids::RequestIds;
use crate::s3::guard::refusal::{ERROR_CODE, Refusal};

const ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-amz-error-message");

/// `unshown` is why the owner's error document is not shown instead.
pub(super) fn page(error: &Refusal, unshown: Option<&Refusal>, ids: &RequestIds) -> Response<Body> {
    let mut response = Response::new(Body::from(html(error, unshown, ids)));
    *response.status_mut() = error.status;
    tell(response.headers_mut(), error);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// Says in headers what went wrong. What they said of a document, as something to be kept and asked for anew, isn't so of an error.
pub(super) fn tell(headers: &mut HeaderMap, error: &Refusal) {
    for name in [ACCEPT_RANGES, ETAG, LAST_MODIFIED] {
        headers.remove(name);
    }
    for (name, text) in [(ERROR_CODE, &error.code), (ERROR_MESSAGE, &error.message)] {
        headers.extend(HeaderValue::from_str(text).ok().map(|value| (name, value)));
    }
}

fn html(error: &Refusal, unshown: Option<&Refusal>, ids: &RequestIds) -> String {
    let status = format!("{} {}", error.status.as_u16(), error.status.canonical_reason().unwrap_or_default());
    let of_request = [("RequestId", &*ids.request), ("HostId", &*ids.host)];
    let list = list(error, &of_request);
    let unshown = unshown.map(|unshown| {
        let list = self::list(unshown, &[]);
        format!("<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n{list}")
    });
    let unshown = unshown.unwrap_or_default();
    format!("<html>\n<head><title>{status}</title></head>\n<body>\n<h1>{status}</h1>\n{list}{unshown}<hr/>\n</body>\n</html>\n")
}

fn list(error: &Refusal, more: &[(&str, &str)]) -> String {
    let said = [("Code", &*error.code), ("Message", &*error.message)];
    let extra = error.extra.iter().map(|(name, value)| (*name, value.as_str()));
    let item = |(name, value): (&str, &str)| format!("<li>{name}: {}</li>\n", escape(value));
    let items: String = said.into_iter().chain(extra).chain(more.iter().copied()).map(item).collect();
    format!("<ul>\n{items}</ul>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(response: &Response<Body>) -> String {
        String::from_utf8(response.body().bytes().expect("held whole").to_vec()).expect("utf-8")
    }

    #[test]
    fn a_page_says_what_went_wrong_and_is_not_written_by_whoever_asks() {
        let ids = RequestIds { request: "R1".into(), host: "H1".into() };
        let error = Refusal::new(http::StatusCode::NOT_FOUND, "NoSuchKey", "It is not there.").with("Key", "<script>&");
        let answer = page(&error, None, &ids);
        assert_eq!((answer.status().as_u16(), answer.headers()["x-amz-error-code"].as_bytes()), (404, &b"NoSuchKey"[..]));
        assert_eq!(
            text(&answer),
            "<html>\n<head><title>404 Not Found</title></head>\n<body>\n<h1>404 Not Found</h1>\n<ul>\n<li>Code: NoSuchKey</li>\n\
             <li>Message: It is not there.</li>\n<li>Key: &lt;script&gt;&amp;</li>\n<li>RequestId: R1</li>\n<li>HostId: H1</li>\n\
             </ul>\n<hr/>\n</body>\n</html>\n"
        );
        let denied = Refusal::new(http::StatusCode::FORBIDDEN, "AccessDenied", "Access Denied");
        let second = "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n\
                      <li>Code: AccessDenied</li>\n<li>Message: Access Denied</li>\n</ul>\n<hr/>";
        assert!(text(&page(&error, Some(&denied), &ids)).contains(second));
    }
}
