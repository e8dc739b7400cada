//! What must hold of what clients send, whatever the bytes; see [`crate::fuzz`].

use s3s::dto;
use s3s::xml::{Deserialize, Deserializer};

use super::guard::query as uri_query;
pub(crate) use super::guard::{fuzz_form as form, fuzz_policy as policy};

/// A query string: what is read of it can be written and read again.
pub(crate) fn query(bytes: &[u8]) {
    let Some(pairs) = std::str::from_utf8(bytes).ok().and_then(uri_query::pairs) else { return };
    let written: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", uri_query::encode(name), uri_query::encode(value))).collect();
    assert_eq!(uri_query::pairs(&written.join("&")), Some(pairs), "a query changed when written");
}

/// A document: every kind that an operation reads is read or refused.
pub(crate) fn xml(bytes: &[u8]) {
    fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> bool {
        let mut reader = Deserializer::new(bytes);
        T::deserialize(&mut reader).and_then(|_| reader.expect_eof()).is_ok()
    }
    let read = [
        parse::<dto::CompletedMultipartUpload>(bytes),
        parse::<dto::CreateBucketConfiguration>(bytes),
        parse::<dto::Delete>(bytes),
        parse::<dto::Tagging>(bytes),
        parse::<dto::VersioningConfiguration>(bytes),
    ];
    assert!(read.iter().filter(|read| **read).count() <= 1, "one document is of two kinds");
    if let Ok(text) = std::str::from_utf8(bytes) {
        super::guard::fuzz_tags(text);
    }
}
