//! Where a bucket's access log goes.

use serde::{Deserialize, Serialize};

use super::{BucketRow, Grant, first_shape};
use crate::names::BucketName;
use crate::tables::Setting;

/// A bucket's logging status; a bucket without one logs nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Logging {
    pub(crate) target: BucketName,
    pub(crate) prefix: String,
    /// Who gets what on the log objects, beside the target's owner.
    pub(crate) grants: Vec<Grant>,
    pub(crate) key_format: LogKeyFormat,
}

/// How log objects are named behind the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LogKeyFormat {
    /// As `Simple`, which nobody asked for.
    Unsaid,
    /// By the time of delivery alone.
    Simple,
    /// Under account, region, bucket and the day of delivery.
    ByDeliveryTime,
    /// Under account, region, bucket and the day that the records are of.
    ByEventTime,
}

first_shape!(Logging);

impl Setting for Logging {
    const NAME: &'static str = "logging";
}

impl BucketRow {
    /// Whether its requests are logged.
    pub(crate) fn logs(&self) -> bool {
        self.settings.contains_key(Logging::NAME)
    }
}
