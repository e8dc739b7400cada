//! Turns waiting commands into runs of records: pure, nothing is written here.
//!
//! A run is what goes to one volume with one write and one sync. Records of a batch see the records planned before them
//! (`overlay`), so a put and a delete of the same shard in one batch mean what they would one after the other.

use std::collections::HashMap;

use bytes::Bytes;
use nodio_wire::{ShardId, UnixMs};

use super::index::{Index, Location};
use super::record::{HEADER_BYTES, Header, Kind, Place, SLOT_BYTES};
use super::{StoreError, Stored};

/// A shard on its way in, checked against its id, with the bytes that follow it.
#[derive(Debug)]
pub(crate) struct NewShard {
    pub(crate) id: ShardId,
    pub(crate) data: Bytes,
    pub(crate) trailer: Vec<u8>,
    pub(crate) stored_ms: UnixMs,
}

/// A record that compaction takes along.
#[derive(Debug)]
pub(crate) enum Moved {
    Shard { shard: NewShard, from: Place },
    Tombstone { id: ShardId, target: Place },
}

/// What the index learns once the run is durable.
#[derive(Debug)]
pub(crate) enum Change {
    Insert(ShardId, Location),
    Remove { id: ShardId, target: Place, tombstone_in: u32 },
    Tombstone { target: Place, tombstone_in: u32 },
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) header: [u8; HEADER_BYTES],
    pub(crate) data: Bytes,
    pub(crate) trailer: Vec<u8>,
    pub(crate) change: Change,
}

/// Records for one volume, one after the other from `start` on.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) volume: u32,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) entries: Vec<Entry>,
}

/// Bytes that may still be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// By puts: compaction's headroom and the disk's reserve are kept free of them.
    pub(crate) puts_bytes: u64,
    /// By deletes and compaction.
    pub(crate) any_bytes: u64,
}

/// Where the next record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) volume: u32,
    pub(crate) offset: u64,
}

pub(crate) struct Plan<'a> {
    index: &'a Index,
    overlay: HashMap<ShardId, Option<Location>>,
    cursor: Cursor,
    volume_bytes: u64,
    room: Room,
    pub(crate) runs: Vec<Run>,
}

impl<'a> Plan<'a> {
    /// Volumes grow up to `volume_bytes`; the next one's number is the cursor's plus one.
    pub(crate) fn new(index: &'a Index, cursor: Cursor, volume_bytes: u64, room: Room) -> Self {
        Self { index, overlay: HashMap::new(), cursor, volume_bytes, room, runs: Vec::new() }
    }

    pub(crate) fn put(&mut self, shard: NewShard) -> Result<Stored, StoreError> {
        if self.held(&shard.id).is_some() {
            return Ok(Stored::Already);
        }
        let bytes = (HEADER_BYTES + shard.data.len() + shard.trailer.len()) as u64;
        self.room.puts_bytes = self.room.puts_bytes.checked_sub(bytes).ok_or(StoreError::Full)?;
        self.shard(shard)?;
        Ok(Stored::New)
    }

    /// Deletes the shards that are held and answers how many those are.
    pub(crate) fn delete(&mut self, ids: &[ShardId]) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for id in ids {
            if let Some(location) = self.held(id) {
                self.tombstone(*id, location.place, |target, tombstone_in| Change::Remove { id: *id, target, tombstone_in })?;
                self.overlay.insert(*id, None);
                deleted += 1;
            }
        }
        Ok(deleted)
    }

    /// Deletes the record at `place` if it is still the one held.
    pub(crate) fn quarantine(&mut self, id: ShardId, place: Place) -> Result<u64, StoreError> {
        match self.held(&id) {
            Some(location) if location.place == place => self.delete(&[id]),
            _ => Ok(0),
        }
    }

    /// Writes a record anew unless it died meanwhile.
    pub(crate) fn relocate(&mut self, moved: Moved) -> Result<(), StoreError> {
        match moved {
            Moved::Shard { shard, from } => match self.held(&shard.id) {
                Some(location) if location.place == from => self.shard(shard),
                _ => Ok(()),
            },
            Moved::Tombstone { id, target } => {
                self.tombstone(id, target, |target, tombstone_in| Change::Tombstone { target, tombstone_in })
            }
        }
    }

    fn held(&self, id: &ShardId) -> Option<Location> {
        self.overlay.get(id).copied().unwrap_or_else(|| self.index.get(id))
    }

    fn shard(&mut self, shard: NewShard) -> Result<(), StoreError> {
        let NewShard { id, data, trailer, stored_ms } = shard;
        let len = u32::try_from(data.len()).map_err(|_| StoreError::TooLong)?;
        let header = Header { kind: Kind::Shard { len }, id, stored_ms };
        let place = self.place(header.record_bytes())?;
        let stored_s = u32::try_from(stored_ms / 1000).unwrap_or(u32::MAX);
        let location = Location { place, len, stored_s };
        self.overlay.insert(id, Some(location));
        self.push(Entry { header: header.encode(place), data, trailer, change: Change::Insert(id, location) });
        Ok(())
    }

    fn tombstone(&mut self, id: ShardId, target: Place, change: impl FnOnce(Place, u32) -> Change) -> Result<(), StoreError> {
        let place = self.place(SLOT_BYTES)?;
        let header = Header { kind: Kind::Tombstone { target }, id, stored_ms: 0 }.encode(place);
        self.push(Entry { header, data: Bytes::new(), trailer: Vec::new(), change: change(target, place.volume) });
        Ok(())
    }

    /// Takes room for a record, in a new volume if this one would grow too long.
    fn place(&mut self, bytes: u64) -> Result<Place, StoreError> {
        self.room.any_bytes = self.room.any_bytes.checked_sub(bytes).ok_or(StoreError::Full)?;
        if self.cursor.offset > 0 && self.cursor.offset + bytes > self.volume_bytes {
            self.cursor = Cursor { volume: self.cursor.volume + 1, offset: 0 };
        }
        if self.runs.last().is_none_or(|run| run.volume != self.cursor.volume) {
            let Cursor { volume, offset } = self.cursor;
            self.runs.push(Run { volume, start: offset, end: offset, entries: Vec::new() });
        }
        let place = Place::at(self.cursor.volume, self.cursor.offset);
        self.cursor.offset += bytes;
        place.ok_or(StoreError::Full)
    }

    fn push(&mut self, entry: Entry) {
        if let Some(run) = self.runs.last_mut() {
            run.end = self.cursor.offset;
            run.entries.push(entry);
        }
    }
}
