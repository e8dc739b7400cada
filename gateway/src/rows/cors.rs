//! Which pages of other origins may use a bucket.

use serde::{Deserialize, Serialize};

use super::first_shape;
use crate::tables::Setting;

/// A bucket's CORS configuration; the first rule that fits counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cors {
    pub(crate) rules: Vec<CorsRule>,
}

/// Origins and headers may have one `*` each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CorsRule {
    pub(crate) id: Option<String>,
    pub(crate) methods: Vec<String>,
    pub(crate) origins: Vec<String>,
    pub(crate) headers: Vec<String>,
    pub(crate) exposed: Vec<String>,
    pub(crate) max_age_s: Option<u32>,
}

first_shape!(Cors);

impl Setting for Cors {
    const NAME: &'static str = "cors";
}
