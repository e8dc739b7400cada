//! Reed-Solomon over GF(2^8), systematic: shards `0..k` are the data, any `k` of `n` give back the rest.
//!
//! The code works byte column by byte column, so a range of a shard is rebuilt from the same range of `k` others. With `k = 1` every
//! shard is the data itself. The matrix is the usual Vandermonde one; a test holds it against another implementation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustfs_erasure_codec::galois_8::ReedSolomon;

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
    let len = shape(k, n, present, wanted)?;
    if k == 1 {
        return Ok(wanted.iter().map(|_| present[0].1.to_vec()).collect());
    }
    let mut shards: Vec<(Vec<u8>, bool)> = vec![(Vec::new(), false); n];
    for (position, bytes) in &present[..k] {
        shards[*position] = (bytes.to_vec(), true);
    }
    let mut required = vec![false; n];
    for &position in wanted {
        required[position] = !shards[position].1;
    }
    for (bytes, present) in &mut shards {
        if !*present {
            bytes.resize(len, 0);
        }
    }
    if required.contains(&true) {
        codec(k, n)?.reconstruct_some(&mut shards, &required).map_err(|_| CodecError::Misshapen)?;
    }
    Ok(wanted.iter().map(|&position| shards[position].0.clone()).collect())
}

/// Rebuilds one shard.
pub fn rebuild_one(k: usize, n: usize, present: &[(usize, &[u8])], position: usize) -> Result<Vec<u8>, CodecError> {
    rebuild(k, n, present, &[position]).map(|mut shards| shards.remove(0))
}

/// Checks positions and lengths; answers the length of a shard.
fn shape(k: usize, n: usize, present: &[(usize, &[u8])], wanted: &[usize]) -> Result<usize, CodecError> {
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
    let right = present.iter().all(once) && wanted.iter().all(|&position| position < n);
    if right { Ok(len) } else { Err(CodecError::Misshapen) }
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
