//! Walking: rows shown one after another where they lie, with leaps over those that aren't wanted.

use bytes::Bytes;

use crate::limits::{WALK_ROWS_AFTER_LEAP, WALK_ROWS_FIRST, WALK_ROWS_MAX};
use crate::{Direction, KeyRange, Row, Store, StoreError, Version};

/// A row as a walk shows it, borrowed for as long as the visit lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowRef<'a> {
    pub key: &'a [u8],
    pub value: &'a [u8],
    pub version: Version,
}

/// Where a walk goes on after a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Next,
    /// To the first row at or behind this key. A walk never goes back: a key that isn't ahead is as `Next`.
    Leap(Bytes),
    Stop,
}

/// Who is shown the rows. It runs where the store reads: it must be quick, and stop by itself.
pub type Visit<'v> = dyn FnMut(RowRef<'_>) -> Step + Send + 'v;

impl Row {
    pub(crate) fn borrowed(&self) -> RowRef<'_> {
        RowRef { key: &self.key, value: &self.value, version: self.version }
    }
}

/// A walk by scans, for a store that has nothing better: each scan is a moment of its own.
pub(crate) async fn by_scans<S: Store + ?Sized>(store: &S, mut range: KeyRange, visit: &mut Visit<'_>) -> Result<(), StoreError> {
    let mut batch = WALK_ROWS_FIRST;
    while !range.is_empty() {
        let rows = store.scan(range.clone(), batch, Direction::Ascending).await?;
        let Some(leap) = show(&rows, visit) else { return Ok(()) };
        let Some(last) = rows.last().filter(|_| rows.len() == batch) else { return Ok(()) };
        (range, batch) = match leap.filter(|to| *to > last.key) {
            Some(to) => (range.starting_at(to), WALK_ROWS_AFTER_LEAP),
            None => (range.starting_after(last.key.clone()), (batch * 2).min(WALK_ROWS_MAX)),
        };
    }
    Ok(())
}

/// Shows rows that were read; `None` once the visit stops, else the last leap that was asked for.
fn show(rows: &[Row], visit: &mut Visit<'_>) -> Option<Option<Bytes>> {
    let mut leap: Option<Bytes> = None;
    for row in rows {
        if leap.as_ref().is_some_and(|to| row.key < *to) {
            continue;
        }
        match visit(row.borrowed()) {
            Step::Next => {}
            Step::Leap(to) => leap = Some(to),
            Step::Stop => return None,
        }
    }
    Some(leap)
}
