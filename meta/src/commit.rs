//! Putting a commit together: `Commit::new().check_absent(key.clone()).put(key, value)`.

use bytes::Bytes;

use crate::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use crate::{Check, Commit, KeyRange, StoreError, Sums, Version, Versioned, Write};

impl Commit {
    pub fn new() -> Self {
        Self::default()
    }

    /// Holds only if the row was last written at `version`.
    #[must_use]
    pub fn check_at(self, key: impl Into<Bytes>, version: Version) -> Self {
        self.check(Check::At(key.into(), version))
    }

    /// Holds only if there is no such row.
    #[must_use]
    pub fn check_absent(self, key: impl Into<Bytes>) -> Self {
        self.check(Check::Absent(key.into()))
    }

    /// Holds only if the row is as it was read: at the same version, or still absent.
    #[must_use]
    pub fn check_unchanged(self, key: impl Into<Bytes>, read: Option<&Versioned>) -> Self {
        match read {
            Some(row) => self.check_at(key, row.version),
            None => self.check_absent(key),
        }
    }

    /// Holds only if there is no row in the range.
    #[must_use]
    pub fn check_empty(self, range: KeyRange) -> Self {
        self.check(Check::Empty(range))
    }

    /// Holds only if the counter is within both limits.
    #[must_use]
    pub fn check_at_most(self, key: impl Into<Bytes>, max: Sums) -> Self {
        self.check(Check::AtMost(key.into(), max))
    }

    #[must_use]
    pub fn put(self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        self.write(Write::Put(key.into(), value.into()))
    }

    /// Behind all that earlier commits appended under the prefix.
    #[must_use]
    pub fn append(self, prefix: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        self.write(Write::Append(prefix.into(), value.into()))
    }

    /// No row there is no error.
    #[must_use]
    pub fn delete(self, key: impl Into<Bytes>) -> Self {
        self.write(Write::Delete(key.into()))
    }

    /// Time and transaction size grow with the rows in the range: cut a large one into several commits.
    #[must_use]
    pub fn delete_range(self, range: KeyRange) -> Self {
        self.write(Write::DeleteRange(range))
    }

    /// Adds to a counter, whatever others add to it.
    #[must_use]
    pub fn add(self, key: impl Into<Bytes>, amounts: Sums) -> Self {
        self.write(Write::Add(key.into(), amounts))
    }

    /// All checks and writes of both, in one.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.checks.extend(other.checks);
        self.writes.extend(other.writes);
        self
    }

    fn check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// Refuses rows longer than any table writes, before they can fail the transaction that other commits share.
    pub(crate) fn check_lengths(&self) -> Result<(), StoreError> {
        let too_long = |write: &Write| match write {
            Write::Put(key, value) => key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX,
            Write::Append(prefix, value) => prefix.len() + APPENDED_BYTES > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX,
            Write::Add(key, _) => key.len() > KEY_BYTES_MAX,
            Write::Delete(_) | Write::DeleteRange(_) => false,
        };
        match self.writes.iter().any(too_long) {
            true => Err(StoreError::Failed("a row is too long to be stored".to_owned())),
            false => Ok(()),
        }
    }

    /// Bytes of keys and values to be written.
    pub(crate) fn bytes(&self) -> usize {
        let size = |write: &Write| match write {
            Write::Put(key, value) | Write::Append(key, value) => key.len() + value.len(),
            Write::Delete(key) => key.len(),
            Write::DeleteRange(_) => 0,
            Write::Add(key, _) => key.len() + Sums::BYTES,
        };
        self.writes.iter().map(size).sum()
    }
}

/// What [`Write::Append`] adds to its prefix.
const APPENDED_BYTES: usize = 8 + 4;

/// The key of what is appended.
pub(crate) fn appended_key(prefix: &[u8], version: Version, place: usize) -> Vec<u8> {
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    [prefix, &version.to_be_bytes(), &place.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_keeps_the_order_it_was_put_together_in() {
        let row = Versioned { value: Bytes::new(), version: 7 };
        let commit =
            Commit::new().check_at("a", 1).check_absent("b").check_empty(KeyRange::all()).put("c", "value").delete("d").and(
                Commit::new().check_unchanged("e", Some(&row)).check_unchanged("f", None).delete_range(KeyRange::prefix(b"g")),
            );
        assert_eq!(
            commit.checks,
            [
                Check::At("a".into(), 1),
                Check::Absent("b".into()),
                Check::Empty(KeyRange::all()),
                Check::At("e".into(), 7),
                Check::Absent("f".into())
            ]
        );
        assert_eq!(
            commit.writes,
            [Write::Put("c".into(), "value".into()), Write::Delete("d".into()), Write::DeleteRange(KeyRange::prefix(b"g"))]
        );
        assert_eq!(commit.bytes(), 7);
    }
}
