//! Checksums that S3 clients ask for: five kinds, streamed, combined over the parts of an upload.
//!
//! Source: "Checking object integrity in Amazon S3" in the S3 User Guide.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use sha2::Sha256;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum ChecksumKind {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl ChecksumKind {
    pub(crate) const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The name in `x-amz-checksum-algorithm`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The kind of a name, in any case.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of a value.
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    fn of_crc(self, value: u64) -> Checksum {
        Checksum { kind: self, value: value.to_be_bytes()[8 - self.len()..].to_vec() }
    }
}

/// A value of one kind, `kind.len()` bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checksum {
    pub(crate) kind: ChecksumKind,
    pub(crate) value: Vec<u8>,
}

impl Checksum {
    /// The text of the `x-amz-checksum-*` headers.
    pub(crate) fn to_base64(&self) -> String {
        BASE64.encode(&self.value)
    }

    /// `None` unless the text is canonical base64 of a value of this kind.
    pub(crate) fn from_base64(kind: ChecksumKind, text: &str) -> Option<Self> {
        let value = BASE64.decode(text).ok()?;
        (value.len() == kind.len()).then_some(Self { kind, value })
    }

    fn as_crc(&self) -> u64 {
        self.value.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}

/// What a multipart object's checksum covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ChecksumScope {
    /// All bytes, as if written in one part.
    FullObject,
    /// The parts' raw checksums, one after another.
    Composite,
}

/// One checksum, streamed.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Hasher {
    Crc(ChecksumKind, crc_fast::Digest),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    pub(crate) fn new(kind: ChecksumKind) -> Self {
        match (kind.crc(), kind) {
            (Some(crc), _) => Self::Crc(kind, crc_fast::Digest::new(crc)),
            (None, ChecksumKind::Sha1) => Self::Sha1(Sha1::new()),
            (None, _) => Self::Sha256(Sha256::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(_, crc) => crc.update(bytes),
            Self::Sha1(sha) => sha.update(bytes),
            Self::Sha256(sha) => sha.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Checksum {
        match self {
            Self::Crc(kind, crc) => kind.of_crc(crc.finalize()),
            Self::Sha1(sha) => Checksum { kind: ChecksumKind::Sha1, value: sha.finalize().to_vec() },
            Self::Sha256(sha) => Checksum { kind: ChecksumKind::Sha256, value: sha.finalize().to_vec() },
        }
    }
}

/// FULL_OBJECT of an upload from its parts' values and lengths in bytes; `None` for a kind that isn't a CRC.
pub(crate) fn combine_crc(kind: ChecksumKind, parts: &[(Checksum, u64)]) -> Option<Checksum> {
    let crc = kind.crc()?;
    let start = crc_fast::checksum(crc, b"");
    let whole = parts.iter().fold(start, |sum, (part, len)| crc_fast::checksum_combine(crc, sum, part.as_crc(), *len));
    Some(kind.of_crc(whole))
}

/// COMPOSITE of an upload: the checksum of its parts' raw values, one after another.
pub(crate) fn composite(kind: ChecksumKind, parts: &[Checksum]) -> Checksum {
    let mut hasher = Hasher::new(kind);
    parts.iter().for_each(|part| hasher.update(&part.value));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: ChecksumKind, bytes: &[u8]) -> Checksum {
        let mut hasher = Hasher::new(kind);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Check values of "123456789" from the CRC catalogue, FIPS 180 vectors of "abc".
    #[test]
    fn known_answers() {
        assert_eq!(of(ChecksumKind::Crc32, b"123456789").as_crc(), 0xcbf4_3926);
        assert_eq!(of(ChecksumKind::Crc32c, b"123456789").as_crc(), 0xe306_9283);
        assert_eq!(of(ChecksumKind::Crc64Nvme, b"123456789").as_crc(), 0xae8b_1486_0a79_9888);
        assert_eq!(hex::encode(of(ChecksumKind::Sha1, b"abc").value), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert!(hex::encode(of(ChecksumKind::Sha256, b"abc").value).starts_with("ba7816bf8f01cfea"));
    }

    #[test]
    fn parts_combine_to_the_whole() {
        let bytes: Vec<u8> = (0..100_000u32).map(|i| (i * 31 % 251) as u8).collect();
        for kind in [ChecksumKind::Crc32, ChecksumKind::Crc32c, ChecksumKind::Crc64Nvme] {
            let parts: Vec<_> = bytes.chunks(33_333).map(|part| (of(kind, part), part.len() as u64)).collect();
            assert_eq!(combine_crc(kind, &parts), Some(of(kind, &bytes)), "{kind:?}");
            assert_eq!(combine_crc(kind, &[]), Some(of(kind, b"")));
        }
        assert_eq!(combine_crc(ChecksumKind::Sha1, &[]), None);
    }

    #[test]
    fn text_of_the_wrong_length_is_no_checksum() {
        for kind in ChecksumKind::ALL {
            let value = of(kind, b"x");
            assert_eq!(Checksum::from_base64(kind, &value.to_base64()), Some(value));
            assert_eq!(Checksum::from_base64(kind, "AA=="), None);
            assert_eq!(ChecksumKind::from_name(&kind.name().to_lowercase()), Some(kind));
        }
    }
}
