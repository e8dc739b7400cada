//! Parts that no row names: waiting to be released on the donors, or left behind by a crash.

use std::collections::HashSet;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use nodio_meta::{Direction, KeyRange, Outcome, Row};
use nodio_wire::{PartId, UnixMs};

use super::plan::Plan;
use super::{TableError, Tables, keyspace};

const LOOKUPS_AHEAD: usize = 32;

/// A part to release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pending {
    /// When its last reference went.
    pub(crate) since: UnixMs,
    pub(crate) part: PartId,
}

impl Tables {
    /// Parts whose last reference went before `before`, oldest first, at most `limit`. Give readers that were under way a while before
    /// releasing them; then tell [`Tables::released`]. A crash between the two does no harm: releasing twice is no error.
    pub(crate) async fn release_step(&self, before: UnixMs, limit: usize) -> Result<Vec<Pending>, TableError> {
        let rows = self.store.scan(keyspace::pending_before(before), limit, Direction::Ascending).await?;
        let read = |row: &Row| keyspace::pending_of(&row.key).ok_or_else(|| TableError::Malformed(hex::encode(&row.key)));
        let pending = rows.iter().map(|row| read(row).map(|(since, part)| Pending { since, part }));
        let pending: Vec<Pending> = pending.collect::<Result<_, _>>()?;
        self.without_named(pending).await
    }

    /// The second look at what can't be undone. A part can be named and pending only if it was abandoned before its write ended.
    async fn without_named(&self, pending: Vec<Pending>) -> Result<Vec<Pending>, TableError> {
        let parts: Vec<PartId> = pending.iter().map(|pending| pending.part).collect();
        let unnamed: HashSet<PartId> = self.unreferenced(&parts).await?.into_iter().collect();
        let (pending, named): (Vec<_>, Vec<_>) = pending.into_iter().partition(|pending| unnamed.contains(&pending.part));
        if !named.is_empty() {
            tracing::error!(parts = ?named, "parts to be released are named by an object and stay");
            self.released(&named).await?;
        }
        Ok(pending)
    }

    /// The donors have forgotten these parts.
    pub(crate) async fn released(&self, parts: &[Pending]) -> Result<(), TableError> {
        self.change(|| async {
            let mut plan = Plan::default();
            parts.iter().for_each(|pending| plan.delete(keyspace::pending(pending.since, pending.part)));
            Ok(Outcome::Commit(plan.into_commit(), ()))
        })
        .await
    }

    /// Lets go of parts that were written but never named: a refused write, a broken upload. A part that is named after all stays.
    pub(crate) async fn abandon(&self, parts: &[PartId], now: UnixMs) -> Result<(), TableError> {
        self.change(|| async {
            let mut plan = Plan::default();
            for part in self.unreferenced(parts).await? {
                plan.empty(KeyRange::prefix(&keyspace::references(part)));
                plan.put_bytes(keyspace::pending(now, part), Bytes::new());
            }
            Ok(Outcome::Commit(plan.into_commit(), ()))
        })
        .await
    }

    /// Those of the parts that no object and no upload names. A part that is still being written is among them.
    pub(crate) async fn unreferenced(&self, parts: &[PartId]) -> Result<Vec<PartId>, TableError> {
        let lookups = stream::iter(parts.to_vec()).map(|part| self.without_reference(part)).buffered(LOOKUPS_AHEAD);
        let found: Vec<_> = lookups.try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn without_reference(&self, part: PartId) -> Result<Option<PartId>, TableError> {
        let range = KeyRange::prefix(&keyspace::references(part));
        let named = !self.store.scan(range, 1, Direction::Ascending).await?.is_empty();
        Ok((!named).then_some(part))
    }
}
