//! Shards set aside: what the coordinator called surplus, kept a while in case that was a mistake.
//!
//! ```text
//!   held ── trash ──▶ aside ── empty_trash, purge, delete ──▶ gone
//!     ▲                 │
//!     └─ restore, put ──┘
//! ```
//! Promises: a shard set aside is read like any other, but counts neither in digest nor among the shards held. Each step is one
//! durable record (see `record`), so a crash leaves the shard before it or after it. What comes back out is read whole first.

use std::collections::{BTreeMap, BTreeSet};

use nodio_wire::{ShardId, UnixMs};

use super::command::Command;
use super::record::seconds;
use super::{Store, StoreError};
use crate::limits::DELETE_IDS;

/// What holds of a shard that was ever set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Set aside, or taken back out.
    pub(crate) aside: bool,
    /// The next mark of the same record has a higher one. 0: said by the shard's own record.
    pub(crate) generation: u16,
    pub(crate) at_s: u32,
    /// Where it is written.
    pub(crate) volume: u32,
}

/// The marks that hold, by shard and by age.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    by_id: BTreeMap<ShardId, Mark>,
    aside: BTreeSet<(u32, ShardId)>,
}

impl Marks {
    pub(crate) fn get(&self, id: &ShardId) -> Option<Mark> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn set(&mut self, id: ShardId, mark: Mark) {
        self.remove(&id);
        self.by_id.insert(id, mark);
        if mark.aside {
            self.aside.insert((mark.at_s, id));
        }
    }

    pub(crate) fn remove(&mut self, id: &ShardId) {
        if let Some(mark) = self.by_id.remove(id) {
            self.aside.remove(&(mark.at_s, *id));
        }
    }

    /// Shards set aside, the longest ago first, with the second each was.
    pub(crate) fn oldest(&self) -> impl Iterator<Item = (u32, ShardId)> {
        self.aside.iter().copied()
    }

    /// Up to `limit` shards whose mark is written in `volume`. Walks all marks.
    pub(crate) fn written_in(&self, volume: u32, limit: usize) -> Vec<(ShardId, Mark)> {
        let marks = self.by_id.iter().filter(|(_, mark)| mark.volume == volume);
        marks.take(limit).map(|(id, mark)| (*id, *mark)).collect()
    }
}

impl Store {
    /// Sets aside those of `ids` that are held, durably, and answers how many those were. `now` is [`Store::now_ms`].
    ///
    /// # Errors
    /// Full where the disk itself has no room for 64 bytes a shard; what was set aside by then stays so.
    pub async fn trash(&self, ids: &[ShardId], now: UnixMs) -> Result<u64, StoreError> {
        self.mark(ids, true, now).await
    }

    /// Takes those of `ids` that are set aside back out, durably, and answers how many those were. Each is read first: one that
    /// has rotted is dropped and told, one that can't be read just now stays where it is.
    ///
    /// # Errors
    /// As [`Store::trash`].
    pub async fn restore(&self, ids: &[ShardId]) -> Result<u64, StoreError> {
        let mut restored = 0;
        for some in ids.chunks(DELETE_IDS) {
            let aside: Vec<ShardId> = some.iter().filter(|id| self.is_trashed(id)).copied().collect();
            let mut whole = Vec::with_capacity(aside.len());
            for id in aside {
                whole.extend(self.verify(id).await.is_ok().then_some(id));
            }
            restored += self.mark(&whole, false, self.now_ms()).await?;
        }
        Ok(restored)
    }

    /// Deletes for good up to `limit` shards that were set aside before `older_than_ms`, the oldest first; answers how many those
    /// were. One that was taken back out meanwhile stays.
    pub async fn empty_trash(&self, older_than_ms: UnixMs, limit: usize) -> Result<u64, StoreError> {
        let before_s = seconds(older_than_ms);
        let oldest: Vec<ShardId> = {
            let index = self.shared.index();
            index.marks().oldest().take_while(|(at_s, _)| *at_s < before_s).take(limit).map(|(_, id)| id).collect()
        };
        self.discard(&oldest, before_s).await
    }

    /// True of a shard that is set aside.
    pub fn is_trashed(&self, id: &ShardId) -> bool {
        self.shared.index().marks().get(id).is_some_and(|mark| mark.aside)
    }

    /// Deletes those of `ids` that were set aside before `before_s` and are still.
    pub(super) async fn discard(&self, ids: &[ShardId], before_s: u32) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for some in ids.chunks(DELETE_IDS) {
            deleted += self.ask(|reply| Command::Discard { ids: some.to_vec(), before_s, reply }).await?;
        }
        Ok(deleted)
    }

    async fn mark(&self, ids: &[ShardId], aside: bool, now: UnixMs) -> Result<u64, StoreError> {
        let mut marked = 0;
        for some in ids.chunks(DELETE_IDS) {
            marked += self.ask(|reply| Command::Mark { ids: some.to_vec(), aside, now, reply }).await?;
        }
        Ok(marked)
    }
}
