//! Copies move no data: the new row names the same parts, one reference more each, their keys wrapped anew for the new object.

use std::collections::HashSet;

use nodio_meta::Outcome;
use nodio_wire::UnixMs;

use super::objects::{NewObject, Put, body_of, live_row, plan_body};
use super::plan::Plan;
use super::{Precondition, TableError, Tables};
use crate::keys::{BucketKeys, WrapAad};
use crate::names::{ObjectKey, ObjectUid};
use crate::rows::{BucketRow, LiveObject, ObjectRow, PartRef};

/// What is copied, as it was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CopySource<'a> {
    pub(crate) bucket: &'a BucketRow,
    pub(crate) key: &'a ObjectKey,
    pub(crate) row: &'a ObjectRow,
}

/// What the part keys of source and copy are wrapped under.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CopyKeys<'a> {
    pub(crate) from: &'a BucketKeys,
    pub(crate) to: &'a BucketKeys,
}

impl Tables {
    /// Writes `new` with the body of `source`: its `size`, `etag` and `body` are the source's, whatever they are set to. Source and target
    /// may be the same object.
    ///
    /// # Errors
    /// [`TableError::SourceChanged`] if the source is no longer the version that was read: read it and copy again.
    /// [`TableError::NoSuchKey`] if it is a delete marker; otherwise as [`Tables::put_object`].
    pub(crate) async fn copy_object(
        &self,
        source: CopySource<'_>,
        target: (&BucketRow, &ObjectKey),
        keys: CopyKeys<'_>,
        new: NewObject,
        precondition: &Precondition,
        now: UnixMs,
    ) -> Result<Put, TableError> {
        let from = source.row.live().ok_or(TableError::NoSuchKey)?;
        let parts = match self.parts(source.row).await {
            Err(TableError::Vanished) => return Err(TableError::SourceChanged),
            parts => rewrap(source, target.1, keys, new.uid, parts?)?,
        };
        let new = NewObject { live: LiveObject { size: from.size, etag: from.etag, body: body_of(&parts), ..new.live }, ..new };
        let kept: HashSet<_> = parts.iter().map(|part| part.id).collect();
        let (put, told) = self
            .change(|| async {
                let slot = self.slot(target.0, target.1).await?;
                precondition.check(slot.etag())?;
                let mut plan = Plan::default();
                self.plan_source_check(&mut plan, source).await?;
                let row = self.plan_version(&mut plan, &slot, live_row(&new, now), &kept).await?;
                plan_body(&mut plan, new.uid, &parts);
                let told = self.plan_event(&mut plan, (&slot.bucket, target.1), &row)?;
                Ok(Outcome::Commit(self.booked(plan, &slot.bucket).await?, (Put { row }, told)))
            })
            .await?;
        self.ring(&told);
        Ok(put)
    }

    /// The source must still be there when the copy is committed, or its parts may be gone.
    async fn plan_source_check(&self, plan: &mut Plan, source: CopySource<'_>) -> Result<(), TableError> {
        let there = self.version(source.bucket, source.key, source.row.version).await?;
        let there = there.filter(|found| found.row.uid == source.row.uid).ok_or(TableError::SourceChanged)?;
        plan.at(there.key, there.version);
        Ok(())
    }
}

fn rewrap(
    source: CopySource<'_>,
    target: &ObjectKey,
    keys: CopyKeys<'_>,
    uid: ObjectUid,
    mut parts: Vec<PartRef>,
) -> Result<Vec<PartRef>, TableError> {
    for part in &mut parts {
        let key = keys.from.unwrap(&part.key, WrapAad { key: source.key, uid: source.row.uid, part: part.id })?;
        part.key = keys.to.wrap(&key, WrapAad { key: target, uid, part: part.id });
    }
    Ok(parts)
}
