//! Large buffers, used again and again.
//!
//! Shards and segments come and go by the megabyte, made on one thread and dropped on another: a general allocator keeps several times
//! what is in use, or gives every megabyte back to the system and pays for its pages again. Here a large buffer goes into one small pool
//! of the process when its last reader is done. What is in use is bounded by who asks, what lies idle by [`IDLE_BYTES_MAX`].
//!
//! Promise: a reader sees only what this buffer's own holder put in, never what an earlier one left behind.

use std::ops::{Deref, DerefMut, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Bytes that lie idle at most.
pub const IDLE_BYTES_MAX: usize = 32 << 20;
/// Buffers below this are left to the allocator, which is good at them.
const POOLED_BYTES_MIN: usize = 32 << 10;
/// Finest step between the sizes of pooled buffers.
const STEP_BYTES: usize = 64 << 10;

static IDLE: Mutex<Idle> = Mutex::new(Idle { buffers: Vec::new(), bytes: 0 });

struct Idle {
    /// The last one given back is the first one used again: its bytes are the likeliest to be in the processor's cache.
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

fn idle() -> MutexGuard<'static, Idle> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Idle {
    fn take(&mut self, size: usize) -> Option<Vec<u8>> {
        let at = self.buffers.iter().rposition(|buffer| buffer.len() == size)?;
        self.bytes -= size;
        Some(self.buffers.remove(at))
    }

    /// Makes room by freeing what has lain longest; what is freed is handed out, to be dropped without the lock.
    fn keep(&mut self, buffer: Vec<u8>) -> Vec<Vec<u8>> {
        self.bytes += buffer.len();
        self.buffers.push(buffer);
        let mut surplus = 0;
        while self.bytes > IDLE_BYTES_MAX {
            self.bytes -= self.buffers[surplus].len();
            surplus += 1;
        }
        self.buffers.drain(..surplus).collect()
    }
}

/// The size a buffer for `len` bytes really has: at most an eighth more, or a step. Pages that nobody touches take no memory.
fn size(len: usize) -> usize {
    if len < POOLED_BYTES_MIN { len } else { len.next_multiple_of((len.next_power_of_two() / 8).max(STEP_BYTES)) }
}

/// Room for some bytes, filled from the front, and the range of them that is shown.
pub struct Buffer {
    /// All of it initialised; `room` of it is used.
    bytes: Vec<u8>,
    room: usize,
    shown: Range<usize>,
}

impl Buffer {
    /// An empty buffer with room for `room` bytes.
    pub fn new(room: usize) -> Self {
        let size = size(room);
        let reused = if size < POOLED_BYTES_MIN { None } else { idle().take(size) };
        Self { bytes: reused.unwrap_or_else(|| vec![0; size]), room, shown: 0..0 }
    }

    /// The room behind the bytes shown. It holds anything; [`Self::filled`] says how much of it was overwritten.
    pub fn spare(&mut self) -> &mut [u8] {
        &mut self.bytes[self.shown.end..self.room]
    }

    /// Shows the first `len` bytes of the spare room too, which the caller has overwritten.
    pub fn filled(&mut self, len: usize) {
        assert!(len <= self.room - self.shown.end, "no more is filled than there was room");
        self.shown.end += len;
    }

    /// Appends a copy of `bytes`, for which there must be room.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.spare()[..bytes.len()].copy_from_slice(bytes);
        self.filled(bytes.len());
    }

    /// Shows only `range` of what is shown.
    pub fn narrow(&mut self, range: Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.len(), "the range lies in what is shown");
        self.shown = self.shown.start + range.start..self.shown.start + range.end;
    }

    /// The bytes shown, not copied. The buffer goes back to the pool with the last slice of them.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.shown.clone()]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.shown.clone()]
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl From<&[u8]> for Buffer {
    fn from(bytes: &[u8]) -> Self {
        let mut buffer = Self::new(bytes.len());
        buffer.extend_from_slice(bytes);
        buffer
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({} bytes)", self.len())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes.len() >= POOLED_BYTES_MIN {
            let bytes = std::mem::take(&mut self.bytes);
            let surplus = idle().keep(bytes);
            drop(surplus);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_enough_and_little_more() {
        for len in [0, 1, 5000, 32 << 10, 65_552, 262_208, 700_000, 1 << 20, 1_052_928, 6_292_992, 100 << 20] {
            assert!(size(len) >= len && size(len) - len < STEP_BYTES.max(len / 4), "{len}");
            assert_eq!(size(size(len)), size(len), "{len}");
        }
    }

    #[test]
    fn what_was_left_behind_is_never_shown() {
        for round in 0..50u8 {
            let mut buffer = Buffer::new(300_000);
            assert!(buffer.is_empty());
            buffer.spare().fill(round);
            buffer.filled(1000);
            assert_eq!(buffer.len(), 1000);
            buffer.narrow(10..20);
            assert_eq!(buffer[..], [round; 10]);
            let bytes = buffer.into_bytes();
            let slice = bytes.slice(9..);
            drop(bytes);
            assert_eq!(slice[..], [round]);
        }
    }

    #[test]
    fn idle_bytes_are_bounded() {
        let buffers: Vec<_> = (0..40).map(|_| Buffer::new(2 << 20)).collect();
        drop(buffers);
        drop(Buffer::new(IDLE_BYTES_MAX + 1));
        let idle = idle();
        assert!(idle.bytes <= IDLE_BYTES_MAX && idle.bytes == idle.buffers.iter().map(Vec::len).sum::<usize>());
    }

    #[test]
    #[should_panic(expected = "no more is filled")]
    fn more_than_the_room_is_never_shown() {
        Buffer::new(100).filled(101);
    }
}
