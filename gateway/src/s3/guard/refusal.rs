//! Error answers: S3's XML, always with Code, Message, Resource, RequestId and HostId.
//!
//! Source: "Error responses" in the Amazon S3 API Reference.

use std::borrow::Cow;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use quick_xml::escape::{escape, unescape};
use s3s::Body;

use super::ids::RequestIds;

/// A request that is refused before, or instead of, the operation's own answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: Cow<'static, str>,
    /// Further elements, such as `Region`.
    pub(crate) extra: Vec<(&'static str, String)>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code: code.into(), message: message.into(), extra: Vec::new() }
    }

    /// Status 400.
    pub(crate) fn bad(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn with(mut self, element: &'static str, value: impl Into<String>) -> Self {
        self.extra.push((element, value.into()));
        self
    }

    /// What an operation would answer.
    pub(crate) fn of(error: &s3s::S3Error) -> Self {
        let status = error.status_code().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let message = error.message().unwrap_or("The request could not be served.").to_owned();
        Self { status, code: error.code().as_str().to_owned().into(), message: message.into(), extra: Vec::new() }
    }

    pub(crate) fn incomplete(message: &'static str) -> Self {
        Self::bad("IncompleteBody", message)
    }

    fn xml(&self, ids: &RequestIds, resource: &str) -> String {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
        let mut element = |name: &str, value: &str| {
            xml.push_str(&format!("<{name}>{}</{name}>", escape(value)));
        };
        element("Code", &self.code);
        element("Message", &self.message);
        self.extra.iter().for_each(|(name, value)| element(name, value));
        element("Resource", resource);
        element("RequestId", &ids.request);
        element("HostId", &ids.host);
        xml.push_str("</Error>");
        xml
    }

    pub(crate) fn into_response(self, ids: &RequestIds, resource: &str) -> Response<Body> {
        let mut response = Response::new(Body::from(self.xml(ids, resource)));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        response
    }
}

/// Fills in what s3s leaves out of an error: its body is rebuilt, its other headers are kept.
pub(super) fn complete(response: Response<Body>, ids: &RequestIds, resource: &str) -> Response<Body> {
    let Some(refusal) = read(&response) else { return response };
    let headers = response.headers().clone();
    let mut completed = refusal.into_response(ids, resource);
    for (name, value) in &headers {
        if name != CONTENT_TYPE && name != CONTENT_LENGTH {
            completed.headers_mut().append(name, value.clone());
        }
    }
    completed
}

/// Of an answer that isn't S3's XML: the error's code.
pub(super) const ERROR_CODE: HeaderName = HeaderName::from_static("x-amz-error-code");

/// The code of an error's answer.
pub(super) fn code(response: &Response<Body>) -> Option<String> {
    if let Some(code) = response.headers().get(ERROR_CODE) {
        return code.to_str().ok().map(str::to_owned);
    }
    let body = response.body().bytes()?;
    text_of(std::str::from_utf8(&body).ok()?, "Code")
}

/// The error in an answer made by s3s, with S3's own words for it.
pub(super) fn read(response: &Response<Body>) -> Option<Refusal> {
    let body = response.body().bytes()?;
    let xml = std::str::from_utf8(&body).ok()?;
    let code = text_of(xml, "Code")?;
    let message = match said_by_s3(&code) {
        Some(message) => message.into(),
        None => text_of(xml, "Message").map_or("The request could not be served.".into(), Cow::Owned),
    };
    Some(Refusal { status: response.status(), code: code.into(), message, extra: Vec::new() })
}

fn text_of(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(unescape(text).map_or_else(|_| text.to_owned(), Cow::into_owned))
}

/// S3's message for codes that s3s raises by itself. Source: "List of error codes" in the Amazon S3 API Reference.
fn said_by_s3(code: &str) -> Option<&'static str> {
    Some(match code {
        "IncompleteBody" => "You did not provide the number of bytes specified by the Content-Length HTTP header.",
        "InternalError" => "We encountered an internal error. Please try again.",
        "InvalidAccessKeyId" => "The AWS Access Key Id you provided does not exist in our records.",
        "InvalidBucketName" => "The specified bucket is not valid.",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "KeyTooLongError" => "Your key is too long.",
        "MalformedXML" => "The XML you provided was not well-formed or did not validate against our published schema.",
        "MaxMessageLengthExceeded" => "Your request was too big.",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "MissingRequestBodyError" => "Request body is empty.",
        "RequestTimeTooSkewed" => "The difference between the request time and the current time is too large.",
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and signing method."
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> RequestIds {
        RequestIds { request: "R1".into(), host: "H1".into() }
    }

    fn text(response: &Response<Body>) -> String {
        String::from_utf8(response.body().bytes().expect("held whole").to_vec()).expect("utf-8")
    }

    #[test]
    fn an_error_of_s3s_gets_message_resource_and_ids() {
        let bare = s3s::S3Error::new(s3s::S3ErrorCode::InvalidURI).to_http_response().expect("serializes");
        let done = complete(bare, &ids(), "/b/<k>");
        let xml = text(&done);
        assert_eq!(done.status(), 400);
        for part in
            ["<Code>InvalidURI</Code>", "<Message>Couldn", "<Resource>/b/&lt;k&gt;</Resource>", "<RequestId>R1<", "<HostId>H1<"]
        {
            assert!(xml.contains(part), "{part} is not in {xml}");
        }
    }

    #[test]
    fn a_message_of_its_own_is_kept_and_not_escaped_twice() {
        let error = s3s::S3Error::with_message(s3s::S3ErrorCode::InvalidArgument, "a < b & c");
        let done = complete(error.to_http_response().expect("serializes"), &ids(), "/");
        assert!(text(&done).contains("<Message>a &lt; b &amp; c</Message>"), "{}", text(&done));
    }

    #[test]
    fn an_answer_that_is_no_error_is_left_alone() {
        let done = complete(Response::new(Body::from("plain".to_owned())), &ids(), "/");
        assert_eq!(text(&done), "plain");
    }
}
