//! An object's bytes between S3 and the pipeline.

use std::ops::Range;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use http_body::Frame;
use http_body_util::StreamBody;
use nodio_host::clock::now_ms;
use s3s::dto::StreamingBlob;
use s3s::{S3ErrorCode, S3Result};

use crate::keys::{BucketKeys, WrapAad};
use crate::names::{ObjectKey, ObjectUid};
use crate::pipeline::{self, BodyError, Place, ReadPiece, WriteOptions, WrittenPart};
use crate::rows::{BucketRow, PartPlace, PartRef};
use crate::s3::Api;
use crate::s3::digest::Claims;
use crate::s3::error::{entity_too_large, fail, invalid_argument};
use crate::s3::headers::text;
use crate::s3::limits::{PUT_BYTES_MAX, QUOTA_EARLY_BYTES_MIN};
use crate::tables::{Coming, TableError};

/// The length of the object that a request brings, from its headers.
pub(super) fn announced_length(headers: &http::HeaderMap) -> S3Result<u64> {
    let streaming = text(headers, "x-amz-content-sha256").is_some_and(|value| value.starts_with("STREAMING-"));
    let name = if streaming { "x-amz-decoded-content-length" } else { "content-length" };
    let missing = || fail(S3ErrorCode::MissingContentLength, "You must provide the Content-Length HTTP header.");
    let length = text(headers, name).ok_or_else(missing)?;
    let length = length.parse().map_err(|_| invalid_argument(format!("{name} must be a number")))?;
    if length > PUT_BYTES_MAX { Err(entity_too_large()) } else { Ok(length) }
}

pub(super) fn from_client(blob: Option<StreamingBlob>) -> pipeline::Body {
    match blob {
        Some(blob) => blob.map_err(BodyError).boxed(),
        None => futures::stream::empty().boxed(),
    }
}

pub(super) fn to_client(body: pipeline::Body) -> StreamingBlob {
    StreamingBlob::from(s3s::Body::http_body_unsync(StreamBody::new(body.map_ok(Frame::data))))
}

/// Where a part's row says its bytes are, and the bytes themselves where they go beside the row.
pub(super) fn placed(place: &Place) -> (PartPlace, Option<Bytes>) {
    match place {
        Place::Empty => (PartPlace::Empty, None),
        Place::Inline(sealed) => (PartPlace::Inline, Some(sealed.clone())),
        Place::Segments(code) => (PartPlace::Segments(*code), None),
    }
}

/// A part that was written for one object or upload.
pub(super) struct OwnedPart {
    pub(super) part: PartRef,
    pub(super) inline: Option<Bytes>,
}

impl Api {
    /// Writes a body and holds it to what was claimed of it; nothing is left of it on an error.
    pub(super) async fn write(
        &self,
        body: pipeline::Body,
        options: WriteOptions,
        claims: &Claims,
        trailers: impl FnOnce() -> Option<s3s::TrailingHeaders>,
    ) -> S3Result<WrittenPart> {
        let written = self.pipeline.write(body, options).await?;
        match claims.check(&written.md5, &written.checksums, trailers().as_ref()) {
            Ok(()) => Ok(written),
            Err(error) => {
                self.let_go(&written.place, written.id).await;
                Err(error)
            }
        }
    }

    /// Refuses a body that certainly has no room while it isn't read yet, if it is worth a look: short ones are refused by their commit.
    pub(super) async fn check_room(&self, bucket: &BucketRow, coming: Coming<'_>, bytes: u64) -> S3Result<()> {
        if bytes >= QUOTA_EARLY_BYTES_MIN {
            self.tables.check_room(bucket, coming, bytes).await?;
        }
        Ok(())
    }

    /// Lets go of a part that no row came to name. Should this fail, the sweep finds it.
    pub(super) async fn let_go(&self, place: &Place, part: nodio_wire::PartId) {
        if let Place::Segments(_) = place
            && let Err(error) = self.tables.abandon(&[part], now_ms()).await
        {
            tracing::warn!(%part, "an unnamed part is left to the sweep: {error}");
        }
    }

    /// The part as a row of `key` with this uid names it, its own key wrapped under `keys`; of its checksums, the one of `kept`.
    pub(super) fn own(
        &self,
        keys: &BucketKeys,
        key: &ObjectKey,
        uid: ObjectUid,
        number: u16,
        written: &WrittenPart,
        kept: crate::checksum::ChecksumKind,
    ) -> OwnedPart {
        let aad = WrapAad { key, uid, part: written.id };
        let (place, inline) = placed(&written.place);
        let part = PartRef {
            number,
            id: written.id,
            len: written.len,
            key: keys.wrap(&written.key, aad),
            place,
            md5: written.md5,
            checksum: written.checksums.iter().find(|checksum| checksum.kind == kept).cloned(),
        };
        OwnedPart { part, inline }
    }

    /// The pieces of `parts` that make up `range` of the object.
    pub(super) async fn pieces(
        &self,
        keys: &BucketKeys,
        key: &ObjectKey,
        uid: ObjectUid,
        parts: &[PartRef],
        range: Range<u64>,
    ) -> Result<Vec<ReadPiece>, TableError> {
        let mut pieces = Vec::new();
        let mut start = 0;
        for part in parts {
            let end = start + part.len;
            let within = range.start.max(start)..range.end.min(end);
            if within.start < within.end {
                pieces.push(ReadPiece {
                    part: part.id,
                    key: keys.unwrap(&part.key, WrapAad { key, uid, part: part.id })?,
                    place: self.place(part).await?,
                    len: part.len,
                    range: within.start - start..within.end - start,
                });
            }
            start = end;
        }
        Ok(pieces)
    }

    async fn place(&self, part: &PartRef) -> Result<Place, TableError> {
        Ok(match part.place {
            PartPlace::Empty => Place::Empty,
            PartPlace::Inline => Place::Inline(self.tables.inline(&part.id).await?),
            PartPlace::Segments(code) => Place::Segments(code),
        })
    }
}
