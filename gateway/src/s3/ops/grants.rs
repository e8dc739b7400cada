//! ACLs as clients write them: a canned name, grant headers, or a document.
//!
//! Source: "Access control list (ACL) overview" in the S3 User Guide.

use http::{HeaderMap, StatusCode};
use s3s::dto::{AccessControlPolicy, Grant as GivenGrant, Grantee as GivenGrantee, Type};
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::access::Canned;
use crate::names::UserId;
use crate::rows::{Acl, Grant, Grantee, Permission};
use crate::s3::Api;
use crate::s3::access::denied;
use crate::s3::error::{fail, fail_as, invalid_argument};
use crate::s3::headers::text;

/// "Access control list (ACL) overview": grants of one list.
const GRANTS_MAX: usize = 100;

const GROUPS: [(&str, Grantee); 3] = [
    ("http://acs.amazonaws.com/groups/global/AllUsers", Grantee::AllUsers),
    ("http://acs.amazonaws.com/groups/global/AuthenticatedUsers", Grantee::AuthenticatedUsers),
    ("http://acs.amazonaws.com/groups/s3/LogDelivery", Grantee::LogDelivery),
];
const PERMISSIONS: [(&str, Permission); 5] = [
    ("FULL_CONTROL", Permission::FullControl),
    ("READ", Permission::Read),
    ("WRITE", Permission::Write),
    ("READ_ACP", Permission::ReadAcp),
    ("WRITE_ACP", Permission::WriteAcp),
];
const HEADERS: [(&str, Permission); 5] = [
    ("x-amz-grant-read", Permission::Read),
    ("x-amz-grant-write", Permission::Write),
    ("x-amz-grant-read-acp", Permission::ReadAcp),
    ("x-amz-grant-write-acp", Permission::WriteAcp),
    ("x-amz-grant-full-control", Permission::FullControl),
];

/// What a request says of access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    Nothing,
    Canned(Canned),
    Grants(Acl),
}

impl Given {
    /// The list that is stored; `None`: the owner alone.
    pub(super) fn acl(self, owner: &UserId, bucket_owner: &UserId) -> Option<Acl> {
        let acl = match self {
            Self::Nothing => return None,
            Self::Canned(canned) => canned.grants(owner, bucket_owner),
            Self::Grants(acl) => acl,
        };
        let alone = Grant { grantee: Grantee::User(owner.clone()), permission: Permission::FullControl };
        (acl.grants != [alone]).then_some(acl)
    }
}

pub(super) fn group_uri(group: &Grantee) -> Option<&'static str> {
    GROUPS.iter().find(|(_, one)| one == group).map(|(uri, _)| *uri)
}

pub(super) fn permission_name(permission: Permission) -> &'static str {
    PERMISSIONS.iter().find(|(_, one)| *one == permission).map_or("FULL_CONTROL", |(name, _)| name)
}

/// What the headers say.
pub(super) async fn of_headers(api: &Api, headers: &HeaderMap) -> S3Result<Given> {
    let canned = text(headers, "x-amz-acl").map(canned).transpose()?;
    let mut grants = Vec::new();
    for (name, permission) in HEADERS {
        for named in headers.get_all(name) {
            let named = named.to_str().map_err(|_| invalid_argument(format!("{name} must be text")))?;
            for one in named.split(',').filter(|one| !one.trim().is_empty()) {
                grants.push(Grant { grantee: of_pair(api, one).await?, permission });
            }
        }
    }
    match (canned, grants.is_empty()) {
        (None, true) => Ok(Given::Nothing),
        (Some(canned), true) => Ok(Given::Canned(canned)),
        (None, false) => bounded(grants),
        (Some(_), false) => {
            Err(fail(S3ErrorCode::InvalidRequest, "Specifying both Canned ACLs and Header Grants is not allowed"))
        }
    }
}

/// What a request that sets an ACL says: by headers or by a document on something of `owner`, and not by both.
pub(super) async fn of_request(
    api: &Api,
    headers: &HeaderMap,
    document: Option<AccessControlPolicy>,
    owner: &UserId,
) -> S3Result<Given> {
    match (of_headers(api, headers).await?, document) {
        (Given::Nothing, None) => {
            let message = "Your request was missing a required header.";
            Err(fail(S3ErrorCode::MissingSecurityHeader, message))
        }
        (Given::Nothing, Some(document)) => of_document(api, document, owner).await,
        (given, None) => Ok(given),
        (_, Some(_)) => Err(fail(S3ErrorCode::UnexpectedContent, "This request does not support content")),
    }
}

fn canned(name: &str) -> S3Result<Canned> {
    match Canned::parse(name) {
        Some(canned) => Ok(canned),
        None if name == "aws-exec-read" => {
            let message = "A header you provided implies functionality that is not implemented: x-amz-acl: aws-exec-read";
            Err(fail(S3ErrorCode::NotImplemented, message))
        }
        None => Err(invalid_argument("The value of x-amz-acl is not a canned ACL.")),
    }
}

fn bounded(grants: Vec<Grant>) -> S3Result<Given> {
    if grants.len() > GRANTS_MAX { Err(malformed()) } else { Ok(Given::Grants(Acl { grants })) }
}

/// `id="..."`, `uri="..."` or `emailAddress="..."`.
async fn of_pair(api: &Api, pair: &str) -> S3Result<Grantee> {
    let (kind, value) = pair.split_once('=').ok_or_else(|| invalid_argument("Argument format not recognized"))?;
    let value = value.trim().trim_matches('"');
    match kind.trim().to_ascii_lowercase().as_str() {
        "id" => by_id(api, value).await,
        "uri" => by_uri(value),
        "emailaddress" => by_email(api, value).await,
        _ => Err(invalid_argument("Argument format not recognized")),
    }
}

async fn by_id(api: &Api, id: &str) -> S3Result<Grantee> {
    let invalid = || invalid_argument("Invalid id");
    let id = UserId::parse(id).map_err(|_| invalid())?;
    api.tables.user(&id).await?.map(|user| Grantee::User(user.id)).ok_or_else(invalid)
}

fn by_uri(uri: &str) -> S3Result<Grantee> {
    let group = GROUPS.iter().find(|(one, _)| *one == uri).map(|(_, group)| group.clone());
    group.ok_or_else(|| invalid_argument("Invalid group uri"))
}

async fn by_email(api: &Api, email: &str) -> S3Result<Grantee> {
    let found = api.tables.user_by_email(email).await?;
    found.map(|user| Grantee::User(user.id)).ok_or_else(|| {
        let message = "The e-mail address you provided does not match any account on record.";
        fail_as(StatusCode::BAD_REQUEST, "UnresolvableGrantByEmailAddress", message)
    })
}

/// Whose a thing is, no ACL can change.
async fn of_document(api: &Api, document: AccessControlPolicy, owner: &UserId) -> S3Result<Given> {
    let said = document.owner.and_then(|said| said.id).filter(|id| !id.is_empty());
    if said.is_some_and(|said| said != owner.as_str()) {
        return Err(denied());
    }
    let mut grants = Vec::new();
    for grant in document.grants.ok_or_else(malformed)? {
        grants.push(of_grant(api, grant).await?);
    }
    bounded(grants)
}

pub(super) async fn of_grant(api: &Api, grant: GivenGrant) -> S3Result<Grant> {
    let permission = grant.permission.ok_or_else(malformed)?;
    let found = PERMISSIONS.iter().find(|(name, _)| *name == permission.as_str());
    let permission = found.map(|(_, permission)| *permission).ok_or_else(malformed)?;
    let GivenGrantee { id, email_address, uri, type_, .. } = grant.grantee.ok_or_else(malformed)?;
    let grantee = match type_.as_str() {
        Type::CANONICAL_USER => by_id(api, &id.ok_or_else(malformed)?).await?,
        Type::AMAZON_CUSTOMER_BY_EMAIL => by_email(api, &email_address.ok_or_else(malformed)?).await?,
        Type::GROUP => by_uri(&uri.ok_or_else(malformed)?)?,
        _ => return Err(malformed()),
    };
    Ok(Grant { grantee, permission })
}

fn malformed() -> S3Error {
    let message = "The XML you provided was not well-formed or did not validate against our published schema";
    fail(S3ErrorCode::MalformedACLError, message)
}
