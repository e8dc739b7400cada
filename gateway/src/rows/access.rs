//! Users, their access keys, and which master key all this is sealed under.

use nodio_wire::UnixMs;
use serde::{Deserialize, Serialize};

use super::first_shape;
use crate::keys::SealedSecret;
use crate::names::UserId;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UserRow {
    pub(crate) id: UserId,
    /// Unique login name.
    pub(crate) name: String,
    pub(crate) display_name: String,
    pub(crate) email: Option<String>,
    pub(crate) created: UnixMs,
}

impl UserRow {
    /// Whoever doesn't sign. Not stored; owns what nobody in particular has written.
    pub(crate) fn anonymous() -> Self {
        let name = "anonymous".to_owned();
        Self { id: UserId::anonymous(), display_name: name.clone(), name, email: None, created: 0 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccessKeyRow {
    pub(crate) access_key: String,
    pub(crate) secret_sealed: SealedSecret,
    pub(crate) user: UserId,
    pub(crate) created: UnixMs,
    pub(crate) revoked: Option<UnixMs>,
    /// A policy that narrows what this key may do.
    pub(crate) policy: Option<String>,
}

/// Tells one master key from another without telling anything else of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MasterRow {
    pub(crate) fingerprint: [u8; 16],
}

first_shape!(UserRow, AccessKeyRow, MasterRow);
