//! A commit being put together.

use bytes::Bytes;
use nodio_meta::row::{Record, encode};
use nodio_meta::{Check, Commit, KeyRange, Version, Write};

/// Checks and writes gathered while rows are read.
#[derive(Default)]
pub(super) struct Plan {
    commit: Commit,
}

impl Plan {
    /// The row must still be the one that was read.
    pub(super) fn at(&mut self, key: Bytes, version: Version) {
        self.commit.checks.push(Check::At(key, version));
    }

    pub(super) fn absent(&mut self, key: Bytes) {
        self.commit.checks.push(Check::Absent(key));
    }

    pub(super) fn empty(&mut self, range: KeyRange) {
        self.commit.checks.push(Check::Empty(range));
    }

    pub(super) fn put<R: Record>(&mut self, key: Bytes, row: &R) {
        self.put_bytes(key, encode(row));
    }

    pub(super) fn put_bytes(&mut self, key: Bytes, value: Bytes) {
        self.commit.writes.push(Write::Put(key, value));
    }

    pub(super) fn delete(&mut self, key: Bytes) {
        self.commit.writes.push(Write::Delete(key));
    }

    pub(super) fn delete_range(&mut self, range: KeyRange) {
        self.commit.writes.push(Write::DeleteRange(range));
    }

    pub(super) fn into_commit(self) -> Commit {
        self.commit
    }
}
