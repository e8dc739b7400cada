//! Lifecycle configurations as clients write and read them.
//!
//! Source: PutBucketLifecycleConfiguration in the Amazon S3 API Reference; "Lifecycle configuration elements" in the S3 User Guide.

use std::collections::HashSet;

use nodio_wire::UnixMs;
use nodio_wire::auth::random_bytes;
use s3s::dto::{
    self, AbortIncompleteMultipartUpload, ExpirationStatus, LifecycleExpiration, LifecycleRuleAndOperator, LifecycleRuleFilter,
    NoncurrentVersionExpiration, Tag, Timestamp, TimestampFormat,
};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::error::{fail, invalid_argument, malformed_xml};
use super::limits::{LIFECYCLE_KEPT_MAX, LIFECYCLE_RULES_MAX, RULE_ID_CHARS_MAX};
use crate::lifecycle::Clock;
use crate::names::KEY_BYTES_MAX;
use crate::rows::{Expiration, FilterForm, Lifecycle, LifecycleRule, NoncurrentExpiration, RuleFilter};

fn invalid_request(message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    fail(S3ErrorCode::InvalidRequest, message)
}

/// Reads what a client wrote; rules without an id get one.
pub(super) fn read(rules: &[dto::LifecycleRule]) -> S3Result<Lifecycle> {
    if rules.is_empty() || rules.len() > LIFECYCLE_RULES_MAX {
        return Err(malformed_xml());
    }
    let rules = rules.iter().map(rule).collect::<S3Result<Vec<_>>>()?;
    let mut ids = HashSet::new();
    if !rules.iter().all(|rule| ids.insert(rule.id.as_str())) {
        return Err(invalid_argument("Rule ID must be unique. Found same ID for more than one rule"));
    }
    Ok(Lifecycle { rules })
}

fn rule(rule: &dto::LifecycleRule) -> S3Result<LifecycleRule> {
    let enabled = match rule.status.as_str() {
        ExpirationStatus::ENABLED => true,
        ExpirationStatus::DISABLED => false,
        _ => return Err(malformed_xml()),
    };
    let filter = match (&rule.prefix, &rule.filter) {
        (Some(prefix), None) => of_prefix(FilterForm::OldPrefix, Some(prefix))?,
        (None, Some(given)) => filter(given)?,
        _ => return Err(malformed_xml()),
    };
    let read = LifecycleRule {
        id: id(rule.id.as_deref())?,
        enabled,
        expiration: rule.expiration.as_ref().map(expiration).transpose()?,
        noncurrent: rule.noncurrent_version_expiration.as_ref().map(noncurrent).transpose()?,
        abort_after_days: rule.abort_incomplete_multipart_upload.as_ref().map(abort).transpose()?,
        filter,
    };
    refuse_transitions(rule)?;
    check_together(&read)?;
    Ok(read)
}

fn id(given: Option<&str>) -> S3Result<String> {
    match given.filter(|id| !id.is_empty()) {
        None => Ok(hex::encode(random_bytes::<16>())),
        Some(id) if id.chars().count() > RULE_ID_CHARS_MAX => {
            Err(invalid_argument("ID length should not exceed allowed limit of 255"))
        }
        Some(id) => Ok(id.to_owned()),
    }
}

fn of_prefix(form: FilterForm, prefix: Option<&String>) -> S3Result<RuleFilter> {
    if prefix.is_some_and(|prefix| prefix.len() > KEY_BYTES_MAX) {
        return Err(invalid_request("The maximum size of a prefix is 1024"));
    }
    Ok(RuleFilter { form, prefix: prefix.cloned(), tags: Vec::new(), larger_than: None, smaller_than: None })
}

/// Conditions by themselves, within `And`, or both: all must hold. S3 takes several in `And` only.
fn filter(given: &LifecycleRuleFilter) -> S3Result<RuleFilter> {
    let tag = given.tag.iter();
    let sizes = (given.object_size_greater_than, given.object_size_less_than);
    match &given.and {
        None => of_conditions(FilterForm::Filter, given.prefix.as_ref(), tag, sizes),
        Some(and) if is_empty(and) => Err(malformed_xml()),
        Some(and) => {
            let prefix = narrower(given.prefix.as_ref(), and.prefix.as_ref())?;
            let larger = sizes.0.max(and.object_size_greater_than);
            let smaller = [sizes.1, and.object_size_less_than].into_iter().flatten().min();
            of_conditions(FilterForm::And, prefix, and.tags.iter().flatten().chain(tag), (larger, smaller))
        }
    }
}

fn is_empty(and: &LifecycleRuleAndOperator) -> bool {
    let tags = and.tags.as_ref().is_some_and(|tags| !tags.is_empty());
    and.prefix.is_none() && !tags && and.object_size_greater_than.is_none() && and.object_size_less_than.is_none()
}

/// Of two prefixes the one that implies the other.
fn narrower<'a>(one: Option<&'a String>, other: Option<&'a String>) -> S3Result<Option<&'a String>> {
    match (one, other) {
        (Some(one), Some(other)) if one.starts_with(other.as_str()) => Ok(Some(one)),
        (Some(one), Some(other)) if other.starts_with(one.as_str()) => Ok(Some(other)),
        (Some(_), Some(_)) => Err(malformed_xml()),
        (one, other) => Ok(one.or(other)),
    }
}

fn of_conditions<'a>(
    form: FilterForm,
    prefix: Option<&String>,
    tagged: impl Iterator<Item = &'a Tag>,
    (larger, smaller): (Option<i64>, Option<i64>),
) -> S3Result<RuleFilter> {
    let read = RuleFilter {
        tags: tags(tagged)?,
        larger_than: larger.map(bytes).transpose()?,
        smaller_than: smaller.map(bytes).transpose()?,
        ..of_prefix(form, prefix)?
    };
    match (read.larger_than, read.smaller_than) {
        (Some(larger), Some(smaller)) if larger >= smaller => {
            Err(invalid_request("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'."))
        }
        _ => Ok(read),
    }
}

fn tags<'a>(given: impl Iterator<Item = &'a Tag>) -> S3Result<Vec<(String, String)>> {
    let pair = |tag: &Tag| Some((tag.key.clone().filter(|key| !key.is_empty())?, tag.value.clone()?));
    let pairs: Vec<(String, String)> = given.map(pair).collect::<Option<_>>().ok_or_else(malformed_xml)?;
    let mut keys = HashSet::new();
    if !pairs.iter().all(|(key, _)| keys.insert(key.as_str())) {
        return Err(invalid_request("Duplicate Tag Keys are not allowed."));
    }
    if pairs.iter().any(|(key, value)| key.chars().count() > 128 || value.chars().count() > 256) {
        return Err(fail(S3ErrorCode::InvalidTag, "The tag provided was not a valid tag."));
    }
    Ok(pairs)
}

fn bytes(size: i64) -> S3Result<u64> {
    u64::try_from(size).map_err(|_| invalid_request("An object size must not be negative"))
}

fn positive(number: i32, what: &'static str) -> S3Result<u32> {
    let number = u32::try_from(number).ok().filter(|number| *number > 0);
    number.ok_or_else(|| invalid_argument(format!("{what} must be a positive integer")))
}

fn expiration(given: &LifecycleExpiration) -> S3Result<Expiration> {
    match (given.days, &given.date, given.expired_object_delete_marker) {
        (Some(days), None, None) => positive(days, "'Days' for Expiration action").map(Expiration::Days),
        (None, Some(date), None) => midnight(date).map(Expiration::Date),
        (None, None, Some(goes)) => Ok(Expiration::LoneMarker(goes)),
        _ => Err(malformed_xml()),
    }
}

fn midnight(date: &Timestamp) -> S3Result<UnixMs> {
    let at = millis(date).filter(|at| Clock::REAL.is_midnight(*at));
    at.ok_or_else(|| invalid_argument("'Date' must be at midnight GMT"))
}

fn millis(at: &Timestamp) -> Option<UnixMs> {
    let mut text = Vec::new();
    at.format(TimestampFormat::DateTime, &mut text).ok()?;
    let parsed: jiff::Timestamp = std::str::from_utf8(&text).ok()?.parse().ok()?;
    u64::try_from(parsed.as_millisecond()).ok()
}

fn noncurrent(given: &NoncurrentVersionExpiration) -> S3Result<NoncurrentExpiration> {
    let days = given.noncurrent_days.ok_or_else(malformed_xml)?;
    let days = positive(days, "'NoncurrentDays' for NoncurrentVersionExpiration action")?;
    let kept = given.newer_noncurrent_versions.map(|kept| positive(kept, "'NewerNoncurrentVersions'")).transpose()?;
    if kept.is_some_and(|kept| kept > LIFECYCLE_KEPT_MAX) {
        return Err(invalid_argument("'NewerNoncurrentVersions' must be at most 100"));
    }
    Ok(NoncurrentExpiration { days, kept })
}

fn abort(given: &AbortIncompleteMultipartUpload) -> S3Result<u32> {
    let days = given.days_after_initiation.ok_or_else(malformed_xml)?;
    positive(days, "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action")
}

/// There is one kind of storage here: nothing would move. What is wrong with a transition is said first.
fn refuse_transitions(rule: &dto::LifecycleRule) -> S3Result<()> {
    let current = rule.transitions.as_deref().unwrap_or_default();
    for transition in current {
        match (&transition.date, transition.days) {
            (Some(date), None) => drop(midnight(date)?),
            (None, Some(days)) if days < 0 => return Err(invalid_argument("'Days' for Transition action must be nonnegative")),
            (None, Some(_)) => {}
            _ => return Err(malformed_xml()),
        }
    }
    if current.is_empty() && rule.noncurrent_version_transitions.as_deref().unwrap_or_default().is_empty() {
        return Ok(());
    }
    Err(fail(S3ErrorCode::NotImplemented, "Transitions between storage classes are not implemented"))
}

fn check_together(rule: &LifecycleRule) -> S3Result<()> {
    if rule.expiration.is_none() && rule.noncurrent.is_none() && rule.abort_after_days.is_none() {
        return Err(invalid_request("At least one action needs to be specified in a rule"));
    }
    let of_objects = !rule.filter.tags.is_empty() || rule.filter.larger_than.is_some() || rule.filter.smaller_than.is_some();
    if of_objects && rule.abort_after_days.is_some() {
        return Err(invalid_request("AbortIncompleteMultipartUpload cannot be specified with Tags or Object Size."));
    }
    if of_objects && matches!(rule.expiration, Some(Expiration::LoneMarker(_))) {
        return Err(invalid_request("ExpiredObjectDeleteMarker cannot be specified with Tags or Object Size."));
    }
    Ok(())
}

/// As it was written.
pub(super) fn show(rules: Lifecycle) -> Vec<dto::LifecycleRule> {
    rules.rules.into_iter().map(show_rule).collect()
}

fn show_rule(rule: LifecycleRule) -> dto::LifecycleRule {
    let status = if rule.enabled { ExpirationStatus::ENABLED } else { ExpirationStatus::DISABLED };
    let (prefix, filter) = show_filter(rule.filter);
    dto::LifecycleRule {
        abort_incomplete_multipart_upload: rule
            .abort_after_days
            .map(|days| AbortIncompleteMultipartUpload { days_after_initiation: Some(signed(days)) }),
        expiration: rule.expiration.map(show_expiration),
        filter,
        id: Some(rule.id),
        noncurrent_version_expiration: rule.noncurrent.map(|end| NoncurrentVersionExpiration {
            newer_noncurrent_versions: end.kept.map(signed),
            noncurrent_days: Some(signed(end.days)),
        }),
        noncurrent_version_transitions: None,
        prefix,
        status: ExpirationStatus::from_static(status),
        transitions: None,
    }
}

fn show_expiration(expiration: Expiration) -> LifecycleExpiration {
    let mut shown = LifecycleExpiration::default();
    match expiration {
        Expiration::Days(days) => shown.days = Some(signed(days)),
        Expiration::Date(date) => shown.date = Some(super::ops::timestamp(date)),
        Expiration::LoneMarker(goes) => shown.expired_object_delete_marker = Some(goes),
    }
    shown
}

fn show_filter(filter: RuleFilter) -> (Option<String>, Option<LifecycleRuleFilter>) {
    let size = |bytes: Option<u64>| bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let (larger, smaller) = (size(filter.larger_than), size(filter.smaller_than));
    let mut tags = filter.tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) });
    match filter.form {
        FilterForm::OldPrefix => (filter.prefix, None),
        FilterForm::Filter => {
            let shown = LifecycleRuleFilter {
                and: None,
                object_size_greater_than: larger,
                object_size_less_than: smaller,
                prefix: filter.prefix,
                tag: tags.next(),
            };
            (None, Some(shown))
        }
        FilterForm::And => {
            let and = LifecycleRuleAndOperator {
                object_size_greater_than: larger,
                object_size_less_than: smaller,
                prefix: filter.prefix,
                tags: Some(tags.collect()),
            };
            (None, Some(LifecycleRuleFilter { and: Some(and), ..LifecycleRuleFilter::default() }))
        }
    }
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
