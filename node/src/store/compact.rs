//! Gets back the room of dead records: copies what is live out of one volume at a time, a few MiB a step, and unlinks it.
//!
//! Copies go through the writer like puts, so a shard that is deleted or dropped meanwhile is not brought back, and are
//! verified on the way: compaction never spreads rot. A tombstone is taken along only while the volume of the record it kills
//! is there, a mark only while it holds; the copy of a shard says in its own header whether it is set aside. What was copied
//! when the process stops is copied again later, and the next start turns the doubled records into voids; until then no volume
//! goes that has the newer of two copies.
//!
//! When room runs short and nothing is worth compacting, what was set aside longest ago is deleted, which makes something worth
//! it. A store that holds more than its capacity, because that was lowered, is compacted as soon as little is dead; for that
//! the copies of one volume may go beyond the capacity, as far as the disk has room.

use std::fs::File;
use std::io;
use std::sync::atomic::Ordering;

use nodio_wire::ShardId;

use super::command::Command;
use super::index::{Index, Location, Volume};
use super::limits::OVERFULL_DEAD_PART;
use super::plan::{Moved, NewShard, Room};
use super::read::{self, ReadFault};
use super::record::{self, Header, Kind, Place, record_bytes};
use super::scan::Headers;
use super::{Store, StoreError, off_thread};
use crate::limits::{COMPACT_STEP_BYTES, COMPACT_STEP_RECORDS, DELETE_IDS, SHARD_MAX_BYTES};

/// A position past every record: what the index still names is looked for by its place, for the header on disk may be damaged.
const STRAGGLERS: u64 = u64::MAX;

/// Compaction of one store. Its state is only where it is; losing that loses nothing.
pub(crate) struct Compactor {
    store: Store,
    current: Option<(u32, u64)>,
}

/// What one step found in a volume.
#[derive(Default)]
struct Found {
    live: Vec<Moved>,
    rotten: Vec<(ShardId, Place)>,
    next: u64,
    done: bool,
}

impl Compactor {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, current: None }
    }

    /// One bounded step; true if there is more to do.
    pub(crate) async fn step(&mut self) -> Result<bool, StoreError> {
        let Some((number, from)) = self.current.or_else(|| self.choose().map(|number| (number, 0))) else {
            return self.make_room().await;
        };
        self.current = None;
        let store = self.store.clone();
        let found = off_thread(move || gather(&store, number, from)).await?.map_err(|error| StoreError::Io(error.to_string()))?;
        for (id, place) in found.rotten {
            self.store.quarantine(id, place).await;
        }
        if !found.live.is_empty() {
            self.store.ask(|reply| Command::Relocate(found.live, reply)).await?;
        }
        if !found.done {
            self.current = Some((number, found.next));
        } else if self.store.shared.index().volume(number).is_some_and(Volume::has_more) {
            self.current = Some((number, STRAGGLERS));
        } else {
            self.store.ask(|reply| Command::DropVolume(number, reply)).await?;
            tracing::debug!(volume = number, "compacted");
        }
        Ok(true)
    }

    fn choose(&self) -> Option<u32> {
        let shared = &self.store.shared;
        let index = shared.index();
        shared.copying_bytes.store(0, Ordering::Relaxed);
        let chosen = choose(&index, shared.room(index.used_bytes()), shared.options.capacity_bytes);
        let copies = chosen.and_then(|number| index.volume(number)).map_or(0, Volume::live_bytes);
        shared.copying_bytes.store(copies, Ordering::Relaxed);
        chosen
    }

    /// Deletes what was set aside longest ago, if puts are about to find no room; true if it did.
    async fn make_room(&self) -> Result<bool, StoreError> {
        let oldest = {
            let shared = &self.store.shared;
            let index = shared.index();
            gives_way(&index, shared.room(index.used_bytes()), shared.options.headroom_bytes())
        };
        Ok(!oldest.is_empty() && self.store.discard(&oldest, u32::MAX).await? > 0)
    }
}

/// About `wanted_bytes` of what was set aside longest ago, if puts have less room than that.
fn gives_way(index: &Index, room: Room, wanted_bytes: u64) -> Vec<ShardId> {
    let mut missing = wanted_bytes.saturating_sub(room.puts_bytes);
    let mut oldest = Vec::new();
    for (_, id) in index.marks().oldest().take(DELETE_IDS) {
        if missing == 0 {
            break;
        }
        missing = missing.saturating_sub(index.get(&id).map_or(0, |at| record_bytes(at.len)));
        oldest.push(id);
    }
    oldest
}

/// The volume most worth compacting: under half live, or, when room runs short, with an eighth dead, or less in a store beyond
/// its capacity. Never the newest. One that was left half copied comes first, for it pins others.
fn choose(index: &Index, room: Room, capacity_bytes: u64) -> Option<u32> {
    let newest = index.newest()?;
    let short = room.puts_bytes < capacity_bytes / 10;
    let over = index.used_bytes() > capacity_bytes;
    let worth = |volume: &Volume| {
        let dead = volume.bytes.saturating_sub(volume.live_bytes());
        let part = if over { OVERFULL_DEAD_PART } else { 8 };
        dead * 2 > volume.bytes || (short && dead * part > volume.bytes) || volume.bytes == 0
    };
    let half_copied = index.half_copied().and_then(|number| index.volume(number).map(|volume| (number, volume)));
    if let Some((number, _)) = half_copied.filter(|(_, volume)| volume.live_bytes() <= room.disk_bytes) {
        return Some(number);
    }
    let may_go = |volume: &Volume| !volume.is_pinned() && volume.live_bytes() <= room.copies_bytes;
    let worthy = index.volumes().filter(|(number, volume)| *number != newest && worth(volume) && may_go(volume));
    worthy.min_by_key(|(_, volume)| volume.live_bytes().saturating_mul(1000) / volume.bytes.max(1)).map(|(number, _)| number)
}

/// Reads the next records of a volume and keeps what must live on.
fn gather(store: &Store, number: u32, from: u64) -> io::Result<Found> {
    let Some((file, end)) = store.shared.index().volume(number).map(|volume| (volume.file.clone(), volume.bytes)) else {
        return Ok(Found { done: true, ..Found::default() });
    };
    if from == STRAGGLERS {
        return gather_stragglers(store, &file, number);
    }
    let mut headers = Headers::new(&file, number, from, end);
    let (mut found, mut bytes, mut records) = (Found::default(), 0, 0);
    while bytes < COMPACT_STEP_BYTES && records < COMPACT_STEP_RECORDS {
        let Some((place, header)) = headers.next()? else {
            found.done = true;
            break;
        };
        records += 1;
        bytes += keep(store, &file, place, &header, &mut found)?;
    }
    found.next = headers.position();
    Ok(found)
}

/// Shards and marks of the volume that its headers no longer tell of.
fn gather_stragglers(store: &Store, file: &File, number: u32) -> io::Result<Found> {
    let mut found = Found { done: true, ..Found::default() };
    let some = store.shared.index().held_in(number, COMPACT_STEP_BYTES / SHARD_MAX_BYTES as usize);
    for (id, location) in some {
        keep_shard(file, id, location, &mut found)?;
    }
    if found.live.is_empty() {
        let index = store.shared.index();
        let marks = index.marks().written_in(number, COMPACT_STEP_RECORDS);
        let targets = marks.iter().filter_map(|(id, _)| index.get(id).map(|at| (*id, at.place)));
        found.live.extend(targets.map(|(id, target)| Moved::Mark { id, target }));
    }
    Ok(found)
}

/// Adds the record to `found` if it is live; answers the bytes read for it.
fn keep(store: &Store, file: &File, place: Place, header: &Header, found: &mut Found) -> io::Result<usize> {
    match header.kind {
        Kind::Shard { .. } => {
            let held = store.shared.index().get(&header.id).filter(|location| location.place == place);
            held.map_or(Ok(0), |location| keep_shard(file, header.id, location, found))
        }
        Kind::Tombstone { target } => {
            let needed = target.volume != place.volume && store.shared.index().volume(target.volume).is_some();
            if needed {
                found.live.push(Moved::Tombstone { id: header.id, target });
            }
            Ok(0)
        }
        Kind::Mark { target, generation, .. } => {
            let held = store.shared.index().held(&header.id).filter(|held| held.at.place == target);
            let holds =
                held.and_then(|held| held.mark).filter(|mark| (mark.generation, mark.volume) == (generation, place.volume));
            // The mark of a shard in this very volume becomes part of the shard's copy.
            if holds.is_some() && target.volume != place.volume {
                found.live.push(Moved::Mark { id: header.id, target });
            }
            Ok(0)
        }
        Kind::Void { .. } => Ok(0),
    }
}

fn keep_shard(file: &File, id: ShardId, location: Location, found: &mut Found) -> io::Result<usize> {
    match read::whole(file, id, location) {
        Ok(data) => {
            let trailer = record::trailer(&data);
            let shard = NewShard { id, data, trailer, stored_ms: u64::from(location.stored_s) * 1000 };
            found.live.push(Moved::Shard { shard, from: location.place });
        }
        Err(ReadFault::Rotten) => found.rotten.push((id, location.place)),
        Err(ReadFault::Io(error)) => return Err(error),
    }
    Ok(location.len as usize)
}
