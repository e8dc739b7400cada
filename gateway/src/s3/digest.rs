//! What a body must hash to, and what of that is kept.
//!
//! Source: "Checking object integrity in Amazon S3" in the S3 User Guide; PutObject and UploadPart in the Amazon S3 API Reference.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use s3s::dto::ChecksumType;
use s3s::{S3ErrorCode, S3Result, TrailingHeaders};

use super::error::fail;
use super::headers::text;
use crate::checksum::{Checksum, ChecksumKind, ChecksumScope};

/// The name of a kind's header, and of its trailer.
pub(crate) fn header_name(kind: ChecksumKind) -> &'static str {
    match kind {
        ChecksumKind::Crc32 => "x-amz-checksum-crc32",
        ChecksumKind::Crc32c => "x-amz-checksum-crc32c",
        ChecksumKind::Crc64Nvme => "x-amz-checksum-crc64nvme",
        ChecksumKind::Sha1 => "x-amz-checksum-sha1",
        ChecksumKind::Sha256 => "x-amz-checksum-sha256",
    }
}

/// Where the expected value of a body's checksum comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    Nothing,
    /// A header said it beforehand.
    Known(Checksum),
    /// A trailer will say it.
    Trailer(ChecksumKind),
}

/// What the client says its body hashes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claims {
    md5: Option<[u8; 16]>,
    expected: Expected,
}

impl Claims {
    pub(crate) fn read(headers: &HeaderMap) -> S3Result<Self> {
        let md5 = headers.get("content-md5").map(|value| parse_md5(value.as_bytes())).transpose()?;
        Ok(Self { md5, expected: expected(headers)? })
    }

    /// The kind named by the client, if any.
    pub(crate) fn kind(&self) -> Option<ChecksumKind> {
        match &self.expected {
            Expected::Nothing => None,
            Expected::Known(checksum) => Some(checksum.kind),
            Expected::Trailer(kind) => Some(*kind),
        }
    }

    /// Holds the body, now read to its end, to what was claimed of it.
    pub(crate) fn check(&self, md5: &[u8; 16], got: &[Checksum], trailers: Option<&TrailingHeaders>) -> S3Result<()> {
        if self.md5.is_some_and(|want| want != *md5) {
            return Err(fail(S3ErrorCode::BadDigest, "The Content-MD5 you specified did not match what we received."));
        }
        let want = match &self.expected {
            Expected::Nothing => return Ok(()),
            Expected::Known(checksum) => checksum.clone(),
            Expected::Trailer(kind) => from_trailer(*kind, trailers)?,
        };
        if got.contains(&want) { Ok(()) } else { Err(mismatch(want.kind)) }
    }
}

/// The error for a checksum that isn't what was said.
pub(crate) fn mismatch(kind: ChecksumKind) -> s3s::S3Error {
    let message = format!("The {} you specified did not match the calculated checksum.", kind.name());
    fail(S3ErrorCode::BadDigest, message)
}

fn from_trailer(kind: ChecksumKind, trailers: Option<&TrailingHeaders>) -> S3Result<Checksum> {
    let value = trailers.and_then(|trailers| trailers.read(|map| text(map, header_name(kind)).map(str::to_owned)).flatten());
    let missing = || fail(S3ErrorCode::Custom("MalformedTrailerError".into()), "The announced trailing checksum is missing.");
    parse(kind, &value.ok_or_else(missing)?)
}

fn parse_md5(text: &[u8]) -> S3Result<[u8; 16]> {
    let bytes = BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| fail(S3ErrorCode::InvalidDigest, "The Content-MD5 you specified is not valid."))
}

pub(crate) fn parse(kind: ChecksumKind, text: &str) -> S3Result<Checksum> {
    let invalid = || fail(S3ErrorCode::BadDigest, format!("Value for {} header is invalid.", header_name(kind)));
    Checksum::from_base64(kind, text).ok_or_else(invalid)
}

fn expected(headers: &HeaderMap) -> S3Result<Expected> {
    let mut found: Vec<Expected> = Vec::new();
    for kind in ChecksumKind::ALL {
        if let Some(value) = text(headers, header_name(kind)) {
            found.push(Expected::Known(parse(kind, value)?));
        }
    }
    let trailers = text(headers, "x-amz-trailer").unwrap_or_default().to_ascii_lowercase();
    let named = |kind: &ChecksumKind| trailers.split(',').any(|name| name.trim() == header_name(*kind));
    found.extend(ChecksumKind::ALL.into_iter().filter(named).map(Expected::Trailer));
    if found.len() > 1 {
        let message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
        return Err(fail(S3ErrorCode::InvalidRequest, message));
    }
    let found = found.pop().unwrap_or(Expected::Nothing);
    check_sdk_name(headers, &found)?;
    Ok(found)
}

/// `x-amz-sdk-checksum-algorithm` repeats what the checksum's own header says, and must agree with it.
fn check_sdk_name(headers: &HeaderMap, found: &Expected) -> S3Result<()> {
    let Some(name) = text(headers, "x-amz-sdk-checksum-algorithm") else { return Ok(()) };
    let kind = parse_kind(name)?;
    match found {
        Expected::Nothing => {
            let message = "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.";
            Err(fail(S3ErrorCode::InvalidRequest, message))
        }
        Expected::Known(Checksum { kind: given, .. }) | Expected::Trailer(given) if *given != kind => {
            Err(fail(S3ErrorCode::InvalidRequest, "Value for x-amz-sdk-checksum-algorithm header is invalid."))
        }
        _ => Ok(()),
    }
}

/// The kind of an algorithm's name.
pub(crate) fn parse_kind(name: &str) -> S3Result<ChecksumKind> {
    ChecksumKind::from_name(name).ok_or_else(|| {
        let message = "Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
                       [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]";
        fail(S3ErrorCode::InvalidRequest, message)
    })
}

pub(crate) fn scope_shown(scope: ChecksumScope) -> ChecksumType {
    ChecksumType::from_static(match scope {
        ChecksumScope::FullObject => ChecksumType::FULL_OBJECT,
        ChecksumScope::Composite => ChecksumType::COMPOSITE,
    })
}

/// A checksum as the five fields that answers have for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) crc32: Option<String>,
    pub(crate) crc32c: Option<String>,
    pub(crate) crc64nvme: Option<String>,
    pub(crate) sha1: Option<String>,
    pub(crate) sha256: Option<String>,
}

impl Shown {
    pub(crate) fn of(checksum: Option<&Checksum>) -> Self {
        checksum.map_or_else(Self::default, |checksum| Self::text(checksum.kind, checksum.to_base64()))
    }

    pub(crate) fn text(kind: ChecksumKind, text: String) -> Self {
        let text = Some(text);
        match kind {
            ChecksumKind::Crc32 => Self { crc32: text, ..Self::default() },
            ChecksumKind::Crc32c => Self { crc32c: text, ..Self::default() },
            ChecksumKind::Crc64Nvme => Self { crc64nvme: text, ..Self::default() },
            ChecksumKind::Sha1 => Self { sha1: text, ..Self::default() },
            ChecksumKind::Sha256 => Self { sha256: text, ..Self::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<Claims, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().expect("a header"));
        }
        Claims::read(&headers).map_err(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn one_checksum_at_most_and_well_formed() {
        assert_eq!(read(&[]).map(|claims| claims.kind()), Ok(None));
        assert_eq!(read(&[("x-amz-checksum-crc32", "AAAAAA==")]).map(|claims| claims.kind()), Ok(Some(ChecksumKind::Crc32)));
        assert_eq!(
            read(&[("x-amz-trailer", "x-amz-checksum-sha256")]).map(|claims| claims.kind()),
            Ok(Some(ChecksumKind::Sha256))
        );
        let two = [("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-checksum-crc32c", "AAAAAA==")];
        assert_eq!(read(&two), Err("InvalidRequest".into()));
        assert_eq!(read(&[("x-amz-checksum-sha1", "AAAAAA==")]), Err("BadDigest".into()));
        assert_eq!(read(&[("content-md5", "AAAA")]), Err("InvalidDigest".into()));
        assert_eq!(read(&[("x-amz-sdk-checksum-algorithm", "CRC32")]), Err("InvalidRequest".into()));
        assert_eq!(read(&[("x-amz-sdk-checksum-algorithm", "MD4")]), Err("InvalidRequest".into()));
    }

    #[test]
    fn a_body_is_held_to_its_claims() {
        let zero = Checksum { kind: ChecksumKind::Crc32, value: vec![0; 4] };
        let claims = read(&[("x-amz-checksum-crc32", "AAAAAA=="), ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")]).expect("reads");
        assert!(claims.check(&[0; 16], std::slice::from_ref(&zero), None).is_ok());
        let one = Checksum { kind: ChecksumKind::Crc32, value: vec![1; 4] };
        for (md5, got) in [([1; 16], zero), ([0; 16], one)] {
            let error = claims.check(&md5, &[got], None).expect_err("must be refused");
            assert_eq!(error.code().as_str(), "BadDigest");
        }
    }
}
