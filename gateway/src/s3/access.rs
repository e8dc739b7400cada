//! Who may do what. Until ACLs and policies are built: a signature is needed for everything, and a bucket is its owner's alone.

use std::sync::Arc;

use async_trait::async_trait;
use http::{Extensions, HeaderMap};
use nodio_host::clock::now_ms;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::Credentials;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result, TrailingHeaders};

use super::error::fail;
use crate::rows::{BucketRow, UserRow};
use crate::tables::Tables;

/// The user who signed the request.
#[derive(Clone)]
pub(crate) struct Caller(pub(crate) Arc<UserRow>);

/// Puts the [`Caller`] into the request; refuses who is nobody.
#[derive(Clone)]
pub(crate) struct Signed(pub(crate) Tables);

impl Signed {
    pub(crate) async fn admit(&self, credentials: Option<&Credentials>, extensions: &mut Extensions) -> S3Result<()> {
        let credentials = credentials.ok_or_else(denied)?;
        let found = self.0.find_key(&credentials.access_key, now_ms()).await?.ok_or_else(denied)?;
        extensions.insert(Caller(Arc::new(found.user.clone())));
        Ok(())
    }
}

#[async_trait]
impl S3Access for Signed {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let credentials = cx.credentials().cloned();
        self.admit(credentials.as_ref(), cx.extensions_mut()).await
    }
}

pub(crate) fn denied() -> S3Error {
    fail(S3ErrorCode::AccessDenied, "Access Denied")
}

/// The caller of an admitted request.
pub(crate) fn caller<T>(request: &S3Request<T>) -> S3Result<Arc<UserRow>> {
    request.extensions.get::<Caller>().map(|caller| caller.0.clone()).ok_or_else(denied)
}

/// Whether the caller may do anything at all with the bucket, and the bucket is whose the caller thinks it is.
pub(crate) fn check_owner(bucket: &BucketRow, caller: &UserRow, expected: Option<&str>) -> S3Result<()> {
    let expected_other = expected.is_some_and(|expected| expected != bucket.owner.as_str());
    if bucket.owner != caller.id || expected_other { Err(denied()) } else { Ok(()) }
}

/// The request's headers as the client sent them, where [`super::lenient`] hid some from s3s.
#[derive(Clone)]
pub(crate) struct Original(pub(crate) Arc<HeaderMap>);

/// Trailers of a request that went through [`super::lenient`].
#[derive(Clone)]
pub(crate) struct Trailers(pub(crate) TrailingHeaders);

pub(crate) fn headers<T>(request: &S3Request<T>) -> &HeaderMap {
    request.extensions.get::<Original>().map_or(&request.headers, |original| &original.0)
}

pub(crate) fn trailers<T>(request: &S3Request<T>) -> Option<TrailingHeaders> {
    let kept = || request.extensions.get::<Trailers>().map(|trailers| trailers.0.clone());
    request.trailing_headers.clone().or_else(kept)
}
