//! Reads: each within a snapshot of its own that ends with the call. One held open would keep the writer from reusing old pages.

use ::redb::{AccessGuard, Database, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageError};
use bytes::Bytes;

use super::{ROWS, unpack};
use crate::{Direction, KeyRange, Row, RowRef, Step, Versioned, Visit};

type Found = Result<(AccessGuard<'static, &'static [u8]>, AccessGuard<'static, &'static [u8]>), StorageError>;
type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;

fn rows(database: &Database) -> Result<Rows, ::redb::Error> {
    Ok(database.begin_read()?.open_table(ROWS)?)
}

pub(super) fn get(database: &Database, key: &[u8]) -> Result<Option<Versioned>, ::redb::Error> {
    let rows = rows(database)?;
    // Not the table's own `get`: what that returns doesn't keep the snapshot, and the writer may free the page that is being read.
    let stored = ReadableTable::get(&rows, key)?;
    stored.map(|stored| unpack(stored.value()).map(versioned)).transpose()
}

pub(super) fn scan(database: &Database, range: &KeyRange, limit: usize, direction: Direction) -> Result<Vec<Row>, ::redb::Error> {
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let found = rows(database)?.range::<&[u8]>(range.as_slices())?;
    match direction {
        Direction::Ascending => found.take(limit).map(row).collect(),
        Direction::Descending => found.rev().take(limit).map(row).collect(),
    }
}

pub(super) fn walk(database: &Database, mut range: KeyRange, visit: &mut Visit<'_>) -> Result<(), ::redb::Error> {
    let rows = rows(database)?;
    while !range.is_empty() {
        match show(&rows, &range, visit)? {
            Some(leap) => range = range.starting_at(leap),
            None => return Ok(()),
        }
    }
    Ok(())
}

/// Shows rows until the end of the range, or until the visit stops, or leaps: where to.
fn show(rows: &Rows, range: &KeyRange, visit: &mut Visit<'_>) -> Result<Option<Bytes>, ::redb::Error> {
    for found in rows.range::<&[u8]>(range.as_slices())? {
        let (key, stored) = found?;
        let (version, value) = unpack(stored.value())?;
        match visit(RowRef { key: key.value(), value, version }) {
            Step::Leap(to) if to.as_ref() > key.value() => return Ok(Some(to)),
            Step::Next | Step::Leap(_) => {}
            Step::Stop => return Ok(None),
        }
    }
    Ok(None)
}

fn row(found: Found) -> Result<Row, ::redb::Error> {
    let (key, stored) = found?;
    let Versioned { value, version } = unpack(stored.value()).map(versioned)?;
    Ok(Row { key: Bytes::copy_from_slice(key.value()), value, version })
}

fn versioned((version, value): (u64, &[u8])) -> Versioned {
    Versioned { value: Bytes::copy_from_slice(value), version }
}
