//! A walk over rows that are ordered by object key, with S3's prefix and delimiter: the engine of every listing.
//!
//! ```text
//!   a/1  b/1 b/2 b/3 ..  b2        delimiter "/"
//!   │    │               │
//!   a/   b/ ── one leap ─▶ b2      keys that share a common prefix are one entry, and so are the rows of one key
//! ```
//! Promises: a page is of one moment where the store reads snapshots; what it costs grows with its entries, not with the keys before it
//! or under its common prefixes; rows that are passed over are bounded too ([`PASSED_ROWS_MAX`]): a page may end early and say where to go on.

use std::ops::Bound;

use bytes::Bytes;
use nodio_meta::{KeyRange, RowRef, Step, Store};

use super::{TableError, escape};
use crate::names::ObjectKey;

/// Rows of one page that lead to no entry: delete markers, older versions.
pub(super) const PASSED_ROWS_MAX: usize = 10_000;
/// Rows of one key after which the rest of them is leapt over. A leap costs as much as a few rows.
const OLDER_ROWS_READ: usize = 4;

/// How far a listing has come: the last thing listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Marker {
    /// Goes on after this key; need not exist.
    Key(String),
    /// Goes on after every key that begins with this common prefix.
    CommonPrefix(String),
}

impl Marker {
    /// A client's `marker` or `key-marker`, which may be the common prefix that an earlier page ended with.
    pub(crate) fn of_client(marker: &str, prefix: &str, delimiter: &str) -> Self {
        match marker.strip_prefix(prefix).and_then(|rest| past_delimiter(rest, delimiter)) {
            Some(end) if prefix.len() + end == marker.len() => Self::CommonPrefix(marker.to_owned()),
            _ => Self::Key(marker.to_owned()),
        }
    }

    /// The text that S3 gives as the next marker.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Key(text) | Self::CommonPrefix(text) => text,
        }
    }
}

/// Where the first delimiter ends; an empty one is none.
fn past_delimiter(text: &str, delimiter: &str) -> Option<usize> {
    let at = if delimiter.is_empty() { None } else { text.find(delimiter) };
    at.map(|at| at + delimiter.len())
}

/// Where a walk begins.
pub(super) enum Start {
    First,
    After(Marker),
    /// After this row of this key.
    AfterRow(String, Vec<u8>),
}

/// Which rows of a key a walk is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    Each,
    /// The newest version.
    First,
}

pub(super) struct Walk<'a> {
    /// What all rows begin with, before their escaped keys.
    pub(super) space: Vec<u8>,
    pub(super) prefix: &'a str,
    /// Empty is none.
    pub(super) delimiter: &'a str,
    pub(super) rows: Rows,
    /// Entries, items and common prefixes together.
    pub(super) limit: usize,
}

/// Items and common prefixes, each ascending.
pub(super) struct Walked<T> {
    pub(super) items: Vec<(ObjectKey, T)>,
    pub(super) prefixes: Vec<String>,
    /// Where to go on, if there is, or may be, more.
    pub(super) next: Option<Marker>,
}

impl Walk<'_> {
    /// Walks from `start`. `take` sees the values of rows and makes an item of each, or passes it over.
    pub(super) async fn run<T: Send>(
        &self,
        store: &dyn Store,
        start: Start,
        take: impl FnMut(&[u8]) -> Result<Option<T>, TableError> + Send,
    ) -> Result<Walked<T>, TableError> {
        let mut visitor = Visitor::new(self, take);
        if self.limit > 0 {
            store.walk(self.range(start), &mut |row| visitor.visit(row)).await?;
        }
        match visitor.fault {
            Some(fault) => Err(fault),
            None => Ok(visitor.walked),
        }
    }

    fn range(&self, start: Start) -> KeyRange {
        let all = KeyRange::prefix(&self.open(self.prefix));
        match start {
            Start::First => all,
            Start::After(Marker::Key(key)) => {
                let mut past = self.space.clone();
                escape::push_past(&mut past, key.as_bytes());
                all.starting_at(past)
            }
            Start::After(Marker::CommonPrefix(prefix)) => match behind(&self.open(&prefix)) {
                Some(next) => all.starting_at(next),
                None => KeyRange { end: all.start.clone(), ..all },
            },
            Start::AfterRow(key, suffix) => {
                let mut row = self.space.clone();
                escape::push(&mut row, key.as_bytes());
                row.extend_from_slice(&suffix);
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

    /// How much of the key is its common prefix, if it is in one.
    fn common_prefix(&self, key: &str) -> Option<usize> {
        past_delimiter(&key[self.prefix.len()..], self.delimiter).map(|end| self.prefix.len() + end)
    }
}

/// The first key behind all that begin with `prefix`.
fn behind(prefix: &[u8]) -> Option<Bytes> {
    match KeyRange::prefix(prefix).end {
        Bound::Excluded(next) | Bound::Included(next) => Some(next),
        Bound::Unbounded => None,
    }
}

/// What a walk remembers from row to row.
struct Visitor<'w, T, F> {
    walk: &'w Walk<'w>,
    take: F,
    walked: Walked<T>,
    /// The last entry is a common prefix.
    in_prefix: bool,
    /// Of the last row: its key, and what all rows of that key begin with.
    key: Vec<u8>,
    stem: Vec<u8>,
    /// Rows of the last key after its first.
    older: usize,
    passed: usize,
    fault: Option<TableError>,
}

impl<'w, T, F: FnMut(&[u8]) -> Result<Option<T>, TableError>> Visitor<'w, T, F> {
    fn new(walk: &'w Walk<'w>, take: F) -> Self {
        let walked = Walked { items: Vec::new(), prefixes: Vec::new(), next: None };
        let (key, stem) = (Vec::new(), Vec::new());
        Self { walk, take, walked, in_prefix: false, key, stem, older: 0, passed: 0, fault: None }
    }

    fn visit(&mut self, row: RowRef<'_>) -> Step {
        self.step(row).unwrap_or_else(|fault| {
            self.fault = Some(fault);
            Step::Stop
        })
    }

    fn step(&mut self, row: RowRef<'_>) -> Result<Step, TableError> {
        let older = !self.stem.is_empty() && row.key.starts_with(&self.stem);
        if older && self.walk.rows == Rows::First {
            self.older += 1;
            return Ok(self.pass());
        }
        self.enter(row.key)?;
        match (self.take)(row.value)? {
            None => Ok(self.pass()),
            Some(_) if self.walked.items.len() + self.walked.prefixes.len() == self.walk.limit => {
                self.walked.next = self.last();
                Ok(Step::Stop)
            }
            Some(item) => self.add(item),
        }
    }

    /// Takes a row's key apart.
    fn enter(&mut self, row_key: &[u8]) -> Result<(), TableError> {
        let suffix = row_key.get(self.walk.space.len()..).and_then(|escaped| escape::split_into(escaped, &mut self.key));
        let suffix = suffix.ok_or_else(|| malformed(row_key))?;
        self.stem.clear();
        self.stem.extend_from_slice(&row_key[..row_key.len() - suffix.len()]);
        self.older = 0;
        Ok(())
    }

    fn add(&mut self, item: T) -> Result<Step, TableError> {
        let key = std::str::from_utf8(&self.key).map_err(|_| malformed(&self.stem))?;
        let common = self.walk.common_prefix(key);
        self.in_prefix = common.is_some();
        if let Some(end) = common {
            let leap = behind(&self.walk.open(&key[..end]));
            self.walked.prefixes.push(key[..end].to_owned());
            return Ok(leap.map_or(Step::Stop, Step::Leap));
        }
        let key = ObjectKey::parse(key).map_err(|_| malformed(&self.stem))?;
        self.walked.items.push((key, item));
        Ok(Step::Next)
    }

    /// Goes on without an entry for this row.
    fn pass(&mut self) -> Step {
        self.passed += 1;
        if self.passed >= PASSED_ROWS_MAX
            && let Some(here) = self.here()
        {
            self.walked.next = Some(here);
            return Step::Stop;
        }
        match self.older {
            0..OLDER_ROWS_READ => Step::Next,
            _ => behind(&self.stem).map_or(Step::Stop, Step::Leap),
        }
    }

    /// The last key as a place to go on from, unless a client that brings it back would be taken to mean a common prefix.
    fn here(&self) -> Option<Marker> {
        let key = std::str::from_utf8(&self.key).ok()?;
        let here = Marker::of_client(key, self.walk.prefix, self.walk.delimiter);
        matches!(here, Marker::Key(_)).then_some(here)
    }

    fn last(&self) -> Option<Marker> {
        match self.in_prefix {
            true => self.walked.prefixes.last().map(|prefix| Marker::CommonPrefix(prefix.clone())),
            false => self.walked.items.last().map(|(key, _)| Marker::Key(key.as_str().to_owned())),
        }
    }
}

fn malformed(row_key: &[u8]) -> TableError {
    TableError::Malformed(hex::encode(row_key))
}
