//! Questions to [`crate::access`], asked with what a request and the rows say.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{Extensions, HeaderMap, Uri, header};
use nodio_host::serve::ConnectInfo;
use s3s::access::S3AccessContext;
use s3s::{S3Error, S3Result};

use super::context::Signed;
use super::{Caller, Original, context, denied, needs};
use crate::access::{Action, Asked, Bucket, Context, Object, Policy, Who, is_allowed};
use crate::names::{ObjectKey, UserId};
use crate::rows::{Acl, BucketRow, ObjectOwnership, ObjectRow, PolicyText, PublicAccessBlock};
use crate::s3::seen::Seen;
use crate::tables::TableError;

const PAYER: &str = "x-amz-request-payer";
const REQUESTER: &str = "requester";

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

    pub(crate) fn bucket<'a>(&'a self, row: &'a BucketRow) -> Bucket<'a> {
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
    pub(super) caller: Caller,
    pub(crate) bypasses_retention: bool,
    /// The request is a listing: its prefix is one.
    lists: bool,
    offers_to_pay: bool,
    /// What conditions are about. Copied only for who may have to ask: most buckets have no policy.
    request: Option<Arc<Conditional>>,
}

/// A request as policies see it.
struct Conditional {
    signed: Signed,
    headers: HeaderMap,
    uri: Uri,
    peer: Option<SocketAddr>,
}

impl Conditional {
    fn of(cx: &mut S3AccessContext<'_>) -> Self {
        let peer = cx.extensions_mut().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        let headers = match cx.extensions_mut().get::<Original>().map(|original| original.0.clone()) {
            None => cx.headers().clone(),
            Some(original) => {
                let mut headers = (*original).clone();
                for name in [header::REFERER, header::USER_AGENT] {
                    // Of the request, not of what a form's fields say.
                    cx.headers().get(&name).cloned().map(|value| headers.insert(name, value));
                }
                headers
            }
        };
        let by_form = cx.extensions_mut().get::<Signed>().copied();
        let signed = by_form.unwrap_or_else(|| Signed::of(cx.headers(), cx.uri()));
        Self { signed, headers, uri: cx.uri().clone(), peer }
    }
}

impl Judge {
    /// `with_conditions` where a policy may be asked.
    pub(super) fn of(cx: &mut S3AccessContext<'_>, caller: Caller, with_conditions: bool) -> Self {
        let original = cx.extensions_mut().get::<Original>().map(|original| original.0.clone());
        let headers = original.as_deref().unwrap_or(cx.headers());
        let bypass = headers.get("x-amz-bypass-governance-retention");
        let bypasses_retention = bypass.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
        let offers_to_pay = headers.get(PAYER).is_some_and(|value| value == REQUESTER);
        let lists = needs::is_listing(cx.s3_op().name());
        let request = with_conditions.then(|| Arc::new(Conditional::of(cx)));
        Self { caller, bypasses_retention, lists, offers_to_pay, request }
    }

    pub(super) fn owns(&self, bucket: &BucketRow) -> bool {
        self.caller.signed && self.caller.user.id == bucket.owner
    }

    /// What a Requester Pays bucket wants of others than its owner: to sign, and to offer to pay. Whoever does is said to be charged.
    ///
    /// Source: "Using Requester Pays buckets" in the S3 User Guide.
    pub(crate) fn must_pay(&self, bucket: &BucketRow, extensions: &Extensions) -> S3Result<()> {
        if !bucket.requester_pays() || self.owns(bucket) {
            return Ok(());
        }
        if !self.caller.signed || !self.offers_to_pay {
            return Err(denied());
        }
        if let Some(sight) = Seen::of(extensions) {
            sight.charged.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// An access key with a policy does nothing that its policy doesn't allow.
    pub(super) fn signature(&self, action: Action, name: &str) -> S3Result<()> {
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
        let Some(Conditional { signed, headers, uri, peer }) = self.request.as_deref() else { return Context::default() };
        let by = self.caller.signed.then_some((&*self.caller.user, *signed));
        let mut context = context::of_request(headers, uri, *peer, by);
        if self.lists {
            context::add_listing(&mut context, uri);
        }
        row.into_iter().for_each(|row| context::add_object(&mut context, row));
        context
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn asked<T>(
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
        if conditions && self.request.is_none() {
            // A policy that came since: what it says of this request can't be told any more.
            return false;
        }
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

    /// Whether the caller could learn from a listing whether there is this key.
    fn may_list(&self, bucket: &BucketRow, rules: &Rules, key: &str) -> bool {
        let mut context = self.context(None);
        context.set("s3:prefix", key);
        self.asked(bucket, rules, Action::ListBucket, None, None, &context, is_allowed)
    }

    /// What is said of an object that isn't there: to learn that, one must be allowed to list.
    pub(crate) fn missing(&self, bucket: &BucketRow, rules: &Rules, action: Action, key: &str, error: TableError) -> S3Error {
        let reads = matches!(action, Action::GetObject | Action::GetObjectVersion);
        let is_missing = matches!(error, TableError::NoSuchKey | TableError::NoSuchVersion);
        if is_missing && reads && !self.may_list(bucket, rules, key) { denied() } else { error.into() }
    }

    /// That an object is deleted, whoever may list its bucket may be told.
    pub(super) fn sees_marker(
        &self,
        bucket: &BucketRow,
        rules: &Rules,
        action: Action,
        key: &str,
        row: Option<&ObjectRow>,
    ) -> bool {
        let reads = matches!(action, Action::GetObject | Action::GetObjectVersion);
        reads && row.is_some_and(|row| row.live().is_none()) && self.may_list(bucket, rules, key)
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
        if self.sees_marker(bucket, &rules, action, key.as_str(), Some(row)) {
            return Ok(());
        }
        self.must(bucket, &rules, action, Some(key.as_str()), Some(row))
    }
}
