//! The sealed bytes of a range of one segment, from whichever donors give them first.
//!
//! ```text
//!   ask the data shards that hold the range for just their pieces
//!        │ all there ───────────────────────────────► the pieces
//!        │ one failed, or is slower than it usually is
//!        ▼
//!   ask others for the same byte columns until k are there ─► rebuild the pieces that lack
//!        │ what came doesn't open: a donor lies
//!        ▼
//!   read whole shards, keep those whose hash is right, report the others ─► rebuild
//! ```

use std::ops::Range;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use nodio_codec::erasure;
use nodio_codec::segment::Window;
use nodio_host::blocking::blocking;
use nodio_wire::ShardId;
use nodio_wire::buffer::Buffer;
use nodio_wire::donor::DonorError;
use nodio_wire::fleet::{Located, ShardFault, ShardReport, ShardSource};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use super::{Inner, ReadError};
use crate::limits::SHARD_GET_MS_MAX;

/// One answer: position, the range asked for, the bytes.
type Got = (usize, Range<usize>, Result<Buffer, DonorError>);

/// By position: a range of that shard and its bytes, where they are here.
type Have = Vec<Option<(Range<usize>, Buffer)>>;

/// What is known and under way for one window.
struct Gather<'a> {
    inner: &'a Inner,
    located: &'a Located,
    window: &'a Window,
    columns: Range<usize>,
    have: Have,
    state: Vec<Asked>,
    running: FuturesUnordered<BoxFuture<'a, Got>>,
    faults: Vec<ShardReport>,
    last_error: Option<String>,
}

/// What can be made of the shards at hand.
enum Assembled {
    /// Every piece of the window.
    Whole(Vec<Buffer>),
    /// `k` shards' columns, to rebuild from.
    Columns,
    Lacking,
}

/// What was asked of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    No,
    /// Its piece only, narrower than the columns.
    Piece,
    Columns,
    /// Asked, and too slow to count on.
    Late,
    Failed,
}

impl Inner {
    /// The window's pieces, not yet believed.
    pub(super) async fn gather(&self, located: &Located, window: &Window) -> Result<Vec<Buffer>, ReadError> {
        let mut gather = Gather::new(self, located, window);
        let result = gather.run().await;
        self.tell(std::mem::take(&mut gather.faults));
        result
    }

    /// The same from shards that were read whole and hash to their ids; wrong ones are reported.
    pub(super) async fn gather_verified(&self, located: &Located, window: &Window) -> Result<Vec<Buffer>, ReadError> {
        let have = self.whole_shards(located).await?;
        let (k, right) = (located.code.k(), have.iter().flatten().count());
        if right < k {
            return Err(ReadError::Unreadable(format!("{right} of {k} right shards of {}", located.segment)));
        }
        rebuild(located, window, 0..located.shard_bytes as usize, have).await
    }

    /// Every shard that can be read and is what its id says.
    async fn whole_shards(&self, located: &Located) -> Result<Have, ReadError> {
        let sources =
            located.shards.iter().enumerate().filter_map(|(position, shard)| Some((position, shard.id, shard.source.as_ref()?)));
        let whole = 0..located.shard_bytes as usize;
        let mut reads: FuturesUnordered<_> = sources
            .map(|(position, id, source)| {
                let read = self.get(source, id, whole.clone());
                async move { (position, id, source.node, read.await) }
            })
            .collect();
        let (mut right, mut faults): (Have, _) = (located.shards.iter().map(|_| None).collect(), Vec::new());
        while let Some((position, id, node, result)) = reads.next().await {
            let Ok(shard) = result else { continue };
            let hashed = blocking(move || (ShardId::of(&shard), shard)).await;
            let (hash, shard) = hashed.map_err(|panic| ReadError::Internal(panic.to_string()))?;
            if hash == id {
                right[position] = Some((whole.clone(), shard));
            } else {
                warn!(segment = %located.segment, %node, shard = %id, "a donor served bytes that are not the shard");
                faults.push(ShardReport { segment: located.segment, shard: id, node, fault: ShardFault::Corrupt });
            }
        }
        self.tell(faults);
        Ok(right)
    }

    /// One read of one donor within the deadline, its time remembered. The answer is as long as the range.
    async fn get(&self, source: &ShardSource, id: ShardId, range: Range<usize>) -> Result<Buffer, DonorError> {
        let began = Instant::now();
        let (len, bytes) = (range.len(), range.start as u32..range.end as u32);
        let read = self.transport.read(&source.addr, &source.ticket, id, Some(bytes));
        let deadline = Duration::from_millis(SHARD_GET_MS_MAX);
        let result = match timeout(deadline, read).await {
            Ok(Ok(bytes)) if bytes.len() != len => Err(DonorError::Other(format!("{} bytes instead of {len}", bytes.len()))),
            Ok(result) => result,
            Err(_) => Err(DonorError::Unreachable("too slow".into())),
        };
        match &result {
            Ok(_) => self.donors.answered(source.node, began.elapsed()),
            Err(DonorError::NotHeld | DonorError::Rotten) => {}
            Err(_) => self.donors.failed(source.node),
        }
        result
    }

    /// Tells the coordinator of faults, beside everything else: the read doesn't wait for it.
    fn tell(&self, faults: Vec<ShardReport>) {
        if faults.is_empty() {
            return;
        }
        let fleet = self.fleet.clone();
        tokio::spawn(async move {
            let count = faults.len();
            match fleet.report(faults).await {
                Ok(()) => info!(count, "reported faulty shards"),
                Err(error) => warn!(count, %error, "faulty shards could not be reported"),
            }
        });
    }
}

impl<'a> Gather<'a> {
    fn new(inner: &'a Inner, located: &'a Located, window: &'a Window) -> Self {
        let n = located.code.n();
        let (have, state) = ((0..n).map(|_| None).collect(), vec![Asked::No; n]);
        let (running, faults, last_error) = (FuturesUnordered::new(), Vec::new(), None);
        Self { inner, located, window, columns: window.columns(), have, state, running, faults, last_error }
    }

    fn k(&self) -> usize {
        self.located.code.k()
    }

    async fn run(&mut self) -> Result<Vec<Buffer>, ReadError> {
        self.ask_first();
        let asked = (0..self.state.len()).filter(|position| self.state[*position] != Asked::No);
        let nodes = asked.filter_map(|position| self.located.shards[position].source.as_ref()).map(|source| source.node);
        let hedge_at = Instant::now() + self.inner.donors.hedge_after(nodes);
        let mut hedged = false;
        loop {
            match self.assemble() {
                Assembled::Whole(pieces) => return Ok(pieces),
                Assembled::Columns => {
                    let have = std::mem::take(&mut self.have);
                    return rebuild(self.located, self.window, self.columns.clone(), have).await;
                }
                Assembled::Lacking => {}
            }
            let got = tokio::select! {
                got = self.running.next() => got,
                () = sleep_until(hedge_at), if !hedged => {
                    hedged = true;
                    self.give_up_on_late();
                    continue;
                }
            };
            match got {
                Some(got) => self.got(got),
                None => return Err(self.unreadable()),
            }
        }
    }

    /// The data shards that hold the range; of a replicated segment the best copy.
    fn ask_first(&mut self) {
        if self.k() == 1 {
            return self.ask_more();
        }
        let pieces: Vec<_> = self.window.pieces().collect();
        let mut lacking = false;
        for (position, piece) in pieces {
            let source = self.located.shards[position].source.as_ref();
            match source {
                Some(source) if source.up && !self.inner.donors.suspect(source.node) => self.ask(position, piece),
                _ => lacking = true,
            }
        }
        if lacking {
            self.ask_more();
        }
    }

    fn ask(&mut self, position: usize, range: Range<usize>) {
        let shard = &self.located.shards[position];
        let Some(source) = &shard.source else { return };
        self.state[position] = if covers(&range, &self.columns) { Asked::Columns } else { Asked::Piece };
        let (inner, id) = (self.inner, shard.id);
        self.running.push(Box::pin(async move {
            let got = inner.get(source, id, range.clone()).await;
            (position, range, got)
        }));
    }

    /// Asks for columns until `k` of them are there or expected.
    fn ask_more(&mut self) {
        let expected = (0..self.state.len()).filter(|position| self.state[*position] == Asked::Columns).count();
        let mut candidates: Vec<usize> =
            (0..self.state.len()).filter(|position| matches!(self.state[*position], Asked::No | Asked::Piece)).collect();
        candidates.retain(|position| self.located.shards[*position].source.is_some());
        candidates.sort_by_key(|position| self.rank(*position));
        for position in candidates.into_iter().take(self.k().saturating_sub(expected)) {
            self.ask(position, self.columns.clone());
        }
    }

    fn rank(&self, position: usize) -> (bool, bool, u64) {
        let Some(source) = &self.located.shards[position].source else { return (true, true, u64::MAX) };
        let (suspect, latency) = self.inner.donors.rank(source.node);
        (!source.up, suspect, latency)
    }

    /// Whoever hasn't answered by now is not counted on any more; its answer is still welcome.
    fn give_up_on_late(&mut self) {
        for position in 0..self.state.len() {
            if matches!(self.state[position], Asked::Piece | Asked::Columns) && self.have[position].is_none() {
                self.state[position] = Asked::Late;
            }
        }
        self.ask_more();
    }

    fn got(&mut self, (position, range, result): Got) {
        match result {
            Ok(bytes) => {
                let wider = self.have[position].as_ref().is_none_or(|(had, _)| had.len() < range.len());
                if covers(&range, &self.columns) {
                    self.state[position] = Asked::Columns;
                }
                if wider {
                    self.have[position] = Some((range, bytes));
                }
            }
            Err(error) => {
                self.failed(position, &error);
                self.ask_more();
            }
        }
    }

    fn failed(&mut self, position: usize, error: &DonorError) {
        self.state[position] = Asked::Failed;
        let shard = &self.located.shards[position];
        let Some(source) = &shard.source else { return };
        self.last_error = Some(format!("donor {}: {error}", source.node));
        let fault = match error {
            DonorError::NotHeld => ShardFault::Missing,
            DonorError::Rotten => ShardFault::Corrupt,
            _ => return,
        };
        self.faults.push(ShardReport { segment: self.located.segment, shard: shard.id, node: source.node, fault });
    }

    /// What can be made of what is here; what is whole is taken out.
    fn assemble(&mut self) -> Assembled {
        // With one data shard every copy is the piece.
        let copy = (0..self.have.len()).find(|position| self.k() == 1 && self.has(*position, &self.columns));
        let pieces: Vec<_> = self.window.pieces().map(|(position, piece)| (copy.unwrap_or(position), piece)).collect();
        if pieces.iter().all(|(position, piece)| self.has(*position, piece)) {
            let taken = pieces.into_iter().filter_map(|(position, piece)| cut(self.have[position].take()?, piece));
            return Assembled::Whole(taken.collect());
        }
        let columns = (0..self.have.len()).filter(|position| self.has(*position, &self.columns)).count();
        if columns >= self.k() { Assembled::Columns } else { Assembled::Lacking }
    }

    /// Whether bytes `want` of a shard are here.
    fn has(&self, position: usize, want: &Range<usize>) -> bool {
        self.have[position].as_ref().is_some_and(|(had, _)| covers(had, want))
    }

    fn unreadable(&self) -> ReadError {
        let have = self.have.iter().flatten().count();
        let why = self.last_error.as_deref().unwrap_or("no donor holds more");
        ReadError::Unreadable(format!("{have} of {} shards of {}; {why}", self.k(), self.located.segment))
    }
}

/// The window's pieces, those that aren't here rebuilt from `k` shards whose bytes `columns` are.
async fn rebuild(located: &Located, window: &Window, columns: Range<usize>, have: Have) -> Result<Vec<Buffer>, ReadError> {
    let (k, n, window) = (located.code.k(), located.code.n(), window.clone());
    let rebuilt = blocking(move || rebuild_now(k, n, &window, &columns, have)).await;
    rebuilt
        .map_err(|panic| ReadError::Internal(panic.to_string()))?
        .map_err(|error: erasure::CodecError| ReadError::Internal(error.to_string()))
}

fn rebuild_now(
    k: usize,
    n: usize,
    window: &Window,
    columns: &Range<usize>,
    mut have: Have,
) -> Result<Vec<Buffer>, erasure::CodecError> {
    let here = |position: usize, piece: &Range<usize>| have[position].as_ref().is_some_and(|(had, _)| covers(had, piece));
    let lost: Vec<usize> =
        window.pieces().filter(|(position, piece)| !here(*position, piece)).map(|(position, _)| position).collect();
    let mut made: Vec<Buffer> = lost.iter().map(|_| Buffer::new(columns.len())).collect();
    let present = have.iter().enumerate().filter_map(|(position, have)| {
        let (had, bytes) = have.as_ref().filter(|(had, _)| covers(had, columns))?;
        Some((position, &bytes[columns.start - had.start..columns.end - had.start]))
    });
    let mut wanted: Vec<(usize, &mut [u8])> = lost.iter().copied().zip(made.iter_mut().map(Buffer::spare)).collect();
    erasure::rebuild_into(k, n, &present.collect::<Vec<_>>(), &mut wanted)?;
    for (position, mut bytes) in lost.into_iter().zip(made) {
        bytes.filled(columns.len());
        have[position] = Some((columns.clone(), bytes));
    }
    Ok(window.pieces().filter_map(|(position, piece)| cut(have[position].take()?, piece)).collect())
}

/// Bytes `piece` of a shard out of those that are here.
fn cut((had, mut bytes): (Range<usize>, Buffer), piece: Range<usize>) -> Option<Buffer> {
    if !covers(&had, &piece) {
        return None;
    }
    bytes.narrow(piece.start - had.start..piece.end - had.start);
    Some(bytes)
}

fn covers(had: &Range<usize>, want: &Range<usize>) -> bool {
    had.start <= want.start && want.end <= had.end
}
