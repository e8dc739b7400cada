//! A record as S3 writes it: fields by their place, `-` where there is nothing to say.
//!
//! Source: "Amazon S3 server access log format" in the S3 User Guide.

use nodio_wire::UnixMs;

use crate::s3::seen::WEBSITE;

/// All that is known of a request. Empty text, and `None`, is `-`.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    pub(super) owner: String,
    pub(super) bucket: String,
    /// When the request came.
    pub(super) at: UnixMs,
    pub(super) address: String,
    /// The user's id; empty where nobody signed.
    pub(super) requester: String,
    pub(super) request_id: String,
    pub(super) operation: String,
    /// URL-encoded.
    pub(super) key: String,
    /// As it was sent: method, target, version.
    pub(super) request: String,
    pub(super) status: u16,
    pub(super) error: String,
    pub(super) bytes_sent: u64,
    pub(super) object_bytes: Option<u64>,
    pub(super) total_ms: u64,
    pub(super) turn_around_ms: Option<u64>,
    pub(super) referer: String,
    pub(super) agent: String,
    pub(super) version: String,
    pub(super) host_id: String,
    pub(super) signature: &'static str,
    pub(super) authentication: &'static str,
    pub(super) host: String,
}

impl Record {
    /// Cipher suite and TLS version aren't known: TLS, if any, ends in front of the gateway. Access points there are none, and whether an
    /// ACL was needed isn't remembered.
    pub(super) fn line(&self) -> String {
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let fields = [
            plain(&self.owner),
            plain(&self.bucket),
            time(self.at),
            plain(&self.address),
            plain(&self.requester),
            plain(&self.request_id),
            plain(&self.operation),
            plain(&self.key),
            quoted(&self.request),
            self.status.to_string(),
            plain(&self.error),
            number(Some(self.bytes_sent).filter(|bytes| *bytes > 0)),
            number(self.object_bytes),
            self.total_ms.to_string(),
            number(self.turn_around_ms),
            quoted(&self.referer),
            quoted(&self.agent),
            plain(&self.version),
            plain(&self.host_id),
            plain(self.signature),
            "-".to_owned(),
            plain(self.authentication),
            plain(&self.host),
            "-".to_owned(),
            "-".to_owned(),
            "-".to_owned(),
        ];
        let mut line = fields.join(" ");
        line.push('\n');
        line
    }
}

/// A space would begin another field.
fn plain(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.replace(is_odd, "+") }
}

fn quoted(text: &str) -> String {
    if text.is_empty() { "\"-\"".to_owned() } else { format!("\"{}\"", text.replace('"', "%22").replace(char::is_control, "+")) }
}

fn is_odd(char: char) -> bool {
    char.is_whitespace() || char.is_control()
}

fn time(at: UnixMs) -> String {
    let at = i64::try_from(at).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok()).unwrap_or_default();
    at.strftime("[%d/%b/%Y:%H:%M:%S +0000]").to_string()
}

/// What S3 calls an operation: `REST`, the method, and what it is about; `WEBSITE` where a website was visited.
pub(super) fn operation(name: &str, method: &str, about_object: bool) -> String {
    let about = match name {
        WEBSITE => return format!("WEBSITE.{method}.OBJECT"),
        "CopyObject" => return "REST.COPY.OBJECT".to_owned(),
        "UploadPartCopy" => return "REST.COPY.PART".to_owned(),
        "GetObject" | "HeadObject" | "PutObject" | "DeleteObject" => "OBJECT",
        "DeleteObjects" => "MULTI_OBJECT_DELETE",
        "GetObjectAttributes" => "OBJECT_ATTRIBUTES",
        "GetObjectTagging" | "PutObjectTagging" | "DeleteObjectTagging" => "OBJECT_TAGGING",
        "GetObjectRetention" | "PutObjectRetention" => "OBJECT_LOCK_RETENTION",
        "GetObjectLegalHold" | "PutObjectLegalHold" => "OBJECT_LOCK_LEGALHOLD",
        "GetObjectAcl" | "PutObjectAcl" | "GetBucketAcl" | "PutBucketAcl" => "ACL",
        "CreateMultipartUpload" | "ListMultipartUploads" => "UPLOADS",
        "CompleteMultipartUpload" | "AbortMultipartUpload" | "ListParts" => "UPLOAD",
        "UploadPart" => "PART",
        "ListObjectVersions" => "BUCKETVERSIONS",
        "GetBucketLocation" => "LOCATION",
        "GetBucketVersioning" | "PutBucketVersioning" => "VERSIONING",
        "GetBucketTagging" | "PutBucketTagging" | "DeleteBucketTagging" => "TAGGING",
        "GetBucketPolicy" | "PutBucketPolicy" | "DeleteBucketPolicy" => "BUCKETPOLICY",
        "GetBucketPolicyStatus" => "POLICY_STATUS",
        "GetBucketCors" | "PutBucketCors" | "DeleteBucketCors" => "CORS",
        "GetBucketLifecycleConfiguration" | "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => "LIFECYCLE",
        "GetBucketEncryption" | "PutBucketEncryption" | "DeleteBucketEncryption" => "ENCRYPTION",
        "GetBucketLogging" | "PutBucketLogging" => "LOGGING_STATUS",
        "GetBucketNotificationConfiguration" | "PutBucketNotificationConfiguration" => "NOTIFICATION",
        "GetBucketRequestPayment" | "PutBucketRequestPayment" => "REQUEST_PAYMENT",
        "GetBucketWebsite" | "PutBucketWebsite" | "DeleteBucketWebsite" => "WEBSITE",
        "GetBucketReplication" | "PutBucketReplication" | "DeleteBucketReplication" => "REPLICATION",
        "GetBucketAccelerateConfiguration" | "PutBucketAccelerateConfiguration" => "ACCELERATE",
        "GetObjectLockConfiguration" | "PutObjectLockConfiguration" => "OBJECT_LOCK_CONFIGURATION",
        "GetBucketOwnershipControls" | "PutBucketOwnershipControls" | "DeleteBucketOwnershipControls" => "OWNERSHIP_CONTROLS",
        "GetPublicAccessBlock" | "PutPublicAccessBlock" | "DeletePublicAccessBlock" => "PUBLIC_ACCESS_BLOCK",
        _ if method == "OPTIONS" => "PREFLIGHT",
        _ if about_object => "OBJECT",
        _ => "BUCKET",
    };
    format!("REST.{method}.{about}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_its_place() {
        let text = |text: &str| text.to_owned();
        let record = Record {
            owner: text("owner"),
            bucket: text("bucket"),
            at: 1_700_000_000_000,
            address: text("127.0.0.1"),
            requester: text("user"),
            request_id: text("R"),
            operation: text("REST.GET.OBJECT"),
            key: text("a%20b"),
            request: text("GET /bucket/a%20b HTTP/1.1"),
            status: 206,
            error: String::new(),
            bytes_sent: 7,
            object_bytes: Some(100),
            total_ms: 3,
            turn_around_ms: Some(2),
            referer: text("http://x/\"y\""),
            agent: text("an agent"),
            version: text("V"),
            host_id: text("H="),
            signature: "SigV4",
            authentication: "AuthHeader",
            host: text("localhost:9000"),
        };
        assert_eq!(
            record.line(),
            "owner bucket [14/Nov/2023:22:13:20 +0000] 127.0.0.1 user R REST.GET.OBJECT a%20b \"GET /bucket/a%20b HTTP/1.1\" 206 - 7 100 3 2 \
             \"http://x/%22y%22\" \"an agent\" V H= SigV4 - AuthHeader localhost:9000 - - -\n"
        );
    }

    #[test]
    fn what_is_not_known_is_a_dash_and_nothing_breaks_a_line() {
        let empty = Record::default().line();
        assert_eq!(empty, "- - [01/Jan/1970:00:00:00 +0000] - - - - - \"-\" 0 - - - 0 - \"-\" \"-\" - - - - - - - - -\n");
        let odd = Record { agent: "a\nb".into(), host: "c d\r\ne".into(), ..Record::default() }.line();
        assert!(odd.contains("\"a+b\"") && odd.contains(" c+d++e ") && odd.lines().count() == 1, "{odd}");
    }

    #[test]
    fn operations_are_named_as_s3_names_them() {
        for (name, method, about_object, wanted) in [
            ("GetObject", "GET", true, "REST.GET.OBJECT"),
            ("HeadObject", "HEAD", true, "REST.HEAD.OBJECT"),
            ("PutObject", "POST", false, "REST.POST.OBJECT"),
            ("CopyObject", "PUT", true, "REST.COPY.OBJECT"),
            ("DeleteObjects", "POST", false, "REST.POST.MULTI_OBJECT_DELETE"),
            ("CompleteMultipartUpload", "POST", true, "REST.POST.UPLOAD"),
            ("ListObjectsV2", "GET", false, "REST.GET.BUCKET"),
            ("HeadBucket", "HEAD", false, "REST.HEAD.BUCKET"),
            (WEBSITE, "HEAD", true, "WEBSITE.HEAD.OBJECT"),
            (WEBSITE, "GET", false, "WEBSITE.GET.OBJECT"),
            ("", "OPTIONS", true, "REST.OPTIONS.PREFLIGHT"),
            ("", "GET", true, "REST.GET.OBJECT"),
        ] {
            assert_eq!(operation(name, method, about_object), wanted, "{name}");
        }
    }
}
