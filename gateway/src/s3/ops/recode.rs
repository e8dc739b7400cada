//! The one CopyObject that moves data: into a storage class whose parts are stored by another code.

use s3s::S3Result;

use super::copy::{Source, read, source_failed};
use crate::checksum::{ChecksumKind, ChecksumScope};
use crate::names::ObjectKey;
use crate::pipeline::{WriteOptions, WrittenPart};
use crate::rows::{ETag, LiveObject, ObjectBody, ObjectChecksum, PartPlace};
use crate::s3::Api;
use crate::s3::digest::Claims;
use crate::s3::encryption::Sealing;
use crate::s3::limits::PUT_BYTES_MAX;
use crate::tables::{NewObject, TableError};

/// Whether `live` as a copy of `source` is stored otherwise than the source is. What is inline has no code.
pub(super) async fn is_wanted(api: &Api, source: &Source, live: &LiveObject) -> S3Result<bool> {
    let of = |live: &LiveObject| api.codes.of(live.storage_class.as_deref());
    if of(&source.live) == of(live) {
        return Ok(false);
    }
    let parts = match api.tables.parts(&source.row).await {
        // Replaced meanwhile: whoever copies by reference finds out, too.
        Err(TableError::Vanished) => return Ok(false),
        parts => parts?,
    };
    Ok(parts.iter().any(|part| matches!(part.place, PartPlace::Segments(_))))
}

/// Writes the source's bytes as one part and gives `object`, which has all else, its size, tag, checksum and body.
pub(super) async fn rewrite(
    api: &Api,
    source: &Source,
    key: &ObjectKey,
    sealing: &Sealing,
    object: NewObject,
) -> S3Result<(NewObject, WrittenPart)> {
    let NewObject { uid, owner, live, .. } = object;
    let kind = live.checksum.as_ref().map_or(ChecksumKind::Crc64Nvme, |kept| kept.checksum.kind);
    let options = WriteOptions {
        checksums: vec![kind],
        length: Some(source.live.size),
        bytes_max: PUT_BYTES_MAX,
        code: api.codes.of(live.storage_class.as_deref()),
    };
    let body = read(api, source, 0..source.live.size).await?;
    let written = api.write(body, options, &Claims::read(&http::HeaderMap::new())?, || None).await.map_err(source_failed)?;
    let owned = api.own(&sealing.keys, key, uid, 1, &written, kind);
    let checksum = owned.part.checksum.clone();
    let live = LiveObject {
        size: written.len,
        etag: ETag::single(written.md5),
        checksum: checksum.map(|checksum| ObjectChecksum { checksum, scope: ChecksumScope::FullObject }),
        body: ObjectBody::Single(owned.part),
        ..live
    };
    Ok((NewObject { uid, owner, live, inline: owned.inline }, written))
}
