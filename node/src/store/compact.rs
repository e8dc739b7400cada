//! Gets back the room of dead records: copies what is live out of one volume at a time, a few MiB a step, and unlinks it.
//!
//! Copies go through the writer like puts, so a shard that is deleted or dropped meanwhile is not brought back, and are
//! verified on the way: compaction never spreads rot. A tombstone is taken along only while the volume of the record it kills
//! is there. What was copied when the process stops is copied again later, and the next start turns the doubled records into
//! voids.

use std::fs::File;
use std::io;

use nodio_wire::ShardId;

use super::index::{Index, Location, Volume};
use super::plan::{Moved, NewShard, Room};
use super::read::{self, ReadFault};
use super::record::{self, Header, Kind, Place};
use super::scan::Headers;
use super::writer::Command;
use super::{Store, StoreError, off_thread};
use crate::limits::{COMPACT_STEP_BYTES, COMPACT_STEP_RECORDS, SHARD_MAX_BYTES};

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
        let Some((number, from)) = self.current.or_else(|| self.choose().map(|number| (number, 0))) else { return Ok(false) };
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
        } else if self.store.shared.index().volume(number).is_some_and(|volume| volume.shard_bytes > 0) {
            self.current = Some((number, STRAGGLERS));
        } else {
            self.store.ask(|reply| Command::DropVolume(number, reply)).await?;
            tracing::debug!(volume = number, "compacted");
        }
        Ok(true)
    }

    fn choose(&self) -> Option<u32> {
        let options = &self.store.shared.options;
        let index = self.store.shared.index();
        let room = options.room(index.used_bytes());
        choose(&index, room, options.capacity_bytes)
    }
}

/// The volume most worth compacting: under half live, or, when room runs short, with an eighth dead. Never the newest.
fn choose(index: &Index, room: Room, capacity_bytes: u64) -> Option<u32> {
    let newest = index.volumes().map(|(number, _)| number).max()?;
    let short = room.puts_bytes < capacity_bytes / 10;
    let worth = |volume: &Volume| {
        let dead = volume.bytes.saturating_sub(volume.live_bytes());
        dead * 2 > volume.bytes || (short && dead * 8 > volume.bytes) || volume.bytes == 0
    };
    let fits = |volume: &Volume| volume.live_bytes() <= room.any_bytes;
    let worthy = index.volumes().filter(|(number, volume)| *number != newest && worth(volume) && fits(volume));
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

/// Shards of the volume that its headers no longer tell of.
fn gather_stragglers(store: &Store, file: &File, number: u32) -> io::Result<Found> {
    let mut found = Found { done: true, ..Found::default() };
    let some = store.shared.index().held_in(number, COMPACT_STEP_BYTES / SHARD_MAX_BYTES as usize);
    for (id, location) in some {
        keep_shard(file, id, location, &mut found)?;
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
