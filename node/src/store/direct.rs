//! Appends that go past the page cache.
//!
//! ```text
//!   small run     [rec][rec]                          page cache ─▶ disk       begins and ends anywhere
//!   long run  [pad][rec ......][rec ......][pad]      pooled block ─▶ disk     whole blocks, but for the first pad
//!             └ page cache     └ nothing in them was acknowledged before
//! ```
//! Copied into fresh page cache and written back from there, a byte costs several times the processor time of all the rest that
//! is done for it. A run of whole blocks shares none with what was acknowledged before, so no torn write can hurt that; the pads
//! are voids (see `record`), which every node skips. A run is on stable storage after one sync, whichever way its parts went.
//!
//! Both ways may be mixed on one file: the kernel keeps them in step, and no block is written by both. Where the file system
//! refuses, all goes through the page cache.

use std::fs::File;
use std::io::{self, IoSlice};
use std::path::Path;

use rustix::io::Errno;

use super::limits::STAGE_BYTES;
use super::plan::{Entry, Run};
use super::volume;

/// What direct writes begin and end at: a multiple of the logical block of every disk there is, and a page of most machines.
pub(crate) const BLOCK_BYTES: u64 = 4096;

/// Writes runs. Belongs to the writer.
pub(crate) struct Appender {
    stage: Stage,
    /// The volume written to last, opened once more.
    file: Option<(u32, File)>,
    refused: bool,
}

impl Appender {
    pub(crate) fn new() -> Self {
        Self { stage: Stage::new(), file: None, refused: false }
    }

    /// True once the file system has refused direct writes.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused
    }

    /// Lets go of the file: its volume's number may soon be another file's.
    pub(crate) fn close(&mut self) {
        self.file = None;
    }

    /// Writes a run to the volume that is open as `file`. Nothing is synced.
    pub(crate) fn append(&mut self, dir: &Path, file: &File, run: &Run) -> io::Result<()> {
        if self.file.as_ref().is_some_and(|(open, _)| *open != run.volume) {
            self.close();
        }
        let lead = run.blocks && !run.start.is_multiple_of(BLOCK_BYTES);
        let (pad, blocks) = run.entries.split_at(usize::from(lead));
        if run.blocks && self.open(dir, run.volume) {
            write(file, pad, run.start)?;
            match self.write_blocks(blocks, run.start.next_multiple_of(BLOCK_BYTES)) {
                Err(error) if is_refusal(&error) => self.refuse(&error),
                written => return written,
            }
        }
        write(file, &run.entries, run.start)
    }

    /// Opens the volume a second time, past the page cache; false if it can't be.
    fn open(&mut self, dir: &Path, number: u32) -> bool {
        if self.file.is_none() && !self.refused {
            match volume::open_direct(dir, number) {
                Ok(file) => self.file = Some((number, file)),
                Err(error) if is_refusal(&error) => self.refuse(&error),
                Err(error) => tracing::debug!(volume = number, "can't be opened for direct writes: {error}"),
            }
        }
        self.file.is_some()
    }

    fn write_blocks(&mut self, entries: &[Entry], offset: u64) -> io::Result<()> {
        match &self.file {
            Some((_, file)) => self.stage.write(file, slices(entries).flatten(), offset),
            None => Err(Errno::INVAL.into()),
        }
    }

    fn refuse(&mut self, error: &io::Error) {
        tracing::info!("the file system takes no direct writes, which costs processor time: {error}");
        (self.refused, self.file) = (true, None);
    }
}

/// True where the file system doesn't know direct writes, or not of these blocks.
fn is_refusal(error: &io::Error) -> bool {
    [Errno::INVAL, Errno::OPNOTSUPP].iter().any(|refusal| error.raw_os_error() == Some(refusal.raw_os_error()))
}

fn slices(entries: &[Entry]) -> impl Iterator<Item = [&[u8]; 3]> {
    entries.iter().map(|entry| [&entry.header[..], &entry.data, &entry.trailer])
}

fn write(file: &File, entries: &[Entry], offset: u64) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = slices(entries).flatten().map(IoSlice::new).collect();
    volume::write_all_at(file, &mut slices, offset)
}

/// Memory at a block's boundary that all bytes go through on their way past the page cache: short enough to stay in the
/// processor's own caches.
struct Stage {
    bytes: Vec<u8>,
    begin: usize,
}

impl Stage {
    fn new() -> Self {
        let bytes = vec![0; STAGE_BYTES + BLOCK_BYTES as usize];
        let begin = bytes.as_ptr().align_offset(BLOCK_BYTES as usize).min(BLOCK_BYTES as usize);
        Self { bytes, begin }
    }

    /// Writes the slices one after the other; `offset` and the sum of their lengths are whole blocks.
    fn write<'a>(&mut self, file: &File, slices: impl Iterator<Item = &'a [u8]>, mut offset: u64) -> io::Result<()> {
        let stage = &mut self.bytes[self.begin..self.begin + STAGE_BYTES];
        let mut staged = 0;
        for mut slice in slices {
            while !slice.is_empty() {
                let (now, later) = slice.split_at(slice.len().min(STAGE_BYTES - staged));
                stage[staged..staged + now.len()].copy_from_slice(now);
                staged += now.len();
                slice = later;
                if staged == STAGE_BYTES {
                    write_all_blocks(file, stage, offset)?;
                    offset += STAGE_BYTES as u64;
                    staged = 0;
                }
            }
        }
        write_all_blocks(file, &stage[..staged], offset)
    }
}

/// What is written short is written again from the last whole block on.
fn write_all_blocks(file: &File, blocks: &[u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < blocks.len() {
        match rustix::io::pwrite(file, &blocks[done..], offset + done as u64) {
            Ok(written) => {
                let whole = written - written % BLOCK_BYTES as usize;
                if whole == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                done += whole;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
