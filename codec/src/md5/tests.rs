//! Against the RFC's vectors and against another implementation, on every instruction set of this machine.

use ::md5::Digest;
use proptest::prelude::*;

use super::*;

fn alone(bytes: &[u8]) -> String {
    let mut md5 = Md5::new();
    md5.update(bytes);
    hex(md5.finish())
}

fn hex(digest: [u8; 16]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn oracle(bytes: &[u8]) -> String {
    hex(::md5::Md5::digest(bytes).into())
}

/// Every instruction set that this processor has, the plainest first.
fn levels() -> Vec<Level> {
    let best = Level::new();
    let mut levels = vec![Level::baseline()];
    #[cfg(target_arch = "x86_64")]
    {
        levels.extend(best.as_sse4_2().map(Level::Sse4_2));
        levels.extend(best.as_avx2().map(Level::Avx2));
    }
    levels.push(best);
    levels
}

/// Section A.5 of RFC 1321.
#[test]
fn the_vectors_of_the_rfc() {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let digits = "1234567890".repeat(8);
    for (text, digest) in [
        ("", "d41d8cd98f00b204e9800998ecf8427e"),
        ("a", "0cc175b9c0f1b6a831c399e269772661"),
        ("abc", "900150983cd24fb0d6963f7d28e17f72"),
        ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
        ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
        (letters, "d174ab98d277d9f5a5611c2c9f419d9f"),
        (&digits, "57edf4a22be3c955ac49da2e2107b67a"),
    ] {
        assert_eq!(alone(text.as_bytes()), digest, "{text}");
    }
}

#[test]
fn every_length_about_a_block_ends_right() {
    let bytes: Vec<u8> = (0..200).collect();
    for len in 0..bytes.len() {
        assert_eq!(alone(&bytes[..len]), oracle(&bytes[..len]), "{len} bytes");
    }
}

/// Fixed streams of many blocks, as many as lanes and one more, of lengths that differ: what they hash to never changes.
#[test]
fn golden() {
    let streams: Vec<Vec<u8>> =
        (0..=LANES).map(|l| (0..10_000 + 777 * l).map(|i| (i * 31 + l * 17 + i / 251) as u8).collect()).collect();
    for level in levels() {
        let mut md5s = vec![Md5::new(); streams.len()];
        advance_all(level, md5s.iter_mut().zip(streams.iter().map(Vec::as_slice)));
        let mut all = Md5::new();
        md5s.into_iter().for_each(|md5| all.update(&md5.finish()));
        assert_eq!(hex(all.finish()), "75218026aee25875694c54217bc3b782", "{level:?}");
    }
}

/// For each round, the bytes that each stream takes in then.
fn rounds() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    let piece = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..700),
        1 => Just(Vec::new()),
        1 => (0..9usize, any::<u8>()).prop_map(|(blocks, byte)| vec![byte; blocks * BLOCK_BYTES]),
    ];
    (1..=2 * LANES + 1).prop_flat_map(move |streams| prop::collection::vec(prop::collection::vec(piece.clone(), streams), 0..5))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn however_streams_are_cut_and_paired_each_has_its_own_digest(rounds in rounds()) {
        let streams = rounds.first().map_or(0, Vec::len);
        for level in levels() {
            let mut md5s = vec![Md5::new(); streams];
            for round in &rounds {
                advance_all(level, md5s.iter_mut().zip(round.iter().map(Vec::as_slice)));
            }
            for (stream, md5) in md5s.into_iter().enumerate() {
                let whole: Vec<u8> = rounds.iter().flat_map(|round| round[stream].clone()).collect();
                prop_assert_eq!(hex(md5.finish()), oracle(&whole), "stream {} on {:?}", stream, level);
            }
        }
    }
}
