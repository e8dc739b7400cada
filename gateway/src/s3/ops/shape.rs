//! Small conversions between what is stored and what s3s says.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use nodio_wire::UnixMs;
use s3s::S3Result;
use s3s::dto::{self, Timestamp};

use super::acl::named;
use crate::names::{UploadId, UserId, VersionId};
use crate::rows::{BucketRow, ETag, ObjectRow, UserRow, Versioning};
use crate::s3::Api;
use crate::s3::access::{check_owner, known_bucket};
use crate::s3::conditional::Tags;
use crate::s3::error::{bucket_name, invalid_argument, no_such_upload};
use crate::tables::{ETagMatch, Precondition};

pub(in crate::s3) fn timestamp(at: UnixMs) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_millis(at))
}

pub(super) fn etag(tag: &ETag) -> dto::ETag {
    dto::ETag::Strong(tag.to_string())
}

pub(super) fn owner(user: &UserRow) -> dto::Owner {
    dto::Owner { display_name: Some(user.display_name.clone()), id: Some(user.id.as_str().to_owned()) }
}

/// Owners of what is listed, by id. The caller's own name costs no read.
pub(super) struct Owners(HashMap<UserId, dto::Owner>);

impl Owners {
    pub(super) fn known_to(caller: &UserRow) -> Self {
        Self(HashMap::from([(caller.id.clone(), owner(caller))]))
    }

    pub(super) async fn add(&mut self, api: &Api, id: &UserId) -> S3Result<()> {
        if !self.0.contains_key(id) {
            self.0.insert(id.clone(), owner(&named(api, id).await?));
        }
        Ok(())
    }

    pub(super) fn show(&self, id: &UserId) -> dto::Owner {
        let unnamed = || dto::Owner { display_name: None, id: Some(id.as_str().to_owned()) };
        self.0.get(id).cloned().unwrap_or_else(unnamed)
    }
}

/// Bytes as the signed numbers of s3s.
pub(super) fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

pub(super) fn version(text: Option<&str>) -> S3Result<Option<VersionId>> {
    let parse = |text: &str| text.parse().map_err(|_| invalid_argument("Invalid version id specified"));
    text.filter(|text| !text.is_empty()).map(parse).transpose()
}

/// `x-amz-version-id`: of whatever is in a bucket that has, or had, versioning.
pub(super) fn shown_version(bucket: &BucketRow, row: &ObjectRow) -> Option<String> {
    let versioned = bucket.versioning != Versioning::Off || row.version != VersionId::Null;
    versioned.then(|| row.version.to_string())
}

/// The same in the answer to a write, which says nothing where the version made is the null one.
pub(super) fn made_version(row: &ObjectRow) -> Option<String> {
    (row.version != VersionId::Null).then(|| row.version.to_string())
}

/// An id that was never given out is an upload that isn't there.
pub(super) fn upload(text: &str) -> S3Result<UploadId> {
    text.parse().map_err(|_| no_such_upload())
}

/// What `If-Match` and `If-None-Match` ask of a write.
pub(super) fn precondition(headers: &http::HeaderMap) -> Precondition {
    let tags = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(|text| matching(Tags::parse(text)));
    Precondition { if_match: tags("if-match"), if_none_match: tags("if-none-match") }
}

/// Tags that no object here can have match nothing.
pub(super) fn matching(tags: Tags) -> ETagMatch {
    match tags {
        Tags::Any => ETagMatch::Any,
        Tags::Of(tags) => ETagMatch::OneOf(tags.iter().filter_map(|tag| tag.parse().ok()).collect()),
    }
}

impl Api {
    /// The bucket of a request, which was found to be allowed.
    pub(super) async fn bucket<T>(
        &self,
        request: &s3s::S3Request<T>,
        name: &str,
        expected: Option<&str>,
    ) -> S3Result<Arc<BucketRow>> {
        let bucket = match known_bucket(request, name) {
            Some(known) => known.clone(),
            None => self.tables.bucket(&bucket_name(name)?).await?,
        };
        check_owner(&bucket, expected)?;
        Ok(bucket)
    }
}
