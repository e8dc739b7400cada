//! The decision.

use nodio_wire::UnixMs;

use super::action::{Action, ByAcl};
use super::condition::Context;
use super::policy::{LOG_DELIVERY, Person, Policy, Question, Says};
use crate::names::UserId;
use crate::rows::{Acl, Grantee, Permission, PublicAccessBlock};

/// A signed request's user and the policy of the access key that signed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who<'a> {
    pub(crate) id: &'a UserId,
    pub(crate) name: &'a str,
    pub(crate) key_policy: Option<&'a Policy>,
}

/// What the bucket's owner wrote down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket<'a> {
    pub(crate) name: &'a str,
    pub(crate) owner: &'a UserId,
    pub(crate) policy: Option<&'a Policy>,
    /// `None`: the owner alone.
    pub(crate) acl: Option<&'a Acl>,
    /// BucketOwnerEnforced: ACLs count for nothing, and the bucket's owner owns all that is in it.
    pub(crate) acls_off: bool,
    pub(crate) block: PublicAccessBlock,
}

/// The object asked for, as far as there is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Object<'a> {
    pub(crate) key: &'a str,
    /// Owner and ACL of the version asked for; `None` where there is none.
    pub(crate) there: Option<(&'a UserId, Option<&'a Acl>)>,
}

/// One question.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) who: Option<Who<'a>>,
    pub(crate) action: Action,
    pub(crate) bucket: Bucket<'a>,
    pub(crate) object: Option<Object<'a>>,
    pub(crate) context: &'a Context,
}

impl Asked<'_> {
    /// True if the answer may hang on the object's owner and ACL.
    pub(crate) fn needs_object(&self) -> bool {
        match self.action.by_acl() {
            ByAcl::Object(_) => !self.bucket.acls_off || self.is_about_tags(),
            ByAcl::Never if is_of_object(self.action) => {
                self.who.is_none_or(|who| who.id != self.bucket.owner) || self.is_about_tags()
            }
            ByAcl::Bucket(_) | ByAcl::Never => self.is_about_tags(),
        }
    }

    fn is_about_tags(&self) -> bool {
        self.object.is_some() && self.bucket.policy.is_some_and(|policy| policy.mentions("s3:existingobjecttag/"))
    }
}

/// Whether it may be done.
pub(crate) fn is_allowed(asked: &Asked<'_>) -> bool {
    let key_allows = asked.who.and_then(|who| who.key_policy).is_none_or(|policy| says(policy, asked) == Says::Allow);
    if !key_allows {
        return false;
    }
    let owns_bucket = asked.who.is_some_and(|who| who.id == asked.bucket.owner);
    if owns_bucket && asked.action.is_owners_always() {
        return true;
    }
    match asked.bucket.policy.map_or(Says::Nothing, |policy| says(policy, asked)) {
        Says::Deny => false,
        Says::Allow if owns_bucket || !is_restricted(&asked.bucket) => true,
        Says::Allow | Says::Nothing => is_owners(asked, owns_bucket) || is_granted(asked),
    }
}

/// Whether the access log of the bucket `source`, of `owner`, may be put at `key`: by the policy's word on the service that does it, else by
/// the ACL's on its group, which needs WRITE and READ_ACP.
pub(crate) fn may_deliver_logs(bucket: &Bucket<'_>, source: &str, owner: &UserId, key: &str, now: UnixMs) -> bool {
    let mut context = Context::default();
    context.add("aws:sourcearn", format!("arn:aws:s3:::{source}"));
    context.add("aws:sourceaccount", owner.as_str());
    context.add("aws:principalservicename", "logging.s3.amazonaws.com");
    context.add("aws:principalisawsservice", "true");
    context.add("aws:securetransport", "true");
    for key in ["aws:epochtime", "aws:currenttime"] {
        context.add(key, (now / 1000).to_string());
    }
    let resource = format!("arn:aws:s3:::{}/{key}", bucket.name);
    let action = Action::PutObject.name();
    let question = Question { person: Some(LOG_DELIVERY), action, resource: &resource, context: &context };
    let granted = |acl: &Acl| {
        let grants = |wanted| acl.grants.iter().any(|grant| grant.grantee == Grantee::LogDelivery && grant.permission == wanted);
        grants(Permission::FullControl) || grants(Permission::Write) && grants(Permission::ReadAcp)
    };
    match bucket.policy.map_or(Says::Nothing, |policy| policy.says(&question)) {
        Says::Deny => false,
        Says::Allow => true,
        Says::Nothing => !bucket.acls_off && bucket.acl.is_some_and(granted),
    }
}

fn says(policy: &Policy, asked: &Asked<'_>) -> Says {
    let person = asked.who.map(|who| Person { id: who.id.as_str(), name: who.name });
    let resource = resource(asked);
    policy.says(&Question { person, action: asked.action.name(), resource: &resource, context: asked.context })
}

fn resource(asked: &Asked<'_>) -> String {
    match &asked.object {
        Some(object) => format!("arn:aws:s3:::{}/{}", asked.bucket.name, object.key),
        None => format!("arn:aws:s3:::{}", asked.bucket.name),
    }
}

fn is_restricted(bucket: &Bucket<'_>) -> bool {
    bucket.block.restrict_public_buckets && bucket.policy.is_some_and(Policy::is_public)
}

/// A bucket's owner may do everything with the bucket, and an object's owner with the object; deleting is the bucket owner's affair. Where
/// there is an ACL, owners read and write by its grants like anybody else, and the ACL itself always.
fn is_owners(asked: &Asked<'_>, owns_bucket: bool) -> bool {
    let by_acl = |acl: Option<&Acl>, wanted: Permission| {
        asked.bucket.acls_off || acl.is_none() || matches!(wanted, Permission::ReadAcp | Permission::WriteAcp)
    };
    match (asked.action.by_acl(), asked.object.and_then(|object| object.there)) {
        (ByAcl::Object(wanted), Some((owner, acl))) if !asked.bucket.acls_off => {
            asked.who.is_some_and(|who| who.id == owner) && by_acl(acl, wanted)
        }
        (ByAcl::Bucket(wanted), _) => owns_bucket && by_acl(asked.bucket.acl, wanted),
        (ByAcl::Never, Some((owner, _))) if !owns_bucket => {
            asked.who.is_some_and(|who| who.id == owner) && is_of_object(asked.action)
        }
        _ => owns_bucket,
    }
}

/// What the owner of an object in another's bucket may do with it although no ACL speaks of it.
fn is_of_object(action: Action) -> bool {
    use Action::{
        AbortMultipartUpload, DeleteObjectTagging, DeleteObjectVersionTagging, GetObjectTagging, GetObjectVersionTagging,
        ListMultipartUploadParts, PutObjectTagging, PutObjectVersionTagging,
    };
    matches!(
        action,
        AbortMultipartUpload
            | ListMultipartUploadParts
            | GetObjectTagging
            | GetObjectVersionTagging
            | PutObjectTagging
            | PutObjectVersionTagging
            | DeleteObjectTagging
            | DeleteObjectVersionTagging
    )
}

fn is_granted(asked: &Asked<'_>) -> bool {
    if asked.bucket.acls_off {
        return false;
    }
    let (acl, wanted) = match asked.action.by_acl() {
        ByAcl::Never => return false,
        ByAcl::Bucket(wanted) => (asked.bucket.acl, wanted),
        ByAcl::Object(wanted) => (asked.object.and_then(|object| object.there).and_then(|(_, acl)| acl), wanted),
    };
    let ignored = asked.bucket.block.ignore_public_acls;
    acl.is_some_and(|acl| acl.grants(asked.who.map(|who| who.id), wanted, ignored))
}
