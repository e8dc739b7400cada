//! Whether those who ask must offer to pay.

use serde::{Deserialize, Serialize};

use super::{BucketRow, first_shape};
use crate::tables::Setting;

/// A bucket with this setting is a Requester Pays bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequesterPays;

first_shape!(RequesterPays);

impl Setting for RequesterPays {
    const NAME: &'static str = "requester-pays";
}

impl BucketRow {
    /// Whether others than its owner must offer to pay for what they ask.
    pub(crate) fn requester_pays(&self) -> bool {
        self.settings.contains_key(RequesterPays::NAME)
    }
}
