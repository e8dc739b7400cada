//! What the records of all volumes say, taken in as they lie and put together at the end: sorting once costs a fraction of
//! entering each shard where it belongs.
//!
//! Of a shard that appears more than once, the last record counts, dead or not; those before it that have no tombstone are
//! superseded. Tombstones and marks only speak of records before them.

use std::collections::HashSet;

use nodio_wire::{ShardId, UnixMs};

use super::index::{Index, Location};
use super::record::{Header, Kind, Place};
use super::trash::Mark;

#[derive(Debug, Default)]
pub(crate) struct Gathered {
    shards: Vec<(ShardId, Location)>,
    marks: Vec<(ShardId, Place, Mark)>,
    /// The volume that each is in, and the record it kills.
    tombstones: Vec<(u32, Place)>,
    latest_ms: UnixMs,
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
        let Self { shards, marks, tombstones, latest_ms } = self;
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

    /// Fills an index that knows the volumes, and answers the records that are superseded.
    pub(crate) fn fill(mut self, index: &mut Index) -> Vec<(ShardId, Location)> {
        let dead = self.tombstones.iter().map(|(_, target)| *target).collect();
        let superseded = keep_held(&mut self.shards, &dead);
        drop(dead);
        index.fill(self.shards);
        for (id, target, mark) in self.marks {
            index.mark(id, target, mark);
        }
        for (volume, target) in self.tombstones {
            index.count_tombstone(volume, target.volume);
        }
        superseded
    }
}

/// Leaves the shards that are held, ascending; answers the superseded ones.
fn keep_held(shards: &mut Vec<(ShardId, Location)>, dead: &HashSet<Place>) -> Vec<(ShardId, Location)> {
    shards.sort_unstable_by(|(a, at), (b, other)| a.cmp(b).then_with(|| at.place.cmp(&other.place)));
    let (mut superseded, mut kept) = (Vec::new(), 0);
    for i in 0..shards.len() {
        let shard = shards[i];
        let is_last = shards.get(i + 1).is_none_or(|(next, _)| *next != shard.0);
        match (dead.contains(&shard.1.place), is_last) {
            (true, _) => {}
            (false, false) => superseded.push(shard),
            (false, true) => {
                shards[kept] = shard;
                kept += 1;
            }
        }
    }
    shards.truncate(kept);
    superseded
}
