//! The store on one machine's disk: one redb file, one writer, any number of readers.
//!
//! ```text
//!   commit ─┐                        ┌─ checks of 1, writes of 1 ┐
//!   commit ─┼─▶ bounded queue ─▶ writer: checks of 2, conflict   ├─▶ one transaction, one fsync ─▶ all are answered
//!   commit ─┘                        └─ checks of 3, writes of 3 ┘
//!   get, scan, walk ─▶ a snapshot of the last transaction; opened, read and closed within the call
//! ```
//!
//! Promises: a commit is answered after its transaction is on stable storage (with `fsync` off: after it is visible; at most
//! [`FLUSH_EVERY_MS`](crate::limits::FLUSH_EVERY_MS) of such commits are lost with the machine or a killed process, and those in order,
//! the latest first). A conflict leaves nothing. If the disk fails a transaction, all its commits fail, the store takes no more of them, and
//! what that transaction wrote may or may not be there after a restart. The file is created whole or not at all, and an empty or foreign
//! file is refused, never overwritten: metadata that vanished must not look like a new start.
//!
//! A row's value is 8 bytes of version, big-endian, then the value.

mod file;
mod ledger;
mod read;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use ::redb::{Database, TableDefinition};
use async_trait::async_trait;
use tokio::sync::{Semaphore, oneshot};

use crate::limits::{CACHE_BYTES, QUEUE_COMMITS_MAX};
use crate::{Commit, CommitError, Direction, KeyRange, Row, Store, StoreError, Version, Versioned, Visit};
use file::Opened;
use writer::{Job, Writer};

const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");
/// Numbers about the store itself.
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
const SEQUENCE: &str = "sequence";
const FORMAT: &str = "format";
/// Of the two tables above. A file with another number was written by another version.
const FORMAT_NOW: u64 = 1;
const VERSION_BYTES: usize = size_of::<Version>();

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Answer a commit only once it is on stable storage.
    pub fsync: bool,
    /// Memory for pages that were read.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { fsync: true, cache_bytes: CACHE_BYTES }
    }
}

/// Dropping it writes what is queued, makes it durable and lets go of the file; that blocks for about one fsync.
#[derive(Debug)]
pub struct RedbStore {
    database: Arc<Database>,
    transactions: Arc<AtomicU64>,
    /// As many permits as the queue has places, so that one who holds a permit never finds it full.
    room: Arc<Semaphore>,
    /// Both are there until the store is dropped.
    jobs: Option<SyncSender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl RedbStore {
    /// Opens the file, or creates it (mode 0600) if there is none. After a kill in the midst of commits this reads all of the file first,
    /// some seconds per GB: call it before serving, or off the async threads.
    ///
    /// # Errors
    /// [`StoreError::Failed`] naming the path: in use by another process, damaged, empty, not such a store, or not writable.
    pub fn open(path: &Path, options: Options) -> Result<Self, StoreError> {
        Self::start(file::open(path, options.cache_bytes)?, options.fsync)
    }

    fn start(opened: Opened, fsync: bool) -> Result<Self, StoreError> {
        let database = Arc::new(opened.database);
        let transactions = Arc::new(AtomicU64::new(0));
        let (jobs, queue) = sync_channel(QUEUE_COMMITS_MAX);
        let mut writer = Writer::new(database.clone(), queue, opened.sequence, fsync, transactions.clone());
        if opened.checked {
            writer.owe_settling();
        }
        let writer = std::thread::Builder::new()
            .name("meta-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::Failed(format!("can't start the writer: {error}")))?;
        let room = Arc::new(Semaphore::new(QUEUE_COMMITS_MAX));
        Ok(Self { database, transactions, room, jobs: Some(jobs), writer: Some(writer) })
    }

    /// Transactions made since the store was opened: under load, far fewer than commits.
    pub fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        // The writer ends once the queue is closed and empty.
        self.jobs = None;
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the metadata writer panicked");
        }
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn get(&self, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        read::get(&self.database, key).map_err(failed)
    }

    async fn scan(&self, range: KeyRange, limit: usize, direction: Direction) -> Result<Vec<Row>, StoreError> {
        read::scan(&self.database, &range, limit, direction).map_err(failed)
    }

    async fn walk(&self, range: KeyRange, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        read::walk(&self.database, range, visit).map_err(failed)
    }

    /// A caller that stops waiting may or may not have committed.
    async fn commit(&self, commit: Commit) -> Result<Version, CommitError> {
        commit.check_lengths()?;
        let closed = || CommitError::Store(StoreError::Closed);
        let room = self.room.clone().acquire_owned().await.map_err(|_| closed())?;
        let (answer, answered) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(closed)?;
        jobs.try_send(Job { commit, answer, room }).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

fn failed(error: ::redb::Error) -> StoreError {
    StoreError::Failed(error.to_string())
}

/// Takes a stored value apart.
fn unpack(stored: &[u8]) -> Result<(Version, &[u8]), ::redb::Error> {
    let (version, value) = stored.split_first_chunk::<VERSION_BYTES>().ok_or_else(short_row)?;
    Ok((Version::from_be_bytes(*version), value))
}

fn version_of(stored: &[u8]) -> Result<Version, ::redb::Error> {
    stored.first_chunk().map(|version| Version::from_be_bytes(*version)).ok_or_else(short_row)
}

fn short_row() -> ::redb::Error {
    ::redb::Error::Corrupted("a row is shorter than its version".to_owned())
}

#[cfg(test)]
mod tests;
