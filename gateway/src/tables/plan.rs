//! A commit being put together.

use bytes::Bytes;
use nodio_meta::row::{Record, encode};
use nodio_meta::{Check, Commit, KeyRange, Sums, Version, Write};

/// Checks and writes gathered while rows are read.
#[derive(Default)]
pub(super) struct Plan {
    commit: Commit,
    /// What the bucket holds more, bytes and objects.
    growth: Sums,
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

    /// Behind all that earlier commits appended under the prefix.
    pub(super) fn append<R: Record>(&mut self, prefix: Bytes, row: &R) {
        self.commit.writes.push(Write::Append(prefix, encode(row)));
    }

    pub(super) fn delete(&mut self, key: Bytes) {
        self.commit.writes.push(Write::Delete(key));
    }

    pub(super) fn delete_range(&mut self, range: KeyRange) {
        self.commit.writes.push(Write::DeleteRange(range));
    }

    /// The counter must be within these limits.
    pub(super) fn at_most(&mut self, counter: Bytes, limits: Sums) {
        self.commit.checks.push(Check::AtMost(counter, limits));
    }

    pub(super) fn add(&mut self, counter: Bytes, amounts: Sums) {
        self.commit.writes.push(Write::Add(counter, amounts));
    }

    /// The bucket gets this: [`Tables::booked`](super::Tables) makes a commit of the plan.
    pub(super) fn count(&mut self, comes: Sums) {
        self.growth = self.growth.plus(comes);
    }

    /// The bucket loses this.
    pub(super) fn uncount(&mut self, goes: Sums) {
        self.growth = self.growth.minus(goes);
    }

    pub(super) fn take_growth(&mut self) -> Sums {
        std::mem::take(&mut self.growth)
    }

    pub(super) fn into_commit(self) -> Commit {
        assert_eq!(self.growth, Sums::default(), "a plan that changes what a bucket holds is booked");
        self.commit
    }
}
