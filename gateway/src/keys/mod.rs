//! The gateway's secrets: one master key, from it one key per bucket, under that one random data key per part.
//!
//! ```text
//!   key file | environment | passphrase ─► MasterKey ─┬─ HKDF(bucket id) ─► BucketKeys ── AES-256-GCM ─► WrappedKey of a part
//!                                argon2id             │                 ├─ HKDF(+ a customer's key) ── the same, and a check of the key
//!                                                     │                 └─ HKDF(+ a key's name) ────── the same
//!                                                     ├─ HKDF("access") ─── AES-256-GCM ─► SealedSecret of an access key
//!                                                     └─ HKDF("fingerprint") ─► tells one master key from another
//! ```
//! Promises: what is stored opens only under the same master key, for the same bucket, key, uid and part (or access key id); open keys
//! are wiped when dropped, never printed, never logged; a customer's key is never stored. Lose the master key and every object is lost: nothing else opens them.

mod further;
mod gcm;
mod master;
mod source;
mod wrap;

pub(crate) use further::CustomerKey;
pub use master::MasterKey;
pub(crate) use master::SealedSecret;
pub use source::{KeySource, MASTER_KEY_ENV};
pub(crate) use wrap::{BucketKeys, WrapAad, WrappedKey};

/// Why a key can't be had or doesn't open something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("{0}: no master key there; the key file is made at the first start, keep a copy of it")]
    Missing(String),
    #[error("{0}: a master key is 64 hex digits")]
    Malformed(String),
    #[error("{0} can be read by others; run: chmod 600 {0}")]
    Exposed(String),
    #[error("{0} is there already and is not overwritten: it may be the only key to existing objects")]
    Exists(String),
    #[error("{0}: {1}")]
    Io(String, String),
    #[error("the passphrase must have at least {0} characters")]
    PassphraseTooShort(usize),
    #[error("the passphrase can't be turned into a key: {0}")]
    Passphrase(String),
    /// Another master key, another name, or a damaged row.
    #[error("a stored key does not open: it was sealed under another master key or for another object, or is damaged")]
    WontOpen,
}
