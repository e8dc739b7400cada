//! Reads: each within a snapshot of its own that ends with the call. One held open would keep the writer from reusing old pages.

use ::redb::{AccessGuard, Database, ReadableDatabase, StorageError};

use super::{ROWS, unpack};
use crate::{Direction, KeyRange, Row, Versioned};

type Found = Result<(AccessGuard<'static, &'static [u8]>, AccessGuard<'static, &'static [u8]>), StorageError>;

pub(super) fn get(database: &Database, key: &[u8]) -> Result<Option<Versioned>, ::redb::Error> {
    let rows = database.begin_read()?.open_table(ROWS)?;
    rows.get(key)?.map(|stored| unpack(stored.value())).transpose()
}

pub(super) fn scan(database: &Database, range: &KeyRange, limit: usize, direction: Direction) -> Result<Vec<Row>, ::redb::Error> {
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let rows = database.begin_read()?.open_table(ROWS)?;
    let found = rows.range::<&[u8]>(range.as_slices())?;
    match direction {
        Direction::Ascending => found.take(limit).map(row).collect(),
        Direction::Descending => found.rev().take(limit).map(row).collect(),
    }
}

fn row(found: Found) -> Result<Row, ::redb::Error> {
    let (key, stored) = found?;
    let Versioned { value, version } = unpack(stored.value())?;
    Ok(Row { key: key.value().to_vec().into(), value, version })
}
