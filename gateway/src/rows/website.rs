//! What a bucket shows as a website.

use serde::{Deserialize, Serialize};

use super::first_shape;
use crate::tables::Setting;

/// A bucket's website configuration; a bucket without one is no website.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Website {
    /// Every request is sent to another host.
    Elsewhere {
        host: String,
        protocol: Option<WebProtocol>,
    },
    Pages(Pages),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pages {
    /// What is served of a folder: its key is this behind the folder's.
    pub(crate) index: String,
    /// The key of what is served instead of an error.
    pub(crate) error: Option<String>,
    /// The first that fits counts.
    pub(crate) rules: Vec<RoutingRule>,
}

/// A redirect and what it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoutingRule {
    /// `None` fits always. One of the two is there.
    pub(crate) condition: Option<RoutingCondition>,
    pub(crate) host: Option<String>,
    pub(crate) protocol: Option<WebProtocol>,
    /// HTTP status of the answer; unset: 301.
    pub(crate) status: Option<u16>,
    pub(crate) key: KeyChange,
}

/// What is said must all hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoutingCondition {
    /// Beginning of the key asked for.
    pub(crate) prefix: Option<String>,
    /// HTTP status that would be answered without the rule.
    pub(crate) error: Option<u16>,
}

/// What a redirect makes of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum KeyChange {
    Kept,
    /// This instead of the condition's prefix, or before the key where there is none.
    Prefix(String),
    /// This instead of the key.
    Whole(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum WebProtocol {
    Http,
    Https,
}

first_shape!(Website);

impl Setting for Website {
    const NAME: &'static str = "website";
}
