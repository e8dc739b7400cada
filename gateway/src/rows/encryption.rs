//! How a bucket wants new objects encrypted that come without a word about it.

use serde::{Deserialize, Serialize};

use super::first_shape;
use crate::tables::Setting;

/// A bucket without this setting encrypts as [`DefaultEncryption::S3`] does, and says so of its objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DefaultEncryption {
    S3 {
        /// Kept and shown; it means something for [`DefaultEncryption::Kms`] alone, where it must be off.
        bucket_key: bool,
    },
    Kms {
        /// As it was named; the default key where none was.
        key_id: Option<String>,
    },
}

first_shape!(DefaultEncryption);

impl Setting for DefaultEncryption {
    const NAME: &'static str = "encryption";
}

#[cfg(test)]
mod tests {
    use nodio_meta::row::{decode, encode};

    use super::*;

    /// Stored bytes of today open tomorrow.
    #[test]
    fn defaults_stay_readable() {
        for (default, stored) in [
            (DefaultEncryption::S3 { bucket_key: true }, "010001"),
            (DefaultEncryption::Kms { key_id: None }, "010100"),
            (DefaultEncryption::Kms { key_id: Some("one".to_owned()) }, "010101036f6e65"),
        ] {
            assert_eq!(hex::encode(encode(&default)), stored);
            assert_eq!(decode::<DefaultEncryption>(&hex::decode(stored).unwrap()).unwrap(), default);
        }
    }
}
