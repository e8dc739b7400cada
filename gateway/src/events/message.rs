//! An event as JSON.
//!
//! Source: "Event message structure" in the S3 User Guide.

use nodio_meta::Version;
use nodio_wire::UnixMs;
use serde_json::{Value, json};

use crate::rows::{ChangeEvent, EventKind, EventRow, TestEvent};

/// The body that a webhook gets. `sequence` is the number of the change's commit: of two events for one key, the later has the greater.
pub(super) fn body(event: &EventRow, sequence: Version) -> Vec<u8> {
    let message = match event {
        EventRow::Change(change) => json!({ "Records": [record(change, sequence)] }),
        EventRow::Test(test) => test_message(test),
    };
    message.to_string().into_bytes()
}

fn record(event: &ChangeEvent, sequence: Version) -> Value {
    let mut object = json!({ "key": form_encoded(&event.key), "sequencer": format!("{sequence:016X}") });
    if let Some(size) = event.size {
        object["size"] = size.into();
    }
    if let Some(etag) = &event.etag {
        object["eTag"] = etag.to_string().into();
    }
    if let Some(version) = &event.version {
        object["versionId"] = version.to_string().into();
    }
    let bucket = event.bucket.as_str();
    json!({
        "eventVersion": structure(event.kind),
        "eventSource": "aws:s3",
        "awsRegion": event.region,
        "eventTime": iso(event.at),
        "eventName": name(event.kind),
        "userIdentity": { "principalId": event.cause.principal },
        "requestParameters": { "sourceIPAddress": event.cause.source },
        "responseElements": { "x-amz-request-id": event.cause.request, "x-amz-id-2": event.cause.host },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": event.rule,
            "bucket": {
                "name": bucket,
                "ownerIdentity": { "principalId": event.bucket_owner.as_str() },
                "arn": format!("arn:aws:s3:::{bucket}"),
            },
            "object": object,
        },
    })
}

fn test_message(test: &TestEvent) -> Value {
    json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": iso(test.at),
        "Bucket": test.bucket.as_str(),
        "RequestId": test.request,
        "HostId": test.host,
    })
}

fn name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::CreatedPut => "ObjectCreated:Put",
        EventKind::CreatedPost => "ObjectCreated:Post",
        EventKind::CreatedCopy => "ObjectCreated:Copy",
        EventKind::CreatedComplete => "ObjectCreated:CompleteMultipartUpload",
        EventKind::RemovedDelete => "ObjectRemoved:Delete",
        EventKind::RemovedMarker => "ObjectRemoved:DeleteMarkerCreated",
        EventKind::TaggingPut => "ObjectTagging:Put",
        EventKind::TaggingDelete => "ObjectTagging:Delete",
        EventKind::AclPut => "ObjectAcl:Put",
        EventKind::ExpirationDelete => "LifecycleExpiration:Delete",
        EventKind::ExpirationMarker => "LifecycleExpiration:DeleteMarkerCreated",
    }
}

/// Version of the structure, which differs by what the event is about.
fn structure(kind: EventKind) -> &'static str {
    use EventKind::{AclPut, ExpirationDelete, ExpirationMarker, TaggingDelete, TaggingPut};
    match kind {
        TaggingPut | TaggingDelete | AclPut | ExpirationDelete | ExpirationMarker => "2.3",
        _ => "2.1",
    }
}

fn iso(at: UnixMs) -> String {
    let at = i64::try_from(at).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok()).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// As `application/x-www-form-urlencoded`, slashes kept: a space is `+`.
fn form_encoded(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{BucketName, UserId, VersionId};
    use crate::rows::{Cause, ETag};

    fn change(kind: EventKind) -> ChangeEvent {
        let cause = Cause { principal: "p".into(), source: "127.0.0.1".into(), request: "R".into(), host: "H".into() };
        ChangeEvent {
            kind,
            at: 1_700_000_000_005,
            region: "us-east-1".into(),
            bucket: BucketName::parse("my-bucket").unwrap(),
            bucket_owner: UserId::parse(&"a1".repeat(32)).unwrap(),
            rule: "rule".into(),
            key: "red flower/ä+.jpg".into(),
            version: Some(VersionId::Null),
            size: Some(3),
            etag: Some(ETag::single([0xAB; 16])),
            cause,
        }
    }

    fn said(event: &EventRow, sequence: Version) -> Value {
        serde_json::from_slice(&body(event, sequence)).unwrap()
    }

    #[test]
    fn a_change_is_told_as_a_record() {
        let whole = said(&EventRow::Change(Box::new(change(EventKind::CreatedPut))), 26);
        let record = &whole["Records"][0];
        for (place, value) in [
            ("/eventVersion", json!("2.1")),
            ("/eventSource", json!("aws:s3")),
            ("/awsRegion", json!("us-east-1")),
            ("/eventTime", json!("2023-11-14T22:13:20.005Z")),
            ("/eventName", json!("ObjectCreated:Put")),
            ("/userIdentity/principalId", json!("p")),
            ("/requestParameters/sourceIPAddress", json!("127.0.0.1")),
            ("/responseElements/x-amz-request-id", json!("R")),
            ("/responseElements/x-amz-id-2", json!("H")),
            ("/s3/s3SchemaVersion", json!("1.0")),
            ("/s3/configurationId", json!("rule")),
            ("/s3/bucket/name", json!("my-bucket")),
            ("/s3/bucket/ownerIdentity/principalId", json!("a1".repeat(32))),
            ("/s3/bucket/arn", json!("arn:aws:s3:::my-bucket")),
            ("/s3/object/key", json!("red+flower/%C3%A4%2B.jpg")),
            ("/s3/object/size", json!(3)),
            ("/s3/object/eTag", json!("ab".repeat(16))),
            ("/s3/object/versionId", json!("null")),
            ("/s3/object/sequencer", json!("000000000000001A")),
        ] {
            assert_eq!(record.pointer(place), Some(&value), "{place}");
        }
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let bare = ChangeEvent { version: None, size: None, etag: None, ..change(EventKind::ExpirationDelete) };
        let whole = said(&EventRow::Change(Box::new(bare)), 1);
        let object = whole["Records"][0]["s3"]["object"].as_object().unwrap();
        assert_eq!(object.keys().collect::<Vec<_>>(), ["key", "sequencer"]);
        assert_eq!(whole["Records"][0]["eventVersion"], "2.3");
    }

    #[test]
    fn a_test_says_which_bucket_it_is_of() {
        let bucket = BucketName::parse("my-bucket").unwrap();
        let test = TestEvent { at: 0, bucket, request: "R".into(), host: "H".into() };
        let wanted = json!({
            "Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "1970-01-01T00:00:00.000Z",
            "Bucket": "my-bucket", "RequestId": "R", "HostId": "H",
        });
        assert_eq!(said(&EventRow::Test(test), 7), wanted);
    }
}
