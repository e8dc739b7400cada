//! GetObjectAttributes.

use s3s::dto::{
    self, GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectAttributesParts, ObjectAttributes, ObjectPart,
    StorageClass,
};
use s3s::{S3Request, S3Response, S3Result};

use super::acl::seen;
use super::get::whole_shown;
use super::locks::live;
use super::shape::{shown_version, signed, timestamp, version};
use crate::rows::{LiveObject, PartRef};
use crate::s3::Api;
use crate::s3::access::headers;
use crate::s3::digest::{Shown, scope_shown};
use crate::s3::encryption::{Of, given};
use crate::s3::error::{invalid_argument, object_key};
use crate::s3::headers::text;
use crate::s3::limits::PAGE_MAX;

const NAMES: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

pub(super) async fn get_object_attributes(
    api: &Api,
    mut request: S3Request<GetObjectAttributesInput>,
) -> S3Result<S3Response<GetObjectAttributesOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let customer = given(headers(&request), Of::Stored)?;
    let key = object_key(&request.input.key)?;
    let asked = asked(&request.input.object_attributes)?;
    let wants = |name: &str| asked.iter().any(|asked| asked == name);
    let page = (text(headers(&request), "x-amz-max-parts"), text(headers(&request), "x-amz-part-number-marker"));
    let page = (number(page.0, PAGE_MAX)?.min(PAGE_MAX), number(page.1, 0)?);
    let named = version(request.input.version_id.as_deref())?;
    let row = seen(api, &mut request, &bucket, &key, named).await?;
    let live = live(&row, named.is_some())?;
    api.open_stored(&bucket, row.uid, &live.sse, customer)?;
    let parts = if wants("ObjectParts") { api.tables.parts(&row).await? } else { Vec::new() };
    Ok(S3Response::new(GetObjectAttributesOutput {
        checksum: checksum(live).filter(|_| wants("Checksum")),
        e_tag: wants("ETag").then(|| dto::ETag::Strong(live.etag.to_string())),
        last_modified: Some(timestamp(row.modified)),
        object_parts: shown_parts(live, &parts, page).filter(|_| wants("ObjectParts")),
        object_size: wants("ObjectSize").then(|| signed(live.size)),
        storage_class: wants("StorageClass").then(|| class(live)),
        version_id: shown_version(&bucket, &row),
        ..GetObjectAttributesOutput::default()
    }))
}

fn asked(list: &[ObjectAttributes]) -> S3Result<Vec<String>> {
    let names: Vec<String> = list.iter().flat_map(|name| name.as_str().split(',')).map(|name| name.trim().to_owned()).collect();
    if names.is_empty() || names.iter().any(|name| !NAMES.contains(&name.as_str())) {
        return Err(invalid_argument("Invalid attribute name specified."));
    }
    Ok(names)
}

fn number(header: Option<&str>, default: i32) -> S3Result<i32> {
    let parse = |text: &str| text.parse().ok().filter(|number| *number >= 0);
    header.map_or(Some(default), parse).ok_or_else(|| invalid_argument("A number of parts must be an integer, 0 or more"))
}

fn class(live: &LiveObject) -> StorageClass {
    StorageClass::from(live.storage_class.clone().unwrap_or_else(|| StorageClass::STANDARD.to_owned()))
}

fn checksum(live: &LiveObject) -> Option<dto::Checksum> {
    let kept = live.checksum.as_ref()?;
    let shown = whole_shown(&kept.checksum, kept.scope, live.etag.parts);
    Some(dto::Checksum {
        checksum_crc32: shown.crc32,
        checksum_crc32c: shown.crc32c,
        checksum_crc64nvme: shown.crc64nvme,
        checksum_sha1: shown.sha1,
        checksum_sha256: shown.sha256,
        checksum_type: Some(scope_shown(kept.scope)),
    })
}

/// A page of the parts of an object that was uploaded in parts.
fn shown_parts(live: &LiveObject, parts: &[PartRef], (limit, after): (i32, i32)) -> Option<GetObjectAttributesParts> {
    let total = live.etag.parts?;
    let behind: Vec<&PartRef> = parts.iter().filter(|part| i32::from(part.number) > after).collect();
    let limit_rows = usize::try_from(limit).unwrap_or(0);
    let page = &behind[..behind.len().min(limit_rows)];
    Some(GetObjectAttributesParts {
        is_truncated: Some(page.len() < behind.len()),
        max_parts: Some(limit),
        next_part_number_marker: Some(page.last().map_or(after, |part| part.number.into())),
        part_number_marker: Some(after),
        parts: Some(page.iter().map(|part| shown_part(part)).collect()),
        total_parts_count: Some(total.into()),
    })
}

fn shown_part(part: &PartRef) -> ObjectPart {
    let shown = Shown::of(part.checksum.as_ref());
    ObjectPart {
        checksum_crc32: shown.crc32,
        checksum_crc32c: shown.crc32c,
        checksum_crc64nvme: shown.crc64nvme,
        checksum_sha1: shown.sha1,
        checksum_sha256: shown.sha256,
        part_number: Some(part.number.into()),
        size: Some(signed(part.len)),
    }
}
