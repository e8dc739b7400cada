//! Versions: switched on and off by the bucket, and listed, each of them.

use nodio_meta::Outcome;
use nodio_wire::UnixMs;

use super::plan::Plan;
use super::walk::{Marker, Rows, Start, Walk};
use super::{TableError, Tables, keyspace};
use crate::names::{BucketName, ObjectKey, VersionId};
use crate::rows::{BucketRow, DefaultRetention, ListedVersion, LiveObject, ObjectRow, ObjectState, Retention, Versioning};

#[derive(Debug, Clone, Default)]
pub(crate) struct VersionQuery {
    pub(crate) prefix: String,
    pub(crate) delimiter: Option<String>,
    pub(crate) after: Option<Marker>,
    /// With `Marker::Key`: also the versions of that very key that are older than this one.
    pub(crate) after_version: Option<VersionId>,
    pub(crate) limit: usize,
}

/// One version of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownVersion {
    pub(crate) key: ObjectKey,
    pub(crate) version: ListedVersion,
    pub(crate) latest: bool,
}

/// Versions by key and, of one key, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VersionPage {
    pub(crate) versions: Vec<ShownVersion>,
    pub(crate) common_prefixes: Vec<String>,
    /// Where to go on, if there is more; the version goes with a key.
    pub(crate) next: Option<(Marker, Option<VersionId>)>,
}

impl Tables {
    /// Switches versioning on, or suspends it; what was never on can't be suspended into being off.
    ///
    /// # Errors
    /// [`TableError::NoSuchBucket`]; [`TableError::LockedBucket`]: a bucket with Object Lock keeps its versions.
    pub(crate) async fn set_versioning(&self, name: &BucketName, versioning: Versioning) -> Result<(), TableError> {
        self.change_bucket(name, |row| {
            if row.object_lock && versioning != Versioning::Enabled {
                return Err(TableError::LockedBucket);
            }
            row.versioning = versioning;
            Ok(())
        })
        .await
    }

    /// Changes what is said of a version, and nothing of its bytes; `change` may be asked more than once.
    ///
    /// # Errors
    /// [`TableError::NoSuchKey`] if `seen` was replaced or deleted meanwhile; what `change` refuses.
    pub(crate) async fn change_object(
        &self,
        bucket: &BucketRow,
        key: &ObjectKey,
        seen: &ObjectRow,
        change: impl Fn(&mut LiveObject) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        let change = &change;
        let told = self
            .change(|| async move {
                let found = self.version(bucket, key, seen.version).await?.filter(|found| found.row.uid == seen.uid);
                let mut found = found.ok_or(TableError::NoSuchKey)?;
                if let ObjectState::Live(live) = &mut found.row.state {
                    change(live)?;
                }
                let mut plan = Plan::default();
                plan.at(found.key.clone(), found.version);
                let told = self.plan_event(&mut plan, (bucket, key), &found.row)?;
                plan.put(found.key, &found.row);
                Ok(Outcome::Commit(plan.into_commit(), told))
            })
            .await?;
        self.ring(&told);
        Ok(())
    }

    /// Gives a version another lock, unless the one it has forbids that.
    ///
    /// # Errors
    /// [`TableError::ObjectLocked`]; as [`Tables::change_object`].
    pub(crate) async fn set_retention(
        &self,
        bucket: &BucketRow,
        key: &ObjectKey,
        seen: &ObjectRow,
        next: Option<Retention>,
        (now, past_governance): (UnixMs, bool),
    ) -> Result<(), TableError> {
        self.change_object(bucket, key, seen, |live| {
            if live.lock.retention.is_some_and(|old| !old.may_become(next.as_ref(), now, past_governance)) {
                return Err(TableError::ObjectLocked);
            }
            live.lock.retention = next;
            Ok(())
        })
        .await
    }

    /// Switches Object Lock on, with what new versions get; it is never switched off again.
    ///
    /// # Errors
    /// [`TableError::NoSuchBucket`]; [`TableError::LockNeedsVersions`].
    pub(crate) async fn set_object_lock(&self, name: &BucketName, default: Option<&DefaultRetention>) -> Result<(), TableError> {
        self.change_bucket(name, |row| {
            if row.versioning != Versioning::Enabled {
                return Err(TableError::LockNeedsVersions);
            }
            row.object_lock = true;
            row.set(default);
            Ok(())
        })
        .await
    }

    pub(crate) async fn list_versions(&self, bucket: &BucketRow, query: &VersionQuery) -> Result<VersionPage, TableError> {
        let walk = Walk {
            space: keyspace::objects(bucket.id),
            prefix: &query.prefix,
            delimiter: query.delimiter.as_deref().unwrap_or(""),
            rows: Rows::Each,
            limit: query.limit,
        };
        let start = self.start_of(bucket, query).await?;
        let begun = match &start {
            Start::AfterRow(key, _) => Some(key.clone()),
            Start::First | Start::After(_) => None,
        };
        let walked = walk.run(&*self.store, start, |value| Ok(Some(ListedVersion::read(value)?))).await?;
        let last = walked.items.last().map(|(_, version)| version.version());
        let next = walked.next.map(|marker| match marker {
            Marker::Key(_) => (marker, last),
            Marker::CommonPrefix(_) => (marker, None),
        });
        Ok(VersionPage { versions: newest_first(walked.items, begun), common_prefixes: walked.prefixes, next })
    }

    /// A version that is gone by now still says where its page ended, by the order in its id; the null version has none, and its key is
    /// begun anew: better twice than never.
    async fn start_of(&self, bucket: &BucketRow, query: &VersionQuery) -> Result<Start, TableError> {
        let (key, version) = match (query.after.clone(), query.after_version) {
            (None, _) => return Ok(Start::First),
            (Some(Marker::Key(key)), Some(version)) => (key, version),
            (Some(marker), _) => return Ok(Start::After(marker)),
        };
        let order = match (version, ObjectKey::parse(&key)) {
            (VersionId::Id(id), _) => Some(keyspace::order_in(id)),
            (VersionId::Null, Ok(named)) => {
                let found = self.version(bucket, &named, VersionId::Null).await?;
                found.and_then(|found| keyspace::order_of(&found.key))
            }
            (VersionId::Null, Err(_)) => return Ok(Start::After(Marker::Key(key))),
        };
        let suffix = order.map_or_else(Vec::new, |order| (!order).to_be_bytes().to_vec());
        Ok(Start::AfterRow(key, suffix))
    }
}

/// Marks each key's newest version: the first of its key, unless the page goes on within that key.
fn newest_first(items: Vec<(ObjectKey, ListedVersion)>, mut last: Option<String>) -> Vec<ShownVersion> {
    let mut shown = Vec::with_capacity(items.len());
    for (key, version) in items {
        let latest = last.as_deref() != Some(key.as_str());
        last = Some(key.as_str().to_owned());
        shown.push(ShownVersion { key, version, latest });
    }
    shown
}
