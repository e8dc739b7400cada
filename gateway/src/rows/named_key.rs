//! Keys that objects can be encrypted under by name.

use nodio_wire::UnixMs;
use serde::{Deserialize, Serialize};

use super::first_shape;

/// A name of the keyring. The key itself is derived from the master key and this name, and stored nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NamedKeyRow {
    pub(crate) name: String,
    pub(crate) created: UnixMs,
    /// Since when nothing is encrypted or opened under it.
    pub(crate) disabled: Option<UnixMs>,
}

first_shape!(NamedKeyRow);
