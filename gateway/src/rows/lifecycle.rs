//! What a bucket's owner decides about the end of what is in it.

use nodio_wire::UnixMs;
use serde::{Deserialize, Serialize};

use super::first_shape;
use crate::tables::Setting;

/// A bucket's lifecycle configuration, in the order it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lifecycle {
    pub(crate) rules: Vec<LifecycleRule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LifecycleRule {
    pub(crate) id: String,
    pub(crate) enabled: bool,
    pub(crate) filter: RuleFilter,
    pub(crate) expiration: Option<Expiration>,
    pub(crate) noncurrent: Option<NoncurrentExpiration>,
    /// An upload that isn't completed so long after it began is aborted.
    pub(crate) abort_after_days: Option<u32>,
}

/// Which objects a rule is about: those of which all that is given holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RuleFilter {
    pub(crate) form: FilterForm,
    pub(crate) prefix: Option<String>,
    pub(crate) tags: Vec<(String, String)>,
    /// Plaintext bytes.
    pub(crate) larger_than: Option<u64>,
    pub(crate) smaller_than: Option<u64>,
}

/// How the filter was written, and so is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FilterForm {
    /// A prefix in the rule itself, as before there were filters.
    OldPrefix,
    Filter,
    And,
}

/// The end of what is current.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Expiration {
    Days(u32),
    Date(UnixMs),
    /// Whether a delete marker goes that hides nothing any more.
    LoneMarker(bool),
}

/// The end of what something newer came on top of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NoncurrentExpiration {
    pub(crate) days: u32,
    /// So many noncurrent versions stay, whatever their age.
    pub(crate) kept: Option<u32>,
}

first_shape!(Lifecycle);

impl Setting for Lifecycle {
    const NAME: &'static str = "lifecycle";
}
