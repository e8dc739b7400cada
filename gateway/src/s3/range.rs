//! Byte ranges. A `Range` header that isn't one range of bytes is ignored, several ranges included: S3 answers the whole object.
//!
//! Source: RFC 9110 §14.1.2; GetObject and UploadPartCopy in the Amazon S3 API Reference.

use std::ops::Range;

/// A range as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// From the first byte to the last, both included.
    Between(u64, u64),
    From(u64),
    /// So many bytes at the end.
    Last(u64),
}

/// No byte of the object is in the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unsatisfiable;

impl Asked {
    /// `None` for what RFC 9110 calls invalid, and for several ranges.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let (unit, range) = header.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        match range.trim().split_once('-')? {
            ("", last) => number(last).map(Self::Last),
            (first, "") => number(first).map(Self::From),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }

    /// The bytes meant, of an object that is `size` long.
    pub(crate) fn within(self, size: u64) -> Result<Range<u64>, Unsatisfiable> {
        let range = match self {
            Self::Between(first, last) => first..last.saturating_add(1).min(size),
            Self::From(first) => first..size,
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        if range.start < range.end { Ok(range) } else { Err(Unsatisfiable) }
    }
}

/// Digits alone. A number past 2^64 is past every end.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// `x-amz-copy-source-range`: exact, `bytes=first-last`, wholly within the source.
pub(crate) fn parse_copy(header: &str) -> Option<Range<u64>> {
    match Asked::parse(header)? {
        Asked::Between(first, last) => Some(first..last.checked_add(1)?),
        Asked::From(_) | Asked::Last(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_of_ten_bytes() {
        let of = |header: &str| Asked::parse(header).map(|range| range.within(10));
        assert_eq!(of("bytes=0-3"), Some(Ok(0..4)));
        assert_eq!(of("bytes=5-"), Some(Ok(5..10)));
        assert_eq!(of("bytes=-3"), Some(Ok(7..10)));
        assert_eq!(of("bytes=-30"), Some(Ok(0..10)));
        assert_eq!(of("bytes=9-99999999999999999999999"), Some(Ok(9..10)));
        for past in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(of(past), Some(Err(Unsatisfiable)), "{past}");
        }
        for ignored in
            ["bytes=3-1", "bytes=0-1,4-5", "bytes=", "bytes=-", "lines=1-2", "bytes", "bytes=a-b", "bytes=+1-2", "bytes=1--2"]
        {
            assert_eq!(of(ignored), None, "{ignored}");
        }
        assert_eq!(Asked::Last(5).within(0), Err(Unsatisfiable));
    }

    #[test]
    fn copy_ranges_are_exact() {
        assert_eq!(parse_copy("bytes=0-9"), Some(0..10));
        for bad in ["bytes=0-", "bytes=-5", "0-9", "bytes=9-0"] {
            assert_eq!(parse_copy(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_satisfied_range_lies_within(first in 0u64..50, len in 0u64..50, size in 0u64..60) {
            if let Ok(range) = Asked::Between(first, first + len).within(size) {
                prop_assert!(range.start == first && range.start < range.end && range.end <= size);
            } else {
                prop_assert!(first >= size);
            }
        }
    }
}
