//! What lifecycle rules need of the tables: every version with its row.

use nodio_meta::Direction;
use nodio_meta::row::decode;

use super::holdings::{key_of, range};
use super::{RowPlace, TableError, Tables, Which, keyspace};
use crate::names::ObjectKey;
use crate::rows::{BucketRow, ObjectRow};

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
}
