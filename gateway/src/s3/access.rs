//! Who may do what, decided before an operation begins.
//!
//! ```text
//!   credentials ─► Caller        operation ─► Need ─► bucket's row (kept for the operation) ─► crate::access ─► go on, or 403
//!                                                      object's row, where its owner or ACL decides (kept, too)
//! ```
//! Promises: an operation runs only after this said yes; rows read here are handed on, so that the question costs the bucket's owner no
//! read. What one request needs of several objects (copies, DeleteObjects), the operation asks by [`Judge`].

mod context;
mod needs;

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::{Extensions, HeaderMap, Uri};
use nodio_host::clock::now_ms;
use nodio_host::serve::ConnectInfo;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::Credentials;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result, TrailingHeaders};

use super::error::{bucket_name, fail};
use super::guard::query;
use crate::access::{Action, Asked, Bucket, Context, Object, Policy, Who, is_allowed};
use crate::names::{ObjectKey, UserId, VersionId};
use crate::rows::{Acl, BucketRow, ObjectOwnership, ObjectRow, PolicyText, PublicAccessBlock, UserRow};
use crate::tables::{TableError, Tables};
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
    pub(crate) async fn identify(&self, credentials: Option<&Credentials>, extensions: &mut Extensions) -> S3Result<()> {
        let caller = match credentials {
            None => Caller { user: Arc::new(UserRow::anonymous()), signed: false, key_policy: None },
            Some(credentials) => {
                let found = self.0.find_key(&credentials.access_key, now_ms()).await?.ok_or_else(denied)?;
                Caller { user: found.user.clone(), signed: true, key_policy: found.policy.clone() }
            }
        };
        extensions.insert(caller);
        Ok(())
    }

    async fn decide(&self, judge: Judge, need: Need, asked: &Target<'_>, extensions: &mut Extensions) -> S3Result<()> {
        let bucket = Arc::new(self.0.bucket(&bucket_name(asked.bucket)?).await?);
        let rules = Rules::of(&bucket);
        let key = asked.key;
        match need {
            Need::Bucket(action) => judge.must(&bucket, &rules, action, None, None)?,
            Need::Object(action) => {
                let row = self.object_for(&judge, &bucket, &rules, action, key, asked.version).await;
                let row = row.map_err(|error| judge.missing(&bucket, &rules, action, error))?;
                if !judge.sees_marker(&bucket, &rules, action, row.as_ref()) {
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
    bucket: &'a str,
    key: &'a str,
    version: Option<&'a str>,
    upload: Option<&'a str>,
}

#[async_trait]
impl S3Access for Access {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        if cx.extensions_mut().get::<Caller>().is_none() {
            let credentials = cx.credentials().cloned();
            self.identify(credentials.as_ref(), cx.extensions_mut()).await?;
        }
        let judge = Judge::of(cx)?;
        let operation = cx.s3_op().name();
        let uri = cx.uri().clone();
        let pairs = query::pairs(uri.query().unwrap_or_default()).unwrap_or_default();
        let of_query = |name: &str| pairs.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
        let version = of_query("versionId");
        let need = needs::of(operation, version.is_some_and(|version| !version.is_empty()));
        let bucket = cx.s3_path().get_bucket_name().map(str::to_owned);
        let key = cx.s3_path().get_object_key().unwrap_or_default().to_owned();
        if let Need::Signature(action) = need {
            judge.signature(action, bucket.as_deref().unwrap_or("*"))?;
            cx.extensions_mut().insert(judge);
            return Ok(());
        }
        let bucket = bucket.ok_or_else(denied)?;
        let target = Target { bucket: &bucket, key: &key, version, upload: of_query("uploadId") };
        self.decide(judge, need, &target, cx.extensions_mut()).await
    }
}

/// What a bucket's row says about access, parsed.
pub(crate) struct Rules {
    policy: Option<Policy>,
    pub(crate) ownership: ObjectOwnership,
    pub(crate) block: PublicAccessBlock,
}

impl Rules {
    /// What can't be read, written by a newer version perhaps, allows nothing.
    pub(crate) fn of(bucket: &BucketRow) -> Self {
        let policy = match bucket.setting::<PolicyText>() {
            Ok(text) => {
                text.map(|text| Policy::of_bucket(&text.json, bucket.name.as_str()).unwrap_or_else(|_| Policy::nothing()))
            }
            Err(_) => Some(Policy::nothing()),
        };
        let all = PublicAccessBlock {
            block_public_acls: true,
            ignore_public_acls: true,
            block_public_policy: true,
            restrict_public_buckets: true,
        };
        Self {
            policy,
            ownership: bucket.setting().map_or(ObjectOwnership::BucketOwnerEnforced, Option::unwrap_or_default),
            block: bucket.setting().map_or(all, Option::unwrap_or_default),
        }
    }

    pub(crate) fn has_public_policy(&self) -> bool {
        self.policy.as_ref().is_some_and(Policy::is_public)
    }

    fn bucket<'a>(&'a self, row: &'a BucketRow) -> Bucket<'a> {
        Bucket {
            name: row.name.as_str(),
            owner: &row.owner,
            policy: self.policy.as_ref(),
            acl: row.acl.as_ref(),
            acls_off: self.ownership == ObjectOwnership::BucketOwnerEnforced,
            block: self.block,
        }
    }
}

/// Answers for one request whether its caller may do a thing.
#[derive(Clone)]
pub(crate) struct Judge {
    caller: Caller,
    bypasses_retention: bool,
    request: Arc<(HeaderMap, Uri, Option<SocketAddr>)>,
}

impl Judge {
    fn of(cx: &mut S3AccessContext<'_>) -> S3Result<Self> {
        let caller = cx.extensions_mut().get::<Caller>().cloned().ok_or_else(denied)?;
        let peer = cx.extensions_mut().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        let original = cx.extensions_mut().get::<Original>().map(|original| original.0.clone());
        let headers = original.map_or_else(|| cx.headers().clone(), |original| (*original).clone());
        let bypass = headers.get("x-amz-bypass-governance-retention");
        let bypasses_retention = bypass.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
        Ok(Self { caller, bypasses_retention, request: Arc::new((headers, cx.uri().clone(), peer)) })
    }

    fn owns(&self, bucket: &BucketRow) -> bool {
        self.caller.signed && self.caller.user.id == bucket.owner
    }

    /// An access key with a policy does nothing that its policy doesn't allow.
    fn signature(&self, action: Action, name: &str) -> S3Result<()> {
        let owner = &self.caller.user.id;
        let block = PublicAccessBlock::default();
        let bucket = Bucket { name, owner, policy: None, acl: None, acls_off: true, block };
        let context = self.context(None);
        let asked = Asked { who: self.who(), action, bucket, object: None, context: &context };
        if self.caller.signed && is_allowed(&asked) { Ok(()) } else { Err(denied()) }
    }

    fn who(&self) -> Option<Who<'_>> {
        let Caller { user, signed, key_policy } = &self.caller;
        signed.then(|| Who { id: &user.id, name: &user.name, key_policy: key_policy.as_deref() })
    }

    fn context(&self, row: Option<&ObjectRow>) -> Context {
        let (headers, uri, peer) = &*self.request;
        let mut context = context::of_request(headers, uri, *peer, self.caller.signed.then_some(&*self.caller.user));
        row.into_iter().for_each(|row| context::add_object(&mut context, row));
        context
    }

    #[allow(clippy::too_many_arguments)]
    fn asked<T>(
        &self,
        bucket: &BucketRow,
        rules: &Rules,
        action: Action,
        key: Option<&str>,
        row: Option<&ObjectRow>,
        context: &Context,
        answer: impl FnOnce(&Asked<'_>) -> T,
    ) -> T {
        let there: Option<(&UserId, Option<&Acl>)> = row.and_then(|row| row.live().map(|live| (&row.owner, live.acl.as_ref())));
        let object = key.map(|key| Object { key, there });
        answer(&Asked { who: self.who(), action, bucket: rules.bucket(bucket), object, context })
    }

    /// Whether the caller may; `row` is the object's, where there is one.
    pub(crate) fn may(
        &self,
        bucket: &BucketRow,
        rules: &Rules,
        action: Action,
        key: Option<&str>,
        row: Option<&ObjectRow>,
    ) -> bool {
        let conditions = rules.policy.is_some() || self.caller.key_policy.is_some();
        let context = if conditions { self.context(row) } else { Context::default() };
        self.asked(bucket, rules, action, key, row, &context, is_allowed)
    }

    /// Whether this policy would keep its own writer from ever writing another.
    pub(crate) fn is_locked_out_by(&self, bucket: &BucketRow, policy: Policy) -> bool {
        let rules = Rules { policy: Some(policy), ..Rules::of(bucket) };
        !self.may(bucket, &rules, Action::PutBucketPolicy, None, None)
    }

    pub(crate) fn must(
        &self,
        bucket: &BucketRow,
        rules: &Rules,
        action: Action,
        key: Option<&str>,
        row: Option<&ObjectRow>,
    ) -> S3Result<()> {
        if self.may(bucket, rules, action, key, row) { Ok(()) } else { Err(denied()) }
    }

    /// What is said of an object that isn't there: to learn that, one must be allowed to list.
    pub(crate) fn missing(&self, bucket: &BucketRow, rules: &Rules, action: Action, error: TableError) -> S3Error {
        let lists = self.may(bucket, rules, Action::ListBucket, None, None);
        let reads = matches!(action, Action::GetObject | Action::GetObjectVersion);
        let is_missing = matches!(error, TableError::NoSuchKey | TableError::NoSuchVersion);
        if is_missing && reads && !lists { denied() } else { error.into() }
    }

    /// That an object is deleted, whoever may list its bucket may be told.
    fn sees_marker(&self, bucket: &BucketRow, rules: &Rules, action: Action, row: Option<&ObjectRow>) -> bool {
        let reads = matches!(action, Action::GetObject | Action::GetObjectVersion);
        reads && row.is_some_and(|row| row.live().is_none()) && self.may(bucket, rules, Action::ListBucket, None, None)
    }

    /// Whether a version of a key may be deleted.
    pub(crate) fn must_delete(&self, bucket: &BucketRow, rules: &Rules, key: &str, versioned: bool) -> S3Result<()> {
        let action = if versioned { Action::DeleteObjectVersion } else { Action::DeleteObject };
        self.must(bucket, rules, action, Some(key), None)?;
        match self.bypasses_retention {
            true => self.must(bucket, rules, Action::BypassGovernanceRetention, Some(key), None),
            false => Ok(()),
        }
    }

    /// Whether an object may be read as the source of a copy.
    pub(crate) fn must_read(&self, bucket: &BucketRow, key: &ObjectKey, versioned: bool, row: &ObjectRow) -> S3Result<()> {
        let action = if versioned { Action::GetObjectVersion } else { Action::GetObject };
        let rules = Rules::of(bucket);
        if self.sees_marker(bucket, &rules, action, Some(row)) {
            return Ok(());
        }
        self.must(bucket, &rules, action, Some(key.as_str()), Some(row))
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

pub(crate) fn known_bucket<'r, T>(request: &'r S3Request<T>, name: &str) -> Option<&'r BucketRow> {
    request.extensions.get::<KnownBucket>().map(|known| &*known.0).filter(|row| row.name.as_str() == name)
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
