//! Reads all shards again, slowly and in the order they lie on the disk, so that rot is found before anybody asks for them.
//!
//! ```text
//!   volumes   00000001 ──▶ 00000002 ──▶ .. the newest when the round began     what is stored meanwhile: the next round
//!                └ step: about 4 MiB of shards against their ids ──▶ well
//!                                                               ├─▶ rotten: dropped and told, as when read
//!                                                               └─▶ worn: the shard is well, its header or checksums are not:
//!                                                                   written anew
//! ```
//! Promises: a round reads every shard that was held when it began and still is, unless compaction has read it meanwhile; what
//! is set aside is skipped, for it is read before it comes back out. A step is bounded; the pauses between are the caller's, as
//! long as [`Scrubber::wait`] says. Where it is is noted now and then (see `notes`); losing that begins the round anew.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nodio_host::now_ms;
use nodio_wire::UnixMs;
use nodio_wire::api::Scrub;
use serde::{Deserialize, Serialize};

use super::command::Command;
use super::inspect::look;
use super::limits::NOTE_EVERY_MS;
use super::notes::{self, Notes};
use super::pace::pause;
use super::plan::{Moved, NewShard};
use super::record::Place;
use super::{Store, StoreError, off_thread};

/// One reading of all shards: where it is, and what came of those before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Round {
    /// Finished, ever.
    pub(crate) rounds: u64,
    pub(crate) last_end: UnixMs,
    /// When this one began, or the last one if none is under way; 0 before the first.
    pub(crate) started: UnixMs,
    pub(crate) under_way: bool,
    /// Lengths of the shards read in it.
    pub(crate) bytes: u64,
    /// Where it goes on. If that volume is gone, at the next one.
    pub(crate) volume: u32,
    pub(crate) offset: u64,
    /// The newest volume when it began, and its last.
    pub(crate) through: u32,
}

impl Round {
    /// This round if it is under way, else the next, through the volume `newest`.
    fn begun(self, newest: u32, now: UnixMs) -> Self {
        if self.under_way {
            return self;
        }
        Self { started: now, under_way: true, bytes: 0, volume: 0, offset: 0, through: newest, ..self }
    }

    /// After a step that read `bytes` and goes on at `next`; without one the round is over.
    fn after(self, bytes: u64, next: Option<(u32, u64)>, now: UnixMs) -> Self {
        let bytes = self.bytes + bytes;
        match next {
            Some((volume, offset)) => Self { bytes, volume, offset, ..self },
            None => Self { bytes, under_way: false, rounds: self.rounds + 1, last_end: now, ..self },
        }
    }
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scrubbed {
    /// Lengths of the shards read.
    pub bytes: u64,
    pub took: Duration,
    /// The round is over.
    pub wrapped: bool,
    /// Shards dropped and told.
    pub rotten: u64,
    /// Shards written anew.
    pub mended: u64,
}

/// The scrub of one store.
pub struct Scrubber {
    store: Store,
    took: Duration,
    ended: Instant,
    noted: Instant,
}

impl Scrubber {
    pub fn new(store: Store) -> Self {
        let now = Instant::now();
        Self { store, took: Duration::ZERO, ended: now, noted: now }
    }

    /// Time until the next step, so that a round takes about `cycle_ms` and steps have at most `share` (0 to 1) of the time. It
    /// changes with what is stored, so a long one may be asked for again midway.
    pub fn wait(&self, cycle_ms: u64, share: f64) -> Duration {
        let (idle, now) = (self.ended.elapsed(), now_ms());
        let round = {
            let mut round = self.store.round();
            // A wall clock that was set back must not stop the scrub.
            round.started = round.started.min(now);
            *round
        };
        let total = match (round.under_way, round.started) {
            (false, 0) => return Duration::ZERO,
            (false, _) => round.bytes,
            (true, _) => self.store.shared.index().held_bytes(),
        };
        let elapsed = Duration::from_millis(now - round.started).saturating_sub(idle);
        pause(round.bytes, total, self.took, cycle_ms, share, elapsed).saturating_sub(idle)
    }

    /// Reads and checks some more shards.
    ///
    /// # Errors
    /// What the disk says where reading again may help; the next step begins at the same place.
    pub async fn step(&mut self) -> Result<Scrubbed, StoreError> {
        let began = Instant::now();
        let stepped = self.advance().await;
        (self.ended, self.took) = (Instant::now(), began.elapsed());
        let scrubbed = Scrubbed { took: self.took, ..stepped? };
        if scrubbed.wrapped || self.noted.elapsed() >= Duration::from_millis(NOTE_EVERY_MS) {
            self.noted = Instant::now();
            self.store.note().await;
        }
        Ok(scrubbed)
    }

    async fn advance(&self) -> Result<Scrubbed, StoreError> {
        let newest = self.store.shared.index().newest().unwrap_or(0);
        let round = {
            let mut round = self.store.round();
            *round = round.begun(newest, now_ms());
            *round
        };
        let store = self.store.clone();
        let found = off_thread(move || look(&store, round)).await?.map_err(|error| StoreError::Io(error.to_string()))?;
        let (rotten, mut mended) = (found.rotten.len() as u64, 0);
        for (id, place) in found.rotten {
            self.store.quarantine(id, place).await;
        }
        for (shard, from) in found.worn {
            mended += u64::from(self.mend(shard, from).await);
        }
        *self.store.round() = round.after(found.bytes, found.next, now_ms());
        let wrapped = found.next.is_none();
        Ok(Scrubbed { bytes: found.bytes, took: Duration::ZERO, wrapped, rotten, mended })
    }

    /// Writes a shard anew. The worn record gets its tombstone only when the copy is durable.
    async fn mend(&self, shard: NewShard, from: Place) -> bool {
        let id = shard.id;
        let copied = self.store.ask(|reply| Command::Relocate(vec![Moved::Mended { shard, from }], reply)).await;
        let tombstone = Moved::Tombstone { id, target: from };
        let mended = match copied {
            Ok(()) => self.store.ask(|reply| Command::Relocate(vec![tombstone], reply)).await,
            Err(error) => Err(error),
        };
        match &mended {
            Ok(()) => {
                tracing::warn!(shard = %id, volume = from.volume, "a record was damaged around its shard; it is written anew")
            }
            Err(error) => tracing::warn!(shard = %id, "a damaged record can't be written anew: {error}"),
        }
        mended.is_ok()
    }
}

impl Store {
    /// How far the scrub has come.
    pub fn scrubbed(&self) -> Scrub {
        let Round { rounds, last_end, bytes, .. } = *self.round();
        Scrub { rounds, last_end, bytes }
    }

    fn round(&self) -> MutexGuard<'_, Round> {
        self.shared.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how far the scrub and the clock are. Failing costs no more than the notes.
    pub(super) async fn note(&self) {
        let notes = Notes { clock_ms: self.now_ms(), scrub: *self.round() };
        let dir = self.shared.options.dir.clone();
        let saved = off_thread(move || notes::save(&dir, &notes)).await;
        if let Ok(Err(error)) = saved {
            tracing::warn!("how far the scrub is can't be noted: {error}");
        }
    }
}
