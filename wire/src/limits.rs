//! Every number that two roles must agree on, its unit last.

/// Plaintext bytes sealed under one AES-256-GCM tag: the unit of an authenticated range read.
pub const BLOCK_BYTES: usize = 64 * 1024;
/// Plaintext bytes of one data shard at most; a segment is `k` times this.
pub const SHARD_PLAIN_BYTES_MAX: usize = 1024 * 1024;
/// Sealed bytes of one shard at most: 16 blocks with their tags.
pub const SHARD_BYTES_MAX: usize = SHARD_PLAIN_BYTES_MAX + 16 * (SHARD_PLAIN_BYTES_MAX / BLOCK_BYTES);
/// Widest code: the erasure codec works over GF(2^8).
pub const CODE_N_MAX: u8 = 128;

/// Segments asked for in one grant, commit or locate at most.
pub const SEGMENTS_PER_CALL_MAX: usize = 256;
/// Body of one request to the coordinator at most, bytes.
pub const FLEET_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A signed request is refused when its clock is further off than this.
pub const CLOCK_SKEW_MS_MAX: u64 = 5 * 60 * 1000;
/// Life of a ticket to store a shard, and of the space reserved for it.
pub const PUT_TICKET_MS: u64 = 5 * 60 * 1000;
/// Life of a ticket to read a shard.
pub const GET_TICKET_MS: u64 = 60 * 60 * 1000;

/// Time between two heartbeats unless configured otherwise.
pub const HEARTBEAT_MS: u64 = 30_000;

/// Finest division of all shard ids into ranges that a donor may send digests of: 2^16.
pub const RANGE_BITS_MAX: u8 = 16;
/// Challenges in one heartbeat's reply, and answers in one heartbeat.
pub const CHALLENGES_MAX: usize = 64;
/// Bytes of a shard that an audit asks for.
pub const AUDIT_SLICE_BYTES: u32 = 16 * 1024;
/// Bytes of a rebuilt shard that its maker proves.
pub const PROBE_BYTES: u32 = 1024;
/// Shards that did not pass named by one audit run.
pub const AUDIT_FINDINGS_MAX: usize = 1000;
/// Parts named by one request of an operator.
pub const PARTS_PER_ASK_MAX: usize = 1000;
