//! Ranges of parts to one body: segment by segment in order, a few fetched ahead while there is room.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use futures::{FutureExt, stream::FuturesOrdered};
use nodio_codec::seal::{BLOCK_BYTES, OpenError, PartCipher, sealed_len};
use nodio_codec::segment::{Opened, Shape, Window};
use nodio_host::blocking::blocking;
use nodio_wire::buffer::Buffer;
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
        let mut reader = Reader {
            inner: self.inner.clone(),
            pieces: pieces.into(),
            segment: None,
            running: FuturesOrdered::new(),
            ready: VecDeque::new(),
        };
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

    /// Buffer bytes: the sealed blocks, which are opened in place, ...
    fn kept(&self) -> usize {
        sealed_len(self.range.len() + 2 * BLOCK_BYTES)
    }

    /// ... and until they are open, what lost or late shards are rebuilt to.
    fn cost(&self) -> usize {
        let (k, n) = (self.code.k(), self.code.n());
        self.kept() + self.kept() * (n - k).min(k) / k
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
    running: FuturesOrdered<BoxFuture<'static, Result<Chunks, ReadError>>>,
    /// Of the segment that was fetched last.
    ready: Chunks,
}

/// Plaintext in order.
type Chunks = VecDeque<Bytes>;

impl Reader {
    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        while self.running.len() < READ_SEGMENTS_AHEAD && self.start_one().await? {}
        while self.ready.is_empty() {
            let Some(fetched) = self.running.next().await else { return Ok(None) };
            self.ready = fetched?;
        }
        Ok(self.ready.pop_front())
    }

    /// Starts the next fetch; false when there is none, or no room to run ahead. Each is a task of its own, because its deadlines run also
    /// while the client isn't reading.
    async fn start_one(&mut self) -> Result<bool, ReadError> {
        let Some(current) = self.current() else { return Ok(false) };
        if let Place::Inline(sealed) = &current.piece.place {
            let opened = open_inline(current, sealed)?;
            self.segment = None;
            self.running.push_back(futures::future::ready(Ok(Chunks::from([opened]))).boxed());
            return Ok(true);
        }
        let (job, after) = current.job();
        let held = match self.inner.budget.try_acquire(job.cost()) {
            Some(held) => held,
            None if self.running.is_empty() && self.ready.is_empty() => {
                self.inner.budget.acquire(job.cost()).await.ok_or(ReadError::Overloaded)?
            }
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
    let mut block = sealed.to_vec();
    let opened = current.cipher.open_block(0, current.piece.len as usize, 0, &mut block);
    opened.map_err(|error| ReadError::Damaged(error.to_string()))?;
    let range = current.next as usize..current.piece.range.end as usize;
    Ok(Bytes::from(block).slice(range))
}

impl Inner {
    async fn read_segment(&self, job: Job, held: Held) -> Result<Chunks, ReadError> {
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
        .map(|plain| plain.holding(&job, held))
    }

    /// Finds, gathers and opens; what doesn't open is gathered again with every shard's hash checked.
    async fn try_segment(&self, job: &Arc<Job>, window: &Window) -> Result<Plain, ReadError> {
        let located = self.located(job).await?;
        let pieces = self.gather(&located, window).await?;
        match open(job, window, pieces).await? {
            Ok(plain) => Ok(plain),
            Err(error) => {
                warn!(%error, "what donors served does not open, checking every shard");
                self.locator.forget(job.segment);
                let pieces = self.gather_verified(&located, window).await?;
                open(job, window, pieces).await?.map_err(|error| ReadError::Damaged(error.to_string()))
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

/// Opened pieces, and where the plaintext lies in them.
struct Plain {
    pieces: Vec<Buffer>,
    opened: Vec<Opened>,
}

/// Opens a window's pieces in place: at once when they are short, on a thread of its own otherwise.
async fn open(job: &Arc<Job>, window: &Window, mut pieces: Vec<Buffer>) -> Result<Result<Plain, OpenError>, ReadError> {
    let short = job.range.len() <= 2 * REPLICA_BYTES_MAX;
    let (job, mut opening) = (job.clone(), window.clone().open());
    let work = move || {
        let step = || opening.step(&job.cipher, job.segment.index, &mut pieces);
        let opened = std::iter::from_fn(step).collect::<Result<Vec<_>, _>>()?;
        Ok(Plain { pieces, opened })
    };
    if short { Ok(work()) } else { blocking(work).await.map_err(|panic| ReadError::Internal(panic.to_string())) }
}

impl Plain {
    /// The plaintext, with the room it takes held until the last of it is sent. The room for what is rebuilt is free again.
    fn holding(self, job: &Job, mut held: Held) -> Chunks {
        drop(held.split(held.num_permits() - held.num_permits() * job.kept() / job.cost()));
        let held = Arc::new(held);
        let pieces: Vec<Bytes> = self.pieces.into_iter().map(|piece| counted(piece, &held)).collect();
        let chunk = |opened| match opened {
            Opened::Within(piece, range) => pieces[piece].slice(range),
            Opened::Apart(bytes) => counted(bytes, &held),
        };
        self.opened.into_iter().map(chunk).collect()
    }
}

fn counted(bytes: impl AsRef<[u8]> + Send + 'static, held: &Arc<Held>) -> Bytes {
    struct Counted<B> {
        bytes: B,
        _held: Arc<Held>,
    }
    impl<B: AsRef<[u8]>> AsRef<[u8]> for Counted<B> {
        fn as_ref(&self) -> &[u8] {
            self.bytes.as_ref()
        }
    }
    Bytes::from_owner(Counted { bytes, _held: held.clone() })
}
