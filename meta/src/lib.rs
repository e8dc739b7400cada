//! The ordered key-value store that remembers. Three operations: [`Store::get`], [`Store::scan`], [`Store::commit`]; and [`Store::walk`],
//! which any store has by its scans and a local one does better.
//!
//! ```text
//!   table logic (gateway, coordinator)      reads rows, decides, and says what must still hold when it writes
//!        │  Commit { checks, writes }
//!   Store ├─ memory::MemoryStore            a BTreeMap: plainly right, the specification
//!         └─ redb::RedbStore                one writer, group commit: one transaction and one fsync for all that wait
//! ```
//!
//! Promises: a commit is atomic and, once answered, durable; its checks are decided inside the writer, so of two commits that check the
//! same row one conflicts; what is added to a counter needs no check and none is lost; a reader never waits for a writer. You may lose only commits that were not answered.

mod commit;
pub mod conformance;
pub mod limits;
pub mod memory;
mod range;
pub mod redb;
pub mod row;
mod sums;
mod transact;
mod walk;

use std::ops::Bound;

use async_trait::async_trait;
use bytes::Bytes;

pub use self::redb::RedbStore;
pub use memory::MemoryStore;
pub use sums::Sums;
pub use transact::{Outcome, transact};
pub use walk::{RowRef, Step, Visit};

/// A row's version: the sequence number of the commit that wrote it. Grows, never repeats within a store.
pub type Version = u64;

/// A value and the version it was written at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    pub value: Bytes,
    pub version: Version,
}

/// A row as a scan finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub key: Bytes,
    pub value: Bytes,
    pub version: Version,
}

/// Keys between two bounds, in byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    pub start: Bound<Bytes>,
    pub end: Bound<Bytes>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Ascending,
    Descending,
}

/// What must hold when the commit is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// The row is there and was last written at this version.
    At(Bytes, Version),
    /// There is no such row.
    Absent(Bytes),
    /// There is no row in the range.
    Empty(KeyRange),
    /// The counter, zeros where there is no such row, is within both limits.
    AtMost(Bytes, Sums),
}

/// Applied in order, after all checks held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    Put(Bytes, Bytes),
    /// Puts the value behind all that were appended under this prefix by earlier commits: the key is the prefix, the commit's sequence
    /// number (8 bytes) and the write's place in the commit (4 bytes). So the rows of a prefix lie in the order of their commits, and
    /// those who append don't hinder one another.
    Append(Bytes, Bytes),
    Delete(Bytes),
    DeleteRange(KeyRange),
    /// Adds to a counter, which begins with zeros where there is no such row.
    Add(Bytes, Sums),
}

/// All or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    pub checks: Vec<Check>,
    pub writes: Vec<Write>,
}

/// The store itself failed. Nothing of the commit is visible, now or after a restart, unless it says so.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    #[error("the metadata store failed: {0}")]
    Failed(String),
    /// The writer has stopped: the process is shutting down or an earlier write failed.
    #[error("the metadata store is closed")]
    Closed,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// A check did not hold; read again and decide again.
    #[error("another commit came first")]
    Conflict,
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[async_trait]
pub trait Store: Send + Sync + 'static {
    async fn get(&self, key: &[u8]) -> Result<Option<Versioned>, StoreError>;

    /// At most `limit` rows of the range, in the direction asked for.
    async fn scan(&self, range: KeyRange, limit: usize, direction: Direction) -> Result<Vec<Row>, StoreError>;

    /// Shows the range's rows to `visit`, ascending, until it stops; nothing is copied where the store can do without. One that reads
    /// snapshots reads one moment, and holds it no longer than this call.
    async fn walk(&self, range: KeyRange, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        walk::by_scans(self, range, visit).await
    }

    /// Makes the commit durable and answers its sequence number, which is now the version of every row it put.
    async fn commit(&self, commit: Commit) -> Result<Version, CommitError>;
}
