//! Who is at the desk, what waits there, and whether hashing should begin. Decides; does nothing.
//!
//! ```text
//!             ┌───────────────────── hashed ─────────────────────┐
//!             ▼                                                  │
//!   Here, no piece ── add ─► Here, ready ── a worker takes it ─► At a worker ── the worker is lost ─► Lost
//! ```

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use nodio_codec::md5::LANES;
use tokio::sync::oneshot;

use super::Sums;

pub(super) type PartNo = u64;
pub(super) type WorkerNo = u64;

/// Bytes of a part, and who wants to know when they are hashed.
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    pub(super) done: oneshot::Sender<()>,
}

/// A part's piece in a worker's hands.
pub(super) struct Lane {
    part: PartNo,
    pub(super) sums: Sums,
    /// What is still to be hashed.
    pub(super) rest: Bytes,
    done: oneshot::Sender<()>,
}

struct Part {
    sums: Whereabouts,
    /// Those that no worker has taken.
    pieces: VecDeque<Piece>,
    /// Pieces ever added.
    added: u64,
    /// Somebody waits for the pieces before this one.
    awaited: u64,
}

enum Whereabouts {
    Here(Sums),
    At(WorkerNo),
    Lost,
}

impl Part {
    fn is_at_work(&self) -> bool {
        matches!(self.sums, Whereabouts::At(_))
    }

    /// Somebody waits for the first of the pieces.
    fn is_awaited(&self) -> bool {
        self.awaited > self.added - self.pieces.len() as u64
    }
}

pub(super) struct Queue {
    parts: HashMap<PartNo, Part>,
    /// Parts that are here with a piece, first come, first served.
    ready: VecDeque<PartNo>,
    numbers: u64,
    workers: usize,
    workers_max: usize,
}

impl Queue {
    pub(super) fn new(workers_max: usize) -> Self {
        Self { parts: HashMap::new(), ready: VecDeque::new(), numbers: 0, workers: 0, workers_max }
    }

    pub(super) fn open(&mut self, sums: Sums) -> PartNo {
        let part = self.number();
        self.parts.insert(part, Part { sums: Whereabouts::Here(sums), pieces: VecDeque::new(), added: 0, awaited: 0 });
        part
    }

    /// The part leaves; what waits of it is forgotten. Its sums, if all of it is hashed.
    pub(super) fn close(&mut self, part: PartNo) -> Option<Sums> {
        self.ready.retain(|ready| *ready != part);
        match self.parts.remove(&part)? {
            Part { sums: Whereabouts::Here(sums), pieces, .. } if pieces.is_empty() => Some(sums),
            _ => None,
        }
    }

    /// The number of the piece within its part. A part that isn't there, or whose sums are lost, drops it.
    pub(super) fn add(&mut self, number: PartNo, piece: Piece) -> u64 {
        let Some(part) = self.parts.get_mut(&number) else { return 0 };
        part.added += 1;
        match part.sums {
            Whereabouts::Lost => return part.added,
            Whereabouts::Here(_) if part.pieces.is_empty() => self.ready.push_back(number),
            Whereabouts::Here(_) | Whereabouts::At(_) => {}
        }
        part.pieces.push_back(piece);
        part.added
    }

    /// Somebody waits for the part's pieces up to this one.
    pub(super) fn press(&mut self, part: PartNo, piece: u64) {
        if let Some(part) = self.parts.get_mut(&part) {
            part.awaited = part.awaited.max(piece);
        }
    }

    /// A worker to start, if one more would have something to do.
    pub(super) fn hire(&mut self) -> Option<WorkerNo> {
        let free = (self.workers * LANES).saturating_sub(self.at_work());
        if self.workers == self.workers_max || self.ready.len() <= free || !self.is_worth_it() {
            return None;
        }
        self.workers += 1;
        Some(self.number())
    }

    /// Takes back the lanes that are hashed and fills up with what waits. A worker left with none goes home.
    pub(super) fn exchange(&mut self, worker: WorkerNo, lanes: &mut Vec<Lane>) -> Vec<oneshot::Sender<()>> {
        let (hashed, mut going_on): (Vec<_>, Vec<_>) = lanes.drain(..).partition(|lane| lane.rest.is_empty());
        going_on.retain(|lane| self.parts.contains_key(&lane.part));
        let done = hashed.into_iter().map(|lane| self.take_back(lane)).collect();
        *lanes = going_on;
        if !lanes.is_empty() || self.is_worth_it() {
            while lanes.len() < LANES
                && let Some(lane) = self.take(worker)
            {
                lanes.push(lane);
            }
        }
        if lanes.is_empty() {
            self.workers -= 1;
        }
        done
    }

    /// The worker is gone, and with it the sums that it had.
    pub(super) fn lost(&mut self, worker: WorkerNo) {
        self.workers -= 1;
        for part in self.parts.values_mut().filter(|part| matches!(part.sums, Whereabouts::At(at) if at == worker)) {
            part.sums = Whereabouts::Lost;
            part.pieces.clear();
        }
    }

    /// Hashing should begin: somebody waits, or more company isn't to be had.
    fn is_worth_it(&self) -> bool {
        let company = self.parts.len() - self.ready.len() - self.at_work();
        let awaited = || self.ready.iter().filter_map(|part| self.parts.get(part)).any(Part::is_awaited);
        !self.ready.is_empty() && (company == 0 || self.ready.len() >= LANES || awaited())
    }

    fn at_work(&self) -> usize {
        self.parts.values().filter(|part| part.is_at_work()).count()
    }

    fn take(&mut self, worker: WorkerNo) -> Option<Lane> {
        let number = self.ready.pop_front()?;
        let part = self.parts.get_mut(&number)?;
        let Piece { bytes, done } = part.pieces.pop_front()?;
        match std::mem::replace(&mut part.sums, Whereabouts::At(worker)) {
            Whereabouts::Here(sums) => Some(Lane { part: number, sums, rest: bytes, done }),
            _ => None,
        }
    }

    fn take_back(&mut self, lane: Lane) -> oneshot::Sender<()> {
        if let Some(part) = self.parts.get_mut(&lane.part) {
            part.sums = Whereabouts::Here(lane.sums);
            if !part.pieces.is_empty() {
                self.ready.push_back(lane.part);
            }
        }
        lane.done
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}

#[cfg(test)]
mod tests;
