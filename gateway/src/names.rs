//! Names, parsed once at the edge and then trusted.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use nodio_wire::UnixMs;
use nodio_wire::auth::random_bytes;
use serde::{Deserialize, Serialize};

/// "Object key naming" in the S3 User Guide.
pub(crate) const KEY_BYTES_MAX: usize = 1024;
/// "Amazon S3 multipart upload limits" in the S3 User Guide.
pub(crate) const PART_NUMBER_MAX: u16 = 10_000;

/// Text that is not the name it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} {reason}")]
pub struct BadName {
    what: &'static str,
    reason: &'static str,
}

/// A bucket's name as S3 allows it ("Bucket naming rules" in the S3 User Guide).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct BucketName(String);

impl BucketName {
    pub(crate) fn parse(text: &str) -> Result<Self, BadName> {
        match bucket_fault(text) {
            Some(reason) => Err(BadName { what: "a bucket name", reason }),
            None => Ok(Self(text.to_owned())),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn bucket_fault(text: &str) -> Option<&'static str> {
    let letter_or_digit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if !(3..=63).contains(&text.len()) {
        return Some("has 3 to 63 characters");
    }
    if !text.bytes().all(|byte| letter_or_digit(byte) || byte == b'.' || byte == b'-') {
        return Some("has only lower-case letters, digits, dots and hyphens");
    }
    let ends = [text.as_bytes().first(), text.as_bytes().last()];
    if !ends.into_iter().flatten().all(|byte| letter_or_digit(*byte)) {
        return Some("begins and ends with a letter or digit");
    }
    if text.contains("..") {
        return Some("has no two dots in a row");
    }
    if text.parse::<Ipv4Addr>().is_ok() || looks_like_ipv4(text) {
        return Some("is not an IP address");
    }
    reserved_fault(text)
}

/// Four numbers with dots, whether or not each is below 256.
fn looks_like_ipv4(text: &str) -> bool {
    text.split('.').count() == 4 && text.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit())
}

fn reserved_fault(text: &str) -> Option<&'static str> {
    if ["xn--", "sthree-"].iter().any(|prefix| text.starts_with(prefix)) {
        return Some("does not begin with xn-- or sthree-");
    }
    let suffixes = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
    if suffixes.iter().any(|suffix| text.ends_with(suffix)) {
        return Some("does not end with -s3alias, --ol-s3, .mrap, --x-s3 or --table-s3");
    }
    None
}

impl TryFrom<String> for BucketName {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        Self::parse(&text)
    }
}

impl From<BucketName> for String {
    fn from(name: BucketName) -> Self {
        name.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An object's key: 1 to 1,024 bytes of UTF-8, no further rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectKey(String);

impl ObjectKey {
    pub(crate) fn parse(text: &str) -> Result<Self, BadName> {
        match text.len() {
            0 => Err(BadName { what: "an object key", reason: "is not empty" }),
            len if len > KEY_BYTES_MAX => Err(BadName { what: "an object key", reason: "has at most 1024 bytes" }),
            _ => Ok(Self(text.to_owned())),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! id16 {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub(crate) struct $name(pub(crate) [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                parse_hex16($what, text).map(Self)
            }
        }
    };
}

id16!(
    /// A bucket's identity: a bucket deleted and made again under the same name is another one.
    BucketId,
    "a bucket id"
);
id16!(
    /// One write of one object: fresh at every PUT, copy and upload, so its body never changes under it.
    ObjectUid,
    "an object id"
);

fn parse_hex16(what: &'static str, text: &str) -> Result<[u8; 16], BadName> {
    let mut bytes = [0; 16];
    let canonical = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    match hex::decode_to_slice(text, &mut bytes) {
        Ok(()) if canonical => Ok(bytes),
        _ => Err(BadName { what, reason: "has 32 lower-case hex digits" }),
    }
}

impl BucketId {
    pub(crate) fn random() -> Self {
        Self(random_bytes())
    }
}

impl ObjectUid {
    /// Six bytes of time, then ten random ones: ids made later sort later, so uploads of one key list in the order they began.
    pub(crate) fn new(now: UnixMs) -> Self {
        let mut bytes: [u8; 16] = random_bytes();
        bytes[..6].copy_from_slice(&now.to_be_bytes()[2..]);
        Self(bytes)
    }
}

/// A multipart upload: the uid of the object it becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct UploadId(pub(crate) ObjectUid);

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for UploadId {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        parse_hex16("an upload id", text).map(|bytes| Self(ObjectUid(bytes)))
    }
}

/// `1..=10_000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PartNumber(u16);

impl PartNumber {
    pub(crate) fn new(number: i64) -> Result<Self, BadName> {
        match u16::try_from(number) {
            Ok(number) if (1..=PART_NUMBER_MAX).contains(&number) => Ok(Self(number)),
            _ => Err(BadName { what: "a part number", reason: "is between 1 and 10000" }),
        }
    }

    pub(crate) fn get(self) -> u16 {
        self.0
    }
}

/// Which version of a key. Objects of a bucket that never had versioning are all `Null`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum VersionId {
    Null,
    /// The row's order (see the keyspace) in 8 bytes, then 8 random ones.
    Id([u8; 16]),
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Id(bytes) => f.write_str(&hex::encode(bytes)),
        }
    }
}

impl FromStr for VersionId {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        if text == "null" {
            return Ok(Self::Null);
        }
        parse_hex16("a version id", text).map(Self::Id)
    }
}

/// A canonical user id: 64 lower-case hex digits, unless an operator gave another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct UserId(String);

impl UserId {
    pub(crate) fn random() -> Self {
        Self(hex::encode(random_bytes::<32>()))
    }

    /// Of requests that nobody signed; no user has it.
    pub(crate) fn anonymous() -> Self {
        Self("0".repeat(64))
    }

    pub(crate) fn parse(text: &str) -> Result<Self, BadName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=64).contains(&text.len()) || !text.bytes().all(allowed) {
            return Err(BadName { what: "a user id", reason: "has 1 to 64 letters, digits, dots, underscores or hyphens" });
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserId {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        Self::parse(&text)
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> Self {
        id.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_follow_the_rules_of_s3() {
        for good in ["abc", "a-b.c", "my-bucket-01", "1ab", "a.b", &"a".repeat(63), "1.2.3", "1.2.3.4a", "a--b"] {
            assert!(BucketName::parse(good).is_ok(), "{good} was refused");
        }
        let bad = [
            "",
            "ab",
            "Abc",
            "a_b",
            "-abc",
            "abc-",
            ".abc",
            "abc.",
            "a..b",
            "192.168.5.4",
            "999.1.1.1",
            "xn--abc",
            "sthree-abc",
            "abc-s3alias",
            "abc--ol-s3",
            "a b",
            "a/b",
            "ümlaut",
        ];
        for bad in bad {
            assert!(BucketName::parse(bad).is_err(), "{bad} was taken");
        }
        assert!(BucketName::parse(&"a".repeat(64)).is_err());
    }

    #[test]
    fn an_object_key_is_any_text_up_to_1024_bytes() {
        for good in ["a", "/", "..", "\0", "a\u{10ffff}", " ", &"x".repeat(1024)] {
            assert!(ObjectKey::parse(good).is_ok());
        }
        assert!(ObjectKey::parse("").is_err());
        assert!(ObjectKey::parse(&"x".repeat(1025)).is_err());
        assert!(ObjectKey::parse(&"ü".repeat(513)).is_err());
    }

    #[test]
    fn ids_read_back_from_their_text() {
        let uid = ObjectUid::new(1_700_000_000_000);
        assert_eq!(UploadId(uid).to_string().parse(), Ok(UploadId(uid)));
        assert_eq!("null".parse(), Ok(VersionId::Null));
        assert_eq!(VersionId::Id([7; 16]).to_string().parse(), Ok(VersionId::Id([7; 16])));
        let user = UserId::random();
        assert_eq!(UserId::parse(user.as_str()), Ok(user));
        for good in ["1", "Ann", "tenant-1.user_2", &"f".repeat(64)] {
            assert!(UserId::parse(good).is_ok_and(|id| id.as_str() == good), "{good} was refused");
        }
        for bad in ["", "a b", "a/b", "a:b", "ü", &"f".repeat(65)] {
            assert!(UserId::parse(bad).is_err(), "{bad} was taken");
        }
        for bad in ["", "00", &"g".repeat(32), &"AB".repeat(16), &"0".repeat(33)] {
            assert!(bad.parse::<UploadId>().is_err() && bad.parse::<VersionId>().is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn later_ids_sort_later() {
        assert!(ObjectUid::new(1_700_000_000_000) < ObjectUid::new(1_700_000_000_001));
    }

    #[test]
    fn part_numbers_run_from_1_to_10_000() {
        assert_eq!([0, 10_001, -1, 65_537].map(|number| PartNumber::new(number).is_ok()), [false; 4]);
        assert_eq!([1, 10_000].map(|number| PartNumber::new(number).map(PartNumber::get)), [Ok(1), Ok(10_000)]);
    }
}
