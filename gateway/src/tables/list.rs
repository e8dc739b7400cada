//! Listings of objects and of uploads, in S3's order (UTF-8 bytes), with prefix, delimiter and pages.

use nodio_meta::row::decode;

use super::walk::{Entry, Start, Walk, Walked};
use super::{TableError, Tables, keyspace};
use crate::names::{ObjectKey, UploadId};
use crate::rows::{BucketRow, ObjectRow, UploadRow};

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
        let rest = marker.strip_prefix(prefix).filter(|_| !delimiter.is_empty()).unwrap_or("");
        match rest.find(delimiter) {
            Some(at) if !rest.is_empty() && at + delimiter.len() == rest.len() => Self::CommonPrefix(marker.to_owned()),
            _ => Self::Key(marker.to_owned()),
        }
    }

    /// The text that S3 gives as the next marker.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Key(text) | Self::CommonPrefix(text) => text,
        }
    }

    fn start(self) -> Start {
        match self {
            Self::Key(key) => Start::AfterKey(key),
            Self::CommonPrefix(prefix) => Start::AfterPrefix(prefix),
        }
    }
}

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
    pub(crate) objects: Vec<(ObjectKey, ObjectRow)>,
    pub(crate) common_prefixes: Vec<String>,
    /// Where to go on, if there is more.
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
            limit: query.limit,
        };
        let start = query.after.clone().map_or(Start::First, Marker::start);
        let mut seen: Option<ObjectKey> = None;
        let walked = walk.run(&*self.store, start, |key, _, row| {
            if seen.as_ref() == Some(key) {
                return Ok(None);
            }
            seen = Some(key.clone());
            let row: ObjectRow = decode(&row.value)?;
            Ok(row.live().is_some().then_some(row))
        });
        let Sorted { items: objects, prefixes: common_prefixes, last } = sorted_out(walked.await?);
        let next = last.map(|last| match last {
            Last::Item(key, _) => Marker::Key(key.as_str().to_owned()),
            Last::CommonPrefix(prefix) => Marker::CommonPrefix(prefix),
        });
        Ok(ListPage { objects, common_prefixes, next })
    }

    pub(crate) async fn list_uploads(&self, bucket: &BucketRow, query: &UploadQuery) -> Result<UploadPage, TableError> {
        let walk = Walk {
            space: keyspace::uploads(bucket.id),
            prefix: &query.prefix,
            delimiter: query.delimiter.as_deref().unwrap_or(""),
            limit: query.limit,
        };
        let start = match (query.after.clone(), query.after_upload) {
            (Some(Marker::Key(key)), Some(upload)) => Start::AfterRow(key, upload.0.0.to_vec()),
            (Some(marker), _) => marker.start(),
            (None, _) => Start::First,
        };
        let walked = walk.run(&*self.store, start, |_, _, row| Ok(Some(decode::<UploadRow>(&row.value)?))).await?;
        let Sorted { items: uploads, prefixes: common_prefixes, last } = sorted_out(walked);
        let next = last.map(|last| match last {
            Last::Item(key, row) => (Marker::Key(key.as_str().to_owned()), Some(UploadId(row.uid))),
            Last::CommonPrefix(prefix) => (Marker::CommonPrefix(prefix), None),
        });
        Ok(UploadPage { uploads, common_prefixes, next })
    }
}

enum Last<T> {
    Item(ObjectKey, T),
    CommonPrefix(String),
}

struct Sorted<T> {
    items: Vec<(ObjectKey, T)>,
    prefixes: Vec<String>,
    /// The last entry, if there is more behind it.
    last: Option<Last<T>>,
}

fn sorted_out<T: Clone>(walked: Walked<T>) -> Sorted<T> {
    let last = walked.entries.last().filter(|_| walked.more).map(|entry| match entry {
        Entry::Item(key, item) => Last::Item(key.clone(), item.clone()),
        Entry::CommonPrefix(prefix) => Last::CommonPrefix(prefix.clone()),
    });
    let (mut items, mut prefixes) = (Vec::new(), Vec::new());
    for entry in walked.entries {
        match entry {
            Entry::Item(key, item) => items.push((key, item)),
            Entry::CommonPrefix(prefix) => prefixes.push(prefix),
        }
    }
    Sorted { items, prefixes, last }
}
