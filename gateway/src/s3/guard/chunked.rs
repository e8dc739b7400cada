//! aws-chunked framing, read while it streams by.
//!
//! ```text
//!   unsigned:  SIZE CRLF data CRLF ... 0 CRLF trailers CRLF          any SIZE comes out as chunks of at most 64 KiB
//!   signed:    SIZE;chunk-signature=HEX64 CRLF data CRLF ...         goes through as it is, SIZE bounded
//! ```
//! Promise: bytes come out only in whole, well-formed frames, and the body ends without an error only after its last chunk, with as
//! many bytes as were announced and with every trailer that was announced.
//!
//! Source: "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks" and "... with trailing
//! headers" in the Amazon S3 API Reference.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::refusal::Refusal;
use crate::s3::limits::{CHUNK_HEAD_BYTES_MAX, RECHUNK_BYTES, SIGNED_CHUNK_BYTES_MAX, TRAILER_BYTES_MAX};

/// What the request's headers announce of its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Announced {
    /// Every chunk carries a signature.
    pub(super) signed: bool,
    /// `x-amz-decoded-content-length`.
    pub(super) decoded: u64,
    /// Names in `x-amz-trailer`, lower case.
    pub(super) trailers: Vec<String>,
}

#[derive(Debug)]
enum State {
    /// In a chunk's header line.
    Head(BytesMut),
    /// In its data, this many bytes to go.
    Data(u64),
    /// Before the CRLF that ends it, of which this many bytes were seen.
    DataEnd(usize),
    /// After the last chunk.
    Trailers(BytesMut),
}

/// The state machine. Feed it with [`Framing::push`], end it with [`Framing::finish`].
#[derive(Debug)]
pub(super) struct Framing {
    announced: Announced,
    state: State,
    /// Data bytes seen so far.
    seen: u64,
}

impl Framing {
    pub(super) fn new(announced: Announced) -> Self {
        Self { announced, state: State::Head(BytesMut::new()), seen: 0 }
    }

    /// Takes the next bytes of the body; what may go on to s3s is appended to `out`.
    pub(super) fn push(&mut self, mut input: Bytes, out: &mut VecDeque<Bytes>) -> Result<(), Refusal> {
        while !input.is_empty() {
            match &mut self.state {
                State::Head(line) => {
                    if let Some(line) = take_line(line, &mut input)? {
                        self.begin_chunk(line, out)?;
                    }
                }
                State::Data(left) => {
                    let take = (*left).min(RECHUNK_BYTES as u64).min(input.len() as u64);
                    *left -= take;
                    let end = *left == 0;
                    emit_data(input.split_to(take as usize), self.announced.signed, out);
                    if end {
                        self.state = State::DataEnd(0);
                    }
                }
                State::DataEnd(matched) => {
                    if input.split_to(1)[0] != b"\r\n"[*matched] {
                        return Err(malformed("a chunk is longer than it says"));
                    }
                    *matched += 1;
                    if *matched == 2 {
                        self.end_chunk(out);
                    }
                }
                State::Trailers(kept) => {
                    if kept.len() + input.len() > TRAILER_BYTES_MAX {
                        return Err(malformed_trailer());
                    }
                    kept.extend_from_slice(&input);
                    out.push_back(std::mem::take(&mut input));
                }
            }
        }
        Ok(())
    }

    fn begin_chunk(&mut self, line: Bytes, out: &mut VecDeque<Bytes>) -> Result<(), Refusal> {
        let size = parse_head(&line, self.announced.signed)?;
        self.seen = self.seen.saturating_add(size);
        let too_long = self.seen > self.announced.decoded;
        if too_long || size == 0 && self.seen != self.announced.decoded {
            return Err(Refusal::incomplete("The chunks of the body do not add up to x-amz-decoded-content-length."));
        }
        if self.announced.signed || size == 0 {
            out.push_back(if self.announced.signed { line } else { Bytes::from_static(b"0\r\n") });
        }
        self.state = if size == 0 { State::Trailers(BytesMut::new()) } else { State::Data(size) };
        Ok(())
    }

    fn end_chunk(&mut self, out: &mut VecDeque<Bytes>) {
        if self.announced.signed {
            out.push_back(Bytes::from_static(b"\r\n"));
        }
        self.state = State::Head(BytesMut::new());
    }

    /// The body has ended: whether it may.
    pub(super) fn finish(&self) -> Result<(), Refusal> {
        let State::Trailers(trailers) = &self.state else {
            return Err(Refusal::incomplete("The request body terminated unexpectedly"));
        };
        if !trailers.is_empty() && trailers.last() != Some(&b'\n') {
            return Err(Refusal::incomplete("The request body terminated unexpectedly"));
        }
        let text = std::str::from_utf8(trailers).map_err(|_| malformed_trailer())?;
        let names: Vec<String> =
            text.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_ascii_lowercase())).collect();
        let all_there = self.announced.trailers.iter().all(|name| names.contains(name));
        if all_there { Ok(()) } else { Err(malformed_trailer()) }
    }
}

/// Data of an unsigned chunk is framed anew, a piece at a time; of a signed one it passes.
fn emit_data(data: Bytes, signed: bool, out: &mut VecDeque<Bytes>) {
    if signed {
        out.push_back(data);
        return;
    }
    out.push_back(Bytes::from(format!("{:x}\r\n", data.len())));
    out.push_back(data);
    out.push_back(Bytes::from_static(b"\r\n"));
}

/// The header line with its LF, once it is whole.
fn take_line(line: &mut BytesMut, input: &mut Bytes) -> Result<Option<Bytes>, Refusal> {
    let end = input.iter().position(|byte| *byte == b'\n');
    let taken = input.split_to(end.map_or(input.len(), |at| at + 1));
    if line.len() + taken.len() > CHUNK_HEAD_BYTES_MAX {
        return Err(malformed("a chunk's header is too long"));
    }
    line.extend_from_slice(&taken);
    Ok(end.map(|_| std::mem::take(line).freeze()))
}

/// A chunk's size, from `SIZE CRLF` or `SIZE;chunk-signature=HEX64 CRLF`.
fn parse_head(line: &[u8], signed: bool) -> Result<u64, Refusal> {
    let line = line.strip_suffix(b"\r\n").ok_or_else(|| malformed("a chunk's header must end with CRLF"))?;
    let text = std::str::from_utf8(line).map_err(|_| malformed("a chunk's header must be ASCII"))?;
    let (size, extension) = text.split_once(';').unwrap_or((text, ""));
    let digits = !size.is_empty() && size.len() <= 8 && size.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !digits {
        return Err(malformed("a chunk's size must be 1 to 8 hex digits"));
    }
    let signature = extension.strip_prefix("chunk-signature=");
    if signed && signature.is_none_or(|signature| signature.len() != 64) {
        return Err(malformed("a chunk lacks its signature"));
    }
    let size = u64::from_str_radix(size, 16).map_err(|_| malformed("a chunk's size must be hex digits"))?;
    if signed && size > SIGNED_CHUNK_BYTES_MAX {
        return Err(Refusal::bad("InvalidChunkSizeError", "A signed chunk must not be longer than 16 MiB."));
    }
    Ok(size)
}

fn malformed(why: &'static str) -> Refusal {
    Refusal::bad("InvalidRequest", format!("The aws-chunked body is malformed: {why}."))
}

fn malformed_trailer() -> Refusal {
    Refusal::bad(
        "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn announced(signed: bool, decoded: u64, trailers: &[&str]) -> Announced {
        Announced { signed, decoded, trailers: trailers.iter().map(|name| name.to_string()).collect() }
    }

    /// What comes out of `body`, given in pieces of `step` bytes.
    fn run(announced: Announced, body: &[u8], step: usize) -> Result<Vec<u8>, Refusal> {
        let mut framing = Framing::new(announced);
        let mut out = VecDeque::new();
        for piece in body.chunks(step.max(1)) {
            framing.push(Bytes::copy_from_slice(piece), &mut out)?;
        }
        framing.finish()?;
        Ok(out.into_iter().flatten().collect())
    }

    fn code(result: Result<Vec<u8>, Refusal>) -> String {
        result.expect_err("must be refused").code.into_owned()
    }

    /// Data of an unsigned body, by the plainest reading.
    fn data_of(mut body: &[u8]) -> Vec<u8> {
        let mut data = Vec::new();
        loop {
            let end = body.windows(2).position(|two| two == b"\r\n").expect("a head");
            let size = usize::from_str_radix(std::str::from_utf8(&body[..end]).expect("ascii"), 16).expect("hex");
            if size == 0 {
                return data;
            }
            assert!(size <= RECHUNK_BYTES, "a chunk of {size} bytes came out");
            data.extend_from_slice(&body[end + 2..end + 2 + size]);
            body = &body[end + 2 + size + 2..];
        }
    }

    #[test]
    fn a_cut_body_is_incomplete_wherever_it_is_cut() {
        let body = b"5\r\nhello\r\n3\r\nyou\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n";
        let whole = announced(false, 8, &["x-amz-checksum-crc32"]);
        assert_eq!(data_of(&run(whole.clone(), body, 4).expect("whole")), b"helloyou");
        for cut in 0..body.len() {
            let code = code(run(whole.clone(), &body[..cut], 7));
            assert!(code == "IncompleteBody" || code == "MalformedTrailerError" && cut >= body.len() - 31, "{code} at {cut}");
        }
    }

    #[test]
    fn chunks_must_add_up_to_what_was_announced() {
        for decoded in [0, 4, 6] {
            assert_eq!(code(run(announced(false, decoded, &[]), b"5\r\nhello\r\n0\r\n\r\n", 3)), "IncompleteBody");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let run = |body: &[u8]| code(run(announced(false, 5, &[]), body, 2));
        for bad in [&b"x\r\n"[..], b"5\nhello", b"5\r\nhelloo\r\n", b"\r\n", b"000000005\r\n", b"-5\r\n", &[b'1'; 300]] {
            assert_eq!(run(bad), "InvalidRequest", "{bad:?}");
        }
    }

    #[test]
    fn signed_chunks_pass_unchanged_and_bounded() {
        let signature = "a".repeat(64);
        let body = format!("5;chunk-signature={signature}\r\nhello\r\n0;chunk-signature={signature}\r\n\r\n");
        assert_eq!(run(announced(true, 5, &[]), body.as_bytes(), 9).expect("whole"), body.as_bytes());
        assert_eq!(code(run(announced(true, 5, &[]), b"5\r\nhello\r\n", 9)), "InvalidRequest");
        let long = format!("1000001;chunk-signature={signature}\r\n");
        assert_eq!(code(run(announced(true, 1 << 40, &[]), long.as_bytes(), 9)), "InvalidChunkSizeError");
    }

    proptest! {
        #[test]
        fn any_chunking_comes_out_as_the_same_data(sizes in prop::collection::vec(1usize..200_000, 0..5), step in 1usize..300_000) {
            let data: Vec<u8> = (0..sizes.iter().sum::<usize>()).map(|i| (i % 251) as u8).collect();
            let mut body = Vec::new();
            let mut rest = &data[..];
            for size in &sizes {
                body.extend_from_slice(format!("{size:X}\r\n").as_bytes());
                body.extend_from_slice(&rest[..*size]);
                body.extend_from_slice(b"\r\n");
                rest = &rest[*size..];
            }
            body.extend_from_slice(b"0\r\n\r\n");
            let out = run(announced(false, data.len() as u64, &[]), &body, step).expect("whole");
            prop_assert_eq!(data_of(&out), data);
        }
    }
}
