//! Objects deleted: a version goes, or a delete marker comes on top.

use std::collections::HashSet;

use nodio_meta::Outcome;
use nodio_wire::UnixMs;

use super::objects::Slot;
use super::outbox::Told;
use super::plan::Plan;
use super::{ETagMatch, TableError, Tables};
use crate::names::{ObjectKey, ObjectUid, VersionId};
use crate::rows::{BucketRow, ObjectRow, ObjectState, Versioning};

/// How a delete is meant. By default it has no conditions and passes no lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) if_match: Option<ETagMatch>,
    /// The second that it was written in.
    pub(crate) if_modified_s: Option<u64>,
    /// Plaintext bytes.
    pub(crate) if_size: Option<u64>,
    /// The very write, whatever others have the same bytes.
    pub(crate) if_write: Option<ObjectUid>,
    /// Retention in governance mode doesn't count.
    pub(crate) past_governance: bool,
}

impl Deletion {
    fn is_conditional(&self) -> bool {
        let any = Self { past_governance: self.past_governance, ..Self::default() };
        *self != any
    }

    /// Decides against what is there. A delete marker has no bytes, and of tags only any.
    fn check(&self, there: &ObjectRow) -> Result<(), TableError> {
        let live = there.live();
        let holds = |wanted: &ETagMatch| live.map_or(*wanted == ETagMatch::Any, |live| wanted.holds(&live.etag));
        let tag = self.if_match.as_ref().is_none_or(holds);
        let second = self.if_modified_s.is_none_or(|second| second == there.modified / 1000);
        let size = self.if_size.is_none_or(|size| size == live.map_or(0, |live| live.size));
        let write = self.if_write.is_none_or(|uid| uid == there.uid);
        if tag && second && size && write { Ok(()) } else { Err(TableError::PreconditionFailed) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deleted {
    /// False where there was nothing to delete; S3 answers the same either way.
    pub(crate) existed: bool,
    /// A delete marker was made or, where a version was named, removed.
    pub(crate) delete_marker: bool,
    /// The version removed, or of the marker made; `None` in a bucket that never had versioning.
    pub(crate) version: Option<VersionId>,
}

impl Deleted {
    fn nothing(version: Option<VersionId>) -> Self {
        Self { existed: false, delete_marker: false, version }
    }
}

impl Tables {
    /// Deletes the object, puts a delete marker on it (versioned), or removes the version named. Nothing there is no error, and where
    /// conditions speak of nothing, nothing is done. They speak of the version named, else of the newest; a marker can be put on what is
    /// locked.
    ///
    /// # Errors
    /// [`TableError::NoSuchBucket`]; [`TableError::ObjectLocked`] at the moment of the commit; [`TableError::PreconditionFailed`].
    pub(crate) async fn delete_object(
        &self,
        bucket: &BucketRow,
        key: &ObjectKey,
        version: Option<VersionId>,
        deletion: &Deletion,
        now: UnixMs,
    ) -> Result<Deleted, TableError> {
        let (deleted, told) = self
            .change(|| async {
                let slot = self.slot(bucket, key).await?;
                match (version, slot.bucket.versioning) {
                    (None, Versioning::Enabled | Versioning::Suspended) => self.delete_by_marker(&slot, deletion, now).await,
                    (version, _) => self.delete_version(&slot, version, deletion, now).await,
                }
            })
            .await?;
        self.ring(&told);
        Ok(deleted)
    }

    async fn delete_by_marker(
        &self,
        slot: &Slot<'_>,
        deletion: &Deletion,
        now: UnixMs,
    ) -> Result<Outcome<(Deleted, Told)>, TableError> {
        match &slot.newest {
            Some(newest) => deletion.check(&newest.row)?,
            None if deletion.is_conditional() => return Ok(Outcome::Done((Deleted::nothing(None), Told::default()))),
            None => {}
        }
        let mut plan = Plan::default();
        let marker = ObjectRow {
            uid: ObjectUid::new(now),
            version: VersionId::Null,
            modified: now,
            owner: slot.bucket.owner.clone(),
            state: ObjectState::DeleteMarker,
        };
        let row = self.plan_version(&mut plan, slot, marker, &HashSet::new()).await?;
        let told = self.plan_marker_event(&mut plan, (&slot.bucket, slot.key), &row)?;
        let deleted = Deleted { existed: slot.etag().is_some(), delete_marker: true, version: Some(row.version) };
        Ok(Outcome::Commit(self.booked(plan, &slot.bucket).await?, (deleted, told)))
    }

    async fn delete_version(
        &self,
        slot: &Slot<'_>,
        version: Option<VersionId>,
        deletion: &Deletion,
        now: UnixMs,
    ) -> Result<Outcome<(Deleted, Told)>, TableError> {
        let old = self.version_in(slot, version.unwrap_or(VersionId::Null)).await?;
        let Some(old) = old else { return Ok(Outcome::Done((Deleted::nothing(version), Told::default()))) };
        deletion.check(&old.row)?;
        if old.row.live().is_some_and(|live| live.lock.holds(now, deletion.past_governance)) {
            return Err(TableError::ObjectLocked);
        }
        let mut plan = Plan::default();
        slot.plan_checks(&mut plan);
        self.plan_version_end(&mut plan, &old, &HashSet::new(), now).await?;
        let told = self.plan_event(&mut plan, (&slot.bucket, slot.key), &old.row)?;
        let deleted = Deleted { existed: true, delete_marker: old.row.live().is_none(), version };
        Ok(Outcome::Commit(self.booked(plan, &slot.bucket).await?, (deleted, told)))
    }
}
