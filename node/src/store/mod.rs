//! The shard store: append-only volumes and an index in memory.
//!
//! ```text
//!   put, delete ─▶ queue ─▶ writer: all that wait ─▶ one write, one fdatasync ─▶ index ─▶ everybody is answered
//!   get ─▶ index ─▶ read + check ─▶ bytes            └ DIR/volumes/00000001.vol  00000002.vol ..  (the newest grows)
//!                                                    ▲ compaction copies the live out of half-dead volumes
//! ```
//! Promises:
//! - A shard is complete or absent; when a put is answered it is on stable storage (unless `fsync` is off), and so is a delete.
//! - Bytes that don't match their id are never served: the shard is dropped, told to the coordinator, and its room compacted
//!   away.
//! - The volumes never take more than the capacity, compaction's own copies included, and puts leave the disk its reserve.
//! - A write that fails is rolled back whole; if even that fails the store goes on reading and refuses writes.
//! - Every dead record has a tombstone that names its place, for as long as the record's volume exists. So the order of
//!   tombstones doesn't matter, compaction may move them, and drops those whose volume is gone.
//!
//! You may lose: puts that were not answered; with `fsync` off, what the operating system had not written when the power went.

mod compact;
mod index;
mod plan;
mod read;
mod record;
mod scan;
mod volume;
mod writer;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

use bytes::Bytes;
use nodio_host::blocking;
use nodio_host::files::free_bytes;
use nodio_wire::{ShardId, UnixMs};
use tokio::sync::{mpsc, oneshot};

pub(crate) use compact::Compactor;
use index::Index;
use plan::{NewShard, Room};
use read::ReadFault;
use record::Place;
use writer::{Command, Reply, Writer};

use crate::limits::{DELETE_IDS, HASH_INLINE_BYTES, ROTTEN_MAX, SHARD_MAX_BYTES, WRITER_QUEUE};

/// Why the store can't do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("there is no room for the shard")]
    Full,
    #[error("the shard is not held")]
    NotHeld,
    #[error("the shard was rotten and is gone")]
    Rotten,
    #[error("the bytes are not the shard named")]
    WrongBytes,
    #[error("a shard has at most {SHARD_MAX_BYTES} bytes")]
    TooLong,
    #[error("the range does not lie within the shard")]
    BadRange,
    #[error("the disk failed: {0}")]
    Io(String),
    #[error("the store only reads since a failed write could not be undone; restart when the disk is well")]
    ReadOnly,
    #[error("the store is closed")]
    Closed,
}

/// What a put did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    New,
    Already,
}

#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Folder of the volumes; made if it isn't there.
    pub dir: PathBuf,
    /// Most bytes that the volumes take.
    pub capacity_bytes: u64,
    /// Size at which a volume is full; it must hold the longest shard.
    pub volume_bytes: u64,
    /// Bytes that puts leave free on the file system.
    pub disk_reserve_bytes: u64,
    /// Sync before a write is answered.
    pub fsync: bool,
}

impl StoreOptions {
    /// Room that puts leave to compaction and tombstones.
    fn headroom_bytes(&self) -> u64 {
        self.volume_bytes.min(self.capacity_bytes / 8)
    }

    /// What may be written with `used_bytes` taken. Asks the file system.
    fn room(&self, used_bytes: u64) -> Room {
        let disk = free_bytes(&self.dir).unwrap_or(0);
        let any_bytes = self.capacity_bytes.saturating_sub(used_bytes);
        let puts_bytes = any_bytes.saturating_sub(self.headroom_bytes());
        Room { any_bytes: any_bytes.min(disk), puts_bytes: puts_bytes.min(disk.saturating_sub(self.disk_reserve_bytes)) }
    }
}

/// Counts for heartbeats and the health page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    pub capacity_bytes: u64,
    pub used_bytes: u64,
    /// What puts can still take.
    pub free_bytes: u64,
    pub shards: u64,
    pub digest: u128,
    pub read_only: bool,
}

/// Seen by the store's callers and its writer.
struct Shared {
    options: StoreOptions,
    index: RwLock<Index>,
    read_only: AtomicBool,
    rotten: Mutex<Vec<ShardId>>,
}

impl Shared {
    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
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
    pub fn open(options: StoreOptions) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| StoreError::Io(format!("{}: {error}", options.dir.display()));
        std::fs::create_dir_all(&options.dir).map_err(failed)?;
        options.dir.parent().map_or(Ok(()), volume::sync_dir).map_err(failed)?;
        let loaded = scan::load(&options.dir, options.fsync).map_err(failed)?;
        let shared = Arc::new(Shared {
            index: RwLock::new(loaded.index),
            read_only: AtomicBool::new(false),
            rotten: Mutex::default(),
            options,
        });
        let (commands, queue) = mpsc::channel(WRITER_QUEUE);
        let writer = Writer::new(shared.clone(), queue, loaded.newest);
        let thread = std::thread::Builder::new().name("store-writer".into()).spawn(move || writer.run());
        let thread = thread.map_err(|error| StoreError::Io(error.to_string()))?;
        Ok(Self { shared, commands, writer: Arc::new(Mutex::new(Some(thread))) })
    }

    /// Stores a shard, durably, if `data` is what `id` names. Holding it already is no error.
    pub async fn put(&self, id: ShardId, data: Bytes, now: UnixMs) -> Result<Stored, StoreError> {
        if data.len() > SHARD_MAX_BYTES as usize {
            return Err(StoreError::TooLong);
        }
        let shard = if data.len() <= HASH_INLINE_BYTES {
            prepare(id, data, now)
        } else {
            off_thread(move || prepare(id, data, now)).await?
        }?;
        self.ask(|reply| Command::Put(shard, reply)).await
    }

    /// The shard's bytes, or `range` of them, checked.
    pub async fn get(&self, id: ShardId, range: Option<Range<u32>>) -> Result<Bytes, StoreError> {
        let (location, file) = {
            let index = self.shared.index();
            let location = index.get(&id).ok_or(StoreError::NotHeld)?;
            (location, index.file(location.place.volume).ok_or(StoreError::NotHeld)?)
        };
        let range = range.unwrap_or(0..location.len);
        if range.start > range.end || range.end > location.len {
            return Err(StoreError::BadRange);
        }
        match off_thread(move || read::range(&file, id, location, range)).await? {
            Ok(bytes) => Ok(bytes),
            Err(ReadFault::Io(error)) => Err(StoreError::Io(error.to_string())),
            Err(ReadFault::Rotten) => {
                self.quarantine(id, location.place).await;
                Err(StoreError::Rotten)
            }
        }
    }

    /// Length of a shard that is held.
    pub fn len_of(&self, id: &ShardId) -> Option<u32> {
        self.shared.index().get(id).map(|location| location.len)
    }

    /// True unless a shard of `len` bytes is sure to be refused for the capacity's sake.
    pub fn may_fit(&self, len: u32) -> bool {
        let options = &self.shared.options;
        let limit = options.capacity_bytes - options.headroom_bytes();
        self.shared.index().used_bytes() + record::record_bytes(len) <= limit
    }

    /// Deletes those of `ids` that are held, durably, and answers how many those were.
    pub async fn delete(&self, ids: &[ShardId]) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for some in ids.chunks(DELETE_IDS) {
            deleted += self.ask(|reply| Command::Delete(some.to_vec(), reply)).await?;
        }
        Ok(deleted)
    }

    /// Up to `limit` ids above `after`, ascending, with the second each was stored in.
    pub fn page(&self, after: Option<ShardId>, limit: usize) -> Vec<(ShardId, u32)> {
        self.shared.index().page(after, limit).into_iter().map(|(id, at)| (id, at.stored_s)).collect()
    }

    /// Asks the file system for its free space.
    pub fn totals(&self) -> Totals {
        let options = &self.shared.options;
        let read_only = self.shared.read_only.load(Ordering::Relaxed);
        let (used_bytes, shards, digest) = {
            let index = self.shared.index();
            (index.used_bytes(), index.len(), index.digest())
        };
        let free_bytes = if read_only { 0 } else { options.room(used_bytes).puts_bytes };
        Totals { capacity_bytes: options.capacity_bytes, used_bytes, free_bytes, shards, digest, read_only }
    }

    /// Up to `limit` shards found rotten and not yet told.
    pub fn rotten(&self, limit: usize) -> Vec<ShardId> {
        let rotten = self.shared.rotten.lock().unwrap_or_else(PoisonError::into_inner);
        rotten.iter().take(limit).copied().collect()
    }

    /// Forgets rotten shards that the coordinator knows of now.
    pub fn rotten_told(&self, told: &[ShardId]) {
        let mut rotten = self.shared.rotten.lock().unwrap_or_else(PoisonError::into_inner);
        rotten.retain(|id| !told.contains(id));
    }

    /// Answers what waits, stops the writer and syncs.
    pub async fn close(&self) {
        let _ = self.commands.send(Command::Stop).await;
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = off_thread(move || thread.join()).await;
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
