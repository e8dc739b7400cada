//! The shard store: append-only volumes and an index in memory.
//!
//! ```text
//!   put, delete ─▶ queue ─▶ writer: all that wait ─▶ one write, one fdatasync ─▶ index ─▶ everybody is answered
//!   trash, restore ─┘                                └ DIR/volumes/00000001.vol  00000002.vol ..  (the newest grows)
//!   get ─▶ index ─▶ read + check ─▶ bytes               ▲ compaction copies the live out of half-dead volumes
//!                                                       └ scrub reads everything again, slowly
//!   start ─▶ index: by DIR/volumes/00000001.out .. (outlines), by the headers of volumes that have none
//! ```
//! Promises:
//! - A shard is complete or absent; when a put is answered it is on stable storage (unless `fsync` is off), and so is a delete.
//! - Bytes that don't match their id are never served, nor do they stand in for those of a put: the shard is dropped, told to
//!   the coordinator, and its room compacted away.
//! - Puts never take the volumes beyond the capacity, compaction's own copies included, and leave the disk its reserve. Where
//!   the capacity was lowered below what is held, everything is served and may be deleted, puts are refused, and compaction
//!   brings the files down to the capacity as shards go. Deletes and marks, 64 bytes each, need room on the disk only.
//! - Long batches go past the page cache, in blocks of the disk that hold nothing acknowledged yet (see `direct`).
//! - A write that fails is rolled back whole; if even that fails the store goes on reading and refuses writes.
//! - Every dead record has a tombstone that names its place, for as long as the record's volume exists. So the order of
//!   tombstones doesn't matter, compaction may move them, and drops those whose volume is gone. A record that was copied needs
//!   none: its volume goes before the one with the copy does, or the next start makes it a void.
//! - Setting a shard aside and taking it back out are durable when answered, and a crash leaves it before or after.
//! - No shard is told to be older than it is, whatever becomes of the wall clock (see `clock`).
//! - Every shard that is held is read again in each round of the scrub; damage around a shard is mended, rot is told.
//!
//! An outline says of a volume what its headers say. It is believed only of the very state it was made of, and nothing depends on
//! it but how long a start takes.
//!
//! You may lose: puts that were not answered; with `fsync` off, what the operating system had not written when the power went.

mod clock;
mod command;
mod compact;
mod direct;
mod error;
mod format;
mod gather;
mod held;
mod index;
mod inspect;
mod limits;
mod notes;
mod options;
mod outline;
mod outliner;
mod pace;
mod plan;
mod ranges;
mod read;
mod record;
mod scan;
mod scrub;
mod trash;
mod volume;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::ops::{Bound, Range};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

use bytes::Bytes;
use nodio_host::{blocking, now_ms};
use nodio_wire::api::Trash;
use nodio_wire::{ShardId, UnixMs};
use tokio::sync::{mpsc, oneshot};

use clock::Clock;
use command::{Command, Reply};
pub(crate) use compact::Compactor;
pub use error::StoreError;
use index::{Index, Location};
pub use options::StoreOptions;
pub(crate) use outliner::Outliner;
use plan::{NewShard, Room};
use read::ReadFault;
pub(crate) use read::span;
use record::Place;
use scrub::Round;
pub use scrub::{Scrubbed, Scrubber};
use writer::Writer;

use crate::limits::{DELETE_IDS, HASH_INLINE_BYTES, ROTTEN_MAX, SHARD_MAX_BYTES, WRITER_QUEUE};

/// What a put did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    New,
    Already,
}

/// Counts for heartbeats and the health page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    pub capacity_bytes: u64,
    pub used_bytes: u64,
    /// What puts can still take.
    pub free_bytes: u64,
    /// Shards held and their lengths, those set aside left out.
    pub shards: u64,
    pub held_bytes: u64,
    /// Of the shards held.
    pub digest: u128,
    pub trash: Trash,
    pub read_only: bool,
}

/// Seen by the store's callers and its writer.
struct Shared {
    options: StoreOptions,
    index: RwLock<Index>,
    read_only: AtomicBool,
    /// What compaction is copying takes this much at most.
    copying_bytes: AtomicU64,
    rotten: Mutex<Vec<ShardId>>,
    round: Mutex<Round>,
    clock: Clock,
}

impl Shared {
    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self, used_bytes: u64) -> Room {
        self.options.room(used_bytes, self.copying_bytes.load(Ordering::Relaxed))
    }
}

/// The store of one folder; cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Store {
    /// Opens the folder, mends what a crash left, and starts the writer. Blocks on the disk; the caller holds the folder's lock.
    ///
    /// # Errors
    /// What the disk says; a store of a format this node doesn't know is left untouched.
    pub fn open(options: StoreOptions) -> Result<Self, StoreError> {
        Self::open_at(options, now_ms())
    }

    fn open_at(options: StoreOptions, wall_ms: UnixMs) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| StoreError::Io(format!("{}: {error}", options.dir.display()));
        std::fs::create_dir_all(&options.dir).map_err(failed)?;
        options.dir.parent().map_or(Ok(()), volume::sync_dir).map_err(failed)?;
        format::check(&options.dir).map_err(failed)?;
        let notes = notes::load(&options.dir);
        let loaded = scan::load(&options.dir, options.fsync).map_err(failed)?;
        let shared = Arc::new(Shared {
            index: RwLock::new(loaded.index),
            read_only: AtomicBool::new(false),
            copying_bytes: AtomicU64::new(0),
            rotten: Mutex::default(),
            round: Mutex::new(notes.scrub),
            clock: Clock::resume(Some(notes.clock_ms.max(loaded.latest_ms)).filter(|known_ms| *known_ms > 0), wall_ms),
            options,
        });
        let (commands, queue) = mpsc::channel(WRITER_QUEUE);
        let writer = Writer::new(shared.clone(), queue, loaded.newest);
        let thread = std::thread::Builder::new().name("store-writer".into()).spawn(move || writer.run());
        let thread = thread.map_err(|error| StoreError::Io(error.to_string()))?;
        Ok(Self { shared, commands, writer: Arc::new(Mutex::new(Some(thread))) })
    }

    /// The store's own clock, about Unix time: never set, always at one pace, still while the donor is off. Times given to the
    /// store are read from it.
    pub fn now_ms(&self) -> UnixMs {
        self.shared.clock.now_ms()
    }

    /// Stores a shard, durably, if `data` is what `id` names. Holding it already is no error, and takes it out of the trash: what
    /// is on the disk is read first, and if it has rotted, what was sent takes its place. `now` is [`Store::now_ms`].
    pub async fn put(&self, id: ShardId, data: Bytes, now: UnixMs) -> Result<Stored, StoreError> {
        if data.len() > SHARD_MAX_BYTES as usize {
            return Err(StoreError::TooLong);
        }
        let shard = if data.len() <= HASH_INLINE_BYTES {
            prepare(id, data, now)
        } else {
            off_thread(move || prepare(id, data, now)).await?
        }?;
        match self.verify(id).await {
            Ok(()) | Err(StoreError::Rotten | StoreError::NotHeld) => {}
            Err(error) => return Err(error),
        }
        self.ask(|reply| Command::Put(shard, reply)).await
    }

    /// The shard's bytes, or `range` of them, checked; of one that is set aside as well.
    pub async fn get(&self, id: ShardId, range: Option<Range<u32>>) -> Result<Bytes, StoreError> {
        let (location, file) = self.find(&id)?;
        let range = range.unwrap_or(0..location.len);
        if range.start > range.end || range.end > location.len {
            return Err(StoreError::BadRange);
        }
        let read = off_thread(move || read::range(&file, id, location, range)).await?;
        self.checked(id, location, read).await
    }

    /// Reads a shard that is held or set aside, and drops and tells it if it isn't whole.
    async fn verify(&self, id: ShardId) -> Result<(), StoreError> {
        let (location, file) = self.find(&id)?;
        let read = off_thread(move || read::verify(&file, id, location)).await?;
        self.checked(id, location, read).await
    }

    fn find(&self, id: &ShardId) -> Result<(Location, Arc<File>), StoreError> {
        let index = self.shared.index();
        let location = index.get(id).ok_or(StoreError::NotHeld)?;
        Ok((location, index.file(location.place.volume).ok_or(StoreError::NotHeld)?))
    }

    async fn checked<T>(&self, id: ShardId, at: Location, read: Result<T, ReadFault>) -> Result<T, StoreError> {
        match read {
            Ok(read) => Ok(read),
            Err(ReadFault::Io(error)) => Err(StoreError::Io(error.to_string())),
            Err(ReadFault::Rotten) => {
                self.quarantine(id, at.place).await;
                Err(StoreError::Rotten)
            }
        }
    }

    /// Length of a shard that is held or set aside.
    pub fn len_of(&self, id: &ShardId) -> Option<u32> {
        self.shared.index().get(id).map(|location| location.len)
    }

    /// True unless a shard of `len` bytes is sure to be refused for the capacity's sake.
    pub fn may_fit(&self, len: u32) -> bool {
        let options = &self.shared.options;
        let limit = options.capacity_bytes.saturating_sub(options.headroom_bytes());
        self.shared.index().used_bytes() + record::record_bytes(len) <= limit
    }

    /// Deletes those of `ids` that are held or set aside, for good and durably, and answers how many those were.
    pub async fn delete(&self, ids: &[ShardId]) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for some in ids.chunks(DELETE_IDS) {
            deleted += self.ask(|reply| Command::Delete(some.to_vec(), reply)).await?;
        }
        Ok(deleted)
    }

    /// Up to `limit` ids held above `after`, ascending, with the second each was stored in.
    pub fn page(&self, after: Option<ShardId>, limit: usize) -> Vec<(ShardId, u32)> {
        let index = self.shared.index();
        let held = index.walk(after.map_or(Bound::Unbounded, Bound::Excluded)).filter(|(_, held)| held.aside_s().is_none());
        held.take(limit).map(|(id, held)| (id, held.since_s())).collect()
    }

    /// Asks the file system for its free space.
    pub fn totals(&self) -> Totals {
        let read_only = self.shared.read_only.load(Ordering::Relaxed);
        let counted = {
            let index = self.shared.index();
            Totals {
                capacity_bytes: self.shared.options.capacity_bytes,
                used_bytes: index.used_bytes(),
                free_bytes: 0,
                shards: index.len(),
                held_bytes: index.held_bytes(),
                digest: index.digest(),
                trash: index.trash(),
                read_only,
            }
        };
        let free_bytes = if read_only { 0 } else { self.shared.room(counted.used_bytes).puts_bytes };
        Totals { free_bytes, ..counted }
    }

    /// Up to `limit` shards found rotten and not yet told.
    pub fn rotten(&self, limit: usize) -> Vec<ShardId> {
        let mut rotten = self.shared.rotten.lock().unwrap_or_else(PoisonError::into_inner);
        // One that was stored anew since is well.
        rotten.retain(|id| self.len_of(id).is_none());
        rotten.iter().take(limit).copied().collect()
    }

    /// Forgets rotten shards that the coordinator knows of now.
    pub fn rotten_told(&self, told: &[ShardId]) {
        let mut rotten = self.shared.rotten.lock().unwrap_or_else(PoisonError::into_inner);
        rotten.retain(|id| !told.contains(id));
    }

    /// Answers what waits, stops the writer, syncs, makes the outlines that are missing, and notes how far the scrub and the clock
    /// are.
    pub async fn close(&self) {
        let _ = self.commands.send(Command::Stop).await;
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = off_thread(move || thread.join()).await;
            let shared = self.shared.clone();
            let _ = off_thread(move || outliner::finish(&shared)).await;
            self.note().await;
        }
    }

    /// Drops the record at `place`, which was found rotten, and remembers to tell.
    async fn quarantine(&self, id: ShardId, place: Place) {
        tracing::warn!(shard = %id, volume = place.volume, "a shard has rotted on this disk; it is dropped and reported");
        let tombstoned = self.ask(|reply| Command::Quarantine(id, place, reply)).await;
        // A disk that takes no tombstone must not make us serve or count the shard either.
        let dropped = tombstoned.unwrap_or_else(|_| self.shared.index_mut().remove_at(&id, place).into());
        let mut rotten = self.shared.rotten.lock().unwrap_or_else(PoisonError::into_inner);
        if dropped > 0 && rotten.len() < ROTTEN_MAX {
            rotten.push(id);
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

/// Checks the bytes and computes what follows them on disk.
fn prepare(id: ShardId, data: Bytes, now: UnixMs) -> Result<NewShard, StoreError> {
    if ShardId::of(&data) != id {
        return Err(StoreError::WrongBytes);
    }
    let trailer = record::trailer(&data);
    Ok(NewShard { id, data, trailer, stored_ms: now })
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    blocking(work).await.map_err(|error| StoreError::Io(error.to_string()))
}
