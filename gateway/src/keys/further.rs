//! Keys that need more than the bucket's own: a customer's key that comes with each request, or a named key of the gateway.
//!
//! Of a customer's key nothing is stored but a check: derived with the bucket's key and for one object alone, it tells the right key from
//! a wrong one and nothing of the key, not even that two objects have the same.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::BucketKeys;
use super::gcm;
use crate::names::ObjectUid;

/// 32 bytes that a customer keeps. Wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct CustomerKey(Zeroizing<[u8; 32]>);

impl CustomerKey {
    pub(crate) fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }
}

impl BucketKeys {
    /// What is wrapped under these opens with the master key and the customer's, and not with one alone.
    pub(crate) fn with_customer(&self, key: &CustomerKey) -> Self {
        Self::new(self.both(key, b"nodio 1 customer"))
    }

    /// What is kept of a customer's key for the object of this uid.
    pub(crate) fn customer_check(&self, key: &CustomerKey, uid: ObjectUid) -> [u8; 16] {
        let mut check = [0; 16];
        check.copy_from_slice(&self.both(key, &gcm::aad(b"nodio 1 customer check", &[&uid.0]))[..16]);
        check
    }

    /// Under a named key, for one encryption context.
    pub(crate) fn with_named(&self, name: &str, context: Option<&str>) -> Self {
        let context = context.unwrap_or_default();
        Self::new(derive(self.as_bytes(), &gcm::aad(b"nodio 1 named", &[name.as_bytes(), context.as_bytes()])))
    }

    fn both(&self, key: &CustomerKey, info: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut secret = Zeroizing::new([0; 64]);
        secret[..32].copy_from_slice(self.as_bytes());
        secret[32..].copy_from_slice(key.0.as_slice());
        derive(secret.as_slice(), info)
    }
}

/// HKDF-SHA256 (RFC 5869).
#[allow(clippy::expect_used)]
fn derive(secret: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, secret).expand(info, out.as_mut_slice()).expect("HKDF-SHA256 gives up to 8160 bytes");
    out
}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use nodio_codec::DataKey;
    use nodio_wire::PartId;

    use super::*;
    use crate::keys::{KeyError, MasterKey, WrapAad};
    use crate::names::{BucketId, ObjectKey};

    fn customer(byte: u8) -> CustomerKey {
        CustomerKey::new(Zeroizing::new([byte; 32]))
    }

    fn bucket(byte: u8) -> BucketKeys {
        MasterKey::from_hex(&"01".repeat(32), "here").unwrap().bucket(BucketId([byte; 16]))
    }

    #[test]
    fn what_is_wrapped_under_further_keys_opens_with_the_very_same_alone() {
        let name = ObjectKey::parse("a").unwrap();
        let aad = WrapAad { key: &name, uid: ObjectUid([2; 16]), part: PartId([3; 16]) };
        let data = DataKey::random();
        let all = [
            bucket(1),
            bucket(1).with_customer(&customer(1)),
            bucket(1).with_customer(&customer(2)),
            bucket(2).with_customer(&customer(1)),
            bucket(1).with_named("a", None),
            bucket(1).with_named("b", None),
            bucket(1).with_named("a", Some("e30=")),
        ];
        for (at, keys) in all.iter().enumerate() {
            let wrapped = keys.wrap(&data, aad);
            for (other, opener) in all.iter().enumerate() {
                let opened = opener.unwrap(&wrapped, aad);
                assert_eq!(opened, if at == other { Ok(data.clone()) } else { Err(KeyError::WontOpen) }, "{at} by {other}");
            }
        }
    }

    #[test]
    fn a_check_is_for_one_key_one_object_and_one_bucket() {
        let check = |bucket: &BucketKeys, key: u8, uid: u8| bucket.customer_check(&customer(key), ObjectUid([uid; 16]));
        let one = check(&bucket(1), 1, 1);
        assert_eq!(check(&bucket(1), 1, 1), one);
        for other in [check(&bucket(2), 1, 1), check(&bucket(1), 2, 1), check(&bucket(1), 1, 2)] {
            assert_ne!(other, one);
        }
    }

    /// The derivations are part of the stored format: should one of these change, nothing old opens any more.
    #[test]
    fn derivations_stay_what_they_are() {
        let keys = bucket(1);
        assert_eq!(
            hex::encode(keys.with_customer(&customer(7)).as_bytes()),
            "29efe3abe41468e145c0856c6d024b9512fab4f1b784fc73206283d13b6176cf"
        );
        assert_eq!(hex::encode(keys.customer_check(&customer(7), ObjectUid([9; 16]))), "44ce71b41a133951e79118cdcf947742");
        assert_eq!(
            hex::encode(keys.with_named("name", Some("e30=")).as_bytes()),
            "ba430556b311ac7398322f5370dadccd813d961a3730e22d4e8a42537f0b575a"
        );
    }

    #[test]
    fn nothing_of_the_key_is_printed() {
        assert_eq!(format!("{:?}", customer(1)), "CustomerKey(..)");
    }
}
