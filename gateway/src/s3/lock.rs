//! Object Lock as headers and documents say it.
//!
//! Source: "Locking objects with Object Lock" in the S3 User Guide, PutObjectRetention and PutObject in the API Reference.

use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use nodio_wire::UnixMs;
use s3s::dto::{self, ObjectLockLegalHoldStatus, ObjectLockRetentionMode, Timestamp, TimestampFormat};
use s3s::{S3ErrorCode, S3Result};

use super::error::{fail, invalid_argument, malformed_xml};
use super::headers::text;
use crate::rows::{DefaultRetention, Lock, Retention, RetentionMode, RetentionPeriod};

/// The lock that a new object's headers ask for.
pub(crate) fn of_headers(headers: &HeaderMap, now: UnixMs) -> S3Result<Lock> {
    let mode = text(headers, "x-amz-object-lock-mode");
    let until = text(headers, "x-amz-object-lock-retain-until-date");
    let retention = match (mode, until) {
        (None, None) => None,
        (Some(mode), Some(until)) => {
            let mode = parse_mode(mode).ok_or_else(|| invalid_argument("Unknown wormMode directive."))?;
            let until = parse_date(until);
            let until = until.ok_or_else(|| invalid_argument("The retain until date must be provided in ISO 8601 format"))?;
            Some(Retention { mode, until: in_future(until, now)? })
        }
        _ => {
            let message = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied";
            return Err(invalid_argument(message));
        }
    };
    let legal_hold = match text(headers, "x-amz-object-lock-legal-hold") {
        None | Some("OFF") => false,
        Some("ON") => true,
        Some(_) => return Err(invalid_argument("Legal Hold must be either of 'ON' or 'OFF'")),
    };
    Ok(Lock { retention, legal_hold })
}

/// What a Retention document says; `None` for the empty one, which removes it.
pub(crate) fn of_document(document: Option<dto::ObjectLockRetention>, now: UnixMs) -> S3Result<Option<Retention>> {
    let document = document.ok_or_else(malformed_xml)?;
    match (document.mode, document.retain_until_date) {
        (None, None) => Ok(None),
        (Some(mode), Some(until)) => {
            let mode = parse_mode(mode.as_str()).ok_or_else(malformed_xml)?;
            let until = unix_ms(&until).ok_or_else(malformed_xml)?;
            Ok(Some(Retention { mode, until: in_future(until, now)? }))
        }
        _ => Err(malformed_xml()),
    }
}

pub(crate) fn retention_shown(retention: Retention) -> dto::ObjectLockRetention {
    dto::ObjectLockRetention { mode: Some(mode_shown(retention.mode)), retain_until_date: Some(date_shown(retention.until)) }
}

pub(crate) fn mode_shown(mode: RetentionMode) -> ObjectLockRetentionMode {
    ObjectLockRetentionMode::from_static(match mode {
        RetentionMode::Governance => ObjectLockRetentionMode::GOVERNANCE,
        RetentionMode::Compliance => ObjectLockRetentionMode::COMPLIANCE,
    })
}

pub(crate) fn date_shown(until: UnixMs) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_millis(until))
}

/// What a LegalHold document says.
pub(crate) fn hold_of_document(document: Option<dto::ObjectLockLegalHold>) -> S3Result<bool> {
    match document.and_then(|document| document.status).as_ref().map(ObjectLockLegalHoldStatus::as_str) {
        Some(ObjectLockLegalHoldStatus::ON) => Ok(true),
        Some(ObjectLockLegalHoldStatus::OFF) => Ok(false),
        _ => Err(malformed_xml()),
    }
}

pub(crate) fn hold_shown(held: bool) -> ObjectLockLegalHoldStatus {
    ObjectLockLegalHoldStatus::from_static(if held { ObjectLockLegalHoldStatus::ON } else { ObjectLockLegalHoldStatus::OFF })
}

/// What an ObjectLockConfiguration document says new versions get.
pub(crate) fn default_of_document(document: Option<dto::ObjectLockConfiguration>) -> S3Result<Option<DefaultRetention>> {
    let document = document.ok_or_else(malformed_xml)?;
    let enabled = document.object_lock_enabled.as_ref().map(dto::ObjectLockEnabled::as_str);
    if enabled != Some(dto::ObjectLockEnabled::ENABLED) {
        return Err(malformed_xml());
    }
    let Some(rule) = document.rule else { return Ok(None) };
    let default = rule.default_retention.ok_or_else(malformed_xml)?;
    let mode = default.mode.as_ref().and_then(|mode| parse_mode(mode.as_str())).ok_or_else(malformed_xml)?;
    let period = match (default.days, default.years) {
        (Some(days), None) => RetentionPeriod::Days(positive(days, "Days")?),
        (None, Some(years)) => RetentionPeriod::Years(positive(years, "Years")?),
        _ => return Err(malformed_xml()),
    };
    Ok(Some(DefaultRetention { mode, period }))
}

pub(crate) fn default_shown(default: Option<DefaultRetention>) -> dto::ObjectLockConfiguration {
    let rule = default.map(|default| {
        let (days, years) = match default.period {
            RetentionPeriod::Days(days) => (i32::try_from(days).ok(), None),
            RetentionPeriod::Years(years) => (None, i32::try_from(years).ok()),
        };
        let retention = dto::DefaultRetention { days, mode: Some(mode_shown(default.mode)), years };
        dto::ObjectLockRule { default_retention: Some(retention) }
    });
    let enabled = dto::ObjectLockEnabled::from_static(dto::ObjectLockEnabled::ENABLED);
    dto::ObjectLockConfiguration { object_lock_enabled: Some(enabled), rule }
}

fn parse_mode(text: &str) -> Option<RetentionMode> {
    match text {
        ObjectLockRetentionMode::GOVERNANCE => Some(RetentionMode::Governance),
        ObjectLockRetentionMode::COMPLIANCE => Some(RetentionMode::Compliance),
        _ => None,
    }
}

fn parse_date(text: &str) -> Option<UnixMs> {
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok()
}

pub(crate) fn unix_ms(at: &Timestamp) -> Option<UnixMs> {
    let mut text = Vec::new();
    at.format(TimestampFormat::DateTime, &mut text).ok()?;
    parse_date(std::str::from_utf8(&text).ok()?)
}

fn in_future(until: UnixMs, now: UnixMs) -> S3Result<UnixMs> {
    if until > now { Ok(until) } else { Err(invalid_argument("The retain until date must be in the future!")) }
}

/// At most 100 years, as S3.
fn positive(count: i32, unit: &str) -> S3Result<u32> {
    let most = if unit == "Days" { 36_500 } else { 100 };
    let count = u32::try_from(count).ok().filter(|count| (1..=most).contains(count));
    let message = format!("Default retention period in {unit} must be a positive integer value, at most {most}");
    count.ok_or_else(|| fail(S3ErrorCode::Custom("InvalidRetentionPeriod".into()), message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, &str)]) -> Result<Lock, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().expect("a header"));
        }
        of_headers(&headers, 1_000).map_err(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn headers_ask_for_a_lock_whole_or_not_at_all() {
        const MODE: &str = "x-amz-object-lock-mode";
        const UNTIL: &str = "x-amz-object-lock-retain-until-date";
        const HOLD: &str = "x-amz-object-lock-legal-hold";
        assert_eq!(of(&[]), Ok(Lock::default()));
        assert_eq!(of(&[(HOLD, "ON")]), Ok(Lock { retention: None, legal_hold: true }));
        let retention = Retention { mode: RetentionMode::Compliance, until: 2_500 };
        let asked = [(MODE, "COMPLIANCE"), (UNTIL, "1970-01-01T00:00:02.5Z")];
        assert_eq!(of(&asked), Ok(Lock { retention: Some(retention), legal_hold: false }));
        for bad in [
            &[(MODE, "GOVERNANCE")][..],
            &[(UNTIL, "2070-01-01T00:00:00Z")],
            &[(MODE, "governance"), (UNTIL, "2070-01-01T00:00:00Z")],
            &[(MODE, "GOVERNANCE"), (UNTIL, "tomorrow")],
            &[(MODE, "GOVERNANCE"), (UNTIL, "1970-01-01T00:00:01Z")],
            &[(HOLD, "on")],
        ] {
            assert_eq!(of(bad), Err("InvalidArgument".into()), "{bad:?}");
        }
    }
}
