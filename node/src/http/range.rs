//! The `range` header of a shard request: a single `bytes=a-b`, nothing else.

use std::ops::Range;

/// A range that can't be served: malformed, empty, or past the shard's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadRange;

/// The bytes that `header` asks for of a shard of `len` bytes; both ends are named and lie within it.
pub(crate) fn parse(header: &str, len: u32) -> Result<Range<u32>, BadRange> {
    let (first, last) = header.strip_prefix("bytes=").and_then(|range| range.split_once('-')).ok_or(BadRange)?;
    let (first, last) = (number(first)?, number(last)?);
    if first <= last && last < len { Ok(first..last + 1) } else { Err(BadRange) }
}

fn number(text: &str) -> Result<u32, BadRange> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().map_err(|_| BadRange) } else { Err(BadRange) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_within_the_shard_is_read_and_everything_else_refused() {
        assert_eq!(parse("bytes=0-0", 1), Ok(0..1));
        assert_eq!(parse("bytes=3-9", 10), Ok(3..10));
        for bad in [
            "bytes=3-10",
            "bytes=5-4",
            "bytes=-4",
            "bytes=4-",
            "bytes=1-2,4-5",
            "items=0-1",
            "bytes=+1-2",
            "",
            "bytes=0-4294967295",
        ] {
            assert_eq!(parse(bad, 10), Err(BadRange), "{bad}");
        }
        assert_eq!(parse("bytes=0-0", 0), Err(BadRange));
    }
}
