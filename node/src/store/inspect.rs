//! One step of the scrub: reads records in the order they lie, and says which are rotten and which are worn.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::{Bound, Range};
use std::sync::Arc;

use nodio_wire::ShardId;
use rustix::fs::Advice;

use super::Store;
use super::index::{Held, Location};
use super::limits::{INDEX_CHUNK, SCRUB_STEP_BYTES, SCRUB_STEP_RECORDS};
use super::plan::NewShard;
use super::read::{self, ReadFault};
use super::record::{self, Kind, Place};
use super::scan::Headers;
use super::scrub::Round;

/// What one step found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) bytes: u64,
    pub(crate) rotten: Vec<(ShardId, Place)>,
    pub(crate) worn: Vec<(NewShard, Place)>,
    /// Where the round goes on; without one it is over.
    pub(crate) next: Option<(u32, u64)>,
}

/// Reads on from where the round is.
pub(crate) fn look(store: &Store, round: Round) -> io::Result<Found> {
    let volume = {
        let index = store.shared.index();
        let mut left = index.volumes().filter(|(number, _)| (round.volume..=round.through).contains(number));
        left.next().map(|(number, volume)| (number, volume.file.clone(), volume.bytes, left.next().map(|(next, _)| (next, 0))))
    };
    let Some((number, file, end, next_volume)) = volume else { return Ok(Found::default()) };
    let from = if number == round.volume { round.offset } else { 0 };
    let (mut found, gaps, at) = look_from(store, &file, number, from..end)?;
    keep_strays(store, &file, number, &gaps, &mut found)?;
    forget_pages(&file, from..at);
    found.next = if at < end { Some((number, at)) } else { next_volume };
    Ok(found)
}

/// Checks the shards of one volume from the beginning of `part` on. Answers also what lies between records, where the headers of
/// shards may have been, and how far it came.
fn look_from(store: &Store, file: &File, number: u32, part: Range<u64>) -> io::Result<(Found, Vec<Range<u64>>, u64)> {
    let mut headers = Headers::new(file, number, part.start, part.end);
    let (mut found, mut gaps, mut at, mut records) = (Found::default(), Vec::new(), part.start, 0);
    while found.bytes < SCRUB_STEP_BYTES && records < SCRUB_STEP_RECORDS && at < part.end {
        let next = headers.next()?;
        let begins = next.map_or(part.end, |(place, _)| place.offset());
        if begins > at {
            gaps.push(at..begins);
        }
        at = next.map_or(part.end, |_| headers.position());
        records += 1;
        let Some((place, header)) = next.filter(|(_, header)| matches!(header.kind, Kind::Shard { .. })) else { continue };
        // The lock is let go of before the disk is asked.
        let held = store.shared.index().held(&header.id).filter(|held| is_ours(held, place));
        if let Some(held) = held {
            check(file, header.id, held.at, &mut found)?;
        }
    }
    Ok((found, gaps, at))
}

fn is_ours(held: &Held, place: Place) -> bool {
    held.at.place == place && held.aside_s().is_none()
}

/// Reads one shard with what follows it.
fn check(file: &File, id: ShardId, at: Location, found: &mut Found) -> io::Result<()> {
    found.bytes += u64::from(at.len);
    match read::insisting(file, id, at) {
        Ok(data) => {
            let trailer = record::trailer(&data);
            if !read::is_followed_by(file, at, &trailer)? {
                found.worn.push((NewShard { id, data, trailer, stored_ms: 0 }, at.place));
            }
            Ok(())
        }
        Err(ReadFault::Rotten) => {
            found.rotten.push((id, at.place));
            Ok(())
        }
        Err(ReadFault::Io(error)) => Err(error),
    }
}

/// Shards that the index has where no valid header is: the next start would lose them.
fn keep_strays(store: &Store, file: &File, number: u32, gaps: &[Range<u64>], found: &mut Found) -> io::Result<()> {
    for (id, at) in strays(store, number, gaps) {
        match read::insisting(file, id, at) {
            Ok(data) => {
                let trailer = record::trailer(&data);
                found.worn.push((NewShard { id, data, trailer, stored_ms: 0 }, at.place));
            }
            Err(ReadFault::Rotten) => found.rotten.push((id, at.place)),
            Err(ReadFault::Io(error)) => return Err(error),
        }
        found.bytes += u64::from(at.len);
    }
    Ok(())
}

/// Up to a step's bytes of them; the next round finds the others. Walks the index only where there are gaps.
fn strays(store: &Store, number: u32, gaps: &[Range<u64>]) -> Vec<(ShardId, Location)> {
    let mut strays = Vec::new();
    let in_gap = |at: &Location| gaps.iter().any(|gap| gap.contains(&at.place.offset()));
    let (mut from, mut bytes) = (Bound::Unbounded, 0);
    while !gaps.is_empty() && bytes < SCRUB_STEP_BYTES {
        let index = store.shared.index();
        let mut last = None;
        for (id, held) in index.walk(from).take(INDEX_CHUNK) {
            last = Some(id);
            if is_ours(&held, Place { volume: number, ..held.at.place }) && in_gap(&held.at) && bytes < SCRUB_STEP_BYTES {
                bytes += u64::from(held.at.len).max(1);
                strays.push((id, held.at));
            }
        }
        let Some(last) = last else { break };
        from = Bound::Excluded(last);
    }
    strays
}

/// What was read once a month need not push out what is read all day.
fn forget_pages(file: &Arc<File>, part: Range<u64>) {
    if let Some(len) = NonZeroU64::new(part.end - part.start) {
        let _advice: rustix::io::Result<()> = rustix::fs::fadvise(file.as_ref(), part.start, Some(len), Advice::DontNeed);
    }
}
