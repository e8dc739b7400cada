//! Public access: what counts as public, and what forbids it.
//!
//! Source: "Blocking public access to your Amazon S3 storage", with its meaning of "public", in the S3 User Guide.

use super::policy::{Policy, Principals, Statement};

/// Keys that, held to fixed values, make a statement for everybody one for a few.
const NARROWING: [&str; 11] = [
    "aws:sourceip",
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceowner",
    "aws:sourceaccount",
    "aws:userid",
    "aws:principalorgid",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:dataaccesspointarn",
    "s3:dataaccesspointaccount",
];

impl Policy {
    /// True if it allows something to people it can't name.
    pub(crate) fn is_public(&self) -> bool {
        self.statements.iter().any(Statement::is_public)
    }
}

impl Statement {
    fn is_public(&self) -> bool {
        let narrowed = self.conditions.iter().any(|condition| NARROWING.contains(&condition.key.as_str()) && condition.pins());
        self.allow && self.principals == Principals::Everybody && !narrowed
    }
}
