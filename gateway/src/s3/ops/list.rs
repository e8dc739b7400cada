//! ListObjects and ListObjectsV2.

use s3s::dto::{
    ChecksumAlgorithm, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Object, ObjectStorageClass,
};
use s3s::{S3Request, S3Response, S3Result};

use super::page::{Asked, Names, given, read_token, token};
use super::shape::{Owners, etag, signed, timestamp};
use crate::names::ObjectKey;
use crate::rows::{ListedObject, UserRow};
use crate::s3::Api;
use crate::s3::access::caller;
use crate::s3::digest::scope_shown;
use crate::tables::{ListPage, ListQuery, Marker};

fn query(asked: &Asked, after: Option<Marker>) -> ListQuery {
    ListQuery { prefix: asked.prefix.clone(), delimiter: asked.delimiter.clone(), after, limit: asked.limit as usize }
}

fn shown(names: Names, (key, object): (ObjectKey, ListedObject), owners: Option<&Owners>) -> Object {
    let class = object.storage_class.map_or_else(|| ObjectStorageClass::from_static(ObjectStorageClass::STANDARD), Into::into);
    let kind = object.checksum.map(|(kind, _)| ChecksumAlgorithm::from_static(kind.name()));
    Object {
        checksum_algorithm: kind.map(|kind| vec![kind]),
        checksum_type: object.checksum.map(|(_, scope)| scope_shown(scope)),
        e_tag: Some(etag(&object.etag)),
        key: Some(names.show_key(key)),
        last_modified: Some(timestamp(object.modified)),
        owner: owners.map(|owners| owners.show(&object.owner)),
        restore_status: None,
        size: Some(signed(object.size)),
        storage_class: Some(class),
    }
}

/// S3 names the next marker of the first version only where it is other than the last key listed.
fn next_marker<'p>(page: &'p ListPage, delimiter: Option<&str>) -> Option<&'p str> {
    let next = page.next.as_ref()?.as_str();
    let last = page.objects.last().map(|(key, _)| key.as_str());
    (delimiter.is_some() || last != Some(next)).then_some(next)
}

async fn owners(api: &Api, caller: &UserRow, page: &ListPage) -> S3Result<Owners> {
    let mut owners = Owners::known_to(caller);
    for (_, object) in &page.objects {
        owners.add(api, &object.owner).await?;
    }
    Ok(owners)
}

pub(super) async fn list_objects(api: &Api, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let caller = caller(&request)?;
    let input = request.input;
    let limit = (input.max_keys, "maxKeys");
    let asked = Asked::read(input.encoding_type.as_ref(), limit, input.prefix.as_ref(), input.delimiter.as_ref())?;
    let (names, (prefix, delimiter)) = (asked.names, asked.shown());
    let page = api.tables.list_objects(&bucket, &query(&asked, asked.after(input.marker.as_ref()))).await?;
    let next_marker = next_marker(&page, asked.delimiter.as_deref()).map(|next| names.show(next));
    let owners = owners(api, &caller, &page).await?;
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(input.bucket),
        prefix,
        marker: Some(names.show(input.marker.as_deref().unwrap_or_default())),
        max_keys: Some(asked.limit),
        is_truncated: Some(page.next.is_some()),
        contents: Some(page.objects.into_iter().map(|object| shown(names, object, Some(&owners))).collect()),
        common_prefixes: Some(names.show_all(page.common_prefixes)),
        delimiter,
        next_marker,
        encoding_type: input.encoding_type,
        request_charged: None,
    }))
}

pub(super) async fn list_objects_v2(
    api: &Api,
    request: S3Request<ListObjectsV2Input>,
) -> S3Result<S3Response<ListObjectsV2Output>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let caller = caller(&request)?;
    let input = request.input;
    let limit = (input.max_keys, "maxKeys");
    let asked = Asked::read(input.encoding_type.as_ref(), limit, input.prefix.as_ref(), input.delimiter.as_ref())?;
    let (names, (prefix, delimiter)) = (asked.names, asked.shown());
    let after = match given(input.continuation_token.as_ref()) {
        Some(token) => Some(read_token(&token)?),
        None => asked.after(input.start_after.as_ref()),
    };
    let page = api.tables.list_objects(&bucket, &query(&asked, after)).await?;
    let owners = match input.fetch_owner {
        Some(true) => Some(owners(api, &caller, &page).await?),
        _ => None,
    };
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix,
        max_keys: Some(asked.limit),
        key_count: Some((page.objects.len() + page.common_prefixes.len()) as i32),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_ref().map(token),
        contents: Some(page.objects.into_iter().map(|object| shown(names, object, owners.as_ref())).collect()),
        common_prefixes: Some(names.show_all(page.common_prefixes)),
        delimiter,
        encoding_type: input.encoding_type,
        start_after: input.start_after.map(|after| names.show(&after)),
        request_charged: None,
    }))
}
