//! What a bucket holds: every version with its parts, page by page, for those who look after the bytes rather than the names.
//!
//! A walk is no snapshot: what comes or goes while it runs may be seen or not.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use nodio_meta::row::decode;
use nodio_meta::{Direction, KeyRange, Row};
use nodio_wire::{PartId, UnixMs};

use super::{TableError, Tables, escape, keyspace};
use crate::names::{BucketName, ObjectKey};
use crate::rows::{BucketRow, ObjectRow, PartRef};

const LOOKUPS_AHEAD: usize = 32;
/// Pending releases counted in one scan.
const SCAN_ROWS: usize = 1000;

/// Which objects of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Which {
    /// All keys that begin so; empty is every key.
    Prefix(String),
    Key(ObjectKey),
}

/// Where a page ended: the last row's key within its bucket. Opaque to those who hand it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowPlace(pub(crate) Vec<u8>);

/// One version of an object, and its parts ascending by number.
#[derive(Debug, Clone)]
pub(crate) struct Holding {
    pub(crate) key: ObjectKey,
    pub(crate) newest: bool,
    pub(crate) row: ObjectRow,
    pub(crate) parts: Vec<PartRef>,
}

#[derive(Debug, Clone)]
pub(crate) struct HoldingPage {
    /// By key, of one key newest first; delete markers too.
    pub(crate) holdings: Vec<Holding>,
    /// Where to go on, if there may be more.
    pub(crate) next: Option<RowPlace>,
}

/// Bounds of one page. It ends behind the version that brought it to either.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageLimit {
    pub(crate) versions: usize,
    pub(crate) parts: usize,
}

/// Parts whose last name is gone and that wait to be released on the donors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) parts: u64,
    /// There are more than were counted.
    pub(crate) more: bool,
    /// When the first of them lost its last name.
    pub(crate) oldest: Option<UnixMs>,
}

impl Tables {
    /// All versions of the objects asked for, after `after`.
    pub(crate) async fn holdings(
        &self,
        bucket: &BucketRow,
        which: &Which,
        after: Option<&RowPlace>,
        limit: PageLimit,
    ) -> Result<HoldingPage, TableError> {
        let space = keyspace::objects(bucket.id);
        let rows = self.store.scan(range(bucket, which, after), limit.versions, Direction::Ascending).await?;
        let full = rows.len() == limit.versions;
        let mut before = after.and_then(|place| escape::split(&place.0)).map(|(key, _)| key);
        let (mut holdings, mut parts, mut last) = (Vec::new(), 0, None);
        for (index, row) in rows.iter().enumerate() {
            let key = key_of(row, space.len())?;
            let newest = before.as_deref() != Some(key.as_bytes());
            before = Some(key.as_bytes().to_vec());
            if let Some(holding) = self.holding(key, newest, row).await? {
                parts += holding.parts.len();
                holdings.push(holding);
            }
            let more_rows = full || index + 1 < rows.len();
            last = more_rows.then(|| RowPlace(row.key[space.len()..].to_vec()));
            if parts >= limit.parts {
                break;
            }
        }
        Ok(HoldingPage { holdings, next: last })
    }

    /// `None` where the version was replaced since its row was read.
    async fn holding(&self, key: ObjectKey, newest: bool, row: &Row) -> Result<Option<Holding>, TableError> {
        let row: ObjectRow = decode(&row.value)?;
        match self.parts(&row).await {
            Ok(parts) => Ok(Some(Holding { key, newest, row, parts })),
            Err(TableError::Vanished) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Buckets of all owners by name, after `after`, at most `limit`.
    pub(crate) async fn all_buckets(&self, after: Option<&BucketName>, limit: usize) -> Result<Vec<BucketRow>, TableError> {
        let mut range = KeyRange::prefix(keyspace::BUCKETS);
        if let Some(after) = after {
            range = range.starting_after(keyspace::bucket(after));
        }
        let rows = self.store.scan(range, limit, Direction::Ascending).await?;
        rows.iter().map(|row| Ok(decode(&row.value)?)).collect()
    }

    /// Those of the parts that more than one object or upload names.
    pub(crate) async fn shared(&self, parts: &[PartId]) -> Result<Vec<PartId>, TableError> {
        let lookups = stream::iter(parts.to_vec()).map(|part| self.if_shared(part)).buffered(LOOKUPS_AHEAD);
        let found: Vec<_> = lookups.try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn if_shared(&self, part: PartId) -> Result<Option<PartId>, TableError> {
        let range = KeyRange::prefix(&keyspace::references(part));
        let names = self.store.scan(range, 2, Direction::Ascending).await?.len();
        Ok((names > 1).then_some(part))
    }

    /// Counts the parts that wait to be released, up to `limit`.
    pub(crate) async fn waiting(&self, limit: u64) -> Result<Waiting, TableError> {
        let mut waiting = Waiting::default();
        let mut range = keyspace::pending_before(UnixMs::MAX);
        while waiting.parts < limit {
            let rows = self.store.scan(range.clone(), SCAN_ROWS, Direction::Ascending).await?;
            let first = rows.first().and_then(|row| keyspace::pending_of(&row.key)).map(|(since, _)| since);
            waiting.oldest = waiting.oldest.or(first);
            waiting.parts += rows.len() as u64;
            match rows.last() {
                Some(last) if rows.len() == SCAN_ROWS => range = range.starting_after(last.key.clone()),
                _ => return Ok(waiting),
            }
        }
        Ok(Waiting { more: true, ..waiting })
    }
}

pub(super) fn range(bucket: &BucketRow, which: &Which, after: Option<&RowPlace>) -> KeyRange {
    let space = keyspace::objects(bucket.id);
    let all = match which {
        Which::Key(key) => KeyRange::prefix(&keyspace::versions(bucket.id, key)),
        Which::Prefix(prefix) => {
            let mut open = space.clone();
            escape::push_open(&mut open, prefix.as_bytes());
            KeyRange::prefix(&open)
        }
    };
    match after {
        Some(place) => all.starting_after(Bytes::from([space, place.0.clone()].concat())),
        None => all,
    }
}

pub(super) fn key_of(row: &Row, space_len: usize) -> Result<ObjectKey, TableError> {
    let malformed = || TableError::Malformed(hex::encode(&row.key));
    let (key, _) = row.key.get(space_len..).and_then(escape::split).ok_or_else(malformed)?;
    String::from_utf8(key).ok().and_then(|key| ObjectKey::parse(&key).ok()).ok_or_else(malformed)
}
