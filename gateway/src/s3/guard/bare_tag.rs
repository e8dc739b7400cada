//! GetObjectAttributes tells the entity tag without the quotes that it has everywhere else; s3s always writes them.

use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use s3s::Body;

use super::query;

pub(super) fn is_wanted(parts: &Parts) -> bool {
    let pairs = query::pairs(parts.uri.query().unwrap_or_default()).unwrap_or_default();
    parts.method == Method::GET && pairs.iter().any(|(name, _)| name == "attributes")
}

pub(super) fn bared(mut response: Response<Body>) -> Response<Body> {
    let text = response.body().bytes().filter(|_| response.status() == StatusCode::OK);
    let text = text.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()).filter(|text| text.contains("<ETag>\""));
    if let Some(text) = text {
        let text = text.replacen("<ETag>\"", "<ETag>", 1).replacen("\"</ETag>", "</ETag>", 1);
        response.headers_mut().remove(CONTENT_LENGTH);
        *response.body_mut() = Body::from(text);
    }
    response
}
