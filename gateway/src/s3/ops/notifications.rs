//! PutBucketNotificationConfiguration, GetBucketNotificationConfiguration. How events travel is in [`crate::events`].

use nodio_host::clock::now_ms;
use s3s::dto::{
    GetBucketNotificationConfigurationInput, GetBucketNotificationConfigurationOutput, PutBucketNotificationConfigurationInput,
    PutBucketNotificationConfigurationOutput,
};
use s3s::{S3Request, S3Response, S3Result};

use crate::rows::{Notifications, TestEvent};
use crate::s3::Api;
use crate::s3::guard::RequestIds;
use crate::s3::notifications::{read, show};
use crate::s3::seen::Seen;
use crate::tables::TableError;

/// Each webhook named gets a test event, unless validation is to be skipped: that is what it is.
pub(super) async fn put_bucket_notification_configuration(
    api: &Api,
    request: S3Request<PutBucketNotificationConfigurationInput>,
) -> S3Result<S3Response<PutBucketNotificationConfigurationOutput>> {
    let input = &request.input;
    let bucket = api.bucket(&request, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let rules = read(&input.notification_configuration, &api.region, |webhook| api.tables.has_webhook(webhook))?;
    let ids = Seen::of(&request.extensions).map_or_else(RequestIds::random, |sight| sight.ids.clone());
    let test = TestEvent { at: now_ms(), bucket: bucket.name.clone(), request: ids.request, host: ids.host };
    let test = Some(&test).filter(|_| input.skip_destination_validation != Some(true));
    api.tables.set_notifications(&bucket.name, rules.as_ref(), test).await?;
    Ok(S3Response::new(PutBucketNotificationConfigurationOutput::default()))
}

pub(super) async fn get_bucket_notification_configuration(
    api: &Api,
    request: S3Request<GetBucketNotificationConfigurationInput>,
) -> S3Result<S3Response<GetBucketNotificationConfigurationOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let rules: Option<Notifications> = bucket.setting().map_err(TableError::from)?;
    Ok(S3Response::new(rules.map(|rules| show(rules, &api.region)).unwrap_or_default()))
}
