//! Which encryption a request asks for.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::customer::speaks_of_encryption;
use super::{Given, KMS, Of, S3_MANAGED, given};
use crate::s3::error::{fail, invalid_argument};
use crate::s3::headers::text;

const ALGORITHM: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const CONTEXT: &str = "x-amz-server-side-encryption-context";
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Nothing,
    S3,
    Kms {
        /// As it was named.
        key_id: Option<String>,
        /// Base64 of JSON, as it came.
        context: Option<String>,
    },
    Customer(Given),
}

/// What a new object's or upload's headers ask for.
pub(crate) fn asked(headers: &HeaderMap) -> S3Result<Asked> {
    let algorithm = headers.get(ALGORITHM).map(|value| value.to_str().unwrap_or_default());
    let of_kms = [KEY_ID, CONTEXT].iter().any(|name| text(headers, name).is_some());
    match algorithm {
        Some(KMS) => {}
        _ if of_kms => {
            let message =
                "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms";
            return Err(invalid_argument(message));
        }
        Some("aws:kms:dsse") => return Err(unbuilt("x-amz-server-side-encryption: aws:kms:dsse")),
        None | Some(S3_MANAGED) => {}
        Some(_) => return Err(invalid_argument("The encryption method specified is not supported")),
    }
    if algorithm.is_some() && has_customer_key(headers) {
        let message = "Server Side Encryption with Customer provided key is incompatible with the encryption method specified";
        return Err(invalid_argument(message));
    }
    // A named key costs no request to anybody here: there is nothing that a bucket key could spare.
    if text(headers, BUCKET_KEY).is_some_and(|on| !on.eq_ignore_ascii_case("false")) {
        return Err(unbuilt(BUCKET_KEY));
    }
    match algorithm {
        None => Ok(given(headers, Of::New)?.map_or(Asked::Nothing, Asked::Customer)),
        Some(KMS) => {
            let context = text(headers, CONTEXT).map(str::to_owned);
            context.as_deref().map_or(Ok(()), check_context)?;
            Ok(Asked::Kms { key_id: text(headers, KEY_ID).map(str::to_owned), context })
        }
        Some(_) => Ok(Asked::S3),
    }
}

fn has_customer_key(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("x-amz-server-side-encryption-customer-"))
}

fn check_context(text: &str) -> S3Result<()> {
    let json = BASE64.decode(text).ok();
    let pairs = json.and_then(|json| serde_json::from_slice::<BTreeMap<String, String>>(&json).ok());
    let malformed = || {
        invalid_argument(
            "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which represents a \
             string-string map",
        )
    };
    pairs.map(drop).ok_or_else(malformed)
}

/// How an object is encrypted can't be asked for where it is read.
pub(crate) fn refuse_encryption(headers: &HeaderMap) -> S3Result<()> {
    if !speaks_of_encryption(headers) {
        return Ok(());
    }
    match [ALGORITHM, KEY_ID, CONTEXT, BUCKET_KEY].iter().find(|name| headers.contains_key(**name)) {
        Some(name) => Err(invalid_argument(format!("{name} header is not supported for this operation."))),
        None => Ok(()),
    }
}

fn unbuilt(what: &str) -> S3Error {
    let message = format!("A header you provided implies functionality that is not implemented: {what}");
    fail(S3ErrorCode::NotImplemented, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<Asked, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().expect("a header"));
        }
        asked(&headers).map_err(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn what_is_asked_for_is_understood() {
        let id = |key_id: Option<&str>, context: Option<&str>| Asked::Kms {
            key_id: key_id.map(str::to_owned),
            context: context.map(str::to_owned),
        };
        assert_eq!(read(&[]), Ok(Asked::Nothing));
        assert_eq!(read(&[(ALGORITHM, "AES256"), (BUCKET_KEY, "false")]), Ok(Asked::S3));
        assert_eq!(read(&[(ALGORITHM, "aws:kms")]), Ok(id(None, None)));
        assert_eq!(
            read(&[(ALGORITHM, "aws:kms"), (KEY_ID, "a"), (CONTEXT, "eyJhIjoiYiJ9")]),
            Ok(id(Some("a"), Some("eyJhIjoiYiJ9")))
        );
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let customer = "x-amz-server-side-encryption-customer-algorithm";
        for (pairs, code) in [
            (&[(ALGORITHM, "")][..], "InvalidArgument"),
            (&[(ALGORITHM, "aes:kms")], "InvalidArgument"),
            (&[(ALGORITHM, "aes256")], "InvalidArgument"),
            (&[(KEY_ID, "a")], "InvalidArgument"),
            (&[(CONTEXT, "e30=")], "InvalidArgument"),
            (&[(ALGORITHM, "AES256"), (KEY_ID, "a")], "InvalidArgument"),
            (&[(ALGORITHM, "AES256"), (customer, "AES256")], "InvalidArgument"),
            (&[(ALGORITHM, "aws:kms"), (customer, "AES128")], "InvalidArgument"),
            (&[(ALGORITHM, "aws:kms"), (CONTEXT, "{}")], "InvalidArgument"),
            (&[(ALGORITHM, "aws:kms"), (CONTEXT, "W10=")], "InvalidArgument"),
            (&[(ALGORITHM, "aws:kms"), (CONTEXT, "eyJhIjoxfQ==")], "InvalidArgument"),
            (&[(ALGORITHM, "aws:kms:dsse")], "NotImplemented"),
            (&[(ALGORITHM, "aws:kms"), (BUCKET_KEY, "true")], "NotImplemented"),
        ] {
            assert_eq!(read(pairs), Err(code.to_owned()), "{pairs:?}");
        }
    }
}
