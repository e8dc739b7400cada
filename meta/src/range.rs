//! Ranges of keys.

use std::ops::{Bound, RangeBounds};

use bytes::Bytes;

use crate::KeyRange;

impl KeyRange {
    /// `KeyRange::new(a..=b)`, with keys as [`Bytes`].
    pub fn new(range: impl RangeBounds<Bytes>) -> Self {
        Self { start: range.start_bound().cloned(), end: range.end_bound().cloned() }
    }

    /// Every key.
    pub fn all() -> Self {
        Self { start: Bound::Unbounded, end: Bound::Unbounded }
    }

    /// Every key that begins with `prefix`, itself included.
    pub fn prefix(prefix: &[u8]) -> Self {
        Self { start: Bound::Included(Bytes::copy_from_slice(prefix)), end: after_prefix(prefix) }
    }

    /// From `start`, up to but without `end`.
    pub fn between(start: impl Into<Bytes>, end: impl Into<Bytes>) -> Self {
        Self { start: Bound::Included(start.into()), end: Bound::Excluded(end.into()) }
    }

    /// What comes after `key`, up to but without `end`.
    pub fn after(key: impl Into<Bytes>, end: impl Into<Bytes>) -> Self {
        Self { start: Bound::Excluded(key.into()), end: Bound::Excluded(end.into()) }
    }

    /// This range, from `key` on; a start that is further on stays.
    #[must_use]
    pub fn starting_at(self, key: impl Into<Bytes>) -> Self {
        self.narrow(Bound::Included(key.into()), Bound::Unbounded)
    }

    /// This range without `key` and what comes before it: the rest of a listing whose last row was `key`.
    #[must_use]
    pub fn starting_after(self, key: impl Into<Bytes>) -> Self {
        self.narrow(Bound::Excluded(key.into()), Bound::Unbounded)
    }

    /// This range without `key` and what comes after it.
    #[must_use]
    pub fn ending_before(self, key: impl Into<Bytes>) -> Self {
        self.narrow(Bound::Unbounded, Bound::Excluded(key.into()))
    }

    pub fn contains(&self, key: &[u8]) -> bool {
        RangeBounds::<[u8]>::contains(&self.as_slices(), key)
    }

    /// No key can be in it: the bounds are crossed, or meet in an excluded key.
    pub fn is_empty(&self) -> bool {
        use Bound::{Excluded, Included, Unbounded};
        match (&self.start, &self.end) {
            (Unbounded, Excluded(end)) => end.is_empty(),
            (Unbounded, _) | (_, Unbounded) => false,
            (Included(start), Included(end)) => start > end,
            (Included(start), Excluded(end)) | (Excluded(start), Included(end)) => start >= end,
            // The key that follows `start` is `start` with a zero byte.
            (Excluded(start), Excluded(end)) => {
                start >= end || (end.len() == start.len() + 1 && end[start.len()..] == [0] && end.starts_with(start))
            }
        }
    }

    /// The bounds as maps of byte slices take them.
    pub(crate) fn as_slices(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (self.start.as_ref().map(AsRef::as_ref), self.end.as_ref().map(AsRef::as_ref))
    }

    fn narrow(self, start: Bound<Bytes>, end: Bound<Bytes>) -> Self {
        Self { start: later_start(self.start, start), end: earlier_end(self.end, end) }
    }
}

/// The first key behind all that begin with `prefix`: the last byte that can be raised is raised, and what follows it is cut.
fn after_prefix(prefix: &[u8]) -> Bound<Bytes> {
    let Some(last) = prefix.iter().rposition(|byte| *byte != u8::MAX) else { return Bound::Unbounded };
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Bound::Excluded(end.into())
}

fn later_start(one: Bound<Bytes>, other: Bound<Bytes>) -> Bound<Bytes> {
    match (key_of(&one), key_of(&other)) {
        (None, _) => other,
        (_, None) => one,
        (Some(a), Some(b)) if a == b && matches!(other, Bound::Excluded(_)) => other,
        (Some(a), Some(b)) if a < b => other,
        _ => one,
    }
}

fn earlier_end(one: Bound<Bytes>, other: Bound<Bytes>) -> Bound<Bytes> {
    match (key_of(&one), key_of(&other)) {
        (None, _) => other,
        (_, None) => one,
        (Some(a), Some(b)) if a == b && matches!(other, Bound::Excluded(_)) => other,
        (Some(a), Some(b)) if a > b => other,
        _ => one,
    }
}

fn key_of(bound: &Bound<Bytes>) -> Option<&Bytes> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => Some(key),
        Bound::Unbounded => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert_eq, prop_oneof, proptest};
    use proptest::strategy::{Just, Strategy};

    use super::*;

    /// Short keys over few bytes, the extreme ones included, so that keys meet and contain one another.
    fn key() -> impl Strategy<Value = Bytes> {
        vec(prop_oneof![Just(0), Just(1), Just(b'a'), Just(u8::MAX)], 0..4).prop_map(Bytes::from)
    }

    proptest! {
        #[test]
        fn a_prefix_holds_exactly_the_keys_that_begin_with_it(prefix in key(), key in key()) {
            prop_assert_eq!(KeyRange::prefix(&prefix).contains(&key), key.starts_with(&prefix));
        }

        #[test]
        fn narrowing_is_an_intersection(low in key(), high in key(), cut in key(), key in key()) {
            let range = KeyRange::between(low, high);
            let held = range.contains(&key);
            prop_assert_eq!(range.clone().starting_at(cut.clone()).contains(&key), held && key >= cut);
            prop_assert_eq!(range.clone().starting_after(cut.clone()).contains(&key), held && key > cut);
            prop_assert_eq!(range.ending_before(cut.clone()).contains(&key), held && key < cut);
        }

        #[test]
        fn an_empty_range_holds_nothing(a in key(), b in key(), key in key(), kinds in any::<(bool, bool)>()) {
            let bound = |key, included| if included { Bound::Included(key) } else { Bound::Excluded(key) };
            let range = KeyRange { start: bound(a, kinds.0), end: bound(b, kinds.1) };
            prop_assert_eq!(range.contains(&key) && range.is_empty(), false);
        }
    }

    #[test]
    fn the_bounds_are_what_their_names_say() {
        let held = |range: KeyRange| ["a", "b", "c"].into_iter().filter(|key| range.contains(key.as_bytes())).collect::<String>();
        assert_eq!(held(KeyRange::all()), "abc");
        assert_eq!(held(KeyRange::between("a", "c")), "ab");
        assert_eq!(held(KeyRange::after("a", "c")), "b");
        assert_eq!(held(KeyRange::new(Bytes::from("b")..)), "bc");
        assert_eq!(held(KeyRange::new(..=Bytes::from("b"))), "ab");
        assert_eq!(held(KeyRange::prefix(b"")), "abc");
        assert!(KeyRange::after("a", "a\0").is_empty() && KeyRange::between("b", "a").is_empty());
        assert!(!KeyRange::prefix(&[u8::MAX]).is_empty());
    }
}
