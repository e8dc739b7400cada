//! AES-256-GCM with a random nonce, for small things that are sealed once.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use nodio_wire::auth::random_bytes;
use zeroize::Zeroizing;

use super::KeyError;

pub(super) const NONCE_BYTES: usize = 12;
pub(super) const TAG_BYTES: usize = 16;

/// Text, then its tag.
#[allow(clippy::expect_used)]
pub(super) fn seal(key: &[u8; 32], aad: &[u8], plain: &[u8]) -> ([u8; NONCE_BYTES], Vec<u8>) {
    let nonce: [u8; NONCE_BYTES] = random_bytes();
    let payload = Payload { msg: plain, aad };
    let sealed = Aes256Gcm::new(&(*key).into()).encrypt(&Nonce::from(nonce), payload);
    (nonce, sealed.expect("a short text always seals"))
}

pub(super) fn open(key: &[u8; 32], aad: &[u8], nonce: &[u8; NONCE_BYTES], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let payload = Payload { msg: sealed, aad };
    let plain = Aes256Gcm::new(&(*key).into()).decrypt(&Nonce::from(*nonce), payload);
    plain.map(Zeroizing::new).map_err(|_| KeyError::WontOpen)
}

/// A purpose and its fields, each field behind its length, so that no two lists of fields collide.
pub(super) fn aad(purpose: &[u8], fields: &[&[u8]]) -> Vec<u8> {
    let mut out = purpose.to_vec();
    for field in fields {
        out.extend_from_slice(&(field.len() as u64).to_be_bytes());
        out.extend_from_slice(field);
    }
    out
}
