//! The numbers of what the store does by itself, unit last; those it shares with the rest of the donor are in [`crate::limits`].

/// Index entries walked under one lock.
pub(crate) const INDEX_CHUNK: usize = 16 << 10;
/// Bytes of shards read by one step of the scrub, roughly.
pub(crate) const SCRUB_STEP_BYTES: u64 = 4 << 20;
/// Records looked at by one step of the scrub.
pub(crate) const SCRUB_STEP_RECORDS: usize = 4096;
/// Time between notes of how far the scrub and the clock are.
pub(crate) const NOTE_EVERY_MS: u64 = 60_000;
/// Compaction of a store that holds more than its capacity: a volume is worth copying once one part in so many is dead.
pub(crate) const OVERFULL_DEAD_PART: u64 = 32;
/// Up to here a record is read over, and a longer one skipped, when headers are looked for.
pub(crate) const DENSE_RECORD_BYTES: u64 = 64 << 10;
/// Headers read by one step of making an outline.
pub(crate) const OUTLINE_STEP_RECORDS: usize = 1024;
/// Rows of an outline read at once.
pub(crate) const OUTLINE_BUFFER_ROWS: usize = 4096;
/// A stop takes at most this much longer for outlines.
pub(crate) const OUTLINE_CLOSE_MS: u64 = 3_000;

/// Written past the page cache at once.
pub(crate) const STAGE_BYTES: usize = 1 << 20;
/// Read at once to see whether a shard is whole.
pub(crate) const VERIFY_BYTES: usize = 128 << 10;
/// Time between two attempts to read what the disk said it can't.
pub(crate) const REREAD_MS: u64 = 200;
