//! What the store holds, in memory: where every shard is, and what each volume carries.
//!
//! Only the writer changes it, and only after the bytes are durable; readers look a place up and leave. A B-tree because the
//! inventory walks ids in order and because it never doubles at once: 55 to 75 bytes a shard, and as much again for one that
//! was ever set aside. At a start it is built in one go from all that the volumes say, which takes as much again for a moment.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Bound;
use std::sync::Arc;

use nodio_wire::ShardId;
use nodio_wire::api::{Trash, digest_of};

use super::held::Outlined;
pub(crate) use super::held::{Held, Location, Volume};
use super::record::{Place, record_bytes};
use super::trash::{Mark, Marks};

#[derive(Debug, Default)]
pub(crate) struct Index {
    shards: BTreeMap<ShardId, Location>,
    marks: Marks,
    volumes: BTreeMap<u32, Volume>,
    digest: u128,
    held_bytes: u64,
    trash: Trash,
    used_bytes: u64,
}

impl Index {
    pub(crate) fn get(&self, id: &ShardId) -> Option<Location> {
        self.shards.get(id).copied()
    }

    pub(crate) fn held(&self, id: &ShardId) -> Option<Held> {
        self.get(id).map(|at| Held { at, mark: self.marks.get(id) })
    }

    /// Shards held, those set aside left out.
    pub(crate) fn len(&self) -> u64 {
        self.shards.len() as u64 - self.trash.shards
    }

    /// See [`nodio_wire::api::set_digest`]. Without those set aside.
    pub(crate) fn digest(&self) -> u128 {
        self.digest
    }

    /// Lengths of all shards held, those set aside left out.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// Shards set aside and their lengths.
    pub(crate) fn trash(&self) -> Trash {
        self.trash
    }

    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Bytes of all volumes and their outlines.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// Shards from `start` on, ascending, those set aside as well.
    pub(crate) fn walk(&self, start: Bound<ShardId>) -> impl Iterator<Item = (ShardId, Held)> {
        let shards = self.shards.range((start, Bound::Unbounded));
        shards.map(|(id, at)| (*id, Held { at: *at, mark: self.marks.get(id) }))
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

    pub(crate) fn newest(&self) -> Option<u32> {
        self.volumes.last_key_value().map(|(number, _)| *number)
    }

    /// A volume that some records were copied from already and that is still there.
    pub(crate) fn half_copied(&self) -> Option<u32> {
        self.volumes.values().find_map(|volume| volume.copies_of.first().copied())
    }

    pub(crate) fn file(&self, number: u32) -> Option<Arc<File>> {
        self.volumes.get(&number).map(|volume| volume.file.clone())
    }

    pub(crate) fn add_volume(&mut self, number: u32, file: Arc<File>) {
        self.volumes.insert(number, Volume::new(file));
    }

    /// Says how long a volume's file is now.
    pub(crate) fn set_bytes(&mut self, number: u32, bytes: u64) {
        if let Some(volume) = self.volumes.get_mut(&number) {
            self.used_bytes = self.used_bytes - volume.bytes + bytes;
            volume.bytes = bytes;
        }
    }

    /// Says that the outline of a volume of `covers` bytes is `bytes` long; false if there is no such volume any more.
    pub(crate) fn set_outline(&mut self, number: u32, covers: u64, bytes: u64) -> bool {
        let Some(volume) = self.volumes.get_mut(&number) else { return false };
        self.used_bytes = self.used_bytes - volume.outline.bytes + bytes;
        volume.outline = Outlined { bytes, covers: Some(covers) };
        true
    }

    /// Says that no outline can be made of a volume as it is.
    pub(crate) fn give_up_outline(&mut self, number: u32) {
        if let Some(volume) = self.volumes.get_mut(&number) {
            volume.outline.covers = Some(volume.bytes);
        }
    }

    /// A volume that an outline is to be made of. The newest grows, so only those who stop it ask `with_newest`.
    pub(crate) fn without_outline(&self, with_newest: bool) -> Option<(u32, &Volume)> {
        let newest = self.newest().filter(|_| !with_newest);
        let lacks = |volume: &Volume| volume.outline.covers != Some(volume.bytes);
        self.volumes().find(|(number, volume)| Some(*number) != newest && lacks(volume))
    }

    /// Forgets a volume that holds no shard any more; tombstones for its records are dead from now on.
    pub(crate) fn drop_volume(&mut self, number: u32) {
        self.set_bytes(number, 0);
        self.set_outline(number, 0, 0);
        self.volumes.remove(&number);
        for volume in self.volumes.values_mut() {
            volume.tombstones.remove(&number);
            volume.copies_of.remove(&number);
        }
    }

    /// Enters all shards of a store at once, ascending and each once, none of them set aside yet.
    pub(crate) fn fill(&mut self, shards: Vec<(ShardId, Location)>) {
        assert!(self.shards.is_empty(), "an index is filled once");
        for (id, at) in &shards {
            if let Some(volume) = self.volumes.get_mut(&at.place.volume) {
                volume.shard_bytes += record_bytes(at.len);
            }
            self.digest = self.digest.wrapping_add(digest_of(id));
            self.held_bytes += u64::from(at.len);
        }
        self.shards = BTreeMap::from_iter(shards);
    }

    /// Enters a shard, set aside or not, and answers the record it replaces.
    pub(crate) fn insert(&mut self, id: ShardId, at: Location, aside_s: Option<u32>) -> Option<Location> {
        let old = self.remove(&id);
        self.shards.insert(id, at);
        if let Some(at_s) = aside_s {
            self.marks.set(id, Mark { aside: true, generation: 0, at_s, volume: at.place.volume });
        }
        if let Some(volume) = self.volumes.get_mut(&at.place.volume) {
            volume.shard_bytes += record_bytes(at.len);
        }
        self.count(&id);
        old
    }

    pub(crate) fn remove(&mut self, id: &ShardId) -> Option<Location> {
        self.discount(id);
        let old = self.shards.remove(id)?;
        self.marks.remove(id);
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

    /// Enters a mark of the record at `target`, if that is the one held and no later mark of it is known.
    pub(crate) fn mark(&mut self, id: ShardId, target: Place, mark: Mark) {
        let Some(held) = self.held(&id).filter(|held| held.at.place == target) else { return };
        if held.mark.is_none_or(|known| known.generation <= mark.generation) {
            self.discount(&id);
            self.marks.set(id, mark);
            self.count(&id);
        }
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

    /// Says that volume `number` has the newer copy of a record in volume `from`.
    pub(crate) fn count_copy(&mut self, number: u32, from: u32) {
        if number != from
            && self.volumes.contains_key(&from)
            && let Some(volume) = self.volumes.get_mut(&number)
        {
            volume.copies_of.insert(from);
        }
    }

    fn count(&mut self, id: &ShardId) {
        let Some(held) = self.held(id) else { return };
        let len = u64::from(held.at.len);
        if held.aside_s().is_some() {
            self.trash.shards += 1;
            self.trash.bytes += len;
        } else {
            self.digest = self.digest.wrapping_add(digest_of(id));
            self.held_bytes += len;
        }
        if let Some(volume) = self.marked_elsewhere(held) {
            volume.marks += 1;
        }
    }

    /// Takes back what `count` counted.
    fn discount(&mut self, id: &ShardId) {
        let Some(held) = self.held(id) else { return };
        let len = u64::from(held.at.len);
        if held.aside_s().is_some() {
            self.trash.shards -= 1;
            self.trash.bytes -= len;
        } else {
            self.digest = self.digest.wrapping_sub(digest_of(id));
            self.held_bytes -= len;
        }
        if let Some(volume) = self.marked_elsewhere(held) {
            volume.marks -= 1;
        }
    }

    /// The volume that a shard's mark is written in, if the shard is in another.
    fn marked_elsewhere(&mut self, held: Held) -> Option<&mut Volume> {
        let mark = held.mark.filter(|mark| mark.volume != held.at.place.volume)?;
        self.volumes.get_mut(&mark.volume)
    }
}

#[cfg(test)]
mod tests {
    use nodio_wire::api::set_digest;

    use super::super::record::SLOT_BYTES;

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
        ids.iter().enumerate().for_each(|(i, id)| assert!(index.insert(*id, at(1, i as u32 * 2, 100), None).is_none()));
        assert_eq!(index.digest(), set_digest(ids.iter().copied()));
        assert!(index.insert(ids[0], at(2, 0, 100), None).is_some());
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

    fn mark(aside: bool, generation: u16, volume: u32) -> Mark {
        Mark { aside, generation, at_s: 7, volume }
    }

    /// In whatever order the marks of a record are read, the one of the highest generation holds, and all counts follow.
    #[test]
    fn marks_hold_by_generation_and_the_counts_follow() {
        let id = ShardId::of(b"x");
        let marks = [mark(true, 1, 2), mark(false, 2, 1), mark(true, 3, 2)];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]] {
            let mut index = index(2);
            index.insert(id, at(1, 0, 100), None);
            for i in order {
                index.mark(id, at(1, 0, 100).place, marks[i]);
                index.mark(id, at(1, 9, 100).place, mark(false, 9, 2));
            }
            assert_eq!((index.held(&id).unwrap().aside_s(), index.len(), index.digest()), (Some(7), 0, 0));
            assert_eq!((index.trash(), index.held_bytes()), (Trash { shards: 1, bytes: 100 }, 0));
            assert_eq!(index.volume(2).unwrap().live_bytes(), SLOT_BYTES, "one mark is needed");
            index.mark(id, at(1, 0, 100).place, mark(false, 4, 1));
            assert_eq!((index.trash(), index.held_bytes(), index.digest()), (Trash::default(), 100, digest_of(&id)));
            assert!(!index.volume(2).unwrap().has_more() && index.marks().oldest().next().is_none());
            assert!(index.remove(&id).is_some());
            assert_eq!((index.held_bytes(), index.digest(), index.trash()), (0, 0, Trash::default()));
        }
    }

    #[test]
    fn a_volume_with_copies_is_pinned_until_what_they_were_copied_from_is_gone() {
        let mut index = index(3);
        index.count_copy(3, 1);
        index.count_copy(3, 3);
        index.count_copy(3, 99);
        assert!(index.volume(3).unwrap().is_pinned() && !index.volume(1).unwrap().is_pinned());
        assert_eq!(index.half_copied(), Some(1));
        index.drop_volume(1);
        assert!(!index.volume(3).unwrap().is_pinned());
        assert_eq!(index.half_copied(), None);
    }
}
