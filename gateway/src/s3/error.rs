//! One table from what can go wrong behind the edge to S3's codes.
//!
//! Source: "List of error codes" in the Amazon S3 API Reference. The causes go to the log, never to the client.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use nodio_meta::StoreError;
use nodio_wire::fleet::FleetError;
use s3s::{S3Error, S3ErrorCode};

use super::limits::RETRY_AFTER_S;
use crate::names::{BadName, BucketName, ObjectKey};
use crate::pipeline::{BodyError, ReadError, WriteError};
use crate::tables::TableError;

/// An error with S3's code; a code that s3s doesn't know has status 400.
/// Of an answer, whether a delete marker is what was found.
pub(crate) const DELETE_MARKER: HeaderName = HeaderName::from_static("x-amz-delete-marker");

pub(crate) fn fail(code: S3ErrorCode, message: impl Into<Cow<'static, str>>) -> S3Error {
    let known = code.status_code().is_some();
    let mut error = S3Error::with_message(code, message);
    if !known {
        error.set_status_code(StatusCode::BAD_REQUEST);
    }
    error
}

/// A code s3s has no name for, with its status.
pub(crate) fn fail_as(status: StatusCode, code: &'static str, message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}

pub(crate) fn invalid_argument(message: impl Into<Cow<'static, str>>) -> S3Error {
    fail(S3ErrorCode::InvalidArgument, message)
}

/// Over the limit now; the same request may well succeed later.
fn slow_down(cause: &dyn std::fmt::Display) -> S3Error {
    tracing::warn!("answered SlowDown: {cause}");
    with_retry(fail(S3ErrorCode::SlowDown, "Please reduce your request rate."))
}

fn unavailable(cause: &dyn std::fmt::Display) -> S3Error {
    tracing::warn!("answered ServiceUnavailable: {cause}");
    with_retry(fail(S3ErrorCode::ServiceUnavailable, "Service is unable to handle request."))
}

pub(crate) fn internal(cause: &dyn std::fmt::Display) -> S3Error {
    tracing::error!("answered InternalError: {cause}");
    fail(S3ErrorCode::InternalError, "We encountered an internal error. Please try again.")
}

fn with_retry(mut error: S3Error) -> S3Error {
    error.set_headers(HeaderMap::from_iter([(http::header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S))]));
    error
}

pub(crate) fn bucket_name(text: &str) -> Result<BucketName, S3Error> {
    BucketName::parse(text).map_err(|_: BadName| fail(S3ErrorCode::InvalidBucketName, "The specified bucket is not valid."))
}

pub(crate) fn object_key(text: &str) -> Result<ObjectKey, S3Error> {
    ObjectKey::parse(text).map_err(|_: BadName| match text {
        "" => fail(S3ErrorCode::UserKeyMustBeSpecified, "The bucket POST must contain the specified field name."),
        _ => fail(S3ErrorCode::KeyTooLongError, "Your key is too long."),
    })
}

pub(crate) fn malformed_xml() -> S3Error {
    fail(S3ErrorCode::MalformedXML, "The XML you provided was not well-formed or did not validate against our published schema")
}

/// No delete marker hides it, either: who found one says so instead.
pub(crate) fn no_such_key() -> S3Error {
    let mut error = fail(S3ErrorCode::NoSuchKey, "The specified key does not exist.");
    error.set_headers(HeaderMap::from_iter([(DELETE_MARKER, HeaderValue::from_static("false"))]));
    error
}

pub(crate) fn no_such_upload() -> S3Error {
    let message =
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    fail(S3ErrorCode::NoSuchUpload, message)
}

pub(crate) fn no_such_website() -> S3Error {
    let message = "The specified bucket does not have a website configuration";
    fail_as(StatusCode::NOT_FOUND, "NoSuchWebsiteConfiguration", message)
}

pub(crate) fn precondition_failed() -> S3Error {
    fail(S3ErrorCode::PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

pub(crate) fn entity_too_large() -> S3Error {
    fail(S3ErrorCode::EntityTooLarge, "Your proposed upload exceeds the maximum allowed object size.")
}

impl From<TableError> for S3Error {
    fn from(error: TableError) -> Self {
        use S3ErrorCode as Code;
        match error {
            TableError::NoSuchBucket => fail(Code::NoSuchBucket, "The specified bucket does not exist"),
            TableError::BucketExists { owned_by_you: true } => fail(
                Code::BucketAlreadyOwnedByYou,
                "Your previous request to create the named bucket succeeded and you already own it.",
            ),
            TableError::BucketExists { owned_by_you: false } => fail(
                Code::BucketAlreadyExists,
                "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a \
                 different name and try again.",
            ),
            TableError::BucketNotEmpty => fail(Code::BucketNotEmpty, "The bucket you tried to delete is not empty"),
            TableError::LockedBucket => fail_as(
                StatusCode::CONFLICT,
                "InvalidBucketState",
                "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
            ),
            TableError::LockNeedsVersions => fail_as(
                StatusCode::CONFLICT,
                "InvalidBucketState",
                "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
            ),
            TableError::ObjectLocked => fail(Code::AccessDenied, "Access Denied because object protected by object lock."),
            TableError::NoSuchKey => no_such_key(),
            TableError::NoSuchVersion => fail(Code::NoSuchVersion, "The specified version does not exist."),
            TableError::NoSuchUpload => no_such_upload(),
            TableError::InvalidPart { .. } => fail(
                Code::InvalidPart,
                "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag \
                 may not match the part's entity tag.",
            ),
            TableError::InvalidPartOrder => fail(
                Code::InvalidPartOrder,
                "The list of parts was not in ascending order. Parts must be ordered by part number.",
            ),
            TableError::NoParts => fail(Code::MalformedXML, "You must specify at least one part"),
            TableError::EntityTooSmall { .. } => {
                fail(Code::EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size")
            }
            TableError::SizeMismatch { .. } => {
                fail(Code::InvalidRequest, "The provided 'x-amz-mp-object-size' header does not match what was computed.")
            }
            TableError::ChecksumMismatch => {
                fail(Code::BadDigest, "The checksum you specified did not match the calculated checksum.")
            }
            TableError::PreconditionFailed => precondition_failed(),
            // Amazon S3 has no quotas; this is the code of Ceph's Object Gateway ("S3 error responses" and "Quota management" in its
            // documentation), which clients know.
            TableError::QuotaExceeded => fail_as(
                StatusCode::FORBIDDEN,
                "QuotaExceeded",
                "The quota of the bucket or of its owner leaves no room for this request.",
            ),
            TableError::SourceChanged | TableError::Vanished => fail_as(
                StatusCode::CONFLICT,
                "OperationAborted",
                "A conflicting conditional operation is currently in progress against this resource. Try again.",
            ),
            TableError::Store(StoreError::Closed) => unavailable(&error),
            TableError::BadAccessKey(_)
            | TableError::AccessKeyTaken
            | TableError::NoSuchAccessKey
            | TableError::BadKeyName
            | TableError::NoSuchNamedKey
            | TableError::NoSuchUser
            | TableError::OtherMasterKey
            | TableError::Malformed(_)
            | TableError::Store(StoreError::Failed(_))
            | TableError::Row(_)
            | TableError::Key(_) => internal(&error),
        }
    }
}

impl From<WriteError> for S3Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Body(body) => of_body(&body),
            WriteError::TooLong { .. } => entity_too_large(),
            WriteError::WrongLength { .. } => fail(
                S3ErrorCode::IncompleteBody,
                "You did not provide the number of bytes specified by the Content-Length HTTP header",
            ),
            WriteError::Fleet(fleet) => of_fleet(&fleet),
            WriteError::Donors(_) | WriteError::Overloaded => slow_down(&error),
            WriteError::Internal(_) => internal(&error),
        }
    }
}

impl From<ReadError> for S3Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Fleet(fleet) => of_fleet(&fleet),
            ReadError::Unreadable(_) => unavailable(&error),
            ReadError::Overloaded => slow_down(&error),
            ReadError::Damaged(_) | ReadError::Internal(_) => internal(&error),
        }
    }
}

fn of_fleet(error: &FleetError) -> S3Error {
    match error {
        FleetError::NotEnoughDonors { .. } => slow_down(error),
        FleetError::Unavailable(_) => unavailable(error),
        FleetError::Refused(_) => internal(error),
    }
}

/// What ended a request body early. s3s keeps its stream errors to itself but for their words; what the guard found, the guard answers.
fn of_body(error: &BodyError) -> S3Error {
    let words = error.to_string();
    if words.contains("Sha256Mismatch") {
        let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        return fail_as(StatusCode::BAD_REQUEST, "XAmzContentSHA256Mismatch", message);
    }
    if words.contains("SignatureMismatch") {
        let message =
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
        return fail(S3ErrorCode::SignatureDoesNotMatch, message);
    }
    if words.contains("FormatError") || words.contains("Trailer") {
        return fail(S3ErrorCode::InvalidRequest, "The aws-chunked body is malformed.");
    }
    fail(S3ErrorCode::IncompleteBody, "You did not provide the number of bytes specified by the Content-Length HTTP header")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(error: impl Into<S3Error>) -> (u16, String) {
        let error = error.into();
        (error.status_code().map_or(0, |status| status.as_u16()), error.code().as_str().to_owned())
    }

    #[test]
    fn no_quorum_means_slow_down_and_says_when_to_retry() {
        let error = S3Error::from(WriteError::Donors("2 of 5".into()));
        assert_eq!(error.headers().and_then(|headers| headers.get("retry-after")).map(|value| value.len()), Some(1));
        assert_eq!(shown(error), (503, "SlowDown".into()));
        assert_eq!(shown(WriteError::Fleet(FleetError::NotEnoughDonors { need: 5, have: 2 })), (503, "SlowDown".into()));
        assert_eq!(shown(WriteError::Overloaded), (503, "SlowDown".into()));
        assert_eq!(shown(ReadError::Unreadable("3 of 4".into())), (503, "ServiceUnavailable".into()));
        assert_eq!(shown(ReadError::Damaged("tag".into())), (500, "InternalError".into()));
    }

    #[test]
    fn causes_are_not_shown() {
        let error = S3Error::from(ReadError::Damaged("donor 10.0.0.7".into()));
        assert!(!format!("{:?}", error.message()).contains("10.0.0.7"));
    }

    #[test]
    fn bodies_end_in_the_code_of_their_fault() {
        let body = |words: &str| shown(WriteError::Body(BodyError(words.to_owned().into()))).1;
        assert_eq!(body("UploadStreamError: Sha256Mismatch"), "XAmzContentSHA256Mismatch");
        assert_eq!(body("AwsChunkedStreamError: SignatureMismatch"), "SignatureDoesNotMatch");
        assert_eq!(body("AwsChunkedStreamError: FormatError"), "InvalidRequest");
        assert_eq!(body("anything else"), "IncompleteBody");
    }

    #[test]
    fn keys_and_buckets_by_name() {
        let code = |error: S3Error| error.code().as_str().to_owned();
        assert_eq!(bucket_name("No").map_err(code), Err("InvalidBucketName".into()));
        assert_eq!(object_key(&"k".repeat(1025)).map_err(code), Err("KeyTooLongError".into()));
    }
}
