//! What the index keeps of one shard and of one volume.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::Arc;

use super::record::{Place, SLOT_BYTES};
use super::trash::Mark;

/// A shard's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) place: Place,
    pub(crate) len: u32,
    /// Seconds since 1970.
    pub(crate) stored_s: u32,
}

/// A shard's record and the mark that holds of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) at: Location,
    pub(crate) mark: Option<Mark>,
}

impl Held {
    /// When it was set aside, if it is.
    pub(crate) fn aside_s(&self) -> Option<u32> {
        self.mark.filter(|mark| mark.aside).map(|mark| mark.at_s)
    }

    /// Its age counts from here: what came back out of the trash is as good as stored then.
    pub(crate) fn since_s(&self) -> u32 {
        let restored_s = self.mark.filter(|mark| !mark.aside).map(|mark| mark.at_s);
        self.at.stored_s.max(restored_s.unwrap_or(0))
    }
}

/// One file of records. Its live share is what compaction would have to copy.
#[derive(Debug)]
pub(crate) struct Volume {
    pub(crate) file: Arc<File>,
    /// Length of the file.
    pub(crate) bytes: u64,
    /// Records of shards that are held, set aside or not.
    pub(crate) shard_bytes: u64,
    /// Tombstones by the volume of the record they kill: needed for as long as that volume is there.
    pub(super) tombstones: BTreeMap<u32, u64>,
    /// Marks that hold, of records in other volumes.
    pub(super) marks: u64,
    /// Volumes that compaction copied records from to here. While those are there, the older copy of a shard that is deleted
    /// from here would come back at the next start if this volume were not there to tell.
    pub(super) copies_of: BTreeSet<u32>,
    pub(super) outline: Outlined,
}

/// What is known of a volume's outline.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outlined {
    /// Length of its file.
    pub(super) bytes: u64,
    /// The volume's length that it is of, or that none can be made of.
    pub(super) covers: Option<u64>,
}

impl Volume {
    pub(crate) fn new(file: Arc<File>) -> Self {
        let (tombstones, copies_of, outline) = (BTreeMap::new(), BTreeSet::new(), Outlined::default());
        Self { file, bytes: 0, shard_bytes: 0, tombstones, marks: 0, copies_of, outline }
    }

    pub(crate) fn live_bytes(&self) -> u64 {
        self.shard_bytes + (self.tombstones.values().sum::<u64>() + self.marks) * SLOT_BYTES
    }

    /// True while something that is needed was not copied elsewhere.
    pub(crate) fn has_more(&self) -> bool {
        self.shard_bytes > 0 || self.marks > 0
    }

    /// True while this volume may not go.
    pub(crate) fn is_pinned(&self) -> bool {
        !self.copies_of.is_empty()
    }
}
