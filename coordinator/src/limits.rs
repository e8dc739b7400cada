//! Every number of the coordinator that isn't configured, its unit last.

/// Disk space a donor needs for a shard beyond the shard's own bytes: its record and the file system's rounding.
pub(crate) const SHARD_OVERHEAD_BYTES: u64 = 4096;

/// Grants that may be open (neither committed nor expired) at once.
pub(crate) const GRANTS_OPEN_MAX: usize = 200_000;

/// Rows read by one scan of a background step or of a status count.
pub(crate) const PAGE_ROWS: usize = 512;
/// Segments forgotten by one commit of a release.
pub(crate) const RELEASE_SEGMENTS_PER_STEP: usize = 128;
/// Parts named by one call to release.
pub(crate) const RELEASE_PARTS_PER_CALL_MAX: usize = 10_000;
/// Fault reports taken in one call, and in one commit.
pub(crate) const REPORTS_PER_CALL_MAX: usize = 4096;
pub(crate) const REPORTS_PER_COMMIT: usize = 64;
/// Parts listed by one call.
pub(crate) const PARTS_PER_CALL_MAX: usize = 10_000;
/// Segments of the mend queue that are looked at, and put in order, together.
pub(crate) const PLAN_WINDOW_SEGMENTS: usize = 512;
/// Receivers tried for one shard before it waits for the next round.
pub(crate) const RECEIVERS_TRIED_MAX: usize = 8;
/// Shards named by one delete task.
pub(crate) const DELETES_PER_TASK: usize = 512;
/// Task reports and rotten shards taken from one heartbeat.
pub(crate) const HEARTBEAT_REPORTS_MAX: usize = 4096;
/// Task reports worked on at once: they share the store's group commit.
pub(crate) const REPORTS_AT_ONCE: usize = 16;

/// Donors the coordinator will know, gone ones included.
pub(crate) const NODES_MAX: usize = 100_000;
/// Longest address, operator, zone or version a donor may give.
pub(crate) const LABEL_BYTES_MAX: usize = 256;

/// Bodies up to this length, such as heartbeats and locates, have a budget of their own, bytes.
pub(crate) const SHORT_BODY_BYTES_MAX: usize = 64 * 1024;
/// Request bodies of either budget held in memory at once, bytes.
pub(crate) const BODIES_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest wait for a request's body, milliseconds.
pub(crate) const BODY_MS_MAX: u64 = 10_000;

/// Pages the metadata store keeps in memory, bytes.
pub(crate) const STORE_CACHE_BYTES: usize = 64 * 1024 * 1024;
