//! Ranges of parts to one body: segment by segment in order, a few fetched ahead while there is room.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use futures::{FutureExt, stream::FuturesOrdered};
use nodio_codec::seal::{BLOCK_BYTES, OpenError, PartCipher, sealed_len};
use nodio_codec::segment::{Shape, Window};
use nodio_host::blocking::blocking;
use nodio_wire::fleet::Located;
use nodio_wire::{Code, SegmentId};
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use super::budget::Held;
use super::{Body, BodyError, Inner, Pipeline, Place, ReadError, ReadPiece};
use crate::limits::{READ_SEGMENTS_AHEAD, REPLICA_BYTES_MAX};

impl Pipeline {
    /// The pieces' bytes, one after another. Answers when the first bytes are there, so that an object that can't be read is an error and
    /// not a broken body. Later errors end the body early.
    pub(crate) async fn read(&self, pieces: Vec<ReadPiece>) -> Result<Body, ReadError> {
        let mut reader =
            Reader { inner: self.inner.clone(), pieces: pieces.into(), segment: None, running: FuturesOrdered::new() };
        let Some(first) = reader.next().await? else { return Ok(stream::empty().boxed()) };
        let rest = stream::try_unfold(reader, |mut reader| async move {
            let next = reader.next().await.map_err(|error| BodyError(Box::new(error)))?;
            Ok(next.map(|bytes| (bytes, reader)))
        });
        Ok(stream::once(async { Ok(first) }).chain(rest).boxed())
    }
}

/// A range of one segment.
struct Job {
    segment: SegmentId,
    cipher: Arc<PartCipher>,
    code: Code,
    /// Plaintext bytes of the segment.
    plain: usize,
    range: Range<usize>,
}

impl Job {
    fn window(&self) -> Window {
        Shape::new(self.code.k(), self.code.n(), self.plain).window(self.range.clone())
    }

    /// Buffer bytes: the sealed blocks as they come and the plaintext they open to.
    fn cost(&self) -> usize {
        2 * sealed_len(self.range.len() + BLOCK_BYTES)
    }
}

/// The part under way: its cipher and what of it is still to be read.
struct Current {
    piece: ReadPiece,
    cipher: Arc<PartCipher>,
    next: u64,
}

struct Reader {
    inner: Arc<Inner>,
    pieces: VecDeque<ReadPiece>,
    segment: Option<Current>,
    running: FuturesOrdered<BoxFuture<'static, Result<Bytes, ReadError>>>,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        while self.running.len() < READ_SEGMENTS_AHEAD && self.start_one().await? {}
        self.running.next().await.transpose()
    }

    /// Starts the next fetch; false when there is none, or no room to run ahead. Each is a task of its own, because its deadlines run also
    /// while the client isn't reading.
    async fn start_one(&mut self) -> Result<bool, ReadError> {
        let Some(current) = self.current() else { return Ok(false) };
        if let Place::Inline(sealed) = &current.piece.place {
            let opened = open_inline(current, sealed)?;
            self.segment = None;
            self.running.push_back(futures::future::ready(Ok(opened)).boxed());
            return Ok(true);
        }
        let (job, after) = current.job();
        let held = match self.inner.budget.try_acquire(job.cost()) {
            Some(held) => held,
            None if self.running.is_empty() => self.inner.budget.acquire(job.cost()).await.ok_or(ReadError::Overloaded)?,
            None => return Ok(false),
        };
        if let Some(current) = &mut self.segment {
            current.next = after;
        }
        let inner = self.inner.clone();
        let fetching = AbortOnDropHandle::new(tokio::spawn(async move { inner.read_segment(job, held).await }));
        let fetched = fetching.map(|ended| ended.unwrap_or_else(|panic| Err(ReadError::Internal(panic.to_string()))));
        self.running.push_back(fetched.boxed());
        Ok(true)
    }

    /// The part under way, or the next one with anything to read.
    fn current(&mut self) -> Option<&Current> {
        let done = |current: &Current| current.next >= current.piece.range.end;
        while self.segment.as_ref().is_none_or(done) {
            let piece = self.pieces.pop_front()?;
            let cipher = Arc::new(PartCipher::new(piece.part.0, &piece.key));
            self.segment = Some(Current { next: piece.range.start, cipher, piece });
        }
        self.segment.as_ref()
    }
}

impl Current {
    /// The next range to read within one segment, and where the one after it begins.
    fn job(&self) -> (Job, u64) {
        let Place::Segments(code) = self.piece.place else { unreachable!("only segments are fetched") };
        let full = code.segment_bytes() as u64;
        let index = self.next / full;
        let start = index * full;
        let end = self.piece.len.min(start + full);
        let stop = self.piece.range.end.min(end);
        let job = Job {
            segment: SegmentId { part: self.piece.part, index: index as u32 },
            cipher: self.cipher.clone(),
            code,
            plain: (end - start) as usize,
            range: (self.next - start) as usize..(stop - start) as usize,
        };
        (job, stop)
    }
}

fn open_inline(current: &Current, sealed: &[u8]) -> Result<Bytes, ReadError> {
    let mut plain = Vec::with_capacity(current.piece.len as usize);
    let opened = current.cipher.open_blocks(0, current.piece.len as usize, 0, sealed, &mut plain);
    opened.map_err(|error| ReadError::Damaged(error.to_string()))?;
    let range = current.next as usize..current.piece.range.end as usize;
    Ok(Bytes::from(plain).slice(range))
}

impl Inner {
    async fn read_segment(&self, job: Job, held: Held) -> Result<Bytes, ReadError> {
        let job = Arc::new(job);
        let window = job.window();
        match self.try_segment(&job, &window).await {
            Err(ReadError::Unreadable(why)) => {
                self.locator.forget(job.segment);
                warn!(segment = %job.segment, why, "a segment could not be read, asking anew where it is");
                self.try_segment(&job, &window).await
            }
            other => other,
        }
        .map(|plain| holding(plain, held))
    }

    /// Finds, gathers and opens; what doesn't open is gathered again with every shard's hash checked.
    async fn try_segment(&self, job: &Arc<Job>, window: &Window) -> Result<Bytes, ReadError> {
        let located = self.located(job).await?;
        let sealed = self.gather(&located, window).await?;
        match open(job, window, sealed).await? {
            Ok(plain) => Ok(plain),
            Err(error) => {
                warn!(%error, "what donors served does not open, checking every shard");
                self.locator.forget(job.segment);
                let sealed = self.gather_verified(&located, window).await?;
                open(job, window, sealed).await?.map_err(|error| ReadError::Damaged(error.to_string()))
            }
        }
    }

    async fn located(&self, job: &Job) -> Result<Arc<Located>, ReadError> {
        let unknown = || ReadError::Unreadable(format!("segment {} is not in the map", job.segment));
        let located = self.locator.locate(job.segment).await?.ok_or_else(unknown)?;
        let shape = Shape::new(job.code.k(), job.code.n(), job.plain);
        let fits =
            located.code == job.code && located.shard_bytes as usize == shape.shard_len() && located.shards.len() == job.code.n();
        if fits { Ok(located) } else { Err(ReadError::Damaged(format!("the map has segment {} in another shape", job.segment))) }
    }
}

/// Opens a window's sealed bytes: at once when they are few, on a thread of its own otherwise.
async fn open(job: &Arc<Job>, window: &Window, sealed: Bytes) -> Result<Result<Bytes, OpenError>, ReadError> {
    let short = sealed.len() <= 2 * REPLICA_BYTES_MAX;
    let (job, window) = (job.clone(), window.clone());
    let work = move || {
        let mut plain = Vec::with_capacity(sealed.len());
        job.cipher.open_blocks(job.segment.index, job.plain, window.first_block, &sealed, &mut plain)?;
        Ok(Bytes::from(plain).slice(window.skip..window.skip + window.take))
    };
    if short { Ok(work()) } else { blocking(work).await.map_err(|panic| ReadError::Internal(panic.to_string())) }
}

/// The bytes, with the room they take held until the last of them is sent. The room of the sealed ones is free again.
fn holding(plain: Bytes, mut held: Held) -> Bytes {
    drop(held.split(held.num_permits() / 2));
    struct Counted {
        plain: Bytes,
        _held: Held,
    }
    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.plain
        }
    }
    Bytes::from_owner(Counted { plain, _held: held })
}
