//! Builds the index from the volumes at a start, reading headers only.
//!
//! ```text
//!   [rec][rec][damaged][? ? ?][rec] .. [rec][torn
//!                      └ resync: the next valid header at 64-byte alignment   └ newest volume: cut off
//! ```
//! What a crash can have torn is the last batch of the newest volume, and nothing of it was acknowledged. There, and only
//! there, shards are checked against their hash: a torn one at the end is cut off, one before the end is overwritten with a
//! void. A record that appears twice is a compaction that was cut off: the older copy becomes a void, so that it can't come
//! back after the newer one is deleted.

use std::fs::File;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::index::{Index, Location};
use super::read::{self, ReadFault, is_lost};
use super::record::{HEADER_BYTES, Header, Kind, Place, SLOT_BYTES};
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
}

impl<'a> Headers<'a> {
    /// The records of volume `number` that begin in `at..end`; `end` is the file's length.
    pub(crate) fn new(file: &'a File, number: u32, at: u64, end: u64) -> Self {
        Self { file, number, at, end, window: Bytes::new(), window_at: 0, lost: false }
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
                Err(error) if is_lost(&error) => {}
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
}

/// Reads every volume of `dir` and mends what a crash left.
pub(crate) fn load(dir: &Path, fsync: bool) -> io::Result<Loaded> {
    let numbers = volume::list(dir)?;
    let newest = numbers.last().copied();
    let mut scan = Scan { index: Index::default(), fsync };
    for number in numbers {
        scan.volume(dir, number, Some(number) == newest)?;
    }
    Ok(Loaded { index: scan.index, newest })
}

struct Scan {
    index: Index,
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
            if place.offset() >= tail && !is_whole(&file, place, &header)? {
                torn.push((place, header));
                continue;
            }
            end = headers.position();
            self.apply(place, &header)?;
        }
        if !newest {
            self.index.set_bytes(number, len);
            return Ok(());
        }
        self.void(torn.into_iter().filter(|(place, _)| place.offset() < end))?;
        self.cut(&file, number, len, end)
    }

    fn apply(&mut self, place: Place, header: &Header) -> io::Result<()> {
        match header.kind {
            Kind::Shard { len } => {
                let stored_s = u32::try_from(header.stored_ms / 1000).unwrap_or(u32::MAX);
                let old = self.index.insert(header.id, Location { place, len, stored_s });
                self.void(old.map(|old| (old.place, Header { kind: Kind::Shard { len: old.len }, ..*header })))
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
    fn void(&self, records: impl IntoIterator<Item = (Place, Header)>) -> io::Result<()> {
        for (place, header) in records {
            let Kind::Shard { len } = header.kind else { continue };
            let Some(file) = self.index.file(place.volume) else { continue };
            let void = Header { kind: Kind::Void { len }, ..header }.encode(place);
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

/// False for a shard whose bytes are not its own.
fn is_whole(file: &File, place: Place, header: &Header) -> io::Result<bool> {
    let Kind::Shard { len } = header.kind else { return Ok(true) };
    match read::whole(file, header.id, Location { place, len, stored_s: 0 }) {
        Ok(_) => Ok(true),
        Err(ReadFault::Rotten) => Ok(false),
        Err(ReadFault::Io(error)) => Err(error),
    }
}
