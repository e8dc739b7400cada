//! A body to a part: cut, digested, sealed, stored and committed segment by segment, a few at a time.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use nodio_codec::DataKey;
use nodio_codec::seal::{PartCipher, sealed_len};
use nodio_wire::buffer::Buffer;
use nodio_wire::{Code, PartId, SegmentId};
use tokio::task::JoinSet;
use tracing::debug;

use super::budget::Held;
use super::digest::{Digests, Hashed};
use super::{Body, Inner, Pipeline, Place, WriteError, WriteOptions, WrittenPart, store};
use crate::limits::{INLINE_BYTES_MAX, REPLICA_BYTES_MAX, WRITE_SEGMENTS_AHEAD};

impl Pipeline {
    /// Writes a body to a new part. When it answers the part is durable; nothing names it yet.
    pub(crate) async fn write(&self, body: Body, options: WriteOptions) -> Result<WrittenPart, WriteError> {
        let code = self.code(options.code).await?;
        let mut cutter = Cutter { inner: &self.inner, body, options: &options, taken: 0, rest: Bytes::new(), ended: false };
        let first = cutter.next(code).await?;
        let mut part = Part::new(self, code, &options);
        match first {
            None => part.finish(Place::Empty).await,
            Some(first) if cutter.ended && first.bytes.len() <= INLINE_BYTES_MAX => {
                let _already = part.digest(first.bytes.clone());
                let mut sealed = vec![0; sealed_len(first.bytes.len())];
                part.cipher.seal_segment(0, &first.bytes, &mut sealed);
                part.finish(Place::Inline(sealed.into())).await
            }
            Some(first) => {
                if cutter.ended && first.bytes.len() <= REPLICA_BYTES_MAX {
                    part.code = code.replicated();
                }
                let mut segment = Some(first);
                while let Some(plain) = segment {
                    part.add(plain).await?;
                    segment = cutter.next(code).await?;
                }
                let place = Place::Segments(part.code);
                part.finish(place).await
            }
        }
    }
}

/// Plaintext of one segment and the room it and its shards take.
struct Plain {
    bytes: Bytes,
    held: Held,
}

/// Cuts a body into segments and holds it to its announced length.
struct Cutter<'a> {
    inner: &'a Inner,
    body: Body,
    options: &'a WriteOptions,
    /// Bytes taken from the body.
    taken: u64,
    /// What of the last chunk belongs to the next segment.
    rest: Bytes,
    ended: bool,
}

impl Cutter<'_> {
    /// The next segment, full unless it is the last; `None` at the end.
    async fn next(&mut self, code: Code) -> Result<Option<Plain>, WriteError> {
        let full = code.segment_bytes();
        if self.ended || !self.fill_rest().await? {
            return Ok(None);
        }
        let expected = self.expected(full);
        let expansion = sealed_len(expected).div_ceil(code.k()) * code.n();
        let held = self.inner.budget.acquire(expected + expansion).await.ok_or(WriteError::Overloaded)?;
        let mut segment = Buffer::new(expected);
        while segment.len() < full && self.fill_rest().await? {
            let take = self.rest.len().min(full - segment.len());
            segment.extend_from_slice(&self.rest.split_to(take));
        }
        if segment.len() == full {
            self.fill_rest().await?;
        }
        Ok(Some(Plain { bytes: segment.into_bytes(), held }))
    }

    /// Bytes the next segment will have, as far as is known.
    fn expected(&self, full: usize) -> usize {
        let Some(length) = self.options.length else { return full };
        let left = length.saturating_sub(self.taken).saturating_add(self.rest.len() as u64);
        (left.min(full as u64) as usize).max(self.rest.len().min(full))
    }

    /// Makes sure that `rest` holds bytes; false at the end of the body.
    async fn fill_rest(&mut self) -> Result<bool, WriteError> {
        while self.rest.is_empty() && !self.ended {
            match self.body.next().await {
                None => {
                    self.ended = true;
                    self.check_end()?;
                }
                Some(chunk) => {
                    self.rest = chunk.map_err(WriteError::Body)?;
                    self.taken += self.rest.len() as u64;
                    self.check_length()?;
                }
            }
        }
        Ok(!self.rest.is_empty())
    }

    fn check_length(&self) -> Result<(), WriteError> {
        if self.taken > self.options.bytes_max {
            return Err(WriteError::TooLong { max: self.options.bytes_max });
        }
        match self.options.length {
            Some(want) if self.taken > want => Err(WriteError::WrongLength { want, got: self.taken }),
            _ => Ok(()),
        }
    }

    fn check_end(&self) -> Result<(), WriteError> {
        match self.options.length {
            Some(want) if self.taken != want => Err(WriteError::WrongLength { want, got: self.taken }),
            _ => Ok(()),
        }
    }
}

/// A part being written.
struct Part {
    pipeline: Pipeline,
    id: PartId,
    key: DataKey,
    cipher: Arc<PartCipher>,
    code: Code,
    len: u64,
    segments: u32,
    digests: Digests,
    storing: JoinSet<Result<(), WriteError>>,
    abandon: Abandon,
}

impl Part {
    fn new(pipeline: &Pipeline, code: Code, options: &WriteOptions) -> Self {
        let (id, key) = (PartId::random(), DataKey::random());
        Self {
            pipeline: pipeline.clone(),
            id,
            cipher: Arc::new(PartCipher::new(id.0, &key)),
            key,
            code,
            len: 0,
            segments: 0,
            digests: Digests::new(pipeline.inner.desk.clone(), &options.checksums),
            storing: JoinSet::new(),
            abandon: Abandon { pipeline: pipeline.clone(), part: None },
        }
    }

    /// Takes in a segment; waits only while too many are under way. Shards that wait for their commit are litter to their donors, so each
    /// segment is entered into the map as soon as it is stored, however slowly the rest of the body comes.
    async fn add(&mut self, plain: Plain) -> Result<(), WriteError> {
        while self.storing.len() >= WRITE_SEGMENTS_AHEAD {
            self.one_stored().await?;
        }
        let segment = SegmentId { part: self.id, index: self.segments };
        self.segments += 1;
        let (cipher, code, inner) = (self.cipher.clone(), self.code, self.pipeline.inner.clone());
        let hashed = self.digest(plain.bytes.clone());
        self.abandon.part = Some(self.id);
        self.storing.spawn(async move {
            let _held = plain.held;
            let encoded = store::encode(cipher, segment, code, plain.bytes).await?;
            let stored = inner.store(encoded).await?;
            inner.fleet.commit(vec![stored]).await?;
            hashed.wait().await
        });
        Ok(())
    }

    /// Hands the segment to the digests, which take one after another, beside everything else.
    fn digest(&mut self, bytes: Bytes) -> Hashed {
        self.len += bytes.len() as u64;
        self.digests.add(bytes)
    }

    async fn one_stored(&mut self) -> Result<(), WriteError> {
        joined(self.storing.join_next().await)
    }

    /// Waits for all that is under way and hands the part over.
    async fn finish(mut self, place: Place) -> Result<WrittenPart, WriteError> {
        while !self.storing.is_empty() {
            self.one_stored().await?;
        }
        let (md5, checksums) = self.digests.finish()?;
        self.abandon.part = None;
        Ok(WrittenPart { id: self.id, len: self.len, md5, checksums, key: self.key, place })
    }
}

/// The result of a task of ours, which ends neither by panic nor by itself.
fn joined<T>(ended: Option<Result<Result<T, WriteError>, tokio::task::JoinError>>) -> Result<T, WriteError> {
    match ended {
        Some(Ok(result)) => result,
        Some(Err(panic)) => Err(WriteError::Internal(panic.to_string())),
        None => Err(WriteError::Internal("a stage of the pipeline is gone".into())),
    }
}

/// Releases a part that was partly committed and then failed or was dropped.
struct Abandon {
    pipeline: Pipeline,
    part: Option<PartId>,
}

impl Drop for Abandon {
    fn drop(&mut self) {
        let (Some(part), Ok(runtime)) = (self.part, tokio::runtime::Handle::try_current()) else { return };
        let pipeline = self.pipeline.clone();
        runtime.spawn(async move {
            if let Err(error) = pipeline.release(vec![part]).await {
                debug!(%part, %error, "a broken write is left to the sweep");
            }
        });
    }
}
