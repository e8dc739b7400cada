//! What the writer is asked for, and the way its answer goes.

use nodio_wire::{ShardId, UnixMs};
use tokio::sync::oneshot;

use super::plan::{Moved, NewShard};
use super::record::{HEADER_BYTES, Place};
use super::{StoreError, Stored};

pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer does for others.
pub(crate) enum Command {
    Put(NewShard, Reply<Stored>),
    Delete(Vec<ShardId>, Reply<u64>),
    /// Set aside, or take back out.
    Mark {
        ids: Vec<ShardId>,
        aside: bool,
        now: UnixMs,
        reply: Reply<u64>,
    },
    /// Delete, but only what was set aside before `before_s`.
    Discard {
        ids: Vec<ShardId>,
        before_s: u32,
        reply: Reply<u64>,
    },
    /// Delete, but only this very record.
    Quarantine(ShardId, Place, Reply<u64>),
    /// Write these records anew at the end.
    Relocate(Vec<Moved>, Reply<()>),
    /// Unlink a volume that nothing live is left in.
    DropVolume(u32, Reply<()>),
    Stop,
}

impl Command {
    /// What it will write, roughly.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Put(shard, _) => shard.data.len(),
            Self::Relocate(records, _) => records.iter().map(moved_bytes).sum(),
            Self::Delete(ids, _) | Self::Mark { ids, .. } | Self::Discard { ids, .. } => ids.len() * HEADER_BYTES,
            Self::Quarantine(..) | Self::DropVolume(..) | Self::Stop => 0,
        }
    }
}

fn moved_bytes(moved: &Moved) -> usize {
    match moved {
        Moved::Shard { shard, .. } | Moved::Mended { shard, .. } => shard.data.len(),
        Moved::Tombstone { .. } | Moved::Mark { .. } => HEADER_BYTES,
    }
}
