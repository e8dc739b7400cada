use super::super::fields::fields;
use super::*;
use proptest::prelude::*;
use serde_json::json;

/// 2026-01-01T00:00:00Z
const NOW: UnixMs = 1_767_225_600_000;

fn parse(document: &Value) -> Result<Policy, Refusal> {
    Policy::parse(&BASE64.encode(document.to_string()))
}

fn until(conditions: &Value) -> Value {
    json!({"expiration": "2026-01-01T00:00:01Z", "conditions": conditions})
}

/// The code, or `taken`.
fn checked(conditions: &Value, pairs: &[(&str, &str)]) -> String {
    let mut conditions = conditions.clone();
    conditions.as_array_mut().expect("a list").push(json!({"bucket": "b"}));
    let policy = parse(&until(&conditions)).expect("parses");
    policy.check(&fields(pairs), "b", NOW).map_or_else(|refusal| refusal.code.into_owned(), |_| "taken".into())
}

#[test]
fn documents_that_are_none_are_refused_with_s3s_words() {
    for (document, words) in [
        (json!([]), "Invalid JSON."),
        (json!({"expiration": "2026-01-01T00:00:00Z"}), "missing conditions"),
        (json!({"conditions": []}), "missing expiration"),
        (json!({"EXPIRATION": "2026-01-01T00:00:00Z", "conditions": []}), "Unexpected: 'expiration'"),
        (json!({"expiration": "2026-01-01T00:00:00Z", "CONDITIONS": []}), "Unexpected: 'conditions'"),
        (json!({"expiration": "2026-01-01 00:00:00Z", "conditions": []}), "Invalid 'expiration'"),
        (json!({"expiration": "2026-01-01T00:00:00+02:00", "conditions": []}), "Invalid 'expiration'"),
        (json!({"expiration": 5, "conditions": []}), "Invalid 'expiration'"),
        (until(&json!({})), "must be a List"),
        (until(&json!([{}])), "exactly one property"),
        (until(&json!([{"a": "b", "c": "d"}])), "exactly one property"),
        (until(&json!([{"a": 5}])), "must be a string"),
        (until(&json!([[]])), "missing operation"),
        (until(&json!([["ends-with", "$key", "x"]])), "unknown operation"),
        (until(&json!([["eq", "$key"]])), "wrong number"),
        (until(&json!([["eq", "$key", 5]])), "Invalid JSON"),
        (until(&json!([["content-length-range", 0]])), "wrong number"),
        (until(&json!([["content-length-range", -1, 0]])), "whole numbers"),
        (until(&json!([["content-length-range", 0, 1.5]])), "whole numbers"),
        (until(&json!(["x"])), "List or Object"),
    ] {
        let refusal = parse(&document).expect_err("must be refused");
        assert_eq!((refusal.status, &*refusal.code), (StatusCode::BAD_REQUEST, "InvalidPolicyDocument"));
        assert!(refusal.message.contains(words), "{document}: {}", refusal.message);
    }
    assert!(Policy::parse("!").is_err());
}

#[test]
fn every_field_meets_a_condition_or_is_refused() {
    let conditions = json!([["StArTs-WiTh", "$KeY", "a/"], {"AcL": "private"}, ["eq", "$x-amz-meta-c", "Case"]]);
    let good =
        [("key", "a/b"), ("aCl", "private"), ("X-Amz-Meta-C", "Case"), ("x-ignore-this", "x"), ("x-amz-checksum-crc32", "x")];
    assert_eq!(checked(&conditions, &good), "taken");
    for (name, value) in [("key", "b"), ("acl", "Private"), ("x-amz-meta-c", "case")] {
        let wrong: Vec<(&str, &str)> =
            good.iter().map(|pair| if pair.0.eq_ignore_ascii_case(name) { (name, value) } else { *pair }).collect();
        assert_eq!(checked(&conditions, &wrong), "AccessDenied", "{name}");
    }
    assert_eq!(checked(&conditions, &good[..2]), "AccessDenied", "a field is missing");
    assert_eq!(checked(&conditions, &[&good[..], &[("x-amz-meta-d", "")]].concat()), "AccessDenied", "a field is too many");
    assert_eq!(checked(&json!([["eq", "key", "a"]]), &[("key", "a")]), "AccessDenied", "no $ before the name");
}

#[test]
fn a_list_of_types_must_fit_in_each() {
    let conditions = json!([["starts-with", "$Content-Type", "image/"], ["starts-with", "$x", ""]]);
    assert_eq!(checked(&conditions, &[("content-type", "image/a,image/b")]), "taken");
    assert_eq!(checked(&conditions, &[("content-type", "image/a,text/b")]), "AccessDenied");
    assert_eq!(checked(&conditions, &[("content-type", "image/a"), ("x", "any, thing")]), "taken");
}

#[test]
fn it_ends_and_it_names_its_bucket() {
    let policy = parse(&until(&json!([{"bucket": "b"}]))).expect("parses");
    let check = |bucket, now| policy.check(&Fields::default(), bucket, now).map_err(|refusal| refusal.message);
    assert_eq!(check("b", NOW + 999), Ok(0..=u64::MAX));
    assert!(check("b", NOW + 1000).is_err_and(|message| message.ends_with("Policy expired.")));
    assert!(check("c", NOW).is_err_and(|message| message.ends_with("[\"eq\", \"$bucket\", \"b\"]")));
    let policy = parse(&until(&json!([]))).expect("parses");
    assert!(policy.check(&Fields::default(), "b", NOW).is_err_and(|refusal| refusal.message.ends_with("fields: bucket")));
}

#[test]
fn sizes_are_the_narrowest_that_were_said() {
    let policy = parse(&until(&json!([{"bucket": "b"}, ["content-length-range", 1, 9], ["content-length-range", "2", "20"]])));
    assert_eq!(policy.expect("parses").check(&Fields::default(), "b", NOW), Ok(2..=9));
    assert_eq!(checked(&json!([["content-length-range", "test", "10"]]), &[]), "AccessDenied");
}

proptest! {
    #[test]
    fn no_text_brings_it_down(text in "[\\[\\]{}\",:$a-z0-9 -]{0,60}", now in any::<u64>()) {
        if let Ok(policy) = Policy::parse(&BASE64.encode(text)) {
            let _ = policy.check(&Fields::default(), "b", now);
        }
    }

    #[test]
    fn what_no_condition_names_is_never_taken(name in "[a-z]{1,12}", value in ".{0,8}") {
        prop_assume!(!UNCONDITIONAL.contains(&name.as_str()) && name != "key");
        prop_assert_eq!(checked(&json!([{"key": "k"}]), &[("key", "k"), (&name, &value)]), "AccessDenied");
    }
}
