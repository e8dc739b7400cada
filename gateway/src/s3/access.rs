//! Who may do what, decided before an operation begins.
//!
//! ```text
//!   credentials ─► Caller        operation ─► Need ─► bucket's row (kept for the operation) ─► crate::access ─► go on, or 403
//!                                                      object's row, where its owner or ACL decides (kept, too)
//! ```
//! Promises: an operation runs only after this said yes; rows read here are handed on, so that the question costs the bucket's owner no
//! read. What one request needs of several objects (copies, DeleteObjects), the operation asks by [`Judge`].

mod context;
mod judge;
mod needs;

use std::sync::Arc;

use async_trait::async_trait;
use http::{Extensions, HeaderMap};
use nodio_host::clock::now_ms;
use s3s::access::{S3Access, S3AccessContext};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result, TrailingHeaders};

use super::error::{bucket_name, fail};
use super::guard::query;
use super::seen::{Aim, Seen};
use crate::access::{Action, Context, Policy};
use crate::names::{ObjectKey, VersionId};
use crate::rows::{BucketRow, ObjectRow, UserRow};
use crate::tables::{TableError, Tables};
pub(crate) use context::Signed;
pub(crate) use judge::{Judge, Rules};
use needs::Need;

/// Who sent the request.
#[derive(Clone)]
pub(crate) struct Caller {
    /// [`UserRow::anonymous`] where nobody signed.
    user: Arc<UserRow>,
    signed: bool,
    key_policy: Option<Arc<Policy>>,
}

/// Puts the [`Caller`] into the request; refuses what the caller may not do.
#[derive(Clone)]
pub(crate) struct Access(pub(crate) Tables);

impl Access {
    /// Remembers who sent the request.
    pub(crate) async fn identify(&self, access_key: Option<&str>, extensions: &mut Extensions) -> S3Result<()> {
        let caller = match access_key {
            None => Caller { user: Arc::new(UserRow::anonymous()), signed: false, key_policy: None },
            Some(access_key) => {
                let found = self.0.find_key(access_key, now_ms()).await?.ok_or_else(denied)?;
                Caller { user: found.user.clone(), signed: true, key_policy: found.policy.clone() }
            }
        };
        extensions.insert(caller);
        Ok(())
    }

    async fn decide(&self, judge: Judge, need: Need, asked: Target<'_>, extensions: &mut Extensions) -> S3Result<()> {
        let bucket = asked.bucket.clone();
        if let Some(sight) = Seen::of(extensions) {
            // Said once: of two decisions on a request, the first.
            let _ = sight.aim.set(bucket.logs().then(|| asked.aim(&bucket, &judge)));
        }
        judge.must_pay(&bucket, extensions)?;
        let rules = Rules::of(&bucket);
        let key = asked.key;
        match need {
            Need::Bucket(action) => judge.must(&bucket, &rules, action, None, None)?,
            Need::Object(action) => {
                let row = self.object_for(&judge, &bucket, &rules, action, key, asked.version).await;
                let row = row.map_err(|error| judge.missing(&bucket, &rules, action, key, error))?;
                if !judge.sees_marker(&bucket, &rules, action, key, row.as_ref()) {
                    judge.must(&bucket, &rules, action, Some(key), row.as_ref())?;
                }
                if judge.bypasses_retention {
                    judge.must(&bucket, &rules, Action::BypassGovernanceRetention, Some(key), row.as_ref())?;
                }
                if let Some(row) = row {
                    extensions.insert(KnownObject(Arc::new(row)));
                }
            }
            Need::Upload(action) => {
                if !judge.may(&bucket, &rules, action, Some(key), None) && !self.began(&judge, &bucket, key, asked.upload).await?
                {
                    return Err(denied());
                }
            }
            Need::EachKey | Need::Signature(_) => {}
        }
        extensions.insert(judge);
        extensions.insert(KnownBucket(bucket));
        Ok(())
    }

    /// The object's row, if it has a part in the decision; an error if it should and isn't there.
    async fn object_for(
        &self,
        judge: &Judge,
        bucket: &BucketRow,
        rules: &Rules,
        action: Action,
        key: &str,
        version: Option<&str>,
    ) -> Result<Option<ObjectRow>, TableError> {
        let owns = judge.owns(bucket);
        let reads = matches!(action, Action::GetObject | Action::GetObjectVersion);
        if !judge.asked(bucket, rules, action, Some(key), None, &Context::default(), |asked| asked.needs_object())
            && (owns || !reads)
        {
            return Ok(None);
        }
        // What is no key or version is refused by the operation, in its own words.
        let version: Option<VersionId> = match version.filter(|version| !version.is_empty()).map(str::parse).transpose() {
            Ok(version) => version,
            Err(_) => return Ok(None),
        };
        let Ok(key) = ObjectKey::parse(key) else { return Ok(None) };
        match self.0.object(bucket, &key, version).await {
            Ok(row) => Ok(Some(row)),
            Err(TableError::NoSuchKey | TableError::NoSuchVersion) if owns || !reads => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the caller began this upload.
    async fn began(&self, judge: &Judge, bucket: &BucketRow, key: &str, upload: Option<&str>) -> S3Result<bool> {
        let (Ok(key), Some(Ok(id))) = (ObjectKey::parse(key), upload.map(str::parse)) else { return Ok(false) };
        match self.0.upload(bucket, &key, id).await {
            Ok(row) => Ok(judge.caller.signed && judge.caller.key_policy.is_none() && row.owner == judge.caller.user.id),
            Err(TableError::NoSuchUpload) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// What a request is for.
struct Target<'a> {
    operation: &'a str,
    bucket: Arc<BucketRow>,
    key: &'a str,
    version: Option<&'a str>,
    upload: Option<&'a str>,
}

impl Target<'_> {
    fn aim(&self, bucket: &Arc<BucketRow>, judge: &Judge) -> Aim {
        let requester = judge.caller.signed.then(|| judge.caller.user.id.clone());
        Aim { bucket: bucket.clone(), key: self.key.to_owned(), operation: self.operation.to_owned(), requester }
    }
}

#[async_trait]
impl S3Access for Access {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        if cx.extensions_mut().get::<Caller>().is_none() {
            let access_key = cx.credentials().map(|credentials| credentials.access_key.clone());
            self.identify(access_key.as_deref(), cx.extensions_mut()).await?;
        }
        let caller = cx.extensions_mut().get::<Caller>().cloned().ok_or_else(denied)?;
        let operation = cx.s3_op().name().to_owned();
        let uri = cx.uri().clone();
        let pairs = query::pairs(uri.query().unwrap_or_default()).unwrap_or_default();
        let of_query = |name: &str| pairs.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
        let version = of_query("versionId");
        let need = needs::of(&operation, version.is_some_and(|version| !version.is_empty()));
        let bucket = cx.s3_path().get_bucket_name().map(str::to_owned);
        let key = cx.s3_path().get_object_key().unwrap_or_default().to_owned();
        if let Need::Signature(action) = need {
            let with_conditions = caller.key_policy.is_some();
            let judge = Judge::of(cx, caller, with_conditions);
            // Whoever doesn't sign owns no bucket: the list is empty, and no secret.
            if action == Action::ListAllMyBuckets && !judge.caller.signed {
                return Ok(());
            }
            judge.signature(action, bucket.as_deref().unwrap_or("*"))?;
            cx.extensions_mut().insert(judge);
            return Ok(());
        }
        let bucket = self.0.bucket(&bucket_name(&bucket.ok_or_else(denied)?)?).await?;
        let with_conditions = caller.key_policy.is_some() || bucket.has_policy() || needs::asks_of_others(&operation);
        let judge = Judge::of(cx, caller, with_conditions);
        let target = Target { operation: &operation, bucket, key: &key, version, upload: of_query("uploadId") };
        self.decide(judge, need, target, cx.extensions_mut()).await
    }
}

pub(crate) fn denied() -> S3Error {
    fail(S3ErrorCode::AccessDenied, "Access Denied")
}

/// The caller of an admitted request; [`UserRow::anonymous`] where it wasn't signed.
pub(crate) fn caller<T>(request: &S3Request<T>) -> S3Result<Arc<UserRow>> {
    request.extensions.get::<Caller>().map(|caller| caller.user.clone()).ok_or_else(denied)
}

/// Who answers what else the request's caller may do.
pub(crate) fn judge<T>(request: &S3Request<T>) -> S3Result<&Judge> {
    request.extensions.get::<Judge>().ok_or_else(denied)
}

/// The bucket is whose the caller thinks it is.
pub(crate) fn check_owner(bucket: &BucketRow, expected: Option<&str>) -> S3Result<()> {
    match expected {
        Some(expected) if expected != bucket.owner.as_str() => Err(denied()),
        _ => Ok(()),
    }
}

/// The bucket's row as the decision saw it.
#[derive(Clone)]
struct KnownBucket(Arc<BucketRow>);

pub(crate) fn known_bucket<'r, T>(request: &'r S3Request<T>, name: &str) -> Option<&'r Arc<BucketRow>> {
    request.extensions.get::<KnownBucket>().map(|known| &known.0).filter(|row| row.name.as_str() == name)
}

/// The object's row as the decision saw it.
#[derive(Clone)]
struct KnownObject(Arc<ObjectRow>);

/// Gives up the object's row that the decision was made upon, if it read one.
pub(crate) fn take_known_object<T>(request: &mut S3Request<T>) -> Option<ObjectRow> {
    request.extensions.remove::<KnownObject>().map(|known| Arc::unwrap_or_clone(known.0))
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
