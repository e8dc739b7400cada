//! PutBucketVersioning, GetBucketVersioning, ListObjectVersions.

use s3s::dto::{
    BucketVersioningStatus, ChecksumAlgorithm, DeleteMarkerEntry, GetBucketVersioningInput, GetBucketVersioningOutput,
    ListObjectVersionsInput, ListObjectVersionsOutput, MFADelete, ObjectVersion, ObjectVersionStorageClass,
    PutBucketVersioningInput, PutBucketVersioningOutput,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::page::{Asked, Names};
use super::shape::{Owners, etag, signed, timestamp, version};
use crate::names::VersionId;
use crate::rows::{ListedObject, ListedVersion, Versioning};
use crate::s3::Api;
use crate::s3::access::caller;
use crate::s3::digest::scope_shown;
use crate::s3::error::{fail, invalid_argument};
use crate::tables::{Marker, ShownVersion, VersionQuery};

pub(super) async fn put_bucket_versioning(
    api: &Api,
    request: S3Request<PutBucketVersioningInput>,
) -> S3Result<S3Response<PutBucketVersioningOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let asked = &request.input.versioning_configuration;
    if asked.mfa_delete.as_ref().is_some_and(|mfa| mfa.as_str() == MFADelete::ENABLED) {
        return Err(fail(S3ErrorCode::NotImplemented, "MFA Delete is not implemented"));
    }
    let versioning = match asked.status.as_ref().map(BucketVersioningStatus::as_str) {
        Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
        Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
        _ => {
            let message = "The versioning configuration specified in the request is invalid.";
            return Err(fail(S3ErrorCode::IllegalVersioningConfigurationException, message));
        }
    };
    api.tables.set_versioning(&bucket.name, versioning).await?;
    Ok(S3Response::new(PutBucketVersioningOutput::default()))
}

/// Says nothing where versioning was never on.
pub(super) async fn get_bucket_versioning(
    api: &Api,
    request: S3Request<GetBucketVersioningInput>,
) -> S3Result<S3Response<GetBucketVersioningOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let status = match bucket.versioning {
        Versioning::Off => None,
        Versioning::Enabled => Some(BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED)),
        Versioning::Suspended => Some(BucketVersioningStatus::from_static(BucketVersioningStatus::SUSPENDED)),
    };
    Ok(S3Response::new(GetBucketVersioningOutput { mfa_delete: None, status }))
}

pub(super) async fn list_object_versions(
    api: &Api,
    request: S3Request<ListObjectVersionsInput>,
) -> S3Result<S3Response<ListObjectVersionsOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let caller = caller(&request)?;
    let input = request.input;
    let limit = (input.max_keys, "maxKeys");
    let asked = Asked::read(input.encoding_type.as_ref(), limit, input.prefix.as_ref(), input.delimiter.as_ref())?;
    let (names, (prefix, delimiter)) = (asked.names, asked.shown());
    let after_version = version(input.version_id_marker.as_deref())?;
    let after = after(asked.after(input.key_marker.as_ref()), after_version)?;
    let Asked { limit, .. } = asked;
    let query = VersionQuery { prefix: asked.prefix, delimiter: asked.delimiter, after, after_version, limit: limit as usize };
    let page = api.tables.list_versions(&bucket, &query).await?;

    let mut owners = Owners::known_to(&caller);
    for shown in &page.versions {
        owners.add(api, shown.version.owner()).await?;
    }
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    for shown in page.versions {
        match entry(names, shown, &owners) {
            Entry::Version(version) => versions.push(version),
            Entry::Marker(marker) => markers.push(marker),
        }
    }
    let (next_key, next_version) =
        page.next.map_or((None, None), |(marker, version)| (Some(names.show(marker.as_str())), version));
    Ok(S3Response::new(ListObjectVersionsOutput {
        name: Some(input.bucket),
        prefix,
        key_marker: Some(names.show(input.key_marker.as_deref().unwrap_or_default())),
        version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
        max_keys: Some(limit),
        is_truncated: Some(next_key.is_some()),
        next_key_marker: next_key,
        next_version_id_marker: next_version.map(|version| version.to_string()),
        versions: Some(versions),
        delete_markers: Some(markers),
        common_prefixes: Some(names.show_all(page.common_prefixes)),
        delimiter,
        encoding_type: input.encoding_type,
        request_charged: None,
    }))
}

/// Where to go on. A key that ends like a common prefix is one, unless a version of it is named.
fn after(marker: Option<Marker>, version: Option<VersionId>) -> S3Result<Option<Marker>> {
    match (marker, version) {
        (None, Some(_)) => Err(invalid_argument("A version-id marker cannot be specified without a key marker.")),
        (Some(marker), Some(_)) => Ok(Some(Marker::Key(marker.as_str().to_owned()))),
        (marker, None) => Ok(marker),
    }
}

enum Entry {
    Version(ObjectVersion),
    Marker(DeleteMarkerEntry),
}

fn entry(names: Names, shown: ShownVersion, owners: &Owners) -> Entry {
    let ShownVersion { key, version, latest } = shown;
    let key = Some(names.show_key(key));
    match version {
        ListedVersion::Object(id, object) => Entry::Version(live(key, id, latest, object, owners)),
        ListedVersion::DeleteMarker { version, modified, owner } => Entry::Marker(DeleteMarkerEntry {
            is_latest: Some(latest),
            key,
            last_modified: Some(timestamp(modified)),
            owner: Some(owners.show(&owner)),
            version_id: Some(version.to_string()),
        }),
    }
}

fn live(key: Option<String>, id: VersionId, latest: bool, object: ListedObject, owners: &Owners) -> ObjectVersion {
    let class = object.storage_class.unwrap_or_else(|| ObjectVersionStorageClass::STANDARD.to_owned());
    ObjectVersion {
        checksum_algorithm: object.checksum.map(|(kind, _)| vec![ChecksumAlgorithm::from_static(kind.name())]),
        checksum_type: object.checksum.map(|(_, scope)| scope_shown(scope)),
        e_tag: Some(etag(&object.etag)),
        is_latest: Some(latest),
        key,
        last_modified: Some(timestamp(object.modified)),
        owner: Some(owners.show(&object.owner)),
        restore_status: None,
        size: Some(signed(object.size)),
        storage_class: Some(ObjectVersionStorageClass::from(class)),
        version_id: Some(id.to_string()),
    }
}
