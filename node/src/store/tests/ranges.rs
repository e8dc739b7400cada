//! What reconciliation is told agrees with what is held.

use nodio_wire::api::{Contents, digest_of, range_bounds};

use super::*;

#[tokio::test]
async fn digests_and_pages_of_ranges_tell_exactly_what_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut ids: Vec<_> = (0..300).map(|seed| shard(seed, 10)).collect();
    ids.sort();
    for (id, data) in &ids {
        store.put(*id, data.clone(), 0).await.unwrap();
    }
    let aside: Vec<_> = ids.iter().step_by(7).map(|(id, _)| *id).collect();
    store.trash(&aside, 5_000).await.unwrap();
    for bits in [0u8, 1, 4, 16] {
        let ranges = store.range_digests(bits);
        assert_eq!(ranges.len(), 1 << bits);
        let sum = ranges.iter().fold(Contents::default(), |sum, one| Contents {
            shards: sum.shards + one.shards,
            digest: sum.digest.wrapping_add(one.digest),
        });
        assert_eq!((sum.shards, sum.digest), (store.totals().shards, store.totals().digest), "{bits} bits");
        for (i, range) in ranges.iter().enumerate().filter(|(_, range)| bits < 16 || range.shards > 0) {
            let (from, through) = range_bounds(bits, i as u32);
            let mut told = Vec::new();
            loop {
                let page = store.range(from, through, told.last().copied(), 13);
                assert!(page.iter().all(|held| held.trashed == aside.contains(&held.id)));
                told.extend(page.iter().map(|held| held.id));
                if page.len() < 13 {
                    break;
                }
            }
            let want: Vec<_> = ids.iter().map(|(id, _)| *id).filter(|id| (from..=through).contains(id)).collect();
            assert_eq!(told, want, "those set aside as well, range {i} of {bits} bits");
            let held = told.iter().filter(|id| !aside.contains(id));
            let digest = held.clone().fold(0u128, |sum, id| sum.wrapping_add(digest_of(id)));
            assert_eq!((range.shards, range.digest), (held.count() as u64, digest));
        }
    }
}

#[tokio::test]
async fn a_range_has_both_its_ends() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut ids: Vec<_> = (0..5).map(|seed| shard(seed, 10)).collect();
    ids.sort();
    for (id, data) in &ids {
        store.put(*id, data.clone(), 0).await.unwrap();
    }
    let told = |from: usize, through: usize, after: Option<usize>| {
        let page = store.range(ids[from].0, ids[through].0, after.map(|after| ids[after].0), 9);
        page.into_iter().map(|held| ids.iter().position(|(id, _)| *id == held.id).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(told(1, 3, None), [1, 2, 3]);
    assert_eq!(told(1, 3, Some(1)), [2, 3]);
    assert_eq!(told(2, 3, Some(0)), [2, 3], "from is the lower end whatever came before");
    assert!(told(1, 3, Some(4)).is_empty() && told(3, 1, None).is_empty());
}
