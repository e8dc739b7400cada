//! What a website answers, decided without looking at anything.
//!
//! ```text
//!   key ─► every request elsewhere? ─► a rule about the key? ─► look for the key, or its folder's index
//!                  └─ 301                    └─ 3xx                 │ found: served, or its own redirect
//!                                                                   └ error ─► a folder? 302 ─► a rule about the error? 3xx
//!                                                                                ─► error document (4xx) ─► S3's page
//! ```
//! Source: "Configuring an index document", "Configuring a webpage redirect", "Configuring a custom error document" in the S3 User Guide.

use super::guard::query::encode;
use crate::rows::{KeyChange, Pages, RoutingCondition, RoutingRule, WebProtocol, Website};

/// What of a request matters. The key is decoded and without the slash that every path begins with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visit<'a> {
    pub(crate) key: &'a str,
    /// As the client has it, with a port if there is one.
    pub(crate) host: &'a str,
    pub(crate) protocol: WebProtocol,
}

/// A redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moved {
    /// HTTP status.
    pub(crate) status: u16,
    /// A URL, or a path of the same host; printable ASCII.
    pub(crate) location: String,
}

/// What to do first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum First<'a> {
    Redirect(Moved),
    /// Serve what is under the key; where it can't be served, ask [`after_error`].
    Look {
        key: String,
        pages: &'a Pages,
    },
}

/// What to do about an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Then<'a> {
    Redirect(Moved),
    /// Serve what is under this key, with the error's status.
    Document(&'a str),
    Page,
}

/// Before anything is looked for.
pub(crate) fn first<'a>(website: &'a Website, visit: &Visit<'_>) -> First<'a> {
    match website {
        Website::Elsewhere { host, protocol } => {
            First::Redirect(Moved { status: 301, location: url(protocol.unwrap_or(visit.protocol), host, &encode(visit.key)) })
        }
        Website::Pages(pages) => match rule(pages, visit.key, None) {
            Some(rule) => First::Redirect(redirect(rule, visit)),
            None => First::Look { key: indexed(pages, visit.key), pages },
        },
    }
}

/// The key whose object says that a key is a folder; `None` for what can't be one.
pub(crate) fn index_of_folder(pages: &Pages, key: &str) -> Option<String> {
    (!key.is_empty() && !key.ends_with('/')).then(|| format!("{key}/{}", pages.index))
}

/// After the lookup ended in `status`; `is_folder` where nothing is under the key and something under [`index_of_folder`].
pub(crate) fn after_error<'a>(pages: &'a Pages, visit: &Visit<'_>, status: u16, is_folder: bool) -> Then<'a> {
    if is_folder {
        return Then::Redirect(Moved { status: 302, location: format!("{}/", path(&encode(visit.key))) });
    }
    if let Some(rule) = rule(pages, visit.key, Some(status)) {
        return Then::Redirect(redirect(rule, visit));
    }
    match &pages.error {
        Some(key) if (400..500).contains(&status) => Then::Document(key),
        _ => Then::Page,
    }
}

fn indexed(pages: &Pages, key: &str) -> String {
    let index = if key.is_empty() || key.ends_with('/') { &*pages.index } else { "" };
    format!("{key}{index}")
}

/// The first rule that fits: before there is an error those that need none, then those for it.
fn rule<'a>(pages: &'a Pages, key: &str, error: Option<u16>) -> Option<&'a RoutingRule> {
    let fits = |condition: &RoutingCondition| {
        condition.error == error && condition.prefix.as_ref().is_none_or(|prefix| key.starts_with(&**prefix))
    };
    pages.rules.iter().find(|rule| rule.condition.as_ref().map_or(error.is_none(), fits))
}

fn redirect(rule: &RoutingRule, visit: &Visit<'_>) -> Moved {
    let key = match &rule.key {
        KeyChange::Kept => encode(visit.key),
        KeyChange::Whole(key) => printable(key),
        KeyChange::Prefix(new) => {
            let old = rule.condition.as_ref().and_then(|condition| condition.prefix.as_deref()).unwrap_or_default();
            printable(new) + &encode(visit.key.strip_prefix(old).unwrap_or(visit.key))
        }
    };
    let host = rule.host.as_deref().unwrap_or(visit.host);
    Moved { status: rule.status.unwrap_or(301), location: url(rule.protocol.unwrap_or(visit.protocol), host, &key) }
}

fn url(protocol: WebProtocol, host: &str, key: &str) -> String {
    let scheme = match protocol {
        WebProtocol::Http => "http",
        WebProtocol::Https => "https",
    };
    format!("{scheme}://{host}/{key}")
}

/// A path of this host: one that began with two slashes would be read as another host.
fn path(key: &str) -> String {
    match key.strip_prefix('/') {
        Some(rest) => format!("/%2F{rest}"),
        None => format!("/{key}"),
    }
}

/// As the owner wrote it, `#`, `?` and escapes included, but for what can't stand in a header.
fn printable(text: &str) -> String {
    let plain = |char: char| if char.is_ascii_graphic() { char.to_string() } else { encode(&char.to_string()) };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests;
