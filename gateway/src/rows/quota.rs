//! What a bucket, or all buckets of a user together, may hold.

use serde::{Deserialize, Serialize};

use super::first_shape;
use crate::tables::Setting;

/// `None` is without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Quota {
    /// Plaintext bytes of all versions, and of the parts of uploads.
    pub(crate) bytes: Option<u64>,
    /// Versions; delete markers are none.
    pub(crate) objects: Option<u64>,
}

first_shape!(Quota);

impl Setting for Quota {
    const NAME: &'static str = "quota";
}

#[cfg(test)]
mod tests {
    use nodio_meta::row::{decode, encode};

    use super::*;

    /// Stored bytes of today open tomorrow.
    #[test]
    fn quotas_stay_readable() {
        for (quota, stored) in
            [(Quota { bytes: Some(300), objects: None }, "0101ac0200"), (Quota { bytes: None, objects: Some(7) }, "01000107")]
        {
            assert_eq!(hex::encode(encode(&quota)), stored);
            assert_eq!(decode::<Quota>(&hex::decode(stored).unwrap()).unwrap(), quota);
        }
    }
}
