//! Finding out, range by range, which shards a donor and the map disagree about.
//!
//! ```text
//!   digests of all ranges ─► those that differ ─► their shards, a page each ─► surplus    named nowhere: into the donor's trash
//!                                                                              restore    named, but in the trash: out of it
//!                                                                              missing    named, but not held: forgotten and mended,
//!                                                                                         unless nothing else is left to name
//! ```
//! Whatever a donor sends, memory stays within one page of rows and one request: the map's side is walked in step with its own.

use std::collections::HashSet;

use nodio_meta::StoreError;
use nodio_wire::api::{Contents, Digests, DigestsReply, Inventory, InventoryReply, range_of};
use nodio_wire::limits::RANGE_BITS_MAX;
use nodio_wire::{NodeId, ShardId};

use super::{Coordinator, ServiceError};
use crate::keyspace;
use crate::limits::{INVENTORY_SHARDS_MAX, PAGE_ROWS};
use crate::map::inventory::{held_of, judge_page};
use crate::tables::page;

impl Coordinator {
    /// Compares the digests of a donor's ranges with the map's; answers those that differ.
    ///
    /// # Errors
    /// [`ServiceError::Refused`] if the ranges don't tile all ids.
    pub async fn digests(&self, digests: Digests) -> Result<DigestsReply, ServiceError> {
        if digests.bits > RANGE_BITS_MAX || digests.ranges.len() != 1 << digests.bits {
            return Err(ServiceError::Refused(format!("2^bits ranges are wanted, and at most {RANGE_BITS_MAX} bits")));
        }
        self.must_know(digests.node)?;
        self.lacks(digests.node, false);
        let differing = self.differing(&digests).await?;
        if differing.is_empty() {
            self.reconciled(digests.node);
        }
        Ok(DigestsReply { differing })
    }

    async fn differing(&self, digests: &Digests) -> Result<Vec<u32>, StoreError> {
        let mut ours = vec![Contents::default(); digests.ranges.len()];
        let (mut last, mut rest) = (None, Some(keyspace::holdings_of(digests.node)));
        while let Some(range) = rest {
            let (rows, left) = page(&*self.store, range, PAGE_ROWS).await?;
            for row in rows {
                let shard = keyspace::parse_holding(&row.key)?.shard;
                if last.replace(shard) != Some(shard) {
                    ours[range_of(digests.bits, &shard) as usize].add(&shard);
                }
            }
            rest = left;
            tokio::task::yield_now().await;
        }
        let differs = |(at, (theirs, ours)): (u32, (&Contents, &Contents))| (theirs != ours).then_some(at);
        Ok((0..).zip(digests.ranges.iter().zip(&ours)).filter_map(differs).collect())
    }

    /// Compares one page of what a donor holds with the map.
    ///
    /// # Errors
    /// [`ServiceError::Refused`] if the page is too long or ends before it begins.
    pub async fn inventory(&self, page: Inventory) -> Result<InventoryReply, ServiceError> {
        let node = page.node;
        if page.from > page.through || page.shards.len() > INVENTORY_SHARDS_MAX {
            return Err(ServiceError::Refused(format!(
                "a page has at most {INVENTORY_SHARDS_MAX} shards, and ends after it begins"
            )));
        }
        self.must_know(node)?;
        let (named, missing) = self.take_missing(&page).await?;
        let reply = self.sorted_out(&page, &named).await?;
        if page.last {
            self.reconciled(node);
        }
        let (surplus, restore) = (reply.surplus.len(), reply.restore.len());
        if surplus + restore + missing > 0 {
            tracing::info!(%node, surplus, restore, missing, "a donor's shards differed from the map's");
        }
        Ok(reply)
    }

    /// Forgets what the map names within the page and the donor doesn't hold. Returns the shards that are named and held, and how many
    /// were forgotten.
    async fn take_missing(&self, inventory: &Inventory) -> Result<(HashSet<ShardId>, usize), StoreError> {
        let (held, settle_ms, now) = (held_of(inventory), self.config.inventory_settle_ms, self.now());
        let (mut named, mut missing) = (HashSet::new(), 0);
        let mut rest = Some(keyspace::holdings_between(inventory.node, &inventory.from, &inventory.through));
        while let Some(range) = rest {
            let (rows, left) = page(&*self.store, range, PAGE_ROWS).await?;
            let faults = judge_page(inventory.node, &held, &rows, settle_ms, now, &mut named)?;
            missing += faults.len();
            if self.forget_if_readable(&faults).await? < faults.len() as u64 {
                self.lacks(inventory.node, true);
            }
            rest = left;
        }
        Ok((named, missing))
    }

    /// What the donor shall do about the shards it listed. A shard that it is told to delete anyway isn't called surplus: it must not
    /// end in the trash.
    async fn sorted_out(&self, inventory: &Inventory, named: &HashSet<ShardId>) -> Result<InventoryReply, StoreError> {
        let (mut surplus, mut restore) = (Vec::new(), Vec::new());
        for shard in inventory.shards.iter().filter(|shard| (inventory.from..=inventory.through).contains(&shard.id)) {
            if named.contains(&shard.id) {
                restore.extend(shard.trashed.then_some(shard.id));
            } else if !shard.trashed
                && shard.age_s >= self.config.litter_age_s
                && !self.is_expected(inventory.node, &shard.id).await?
            {
                surplus.push(shard.id);
            }
        }
        Ok(InventoryReply { surplus, restore })
    }

    /// True if the donor may be storing this shard just now, or is about to be told to delete it.
    async fn is_expected(&self, node: NodeId, shard: &ShardId) -> Result<bool, StoreError> {
        let rebuilding = self.state().tasks.is_rebuilding(node, shard);
        Ok(rebuilding || self.store.get(&keyspace::doomed(node, shard)).await?.is_some())
    }

    fn must_know(&self, node: NodeId) -> Result<(), ServiceError> {
        self.state().nodes.get(node).map(|_| ()).ok_or(ServiceError::UnknownNode(node))
    }

    /// Notes whether the comparison under way has met what the donor lacks and is still named for.
    fn lacks(&self, node: NodeId, lacks: bool) {
        if let Some(node) = self.state().nodes.get_mut(node) {
            node.reconcile.lacks = lacks;
        }
    }

    /// The comparison is through. A donor that is named for what it lacks isn't seen to hold what the map says.
    fn reconciled(&self, node: NodeId) {
        if let Some(node) = self.state().nodes.get_mut(node) {
            node.reconcile.wanted = false;
            node.checked = !std::mem::take(&mut node.reconcile.lacks);
        }
    }
}
