//! Signature Version 4's keys and HMACs, and Version 2's.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

/// A key of HMAC-SHA256.
pub(super) struct Key(Hmac<Sha256>);

impl Key {
    /// HMAC takes keys of any length.
    #[allow(clippy::expect_used)]
    fn new(bytes: &[u8]) -> Self {
        Self(Hmac::new_from_slice(bytes).expect("any length is a key"))
    }

    pub(super) fn sign(&self, text: &[u8]) -> [u8; 32] {
        self.0.clone().chain_update(text).finalize().into_bytes().into()
    }

    /// In constant time.
    pub(super) fn check(&self, text: &[u8], given: &[u8]) -> bool {
        self.0.clone().chain_update(text).verify_slice(given).is_ok()
    }
}

/// The key of a day (`YYYYMMDD`) in a region.
pub(super) fn signing_key(secret: &str, day: &str, region: &str) -> Key {
    let mut key = Key::new(format!("AWS4{secret}").as_bytes());
    for piece in [day, region, "s3", "aws4_request"] {
        key = Key::new(&key.sign(piece.as_bytes()));
    }
    key
}

/// In constant time.
#[allow(clippy::expect_used)]
pub(super) fn check_sha1(secret: &[u8], text: &[u8], given: &[u8]) -> bool {
    let mac: Hmac<Sha1> = Hmac::new_from_slice(secret).expect("any length is a key");
    mac.chain_update(text).verify_slice(given).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of "Example: Browser-Based Upload using HTTP POST (Using AWS Signature Version 4)".
    #[test]
    fn the_key_of_the_example_in_the_reference() {
        let key = signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20151229", "us-east-1");
        let policy = include_str!("form/example_policy.txt").trim_end();
        let signature = hex::decode("8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e").expect("hex");
        assert!(key.check(policy.as_bytes(), &signature));
        assert!(!key.check(&policy.as_bytes()[1..], &signature));
    }
}
