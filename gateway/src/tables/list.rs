//! Listings of objects and of uploads, in S3's order (UTF-8 bytes), with prefix, delimiter and pages.

use nodio_meta::row::decode;

use super::walk::{Marker, Rows, Start, Walk};
use super::{TableError, Tables, keyspace};
use crate::names::{ObjectKey, UploadId};
use crate::rows::{BucketRow, ListedObject, UploadRow};

#[derive(Debug, Clone, Default)]
pub(crate) struct ListQuery {
    pub(crate) prefix: String,
    /// `None` or empty: no common prefixes.
    pub(crate) delimiter: Option<String>,
    pub(crate) after: Option<Marker>,
    /// Objects and common prefixes together. 0 gives an empty page that says there is no more.
    pub(crate) limit: usize,
}

/// Objects and common prefixes, each ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListPage {
    /// Each key's newest version, if that is no delete marker.
    pub(crate) objects: Vec<(ObjectKey, ListedObject)>,
    pub(crate) common_prefixes: Vec<String>,
    /// Where to go on, if there is more. A page that passed over many delete markers may have less than asked for, and more behind it.
    pub(crate) next: Option<Marker>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct UploadQuery {
    pub(crate) prefix: String,
    pub(crate) delimiter: Option<String>,
    pub(crate) after: Option<Marker>,
    /// With `Marker::Key`: also the uploads of that very key after this one.
    pub(crate) after_upload: Option<UploadId>,
    pub(crate) limit: usize,
}

/// Uploads by key and, of one key, in the order they began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UploadPage {
    pub(crate) uploads: Vec<(ObjectKey, UploadRow)>,
    pub(crate) common_prefixes: Vec<String>,
    /// Where to go on, if there is more; the upload id goes with a key.
    pub(crate) next: Option<(Marker, Option<UploadId>)>,
}

impl Tables {
    pub(crate) async fn list_objects(&self, bucket: &BucketRow, query: &ListQuery) -> Result<ListPage, TableError> {
        let walk = Walk {
            space: keyspace::objects(bucket.id),
            prefix: &query.prefix,
            delimiter: query.delimiter.as_deref().unwrap_or(""),
            rows: Rows::First,
            limit: query.limit,
        };
        let start = query.after.clone().map_or(Start::First, Start::After);
        let walked = walk.run(&*self.store, start, |value| Ok(ListedObject::read(value)?)).await?;
        Ok(ListPage { objects: walked.items, common_prefixes: walked.prefixes, next: walked.next })
    }

    pub(crate) async fn list_uploads(&self, bucket: &BucketRow, query: &UploadQuery) -> Result<UploadPage, TableError> {
        let walk = Walk {
            space: keyspace::uploads(bucket.id),
            prefix: &query.prefix,
            delimiter: query.delimiter.as_deref().unwrap_or(""),
            rows: Rows::Each,
            limit: query.limit,
        };
        let start = match (query.after.clone(), query.after_upload) {
            (Some(Marker::Key(key)), Some(upload)) => Start::AfterRow(key, upload.0.0.to_vec()),
            (Some(marker), _) => Start::After(marker),
            (None, _) => Start::First,
        };
        let walked = walk.run(&*self.store, start, |value| Ok(Some(decode::<UploadRow>(value)?))).await?;
        let last_upload = walked.items.last().map(|(_, row)| UploadId(row.uid));
        let next = walked.next.map(|marker| match marker {
            Marker::Key(_) => (marker, last_upload),
            Marker::CommonPrefix(_) => (marker, None),
        });
        Ok(UploadPage { uploads: walked.items, common_prefixes: walked.prefixes, next })
    }
}
