//! The numbers of this crate, unit last.

/// Commits that wait for the writer; the next caller waits for room.
pub const QUEUE_COMMITS_MAX: usize = 4096;
/// Commits that share one transaction.
pub const BATCH_COMMITS_MAX: usize = 1024;
/// Bytes written by one transaction; the commit that passes it is the batch's last.
pub const BATCH_BYTES_MAX: usize = 16 << 20;
/// The longest key and the longest value that a store takes.
pub const KEY_BYTES_MAX: usize = 64 << 10;
pub const VALUE_BYTES_MAX: usize = 64 << 20;
/// Memory for pages read, unless the options say otherwise.
pub const CACHE_BYTES: usize = 256 << 20;
/// With fsync off: how long an answered commit may be in memory only.
pub const FLUSH_EVERY_MS: u64 = 1_000;
/// With fsync on: this long after the last commit the file is left so that a start after a kill need not read all of it.
pub const SETTLE_AFTER_MS: u64 = 500;

/// Rows read at once by a walk that goes by scans: at first, just after a leap, where perhaps one is wanted, and at most.
pub const WALK_ROWS_FIRST: usize = 16;
pub const WALK_ROWS_AFTER_LEAP: usize = 4;
pub const WALK_ROWS_MAX: usize = 1000;

/// How often a transaction is tried before it gives up to others' commits.
pub const TRANSACT_ATTEMPTS_MAX: u32 = 64;
/// The pause after the first conflict; it doubles up to the maximum, and a random part of it is waited.
pub const TRANSACT_PAUSE_MIN_US: u64 = 250;
pub const TRANSACT_PAUSE_MAX_US: u64 = 32_000;
