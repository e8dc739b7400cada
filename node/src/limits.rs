//! The numbers of a donor, unit last.

use nodio_wire::limits::{BLOCK_BYTES, CHALLENGES_MAX, SHARD_BYTES_MAX};

/// Longest shard this store takes.
pub(crate) const SHARD_MAX_BYTES: u32 = SHARD_BYTES_MAX as u32;
/// Bytes under one checksum of a record: a sealed block, so that a block's read touches one chunk.
pub(crate) const CHUNK_BYTES: usize = BLOCK_BYTES + 16;

/// Volume size for small donors; a donor of many TiB gets larger ones, so that its open files stay few.
pub(crate) const VOLUME_BYTES: u64 = 1 << 30;
pub(crate) const VOLUME_MIN_BYTES: u64 = 16 << 20;
/// Volumes of a full donor, roughly: each is one open file.
pub(crate) const VOLUMES_MAX: u64 = 512;
/// Disk space of a donor that never said how much it gives.
pub(crate) const CAPACITY_BYTES: u64 = 20 << 30;
/// Smallest capacity that can be offered.
pub(crate) const CAPACITY_MIN_BYTES: u64 = 64 << 20;

/// Bytes and records of one group commit, at most (one record more than the bytes say).
pub(crate) const BATCH_BYTES: usize = 8 << 20;
pub(crate) const BATCH_COMMANDS: usize = 512;
/// Batches from this length on are written past the page cache: there it pays, and pads are a few hundredths of what is written.
pub(crate) const DIRECT_MIN_BYTES: usize = 128 << 10;
/// Commands waiting for the writer.
pub(crate) const WRITER_QUEUE: usize = 256;
/// The end of the newest volume that a crash can have torn: more than one batch and the records of one command.
pub(crate) const TAIL_BYTES: u64 = 32 << 20;
/// Reads while looking for the next header: one record's header, and in litter.
pub(crate) const SCAN_WINDOW_BYTES: usize = 4 << 10;
pub(crate) const RESYNC_WINDOW_BYTES: usize = 256 << 10;
/// Up to here a shard is hashed where it is, above on a thread that may block.
pub(crate) const HASH_INLINE_BYTES: usize = 16 << 10;

/// Shard ids of one delete command, at most; longer lists are cut.
pub(crate) const DELETE_IDS: usize = 4096;
/// Bytes copied by one step of compaction, roughly.
pub(crate) const COMPACT_STEP_BYTES: usize = 4 << 20;
/// Records looked at by one step of compaction.
pub(crate) const COMPACT_STEP_RECORDS: usize = 4096;
/// Time between looks for a volume worth compacting.
pub(crate) const COMPACT_EVERY_MS: u64 = 10_000;
/// Time between looks for a full volume that has no outline yet.
pub(crate) const OUTLINE_EVERY_MS: u64 = 10_000;
/// Ids of rotten shards kept for the next heartbeats; more are found by the inventory.
pub(crate) const ROTTEN_MAX: usize = 4096;
/// Ids of rotten shards in one heartbeat.
pub(crate) const ROTTEN_PER_BEAT: usize = 1024;

/// Bodies in flight, in both directions.
pub(crate) const IN_FLIGHT_BYTES: usize = 24 << 20;
/// Buffers above this are pooled, in sizes of multiples of it.
pub(crate) const POOL_STEP_BYTES: usize = 128 << 10;
/// Buffers that lie in the pool unused, about.
pub(crate) const POOL_IDLE_BYTES: usize = 12 << 20;
/// Wait for room among the bodies in flight before the answer is 503.
pub(crate) const IN_FLIGHT_WAIT_MS: u64 = 1_000;
/// Time for a body to arrive.
pub(crate) const BODY_MS: u64 = 60_000;
/// Store tickets remembered as spent: at 32 bytes or so each.
pub(crate) const SPENT_MAX: usize = 400_000;
/// Spent tickets are forgotten in groups that expire within this time.
pub(crate) const SPENT_GROUP_MS: u64 = 10_000;

/// Rebuilds at once unless configured otherwise.
pub(crate) const REPAIR_SLOTS: u32 = 2;
/// Tasks accepted per repair slot, the running one included.
pub(crate) const TASKS_PER_SLOT: u32 = 16;
/// Shard bytes held by all rebuilds and pushes together; one that needs more runs alone.
pub(crate) const REPAIR_BYTES: usize = 32 << 20;
/// Bytes of every shard that are decoded in one go: what the decoder holds of a segment beside sources and results.
pub(crate) const DECODE_COLUMN_BYTES: usize = 64 << 10;
/// Wait for one source of a rebuild, and for a donor to take a pushed shard.
pub(crate) const SOURCE_MS: u64 = 30_000;
pub(crate) const PUSH_MS: u64 = 30_000;
/// A source is slow after this: another is asked beside it, if there is one.
pub(crate) const SOURCE_SLOW_MS: u64 = 1_000;
/// Sources asked beside slow ones, at most.
pub(crate) const SPARE_SOURCES: usize = 2;
/// How long a donor's pace is remembered, and of how many donors.
pub(crate) const PACE_KEPT_MS: u64 = 10 * 60_000;
pub(crate) const PACES_MAX: usize = 1024;

/// Challenges answered at once: each reads one shard whole.
pub(crate) const AUDITS_AT_ONCE: usize = 2;
/// Challenges in hand, answers not yet told included. What comes beyond is not answered, and asked again one day.
pub(crate) const AUDITS_MAX: usize = 2 * CHALLENGES_MAX;

/// Shards in one range of a reconciliation, about.
pub(crate) const RANGE_SHARDS: u64 = 500;
/// Shards in one page of the inventory: under a megabyte of JSON.
pub(crate) const INVENTORY_PAGE: usize = 8192;
/// Days that surplus shards stay in the trash unless configured otherwise.
pub(crate) const TRASH_DAYS: f64 = 7.0;
/// Shards deleted for good by one step, and the time between looks for any that are due.
pub(crate) const TRASH_STEP_SHARDS: usize = 1024;
pub(crate) const TRASH_EVERY_MS: u64 = 60_000;
/// One reading of every shard held takes this many days unless configured otherwise ...
pub(crate) const SCRUB_DAYS: f64 = 30.0;
/// ... but never more than this share of the time.
pub(crate) const SCRUB_SHARE: f64 = 0.05;
/// Longest time between looks of the scrubber for something to read.
pub(crate) const SCRUB_EVERY_MS: u64 = 60_000;

/// The standing on disk lags behind by this much where only the amount left to copy has changed.
pub(crate) const STANDING_LAG_MS: u64 = 10_000;
/// Time between two looks of `leave` at how far the donor has come.
pub(crate) const LEAVE_POLL_MS: u64 = 3_000;
/// Shortest time between two heartbeats, so that finished work is told in groups.
pub(crate) const BEAT_GAP_MS: u64 = 100;
/// First wait after the coordinator didn't answer; doubles up to the heartbeat's interval.
pub(crate) const RETRY_MS: u64 = 250;
pub(crate) const RETRY_MAX_MS: u64 = 15_000;
/// Patience for the last heartbeat when the donor stops.
pub(crate) const LEAVE_MS: u64 = 2_000;
/// Time an idle connection is kept: longer than the clients keep theirs, so that none is closed under a request.
pub(crate) const IDLE_MS: u64 = 90_000;
/// Time that requests in flight get when the donor stops.
pub(crate) const DRAIN_MS: u64 = 10_000;
