//! The policy document of a form: until when, and what every field must be.
//!
//! Promise: pure; a field that no condition speaks of is refused, so whoever has the form can't add to it.
//!
//! Source: "POST policy" in the Amazon S3 API Reference. Messages as S3 gives them.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::StatusCode;
use nodio_wire::UnixMs;
use serde_json::{Map, Value};

use super::fields::Fields;
use crate::s3::guard::refusal::Refusal;

/// Fields that need no condition. S3's own, and checksums: they allow nothing, they only hold the file to what it should be.
const UNCONDITIONAL: [&str; 5] = ["x-amz-signature", "awsaccesskeyid", "signature", "policy", "bucket"];
const UNCONDITIONAL_PREFIXES: [&str; 2] = ["x-ignore-", "x-amz-checksum-"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    expires: UnixMs,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    test: Test,
    /// As S3 repeats it where it fails.
    shown: String,
}

/// Field names are lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Is {
        field: String,
        value: String,
    },
    StartsWith {
        field: String,
        prefix: String,
    },
    Length {
        min: u64,
        max: u64,
    },
    /// Well-formed, and nothing can meet it.
    Never,
}

impl Policy {
    /// From the `policy` field.
    pub(crate) fn parse(field: &str) -> Result<Self, Refusal> {
        let text: String = field.chars().filter(|char| !char.is_ascii_whitespace()).collect();
        let json = BASE64.decode(text).map_err(|_| invalid("invalid Base64 encoding."))?;
        let Ok(Value::Object(members)) = serde_json::from_slice(&json) else { return Err(invalid("Invalid JSON.")) };
        if let Some(name) = members.keys().find(|name| !["expiration", "conditions"].contains(&name.as_str())) {
            return Err(invalid(format!("Unexpected: '{}'", name.to_lowercase())));
        }
        let expiration = members.get("expiration").ok_or_else(|| invalid("Policy missing expiration."))?;
        let conditions = members.get("conditions").ok_or_else(|| invalid("Policy missing conditions."))?;
        let Value::Array(conditions) = conditions else { return Err(invalid("Invalid 'conditions' value: must be a List.")) };
        Ok(Self { expires: expires(expiration)?, conditions: conditions.iter().map(condition).collect::<Result<_, _>>()? })
    }

    /// Holds a form to it, its file's name filled in; answers the sizes that the file may have. `bucket` is the one it is sent to.
    pub(crate) fn check(&self, fields: &Fields, bucket: &str, now: UnixMs) -> Result<RangeInclusive<u64>, Refusal> {
        if now >= self.expires {
            return Err(denied("Policy expired."));
        }
        let value = |name: &str| if name == "bucket" { bucket } else { fields.get(name).unwrap_or_default() };
        if let Some(failed) = self.conditions.iter().find(|condition| !condition.test.holds(value)) {
            return Err(denied(format!("Policy Condition failed: {}", failed.shown)));
        }
        let covered = |name: &str| self.conditions.iter().any(|condition| condition.test.field() == Some(name));
        let free =
            |name: &str| UNCONDITIONAL.contains(&name) || UNCONDITIONAL_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        if let Some(field) = fields.iter().find(|field| !free(&field.name) && !covered(&field.name)) {
            return Err(denied(format!("Extra input fields: {}", field.sent)));
        }
        // The bucket is as good as a field: without a condition the form would do for every bucket of its signer.
        if covered("bucket") { Ok(self.lengths()) } else { Err(denied("Extra input fields: bucket")) }
    }

    fn lengths(&self) -> RangeInclusive<u64> {
        let ranges = self.conditions.iter().filter_map(|condition| match condition.test {
            Test::Length { min, max } => Some((min, max)),
            _ => None,
        });
        let (min, max) = ranges.fold((0, u64::MAX), |(low, high), (min, max)| (low.max(min), high.min(max)));
        min..=max
    }
}

impl Test {
    fn field(&self) -> Option<&str> {
        match self {
            Self::Is { field, .. } | Self::StartsWith { field, .. } => Some(field),
            Self::Length { .. } | Self::Never => None,
        }
    }

    /// A field that isn't there is an empty one.
    fn holds<'a>(&self, value: impl Fn(&str) -> &'a str) -> bool {
        match self {
            Self::Is { field, value: wanted } => value(field) == wanted,
            // Types with commas between are a list, and each must fit.
            Self::StartsWith { field, prefix } if field == "content-type" => {
                value(field).split(',').all(|one| one.trim_start().starts_with(prefix))
            }
            Self::StartsWith { field, prefix } => value(field).starts_with(prefix),
            Self::Length { .. } => true,
            Self::Never => false,
        }
    }
}

/// `2026-01-01T12:00:00.000Z`: in UTC and no other way.
fn expires(value: &Value) -> Result<UnixMs, Refusal> {
    let bad = |shown: &str| invalid(format!("Invalid 'expiration' value: '{shown}'"));
    let text = value.as_str().ok_or_else(|| bad(&value.to_string()))?;
    let formed = text.len() >= 20 && text.as_bytes()[10] == b'T' && text.ends_with('Z');
    let stamp: jiff::Timestamp = text.parse().ok().filter(|_| formed).ok_or_else(|| bad(text))?;
    Ok(u64::try_from(stamp.as_millisecond()).unwrap_or(0))
}

fn condition(value: &Value) -> Result<Condition, Refusal> {
    match value {
        Value::Object(pair) => simple(pair),
        Value::Array(items) => listed(items),
        _ => Err(invalid("Invalid condition test: must be a List or Object.")),
    }
}

/// `{"acl": "private"}`
fn simple(pair: &Map<String, Value>) -> Result<Condition, Refusal> {
    let mut pairs = pair.iter();
    let (Some((name, value)), None) = (pairs.next(), pairs.next()) else {
        return Err(invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."));
    };
    let value = value.as_str().ok_or_else(|| invalid("Invalid Simple-Condition: value must be a string."))?;
    let shown = shown(&["eq".into(), format!("${name}").into(), value.into()]);
    Ok(Condition { test: Test::Is { field: name.to_ascii_lowercase(), value: value.to_owned() }, shown })
}

/// `["starts-with", "$key", "a/"]`
fn listed(items: &[Value]) -> Result<Condition, Refusal> {
    let Some(word) = items.first() else { return Err(invalid("Invalid Condition: missing operation identifier.")) };
    let word = word.as_str().ok_or_else(|| invalid("Invalid JSON."))?.to_ascii_lowercase();
    if !["eq", "starts-with", "content-length-range"].contains(&word.as_str()) {
        return Err(invalid(format!("Invalid Condition: unknown operation '{word}'.")));
    }
    let [_, first, second] = items else { return Err(invalid(format!("Invalid {word}: wrong number of arguments."))) };
    let test = if word == "content-length-range" { lengths(first, second)? } else { matching(&word, first, second)? };
    Ok(Condition { test, shown: shown(items) })
}

fn matching(word: &str, field: &Value, value: &Value) -> Result<Test, Refusal> {
    let (Some(field), Some(value)) = (field.as_str(), value.as_str()) else { return Err(invalid("Invalid JSON.")) };
    let Some(field) = field.strip_prefix('$') else { return Ok(Test::Never) };
    let (field, value) = (field.to_ascii_lowercase(), value.to_owned());
    Ok(if word == "eq" { Test::Is { field, value } } else { Test::StartsWith { field, prefix: value } })
}

/// Numbers, or texts that are some.
fn lengths(min: &Value, max: &Value) -> Result<Test, Refusal> {
    if let (Some(min), Some(max)) = (min.as_str(), max.as_str()) {
        let parsed = min.parse().ok().zip(max.parse().ok());
        return Ok(parsed.map_or(Test::Never, |(min, max)| Test::Length { min, max }));
    }
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    match (number(min), number(max)) {
        (Some(min), Some(max)) => Ok(Test::Length { min, max }),
        _ => Err(invalid("Invalid content-length-range: its bounds must be whole numbers from 0 up.")),
    }
}

fn shown(items: &[Value]) -> String {
    let items: Vec<String> = items.iter().map(Value::to_string).collect();
    format!("[{}]", items.join(", "))
}

fn invalid(why: impl std::fmt::Display) -> Refusal {
    Refusal::bad("InvalidPolicyDocument", format!("Invalid Policy: {why}"))
}

fn denied(why: impl std::fmt::Display) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, "AccessDenied", format!("Invalid according to Policy: {why}"))
}

#[cfg(test)]
mod tests;
