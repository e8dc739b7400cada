//! Rows of buckets as they were decoded last. Every request needs its bucket's row, which seldom changes: it is read each time, and decoded
//! only when its version is another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use nodio_meta::Version;

use crate::names::BucketName;
use crate::rows::BucketRow;

/// Buckets remembered at once; beyond, all are forgotten.
const BUCKETS_MAX: usize = 1024;

#[derive(Default)]
pub(super) struct KnownBuckets(Mutex<HashMap<BucketName, (Version, Arc<BucketRow>)>>);

impl KnownBuckets {
    /// The row of this version: a version is one commit's, so nothing else can be stored under it.
    pub(super) fn get(&self, name: &BucketName, version: Version) -> Option<Arc<BucketRow>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).filter(|(at, _)| *at == version).map(|(_, row)| row.clone())
    }

    pub(super) fn put(&self, version: Version, row: &Arc<BucketRow>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= BUCKETS_MAX {
            known.clear();
        }
        known.insert(row.name.clone(), (version, row.clone()));
    }
}
