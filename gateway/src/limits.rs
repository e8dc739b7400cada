//! The gateway's numbers, unit last. S3's own limits: "Amazon S3 multipart upload limits" and "Object key naming" in the S3 User Guide.

/// An object up to this is sealed into the metadata and has no shards.
pub(crate) const INLINE_BYTES_MAX: usize = 4 * 1024;
/// A part up to this is replicated instead of coded: one read instead of `k`.
pub(crate) const REPLICA_BYTES_MAX: usize = 64 * 1024;

/// Segments of one write that are sealed, in flight or being sealed at once.
pub(crate) const WRITE_SEGMENTS_AHEAD: usize = 2;
/// Bytes of each part hashed in one go; then parts that have come meanwhile join.
pub(crate) const DIGEST_SLICE_BYTES: usize = 64 * 1024;
/// Segments of one read that are fetched ahead of the client.
pub(crate) const READ_SEGMENTS_AHEAD: usize = 3;
/// Segments located in one call.
pub(crate) const LOCATE_SEGMENTS: u32 = 16;
/// Located segments kept, and for how long.
pub(crate) const LOCATE_CACHE_SEGMENTS: u64 = 65_536;
pub(crate) const LOCATE_CACHE_S: u64 = 60;

/// Donors beyond `n` asked for with each grant.
pub(crate) const GRANT_SPARES: u8 = 2;
/// Grants asked for at once for small parts, used one by one.
pub(crate) const GRANT_BATCH: u16 = 32;

/// A shard that isn't stored by then counts as failed and goes to a spare.
pub(crate) const SHARD_PUT_MS_MAX: u64 = 10_000;
/// Wait for the last donors once the write quorum is durable.
pub(crate) const STRAGGLER_MS: u64 = 2_000;
/// A shard that isn't read by then counts as failed.
pub(crate) const SHARD_GET_MS_MAX: u64 = 10_000;
/// Bounds of the time after which a slow read is hedged with another shard.
pub(crate) const HEDGE_MS_MIN: u64 = 20;
pub(crate) const HEDGE_MS_MAX: u64 = 1_000;
/// A donor that failed is tried last for this long.
pub(crate) const SUSPECT_MS: u64 = 5_000;

/// Grants asked for ahead are dropped after this; their tickets live longer.
pub(crate) const GRANT_AGE_S_MAX: u64 = 60;
/// Shard bytes reserved per donor by one batch of grants, about.
pub(crate) const GRANT_AHEAD_BYTES: usize = 8 * 1024 * 1024;

/// How long the number of failure domains is believed.
pub(crate) const SUMMARY_S: u64 = 10;
/// A request that waits longer than this for buffer space is told to slow down.
pub(crate) const BUDGET_WAIT_MS_MAX: u64 = 20_000;

/// Versions looked at in one step of the count of durability.
pub(crate) const DURABILITY_STEP_VERSIONS: usize = 500;
/// Look at whether a count is due, and how long one that failed waits.
pub(crate) const DURABILITY_LOOK_MS: u64 = 1_000;
pub(crate) const DURABILITY_RETRY_MS: u64 = 30_000;

/// Versions, uploads or buckets looked at in one step of the walk of lifecycle rules, and the longest pause between two walks.
pub(crate) const LIFECYCLE_STEP_ROWS: usize = 500;
pub(crate) const LIFECYCLE_EVERY_MS_MAX: u64 = 60 * 60 * 1000;
/// Walks in one day of lifecycle rules, about, where a day is short.
pub(crate) const LIFECYCLE_WALKS_PER_DAY: u64 = 4;

/// Buckets, users, and versions of objects, in one answer on the admin socket.
pub(crate) const PAGE_BUCKETS_MAX: usize = 1_000;
pub(crate) const PAGE_USERS_MAX: usize = 1_000;
pub(crate) const PAGE_VERSIONS_MAX: usize = 1_000;
/// An answer ends behind the version that brought it to so many parts; one version has at most 10,000.
pub(crate) const PAGE_PARTS_MAX: usize = 10_000;
/// Parts waiting to be released are counted up to here.
pub(crate) const WAITING_PARTS_MAX: u64 = 100_000;

/// Events read, and removed once they are delivered, in one go.
pub(crate) const EVENT_PAGE: usize = 32;
/// A webhook that hasn't answered by then counts as failed.
pub(crate) const EVENT_POST_MS_MAX: u64 = 10_000;
/// Longest pause before an event is tried again.
pub(crate) const EVENT_RETRY_MS_MAX: u64 = 60_000;
/// While nothing can be delivered, a full queue is cut so often, and by so many events in one commit.
pub(crate) const EVENT_TRIM_EVERY_MS: u64 = 1_000;
pub(crate) const EVENT_TRIM_ROWS: usize = 1_000;
