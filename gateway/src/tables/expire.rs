//! What lifecycle rules need of the tables: every version with its row, and deletes of exactly what was seen.

use nodio_meta::row::decode;
use nodio_meta::{Direction, Outcome};
use nodio_wire::UnixMs;

use super::holdings::{key_of, range};
use super::{Deleted, Precondition, RowPlace, TableError, Tables, Which, keyspace};
use crate::names::{ObjectKey, ObjectUid, VersionId};
use crate::rows::{BucketRow, ObjectRow, Versioning};

/// One version, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct VersionRow {
    pub(crate) key: ObjectKey,
    pub(crate) row: ObjectRow,
    pub(crate) place: RowPlace,
}

impl Tables {
    /// Versions by key and, of one key, the newest first, after `after`, at most `limit`; delete markers too.
    pub(crate) async fn version_rows(
        &self,
        bucket: &BucketRow,
        after: Option<&RowPlace>,
        limit: usize,
    ) -> Result<Vec<VersionRow>, TableError> {
        let space = keyspace::objects(bucket.id).len();
        let all = Which::Prefix(String::new());
        let rows = self.store.scan(range(bucket, &all, after), limit, Direction::Ascending).await?;
        let version = |row: &nodio_meta::Row| {
            let place = RowPlace(row.key[space..].to_vec());
            Ok(VersionRow { key: key_of(row, space)?, row: decode(&row.value)?, place })
        };
        rows.iter().map(version).collect()
    }

    /// Does what a client's delete does, of the newest version or of the one named, but only while that is still the write that was seen.
    ///
    /// # Errors
    /// As [`Tables::delete_object`].
    pub(crate) async fn delete_seen(
        &self,
        bucket: &BucketRow,
        key: &ObjectKey,
        version: Option<VersionId>,
        seen: ObjectUid,
        now: UnixMs,
    ) -> Result<Deleted, TableError> {
        let plain = Precondition::default();
        self.change(|| async {
            let slot = self.slot(bucket, key).await?;
            let there = match version {
                None => slot.newest.clone(),
                Some(version) => self.version_in(&slot, version).await?,
            };
            if there.is_none_or(|there| there.row.uid != seen) {
                return Ok(Outcome::Done(Deleted { existed: false, delete_marker: false, version }));
            }
            match (version, slot.bucket.versioning) {
                (None, Versioning::Enabled | Versioning::Suspended) => self.delete_by_marker(&slot, now).await,
                (version, _) => self.delete_version(&slot, version, &plain, (now, false)).await,
            }
        })
        .await
    }
}
