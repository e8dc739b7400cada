//! Bytes of bodies in flight, in both directions: bounded, so that a donor's memory is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::buffer::footprint;

/// Counts bytes. Who finds no room waits a moment and then gives up.
#[derive(Clone)]
pub(crate) struct Flight {
    room: Arc<Semaphore>,
    wait: Duration,
}

/// Room for one body, given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    _permit: OwnedSemaphorePermit,
}

/// A body that keeps its seat for as long as anybody holds its bytes.
struct Seated {
    bytes: Bytes,
    _seat: Seat,
}

impl AsRef<[u8]> for Seated {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Flight {
    pub(crate) fn new(bytes: usize, wait: Duration) -> Self {
        Self { room: Arc::new(Semaphore::new(bytes)), wait }
    }

    /// Room for a body of `len` bytes; `None` when there is none even after waiting.
    pub(crate) async fn board(&self, len: u32) -> Option<Seat> {
        let bytes = u32::try_from(footprint(len as usize)).ok()?;
        let permit = self.room.clone().acquire_many_owned(bytes);
        let permit = tokio::time::timeout(self.wait, permit).await.ok()?.ok()?;
        Some(Seat { _permit: permit })
    }
}

impl Seat {
    /// The same bytes, not copied, holding this seat.
    pub(crate) fn hold(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Seated { bytes, _seat: self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_seat_is_free_again_when_its_last_bytes_are_gone() {
        let flight = Flight::new(100, Duration::ZERO);
        let body = flight.board(80).await.unwrap().hold(Bytes::from_static(b"body"));
        assert!(flight.board(30).await.is_none());
        let slice = body.slice(1..2);
        drop(body);
        assert!(flight.board(30).await.is_none());
        drop(slice);
        assert!(flight.board(100).await.is_some());
    }
}
