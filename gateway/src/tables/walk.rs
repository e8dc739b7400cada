//! A walk over rows that are ordered by object key, with S3's prefix and delimiter: the engine of every listing.
//!
//! Keys that share a common prefix are one entry, found by one seek past them rather than by reading them all.

use std::ops::Bound;

use bytes::Bytes;
use nodio_meta::{Direction, KeyRange, Row, Store};

use super::{TableError, escape};
use crate::names::ObjectKey;

/// Rows read in one scan at most, and just after a seek, where perhaps one is wanted.
const SCAN_ROWS_MAX: usize = 1000;
const SCAN_ROWS_AFTER_SEEK: usize = 4;

/// Where a walk begins.
pub(super) enum Start {
    First,
    /// After all rows of this key.
    AfterKey(String),
    /// After all keys that begin with this.
    AfterPrefix(String),
    /// After this row of this key.
    AfterRow(String, Vec<u8>),
}

pub(super) enum Entry<T> {
    Item(ObjectKey, T),
    CommonPrefix(String),
}

pub(super) struct Walk<'a> {
    /// What all rows begin with, before their escaped keys.
    pub(super) space: Vec<u8>,
    pub(super) prefix: &'a str,
    /// Empty is none.
    pub(super) delimiter: &'a str,
    /// Entries, items and common prefixes together.
    pub(super) limit: usize,
}

pub(super) struct Walked<T> {
    pub(super) entries: Vec<Entry<T>>,
    /// There is at least one more entry.
    pub(super) more: bool,
}

impl Walk<'_> {
    /// Walks from `start`. `take` sees each row (its key, what follows the key, its value) and makes an item of it or passes it over.
    pub(super) async fn run<T>(
        &self,
        store: &dyn Store,
        start: Start,
        mut take: impl FnMut(&ObjectKey, &[u8], &Row) -> Result<Option<T>, TableError> + Send,
    ) -> Result<Walked<T>, TableError> {
        let mut walked = Walked { entries: Vec::new(), more: false };
        let mut range = self.range(&start);
        let mut batch = self.limit.saturating_add(1).clamp(2, SCAN_ROWS_MAX);
        let mut group: Option<Vec<u8>> = None;
        while self.limit > 0 && !range.is_empty() {
            let rows = store.scan(range.clone(), batch, Direction::Ascending).await?;
            for row in &rows {
                if group.as_ref().is_some_and(|group| row.key.starts_with(group)) {
                    continue;
                }
                let (key, suffix) = self.split(row)?;
                let Some(item) = take(&key, suffix, row)? else { continue };
                if walked.entries.len() == self.limit {
                    walked.more = true;
                    return Ok(walked);
                }
                let entry = self.entry(key, item);
                if let Entry::CommonPrefix(prefix) = &entry {
                    group = Some(self.open(prefix));
                }
                walked.entries.push(entry);
            }
            let Some(last) = rows.last().filter(|_| rows.len() == batch) else { break };
            (range, batch) = next_scan(range, batch, &last.key, group.as_deref());
        }
        Ok(walked)
    }

    fn range(&self, start: &Start) -> KeyRange {
        let all = KeyRange::prefix(&self.open(self.prefix));
        match start {
            Start::First => all,
            Start::AfterKey(key) => {
                let mut past = self.space.clone();
                escape::push_past(&mut past, key.as_bytes());
                all.starting_at(past)
            }
            Start::AfterPrefix(prefix) => past_all(all, &self.open(prefix)),
            Start::AfterRow(key, suffix) => {
                let mut row = self.space.clone();
                escape::push(&mut row, key.as_bytes());
                row.extend_from_slice(suffix);
                all.starting_after(row)
            }
        }
    }

    /// What the rows of all keys that begin with `prefix` begin with.
    fn open(&self, prefix: &str) -> Vec<u8> {
        let mut out = self.space.clone();
        escape::push_open(&mut out, prefix.as_bytes());
        out
    }

    fn split<'r>(&self, row: &'r Row) -> Result<(ObjectKey, &'r [u8]), TableError> {
        let malformed = || TableError::Malformed(hex::encode(&row.key));
        let (key, suffix) = row.key.get(self.space.len()..).and_then(escape::split).ok_or_else(malformed)?;
        let key = String::from_utf8(key).ok().and_then(|key| ObjectKey::parse(&key).ok()).ok_or_else(malformed)?;
        Ok((key, suffix))
    }

    fn entry<T>(&self, key: ObjectKey, item: T) -> Entry<T> {
        let rest = &key.as_str()[self.prefix.len()..];
        match rest.find(self.delimiter).filter(|_| !self.delimiter.is_empty()) {
            Some(at) => Entry::CommonPrefix(key.as_str()[..self.prefix.len() + at + self.delimiter.len()].to_owned()),
            None => Entry::Item(key, item),
        }
    }
}

/// Goes on behind the last row, or, from inside a common prefix, behind all of it.
fn next_scan(range: KeyRange, batch: usize, last: &Bytes, group: Option<&[u8]>) -> (KeyRange, usize) {
    match group.filter(|group| last.starts_with(group)) {
        Some(group) => (past_all(range, group), SCAN_ROWS_AFTER_SEEK),
        None => (range.starting_after(last.clone()), (batch * 2).min(SCAN_ROWS_MAX)),
    }
}

/// The range without all that begins with `prefix` and what comes before.
fn past_all(range: KeyRange, prefix: &[u8]) -> KeyRange {
    match KeyRange::prefix(prefix).end {
        Bound::Excluded(next) | Bound::Included(next) => range.starting_at(next),
        Bound::Unbounded => KeyRange { end: range.start.clone(), ..range },
    }
}
