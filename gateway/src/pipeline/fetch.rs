//! The sealed bytes of a range of one segment, from whichever donors give them first.
//!
//! ```text
//!   ask the data shards that hold the range for just their pieces
//!        │ all there ───────────────────────────────► join
//!        │ one failed, or is slower than it usually is
//!        ▼
//!   ask others for the same byte columns until k are there ─► rebuild the pieces ─► join
//!        │ what came doesn't open: a donor lies
//!        ▼
//!   read whole shards, keep those whose hash is right, report the others ─► rebuild ─► join
//! ```

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use nodio_codec::erasure;
use nodio_codec::segment::Window;
use nodio_host::blocking::blocking;
use nodio_wire::ShardId;
use nodio_wire::donor::DonorError;
use nodio_wire::fleet::{Located, ShardFault, ShardReport, ShardSource};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use super::{Inner, ReadError};
use crate::limits::SHARD_GET_MS_MAX;

/// One answer: position, the range asked for, the bytes.
type Got = (usize, Range<usize>, Result<Bytes, DonorError>);

/// What is known and under way for one window.
struct Gather<'a> {
    inner: &'a Inner,
    located: &'a Located,
    window: &'a Window,
    columns: Range<usize>,
    /// By position: the bytes of a range of that shard.
    have: Vec<Option<(Range<usize>, Bytes)>>,
    state: Vec<Asked>,
    running: FuturesUnordered<BoxFuture<'a, Got>>,
    faults: Vec<ShardReport>,
    last_error: Option<String>,
}

/// What can be made of the shards at hand.
enum Assembled {
    Whole(Bytes),
    /// `k` shards' columns, to rebuild from.
    Columns(Vec<(usize, Bytes)>),
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
    /// The sealed bytes of `window`, not yet believed.
    pub(super) async fn gather(&self, located: &Located, window: &Window) -> Result<Bytes, ReadError> {
        let mut gather = Gather::new(self, located, window);
        let result = gather.run().await;
        self.tell(std::mem::take(&mut gather.faults));
        result
    }

    /// The same from shards that were read whole and hash to their ids; wrong ones are reported.
    pub(super) async fn gather_verified(&self, located: &Located, window: &Window) -> Result<Bytes, ReadError> {
        let shards = self.whole_shards(located).await?;
        let k = located.code.k();
        if shards.len() < k {
            return Err(ReadError::Unreadable(format!("{} of {k} right shards of {}", shards.len(), located.segment)));
        }
        rebuild(located, window, 0, shards).await
    }

    /// Every shard that can be read and is what its id says.
    async fn whole_shards(&self, located: &Located) -> Result<Vec<(usize, Bytes)>, ReadError> {
        let sources =
            located.shards.iter().enumerate().filter_map(|(position, shard)| Some((position, shard.id, shard.source.as_ref()?)));
        let mut reads: FuturesUnordered<_> = sources
            .map(|(position, id, source)| async move {
                (position, id, source.node, self.get(source, id, None, located.shard_bytes as usize).await)
            })
            .collect();
        let (mut right, mut faults) = (Vec::new(), Vec::new());
        while let Some((position, id, node, result)) = reads.next().await {
            let Ok(shard) = result else { continue };
            let copy = shard.clone();
            let same = blocking(move || ShardId::of(&copy) == id).await;
            if same.map_err(|panic| ReadError::Internal(panic.to_string()))? {
                right.push((position, shard));
            } else {
                warn!(segment = %located.segment, %node, shard = %id, "a donor served bytes that are not the shard");
                faults.push(ShardReport { segment: located.segment, shard: id, node, fault: ShardFault::Corrupt });
            }
        }
        self.tell(faults);
        Ok(right)
    }

    /// One read of one donor within the deadline, its time remembered. The answer is `len` bytes long.
    async fn get(&self, source: &ShardSource, id: ShardId, range: Option<Range<u32>>, len: usize) -> Result<Bytes, DonorError> {
        let began = Instant::now();
        let read = self.transport.get(&source.addr, &source.ticket, id, range);
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
        let (have, state) = (vec![None; n], vec![Asked::No; n]);
        let (running, faults, last_error) = (FuturesUnordered::new(), Vec::new(), None);
        Self { inner, located, window, columns: window.columns(), have, state, running, faults, last_error }
    }

    fn k(&self) -> usize {
        self.located.code.k()
    }

    async fn run(&mut self) -> Result<Bytes, ReadError> {
        self.ask_first();
        let asked = (0..self.state.len()).filter(|position| self.state[*position] != Asked::No);
        let nodes = asked.filter_map(|position| self.located.shards[position].source.as_ref()).map(|source| source.node);
        let hedge_at = Instant::now() + self.inner.donors.hedge_after(nodes);
        let mut hedged = false;
        loop {
            match self.assemble() {
                Assembled::Whole(sealed) => return Ok(sealed),
                Assembled::Columns(columns) => return rebuild(self.located, self.window, self.columns.start, columns).await,
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
        let whole = range == (0..self.located.shard_bytes as usize);
        let bytes = (!whole).then_some(range.start as u32..range.end as u32);
        self.running.push(Box::pin(async move {
            let got = inner.get(source, id, bytes, range.len()).await;
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

    /// What can be made of what is here.
    fn assemble(&self) -> Assembled {
        let pieces: Option<Vec<Bytes>> = self.window.pieces().map(|(position, piece)| self.piece(position, &piece)).collect();
        if let Some(pieces) = pieces {
            return Assembled::Whole(self.window.join(&pieces));
        }
        let columns = (0..self.have.len()).filter_map(|position| Some((position, self.piece(position, &self.columns)?)));
        let mut columns: Vec<(usize, Bytes)> = columns.collect();
        match (self.k(), columns.len()) {
            (1, 1..) => Assembled::Whole(self.window.join(&[columns.remove(0).1])),
            (k, have) if have >= k => Assembled::Columns(columns),
            _ => Assembled::Lacking,
        }
    }

    /// Bytes `want` of a shard, if they are here.
    fn piece(&self, position: usize, want: &Range<usize>) -> Option<Bytes> {
        let (had, bytes) = self.have[position].as_ref()?;
        covers(had, want).then(|| bytes.slice(want.start - had.start..want.end - had.start))
    }

    fn unreadable(&self) -> ReadError {
        let have = self.have.iter().flatten().count();
        let why = self.last_error.as_deref().unwrap_or("no donor holds more");
        ReadError::Unreadable(format!("{have} of {} shards of {}; {why}", self.k(), self.located.segment))
    }
}

/// The window's sealed bytes from `k` shards' bytes from column `start` on; they cover the window's columns.
async fn rebuild(located: &Located, window: &Window, start: usize, present: Vec<(usize, Bytes)>) -> Result<Bytes, ReadError> {
    let (k, n, window) = (located.code.k(), located.code.n(), window.clone());
    let work = move || {
        let present: Vec<(usize, &[u8])> = present.iter().map(|(position, bytes)| (*position, bytes.as_ref())).collect();
        let (wanted, ranges): (Vec<usize>, Vec<Range<usize>>) = window.pieces().unzip();
        let rebuilt = erasure::rebuild(k, n, &present, &wanted)?;
        let cut = |(shard, range): (Vec<u8>, Range<usize>)| Bytes::from(shard).slice(range.start - start..range.end - start);
        Ok(window.join(&rebuilt.into_iter().zip(ranges).map(cut).collect::<Vec<_>>()))
    };
    let rebuilt = blocking(work).await.map_err(|panic| ReadError::Internal(panic.to_string()))?;
    rebuilt.map_err(|error: erasure::CodecError| ReadError::Internal(error.to_string()))
}

fn covers(had: &Range<usize>, want: &Range<usize>) -> bool {
    had.start <= want.start && want.end <= had.end
}
