//! Tags as S3 takes them, from a header or a document.
//!
//! Source: "Categorizing your objects using tags" in the S3 User Guide.

use std::collections::HashSet;

use s3s::dto::{Tag, Tagging};
use s3s::{S3ErrorCode, S3Result};

use super::error::{fail, invalid_argument};
use super::guard::query;
use super::limits::{TAG_KEY_CHARS_MAX, TAG_VALUE_CHARS_MAX};

pub(crate) type Tags = Vec<(String, String)>;

/// The pairs of an `x-amz-tagging` header, written like a query string; at most `most`.
pub(crate) fn of_header(text: &str, most: usize) -> S3Result<Tags> {
    let pairs = query::pairs(text);
    let pairs = pairs.ok_or_else(|| invalid_argument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates."))?;
    checked(pairs, most)
}

/// The pairs of a Tagging document; at most `most`.
pub(crate) fn of_document(document: Tagging, most: usize) -> S3Result<Tags> {
    let pairs = document.tag_set.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
    checked(pairs.collect(), most)
}

/// By key, as S3 answers them.
pub(crate) fn shown(tags: &[(String, String)]) -> Vec<Tag> {
    let mut tags: Vec<_> = tags.iter().collect();
    tags.sort();
    tags.into_iter().map(|(key, value)| Tag { key: Some(key.clone()), value: Some(value.clone()) }).collect()
}

fn checked(tags: Tags, most: usize) -> S3Result<Tags> {
    let invalid = |message: String| fail(S3ErrorCode::InvalidTag, message);
    if tags.len() > most {
        return Err(invalid(format!("Tags cannot be greater than {most}")));
    }
    let mut seen = HashSet::new();
    for (key, value) in &tags {
        if key.is_empty() || key.chars().count() > TAG_KEY_CHARS_MAX || !key.chars().all(is_allowed) {
            return Err(invalid("The TagKey you have provided is invalid".to_owned()));
        }
        if value.chars().count() > TAG_VALUE_CHARS_MAX || !value.chars().all(is_allowed) {
            return Err(invalid("The TagValue you have provided is invalid".to_owned()));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid("System tags cannot be added/updated by requester".to_owned()));
        }
        if !seen.insert(key) {
            return Err(invalid("Cannot provide multiple Tags with the same key".to_owned()));
        }
    }
    Ok(tags)
}

fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || character == ' ' || "_.:/=+-@".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        of_header(text, 10).map_or_else(|error| error.code().as_str().to_owned(), |tags| format!("{tags:?}"))
    }

    #[test]
    fn a_header_is_written_like_a_query() {
        assert_eq!(of_header("a=1&b=x%20y&c=&d", 10).expect("taken").len(), 4);
        assert_eq!(of_header("a%2Fb=x+y", 10).expect("taken"), [("a/b".to_owned(), "x y".to_owned())]);
        assert_eq!(of_header("", 10).expect("taken"), []);
        assert_eq!(code("a=%zz"), "InvalidArgument");
    }

    #[test]
    fn limits_are_kept() {
        let many = |count: usize| (0..count).map(|at| format!("k{at}=v")).collect::<Vec<_>>().join("&");
        assert!(of_header(&many(10), 10).is_ok());
        for bad in [
            many(11),
            "a=1&a=2".into(),
            "=1".into(),
            "aws:a=1".into(),
            "a=%3Cb%3E".into(),
            format!("{}=1", "k".repeat(129)),
            format!("k={}", "v".repeat(257)),
        ] {
            assert_eq!(code(&bad), "InvalidTag", "{bad}");
        }
        assert!(of_header(&format!("{}={}", "ä".repeat(128), "v".repeat(256)), 10).is_ok());
    }
}
