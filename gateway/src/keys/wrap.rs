//! Data keys of parts, wrapped for one object.

use std::fmt;

use nodio_codec::DataKey;
use nodio_wire::PartId;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::KeyError;
use super::gcm::{self, NONCE_BYTES, TAG_BYTES};
use crate::names::{ObjectKey, ObjectUid};

/// A bucket's key-wrapping key.
#[derive(Clone)]
pub(crate) struct BucketKeys(Zeroizing<[u8; 32]>);

/// What a wrapped key is bound to, besides its bucket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WrapAad<'a> {
    pub(crate) key: &'a ObjectKey,
    pub(crate) uid: ObjectUid,
    pub(crate) part: PartId,
}

/// A data key as it is stored: useless without the master key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WrappedKey {
    nonce: [u8; NONCE_BYTES],
    sealed: [u8; 32],
    tag: [u8; TAG_BYTES],
}

impl BucketKeys {
    pub(super) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Wraps a part's key for one object of this bucket.
    pub(crate) fn wrap(&self, key: &DataKey, aad: WrapAad<'_>) -> WrappedKey {
        let (nonce, text) = gcm::seal(&self.0, &aad.bytes(), key.as_bytes());
        let mut wrapped = WrappedKey { nonce, sealed: [0; 32], tag: [0; TAG_BYTES] };
        let (sealed, tag) = text.split_at(32);
        wrapped.sealed.copy_from_slice(sealed);
        wrapped.tag.copy_from_slice(tag);
        wrapped
    }

    /// The part's key, if it was wrapped for exactly this object of this bucket.
    pub(crate) fn unwrap(&self, wrapped: &WrappedKey, aad: WrapAad<'_>) -> Result<DataKey, KeyError> {
        let text = [wrapped.sealed.as_slice(), &wrapped.tag].concat();
        let plain = gcm::open(&self.0, &aad.bytes(), &wrapped.nonce, &text)?;
        let mut bytes: [u8; 32] = plain.as_slice().try_into().map_err(|_| KeyError::WontOpen)?;
        let key = DataKey::from_bytes(bytes);
        bytes.zeroize();
        Ok(key)
    }
}

impl WrapAad<'_> {
    fn bytes(&self) -> Vec<u8> {
        gcm::aad(b"nodio 1 part", &[self.key.as_bytes(), &self.uid.0, &self.part.0])
    }
}

impl fmt::Debug for BucketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BucketKeys(..)")
    }
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrappedKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MasterKey;
    use crate::names::BucketId;

    fn key(text: &str) -> ObjectKey {
        ObjectKey::parse(text).unwrap()
    }

    #[test]
    fn a_wrapped_key_opens_only_for_its_own_object() {
        let keys = MasterKey::new([1; 32]).bucket(BucketId([1; 16]));
        let (data, name, other) = (DataKey::random(), key("a"), key("b"));
        let aad = WrapAad { key: &name, uid: ObjectUid([2; 16]), part: PartId([3; 16]) };
        let wrapped = keys.wrap(&data, aad);
        assert_eq!(keys.unwrap(&wrapped, aad), Ok(data));
        let strangers = [
            WrapAad { key: &other, ..aad },
            WrapAad { uid: ObjectUid([9; 16]), ..aad },
            WrapAad { part: PartId([9; 16]), ..aad },
        ];
        for stranger in strangers {
            assert_eq!(keys.unwrap(&wrapped, stranger), Err(KeyError::WontOpen), "opened for {stranger:?}");
        }
        for master in [MasterKey::new([1; 32]).bucket(BucketId([2; 16])), MasterKey::new([2; 32]).bucket(BucketId([1; 16]))] {
            assert_eq!(master.unwrap(&wrapped, aad), Err(KeyError::WontOpen), "opened for another bucket or master key");
        }
    }

    #[test]
    fn one_key_wrapped_twice_looks_different_and_no_byte_may_change() {
        let keys = MasterKey::new([1; 32]).bucket(BucketId([1; 16]));
        let (data, name) = (DataKey::random(), key("a"));
        let aad = WrapAad { key: &name, uid: ObjectUid([2; 16]), part: PartId([3; 16]) };
        let (first, second) = (keys.wrap(&data, aad), keys.wrap(&data, aad));
        assert_ne!(first, second);
        let damaged = [
            WrappedKey { nonce: second.nonce, ..first.clone() },
            WrappedKey { sealed: second.sealed, ..first.clone() },
            WrappedKey { tag: second.tag, ..first.clone() },
        ];
        for bad in damaged {
            assert_eq!(keys.unwrap(&bad, aad), Err(KeyError::WontOpen));
        }
    }

    /// Stored bytes of today open tomorrow.
    #[test]
    fn a_key_wrapped_long_ago_still_opens() {
        let keys = MasterKey::new([1; 32]).bucket(BucketId([2; 16]));
        let name = key("photos/cat.jpg");
        let aad = WrapAad { key: &name, uid: ObjectUid([3; 16]), part: PartId([4; 16]) };
        let stored: WrappedKey = postcard::from_bytes(&hex::decode("61cc06d0a5fa886c04e1dd71dafd21a8db42e2c32d3e5adbf7f24a278cd28a9a6c5a461aaaba98334016360fcd17cbd5a553fa61e4cdf5562dce160a").unwrap()).unwrap();
        assert_eq!(keys.unwrap(&stored, aad), Ok(DataKey::from_bytes([5; 32])));
    }
}
