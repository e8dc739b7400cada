//! Conditions of reads: `If-Match`, `If-None-Match`, `If-Modified-Since`, `If-Unmodified-Since` and their `x-amz-copy-source-` kin.
//!
//! ```text
//!   If-Match?              no match   ─► 412        If-None-Match?        match         ─► 304 (copy: 412)
//!     else If-Unmodified-Since? later ─► 412          else If-Modified-Since? not later ─► 304 (copy: 412)
//! ```
//! A date that can't be read counts as not given. Dates have whole seconds.
//!
//! Source: RFC 9110 §13.2.2; "Conditional requests" under GetObject and CopyObject in the Amazon S3 API Reference.

use http::HeaderMap;
use jiff::fmt::rfc2822;
use nodio_wire::UnixMs;

/// `*`, or entity tags without their quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tags {
    Any,
    Of(Vec<String>),
}

impl Tags {
    /// Reads a list of tags, quoted or not, weak or strong.
    pub(crate) fn parse(header: &str) -> Self {
        if header.trim() == "*" {
            return Self::Any;
        }
        let tag = |text: &str| {
            let text = text.trim();
            let text = text.strip_prefix("W/").unwrap_or(text);
            text.trim_matches('"').to_owned()
        };
        Self::Of(header.split(',').map(tag).filter(|tag| !tag.is_empty()).collect())
    }

    fn holds(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Of(tags) => tags.iter().any(|tag| tag == etag),
        }
    }
}

/// What a read asks of the object it finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Conditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
    /// Seconds since 1970.
    if_modified_since: Option<u64>,
    if_unmodified_since: Option<u64>,
}

/// How they come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Go,
    NotModified,
    /// The header that failed, by its S3 name.
    Failed(&'static str),
}

impl Conditions {
    pub(crate) fn of_read(headers: &HeaderMap) -> Self {
        Self::read(headers, "")
    }

    pub(crate) fn of_copy_source(headers: &HeaderMap) -> Self {
        Self::read(headers, "x-amz-copy-source-")
    }

    fn read(headers: &HeaderMap, prefix: &str) -> Self {
        let text = |name: &str| headers.get(format!("{prefix}{name}")).and_then(|value| value.to_str().ok());
        Self {
            if_match: text("if-match").map(Tags::parse),
            if_none_match: text("if-none-match").map(Tags::parse),
            if_modified_since: text("if-modified-since").and_then(parse_date),
            if_unmodified_since: text("if-unmodified-since").and_then(parse_date),
        }
    }

    /// `etag` without quotes.
    pub(crate) fn judge(&self, etag: &str, modified: UnixMs) -> Verdict {
        let modified = modified / 1000;
        match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) if !tags.holds(etag) => return Verdict::Failed("If-Match"),
            (None, Some(since)) if modified > since => return Verdict::Failed("If-Unmodified-Since"),
            _ => {}
        }
        match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) if tags.holds(etag) => Verdict::NotModified,
            (None, Some(since)) if modified <= since => Verdict::NotModified,
            _ => Verdict::Go,
        }
    }
}

/// Seconds since 1970 of an HTTP date (RFC 9110 §5.6.7).
pub(crate) fn parse_date(text: &str) -> Option<u64> {
    let zoned = rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    let stamp = zoned.or_else(|| parse_obsolete(text))?;
    Some(u64::try_from(stamp.as_second()).unwrap_or(0))
}

/// The two obsolete forms, which a server must still read.
fn parse_obsolete(text: &str) -> Option<jiff::Timestamp> {
    ["%A, %d-%b-%y %H:%M:%S", "%a %b %d %H:%M:%S %Y"].iter().find_map(|form| {
        let civil = jiff::civil::DateTime::strptime(form, text.trim_end_matches(" GMT")).ok()?;
        Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETAG: &str = "0123456789abcdef0123456789abcdef";
    /// 2026-01-01T00:00:00.5Z
    const MODIFIED: UnixMs = 1_767_225_600_500;
    const AT: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
    const BEFORE: &str = "Wed, 31 Dec 2025 23:59:59 GMT";

    fn judge(pairs: &[(&'static str, &str)]) -> Verdict {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().expect("a header"));
        }
        Conditions::of_read(&headers).judge(ETAG, MODIFIED)
    }

    #[test]
    fn dates_in_all_three_forms() {
        for text in [AT, "Thursday, 01-Jan-26 00:00:00 GMT", "Thu Jan  1 00:00:00 2026"] {
            assert_eq!(parse_date(text), Some(MODIFIED / 1000), "{text}");
        }
        for bad in ["", "yesterday", "2026-01-01"] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_condition_alone() {
        let quoted = format!("\"{ETAG}\"");
        let listed = format!("\"x\", W/\"{ETAG}\"");
        assert_eq!(judge(&[]), Verdict::Go);
        assert_eq!(judge(&[("if-match", &quoted)]), Verdict::Go);
        assert_eq!(judge(&[("if-match", ETAG)]), Verdict::Go);
        assert_eq!(judge(&[("if-match", "*")]), Verdict::Go);
        assert_eq!(judge(&[("if-match", "\"x\"")]), Verdict::Failed("If-Match"));
        assert_eq!(judge(&[("if-none-match", &listed)]), Verdict::NotModified);
        assert_eq!(judge(&[("if-none-match", "\"x\"")]), Verdict::Go);
        assert_eq!(judge(&[("if-modified-since", AT)]), Verdict::NotModified);
        assert_eq!(judge(&[("if-modified-since", BEFORE)]), Verdict::Go);
        assert_eq!(judge(&[("if-unmodified-since", AT)]), Verdict::Go);
        assert_eq!(judge(&[("if-unmodified-since", BEFORE)]), Verdict::Failed("If-Unmodified-Since"));
        assert_eq!(judge(&[("if-modified-since", "soon")]), Verdict::Go);
    }

    /// The two combinations that GetObject's page spells out, and what follows from RFC 9110.
    #[test]
    fn tags_come_before_dates() {
        assert_eq!(judge(&[("if-match", ETAG), ("if-unmodified-since", BEFORE)]), Verdict::Go);
        assert_eq!(judge(&[("if-none-match", ETAG), ("if-modified-since", BEFORE)]), Verdict::NotModified);
        assert_eq!(judge(&[("if-none-match", "\"x\""), ("if-modified-since", AT)]), Verdict::Go);
        assert_eq!(judge(&[("if-match", "\"x\""), ("if-none-match", ETAG)]), Verdict::Failed("If-Match"));
    }

    #[test]
    fn a_copy_has_its_own_names() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-copy-source-if-match", "\"x\"".parse().expect("a header"));
        assert_eq!(Conditions::of_copy_source(&headers).judge(ETAG, MODIFIED), Verdict::Failed("If-Match"));
        assert_eq!(Conditions::of_read(&headers).judge(ETAG, MODIFIED), Verdict::Go);
    }
}
