//! References: who names a part. A part is released with its last one, in the same commit.
//!
//! Of two that drop the last two references at once, one must notice: whoever leaves a reference behind checks that it is still there
//! when it commits, whoever leaves none checks that none has come.

use std::collections::HashSet;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use nodio_meta::{Direction, KeyRange, Version};
use nodio_wire::{PartId, UnixMs};

use super::plan::Plan;
use super::{TableError, Tables, keyspace};
use crate::names::ObjectUid;
use crate::rows::{LiveObject, ManifestRow, ObjectBody, PartPlace, PartRef};

/// Look-ups in flight for one change.
const LOOKUPS_AHEAD: usize = 32;

impl Tables {
    /// Enters one reference for each part that has bytes.
    pub(super) fn plan_references<'a>(plan: &mut Plan, uid: ObjectUid, parts: impl IntoIterator<Item = &'a PartRef>) {
        for part in parts.into_iter().filter(|part| part.place != PartPlace::Empty) {
            plan.put_bytes(keyspace::reference(part.id, uid), Bytes::new());
        }
    }

    /// Drops the references of an object that goes, and its manifest. Parts in `keep` get another reference in the same plan.
    pub(super) async fn plan_body_end(
        &self,
        plan: &mut Plan,
        uid: ObjectUid,
        live: &LiveObject,
        keep: &HashSet<PartId>,
        now: UnixMs,
    ) -> Result<(), TableError> {
        let parts = self.body_parts(uid, &live.body).await?;
        if let ObjectBody::Manifest { .. } = live.body {
            plan.delete(keyspace::manifest(uid));
        }
        self.plan_unreference(plan, uid, &parts, keep, now).await
    }

    /// Drops `uid`'s references to these parts and lets go of those without another one.
    pub(super) async fn plan_unreference(
        &self,
        plan: &mut Plan,
        uid: ObjectUid,
        parts: &[PartRef],
        keep: &HashSet<PartId>,
        now: UnixMs,
    ) -> Result<(), TableError> {
        let named = parts.iter().filter(|part| part.place != PartPlace::Empty);
        let (kept, dropped): (Vec<_>, Vec<_>) = named.partition(|part| keep.contains(&part.id));
        kept.into_iter().for_each(|part| plan.delete(keyspace::reference(part.id, uid)));
        let ids: Vec<PartId> = dropped.iter().map(|part| part.id).collect();
        let lookups = stream::iter(ids).map(|id| self.other_reference(id, uid)).buffered(LOOKUPS_AHEAD);
        let others: Vec<_> = lookups.try_collect().await?;
        for (part, other) in dropped.into_iter().zip(others) {
            plan.delete(keyspace::reference(part.id, uid));
            match other {
                Some((key, version)) => plan.at(key, version),
                None => plan_last(plan, uid, part, now),
            }
        }
        Ok(())
    }

    /// Somebody else's reference to the part.
    async fn other_reference(&self, part: PartId, uid: ObjectUid) -> Result<Option<(Bytes, Version)>, TableError> {
        let range = KeyRange::prefix(&keyspace::references(part));
        let ours = keyspace::reference(part, uid);
        let rows = self.store.scan(range, 2, Direction::Ascending).await?;
        Ok(rows.into_iter().find(|row| row.key != ours).map(|row| (row.key, row.version)))
    }

    /// An object's parts, ascending by number.
    pub(super) async fn body_parts(&self, uid: ObjectUid, body: &ObjectBody) -> Result<Vec<PartRef>, TableError> {
        match body {
            ObjectBody::Empty => Ok(Vec::new()),
            ObjectBody::Single(part) => Ok(vec![part.clone()]),
            ObjectBody::Manifest { .. } => {
                let (manifest, _) = self.row::<ManifestRow>(&keyspace::manifest(uid)).await?.ok_or(TableError::Vanished)?;
                Ok(manifest.parts)
            }
        }
    }
}

/// The part's last reference goes with this plan, unless another one comes first.
fn plan_last(plan: &mut Plan, uid: ObjectUid, part: &PartRef, now: UnixMs) {
    let all = KeyRange::prefix(&keyspace::references(part.id));
    let ours = keyspace::reference(part.id, uid);
    plan.empty(all.clone().ending_before(ours.clone()));
    plan.empty(all.starting_after(ours));
    match part.place {
        PartPlace::Empty => {}
        PartPlace::Inline => plan.delete(keyspace::inline(part.id)),
        PartPlace::Segments(_) => plan.put_bytes(keyspace::pending(now, part.id), Bytes::new()),
    }
}
