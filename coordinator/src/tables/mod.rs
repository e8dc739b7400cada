//! The rows behind [`crate::keyspace`], and reading and writing them by name.

mod donors;
mod segments;

pub(crate) use donors::{Kept, NodeRow, StandingRow};
pub(crate) use segments::{DoomedRow, HoldingRow, MendRow, Place, ReleaseRow, SegmentRow};

use bytes::Bytes;
use nodio_meta::row::{self, Record};
use nodio_meta::{Check, Commit, Direction, KeyRange, Row, Store, StoreError, Version, Write};
use nodio_wire::SegmentId;

pub(crate) fn decode<R: Record>(bytes: &[u8]) -> Result<R, StoreError> {
    Ok(row::decode(bytes)?)
}

/// A row that a pass over many has met; `None`, and a word in the log, if it can't be read: those behind it must not wait for it.
pub(crate) fn legible<R: Record>(key: &Bytes, value: &[u8]) -> Option<R> {
    let read = decode(value);
    read.inspect_err(|error| tracing::error!(row = %key.escape_ascii(), %error, "a row can't be read: passed over")).ok()
}

/// A row with the version to check when it is written again.
#[derive(Debug, Clone)]
pub(crate) struct Held<R> {
    pub row: R,
    pub version: Version,
}

pub(crate) async fn read<R: Record>(store: &dyn Store, key: &Bytes) -> Result<Option<Held<R>>, StoreError> {
    let found = store.get(key).await?;
    found.map(|held| Ok(Held { row: decode(&held.value)?, version: held.version })).transpose()
}

pub(crate) async fn read_segment(store: &dyn Store, id: &SegmentId) -> Result<Option<Held<SegmentRow>>, StoreError> {
    read(store, &crate::keyspace::segment(id)).await
}

/// The next page of a walk, and the range that is left behind it, if any row may be.
pub(crate) async fn page(store: &dyn Store, range: KeyRange, limit: usize) -> Result<(Vec<Row>, Option<KeyRange>), StoreError> {
    let rows = store.scan(range.clone(), limit, Direction::Ascending).await?;
    let rest = match rows.last() {
        Some(last) if rows.len() >= limit => Some(crate::keyspace::after(range, &last.key)),
        _ => None,
    };
    Ok((rows, rest))
}

pub(crate) async fn any_row(store: &dyn Store, range: KeyRange) -> Result<bool, StoreError> {
    Ok(!store.scan(range, 1, Direction::Ascending).await?.is_empty())
}

/// A commit being put together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    commit: Commit,
}

impl Batch {
    pub(crate) fn at(&mut self, key: Bytes, version: Version) {
        self.commit.checks.push(Check::At(key, version));
    }

    pub(crate) fn absent(&mut self, key: Bytes) {
        self.commit.checks.push(Check::Absent(key));
    }

    pub(crate) fn empty(&mut self, range: KeyRange) {
        self.commit.checks.push(Check::Empty(range));
    }

    pub(crate) fn put<R: Record>(&mut self, key: Bytes, record: &R) {
        self.commit.writes.push(Write::Put(key, row::encode(record)));
    }

    pub(crate) fn delete(&mut self, key: Bytes) {
        self.commit.writes.push(Write::Delete(key));
    }

    pub(crate) fn writes_nothing(&self) -> bool {
        self.commit.writes.is_empty()
    }

    pub(crate) fn into_commit(self) -> Commit {
        self.commit
    }
}
