//! The steps of MD5 on vectors: lane `l` of each register belongs to stream `l`.
//!
//! Everything is inlined into `dispatch!`, which compiles it once for each instruction set and picks the best at run time.

use std::array::from_fn;
use std::hint::black_box;

use fearless_simd::{Level, Simd, SimdInt, dispatch, u32x4, u32x8};

use super::{Block, State};

/// RFC 1321: the integer part of 2^32 times abs(sin(i + 1)), for step i, in rounds of 16.
const SINES: [[u32; 16]; 4] = [
    [
        0xd76a_a478,
        0xe8c7_b756,
        0x2420_70db,
        0xc1bd_ceee,
        0xf57c_0faf,
        0x4787_c62a,
        0xa830_4613,
        0xfd46_9501,
        0x6980_98d8,
        0x8b44_f7af,
        0xffff_5bb1,
        0x895c_d7be,
        0x6b90_1122,
        0xfd98_7193,
        0xa679_438e,
        0x49b4_0821,
    ],
    [
        0xf61e_2562,
        0xc040_b340,
        0x265e_5a51,
        0xe9b6_c7aa,
        0xd62f_105d,
        0x0244_1453,
        0xd8a1_e681,
        0xe7d3_fbc8,
        0x21e1_cde6,
        0xc337_07d6,
        0xf4d5_0d87,
        0x455a_14ed,
        0xa9e3_e905,
        0xfcef_a3f8,
        0x676f_02d9,
        0x8d2a_4c8a,
    ],
    [
        0xfffa_3942,
        0x8771_f681,
        0x6d9d_6122,
        0xfde5_380c,
        0xa4be_ea44,
        0x4bde_cfa9,
        0xf6bb_4b60,
        0xbebf_bc70,
        0x289b_7ec6,
        0xeaa1_27fa,
        0xd4ef_3085,
        0x0488_1d05,
        0xd9d4_d039,
        0xe6db_99e5,
        0x1fa2_7cf8,
        0xc4ac_5665,
    ],
    [
        0xf429_2244,
        0x432a_ff97,
        0xab94_23a7,
        0xfc93_a039,
        0x655b_59c3,
        0x8f0c_cc92,
        0xffef_f47d,
        0x8584_5dd1,
        0x6fa8_7e4f,
        0xfe2c_e6e0,
        0xa301_4314,
        0x4e08_11a1,
        0xf753_7e82,
        0xbd3a_f235,
        0x2ad7_d2bb,
        0xeb86_d391,
    ],
];

/// One 32-bit word of every lane.
trait Words<S: Simd>: SimdInt<S, Element = u32> + Copy {}
impl<S: Simd, V: SimdInt<S, Element = u32> + Copy> Words<S> for V {}

/// Takes every lane's blocks, as many of each, into its state.
pub(super) fn compress_4(level: Level, states: &mut [State; 4], blocks: [&[Block]; 4]) {
    dispatch!(level, simd => compress::<_, u32x4<_>, 4>(simd, states, blocks));
}

/// As [`compress_4`], for eight.
pub(super) fn compress_8(level: Level, states: &mut [State; 8], blocks: [&[Block]; 8]) {
    dispatch!(level, simd => compress::<_, u32x8<_>, 8>(simd, states, blocks));
}

/// `L` is the number of words in `V`, a divisor of 16.
#[inline(always)]
fn compress<S: Simd, V: Words<S>, const L: usize>(simd: S, states: &mut [State; L], blocks: [&[Block]; L]) {
    // Constants that the compiler sees it adds last, where everything waits for them.
    let sines = black_box(&SINES);
    let mut state: [V; 4] = from_fn(|word| V::from_slice(simd, &states.map(|state| state[word])));
    for index in 0..blocks[0].len() {
        let message = message(simd, blocks.map(|blocks| &blocks[index]));
        state = block(state, &message, sines);
    }
    for (word, vector) in state.into_iter().enumerate() {
        let mut lanes = [0; L];
        vector.store_slice(&mut lanes);
        states.iter_mut().zip(lanes).for_each(|(state, lane)| state[word] = lane);
    }
}

/// The words of one block of each lane: word `i` of all of them at `i`.
#[inline(always)]
fn message<S: Simd, V: Words<S>, const L: usize>(simd: S, blocks: [&Block; L]) -> [V; 16] {
    let mut message = [V::splat(simd, 0); 16];
    for (part, words) in message.as_chunks_mut::<L>().0.iter_mut().enumerate() {
        *words = transposed(blocks.map(|block| {
            let quads = block.as_chunks::<4>().0;
            V::from_slice(simd, &from_fn::<u32, L, _>(|i| u32::from_le_bytes(quads[part * L + i])))
        }));
    }
    message
}

/// A square of words turned over: each shuffle of the first half into the second moves every word's row one bit towards its column.
#[inline(always)]
fn transposed<S: Simd, V: Words<S>, const L: usize>(mut rows: [V; L]) -> [V; L] {
    for _ in 0..L.ilog2() {
        rows = from_fn(|i| match i % 2 {
            0 => rows[i / 2].zip_low(rows[i / 2 + L / 2]),
            _ => rows[i / 2].zip_high(rows[i / 2 + L / 2]),
        });
    }
    rows
}

#[inline(always)]
fn block<S: Simd, V: Words<S>>(before: [V; 4], message: &[V; 16], sines: &[[u32; 16]; 4]) -> [V; 4] {
    let mut after = before;
    after = round(after, &sines[0], [7, 12, 17, 22], |i| message[i], |b, c, d| d ^ (b & (c ^ d)));
    after = round(after, &sines[1], [5, 9, 14, 20], |i| message[(5 * i + 1) % 16], |b, c, d| (b & d) + (c & !d));
    after = round(after, &sines[2], [4, 11, 16, 23], |i| message[(3 * i + 5) % 16], |b, c, d| b ^ (c ^ d));
    after = round(after, &sines[3], [6, 10, 15, 21], |i| message[7 * i % 16], |b, c, d| c ^ (b | !d));
    from_fn(|word| before[word] + after[word])
}

/// Sixteen steps, in turns of four.
#[inline(always)]
fn round<S: Simd, V: Words<S>>(
    [mut a, mut b, mut c, mut d]: [V; 4],
    sines: &[u32; 16],
    left: [u32; 4],
    word: impl Fn(usize) -> V,
    mix: impl Fn(V, V, V) -> V,
) -> [V; 4] {
    for i in (0..16).step_by(4) {
        a = step(a, b, mix(b, c, d), word(i) + sines[i], left[0]);
        d = step(d, a, mix(a, b, c), word(i + 1) + sines[i + 1], left[1]);
        c = step(c, d, mix(d, a, b), word(i + 2) + sines[i + 2], left[2]);
        b = step(b, c, mix(c, d, a), word(i + 3) + sines[i + 3], left[3]);
    }
    [a, b, c, d]
}

/// `mixed` alone waits for the step before, so it comes last into the sum.
#[inline(always)]
fn step<S: Simd, V: Words<S>>(a: V, b: V, mixed: V, addend: V, left: u32) -> V {
    let sum = (a + addend) + mixed;
    b + ((sum << left) | (sum >> (32 - left)))
}
