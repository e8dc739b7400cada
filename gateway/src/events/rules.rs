//! Which rule an event falls under.
//!
//! Source: "Filtering event notifications using object key names" in the S3 User Guide.

use std::borrow::Cow;

use crate::rows::{EventKind, NotificationRule, Notifications, Watched};

impl Notifications {
    /// The rule about this event; there is at most one.
    pub(crate) fn about(&self, kind: EventKind, key: &str) -> Option<&NotificationRule> {
        self.rules.iter().find(|rule| rule.is_about(kind, key.as_bytes()))
    }
}

impl NotificationRule {
    fn is_about(&self, kind: EventKind, key: &[u8]) -> bool {
        let begins = |prefix: &String| key.starts_with(&decoded(prefix));
        let ends = |suffix: &String| key.ends_with(&decoded(suffix));
        self.watched.iter().any(|watched| watched.covers(kind))
            && self.prefix.as_ref().is_none_or(begins)
            && self.suffix.as_ref().is_none_or(ends)
    }
}

/// A filter's value as the bytes of a key: `+` is a space, `%XX` a byte. What isn't well encoded is taken as it is.
pub(crate) fn decoded(value: &str) -> Cow<'_, [u8]> {
    if !value.contains(['%', '+']) {
        return Cow::Borrowed(value.as_bytes());
    }
    let mut bytes = value.bytes();
    let mut out = Vec::with_capacity(value.len());
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => match (bytes.next().and_then(digit), bytes.next().and_then(digit)) {
                (Some(high), Some(low)) => out.push(high << 4 | low),
                _ => return Cow::Borrowed(value.as_bytes()),
            },
            byte => out.push(byte),
        }
    }
    Cow::Owned(out)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Whether some event of some key falls under both rules.
pub(crate) fn overlap(one: &NotificationRule, other: &NotificationRule) -> bool {
    let (prefix, prefix_too) = (value(&one.prefix), value(&other.prefix));
    let (suffix, suffix_too) = (value(&one.suffix), value(&other.suffix));
    one.watched.iter().any(|watched| other.watched.iter().any(|too| share(*watched, *too)))
        && (prefix.starts_with(&prefix_too) || prefix_too.starts_with(&prefix))
        && (suffix.ends_with(&suffix_too) || suffix_too.ends_with(&suffix))
}

fn value(written: &Option<String>) -> Cow<'_, [u8]> {
    written.as_deref().map_or(Cow::Borrowed(&[][..]), decoded)
}

/// Whether some event is both.
pub(crate) fn share(one: Watched, other: Watched) -> bool {
    match (one, other) {
        (Watched::One(kind), other) => other.covers(kind),
        (one, Watched::One(kind)) => one.covers(kind),
        (one, other) => one == other,
    }
}
