//! Conditions of a policy's statement: operators over keys of the request's context.
//!
//! Source: "IAM JSON policy elements: Condition operators" in the IAM User Guide; the keys are those of "Condition keys for Amazon S3".

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use super::pattern;
use super::policy::BadPolicy;

/// What is known of a request, by lower-case key: `aws:sourceip`, `s3:prefix`, `s3:existingobjecttag/name` and so on. A key may have
/// several values, and none where the request has none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    pub(crate) fn add(&mut self, key: &str, value: impl Into<String>) {
        self.0.entry(key.to_ascii_lowercase()).or_default().push(value.into());
    }

    /// Instead of what there may be under this key.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_ascii_lowercase(), vec![value.into()]);
    }

    /// What there is under this key, if it is one thing.
    pub(super) fn one(&self, key: &str) -> Option<&str> {
        match self.values(&key.to_ascii_lowercase()) {
            [one] => Some(one),
            _ => None,
        }
    }

    fn values(&self, key: &str) -> &[String] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }
}

/// How a value of the context is compared with one of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Equal,
    EqualAnyCase,
    Like,
    Number(Order),
    Date(Order),
    Bool,
    Ip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds<T: PartialOrd>(self, left: T, right: T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// Over a key with several values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// The plain form: one value that holds is enough.
    One,
    Any,
    /// All; also where there is none.
    All,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operator {
    Compare {
        test: Test,
        negated: bool,
        if_exists: bool,
        over: Over,
    },
    /// The key is absent (`true`) or present (`false`).
    Null,
}

/// One operator, one key, the values it is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    operator: Operator,
    pub(super) key: String,
    pub(super) values: Vec<String>,
    /// `${KEY}` in a value is a variable.
    variables: bool,
}

/// All of a statement's conditions; all of them must hold. In texts, `${KEY}` may be a variable.
pub(super) fn parse(block: &Value, variables: bool) -> Result<Vec<Condition>, BadPolicy> {
    let operators = block.as_object().ok_or(BadPolicy("Condition must be an object"))?;
    let mut conditions = Vec::new();
    for (name, keys) in operators {
        let operator = operator(name).ok_or(BadPolicy("Invalid Condition type"))?;
        let keys = keys.as_object().ok_or(BadPolicy("A condition operator must hold an object"))?;
        for (key, values) in keys {
            let values = texts(values).ok_or(BadPolicy("A condition's values must be text"))?;
            let condition = Condition { operator: operator.clone(), key: key.to_ascii_lowercase(), values, variables };
            conditions.push(condition.checked()?);
        }
    }
    Ok(conditions)
}

/// One value or a list; numbers and truth values count as their text.
pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    };
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        one => Some(vec![text(one)?]),
    }
}

fn operator(name: &str) -> Option<Operator> {
    let (over, name) = match name.split_once(':') {
        Some(("ForAnyValue", rest)) => (Over::Any, rest),
        Some(("ForAllValues", rest)) => (Over::All, rest),
        Some(_) => return None,
        None => (Over::One, name),
    };
    if name == "Null" {
        return (over == Over::One).then_some(Operator::Null);
    }
    let (name, if_exists) = name.strip_suffix("IfExists").map_or((name, false), |name| (name, true));
    let (test, negated) = test(name)?;
    Some(Operator::Compare { test, negated, if_exists, over })
}

fn test(name: &str) -> Option<(Test, bool)> {
    Some(match name {
        "StringEquals" | "BinaryEquals" => (Test::Equal, false),
        "StringNotEquals" => (Test::Equal, true),
        "StringEqualsIgnoreCase" => (Test::EqualAnyCase, false),
        "StringNotEqualsIgnoreCase" => (Test::EqualAnyCase, true),
        "StringLike" | "ArnLike" | "ArnEquals" => (Test::Like, false),
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => (Test::Like, true),
        "NumericEquals" => (Test::Number(Order::Equal), false),
        "NumericNotEquals" => (Test::Number(Order::Equal), true),
        "NumericLessThan" => (Test::Number(Order::Less), false),
        "NumericLessThanEquals" => (Test::Number(Order::LessOrEqual), false),
        "NumericGreaterThan" => (Test::Number(Order::Greater), false),
        "NumericGreaterThanEquals" => (Test::Number(Order::GreaterOrEqual), false),
        "DateEquals" => (Test::Date(Order::Equal), false),
        "DateNotEquals" => (Test::Date(Order::Equal), true),
        "DateLessThan" => (Test::Date(Order::Less), false),
        "DateLessThanEquals" => (Test::Date(Order::LessOrEqual), false),
        "DateGreaterThan" => (Test::Date(Order::Greater), false),
        "DateGreaterThanEquals" => (Test::Date(Order::GreaterOrEqual), false),
        "Bool" => (Test::Bool, false),
        "IpAddress" => (Test::Ip, false),
        "NotIpAddress" => (Test::Ip, true),
        _ => return None,
    })
}

impl Condition {
    /// Values that no request could ever be compared with are refused when the policy is written.
    fn checked(self) -> Result<Self, BadPolicy> {
        let Operator::Compare { test, .. } = self.operator else { return Ok(self) };
        let fine = |value: &String| match test {
            Test::Number(_) => value.parse::<f64>().is_ok(),
            Test::Date(_) => date(value).is_some(),
            Test::Bool => matches!(value.to_ascii_lowercase().as_str(), "true" | "false"),
            Test::Ip => Block::parse(value).is_some(),
            Test::Equal | Test::EqualAnyCase | Test::Like => true,
        };
        if self.values.iter().all(fine) { Ok(self) } else { Err(BadPolicy("A condition has a value of the wrong type")) }
    }

    /// True if it narrows by this operator family without negation; for telling public policies from others.
    pub(super) fn pins(&self) -> bool {
        let Operator::Compare { test, negated, over, .. } = self.operator else { return false };
        let wide = |value: &String| match test {
            Test::Like => value.contains('*') || value.contains('?'),
            Test::Ip => Block::parse(value).is_none_or(|block| block.bits == 0),
            _ => false,
        };
        !negated && over != Over::All && !self.values.is_empty() && !self.values.iter().any(wide)
    }

    pub(super) fn holds(&self, context: &Context) -> bool {
        let given = context.values(&self.key);
        match &self.operator {
            Operator::Null => self.values.iter().any(|value| value.eq_ignore_ascii_case("true") == given.is_empty()),
            Operator::Compare { test, negated, if_exists, over } => {
                if given.is_empty() {
                    return *if_exists || *over == Over::All || *negated && *over == Over::One;
                }
                let one = |value: &String| self.values.iter().any(|want| self.fits(*test, value, want, context)) != *negated;
                match over {
                    Over::All => given.iter().all(one),
                    // "Not" speaks of all values at once: one that is listed makes it fail.
                    Over::One if *negated => given.iter().all(one),
                    Over::One | Over::Any => given.iter().any(one),
                }
            }
        }
    }

    fn fits(&self, test: Test, value: &str, want: &str, context: &Context) -> bool {
        match test {
            _ if !self.variables => test.holds(value, want),
            Test::Like => pattern::matches_filled(want, value, context),
            _ => pattern::spelled(want, context).is_some_and(|want| test.holds(value, &want)),
        }
    }
}

impl Test {
    fn holds(self, value: &str, want: &str) -> bool {
        match self {
            Self::Equal => value == want,
            Self::EqualAnyCase => value.eq_ignore_ascii_case(want),
            Self::Like => pattern::matches(want, value),
            Self::Bool => value.eq_ignore_ascii_case(want),
            Self::Number(order) => both(value.parse::<f64>().ok(), want.parse().ok()).is_some_and(|(a, b)| order.holds(a, b)),
            Self::Date(order) => both(date(value), date(want)).is_some_and(|(a, b)| order.holds(a, b)),
            Self::Ip => both(value.parse().ok(), Block::parse(want)).is_some_and(|(ip, block): (IpAddr, _)| block.holds(ip)),
        }
    }
}

fn both<A, B>(left: Option<A>, right: Option<B>) -> Option<(A, B)> {
    Some((left?, right?))
}

/// ISO 8601, or seconds since 1970; as seconds.
fn date(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second))
}

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    ip: IpAddr,
    bits: u32,
}

impl Block {
    fn parse(text: &str) -> Option<Self> {
        let (ip, bits) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
        let ip: IpAddr = ip.parse().ok()?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
        (bits <= most).then_some(Self { ip, bits })
    }

    fn holds(self, ip: IpAddr) -> bool {
        match (self.ip, ip.to_canonical()) {
            (IpAddr::V4(block), IpAddr::V4(ip)) => same_head(block.to_bits().into(), ip.to_bits().into(), 32 - self.bits),
            (IpAddr::V6(block), IpAddr::V6(ip)) => same_head(block.to_bits(), ip.to_bits(), 128 - self.bits),
            _ => false,
        }
    }
}

fn same_head(left: u128, right: u128, tail_bits: u32) -> bool {
    left.checked_shr(tail_bits).unwrap_or(0) == right.checked_shr(tail_bits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(block: Value, context: &[(&str, &str)]) -> bool {
        let mut known = Context::default();
        context.iter().for_each(|(key, value)| known.add(key, *value));
        parse(&block, true).expect("parses").iter().all(|condition| condition.holds(&known))
    }

    #[test]
    fn strings() {
        let context = [("s3:prefix", "photos/a")];
        assert!(holds(json!({"StringEquals": {"s3:prefix": ["x", "photos/a"]}}), &context));
        assert!(!holds(json!({"StringEquals": {"s3:prefix": "Photos/a"}}), &context));
        assert!(holds(json!({"StringEqualsIgnoreCase": {"S3:Prefix": "Photos/A"}}), &context));
        assert!(holds(json!({"StringLike": {"s3:prefix": "photos/*"}}), &context));
        assert!(!holds(json!({"StringNotLike": {"s3:prefix": "photos/*"}}), &context));
        assert!(holds(json!({"StringNotEquals": {"s3:prefix": "other"}}), &context));
    }

    #[test]
    fn an_absent_key_fails_all_but_the_negated_and_the_optional() {
        assert!(!holds(json!({"StringEquals": {"aws:Referer": "x"}}), &[]));
        assert!(holds(json!({"StringNotEquals": {"aws:Referer": "x"}}), &[]));
        assert!(holds(json!({"StringEqualsIfExists": {"aws:Referer": "x"}}), &[]));
        assert!(holds(json!({"Null": {"aws:Referer": "true"}}), &[]));
        assert!(!holds(json!({"Null": {"aws:Referer": "true"}}), &[("aws:referer", "y")]));
        assert!(holds(json!({"Null": {"aws:Referer": false}}), &[("aws:referer", "y")]));
    }

    #[test]
    fn several_values() {
        let tags = [("s3:requestobjecttagkeys", "a"), ("s3:requestobjecttagkeys", "b")];
        assert!(holds(json!({"ForAnyValue:StringEquals": {"s3:RequestObjectTagKeys": "a"}}), &tags));
        assert!(!holds(json!({"ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": "a"}}), &tags));
        assert!(holds(json!({"ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": ["a", "b", "c"]}}), &tags));
        assert!(holds(json!({"ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": "a"}}), &[]));
        assert!(!holds(json!({"ForAnyValue:StringEquals": {"s3:RequestObjectTagKeys": "a"}}), &[]));
    }

    #[test]
    fn numbers_dates_truth_and_addresses() {
        assert!(holds(json!({"NumericLessThanEquals": {"s3:max-keys": 10}}), &[("s3:max-keys", "10")]));
        assert!(!holds(json!({"NumericLessThan": {"s3:max-keys": "10"}}), &[("s3:max-keys", "10")]));
        assert!(holds(
            json!({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
            &[("aws:currenttime", "1700000000")]
        ));
        assert!(holds(json!({"Bool": {"aws:SecureTransport": "false"}}), &[("aws:securetransport", "false")]));
        let at = |ip| [("aws:sourceip", ip)];
        assert!(holds(json!({"IpAddress": {"aws:SourceIp": "10.1.0.0/16"}}), &at("10.1.2.3")));
        assert!(holds(json!({"IpAddress": {"aws:SourceIp": "10.1.0.0/16"}}), &at("::ffff:10.1.2.3")));
        assert!(!holds(json!({"IpAddress": {"aws:SourceIp": "10.1.0.0/16"}}), &at("10.2.2.3")));
        assert!(holds(json!({"NotIpAddress": {"aws:SourceIp": ["10.2.0.1", "fd00::/8"]}}), &at("10.2.0.2")));
        assert!(holds(json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}), &at("1.2.3.4")));
    }

    #[test]
    fn what_can_never_hold_is_refused() {
        for block in [
            json!({"StringMatches": {"a": "b"}}),
            json!({"ForSome:StringEquals": {"a": "b"}}),
            json!({"StringEquals": "a"}),
            json!({"StringEquals": {"a": {"b": "c"}}}),
            json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}),
            json!({"NumericEquals": {"s3:max-keys": "many"}}),
            json!([]),
        ] {
            assert!(parse(&block, true).is_err(), "{block}");
        }
    }
}
