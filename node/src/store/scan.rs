//! Builds the index from the volumes at a start, reading headers only.
//!
//! ```text
//!   [rec][rec][damaged][? ? ?][rec] .. [rec][torn
//!                      └ resync: the next valid header at 64-byte alignment   └ newest volume: cut off
//! ```
//! What a crash can have torn is the last batch of the newest volume, and nothing of it was acknowledged. There, and only
//! there, shards are checked against their hash: a torn one at the end is cut off, one before the end is overwritten with a
//! void. A record that appears twice is a compaction that was cut off: the older copy becomes a void, so that it can't come
//! back after the newer one is deleted. The newer one says itself whether it is set aside; marks of the older are void with it.

use std::fs::File;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use nodio_wire::UnixMs;

use super::index::{Index, Location};
use super::read::{self, ReadFault, is_unreadable};
use super::record::{HEADER_BYTES, Header, Kind, Place, SLOT_BYTES};
use super::trash::Mark;
use super::volume;
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
    lost: bool,
    /// Something on the way could not be read: not torn, as far as is known.
    unreadable: bool,
}

impl<'a> Headers<'a> {
    /// The records of volume `number` that begin in `at..end`; `end` is the file's length.
    pub(crate) fn new(file: &'a File, number: u32, at: u64, end: u64) -> Self {
        Self { file, number, at, end, window: Bytes::new(), window_at: 0, lost: false, unreadable: false }
    }

    /// The next record that lies within the file whole.
    pub(crate) fn next(&mut self) -> io::Result<Option<(Place, Header)>> {
        while self.at + HEADER_BYTES as u64 <= self.end {
            if let Some((place, header)) = self.header()?
                && self.at + header.record_bytes() <= self.end
            {
                self.at += header.record_bytes();
                self.lost = false;
                return Ok(Some((place, header)));
            }
            self.at += SLOT_BYTES;
            self.lost = true;
        }
        Ok(None)
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
        let wanted = if self.lost { RESYNC_WINDOW_BYTES } else { SCAN_WINDOW_BYTES } as u64;
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

/// Reads every volume of `dir` and mends what a crash left.
pub(crate) fn load(dir: &Path, fsync: bool) -> io::Result<Loaded> {
    let numbers = volume::list(dir)?;
    let newest = numbers.last().copied();
    let mut scan = Scan { index: Index::default(), latest_ms: 0, fsync };
    for number in numbers {
        scan.volume(dir, number, Some(number) == newest)?;
    }
    Ok(Loaded { index: scan.index, newest, latest_ms: scan.latest_ms })
}

struct Scan {
    index: Index,
    latest_ms: UnixMs,
    fsync: bool,
}

impl Scan {
    fn volume(&mut self, dir: &Path, number: u32, newest: bool) -> io::Result<()> {
        let file = Arc::new(volume::open(dir, number)?);
        let len = file.metadata()?.len();
        self.index.add_volume(number, file.clone());
        let tail = if newest { len.saturating_sub(TAIL_BYTES) } else { len };
        let mut headers = Headers::new(&file, number, 0, len);
        let (mut torn, mut end) = (Vec::new(), 0);
        while let Some((place, header)) = headers.next()? {
            if place.offset() >= tail
                && let Some(len) = torn_len(&file, place, &header)?
            {
                torn.push((place, len, header));
                continue;
            }
            end = headers.position();
            self.apply(place, &header)?;
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
        let inside = torn.iter().filter(|(place, ..)| place.offset() < end);
        self.void(inside.map(|(place, len, header)| (*place, *len, header)))?;
        self.cut(&file, number, len, end)
    }

    fn apply(&mut self, place: Place, header: &Header) -> io::Result<()> {
        self.latest_ms = self.latest_ms.max(header.time_ms);
        match header.kind {
            Kind::Shard { len, aside_s } => {
                let old = self.index.insert(header.id, Location { place, len, stored_s: header.time_s() }, aside_s);
                self.void(old.map(|old| (old.place, old.len, header)))
            }
            Kind::Mark { target, aside, generation } => {
                let mark = Mark { aside, generation, at_s: header.time_s(), volume: place.volume };
                self.index.mark(header.id, target, mark);
                Ok(())
            }
            Kind::Tombstone { target } => {
                self.index.remove_at(&header.id, target);
                self.index.count_tombstone(place.volume, target.volume);
                Ok(())
            }
            Kind::Void { .. } => Ok(()),
        }
    }

    /// Overwrites records in place: the one exception to appending, for records that nobody holds.
    fn void<'a>(&self, records: impl IntoIterator<Item = (Place, u32, &'a Header)>) -> io::Result<()> {
        for (place, len, header) in records {
            let Some(file) = self.index.file(place.volume) else { continue };
            let void = Header { kind: Kind::Void { len }, ..*header }.encode(place);
            volume::write_all_at(&file, &mut [IoSlice::new(&void)], place.offset())?;
            if self.fsync {
                file.sync_data()?;
            }
        }
        Ok(())
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
