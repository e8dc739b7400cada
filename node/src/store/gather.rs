//! What the records of all volumes say, taken in as they lie and put together at the end: sorting once costs a fraction of
//! entering each shard where it belongs.
//!
//! Of a shard that appears more than once, the last record counts, dead or not, unless it turns out to be torn; those before it
//! that have no tombstone are superseded. Tombstones and marks only speak of records before them.

use std::collections::HashSet;
use std::io;

use nodio_wire::{ShardId, UnixMs};

use super::index::{Index, Location};
use super::record::{Header, Kind, Place};
use super::trash::Mark;

/// One record of a shard.
type Record = (ShardId, Location);

#[derive(Debug, Default)]
pub(crate) struct Gathered {
    shards: Vec<Record>,
    torn: HashSet<Place>,
    marks: Vec<(ShardId, Place, Mark)>,
    /// The volume that each is in, and the record it kills.
    tombstones: Vec<(u32, Place)>,
    latest_ms: UnixMs,
}

/// What a copy turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Whole,
    Torn,
    /// The disk can't read it just now.
    Unknown,
}

/// What becomes of copies that are not held.
#[derive(Debug, Default)]
pub(crate) struct Superseded {
    /// To be made voids: they would come back once the one that is held is deleted.
    pub(crate) voids: Vec<Record>,
    /// Which of two is whole can't be known just now, so both stay: the volumes of the newer and of the older.
    pub(crate) copies: Vec<(u32, u32)>,
}

/// A moment to go back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    shards: usize,
    marks: usize,
    tombstones: usize,
    latest_ms: UnixMs,
}

impl Gathered {
    pub(crate) fn latest_ms(&self) -> UnixMs {
        self.latest_ms
    }

    pub(crate) fn mark(&self) -> Moment {
        let Self { shards, marks, tombstones, latest_ms, torn: _ } = self;
        Moment { shards: shards.len(), marks: marks.len(), tombstones: tombstones.len(), latest_ms: *latest_ms }
    }

    /// Forgets what was added since.
    pub(crate) fn undo(&mut self, to: Moment) {
        self.shards.truncate(to.shards);
        self.marks.truncate(to.marks);
        self.tombstones.truncate(to.tombstones);
        self.latest_ms = to.latest_ms;
    }

    /// The next record, in the order of the volumes and of their bytes.
    pub(crate) fn add(&mut self, place: Place, header: &Header) {
        self.latest_ms = self.latest_ms.max(header.time_ms);
        match header.kind {
            Kind::Shard { len, aside_s } => {
                self.shards.push((header.id, Location { place, len, stored_s: header.time_s() }));
                if let Some(at_s) = aside_s {
                    self.marks.push((header.id, place, Mark { aside: true, generation: 0, at_s, volume: place.volume }));
                }
            }
            Kind::Mark { target, aside, generation } if target < place => {
                let mark = Mark { aside, generation, at_s: header.time_s(), volume: place.volume };
                self.marks.push((header.id, target, mark));
            }
            Kind::Tombstone { target } if target < place => self.tombstones.push((place.volume, target)),
            Kind::Mark { .. } | Kind::Tombstone { .. } | Kind::Void { .. } => {}
        }
    }

    /// A shard whose bytes are not its own. Nobody holds it, but whoever deleted it meant the copies before it too.
    pub(crate) fn add_torn(&mut self, place: Place, len: u32, id: ShardId) {
        self.shards.push((id, Location { place, len, stored_s: 0 }));
        self.torn.insert(place);
    }

    /// Leaves the shards that are held, ascending, and answers what becomes of their other copies. Of a shard that is there more than
    /// once `look_at` tells what the newer copy is worth: with `fsync` off the power may have gone before its bytes were on the disk.
    pub(crate) fn keep_held(
        &mut self,
        mut look_at: impl FnMut(ShardId, Location) -> io::Result<Condition>,
    ) -> io::Result<Superseded> {
        let dead: HashSet<Place> = self.tombstones.iter().map(|(_, target)| *target).collect();
        self.shards.sort_unstable_by(|(a, at), (b, other)| a.cmp(b).then_with(|| at.place.cmp(&other.place)));
        let (mut superseded, mut kept, mut start) = (Superseded::default(), 0, 0);
        while let Some((id, _)) = self.shards.get(start) {
            let copies = self.shards[start..].iter().take_while(|(other, _)| other == id).count();
            let group = &self.shards[start..start + copies];
            start += copies;
            if let Some(held) = choose(group, &dead, &self.torn, &mut look_at, &mut superseded)? {
                self.shards[kept] = held;
                kept += 1;
            }
        }
        self.shards.truncate(kept);
        Ok(superseded)
    }

    /// Fills an index that knows the volumes.
    pub(crate) fn fill(self, index: &mut Index) {
        index.fill(self.shards);
        for (id, target, mark) in self.marks {
            index.mark(id, target, mark);
        }
        for (volume, target) in self.tombstones {
            index.count_tombstone(volume, target.volume);
        }
    }
}

/// Which of the records of one shard is held, the last in `group` being the newest.
fn choose(
    mut group: &[Record],
    dead: &HashSet<Place>,
    torn: &HashSet<Place>,
    look_at: &mut impl FnMut(ShardId, Location) -> io::Result<Condition>,
    superseded: &mut Superseded,
) -> io::Result<Option<Record>> {
    let is_dead = |(_, at): &Record| dead.contains(&at.place);
    let is_torn = |(_, at): &Record| torn.contains(&at.place);
    while let [older @ .., last] = group
        && is_torn(last)
        && !is_dead(last)
    {
        group = older;
    }
    let mut alive = group.iter().filter(|copy| !is_dead(copy) && !is_torn(copy)).copied().collect::<Vec<_>>();
    if group.last().is_some_and(is_dead) {
        superseded.voids.append(&mut alive);
    }
    while let Some(newest) = alive.pop() {
        if alive.is_empty() {
            return Ok(Some(newest));
        }
        match look_at(newest.0, newest.1)? {
            Condition::Whole => superseded.voids.append(&mut alive),
            Condition::Unknown => {
                superseded.copies.extend(alive.drain(..).map(|(_, at)| (newest.1.place.volume, at.place.volume)));
            }
            Condition::Torn => {
                superseded.voids.push(newest);
                continue;
            }
        }
        return Ok(Some(newest));
    }
    Ok(None)
}
