//! The file of a form, while it streams by: its bytes up to the boundary behind it, and no more of them than were allowed.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use super::multipart::Boundary;
use crate::s3::guard::refusal::Refusal;

/// The state machine. Feed it with [`File::push`], end it with [`File::finish`]. What follows the file is let pass unseen.
#[derive(Debug)]
pub(crate) struct FileEnd {
    boundary: Boundary,
    /// The end of what came last, where that may be the beginning of the boundary.
    held: BytesMut,
    ended: bool,
    /// Bytes of the file so far.
    seen: u64,
    allowed: RangeInclusive<u64>,
}

impl FileEnd {
    pub(crate) fn new(boundary: Boundary, allowed: RangeInclusive<u64>) -> Self {
        Self { boundary, held: BytesMut::new(), ended: false, seen: 0, allowed }
    }

    pub(crate) fn push(&mut self, bytes: Bytes, out: &mut VecDeque<Bytes>) -> Result<(), Refusal> {
        if self.ended {
            return Ok(());
        }
        let mut bytes = if self.held.is_empty() {
            bytes
        } else {
            self.held.extend_from_slice(&bytes);
            self.held.split().freeze()
        };
        match memchr::memmem::find(&bytes, self.boundary.bytes()) {
            Some(end) => {
                self.ended = true;
                bytes.truncate(end);
            }
            None => {
                let held = bytes.split_off(bytes.len() - beginning(&bytes, self.boundary.bytes()));
                self.held.extend_from_slice(&held);
            }
        }
        self.seen += bytes.len() as u64;
        if self.seen > *self.allowed.end() {
            return Err(too_large(self.seen, *self.allowed.end()));
        }
        if !bytes.is_empty() {
            out.push_back(bytes);
        }
        Ok(())
    }

    /// The request has ended: whether the file is whole.
    pub(crate) fn finish(&self) -> Result<(), Refusal> {
        if !self.ended {
            return Err(super::multipart::malformed());
        }
        if self.seen < *self.allowed.start() {
            return Err(too_small(self.seen, *self.allowed.start()));
        }
        Ok(())
    }
}

/// How many bytes at the end of `bytes` are the beginning of `boundary`.
fn beginning(bytes: &[u8], boundary: &[u8]) -> usize {
    let longest = bytes.len().min(boundary.len() - 1);
    (1..=longest).rev().find(|len| bytes.ends_with(&boundary[..*len])).unwrap_or(0)
}

fn too_large(seen: u64, max: u64) -> Refusal {
    let refusal =
        Refusal::new(StatusCode::BAD_REQUEST, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
    refusal.with("ProposedSize", seen.to_string()).with("MaxSizeAllowed", max.to_string())
}

fn too_small(seen: u64, min: u64) -> Refusal {
    let refusal =
        Refusal::new(StatusCode::BAD_REQUEST, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size");
    refusal.with("ProposedSize", seen.to_string()).with("MinSizeAllowed", min.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(body: &[u8], step: usize, allowed: RangeInclusive<u64>) -> Result<Vec<u8>, String> {
        let boundary = Boundary::of("multipart/form-data; boundary=xyz").expect("a form").expect("a boundary");
        let mut file = FileEnd::new(boundary, allowed);
        let mut out = VecDeque::new();
        let code = |refusal: Refusal| refusal.code.into_owned();
        for piece in body.chunks(step) {
            file.push(Bytes::copy_from_slice(piece), &mut out).map_err(code)?;
        }
        file.finish().map_err(code)?;
        Ok(out.iter().flatten().copied().collect())
    }

    #[test]
    fn a_file_ends_at_its_boundary_and_nowhere_else() {
        for step in 1..40 {
            let body = b"a\r\n--xy\r\n\r\n--x\r\n--xyz--\r\nafter\r\n--xyz--";
            assert_eq!(read(body, step, 0..=100), Ok(b"a\r\n--xy\r\n\r\n--x".to_vec()), "in pieces of {step}");
            assert_eq!(read(b"\r\n--xyz", step, 0..=0), Ok(Vec::new()));
            assert_eq!(read(b"no end\r\n--xy", step, 0..=100), Err("MalformedPOSTRequest".into()));
        }
    }

    #[test]
    fn its_size_is_held_to() {
        let body = b"12345\r\n--xyz--";
        for (allowed, code) in [(5..=5, None), (0..=4, Some("EntityTooLarge")), (6..=9, Some("EntityTooSmall"))] {
            assert_eq!(read(body, 3, allowed).err().as_deref(), code);
        }
    }

    proptest! {
        #[test]
        fn any_file_comes_out_as_it_went_in(pieces in proptest::collection::vec(0usize..6, 0..30), step in 1usize..20) {
            const PIECES: [&str; 6] = ["\r\n", "--", "xy", "z-", "\r", "data"];
            let file: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
            prop_assume!(!file.contains("\r\n--xyz"));
            let body = format!("{file}\r\n--xyz--\r\n");
            prop_assert_eq!(read(body.as_bytes(), step, 0..=1000), Ok(file.into_bytes()));
        }
    }
}
