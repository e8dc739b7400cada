//! GetBucketAcl, PutBucketAcl, GetObjectAcl, PutObjectAcl, and the ACL that a new bucket or object is given.

use s3s::dto::{
    GetBucketAclInput, GetBucketAclOutput, GetObjectAclInput, GetObjectAclOutput, Grant as ShownGrant, Grantee as ShownGrantee,
    Owner, Permission as ShownPermission, PutBucketAclInput, PutBucketAclOutput, PutObjectAclInput, PutObjectAclOutput, Type,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::grants::{self, Given, group_uri};
use super::shape::{owner, version};
use crate::access::Canned;
use crate::names::{ObjectKey, UserId, VersionId};
use crate::rows::{Acl, BucketRow, EventKind, Grant, Grantee, LiveObject, ObjectOwnership, ObjectRow, Permission, UserRow};
use crate::s3::Api;
use crate::s3::access::{Rules, caller, denied, headers, take_known_object};
use crate::s3::error::{fail, no_such_key, object_key};

/// Who owns a new object, and who else may do what with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shared {
    pub(super) owner: UserId,
    /// `None`: the owner alone.
    pub(super) acl: Option<Acl>,
}

/// What the request's headers, its caller and the bucket's ownership make of a new object.
pub(super) async fn of_new_object<T>(api: &Api, request: &S3Request<T>, bucket: &BucketRow) -> S3Result<Shared> {
    let writer = caller(request)?;
    let given = grants::of_headers(api, headers(request)).await?;
    if given == Given::Nothing && writer.id == bucket.owner {
        return Ok(Shared { owner: writer.id.clone(), acl: None });
    }
    let rules = Rules::of(bucket);
    let handed_over = given == Given::Canned(Canned::BucketOwnerFullControl);
    let owner = match rules.ownership {
        ObjectOwnership::BucketOwnerEnforced => {
            refuse_where_enforced(&given, bucket)?;
            return Ok(Shared { owner: bucket.owner.clone(), acl: None });
        }
        ObjectOwnership::BucketOwnerPreferred if handed_over => bucket.owner.clone(),
        ObjectOwnership::BucketOwnerPreferred | ObjectOwnership::ObjectWriter => writer.id.clone(),
    };
    let acl = given.acl(&owner, &bucket.owner);
    refuse_public(&rules, acl.as_ref())?;
    Ok(Shared { owner, acl })
}

/// Where ACLs are off, only what says that the bucket's owner has full control is taken.
fn refuse_where_enforced(given: &Given, bucket: &BucketRow) -> S3Result<()> {
    let owners =
        |grant: &Grant| grant.permission == Permission::FullControl && grant.grantee == Grantee::User(bucket.owner.clone());
    match given {
        Given::Nothing | Given::Canned(Canned::BucketOwnerFullControl) => Ok(()),
        Given::Grants(acl) if acl.grants.iter().all(owners) => Ok(()),
        Given::Canned(_) | Given::Grants(_) => Err(acls_off()),
    }
}

fn acls_off() -> s3s::S3Error {
    fail(S3ErrorCode::AccessControlListNotSupported, "The bucket does not allow ACLs")
}

fn refuse_public(rules: &Rules, acl: Option<&Acl>) -> S3Result<()> {
    if rules.block.block_public_acls && acl.is_some_and(Acl::is_public) { Err(denied()) } else { Ok(()) }
}

pub(super) async fn get_bucket_acl(api: &Api, request: S3Request<GetBucketAclInput>) -> S3Result<S3Response<GetBucketAclOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let off = Rules::of(&bucket).ownership == ObjectOwnership::BucketOwnerEnforced;
    let acl = bucket.acl.as_ref().filter(|_| !off);
    let (owner, grants) = shown(api, &bucket.owner, acl).await?;
    Ok(S3Response::new(GetBucketAclOutput { grants: Some(grants), owner: Some(owner) }))
}

pub(super) async fn put_bucket_acl(
    api: &Api,
    mut request: S3Request<PutBucketAclInput>,
) -> S3Result<S3Response<PutBucketAclOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let document = request.input.access_control_policy.take();
    let given = grants::of_request(api, headers(&request), document, &bucket.owner).await?;
    let rules = Rules::of(&bucket);
    if rules.ownership == ObjectOwnership::BucketOwnerEnforced {
        refuse_where_enforced(&given, &bucket)?;
        return Ok(S3Response::new(PutBucketAclOutput::default()));
    }
    let acl = given.acl(&bucket.owner, &bucket.owner);
    refuse_public(&rules, acl.as_ref())?;
    let set = |row: &mut BucketRow| {
        row.acl.clone_from(&acl);
        Ok(())
    };
    api.tables.change_bucket(&bucket.name, set).await?;
    Ok(S3Response::new(PutBucketAclOutput::default()))
}

pub(super) async fn get_object_acl(
    api: &Api,
    mut request: S3Request<GetObjectAclInput>,
) -> S3Result<S3Response<GetObjectAclOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let key = object_key(&request.input.key)?;
    let named = version(request.input.version_id.as_deref())?;
    let row = seen(api, &mut request, &bucket, &key, named).await?;
    let Some(live) = row.live() else { return Err(no_such_key()) };
    let off = Rules::of(&bucket).ownership == ObjectOwnership::BucketOwnerEnforced;
    let (owner, acl) = if off { (&bucket.owner, None) } else { (&row.owner, live.acl.as_ref()) };
    let (owner, grants) = shown(api, owner, acl).await?;
    Ok(S3Response::new(GetObjectAclOutput { grants: Some(grants), owner: Some(owner), request_charged: None }))
}

pub(super) async fn put_object_acl(
    api: &Api,
    mut request: S3Request<PutObjectAclInput>,
) -> S3Result<S3Response<PutObjectAclOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let key = object_key(&request.input.key)?;
    let named = version(request.input.version_id.as_deref())?;
    let row = seen(api, &mut request, &bucket, &key, named).await?;
    if row.live().is_none() {
        return Err(no_such_key());
    }
    let document = request.input.access_control_policy.take();
    let given = grants::of_request(api, headers(&request), document, &row.owner).await?;
    let rules = Rules::of(&bucket);
    if rules.ownership == ObjectOwnership::BucketOwnerEnforced {
        refuse_where_enforced(&given, &bucket)?;
        return Ok(S3Response::new(PutObjectAclOutput::default()));
    }
    let acl = given.acl(&row.owner, &bucket.owner);
    refuse_public(&rules, acl.as_ref())?;
    let set = |live: &mut LiveObject| {
        live.acl.clone_from(&acl);
        Ok(())
    };
    api.telling(&request, &bucket, EventKind::AclPut).change_object(&bucket, &key, &row, set).await?;
    Ok(S3Response::new(PutObjectAclOutput::default()))
}

/// The very row that access was decided upon, where there was one: another may be there by now that isn't the caller's affair.
pub(super) async fn seen<T>(
    api: &Api,
    request: &mut S3Request<T>,
    bucket: &BucketRow,
    key: &ObjectKey,
    named: Option<VersionId>,
) -> S3Result<ObjectRow> {
    match take_known_object(request) {
        Some(row) => Ok(row),
        None => Ok(api.tables.object(bucket, key, named).await?),
    }
}

/// The ACL of a new bucket.
pub(super) async fn of_new_bucket<T>(
    api: &Api,
    request: &S3Request<T>,
    owner: &UserId,
    ownership: ObjectOwnership,
) -> S3Result<Option<Acl>> {
    let given = grants::of_headers(api, headers(request)).await?;
    let acl = given.acl(owner, owner);
    if ownership == ObjectOwnership::BucketOwnerEnforced && acl.is_some() {
        let message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
        return Err(fail(S3ErrorCode::InvalidBucketAclWithObjectOwnership, message));
    }
    Ok(acl)
}

async fn shown(api: &Api, owner_id: &UserId, acl: Option<&Acl>) -> S3Result<(Owner, Vec<ShownGrant>)> {
    let own = owner(&named(api, owner_id).await?);
    let alone = Acl { grants: vec![Grant { grantee: Grantee::User(owner_id.clone()), permission: Permission::FullControl }] };
    // S3 names groups before users.
    let (users, groups): (Vec<_>, Vec<_>) =
        acl.unwrap_or(&alone).grants.iter().partition(|grant| matches!(grant.grantee, Grantee::User(_)));
    let mut grants = Vec::new();
    for grant in groups.into_iter().chain(users) {
        let grantee = shown_grantee(api, &grant.grantee).await?;
        let permission = ShownPermission::from_static(grants::permission_name(grant.permission));
        grants.push(ShownGrant { grantee: Some(grantee), permission: Some(permission) });
    }
    Ok((own, grants))
}

pub(super) async fn shown_grantee(api: &Api, grantee: &Grantee) -> S3Result<ShownGrantee> {
    Ok(match grantee {
        Grantee::User(id) => {
            let user = owner(&named(api, id).await?);
            let type_ = Type::from_static(Type::CANONICAL_USER);
            ShownGrantee { display_name: user.display_name, email_address: None, id: user.id, type_, uri: None }
        }
        group => ShownGrantee {
            display_name: None,
            email_address: None,
            id: None,
            type_: Type::from_static(Type::GROUP),
            uri: group_uri(group).map(str::to_owned),
        },
    })
}

/// A user by id, also one that is gone.
pub(super) async fn named(api: &Api, id: &UserId) -> S3Result<UserRow> {
    let anonymous = UserRow::anonymous();
    if *id == anonymous.id {
        return Ok(anonymous);
    }
    let gone = || UserRow { id: id.clone(), display_name: String::new(), ..UserRow::anonymous() };
    Ok(api.tables.user(id).await?.unwrap_or_else(gone))
}
