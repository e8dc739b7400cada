//! ListObjects and ListObjectsV2.

use s3s::dto::{
    ChecksumAlgorithm, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Object, ObjectStorageClass,
};
use s3s::{S3Request, S3Response, S3Result};

use super::page::{Names, limit, read_token, token};
use super::shape::{etag, owner_of, signed, timestamp};
use crate::names::ObjectKey;
use crate::rows::{ObjectRow, UserRow};
use crate::s3::Api;
use crate::s3::access::caller;
use crate::s3::digest::scope_shown;
use crate::tables::{ListQuery, Marker};

/// An empty parameter is as none.
pub(super) fn given(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

fn shown(names: Names, (key, row): &(ObjectKey, ObjectRow), with_owner: Option<&UserRow>) -> Option<Object> {
    let live = row.live()?;
    let class = live.storage_class.clone().unwrap_or_else(|| ObjectStorageClass::STANDARD.to_owned());
    let checksum = live.checksum.as_ref();
    Some(Object {
        checksum_algorithm: checksum.map(|checksum| vec![ChecksumAlgorithm::from_static(checksum.checksum.kind.name())]),
        checksum_type: checksum.map(|checksum| scope_shown(checksum.scope)),
        e_tag: Some(etag(&live.etag)),
        key: Some(names.show(key.as_str())),
        last_modified: Some(timestamp(row.modified)),
        owner: with_owner.map(|caller| owner_of(&row.owner, caller)),
        restore_status: None,
        size: Some(signed(live.size)),
        storage_class: Some(ObjectStorageClass::from(class)),
    })
}

pub(super) async fn list_objects(api: &Api, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let caller = caller(&request)?;
    let input = request.input;
    let names = Names::asked(input.encoding_type.as_ref())?;
    let max_keys = limit(input.max_keys, "maxKeys")?;
    let (prefix, delimiter) = (input.prefix.clone().unwrap_or_default(), given(input.delimiter.as_ref()));
    let of_client = |marker: String| Marker::of_client(&marker, &prefix, delimiter.as_deref().unwrap_or_default());
    let after = given(input.marker.as_ref()).map(of_client);
    let query = ListQuery { prefix: prefix.clone(), delimiter: delimiter.clone(), after, limit: max_keys as usize };
    let page = api.tables.list_objects(&bucket, &query).await?;
    // S3 names the next marker only where a delimiter makes it other than the last key.
    let next_marker = page.next.as_ref().filter(|_| delimiter.is_some()).map(|next| names.show(next.as_str()));
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(names.show(&prefix)),
        marker: Some(names.show(input.marker.as_deref().unwrap_or_default())),
        max_keys: Some(max_keys),
        is_truncated: Some(page.next.is_some()),
        contents: Some(page.objects.iter().filter_map(|object| shown(names, object, Some(&caller))).collect()),
        common_prefixes: Some(names.show_all(&page.common_prefixes)),
        delimiter: delimiter.map(|delimiter| names.show(&delimiter)),
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
    let names = Names::asked(input.encoding_type.as_ref())?;
    let max_keys = limit(input.max_keys, "maxKeys")?;
    let (prefix, delimiter) = (input.prefix.clone().unwrap_or_default(), given(input.delimiter.as_ref()));
    let of_client = |marker: String| Marker::of_client(&marker, &prefix, delimiter.as_deref().unwrap_or_default());
    let after = match &input.continuation_token {
        Some(token) => Some(read_token(token)?),
        None => given(input.start_after.as_ref()).map(of_client),
    };
    let query = ListQuery { prefix: prefix.clone(), delimiter: delimiter.clone(), after, limit: max_keys as usize };
    let page = api.tables.list_objects(&bucket, &query).await?;
    let with_owner = (input.fetch_owner == Some(true)).then_some(&*caller);
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(names.show(&prefix)),
        max_keys: Some(max_keys),
        key_count: Some((page.objects.len() + page.common_prefixes.len()) as i32),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_ref().map(token),
        contents: Some(page.objects.iter().filter_map(|object| shown(names, object, with_owner)).collect()),
        common_prefixes: Some(names.show_all(&page.common_prefixes)),
        delimiter: delimiter.map(|delimiter| names.show(&delimiter)),
        encoding_type: input.encoding_type,
        start_after: input.start_after.map(|after| names.show(&after)),
        request_charged: None,
    }))
}
