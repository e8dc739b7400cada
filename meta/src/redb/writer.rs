//! The one writer: takes every commit that waits, decides and applies them in turn, makes one transaction of them, answers them all.
//!
//! ```text
//!   fsync on:   plain plain plain .. (nobody commits for SETTLE_AFTER_MS) .. settled
//!   fsync off:  visible visible .. (FLUSH_EVERY_MS) settled  visible visible ..
//! ```
//! A settled transaction writes down which pages are free, so that a start after a kill need not read the whole file to find out, if
//! it was the last one on stable storage. It costs a second fsync: commits that somebody waits for are plain where they are synced.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use ::redb::{Database, Durability, WriteTransaction};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::ledger::Ledger;
use super::{ABOUT, ROWS, SEQUENCE, failed};
use crate::limits::{BATCH_BYTES_MAX, BATCH_COMMITS_MAX, FLUSH_EVERY_MS, SETTLE_AFTER_MS};
use crate::{Commit, CommitError, StoreError, Version};

/// A commit on its way.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) commit: Commit,
    pub(super) answer: oneshot::Sender<Result<Version, CommitError>>,
    /// Its place in the queue.
    pub(super) room: OwnedSemaphorePermit,
}

impl Job {
    fn answer(self, outcome: Result<Version, CommitError>) {
        drop(self.room);
        // Who no longer waits need not be told.
        let _ = self.answer.send(outcome);
    }
}

pub(super) struct Writer {
    database: Arc<Database>,
    queue: Receiver<Job>,
    /// Of the last commit that was made.
    sequence: Version,
    fsync: bool,
    owed: Owed,
    transactions: Arc<AtomicU64>,
}

/// What is still to be done for commits that were answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    Nothing,
    /// They are on stable storage, the last since then, and not settled.
    Settle(Instant),
    /// They are visible, the first since then, and not on stable storage. Only with fsync off.
    Flush(Instant),
}

impl Owed {
    fn due(self) -> Option<Instant> {
        match self {
            Self::Nothing => None,
            Self::Settle(last) => Some(last + Duration::from_millis(SETTLE_AFTER_MS)),
            Self::Flush(first) => Some(first + Duration::from_millis(FLUSH_EVERY_MS)),
        }
    }
}

/// What the writer does next.
enum Next {
    Write(Vec<Job>),
    Settle,
    Stop,
}

impl Writer {
    pub(super) fn new(
        database: Arc<Database>,
        queue: Receiver<Job>,
        sequence: Version,
        fsync: bool,
        transactions: Arc<AtomicU64>,
    ) -> Self {
        Self { database, queue, sequence, fsync, owed: Owed::Nothing, transactions }
    }

    /// For a file that had to be checked: if nobody commits, the next start would have to check it again.
    pub(super) fn owe_settling(&mut self) {
        self.owed = Owed::Settle(Instant::now());
    }

    /// Until the store is dropped, or a transaction fails. Whoever still waits then is told that the store is closed.
    pub(super) fn run(mut self) {
        loop {
            let went_well = match self.next() {
                Next::Write(batch) => self.write(batch),
                Next::Settle => self.settle(),
                Next::Stop => return self.stop(),
            };
            if let Err(error) = went_well {
                tracing::error!("a metadata transaction failed, no more are made: {error}");
                return;
            }
        }
    }

    fn next(&self) -> Next {
        let first = match self.owed.due() {
            None => self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => self.queue.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        match first {
            Ok(job) => Next::Write(self.batch(job)),
            Err(RecvTimeoutError::Timeout) => Next::Settle,
            Err(RecvTimeoutError::Disconnected) => Next::Stop,
        }
    }

    /// The first, and as many as wait behind it and fit one transaction.
    fn batch(&self, first: Job) -> Vec<Job> {
        let mut bytes = first.commit.bytes();
        let mut batch = vec![first];
        while batch.len() < BATCH_COMMITS_MAX && bytes < BATCH_BYTES_MAX {
            let Ok(job) = self.queue.try_recv() else { break };
            bytes += job.commit.bytes();
            batch.push(job);
        }
        batch
    }

    fn write(&mut self, mut batch: Vec<Job>) -> Result<(), StoreError> {
        let commits: Vec<Commit> = batch.iter_mut().map(|job| mem::take(&mut job.commit)).collect();
        match self.transaction(&commits) {
            Ok(versions) => {
                batch.into_iter().zip(versions).for_each(|(job, version)| job.answer(version.ok_or(CommitError::Conflict)));
                Ok(())
            }
            Err(error) => {
                batch.into_iter().for_each(|job| job.answer(Err(error.clone().into())));
                Err(error)
            }
        }
    }

    /// One transaction of all; for each its version, or none for a conflict.
    fn transaction(&mut self, commits: &[Commit]) -> Result<Vec<Option<Version>>, StoreError> {
        let flushes = self.is_flush_due();
        let transaction = self.begin(flushes).map_err(failed)?;
        let mut sequence = self.sequence;
        let versions = apply_all(&transaction, commits, &mut sequence).map_err(failed)?;
        if sequence == self.sequence {
            // Nothing but conflicts: there is nothing to make durable.
            transaction.abort().map_err(|error| failed(error.into()))?;
            return Ok(versions);
        }
        // The disk may have taken it and failed only to say so.
        let unknown = |error| StoreError::Failed(format!("{error}; whether the commit was made shows after a restart"));
        self.finish(transaction, sequence).map_err(unknown)?;
        self.owed = match (self.fsync, self.owed) {
            (true, _) => Owed::Settle(Instant::now()),
            (false, _) if flushes => Owed::Nothing,
            (false, Owed::Flush(first)) => Owed::Flush(first),
            (false, _) => Owed::Flush(Instant::now()),
        };
        Ok(versions)
    }

    fn begin(&self, flushes: bool) -> Result<WriteTransaction, ::redb::Error> {
        let mut transaction = self.database.begin_write()?;
        let durability = if self.fsync || flushes { Durability::Immediate } else { Durability::None };
        transaction.set_durability(durability)?;
        transaction.set_quick_repair(flushes);
        Ok(transaction)
    }

    fn is_flush_due(&self) -> bool {
        matches!(self.owed, Owed::Flush(_)) && self.owed.due().is_some_and(|due| due <= Instant::now())
    }

    fn finish(&mut self, transaction: WriteTransaction, sequence: Version) -> Result<(), ::redb::Error> {
        assert!(sequence >= self.sequence, "sequence numbers only grow");
        transaction.open_table(ABOUT)?.insert(SEQUENCE, sequence)?;
        transaction.commit()?;
        self.sequence = sequence;
        self.transactions.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// A settled transaction takes those before it along.
    fn settle(&mut self) -> Result<(), StoreError> {
        let mut settle = || -> Result<(), ::redb::Error> {
            let mut transaction = self.database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            transaction.set_quick_repair(true);
            self.finish(transaction, self.sequence)
        };
        settle().map_err(failed)?;
        self.owed = Owed::Nothing;
        Ok(())
    }

    fn stop(mut self) {
        if matches!(self.owed, Owed::Flush(_))
            && let Err(error) = self.settle()
        {
            tracing::error!("the last metadata commits may not be on stable storage: {error}");
        }
    }
}

fn apply_all(
    transaction: &WriteTransaction,
    commits: &[Commit],
    sequence: &mut Version,
) -> Result<Vec<Option<Version>>, ::redb::Error> {
    let mut ledger = Ledger::new(transaction.open_table(ROWS)?);
    let mut versions = Vec::with_capacity(commits.len());
    for commit in commits {
        let version = *sequence + 1;
        let made = apply(&mut ledger, commit, version)?;
        versions.push(made.then_some(version));
        *sequence += Version::from(made);
    }
    ledger.finish()?;
    Ok(versions)
}

/// False, and nothing written, if a check doesn't hold. It sees what earlier commits of the same transaction wrote.
fn apply(ledger: &mut Ledger<'_>, commit: &Commit, version: Version) -> Result<bool, ::redb::Error> {
    for check in &commit.checks {
        if !ledger.holds(check)? {
            return Ok(false);
        }
    }
    for (place, write) in commit.writes.iter().enumerate() {
        ledger.apply(write, version, place)?;
    }
    Ok(true)
}
