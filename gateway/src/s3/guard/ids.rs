//! The names of one request, by which a person finds it in the logs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, HeaderValue};

/// `x-amz-request-id` and `x-amz-id-2`. They mean nothing.
#[derive(Debug, Clone)]
pub(crate) struct RequestIds {
    pub(crate) request: String,
    pub(crate) host: String,
}

impl RequestIds {
    pub(crate) fn random() -> Self {
        let host: [u8; 24] = rand::random();
        Self { request: format!("{:016X}", rand::random::<u64>()), host: BASE64.encode(host) }
    }

    pub(super) fn stamp(&self, headers: &mut HeaderMap) {
        for (name, value) in [("x-amz-request-id", &self.request), ("x-amz-id-2", &self.host)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
    }
}
