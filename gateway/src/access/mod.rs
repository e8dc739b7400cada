//! Who may do what: one decision over what owners wrote down. No store, no clock, no HTTP.
//!
//! ```text
//!   Asked { who, action, resource, context }
//!        │  key's own policy     denies or doesn't allow ──► no        narrows what one access key may do
//!        │  bucket policy        denies ───────────────────► no        an explicit deny wins over everything
//!        │  owner                ──────────────────────────► yes       unless an ACL took reading or writing from him
//!        │  bucket policy        allows ───────────────────► yes       unless public and public policies are restricted
//!        ▼  ACL                  grants ───────────────────► yes       unless ACLs are off, or public and ignored
//!        no
//! ```
//! Promises: what nobody allowed is refused; a document that doesn't parse is refused when it is written and denies everything should it
//! turn up later. The rules are those of "How Amazon S3 authorizes a request" and "Access control list (ACL) overview" in the S3 User
//! Guide; where a rule is older or narrower than that, it says so.

mod acl;
mod action;
mod condition;
mod decide;
mod keys;
mod pattern;
mod policy;
mod public;

#[cfg(test)]
mod tests;

pub(crate) use acl::Canned;
pub(crate) use action::Action;
pub(crate) use condition::Context;
pub(crate) use decide::{Asked, Bucket, Object, Who, is_allowed, may_deliver_logs};
pub(crate) use policy::{BadPolicy, Policy};
