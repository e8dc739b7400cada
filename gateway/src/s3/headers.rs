//! What an object carries beside its bytes: taken from request headers, refused where its feature isn't built.
//!
//! A header whose meaning would be lost must not be ignored: what it asks for (another's key, a lock, public access) would silently
//! not be there.

use http::HeaderMap;
use nodio_host::clock::now_ms;
use s3s::dto::Metadata;
use s3s::{S3ErrorCode, S3Result};

use super::encryption::{Asked, asked};
use super::error::fail;
use super::limits::{OBJECT_TAGS_MAX, USER_METADATA_BYTES_MAX};
use super::lock;
use super::tags::{self, Tags};
use crate::classes;
use crate::rows::{ContentHeaders, Lock};

/// The value of a header, if it is there, not empty, and text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty())
}

/// As [`text`], any UTF-8 taken.
fn utf8(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    String::from_utf8(value.as_bytes().to_vec()).ok().filter(|text| !text.is_empty())
}

/// What a new object or upload is given besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewHeaders {
    pub(crate) headers: ContentHeaders,
    pub(crate) user_meta: Vec<(String, String)>,
    pub(crate) encryption: Asked,
    pub(crate) storage_class: Option<String>,
    pub(crate) tags: Tags,
    pub(crate) lock: Lock,
}

impl NewHeaders {
    /// `metadata` as s3s has read it from the same headers.
    pub(crate) fn read(headers: &HeaderMap, metadata: Option<Metadata>) -> S3Result<Self> {
        refuse_unbuilt(headers)?;
        Ok(Self {
            headers: content_headers(headers)?,
            user_meta: user_meta(metadata)?,
            encryption: asked(headers)?,
            storage_class: storage_class(headers)?,
            tags: tags::of_header(text(headers, "x-amz-tagging").unwrap_or_default(), OBJECT_TAGS_MAX)?,
            lock: lock::of_headers(headers, now_ms())?,
        })
    }
}

fn content_headers(headers: &HeaderMap) -> S3Result<ContentHeaders> {
    let website_redirect = utf8(headers, "x-amz-website-redirect-location");
    if website_redirect.as_deref().is_some_and(|to| !["/", "http://", "https://"].iter().any(|start| to.starts_with(start))) {
        let message = "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.";
        return Err(fail(S3ErrorCode::Custom("InvalidRedirectLocation".into()), message));
    }
    Ok(ContentHeaders {
        content_type: utf8(headers, "content-type"),
        cache_control: utf8(headers, "cache-control"),
        content_disposition: utf8(headers, "content-disposition"),
        content_encoding: utf8(headers, "content-encoding").and_then(|text| without_aws_chunked(&text)),
        content_language: utf8(headers, "content-language"),
        expires: utf8(headers, "expires"),
        website_redirect,
    })
}

/// `aws-chunked` says how the request travels, not what the object is.
fn without_aws_chunked(text: &str) -> Option<String> {
    let travels = |token: &&str| token.trim().eq_ignore_ascii_case("aws-chunked");
    let kept: Vec<&str> = text.split(',').filter(|token| !travels(token)).collect();
    let kept = kept.join(",").trim().to_owned();
    (!kept.is_empty()).then_some(kept)
}

fn user_meta(metadata: Option<Metadata>) -> S3Result<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = metadata.unwrap_or_default().into_iter().collect();
    pairs.sort();
    let bytes: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > USER_METADATA_BYTES_MAX {
        let message = "Your metadata headers exceed the maximum allowed metadata size";
        return Err(fail(S3ErrorCode::MetadataTooLarge, message));
    }
    Ok(pairs)
}

/// `None` is STANDARD.
fn storage_class(headers: &HeaderMap) -> S3Result<Option<String>> {
    match text(headers, "x-amz-storage-class") {
        None | Some(classes::STANDARD) => Ok(None),
        Some(class) if classes::OTHERS.contains(&class) => Ok(Some(class.to_owned())),
        Some(_) => Err(fail(S3ErrorCode::InvalidStorageClass, "The storage class you specified is not valid")),
    }
}

fn not_implemented(what: &str) -> s3s::S3Error {
    let message = format!("A header you provided implies functionality that is not implemented: {what}");
    fail(S3ErrorCode::NotImplemented, message)
}

/// Refuses what would have to be kept for, or done to, a new object and isn't built.
fn refuse_unbuilt(headers: &HeaderMap) -> S3Result<()> {
    const APPEND: &str = "x-amz-write-offset-bytes";
    if text(headers, APPEND).is_some() { Err(not_implemented(APPEND)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> S3Result<NewHeaders> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().expect("a header"));
        }
        NewHeaders::read(&headers, None)
    }

    fn code(pairs: &[(&'static str, &str)]) -> String {
        read(pairs).map_or_else(|error| error.code().as_str().to_owned(), |_| "taken".into())
    }

    #[test]
    fn aws_chunked_is_not_the_objects_encoding() {
        let encoding = |text| read(&[("content-encoding", text)]).expect("taken").headers.content_encoding;
        assert_eq!(encoding("aws-chunked"), None);
        assert_eq!(encoding("aws-chunked,gzip"), Some("gzip".into()));
        assert_eq!(encoding("gzip, aws-chunked"), Some("gzip".into()));
        assert_eq!(encoding("gzip"), Some("gzip".into()));
    }

    #[test]
    fn what_is_not_built_is_not_ignored() {
        assert_eq!(code(&[("x-amz-write-offset-bytes", "5")]), "NotImplemented");
    }

    #[test]
    fn storage_classes_are_kept_and_unknown_ones_refused() {
        let class = |text| read(&[("x-amz-storage-class", text)]).map(|new| new.storage_class);
        assert_eq!(class("STANDARD").expect("taken"), None);
        assert_eq!(class("STANDARD_IA").expect("taken"), Some("STANDARD_IA".into()));
        assert_eq!(code(&[("x-amz-storage-class", "CHEAP")]), "InvalidStorageClass");
    }

    #[test]
    fn user_metadata_is_bounded() {
        let meta = |bytes: usize| user_meta(Some(Metadata::from([("name".to_owned(), "v".repeat(bytes - 4))])));
        assert!(meta(USER_METADATA_BYTES_MAX).is_ok());
        assert!(meta(USER_METADATA_BYTES_MAX + 1).is_err());
    }
}
