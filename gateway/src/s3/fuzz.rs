//! What must hold of what clients send, whatever the bytes; see [`crate::fuzz`].

use s3s::dto;
use s3s::xml::{Deserialize, Deserializer};

use super::guard::query as uri_query;
pub(crate) use super::guard::{fuzz_form as form, fuzz_policy as policy};
use super::ops;
use super::website::{First, Visit, first};
use crate::rows::WebProtocol;

/// A query string: what is read of it can be written and read again.
pub(crate) fn query(bytes: &[u8]) {
    let Some(pairs) = std::str::from_utf8(bytes).ok().and_then(uri_query::pairs) else { return };
    let written: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", uri_query::encode(name), uri_query::encode(value))).collect();
    assert_eq!(uri_query::pairs(&written.join("&")), Some(pairs), "a query changed when written");
}

fn document<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    let mut reader = Deserializer::new(bytes);
    let read = T::deserialize(&mut reader).ok()?;
    reader.expect_eof().ok().map(|()| read)
}

/// A website's configuration: what is taken is shown as something that says the same, and every redirect of it can be sent.
fn website(bytes: &[u8]) -> bool {
    let Some(given) = document::<dto::WebsiteConfiguration>(bytes) else { return false };
    if let Ok(taken) = ops::website::read(&given) {
        let shown = ops::website::read(&ops::website::show(taken.clone()));
        assert_eq!(shown.ok().as_ref(), Some(&taken), "a website changed when shown");
        let visit = Visit { key: "docs/\u{e9}", host: "h", protocol: WebProtocol::Http };
        if let First::Redirect(moved) = first(&taken, &visit) {
            assert!(http::HeaderValue::from_str(&moved.location).is_ok(), "{moved:?} can't be sent");
        }
    }
    true
}

/// A document: every kind that an operation reads is read or refused.
pub(crate) fn xml(bytes: &[u8]) {
    fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> bool {
        document::<T>(bytes).is_some()
    }
    let read = [
        parse::<dto::CompletedMultipartUpload>(bytes),
        parse::<dto::CreateBucketConfiguration>(bytes),
        parse::<dto::Delete>(bytes),
        parse::<dto::Tagging>(bytes),
        parse::<dto::VersioningConfiguration>(bytes),
        website(bytes),
    ];
    assert!(read.iter().filter(|read| **read).count() <= 1, "one document is of two kinds");
    if let Ok(text) = std::str::from_utf8(bytes) {
        super::guard::fuzz_tags(text);
    }
}
