//! The master key and what is derived from it.

use std::fmt;

use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::gcm::{self, NONCE_BYTES};
use super::{BucketKeys, KeyError};
use crate::names::BucketId;

/// 32 bytes from which every other key comes.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

/// An access key's secret, sealed under the master key for that access key id alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SealedSecret {
    nonce: [u8; NONCE_BYTES],
    sealed: Vec<u8>,
}

impl MasterKey {
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The keys of one bucket.
    pub(crate) fn bucket(&self, id: BucketId) -> BucketKeys {
        BucketKeys::new(self.derive(&[b"nodio 1 bucket ", &id.0]))
    }

    /// Says which master key this is and nothing else of it.
    pub(crate) fn fingerprint(&self) -> [u8; 16] {
        let mut out = [0; 16];
        out.copy_from_slice(&self.derive(&[b"nodio 1 fingerprint"])[..16]);
        out
    }

    pub(crate) fn seal_secret(&self, access_key: &str, secret: &str) -> SealedSecret {
        let (nonce, sealed) = gcm::seal(&self.access_key(), &secret_aad(access_key), secret.as_bytes());
        SealedSecret { nonce, sealed }
    }

    pub(crate) fn open_secret(&self, access_key: &str, sealed: &SealedSecret) -> Result<Zeroizing<String>, KeyError> {
        let plain = gcm::open(&self.access_key(), &secret_aad(access_key), &sealed.nonce, &sealed.sealed)?;
        let text = std::str::from_utf8(&plain).map_err(|_| KeyError::WontOpen)?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    fn access_key(&self) -> Zeroizing<[u8; 32]> {
        self.derive(&[b"nodio 1 access"])
    }

    /// HKDF-SHA256 (RFC 5869) with the purpose as info.
    #[allow(clippy::expect_used)]
    fn derive(&self, info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        let hkdf = Hkdf::<Sha256>::new(None, &self.0);
        hkdf.expand_multi_info(info, out.as_mut_slice()).expect("HKDF-SHA256 gives up to 8160 bytes");
        out
    }
}

fn secret_aad(access_key: &str) -> Vec<u8> {
    gcm::aad(b"nodio 1 secret", &[access_key.as_bytes()])
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_for_its_access_key_under_its_master_key() {
        let master = MasterKey::new([1; 32]);
        let sealed = master.seal_secret("NOA", "secret");
        assert_eq!(master.open_secret("NOA", &sealed).as_deref().map(String::as_str), Ok("secret"));
        assert_eq!(master.open_secret("NOB", &sealed), Err(KeyError::WontOpen));
        assert_eq!(MasterKey::new([2; 32]).open_secret("NOA", &sealed), Err(KeyError::WontOpen));
    }

    #[test]
    fn every_flipped_bit_of_a_sealed_secret_is_noticed() {
        let master = MasterKey::new([1; 32]);
        let sealed = master.seal_secret("NOA", "secret");
        for at in 0..sealed.sealed.len() {
            let mut bad = sealed.clone();
            bad.sealed[at] ^= 1;
            assert_eq!(master.open_secret("NOA", &bad), Err(KeyError::WontOpen));
        }
    }

    /// The derivations are part of the stored format: should one of these change, nothing old opens any more.
    #[test]
    fn derivations_stay_what_they_are() {
        let master = MasterKey::new([7; 32]);
        assert_eq!(hex::encode(master.fingerprint()), "43802503d33b12c5a4d52cc9b54c4d74");
        assert_eq!(hex::encode(*master.access_key()), "ee247c3d705b70f0f9ab625d23cb187b1cc7c347efdc4f999fbd9839f1aa361c");
        assert_eq!(
            hex::encode(*master.derive(&[b"nodio 1 bucket ", &[9; 16]])),
            "050011aecba052e84e8323af6700a21f13b8418de8fd3bd805dd636fa3ae730e"
        );
    }

    #[test]
    fn nothing_of_the_key_is_printed() {
        assert_eq!(format!("{:?}", MasterKey::new([1; 32])), "MasterKey(..)");
    }
}
