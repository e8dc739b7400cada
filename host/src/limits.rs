//! The numbers of this crate, unit last.

/// Connections one listener holds open; further ones wait in the kernel's queue.
pub const CONNECTIONS_MAX: usize = 4096;
/// Connections the kernel holds that were not accepted yet.
pub const ACCEPT_QUEUE_MAX: u32 = 4096;
/// What one connection buffers of what it reads or writes: memory grows by this with each busy connection.
pub const CONNECTION_BUFFER_BYTES_MAX: usize = 128 * 1024;
/// Time for a request's head to arrive, counted from the end of the previous answer: so it also ends an idle keep-alive connection.
pub const HEADER_TIMEOUT_MS: u64 = 30_000;
/// Time that a client may take none of the bytes waiting for it; then its connection is closed and what it held is free.
pub const WRITE_STALL_MS: u64 = 60_000;
/// Time that requests in flight get to finish once a shutdown has begun.
pub const DRAIN_MS: u64 = 20_000;
/// Pause after the first refused accept (out of file descriptors or memory); doubles up to the maximum.
pub const ACCEPT_PAUSE_MIN_MS: u64 = 10;
pub const ACCEPT_PAUSE_MAX_MS: u64 = 1_000;

/// After a step that has more to do, a tick rests this many times as long as the step took: at most a third of one thread's time.
pub const TICK_REST_FACTOR: u32 = 2;
/// A period is varied by up to this part of itself, either way, so that many processes don't beat in step.
pub const TICK_JITTER_PERCENT: u32 = 10;
