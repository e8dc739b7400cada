//! Reed-Solomon over GF(2^8), systematic: shards `0..k` are the data, any `k` of `n` give back the rest.
//!
//! The code works byte column by byte column, so a range of a shard is rebuilt from the same range of `k` others. With `k = 1` every
//! shard is the data itself. The matrix is the usual Vandermonde one; a test holds it against another implementation.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rustfs_erasure_codec::galois_8::{self, ReedSolomon};

/// Why shards can't be made or rebuilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    #[error("no such code: {k}/{n}")]
    BadCode { k: usize, n: usize },
    #[error("{have} shards are too few, {need} are needed")]
    TooFew { have: usize, need: usize },
    #[error("the shards differ in length, or a position is out of range or given twice")]
    Misshapen,
}

type Codecs = HashMap<(usize, usize), Arc<ReedSolomon>>;

/// The matrices of the codes in use; they are costly to make and never change.
static CODECS: Mutex<Option<Codecs>> = Mutex::new(None);

fn codec(k: usize, n: usize) -> Result<Arc<ReedSolomon>, CodecError> {
    let mut codecs = CODECS.lock().unwrap_or_else(PoisonError::into_inner);
    let codecs = codecs.get_or_insert_default();
    if let Some(codec) = codecs.get(&(k, n)) {
        return Ok(codec.clone());
    }
    let parity = n.checked_sub(k).ok_or(CodecError::BadCode { k, n })?;
    let codec = Arc::new(ReedSolomon::new(k, parity).map_err(|_| CodecError::BadCode { k, n })?);
    codecs.insert((k, n), codec.clone());
    Ok(codec)
}

/// Fills `parity` (n - k pieces) from `data` (k pieces), all equally long.
pub fn encode(data: &[&[u8]], parity: &mut [&mut [u8]]) -> Result<(), CodecError> {
    let (k, n) = (data.len(), data.len() + parity.len());
    match (data, parity) {
        (_, []) => Ok(()),
        ([only], parity) => {
            parity.iter_mut().for_each(|copy| copy.copy_from_slice(only));
            Ok(())
        }
        (data, parity) => codec(k, n)?.encode_sep(data, parity).map_err(|_| CodecError::Misshapen),
    }
}

/// Rebuilds the shards at `wanted` from any `k` of `present` (position and bytes, equally long, each position once).
pub fn rebuild(k: usize, n: usize, present: &[(usize, &[u8])], wanted: &[usize]) -> Result<Vec<Vec<u8>>, CodecError> {
    let len = present.first().map_or(0, |(_, bytes)| bytes.len());
    let mut rebuilt: Vec<Vec<u8>> = wanted.iter().map(|_| vec![0; len]).collect();
    let mut into: Vec<(usize, &mut [u8])> = wanted.iter().copied().zip(rebuilt.iter_mut().map(Vec::as_mut_slice)).collect();
    rebuild_into(k, n, present, &mut into)?;
    Ok(rebuilt)
}

/// As [`rebuild`], into slices as long as the shards present, whatever is in them.
pub fn rebuild_into(k: usize, n: usize, present: &[(usize, &[u8])], wanted: &mut [(usize, &mut [u8])]) -> Result<(), CodecError> {
    let len = shape(k, n, present, wanted)?;
    let (mut lost, mut rows) = (Vec::new(), Vec::new());
    let (used, more) = present.split_at(k);
    let used_positions: Vec<usize> = used.iter().map(|(position, _)| *position).collect();
    let decode = Decode::new(k, n, &used_positions)?;
    for (position, into) in wanted {
        // With one data shard, all are the same.
        match used.iter().chain(more).find(|(at, _)| at == position || k == 1) {
            Some((_, bytes)) => into.copy_from_slice(bytes),
            None => {
                rows.push(decode.row(*position));
                lost.push(&mut **into);
            }
        }
    }
    for start in (0..len).step_by(COLUMN_BYTES) {
        let column = start..(start + COLUMN_BYTES).min(len);
        for (row, into) in rows.iter().zip(&mut lost) {
            combine(row, used, column.clone(), &mut into[column.clone()]);
        }
    }
    Ok(())
}

/// Bytes of each shard that are worked on at once: they stay in the processor's nearest cache.
const COLUMN_BYTES: usize = 16 * 1024;

/// The sum of the shards' bytes, each times its factor.
fn combine(row: &[u8], shards: &[(usize, &[u8])], column: Range<usize>, into: &mut [u8]) {
    let mut first = true;
    for (factor, (_, bytes)) in row.iter().zip(shards) {
        let bytes = &bytes[column.clone()];
        if std::mem::take(&mut first) {
            galois_8::mul_slice(*factor, bytes, into);
        } else if *factor != 0 {
            galois_8::mul_slice_xor(*factor, bytes, into);
        }
    }
}

/// What the shards of a code are of the `k` shards at hand.
struct Decode {
    k: usize,
    /// Row by row: what each shard is of the data shards.
    generator: Vec<Vec<u8>>,
    /// What each data shard is of the shards at hand.
    inverse: Vec<Vec<u8>>,
}

impl Decode {
    /// `positions` are `k` different ones below `n`.
    fn new(k: usize, n: usize, positions: &[usize]) -> Result<Self, CodecError> {
        let generator = generator(k, n)?;
        let rows = positions.iter().map(|position| generator[*position].clone()).collect();
        let inverse = invert(rows).ok_or(CodecError::Misshapen)?;
        Ok(Self { k, generator, inverse })
    }

    /// The factors that make the shard at `position` of the shards at hand.
    fn row(&self, position: usize) -> Vec<u8> {
        let wanted = &self.generator[position];
        let factor = |at: usize| (0..self.k).fold(0, |sum, data| sum ^ galois_8::mul(wanted[data], self.inverse[data][at]));
        (0..self.k).map(factor).collect()
    }
}

/// The code's matrix: an identity above what encoding makes of one.
fn generator(k: usize, n: usize) -> Result<Vec<Vec<u8>>, CodecError> {
    let data: Vec<Vec<u8>> = (0..k).map(|row| (0..k).map(|column| u8::from(row == column)).collect()).collect();
    let mut parity = vec![vec![0; k]; n - k];
    let slices: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    encode(&slices, &mut parity.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>())?;
    Ok(data.into_iter().chain(parity).collect())
}

/// The inverse of a square matrix over GF(2^8), by Gauss and Jordan; `None` if there is none.
fn invert(mut rows: Vec<Vec<u8>>) -> Option<Vec<Vec<u8>>> {
    let k = rows.len();
    for (at, row) in rows.iter_mut().enumerate() {
        row.extend((0..k).map(|column| u8::from(at == column)));
    }
    for column in 0..k {
        let pivot = (column..k).find(|row| rows[*row][column] != 0)?;
        rows.swap(column, pivot);
        let scale = galois_8::div(1, rows[column][column]);
        rows[column].iter_mut().for_each(|value| *value = galois_8::mul(*value, scale));
        let leading = rows[column].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(at, _)| *at != column) {
            let factor = row[column];
            row.iter_mut().zip(&leading).for_each(|(value, lead)| *value ^= galois_8::mul(factor, *lead));
        }
    }
    Some(rows.into_iter().map(|mut row| row.split_off(k)).collect())
}

/// Rebuilds one shard.
pub fn rebuild_one(k: usize, n: usize, present: &[(usize, &[u8])], position: usize) -> Result<Vec<u8>, CodecError> {
    rebuild(k, n, present, &[position]).map(|mut shards| shards.remove(0))
}

/// Checks positions and lengths; answers the length of a shard.
fn shape(k: usize, n: usize, present: &[(usize, &[u8])], wanted: &[(usize, &mut [u8])]) -> Result<usize, CodecError> {
    if k == 0 || k > n {
        return Err(CodecError::BadCode { k, n });
    }
    if present.len() < k {
        return Err(CodecError::TooFew { have: present.len(), need: k });
    }
    let len = present[0].1.len();
    let mut seen = vec![false; n];
    let once = |(position, bytes): &(usize, &[u8])| {
        *position < n && bytes.len() == len && !std::mem::replace(&mut seen[*position], true)
    };
    let fits = |(position, into): &(usize, &mut [u8])| *position < n && into.len() == len;
    if present.iter().all(once) && wanted.iter().all(fits) { Ok(len) } else { Err(CodecError::Misshapen) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;

    fn shards(k: usize, n: usize, len: usize, seed: u8) -> Vec<Vec<u8>> {
        let byte = |shard: usize, i: usize| (shard * 31 + i * 7 + usize::from(seed)) as u8;
        let mut all: Vec<Vec<u8>> = (0..n).map(|shard| (0..len).map(|i| byte(shard, i)).collect()).collect();
        let (data, parity) = all.split_at_mut(k);
        let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
        let mut parity: Vec<&mut [u8]> = parity.iter_mut().map(Vec::as_mut_slice).collect();
        encode(&data, &mut parity).expect("encodes");
        all
    }

    #[test]
    fn parity_is_what_another_implementation_makes() {
        for (k, n) in [(2, 3), (4, 6), (10, 14), (10, 30), (29, 80)] {
            let ours = shards(k, n, 1000, 3);
            let mut theirs = ours.clone();
            theirs[k..].iter_mut().for_each(|parity| parity.fill(0));
            reed_solomon_erasure::galois_8::ReedSolomon::new(k, n - k).expect("code").encode(&mut theirs).expect("encodes");
            assert_eq!(ours, theirs, "{k}/{n}");
        }
    }

    fn codes() -> impl Strategy<Value = (usize, usize)> {
        (1usize..=12).prop_flat_map(|k| (Just(k), k..=k + 8))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn any_k_shards_rebuild_all(((k, n), have) in codes().prop_flat_map(|(k, n)| {
            (Just((k, n)), subsequence((0..n).collect::<Vec<_>>(), k..=n).prop_shuffle())
        }), len in 1usize..500, seed: u8) {
            let all = shards(k, n, len, seed);
            let present: Vec<(usize, &[u8])> = have.iter().map(|&i| (i, all[i].as_slice())).collect();
            let everything: Vec<usize> = (0..n).collect();
            prop_assert_eq!(rebuild(k, n, &present, &everything).expect("k are enough"), all.clone());
            prop_assert_eq!(rebuild_one(k, n, &present, n - 1).expect("k are enough"), all[n - 1].clone());
            prop_assert!(rebuild(k, n, &present[..k - 1], &everything).is_err());
        }
    }

    #[test]
    fn shards_are_rebuilt_as_another_implementation_rebuilds_them() {
        for (k, n, len) in [(2, 3, 1), (4, 6, COLUMN_BYTES + 17), (10, 14, 3 * COLUMN_BYTES), (29, 80, 999), (64, 128, 77)] {
            let all = shards(k, n, len, 5);
            let lost: Vec<usize> = (0..n - k).map(|i| (i * 7 + 1) % n).collect();
            let mut theirs: Vec<Option<Vec<u8>>> = all.iter().cloned().map(Some).collect();
            lost.iter().for_each(|at| theirs[*at] = None);
            let present: Vec<(usize, &[u8])> =
                (0..n).rev().filter(|at| !lost.contains(at)).map(|at| (at, all[at].as_slice())).collect();
            reed_solomon_erasure::galois_8::ReedSolomon::new(k, n - k).expect("code").reconstruct(&mut theirs).expect("enough");
            let theirs: Vec<Vec<u8>> = lost.iter().map(|at| theirs[*at].clone().expect("rebuilt")).collect();
            assert_eq!(rebuild(k, n, &present, &lost).expect("k are enough"), theirs, "{k}/{n}");
        }
    }

    #[test]
    fn what_a_slice_held_before_does_not_matter() {
        let all = shards(4, 6, COLUMN_BYTES * 2 + 5, 9);
        let present: Vec<(usize, &[u8])> = [0, 2, 4, 5].map(|i| (i, all[i].as_slice())).to_vec();
        let (mut one, mut three) = (vec![0xAA; all[0].len()], vec![0x55; all[0].len()]);
        rebuild_into(4, 6, &present, &mut [(1, &mut one), (3, &mut three)]).expect("rebuilds");
        assert_eq!((&one, &three), (&all[1], &all[3]));
        let mut short = vec![0; 3];
        assert_eq!(rebuild_into(4, 6, &present, &mut [(1, &mut short)]), Err(CodecError::Misshapen));
    }

    #[test]
    fn a_range_is_rebuilt_from_the_same_range_of_others() {
        let all = shards(4, 6, 1000, 1);
        let present: Vec<(usize, &[u8])> = [1, 3, 4, 5].map(|i| (i, &all[i][100..300])).to_vec();
        assert_eq!(rebuild_one(4, 6, &present, 0).expect("rebuilds"), all[0][100..300]);
    }

    #[test]
    fn misshapen_input_is_refused() {
        let (a, b) = ([0u8; 4], [0u8; 5]);
        assert_eq!(rebuild_one(2, 3, &[(0, &a), (1, &b)], 2), Err(CodecError::Misshapen));
        assert_eq!(rebuild_one(2, 3, &[(0, &a), (0, &a)], 2), Err(CodecError::Misshapen));
        assert_eq!(rebuild_one(2, 3, &[(0, &a), (3, &a)], 2), Err(CodecError::Misshapen));
        assert_eq!(rebuild_one(2, 3, &[(0, &a), (1, &a)], 3), Err(CodecError::Misshapen));
        assert_eq!(rebuild_one(0, 3, &[(0, &a)], 0), Err(CodecError::BadCode { k: 0, n: 3 }));
    }
}
