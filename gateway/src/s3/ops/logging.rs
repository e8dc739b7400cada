//! PutBucketLogging, GetBucketLogging. How logs are written is in [`crate::s3::access_log`].

use s3s::dto::{
    BucketLogsPermission, GetBucketLoggingInput, GetBucketLoggingOutput, Grant as GivenGrant, LoggingEnabled,
    PartitionDateSource, PartitionedPrefix, Permission as GivenPermission, PutBucketLoggingInput, PutBucketLoggingOutput,
    SimplePrefix, TargetGrant, TargetObjectKeyFormat,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::{acl, grants};
use crate::names::BucketName;
use crate::rows::{BucketRow, Grant, LogKeyFormat, Logging, ObjectOwnership};
use crate::s3::Api;
use crate::s3::access::Rules;
use crate::s3::access_log::{log_key, may_deliver};
use crate::s3::error::{fail, fail_as, invalid_argument, malformed_xml};
use crate::s3::limits::LOG_PREFIX_BYTES_MAX;
use crate::tables::TableError;

/// An empty status turns logging off.
pub(super) async fn put_bucket_logging(
    api: &Api,
    request: S3Request<PutBucketLoggingInput>,
) -> S3Result<S3Response<PutBucketLoggingOutput>> {
    let input = &request.input;
    let bucket = api.bucket(&request, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let logging = match &input.bucket_logging_status.logging_enabled {
        Some(enabled) => Some(read(api, &bucket, enabled).await?),
        None => None,
    };
    api.tables.set_setting(&bucket.name, logging.as_ref()).await?;
    Ok(S3Response::new(PutBucketLoggingOutput::default()))
}

async fn read(api: &Api, bucket: &BucketRow, enabled: &LoggingEnabled) -> S3Result<Logging> {
    let unknown = || invalid_target("The target bucket for logging does not exist");
    let name = BucketName::parse(&enabled.target_bucket).map_err(|_| unknown())?;
    let target = match api.tables.bucket(&name).await {
        Ok(row) if row.owner != bucket.owner => {
            return Err(invalid_target("The owner for the bucket to be logged and the target bucket must be the same"));
        }
        Ok(row) => row,
        Err(TableError::NoSuchBucket) => return Err(unknown()),
        Err(error) => return Err(error.into()),
    };
    let prefix = enabled.target_prefix.clone();
    if prefix.len() > LOG_PREFIX_BYTES_MAX {
        return Err(invalid_argument("The target prefix is too long: it can have at most 800 bytes"));
    }
    let mut granted = Vec::new();
    for grant in enabled.target_grants.iter().flatten() {
        granted.push(read_grant(api, grant).await?);
    }
    if !granted.is_empty() && Rules::of(&target).ownership == ObjectOwnership::BucketOwnerEnforced {
        return Err(fail(S3ErrorCode::AccessControlListNotSupported, "The target bucket does not allow ACLs: no target grants"));
    }
    let logging =
        Logging { target: name, prefix, grants: granted, key_format: key_format(enabled.target_object_key_format.as_ref())? };
    if !may_deliver(bucket, &target, &log_key(bucket, &logging, None, bucket.created, "0000000000000000")) {
        let message = "You must give the log-delivery group WRITE and READ_ACP permissions to the target bucket";
        return Err(invalid_target(message));
    }
    Ok(logging)
}

fn invalid_target(message: &'static str) -> S3Error {
    fail_as(http::StatusCode::BAD_REQUEST, "InvalidTargetBucketForLogging", message)
}

async fn read_grant(api: &Api, given: &TargetGrant) -> S3Result<Grant> {
    const KNOWN: [&str; 3] = [BucketLogsPermission::FULL_CONTROL, BucketLogsPermission::READ, BucketLogsPermission::WRITE];
    let permission =
        given.permission.as_ref().filter(|permission| KNOWN.contains(&permission.as_str())).ok_or_else(malformed_xml)?;
    let permission = Some(GivenPermission::from(permission.as_str().to_owned()));
    grants::of_grant(api, GivenGrant { grantee: given.grantee.clone(), permission }).await
}

fn key_format(given: Option<&TargetObjectKeyFormat>) -> S3Result<LogKeyFormat> {
    let Some(given) = given else { return Ok(LogKeyFormat::Unsaid) };
    match (&given.simple_prefix, &given.partitioned_prefix) {
        (Some(_), None) => Ok(LogKeyFormat::Simple),
        (None, Some(partitioned)) => match partitioned.partition_date_source.as_ref().map(PartitionDateSource::as_str) {
            Some(PartitionDateSource::EVENT_TIME) => Ok(LogKeyFormat::ByEventTime),
            Some(PartitionDateSource::DELIVERY_TIME) | None => Ok(LogKeyFormat::ByDeliveryTime),
            Some(_) => Err(malformed_xml()),
        },
        (Some(_), Some(_)) | (None, None) => Err(malformed_xml()),
    }
}

pub(super) async fn get_bucket_logging(
    api: &Api,
    request: S3Request<GetBucketLoggingInput>,
) -> S3Result<S3Response<GetBucketLoggingOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let logging: Option<Logging> = bucket.setting().map_err(TableError::from)?;
    let logging_enabled = match logging {
        Some(logging) => Some(show(api, logging).await?),
        None => None,
    };
    Ok(S3Response::new(GetBucketLoggingOutput { logging_enabled }))
}

async fn show(api: &Api, logging: Logging) -> S3Result<LoggingEnabled> {
    let mut shown = Vec::with_capacity(logging.grants.len());
    for grant in &logging.grants {
        let permission = BucketLogsPermission::from(grants::permission_name(grant.permission).to_owned());
        shown.push(TargetGrant { grantee: Some(acl::shown_grantee(api, &grant.grantee).await?), permission: Some(permission) });
    }
    Ok(LoggingEnabled {
        target_bucket: logging.target.to_string(),
        target_grants: Some(shown).filter(|shown| !shown.is_empty()),
        target_object_key_format: shown_format(logging.key_format),
        target_prefix: logging.prefix,
    })
}

fn shown_format(format: LogKeyFormat) -> Option<TargetObjectKeyFormat> {
    let partitioned = |by: &'static str| TargetObjectKeyFormat {
        partitioned_prefix: Some(PartitionedPrefix { partition_date_source: Some(PartitionDateSource::from_static(by)) }),
        simple_prefix: None,
    };
    match format {
        LogKeyFormat::Unsaid => None,
        LogKeyFormat::Simple => Some(TargetObjectKeyFormat { partitioned_prefix: None, simple_prefix: Some(SimplePrefix {}) }),
        LogKeyFormat::ByDeliveryTime => Some(partitioned(PartitionDateSource::DELIVERY_TIME)),
        LogKeyFormat::ByEventTime => Some(partitioned(PartitionDateSource::EVENT_TIME)),
    }
}
