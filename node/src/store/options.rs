//! What a store is given, and what of it may still be written.

use std::path::PathBuf;

use nodio_host::files::free_bytes;

use super::plan::Room;

#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Folder of the volumes; made if it isn't there.
    pub dir: PathBuf,
    /// Most bytes that the volumes take.
    pub capacity_bytes: u64,
    /// Size at which a volume is full; it must hold the longest shard.
    pub volume_bytes: u64,
    /// Bytes that puts leave free on the file system.
    pub disk_reserve_bytes: u64,
    /// Batches from this length on are written past the page cache.
    pub direct_min_bytes: usize,
    /// Sync before a write is answered.
    pub fsync: bool,
}

impl StoreOptions {
    /// Room that puts leave to compaction and tombstones.
    pub(super) fn headroom_bytes(&self) -> u64 {
        self.volume_bytes.min(self.capacity_bytes / 8)
    }

    /// What may be written with `used_bytes` taken. Asks the file system.
    /// `copying_bytes` more are about to be written by compaction, at most.
    pub(super) fn room(&self, used_bytes: u64, copying_bytes: u64) -> Room {
        let disk_bytes = free_bytes(&self.dir).unwrap_or(0);
        let left = self.capacity_bytes.saturating_sub(used_bytes);
        let kept_bytes = self.headroom_bytes().max(copying_bytes);
        let puts_bytes = left.saturating_sub(kept_bytes).min(disk_bytes.saturating_sub(self.disk_reserve_bytes));
        // Puts can't come here: the capacity was lowered, or tombstones have eaten the headroom. To wait for volumes without
        // anything live would be to wait for ever.
        let crowded = left < self.headroom_bytes() / 2;
        Room { puts_bytes, copies_bytes: if crowded { disk_bytes } else { left.min(disk_bytes) }, disk_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(used_bytes: u64, copying_bytes: u64) -> Room {
        let dir = std::env::temp_dir();
        let fsync = false;
        let options =
            StoreOptions { dir, capacity_bytes: 800, volume_bytes: 100, disk_reserve_bytes: 0, direct_min_bytes: 0, fsync };
        options.room(used_bytes, copying_bytes)
    }

    #[test]
    fn puts_leave_the_headroom_and_copies_get_it() {
        assert_eq!((room(0, 0).puts_bytes, room(0, 0).copies_bytes), (700, 800));
        assert_eq!((room(700, 0).puts_bytes, room(700, 0).copies_bytes), (0, 100));
        assert_eq!(room(400, 250).puts_bytes, 150, "more is kept for a volume that takes more");
    }

    #[test]
    fn a_crowded_store_is_bound_by_the_disk_alone() {
        for used in [751, 800, 5_000] {
            let room = room(used, 0);
            assert_eq!((room.puts_bytes, room.copies_bytes), (0, room.disk_bytes), "{used}");
        }
    }
}
