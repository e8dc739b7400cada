//! Builds the index at a start: from outlines, and from the headers of volumes that have none. After a clean stop every volume
//! has one, after a crash all but the newest.
//!
//! ```text
//!   [rec][rec][damaged][? ? ?][rec] .. [rec][torn
//!                      └ resync: the next valid header at 64-byte alignment   └ newest volume: cut off
//! ```
//! What a crash can have torn is the last batch of the newest volume, and nothing of it was acknowledged. There, and only
//! there, shards are checked against their hash: a torn one at the end is cut off, one before the end is overwritten with a
//! void. A record that appears twice is a compaction that was cut off: the older copy becomes a void, so that it can't come
//! back after the newer one is deleted, but only once the newer is seen to be whole; else that becomes the void. The newer one
//! says itself whether it is set aside; marks of the older are void with it.

use std::fs::File;
use std::io::{self, IoSlice};
use std::mem;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use nodio_wire::{ShardId, UnixMs};

use super::gather::{Condition, Gathered};
use super::index::{Index, Location};
use super::limits::DENSE_RECORD_BYTES;
use super::read::{self, ReadFault, is_unreadable};
use super::record::{HEADER_BYTES, Header, Kind, Place, SLOT_BYTES};
use super::{outline, volume};
use crate::limits::{RESYNC_WINDOW_BYTES, SCAN_WINDOW_BYTES, TAIL_BYTES};

/// What a disk loses at once.
const DISK_PAGE_BYTES: u64 = 4096;

/// Reads headers of one volume, in order, over whatever lies between them.
pub(crate) struct Headers<'a> {
    file: &'a File,
    number: u32,
    at: u64,
    end: u64,
    window: Bytes,
    window_at: u64,
    /// Reading all of it costs less than reading each header by itself: in litter, and where records are short.
    dense: bool,
    /// Something on the way could not be read: not torn, as far as is known.
    unreadable: bool,
}

impl<'a> Headers<'a> {
    /// The records of volume `number` that begin in `at..end`; `end` is the file's length.
    pub(crate) fn new(file: &'a File, number: u32, at: u64, end: u64) -> Self {
        Self { file, number, at, end, window: Bytes::new(), window_at: 0, dense: false, unreadable: false }
    }

    /// The next record that lies within the file whole.
    pub(crate) fn next(&mut self) -> io::Result<Option<(Place, Header)>> {
        while self.at + HEADER_BYTES as u64 <= self.end {
            if let Some((place, header)) = self.header()?
                && self.at + header.record_bytes() <= self.end
            {
                self.at += header.record_bytes();
                self.dense = header.record_bytes() < DENSE_RECORD_BYTES;
                return Ok(Some((place, header)));
            }
            self.at += SLOT_BYTES;
            self.dense = true;
        }
        Ok(None)
    }

    /// False if something on the way could not be read.
    pub(crate) fn is_whole(&self) -> bool {
        !self.unreadable
    }

    /// Where the next record is looked for.
    pub(crate) fn position(&self) -> u64 {
        self.at
    }

    fn header(&mut self) -> io::Result<Option<(Place, Header)>> {
        let Some(place) = Place::at(self.number, self.at) else { return Ok(None) };
        let inside = self.at >= self.window_at && self.at + HEADER_BYTES as u64 <= self.window_at + self.window.len() as u64;
        if !inside && !self.fill()? {
            return Ok(None);
        }
        let from = (self.at - self.window_at) as usize;
        let bytes = self.window[from..].first_chunk::<HEADER_BYTES>();
        Ok(bytes.and_then(|bytes| Header::decode(bytes, place)).map(|header| (place, header)))
    }
}

impl Headers<'_> {
    /// Reads the window at `at`. A page that the disk can't give back is stepped over, and false the answer.
    fn fill(&mut self) -> io::Result<bool> {
        let wanted = if self.dense { RESYNC_WINDOW_BYTES } else { SCAN_WINDOW_BYTES } as u64;
        let page = DISK_PAGE_BYTES - self.at % DISK_PAGE_BYTES;
        for len in [wanted, page] {
            match volume::read_at(self.file, len.min(self.end - self.at) as usize, self.at) {
                Ok(window) => {
                    (self.window, self.window_at) = (window, self.at);
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) if is_unreadable(&error) => self.unreadable = true,
                Err(error) => return Err(error),
            }
        }
        self.at += page - SLOT_BYTES;
        Ok(false)
    }
}

/// The index of a folder and where the writer goes on.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) index: Index,
    /// The newest volume.
    pub(crate) newest: Option<u32>,
    /// The latest time in any record, dead ones included.
    pub(crate) latest_ms: UnixMs,
}

/// Takes in every volume of `dir`, by its outline if that holds, and mends what a crash left.
pub(crate) fn load(dir: &Path, fsync: bool) -> io::Result<Loaded> {
    let numbers = volume::list(dir)?;
    outline::sweep(dir, &numbers)?;
    let newest = numbers.last().copied();
    let mut scan = Scan { dir, index: Index::default(), gathered: Gathered::default(), fsync };
    for number in numbers {
        scan.volume(number, Some(number) == newest)?;
    }
    let latest_ms = scan.gathered.latest_ms();
    Ok(Loaded { index: scan.settle()?, newest, latest_ms })
}

struct Scan<'a> {
    dir: &'a Path,
    index: Index,
    gathered: Gathered,
    fsync: bool,
}

impl Scan<'_> {
    fn volume(&mut self, number: u32, newest: bool) -> io::Result<()> {
        let file = Arc::new(volume::open(self.dir, number)?);
        let len = file.metadata()?.len();
        self.index.add_volume(number, file.clone());
        let mark = self.gathered.mark();
        if let Some(bytes) = outline::read(self.dir, number, &file, |place, header| self.gathered.add(place, &header)) {
            self.index.set_bytes(number, len);
            self.index.set_outline(number, len, bytes);
            return Ok(());
        }
        self.gathered.undo(mark);
        outline::remove(self.dir, number, self.fsync)?;
        self.headers(&file, number, len, newest)
    }

    fn headers(&mut self, file: &File, number: u32, len: u64, newest: bool) -> io::Result<()> {
        let tail = if newest { len.saturating_sub(TAIL_BYTES) } else { len };
        let mut headers = Headers::new(file, number, 0, len);
        let (mut torn, mut end) = (Vec::new(), 0);
        while let Some((place, header)) = headers.next()? {
            if place.offset() >= tail
                && let Some(len) = torn_len(file, place, &header)?
            {
                self.gathered.add_torn(place, len, header.id);
                torn.push((place, len, header));
                continue;
            }
            end = headers.position();
            self.gathered.add(place, &header);
        }
        if headers.unreadable && newest {
            // What can't be read just now is not known to be torn: nothing is cut off, and the writer goes on behind it.
            tracing::error!(volume = number, "the disk can't read all of the newest volume; it is left as it is");
            self.index.set_bytes(number, len.next_multiple_of(SLOT_BYTES));
            return Ok(());
        }
        if !newest {
            self.index.set_bytes(number, len);
            return Ok(());
        }
        for (place, len, header) in torn.iter().filter(|(place, ..)| place.offset() < end) {
            self.void(*place, *len, header.id, header.time_ms)?;
        }
        self.cut(file, number, len, end)
    }

    /// Fills the index, and turns copies of shards that must not come back into voids.
    fn settle(mut self) -> io::Result<Index> {
        let mut gathered = mem::take(&mut self.gathered);
        let superseded = gathered.keep_held(|id, at| self.look_at(id, at))?;
        gathered.fill(&mut self.index);
        for (newer, older) in superseded.copies {
            self.index.count_copy(newer, older);
        }
        for (id, Location { place, len, stored_s }) in superseded.voids {
            outline::remove(self.dir, place.volume, self.fsync)?;
            self.index.set_outline(place.volume, 0, 0);
            self.void(place, len, id, u64::from(stored_s) * 1000)?;
        }
        Ok(self.index)
    }

    fn look_at(&self, id: ShardId, at: Location) -> io::Result<Condition> {
        let Some(file) = self.index.file(at.place.volume) else { return Ok(Condition::Unknown) };
        match read::verify(&file, id, at) {
            Ok(()) => Ok(Condition::Whole),
            Err(ReadFault::Rotten) => Ok(Condition::Torn),
            Err(ReadFault::Io(error)) if is_unreadable(&error) => Ok(Condition::Unknown),
            Err(ReadFault::Io(error)) => Err(error),
        }
    }

    /// Overwrites a record in place: the one exception to appending, for records that nobody holds.
    fn void(&self, place: Place, len: u32, id: ShardId, time_ms: UnixMs) -> io::Result<()> {
        let Some(file) = self.index.file(place.volume) else { return Ok(()) };
        let void = Header { kind: Kind::Void { len }, id, time_ms }.encode(place);
        volume::write_all_at(&file, &mut [IoSlice::new(&void)], place.offset())?;
        if self.fsync { file.sync_data() } else { Ok(()) }
    }

    fn cut(&mut self, file: &File, number: u32, len: u64, end: u64) -> io::Result<()> {
        if end < len {
            tracing::info!(volume = number, bytes = len - end, "cut off the torn end of the newest volume");
            file.set_len(end)?;
        }
        // Also makes durable what the last process wrote and had no time to sync: from here on it counts as held.
        if self.fsync {
            file.sync_data()?;
        }
        self.index.set_bytes(number, end);
        Ok(())
    }
}

/// The length of a shard whose bytes are not its own.
fn torn_len(file: &File, place: Place, header: &Header) -> io::Result<Option<u32>> {
    let Kind::Shard { len, .. } = header.kind else { return Ok(None) };
    match read::whole(file, header.id, Location { place, len, stored_s: 0 }) {
        Ok(_) => Ok(None),
        Err(ReadFault::Rotten) => Ok(Some(len)),
        Err(ReadFault::Io(error)) if is_unreadable(&error) => Ok(None),
        Err(ReadFault::Io(error)) => Err(error),
    }
}
