//! MD5 (the ETag) and the checksums asked for, of one part each, in the order of its bytes.
//!
//! ```text
//!   a part's next piece ─► short: at once, where it is
//!                     └──► long: at the desk, with its part's earlier pieces behind it ─► a worker, with pieces of other parts beside it
//! ```
//!
//! MD5 can't be split, but eight parts' go as fast together as one part's alone ([`nodio_codec::md5`]), so it pays to wait for company. A piece
//! waits only while its segment is on its way to donors, when nobody would do anything with its digest yet; while no other part could bring
//! company it doesn't wait at all.
//!
//! Promises: a part's pieces are hashed in order, one at a time; whoever waits for a piece has it hashed next; a part that is dropped leaves
//! the desk, and at most one slice of it is hashed after that; a piece is held by the desk until it is hashed and no longer.

mod desk;
mod queue;

use std::sync::Arc;

use bytes::Bytes;
use nodio_codec::md5::Md5;

use super::WriteError;
use crate::checksum::{Checksum, ChecksumKind, Hasher};
use crate::limits::REPLICA_BYTES_MAX;
use desk::Seat;
pub(super) use desk::{Desk, Hashed};

/// What is known of a part's digests so far.
struct Sums {
    md5: Md5,
    asked: Vec<Hasher>,
}

impl Sums {
    fn new(kinds: &[ChecksumKind]) -> Self {
        Self { md5: Md5::new(), asked: kinds.iter().copied().map(Hasher::new).collect() }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.update_asked(bytes);
    }

    fn update_asked(&mut self, bytes: &[u8]) {
        self.asked.iter_mut().for_each(|hasher| hasher.update(bytes));
    }
}

/// The digests of one part.
pub(super) struct Digests {
    desk: Arc<Desk>,
    at: At,
}

enum At {
    Hand(Sums),
    Desk(Seat),
}

impl Digests {
    pub(super) fn new(desk: Arc<Desk>, kinds: &[ChecksumKind]) -> Self {
        Self { desk, at: At::Hand(Sums::new(kinds)) }
    }

    /// Takes the part's next piece: a short one is hashed when this returns, a long one when the answer says so. The desk sets no bound to
    /// what waits there: the caller keeps few pieces unhashed, and a piece's room until it is hashed.
    pub(super) fn add(&mut self, bytes: Bytes) -> Hashed {
        if let At::Hand(sums) = &mut self.at {
            if bytes.len() <= REPLICA_BYTES_MAX {
                sums.update(&bytes);
                return Hashed::already();
            }
            let sums = std::mem::replace(sums, Sums::new(&[]));
            self.at = At::Desk(Desk::open(&self.desk, sums));
        }
        match &self.at {
            At::Desk(seat) => seat.add(bytes),
            At::Hand(_) => Hashed::already(),
        }
    }

    /// The MD5 and the checksums, in the order asked for. Every piece has been hashed.
    pub(super) fn finish(self) -> Result<([u8; 16], Vec<Checksum>), WriteError> {
        let sums = match self.at {
            At::Hand(sums) => sums,
            At::Desk(seat) => seat.leave().ok_or_else(desk::unhashed)?,
        };
        Ok((sums.md5.finish(), sums.asked.into_iter().map(Hasher::finish).collect()))
    }
}
