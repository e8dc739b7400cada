//! The desk: a queue of parts' pieces and the workers that hash them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use nodio_codec::md5;
use nodio_host::blocking::blocking;
use tokio::runtime::Handle;
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::Sums;
use super::queue::{Lane, PartNo, Piece, Queue, WorkerNo};
use crate::limits::DIGEST_SLICE_BYTES;
use crate::pipeline::WriteError;

/// Shared by all parts being written.
pub(in crate::pipeline) struct Desk {
    queue: Mutex<Queue>,
}

impl Desk {
    pub(in crate::pipeline) fn new() -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Arc::new(Self { queue: Mutex::new(Queue::new(cores)) })
    }

    pub(super) fn open(desk: &Arc<Self>, sums: Sums) -> Seat {
        Seat { part: desk.queue().open(sums), desk: desk.clone() }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the queue and starts the worker that it may then want.
    fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut Queue) -> T) -> T {
        let (changed, worker) = {
            let mut queue = self.queue();
            (change(&mut queue), queue.hire())
        };
        if let Some(worker) = worker {
            self.start(worker);
        }
        changed
    }

    /// A worker's threads are those for blocking work. Where no runtime is, the process is ending.
    fn start(self: &Arc<Self>, worker: WorkerNo) {
        let Ok(runtime) = Handle::try_current() else { return self.queue().lost(worker) };
        let desk = self.clone();
        runtime.spawn(async move {
            let at_work = desk.clone();
            if blocking(move || at_work.work(worker)).await.is_err() {
                desk.change(|queue| queue.lost(worker));
            }
        });
    }

    /// Hashes slice by slice, so that who comes later can join.
    fn work(&self, worker: WorkerNo) {
        let mut lanes = Vec::new();
        loop {
            let hashed = self.queue().exchange(worker, &mut lanes);
            hashed.into_iter().for_each(tell);
            if lanes.is_empty() {
                return;
            }
            hash_slice(&mut lanes);
        }
    }
}

/// Nobody may be waiting any more.
fn tell(done: oneshot::Sender<()>) {
    let _ = done.send(());
}

fn hash_slice(lanes: &mut [Lane]) {
    let slice = |lane: &mut Lane| {
        let slice = lane.rest.split_to(lane.rest.len().min(DIGEST_SLICE_BYTES));
        lane.sums.update_asked(&slice);
        slice
    };
    let slices: Vec<Bytes> = lanes.iter_mut().map(slice).collect();
    let md5s = lanes.iter_mut().map(|lane| &mut lane.sums.md5);
    md5::update_together(md5s.zip(slices.iter().map(|slice| &slice[..])));
}

/// A part's place at the desk; dropped, the part is forgotten.
pub(super) struct Seat {
    desk: Arc<Desk>,
    part: PartNo,
}

impl Seat {
    pub(super) fn add(&self, bytes: Bytes) -> Hashed {
        let (done, hashed) = oneshot::channel();
        let number = self.desk.change(|queue| queue.add(self.part, Piece { bytes, done }));
        Hashed(Some(Waiting { desk: self.desk.clone(), part: self.part, number, hashed }))
    }

    /// The part's sums, unless something of it isn't hashed.
    pub(super) fn leave(self) -> Option<Sums> {
        self.desk.change(|queue| queue.close(self.part))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.desk.change(|queue| queue.close(self.part));
    }
}

/// Whether a piece is hashed.
pub(in crate::pipeline) struct Hashed(Option<Waiting>);

struct Waiting {
    desk: Arc<Desk>,
    part: PartNo,
    number: u64,
    hashed: oneshot::Receiver<()>,
}

impl Hashed {
    pub(super) fn already() -> Self {
        Self(None)
    }

    /// Returns when the piece is hashed. From now on it doesn't wait for company.
    pub(in crate::pipeline) async fn wait(self) -> Result<(), WriteError> {
        let Some(mut waiting) = self.0 else { return Ok(()) };
        match waiting.hashed.try_recv() {
            Ok(()) => return Ok(()),
            Err(TryRecvError::Closed) => return Err(unhashed()),
            Err(TryRecvError::Empty) => waiting.desk.change(|queue| queue.press(waiting.part, waiting.number)),
        }
        waiting.hashed.await.map_err(|_| unhashed())
    }
}

pub(super) fn unhashed() -> WriteError {
    WriteError::Internal("a part's digests are lost".into())
}

#[cfg(test)]
mod tests;
