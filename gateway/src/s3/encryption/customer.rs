//! SSE-C: the customer's key in a request's headers.
//!
//! Source: "Specifying server-side encryption with customer-provided keys (SSE-C)" in the S3 User Guide; the codes are what S3 answers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, HeaderName, HeaderValue};
use md5::{Digest, Md5};
use s3s::{S3Error, S3ErrorCode, S3Result};
use zeroize::Zeroizing;

use super::S3_MANAGED;
use crate::keys::CustomerKey;
use crate::s3::error::{fail, invalid_argument};
use crate::s3::headers::text;

/// A key that came with a request and is what its MD5 says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) key: CustomerKey,
    /// As it came, in base64.
    pub(crate) md5: String,
}

impl Given {
    /// Algorithm and MD5 as headers, for answers that s3s has no field for them in.
    pub(crate) fn echo(&self) -> HeaderMap {
        let md5 = HeaderValue::from_str(&self.md5).ok();
        let [algorithm, _, md5_name] = Of::Stored.names().map(HeaderName::from_static);
        let algorithm = Some((algorithm, HeaderValue::from_static(S3_MANAGED)));
        HeaderMap::from_iter(algorithm.into_iter().chain(md5.map(|md5| (md5_name, md5))))
    }
}

/// What the key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// Bytes to be stored.
    New,
    /// An object that is read.
    Stored,
    CopySource,
}

impl Of {
    /// Algorithm, key, MD5 of the key.
    fn names(self) -> [&'static str; 3] {
        match self {
            Self::New | Self::Stored => [
                "x-amz-server-side-encryption-customer-algorithm",
                "x-amz-server-side-encryption-customer-key",
                "x-amz-server-side-encryption-customer-key-md5",
            ],
            Self::CopySource => [
                "x-amz-copy-source-server-side-encryption-customer-algorithm",
                "x-amz-copy-source-server-side-encryption-customer-key",
                "x-amz-copy-source-server-side-encryption-customer-key-md5",
            ],
        }
    }
}

/// Whether any header does. Most requests have none, and to look once is cheaper than to ask for each by its name.
pub(super) fn speaks_of_encryption(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().contains("server-side-encryption"))
}

/// The key in these headers, if there is any word of one.
pub(crate) fn given(headers: &HeaderMap, of: Of) -> S3Result<Option<Given>> {
    let names = of.names();
    if !speaks_of_encryption(headers) || !names.iter().any(|name| headers.contains_key(*name)) {
        return Ok(None);
    }
    let [algorithm, key, md5] = names.map(|name| text(headers, name));
    match algorithm {
        None => return Err(no_algorithm()),
        Some(S3_MANAGED) => {}
        Some(_) => {
            let message = "The Encryption request you specified is not valid. Supported value: AES256.";
            return Err(fail(S3ErrorCode::InvalidEncryptionAlgorithmError, message));
        }
    }
    let key = key.ok_or_else(|| lacking("an appropriate secret key"))?;
    let md5 = md5.ok_or_else(|| lacking("the client calculated MD5 of the secret key"))?;
    let bytes = Zeroizing::new(BASE64.decode(key).map_err(|_| invalid_key())?);
    if BASE64.encode(Md5::digest(&bytes)) != md5 {
        return Err(invalid_argument("The calculated MD5 hash of the key did not match the hash that was provided."));
    }
    let mut key = Zeroizing::new([0; 32]);
    if bytes.len() != key.len() {
        return Err(if of == Of::New { invalid_key() } else { wrong_key() });
    }
    key.copy_from_slice(&bytes);
    Ok(Some(Given { key: CustomerKey::new(key), md5: md5.to_owned() }))
}

/// Whoever prints these headers prints no key.
pub(crate) fn hide_keys(headers: &mut HeaderMap) {
    let names = [Of::Stored, Of::CopySource].map(|of| of.names()[1]);
    headers.iter_mut().filter(|(name, _)| names.contains(&name.as_str())).for_each(|(_, value)| value.set_sensitive(true));
}

fn lacking(what: &str) -> S3Error {
    invalid_argument(format!("Requests specifying Server Side Encryption with Customer provided keys must provide {what}."))
}

pub(super) fn no_algorithm() -> S3Error {
    lacking("a valid encryption algorithm")
}

fn invalid_key() -> S3Error {
    invalid_argument("The secret key was invalid for the specified algorithm.")
}

pub(super) fn wrong_key() -> S3Error {
    let message = "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key.";
    invalid_argument(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["algorithm", "key", "key-md5"];

    fn read(of: Of, values: [Option<&str>; 3]) -> String {
        let prefix = if of == Of::CopySource { "x-amz-copy-source" } else { "x-amz" };
        let mut headers = HeaderMap::new();
        for (name, value) in NAMES.iter().zip(values) {
            let name: http::HeaderName = format!("{prefix}-server-side-encryption-customer-{name}").parse().expect("a name");
            value.map(|value| headers.insert(name, value.parse().expect("a value")));
        }
        match given(&headers, of) {
            Ok(given) => given.map_or_else(|| "none".to_owned(), |_| "taken".to_owned()),
            Err(error) => error.code().as_str().to_owned(),
        }
    }

    #[test]
    fn keys_are_not_printed_with_their_headers() {
        let mut headers = HeaderMap::new();
        for of in [Of::New, Of::CopySource] {
            headers.append(of.names()[1], HeaderValue::from_static("secret"));
            headers.append(of.names()[1], HeaderValue::from_static("secret, too"));
        }
        hide_keys(&mut headers);
        assert!(!format!("{headers:?}").contains("secret"));
    }

    #[test]
    fn a_key_comes_whole_or_is_refused_with_the_code_of_its_fault() {
        let (key, short) = (BASE64.encode([7; 32]), BASE64.encode([7; 31]));
        let (md5, short_md5) = (BASE64.encode(Md5::digest([7; 32])), BASE64.encode(Md5::digest([7; 31])));
        let (aes, key, md5, short, short_md5) = (Some("AES256"), Some(&*key), Some(&*md5), Some(&*short), Some(&*short_md5));
        for of in [Of::New, Of::Stored, Of::CopySource] {
            for (values, answer) in [
                ([None, None, None], "none"),
                ([aes, key, md5], "taken"),
                ([None, key, md5], "InvalidArgument"),
                ([None, None, md5], "InvalidArgument"),
                ([Some(""), key, md5], "InvalidArgument"),
                ([Some("AES128"), key, md5], "InvalidEncryptionAlgorithmError"),
                ([Some("aes256"), key, md5], "InvalidEncryptionAlgorithmError"),
                ([aes, None, md5], "InvalidArgument"),
                ([aes, key, None], "InvalidArgument"),
                ([aes, key, short_md5], "InvalidArgument"),
                ([aes, key, Some("!")], "InvalidArgument"),
                ([aes, Some("no base64"), md5], "InvalidArgument"),
                ([aes, short, short_md5], "InvalidArgument"),
            ] {
                assert_eq!(read(of, values), answer, "{of:?}: {values:?}");
            }
        }
    }
}
