//! MD5 (RFC 1321) of several streams in step. S3's entity tags are MD5s; nothing here relies on them for safety.
//!
//! ```text
//!   stream 0  | block | block | block |          one SIMD register holds the same word of every stream's block,
//!   stream 1  | block | block |                  so one instruction takes a step for all of them
//!   stream 2  | block | block | block | bl...    what is not a whole block yet waits with its stream
//! ```
//!
//! Each of MD5's steps needs the one before, so a stream can't be split and leaves most of a core idle. Streams don't need one another: up to
//! [`LANES`] go as fast together as one alone.
//!
//! Promises: the digest is that of the stream's bytes in order, however they are cut into pieces and whatever is hashed beside them; a stream
//! that has no bytes left holds nobody up.

mod lanes;

use fearless_simd::Level;

/// Streams that gain from being hashed together.
pub const LANES: usize = 8;

const BLOCK_BYTES: usize = 64;
/// Where the length stands in the last block.
const LENGTH_AT: usize = BLOCK_BYTES - 8;

type Block = [u8; BLOCK_BYTES];
type State = [u32; 4];

/// The MD5 of one stream so far.
#[derive(Clone)]
pub struct Md5 {
    state: State,
    /// Begins with the `len % 64` bytes that are not a whole block yet.
    partial: Block,
    /// Bytes taken in.
    len: u64,
}

impl Default for Md5 {
    fn default() -> Self {
        Self::new()
    }
}

impl Md5 {
    pub fn new() -> Self {
        Self { state: [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476], partial: [0; BLOCK_BYTES], len: 0 }
    }

    /// Takes in the stream's next bytes, alone.
    pub fn update(&mut self, bytes: &[u8]) {
        update_together([(self, bytes)]);
    }

    pub fn finish(mut self) -> [u8; 16] {
        let used = self.used();
        self.partial[used] = 0x80;
        self.partial[used + 1..].fill(0);
        if used >= LENGTH_AT {
            self.compress_partial();
            self.partial.fill(0);
        }
        self.partial[LENGTH_AT..].copy_from_slice(&self.len.wrapping_mul(8).to_le_bytes());
        self.compress_partial();
        let mut digest = [0; 16];
        digest.as_chunks_mut().0.iter_mut().zip(self.state).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
        digest
    }

    fn used(&self) -> usize {
        (self.len % BLOCK_BYTES as u64) as usize
    }

    fn compress_partial(&mut self) {
        ::md5::block_api::compress(&mut self.state, &[self.partial]);
    }

    /// Takes in what the block begun still lacks, or as much of it as there is; answers the rest.
    fn top_up<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let used = self.used();
        if used == 0 {
            return bytes;
        }
        let (head, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - used));
        self.keep(head);
        if self.used() == 0 && !head.is_empty() {
            self.compress_partial();
        }
        rest
    }

    /// Takes in bytes that reach at most to the end of the block begun.
    fn keep(&mut self, bytes: &[u8]) {
        let used = self.used();
        self.partial[used..used + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len() as u64;
    }
}

/// Takes in each stream's next bytes, in step as far as there are whole blocks of several.
pub fn update_together<'a>(streams: impl IntoIterator<Item = (&'a mut Md5, &'a [u8])>) {
    advance_all(Level::new(), streams);
}

fn advance_all<'a>(level: Level, streams: impl IntoIterator<Item = (&'a mut Md5, &'a [u8])>) {
    let mut pieces: Vec<Piece> = streams.into_iter().map(|(md5, bytes)| Piece::new(md5, bytes)).collect();
    loop {
        let mut live: Vec<&mut Piece> = pieces.iter_mut().filter(|piece| !piece.blocks.is_empty()).take(LANES).collect();
        match live.len() {
            0 => break,
            1 => live[0].advance_alone(),
            2..=4 => advance(&mut live, |states, blocks| lanes::compress_4(level, states, blocks)),
            _ => advance(&mut live, |states, blocks| lanes::compress_8(level, states, blocks)),
        }
    }
    pieces.into_iter().for_each(|piece| piece.md5.keep(piece.tail));
}

/// Bytes on their way into a stream that stands at a block's beginning: whole blocks, then less than one.
struct Piece<'a> {
    md5: &'a mut Md5,
    blocks: &'a [Block],
    tail: &'a [u8],
}

impl<'a> Piece<'a> {
    fn new(md5: &'a mut Md5, bytes: &'a [u8]) -> Self {
        let (blocks, tail) = md5.top_up(bytes).as_chunks();
        Self { md5, blocks, tail }
    }

    fn advance_alone(&mut self) {
        let blocks = self.take(self.blocks.len());
        ::md5::block_api::compress(&mut self.md5.state, blocks);
    }

    fn take(&mut self, blocks: usize) -> &'a [Block] {
        let (taken, rest) = self.blocks.split_at(blocks);
        self.blocks = rest;
        self.md5.len += (blocks * BLOCK_BYTES) as u64;
        taken
    }
}

/// Takes as many blocks of each piece as the shortest has. Lanes without a piece do the first one's work again, for nothing.
fn advance<const L: usize>(live: &mut [&mut Piece], compress: impl FnOnce(&mut [State; L], [&[Block]; L])) {
    let count = live.iter().map(|piece| piece.blocks.len()).min().unwrap_or(0);
    let mut blocks = [&live[0].blocks[..count]; L];
    let mut states = [live[0].md5.state; L];
    for (lane, piece) in live.iter_mut().enumerate() {
        states[lane] = piece.md5.state;
        blocks[lane] = piece.take(count);
    }
    compress(&mut states, blocks);
    live.iter_mut().zip(states).for_each(|(piece, state)| piece.md5.state = state);
}

#[cfg(test)]
mod tests;
