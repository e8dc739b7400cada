//! Turns waiting commands into runs of records: pure, nothing is written here.
//!
//! A run is what goes to one volume with one write and one sync. Records of a batch see the records planned before them
//! (`overlay`), so a put and a delete of the same shard in one batch mean what they would one after the other.
//!
//! A run of whole blocks (see `direct`) has a pad before its first record, up to the next block, and one behind its last. Pads
//! take from the room of puts alone, and where that is short a run has none: what is kept free for compaction's copies stays so.

use std::collections::HashMap;

use bytes::Bytes;
use nodio_wire::{ShardId, UnixMs};

use super::direct::BLOCK_BYTES;
use super::index::{Held, Index, Location};
use super::record::{HEADER_BYTES, Header, Kind, Place, SLOT_BYTES, pad, seconds};
use super::trash::Mark;
use super::{StoreError, Stored};

/// A shard on its way in, checked against its id, with the bytes that follow it.
#[derive(Debug)]
pub(crate) struct NewShard {
    pub(crate) id: ShardId,
    pub(crate) data: Bytes,
    pub(crate) trailer: Vec<u8>,
    pub(crate) stored_ms: UnixMs,
}

/// A record that is written anew at the end.
#[derive(Debug)]
pub(crate) enum Moved {
    /// By compaction: the volume of `from` is about to go.
    Shard {
        shard: NewShard,
        from: Place,
    },
    /// By the scrub: the record at `from` is worn and the rest of its volume stays. A tombstone for it has to follow once this
    /// is durable.
    Mended {
        shard: NewShard,
        from: Place,
    },
    Tombstone {
        id: ShardId,
        target: Place,
    },
    /// The mark that holds of the shard at `target`.
    Mark {
        id: ShardId,
        target: Place,
    },
}

/// What the index learns once the run is durable.
#[derive(Debug)]
pub(crate) enum Change {
    /// `copied_from`: the volume of the older copy, if that has no tombstone and gets none.
    Insert {
        id: ShardId,
        at: Location,
        aside_s: Option<u32>,
        copied_from: Option<u32>,
    },
    Remove {
        id: ShardId,
        target: Place,
        tombstone_in: u32,
    },
    Tombstone {
        target: Place,
        tombstone_in: u32,
    },
    Mark {
        id: ShardId,
        target: Place,
        mark: Mark,
    },
    /// A pad.
    Nothing,
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
    /// Ends with a block and, if it doesn't begin with one, begins with a pad up to the next.
    pub(crate) blocks: bool,
    pub(crate) entries: Vec<Entry>,
}

/// Bytes that may still be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// By puts: compaction's headroom and the disk's reserve are kept free of them.
    pub(crate) puts_bytes: u64,
    /// By compaction's copies: up to the capacity. A volume is chosen only if all of its copies find room, which is then kept
    /// free of puts.
    pub(crate) copies_bytes: u64,
    /// What the disk takes. Deletes and marks have no other bound, so a store that is over its capacity can always shed.
    pub(crate) disk_bytes: u64,
}

/// What the pads of one run take at most.
const PADS_BYTES: u64 = 2 * BLOCK_BYTES;

/// Where the next record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) volume: u32,
    pub(crate) offset: u64,
}

pub(crate) struct Plan<'a> {
    index: &'a Index,
    overlay: HashMap<ShardId, Option<Held>>,
    cursor: Cursor,
    volume_bytes: u64,
    room: Room,
    blocks: bool,
    runs: Vec<Run>,
}

impl<'a> Plan<'a> {
    /// Volumes grow up to `volume_bytes`; the next one's number is the cursor's plus one.
    pub(crate) fn new(index: &'a Index, cursor: Cursor, volume_bytes: u64, room: Room) -> Self {
        Self { index, overlay: HashMap::new(), cursor, volume_bytes, room, blocks: false, runs: Vec::new() }
    }

    /// Makes runs of whole blocks where there is room to pad them.
    pub(crate) fn in_blocks(self, blocks: bool) -> Self {
        Self { blocks, ..self }
    }

    /// Runs that were planned so far; the last may yet grow.
    pub(crate) fn count(&self) -> usize {
        self.runs.len()
    }

    pub(crate) fn into_runs(mut self) -> Vec<Run> {
        self.end_run();
        self.runs
    }

    pub(crate) fn put(&mut self, shard: NewShard) -> Result<Stored, StoreError> {
        if let Some(held) = self.held(&shard.id) {
            if held.aside_s().is_some() {
                self.mark(shard.id, held, false, shard.stored_ms)?;
            }
            return Ok(Stored::Already);
        }
        let bytes = (HEADER_BYTES + shard.data.len() + shard.trailer.len()) as u64;
        self.room.puts_bytes = self.room.puts_bytes.checked_sub(bytes).ok_or(StoreError::Full)?;
        self.shard(shard, None, None)?;
        Ok(Stored::New)
    }

    /// Deletes the shards that are held and answers how many those are.
    pub(crate) fn delete(&mut self, ids: &[ShardId]) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for id in ids {
            if let Some(held) = self.held(id) {
                self.tombstone(*id, held.at.place, |target, tombstone_in| Change::Remove { id: *id, target, tombstone_in })?;
                self.overlay.insert(*id, None);
                deleted += 1;
            }
        }
        Ok(deleted)
    }

    /// Deletes the record at `place` if it is still the one held.
    pub(crate) fn quarantine(&mut self, id: ShardId, place: Place) -> Result<u64, StoreError> {
        match self.held(&id) {
            Some(held) if held.at.place == place => self.delete(&[id]),
            _ => Ok(0),
        }
    }

    /// Deletes those that were set aside before `before_s` and are still.
    pub(crate) fn discard(&mut self, ids: &[ShardId], before_s: u32) -> Result<u64, StoreError> {
        let is_due = |id: &ShardId| self.held(id).and_then(|held| held.aside_s()).is_some_and(|at_s| at_s < before_s);
        let due: Vec<ShardId> = ids.iter().filter(|id| is_due(id)).copied().collect();
        self.delete(&due)
    }

    /// Sets shards aside or takes them back out; answers how many were not yet as asked.
    pub(crate) fn mark_all(&mut self, ids: &[ShardId], aside: bool, now: UnixMs) -> Result<u64, StoreError> {
        let mut marked = 0;
        for id in ids {
            if let Some(held) = self.held(id).filter(|held| held.aside_s().is_some() != aside) {
                marked += u64::from(self.mark(*id, held, aside, now)?);
            }
        }
        Ok(marked)
    }

    /// Writes a record anew unless it died meanwhile.
    pub(crate) fn relocate(&mut self, moved: Moved) -> Result<(), StoreError> {
        match moved {
            Moved::Shard { shard, from } => self.copy(shard, from, Some(from.volume)),
            Moved::Mended { shard, from } => self.copy(shard, from, None),
            Moved::Tombstone { id, target } => {
                self.tombstone(id, target, |target, tombstone_in| Change::Tombstone { target, tombstone_in })
            }
            Moved::Mark { id, target } => match self.held(&id) {
                Some(Held { at, mark: Some(mark) }) if at.place == target => self.write_mark(id, at, mark),
                _ => Ok(()),
            },
        }
    }

    fn held(&self, id: &ShardId) -> Option<Held> {
        self.overlay.get(id).copied().unwrap_or_else(|| self.index.held(id))
    }

    /// Writes the shard at `from` anew, if it is still the one held; its header now says what its marks did.
    fn copy(&mut self, shard: NewShard, from: Place, copied_from: Option<u32>) -> Result<(), StoreError> {
        match self.held(&shard.id) {
            Some(held) if held.at.place == from => {
                let stored_ms = u64::from(held.since_s()) * 1000;
                self.shard(NewShard { stored_ms, ..shard }, held.aside_s(), copied_from)
            }
            _ => Ok(()),
        }
    }

    fn shard(&mut self, shard: NewShard, aside_s: Option<u32>, copied_from: Option<u32>) -> Result<(), StoreError> {
        let NewShard { id, data, trailer, stored_ms } = shard;
        let len = u32::try_from(data.len()).map_err(|_| StoreError::TooLong)?;
        let header = Header { kind: Kind::Shard { len, aside_s }, id, time_ms: stored_ms };
        let place = self.place(header.record_bytes())?;
        let at = Location { place, len, stored_s: header.time_s() };
        let mark = aside_s.map(|at_s| Mark { aside: true, generation: 0, at_s, volume: place.volume });
        self.overlay.insert(id, Some(Held { at, mark }));
        let change = Change::Insert { id, at, aside_s, copied_from };
        self.push(Entry { header: header.encode(place), data, trailer, change });
        Ok(())
    }

    /// False for a record that was marked so often that the last generation must be kept to take it back out.
    fn mark(&mut self, id: ShardId, held: Held, aside: bool, now: UnixMs) -> Result<bool, StoreError> {
        let last = held.mark.map_or(0, |mark| mark.generation);
        match last.checked_add(1).filter(|next| !aside || *next < u16::MAX) {
            Some(generation) => {
                let mark = Mark { aside, generation, at_s: seconds(now).max(1), volume: 0 };
                self.write_mark(id, held.at, mark).map(|()| true)
            }
            None => Ok(false),
        }
    }

    /// Writes a mark, for the first time or anew.
    fn write_mark(&mut self, id: ShardId, at: Location, mark: Mark) -> Result<(), StoreError> {
        let place = self.place(SLOT_BYTES)?;
        let (target, mark) = (at.place, Mark { volume: place.volume, ..mark });
        let kind = Kind::Mark { target, aside: mark.aside, generation: mark.generation };
        let header = Header { kind, id, time_ms: u64::from(mark.at_s) * 1000 }.encode(place);
        self.overlay.insert(id, Some(Held { at, mark: Some(mark) }));
        self.push(Entry { header, data: Bytes::new(), trailer: Vec::new(), change: Change::Mark { id, target, mark } });
        Ok(())
    }

    fn tombstone(&mut self, id: ShardId, target: Place, change: impl FnOnce(Place, u32) -> Change) -> Result<(), StoreError> {
        let place = self.place(SLOT_BYTES)?;
        let header = Header { kind: Kind::Tombstone { target }, id, time_ms: 0 }.encode(place);
        self.push(Entry { header, data: Bytes::new(), trailer: Vec::new(), change: change(target, place.volume) });
        Ok(())
    }

    /// Takes room for a record, in a new volume if this one would grow too long.
    fn place(&mut self, bytes: u64) -> Result<Place, StoreError> {
        self.room.disk_bytes = self.room.disk_bytes.checked_sub(bytes).ok_or(StoreError::Full)?;
        let lead = if self.begins_run() && self.has_room_for_pads() { to_block(self.cursor.offset) } else { 0 };
        if self.cursor.offset > 0 && self.cursor.offset + lead + bytes > self.volume_bytes {
            self.end_run();
            self.cursor = Cursor { volume: self.cursor.volume + 1, offset: 0 };
        }
        if self.begins_run() {
            self.begin_run();
        }
        let place = Place::at(self.cursor.volume, self.cursor.offset);
        self.cursor.offset += bytes;
        place.ok_or(StoreError::Full)
    }

    /// True if the next record is the first of this batch in its volume.
    fn begins_run(&self) -> bool {
        self.runs.last().is_none_or(|run| run.volume != self.cursor.volume)
    }

    fn has_room_for_pads(&self) -> bool {
        self.blocks && self.room.puts_bytes.min(self.room.disk_bytes) >= PADS_BYTES
    }

    fn begin_run(&mut self) {
        let Cursor { volume, offset } = self.cursor;
        let blocks = self.has_room_for_pads();
        if blocks {
            self.room.puts_bytes -= PADS_BYTES;
            self.room.disk_bytes -= PADS_BYTES;
        }
        self.runs.push(Run { volume, start: offset, end: offset, blocks, entries: Vec::new() });
        self.pad();
    }

    fn end_run(&mut self) {
        if !self.begins_run() {
            self.pad();
        }
    }

    /// Fills a run of whole blocks up to the next one.
    fn pad(&mut self) {
        let Cursor { volume, offset } = self.cursor;
        let blocks = self.runs.last().is_some_and(|run| run.blocks);
        let bytes = if blocks { to_block(offset) } else { 0 };
        if let Some((place, (header, zeros))) = Place::at(volume, offset).zip(pad(bytes)) {
            self.cursor.offset += bytes;
            self.push(Entry { header: header.encode(place), data: zeros, trailer: Vec::new(), change: Change::Nothing });
        }
    }

    fn push(&mut self, entry: Entry) {
        if let Some(run) = self.runs.last_mut() {
            run.end = self.cursor.offset;
            run.entries.push(entry);
        }
    }
}

/// Bytes from `offset` to the next block.
fn to_block(offset: u64) -> u64 {
    offset.next_multiple_of(BLOCK_BYTES) - offset
}
