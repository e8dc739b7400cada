//! Buffers for shards, used again and again.
//!
//! Shards come and go by the megabyte, made on one thread and dropped on another: a general allocator keeps several times what
//! is in use, or gives every megabyte back to the system and pays for its pages again. Here a large buffer goes into one small
//! pool for the process when its last reader is done. What is in use is bounded by who asks (see `http::flight`), what lies
//! idle by [`POOL_IDLE_BYTES`].

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::limits::{POOL_IDLE_BYTES, POOL_STEP_BYTES, SHARD_MAX_BYTES};

static IDLE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

fn idle() -> MutexGuard<'static, Vec<Vec<u8>>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes of memory that a buffer for `len` bytes takes.
pub(crate) fn footprint(len: usize) -> usize {
    match len {
        0..=POOL_STEP_BYTES => len,
        len if len <= SHARD_MAX_BYTES as usize => len.next_multiple_of(POOL_STEP_BYTES).min(SHARD_MAX_BYTES as usize),
        len => len,
    }
}

fn is_pooled(capacity: usize) -> bool {
    (POOL_STEP_BYTES + 1..=SHARD_MAX_BYTES as usize).contains(&capacity)
}

/// An empty buffer that takes at least as many bytes as it was made for. It goes back to the pool when it, or the last of the
/// [`Bytes`] it became, is dropped.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
}

impl Buffer {
    pub(crate) fn new(len: usize) -> Self {
        let capacity = footprint(len);
        let mut idle = idle();
        let found = idle.iter().position(|bytes| is_pooled(capacity) && bytes.capacity() == capacity);
        let reused = found.map(|at| idle.swap_remove(at));
        drop(idle);
        Self { bytes: reused.unwrap_or_else(|| Vec::with_capacity(capacity.max(1))) }
    }

    pub(crate) fn as_mut_vec(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The bytes put in, not copied.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if !is_pooled(self.bytes.capacity()) {
            return;
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let mut idle = idle();
        // One that does not fit is freed, and so makes room for sizes that are wanted now.
        let held: usize = idle.iter().map(Vec::capacity).sum();
        if held + bytes.capacity() > POOL_IDLE_BYTES && !idle.is_empty() {
            idle.swap_remove(0);
        }
        if held < POOL_IDLE_BYTES {
            idle.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footprint_is_enough_and_no_more_than_a_step_above() {
        for len in [0, 1, 5000, POOL_STEP_BYTES, POOL_STEP_BYTES + 1, 700_000, 1 << 20, SHARD_MAX_BYTES as usize] {
            assert!(footprint(len) >= len && footprint(len) < len + POOL_STEP_BYTES, "{len}");
            assert!(Buffer::new(len).bytes.capacity() >= len);
        }
    }

    #[test]
    fn a_buffer_comes_back_empty_when_its_last_slice_is_gone() {
        for round in 0..100u8 {
            let mut buffer = Buffer::new(300_000);
            assert!(buffer.as_mut_vec().is_empty());
            buffer.as_mut_vec().resize(300_000, round);
            let bytes = buffer.into_bytes();
            let slice = bytes.slice(299_999..);
            drop(bytes);
            assert_eq!(slice[..], [round]);
        }
        assert!(idle().iter().map(Vec::capacity).sum::<usize>() <= POOL_IDLE_BYTES + SHARD_MAX_BYTES as usize);
    }
}
