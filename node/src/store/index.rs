//! What the store holds, in memory: where every shard is, and what each volume carries.
//!
//! Only the writer changes it, and only after the bytes are durable; readers look a place up and leave. A B-tree because the
//! inventory walks ids in order and because it never doubles at once: about 70 bytes a shard.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Bound;
use std::sync::Arc;

use nodio_wire::ShardId;
use nodio_wire::api::digest_of;

use super::record::{Place, SLOT_BYTES, record_bytes};

/// A shard's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) place: Place,
    pub(crate) len: u32,
    /// Seconds since 1970.
    pub(crate) stored_s: u32,
}

/// One file of records. Its live share is what compaction would have to copy.
#[derive(Debug)]
pub(crate) struct Volume {
    pub(crate) file: Arc<File>,
    /// Length of the file.
    pub(crate) bytes: u64,
    /// Records of shards that are held.
    pub(crate) shard_bytes: u64,
    /// Tombstones by the volume of the record they kill: needed for as long as that volume is there.
    tombstones: BTreeMap<u32, u64>,
}

impl Volume {
    pub(crate) fn live_bytes(&self) -> u64 {
        self.shard_bytes + self.tombstones.values().sum::<u64>() * SLOT_BYTES
    }
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    shards: BTreeMap<ShardId, Location>,
    volumes: BTreeMap<u32, Volume>,
    digest: u128,
    used_bytes: u64,
}

impl Index {
    pub(crate) fn get(&self, id: &ShardId) -> Option<Location> {
        self.shards.get(id).copied()
    }

    pub(crate) fn len(&self) -> u64 {
        self.shards.len() as u64
    }

    /// See [`nodio_wire::api::set_digest`].
    pub(crate) fn digest(&self) -> u128 {
        self.digest
    }

    /// Bytes of all volumes.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// Up to `limit` shards above `after`, ascending.
    pub(crate) fn page(&self, after: Option<ShardId>, limit: usize) -> Vec<(ShardId, Location)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.shards.range((start, Bound::Unbounded)).take(limit).map(|(id, at)| (*id, *at)).collect()
    }

    /// Up to `limit` shards of one volume. Walks the whole index.
    pub(crate) fn held_in(&self, volume: u32, limit: usize) -> Vec<(ShardId, Location)> {
        let held = self.shards.iter().filter(|(_, at)| at.place.volume == volume);
        held.take(limit).map(|(id, at)| (*id, *at)).collect()
    }

    pub(crate) fn volume(&self, number: u32) -> Option<&Volume> {
        self.volumes.get(&number)
    }

    pub(crate) fn volumes(&self) -> impl Iterator<Item = (u32, &Volume)> {
        self.volumes.iter().map(|(number, volume)| (*number, volume))
    }

    pub(crate) fn file(&self, number: u32) -> Option<Arc<File>> {
        self.volumes.get(&number).map(|volume| volume.file.clone())
    }

    pub(crate) fn add_volume(&mut self, number: u32, file: Arc<File>) {
        self.volumes.insert(number, Volume { file, bytes: 0, shard_bytes: 0, tombstones: BTreeMap::new() });
    }

    /// Says how long a volume's file is now.
    pub(crate) fn set_bytes(&mut self, number: u32, bytes: u64) {
        if let Some(volume) = self.volumes.get_mut(&number) {
            self.used_bytes = self.used_bytes - volume.bytes + bytes;
            volume.bytes = bytes;
        }
    }

    /// Forgets a volume that holds no shard any more; tombstones for its records are dead from now on.
    pub(crate) fn drop_volume(&mut self, number: u32) {
        self.set_bytes(number, 0);
        self.volumes.remove(&number);
        for volume in self.volumes.values_mut() {
            volume.tombstones.remove(&number);
        }
    }

    /// Enters a shard and answers the record it replaces.
    pub(crate) fn insert(&mut self, id: ShardId, location: Location) -> Option<Location> {
        let old = self.remove(&id);
        self.shards.insert(id, location);
        self.digest = self.digest.wrapping_add(digest_of(&id));
        if let Some(volume) = self.volumes.get_mut(&location.place.volume) {
            volume.shard_bytes += record_bytes(location.len);
        }
        old
    }

    pub(crate) fn remove(&mut self, id: &ShardId) -> Option<Location> {
        let old = self.shards.remove(id)?;
        self.digest = self.digest.wrapping_sub(digest_of(id));
        if let Some(volume) = self.volumes.get_mut(&old.place.volume) {
            volume.shard_bytes -= record_bytes(old.len);
        }
        Some(old)
    }

    /// Removes `id` if it is the record at `place` that is held.
    pub(crate) fn remove_at(&mut self, id: &ShardId, place: Place) -> bool {
        let held = self.get(id).is_some_and(|location| location.place == place);
        held && self.remove(id).is_some()
    }

    /// Counts a tombstone in volume `number` for a record in volume `target`. One for its own volume goes with it and needs no
    /// care.
    pub(crate) fn count_tombstone(&mut self, number: u32, target: u32) {
        if number == target || !self.volumes.contains_key(&target) {
            return;
        }
        if let Some(volume) = self.volumes.get_mut(&number) {
            *volume.tombstones.entry(target).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use nodio_wire::api::set_digest;

    use super::*;

    fn index(volumes: u32) -> Index {
        let mut index = Index::default();
        for number in 1..=volumes {
            index.add_volume(number, Arc::new(tempfile::tempfile().unwrap()));
        }
        index
    }

    fn at(volume: u32, slot: u32, len: u32) -> Location {
        Location { place: Place { volume, slot }, len, stored_s: 0 }
    }

    #[test]
    fn digest_and_live_bytes_follow_every_change() {
        let mut index = index(2);
        let ids: Vec<_> = (0u8..9).map(|i| ShardId::of(&[i])).collect();
        ids.iter().enumerate().for_each(|(i, id)| assert!(index.insert(*id, at(1, i as u32 * 2, 100)).is_none()));
        assert_eq!(index.digest(), set_digest(ids.iter().copied()));
        assert!(index.insert(ids[0], at(2, 0, 100)).is_some());
        assert_eq!(index.volume(1).unwrap().live_bytes(), 8 * record_bytes(100));
        assert!(!index.remove_at(&ids[0], Place { volume: 1, slot: 0 }));
        assert!(index.remove_at(&ids[0], Place { volume: 2, slot: 0 }));
        assert_eq!(index.digest(), set_digest(ids[1..].iter().copied()));
        assert_eq!(index.volume(2).unwrap().live_bytes(), 0);
    }

    #[test]
    fn a_tombstone_counts_until_the_volume_of_its_record_is_gone() {
        let mut index = index(3);
        index.count_tombstone(3, 1);
        index.count_tombstone(3, 3);
        index.count_tombstone(3, 99);
        assert_eq!(index.volume(3).unwrap().live_bytes(), SLOT_BYTES);
        index.drop_volume(1);
        assert_eq!(index.volume(3).unwrap().live_bytes(), 0);
    }

    #[test]
    fn pages_walk_the_ids_in_order() {
        let mut index = index(1);
        let mut ids: Vec<_> = (0u8..20).map(|i| ShardId::of(&[i])).collect();
        for id in &ids {
            index.insert(*id, at(1, 0, 1));
        }
        ids.sort();
        let mut walked = Vec::new();
        loop {
            let page = index.page(walked.last().copied(), 7);
            if page.is_empty() {
                break;
            }
            walked.extend(page.into_iter().map(|(id, _)| id));
        }
        assert_eq!(walked, ids);
    }
}
