//! What sealing, encoding, opening and rebuilding allocate. Figures to record anew are printed by
//! `cargo test -p nodio-codec --test allocations -- --nocapture`, in the form of the table.

#![allow(clippy::unwrap_used)]

mod frugal;

use frugal::{Figure, Ledger};
use nodio_codec::seal::PartCipher;
use nodio_codec::segment::{Shape, encode};
use nodio_codec::{DataKey, erasure};

const RECORDED: &[Figure] = &[
    ("encode 4/6", 2, 96),
    ("encode 10/30", 2, 480),
    ("encode 1/3", 0, 0),
    ("encode and open 4/6", 3, 160),
    ("rebuild 2 of 4/6", 38, 2_098_550),
];

const MIB: usize = 1 << 20;

#[test]
fn a_segment_takes_few_allocations() {
    let cipher = PartCipher::new([7; 16], &DataKey::from_bytes([9; 32]));
    let mut ledger = Ledger::new(RECORDED);
    for (name, k, n) in [("encode 4/6", 4, 6), ("encode 10/30", 10, 30), ("encode 1/3", 1, 3)] {
        let plain = vec![0x5a; k * MIB];
        let shape = Shape::new(k, n, plain.len());
        let mut coded = vec![0; shape.coded_len()];
        ledger.measure(name, || encode(&cipher, 0, &plain, shape, &mut coded).unwrap());
    }
    let plain = vec![0x5a; 4 * MIB];
    let shape = Shape::new(4, 6, plain.len());
    let mut coded = vec![0; shape.coded_len()];
    // Blocks are opened where they lie, so each run seals them anew.
    ledger.measure("encode and open 4/6", || {
        encode(&cipher, 0, &plain, shape, &mut coded).unwrap();
        let mut pieces: Vec<&mut [u8]> = coded.chunks_mut(shape.shard_len()).take(4).collect();
        let mut opening = shape.window(0..plain.len()).open();
        while let Some(opened) = opening.step(&cipher, 0, &mut pieces) {
            opened.unwrap();
        }
    });
    encode(&cipher, 0, &plain, shape, &mut coded).unwrap();
    let present: Vec<(usize, &[u8])> = coded.chunks(shape.shard_len()).enumerate().skip(2).collect();
    ledger.measure("rebuild 2 of 4/6", || erasure::rebuild(4, 6, &present, &[0, 1]).unwrap());
    ledger.settle();
}
