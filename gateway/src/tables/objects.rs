//! Objects: put and found. One row per version, newest first.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use nodio_meta::row::decode;
use nodio_meta::{Direction, KeyRange, Outcome, Row, Version};
use nodio_wire::auth::random_bytes;
use nodio_wire::{PartId, UnixMs};

use super::plan::Plan;
use super::usage::of_version;
use super::{Precondition, TableError, Tables, keyspace};
use crate::names::{ObjectKey, ObjectUid, UserId, VersionId};
use crate::rows::{
    BucketRow, DefaultRetention, ETag, InlineRow, LiveObject, ManifestRow, ObjectBody, ObjectRow, ObjectState, PartRef,
    Versioning,
};

/// Versions of one key looked at in one scan for the null version.
const SCAN_ROWS: usize = 100;

/// An object whose bytes are durable.
#[derive(Debug, Clone)]
pub(crate) struct NewObject {
    /// Fresh ([`ObjectUid::new`]); what the part keys in `live.body` were wrapped for.
    pub(crate) uid: ObjectUid,
    pub(crate) owner: UserId,
    pub(crate) live: LiveObject,
    /// The sealed bytes of a single part placed `Inline`.
    pub(crate) inline: Option<Bytes>,
}

/// A write that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Put {
    pub(crate) row: ObjectRow,
}

/// A version's row as it was read.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) key: Bytes,
    pub(super) row: ObjectRow,
    pub(super) version: Version,
}

/// All that a write to a key is decided upon.
pub(super) struct Slot<'a> {
    pub(super) bucket: Arc<BucketRow>,
    bucket_version: Version,
    pub(super) key: &'a ObjectKey,
    pub(super) newest: Option<Found>,
}

impl Slot<'_> {
    /// The tag of the object there, if there is one.
    pub(super) fn etag(&self) -> Option<&ETag> {
        self.newest.as_ref().and_then(|found| found.row.live()).map(|live| &live.etag)
    }

    pub(super) fn plan_checks(&self, plan: &mut Plan) {
        plan.at(keyspace::bucket(&self.bucket.name), self.bucket_version);
        let mut newer = KeyRange::prefix(&keyspace::versions(self.bucket.id, self.key));
        if let Some(newest) = &self.newest {
            plan.at(newest.key.clone(), newest.version);
            newer = newer.ending_before(newest.key.clone());
        }
        plan.empty(newer);
    }

    /// The clock, or just above the newest version where the clock stood still or went back.
    fn next_order(&self, now: UnixMs) -> u64 {
        let newest = self.newest.as_ref().and_then(|found| keyspace::order_of(&found.key));
        newest.map_or(now, |newest| now.max(newest.saturating_add(1)))
    }

    fn next_version(&self, order: u64) -> VersionId {
        match self.bucket.versioning {
            Versioning::Off | Versioning::Suspended => VersionId::Null,
            Versioning::Enabled => VersionId::Id(version_bytes(order)),
        }
    }
}

fn version_bytes(order: u64) -> [u8; 16] {
    let mut bytes: [u8; 16] = random_bytes();
    bytes[..8].copy_from_slice(&order.to_be_bytes());
    bytes
}

fn found(row: Row) -> Result<Found, TableError> {
    Ok(Found { row: decode(&row.value)?, key: row.key, version: row.version })
}

impl Tables {
    /// Writes an object, replacing the one there (unversioned) or on top of it (versioned).
    ///
    /// # Errors
    /// [`TableError::NoSuchBucket`], [`TableError::QuotaExceeded`]; what `precondition` refuses. But for [`TableError::Store`], the part is still unnamed then:
    /// [`Tables::abandon`] it.
    pub(crate) async fn put_object(
        &self,
        bucket: &BucketRow,
        key: &ObjectKey,
        new: &NewObject,
        precondition: &Precondition,
        now: UnixMs,
    ) -> Result<Put, TableError> {
        let (put, told) = self
            .change(|| async {
                let slot = self.slot(bucket, key).await?;
                precondition.check(slot.etag())?;
                let mut plan = Plan::default();
                let row = self.plan_version(&mut plan, &slot, live_row(new, now), &HashSet::new()).await?;
                if let ObjectBody::Single(part) = &new.live.body {
                    plan_body(&mut plan, new.uid, std::slice::from_ref(part));
                    plan_inline(&mut plan, part.id, new.inline.as_ref());
                }
                let told = self.plan_event(&mut plan, (&slot.bucket, key), &row)?;
                Ok(Outcome::Commit(self.booked(plan, &slot.bucket).await?, (Put { row }, told)))
            })
            .await?;
        self.ring(&told);
        Ok(put)
    }

    /// The newest version, or the one named; delete markers as such.
    ///
    /// # Errors
    /// [`TableError::NoSuchKey`], or [`TableError::NoSuchVersion`] where one is named.
    pub(crate) async fn object(
        &self,
        bucket: &BucketRow,
        key: &ObjectKey,
        version: Option<VersionId>,
    ) -> Result<ObjectRow, TableError> {
        let (found, missing) = match version {
            None => (self.newest(bucket, key).await?, TableError::NoSuchKey),
            Some(version) => (self.version(bucket, key, version).await?, TableError::NoSuchVersion),
        };
        found.map(|found| found.row).ok_or(missing)
    }

    /// The object's parts, ascending by number; none for an empty object or a delete marker.
    ///
    /// # Errors
    /// [`TableError::Vanished`]: the object was replaced since its row was read; read it again.
    pub(crate) async fn parts(&self, row: &ObjectRow) -> Result<Vec<PartRef>, TableError> {
        match row.live() {
            Some(live) => self.body_parts(row.uid, &live.body).await,
            None => Ok(Vec::new()),
        }
    }

    /// The sealed bytes of a part placed inline.
    ///
    /// # Errors
    /// [`TableError::Vanished`], as for [`Tables::parts`].
    pub(crate) async fn inline(&self, part: &PartId) -> Result<Bytes, TableError> {
        let found = self.row::<InlineRow>(&keyspace::inline(*part)).await?;
        found.map(|(row, _)| row.sealed).ok_or(TableError::Vanished)
    }

    /// Reads what a write to `key` is decided upon.
    pub(super) async fn slot<'a>(&self, bucket: &BucketRow, key: &'a ObjectKey) -> Result<Slot<'a>, TableError> {
        let (bucket, bucket_version) = self.same_bucket(bucket).await?;
        let newest = self.newest(&bucket, key).await?;
        Ok(Slot { bucket, bucket_version, key, newest })
    }

    /// Plans `row` as the newest version, with the checks it was decided upon and the end of the version it replaces. Sets its version.
    /// Parts in `keep` get another reference in the same plan. What doesn't say how long it is retained gets the bucket's default.
    pub(super) async fn plan_version(
        &self,
        plan: &mut Plan,
        slot: &Slot<'_>,
        mut row: ObjectRow,
        keep: &HashSet<PartId>,
    ) -> Result<ObjectRow, TableError> {
        slot.plan_checks(plan);
        let replaced = match slot.bucket.versioning {
            Versioning::Enabled => None,
            Versioning::Off | Versioning::Suspended => self.version_in(slot, VersionId::Null).await?,
        };
        if let Some(old) = replaced {
            self.plan_version_end(plan, &old, keep, row.modified).await?;
        }
        let order = slot.next_order(row.modified);
        row.version = slot.next_version(order);
        if let (true, ObjectState::Live(live)) = (slot.bucket.object_lock, &mut row.state) {
            let default = slot.bucket.setting::<DefaultRetention>()?.map(|default| default.from(row.modified));
            live.lock.retention = live.lock.retention.or(default);
        }
        plan.put(keyspace::object(slot.bucket.id, slot.key, order), &row);
        plan.count(of_version(&row));
        Ok(row)
    }

    /// The version named of a slot's key, which mostly is the newest one and is read already.
    pub(super) async fn version_in(&self, slot: &Slot<'_>, version: VersionId) -> Result<Option<Found>, TableError> {
        match &slot.newest {
            None => Ok(None),
            Some(newest) if newest.row.version == version => Ok(Some(newest.clone())),
            Some(_) => self.version(&slot.bucket, slot.key, version).await,
        }
    }

    pub(super) async fn plan_version_end(
        &self,
        plan: &mut Plan,
        old: &Found,
        keep: &HashSet<PartId>,
        now: UnixMs,
    ) -> Result<(), TableError> {
        plan.at(old.key.clone(), old.version);
        plan.delete(old.key.clone());
        plan.uncount(of_version(&old.row));
        match old.row.live() {
            Some(live) => self.plan_body_end(plan, old.row.uid, live, keep, now).await,
            None => Ok(()),
        }
    }

    pub(super) async fn newest(&self, bucket: &BucketRow, key: &ObjectKey) -> Result<Option<Found>, TableError> {
        let range = KeyRange::prefix(&keyspace::versions(bucket.id, key));
        let rows = self.store.scan(range, 1, Direction::Ascending).await?;
        rows.into_iter().next().map(found).transpose()
    }

    /// The version named. A version id holds its row's order; the null version is looked for from the newest on.
    pub(super) async fn version(
        &self,
        bucket: &BucketRow,
        key: &ObjectKey,
        version: VersionId,
    ) -> Result<Option<Found>, TableError> {
        match version {
            VersionId::Id(bytes) => {
                let row_key = keyspace::object(bucket.id, key, keyspace::order_in(bytes));
                let stored = self.row::<ObjectRow>(&row_key).await?;
                Ok(stored.map(|(row, version)| Found { key: row_key, row, version }).filter(|found| found.row.version == version))
            }
            VersionId::Null => self.null_version(bucket, key).await,
        }
    }

    async fn null_version(&self, bucket: &BucketRow, key: &ObjectKey) -> Result<Option<Found>, TableError> {
        let mut range = KeyRange::prefix(&keyspace::versions(bucket.id, key));
        loop {
            let rows = self.store.scan(range.clone(), SCAN_ROWS, Direction::Ascending).await?;
            let next = rows.last().filter(|_| rows.len() == SCAN_ROWS).map(|last| last.key.clone());
            for row in rows {
                let found = found(row)?;
                if found.row.version == VersionId::Null {
                    return Ok(Some(found));
                }
            }
            match next {
                Some(last) => range = range.starting_after(last),
                None => return Ok(None),
            }
        }
    }
}

pub(super) fn live_row(new: &NewObject, now: UnixMs) -> ObjectRow {
    let state = ObjectState::Live(Box::new(new.live.clone()));
    ObjectRow { uid: new.uid, version: VersionId::Null, modified: now, owner: new.owner.clone(), state }
}

/// The rows beside an object's: references, and the manifest where there are several parts.
pub(super) fn plan_body(plan: &mut Plan, uid: ObjectUid, parts: &[PartRef]) {
    Tables::plan_references(plan, uid, parts);
    if parts.len() > 1 {
        plan.put(keyspace::manifest(uid), &ManifestRow { parts: parts.to_vec() });
    }
}

pub(super) fn plan_inline(plan: &mut Plan, part: PartId, sealed: Option<&Bytes>) {
    if let Some(sealed) = sealed {
        plan.put(keyspace::inline(part), &InlineRow { sealed: sealed.clone() });
    }
}

/// How an object row speaks of these parts.
pub(super) fn body_of(parts: &[PartRef]) -> ObjectBody {
    match parts {
        [] => ObjectBody::Empty,
        [part] => ObjectBody::Single(part.clone()),
        parts => ObjectBody::Manifest { parts: u16::try_from(parts.len()).unwrap_or(u16::MAX) },
    }
}
