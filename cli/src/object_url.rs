//! `s3://BUCKET[/KEY]`, as the S3 tools write it: what follows the bucket's slash is the key, byte for byte. Nothing is unescaped.

use std::fmt;
use std::str::FromStr;

/// A bucket and a key, or a prefix of keys; empty is every key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectUrl {
    pub(crate) bucket: String,
    pub(crate) key: String,
}

/// Text that is no such URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadUrl;

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object is named s3://BUCKET/KEY, a bucket s3://BUCKET")
    }
}

impl std::error::Error for BadUrl {}

impl ObjectUrl {
    /// Another key of the same bucket.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { bucket: self.bucket.clone(), key: key.to_owned() }
    }
}

impl FromStr for ObjectUrl {
    type Err = BadUrl;
    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let rest = text.strip_prefix("s3://").ok_or(BadUrl)?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(BadUrl);
        }
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

impl fmt::Display for ObjectUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_all_behind_the_buckets_slash() {
        for (text, bucket, key) in [
            ("s3://b", "b", ""),
            ("s3://b/", "b", ""),
            ("s3://b/k", "b", "k"),
            ("s3://b/dir/", "b", "dir/"),
            ("s3://b//k", "b", "/k"),
            ("s3://b/a%2Fb%20c?d#e", "b", "a%2Fb%20c?d#e"),
            ("s3://b/s3://x", "b", "s3://x"),
            ("s3://b/ü 1", "b", "ü 1"),
        ] {
            let url: ObjectUrl = text.parse().unwrap();
            assert_eq!((url.bucket.as_str(), url.key.as_str()), (bucket, key), "{text}");
            assert_eq!(url.to_string().parse(), Ok(url), "{text}");
        }
    }

    #[test]
    fn what_names_no_bucket_is_refused() {
        for bad in ["", "s3://", "s3:///k", "b/k", "S3://b", "http://b/k", "s3:/b", " s3://b"] {
            assert_eq!(bad.parse::<ObjectUrl>(), Err(BadUrl), "{bad} was taken");
        }
    }
}
