//! MD5 (the ETag) and the checksums asked for, computed in step with the body.

use bytes::Bytes;
use md5::{Digest, Md5};
use nodio_host::blocking::{Panicked, blocking};

use crate::checksum::{Checksum, ChecksumKind, Hasher};
use crate::limits::REPLICA_BYTES_MAX;

pub(super) struct Digests {
    md5: Md5,
    asked: Vec<Hasher>,
}

impl Digests {
    pub(super) fn new(kinds: &[ChecksumKind]) -> Self {
        Self { md5: Md5::new(), asked: kinds.iter().copied().map(Hasher::new).collect() }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.asked.iter_mut().for_each(|hasher| hasher.update(bytes));
    }

    /// Takes in one segment: at once when it is short, on a thread of its own otherwise.
    pub(super) async fn add(mut self, segment: Bytes) -> Result<Self, Panicked> {
        if segment.len() <= REPLICA_BYTES_MAX {
            self.update(&segment);
            return Ok(self);
        }
        blocking(move || {
            self.update(&segment);
            self
        })
        .await
    }

    pub(super) fn finish(self) -> ([u8; 16], Vec<Checksum>) {
        (self.md5.finalize().into(), self.asked.into_iter().map(Hasher::finish).collect())
    }
}
