//! Outlines: whatever becomes of them, a start finds what the volumes' headers say.

use std::fs::{self, FileTimes};
use std::path::PathBuf;
use std::time::SystemTime;

use proptest::prelude::*;

use super::outline::{Draft, path};
use super::*;

/// All that an index says, but for the outlines themselves.
type Picture = (Vec<(ShardId, index::Held)>, Vec<(u32, u64, u64, u64)>, (u128, u64), Trash);

fn picture(index: &Index) -> Picture {
    let volumes = index.volumes().map(|(number, volume)| (number, volume.bytes, volume.shard_bytes, volume.live_bytes()));
    (index.walk(Bound::Unbounded).collect(), volumes.collect(), (index.digest(), index.held_bytes()), index.trash())
}

/// What a start makes of the volumes alone.
pub(super) fn by_headers(dir: &Path) -> Picture {
    let (volumes, copy) = (options(dir).dir, tempfile::tempdir().unwrap());
    for number in volume::list(&volumes).unwrap() {
        fs::copy(volume::path(&volumes, number), volume::path(copy.path(), number)).unwrap();
    }
    picture(&scan::load(copy.path(), false).unwrap().index)
}

/// Starts on the folder and ends as it was told; what it found is what the headers say.
async fn agrees(dir: &Path) {
    let expected = by_headers(dir);
    let store = open(dir);
    assert_eq!(picture(&store.shared.index()), expected);
    kill(store).await;
}

/// Several volumes with all kinds of records, stopped in order.
async fn stopped() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let shards: Vec<_> = (0..40).map(|seed| shard(seed, 1_000 + 900 * seed as usize)).collect();
    for (id, data) in &shards {
        store.put(*id, data.clone(), 5_000).await.unwrap();
    }
    let ids = |from: usize, step: usize| shards.iter().skip(from).step_by(step).map(|(id, _)| *id).collect::<Vec<_>>();
    store.delete(&ids(1, 7)).await.unwrap();
    store.trash(&ids(2, 7), 9_000).await.unwrap();
    store.restore(&ids(2, 14)).await.unwrap();
    store.close().await;
    assert!(volume::list(&options(dir.path()).dir).unwrap().len() > 2);
    dir
}

fn outlines(dir: &Path) -> Vec<PathBuf> {
    let numbers = volume::list(&options(dir).dir).unwrap();
    numbers.into_iter().map(|number| path(&options(dir).dir, number)).filter(|path| path.exists()).collect()
}

fn changed(path: &Path) -> SystemTime {
    path.metadata().unwrap().modified().unwrap()
}

/// Does something to a file so that its time of change tells nothing.
fn unseen(path: &Path, change: impl FnOnce(&Path)) {
    let before = changed(path);
    change(path);
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_times(FileTimes::new().set_modified(before)).unwrap();
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn after_a_stop_every_volume_has_an_outline_and_a_start_believes_it() {
    let dir = stopped().await;
    assert_eq!(outlines(dir.path()).len(), volume::list(&options(dir.path()).dir).unwrap().len());
    let expected = by_headers(dir.path());
    // The first header of the first volume, which the start then doesn't look at.
    unseen(&volume::path(&options(dir.path()).dir, 1), |path| flip(path, 30));
    assert_ne!(by_headers(dir.path()), expected);
    let store = open(dir.path());
    assert_eq!(picture(&store.shared.index()), expected);
    let files = |paths: Vec<PathBuf>| paths.iter().map(|path| path.metadata().unwrap().len()).sum::<u64>();
    let volumes: u64 = store.shared.index().volumes().map(|(_, volume)| volume.bytes).sum();
    assert_eq!(store.totals().used_bytes, volumes + files(outlines(dir.path())), "outlines count");
    // The shard is whole and its header is not: the scrub finds that, as ever.
    assert_eq!(scrub_round(&store).await.mended, 1);
}

#[tokio::test]
async fn a_full_volume_gets_its_outline_while_the_store_runs_and_the_newest_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for seed in 0..9 {
        let (id, data) = shard(seed, 60_000);
        store.put(id, data, 0).await.unwrap();
    }
    outline_all(&store).await;
    assert_eq!(outlines(dir.path()), [1, 2].map(|number| path(&options(dir.path()).dir, number)));
    kill(store).await;
    agrees(dir.path()).await;
    assert_eq!(outlines(dir.path()).len(), 2, "they were believed");
}

#[tokio::test]
async fn an_outline_of_a_volume_that_grew_is_removed_and_not_believed() {
    let dir = stopped().await;
    let newest = *volume::list(&options(dir.path()).dir).unwrap().last().unwrap();
    let store = open(dir.path());
    let (id, data) = shard(1_000, 3_000);
    store.put(id, data.clone(), 0).await.unwrap();
    kill(store).await;
    let store = open(dir.path());
    assert_eq!(store.get(id, None).await, Ok(data));
    assert!(!path(&options(dir.path()).dir, newest).exists());
    kill(store).await;
    agrees(dir.path()).await;
}

/// The same length and, by bad luck, the same time, but other records.
#[tokio::test]
async fn a_volume_that_was_cut_and_grew_again_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let [(first, a), (lost, b), (new, c)] = [1, 2, 3].map(|seed| shard(seed, 5_000));
    store.put(first, a, 0).await.unwrap();
    store.put(lost, b, 0).await.unwrap();
    store.close().await;
    let newest = volume::path(&options(dir.path()).dir, 1);
    let (before, len) = (changed(&newest), newest.metadata().unwrap().len());
    fs::OpenOptions::new().write(true).open(&newest).unwrap().set_len(len - 1).unwrap();
    let store = open(dir.path());
    assert_eq!(store.len_of(&lost), None);
    store.put(new, c, 0).await.unwrap();
    kill(store).await;
    assert_eq!(newest.metadata().unwrap().len(), len);
    let file = fs::OpenOptions::new().write(true).open(&newest).unwrap();
    file.set_times(FileTimes::new().set_modified(before)).unwrap();
    let store = open(dir.path());
    assert_eq!([first, lost, new].map(|id| store.len_of(&id).is_some()), [true, false, true]);
}

/// A kill, or lost power, at each step of replacing an outline: under its temporary name to any length, in place to any length.
#[tokio::test]
async fn a_kill_at_any_step_of_writing_an_outline_costs_no_more_than_the_outline() {
    let dir = stopped().await;
    for outline in outlines(dir.path()) {
        let whole = fs::read(&outline).unwrap();
        let unfinished = outline.with_extension("out.new");
        for len in [0, 1, 31, 32, whole.len() / 2, whole.len() - 33, whole.len() - 1, whole.len()] {
            fs::write(&unfinished, &whole[..len]).unwrap();
            agrees(dir.path()).await;
            assert!(!unfinished.exists() && outline.exists(), "{len}");
            // Its length was durable before its bytes were.
            let mut torn = whole.clone();
            torn[len..].fill(0);
            for content in [&whole[..len], &torn] {
                fs::write(&outline, content).unwrap();
                agrees(dir.path()).await;
                assert_eq!(outline.exists(), content == whole, "{len}");
            }
            fs::write(&outline, &whole).unwrap();
        }
    }
}

#[tokio::test]
async fn outlines_without_volumes_are_removed_and_other_files_are_left_alone() {
    let dir = stopped().await;
    let volumes = options(dir.path()).dir;
    let [orphan, begun] = ["00000099.out", "00000099.out.new"].map(|name| volumes.join(name));
    let others = ["99.out", "x.out", "00000001.out.old", "notes.out"].map(|name| volumes.join(name));
    fs::copy(path(&volumes, 1), &orphan).unwrap();
    [&begun].into_iter().chain(&others).for_each(|path| fs::write(path, "x").unwrap());
    agrees(dir.path()).await;
    assert!(!orphan.exists() && !begun.exists() && others.iter().all(|path| path.exists()));
    // One of another volume, under this one's name.
    fs::copy(path(&volumes, 1), path(&volumes, 2)).unwrap();
    agrees(dir.path()).await;
    assert!(!path(&volumes, 2).exists());
}

#[tokio::test]
async fn compaction_takes_the_outline_along_with_the_volume() {
    let dir = stopped().await;
    let store = open(dir.path());
    let ids: Vec<_> = store.page(None, 1_000).into_iter().map(|(id, _)| id).collect();
    store.delete(&ids[..ids.len() - 2]).await.unwrap();
    compact(&store).await;
    let numbers = volume::list(&options(dir.path()).dir).unwrap();
    assert!(numbers[0] > 1);
    for number in 1..numbers[0] {
        assert!(!path(&options(dir.path()).dir, number).exists());
    }
    outline_all(&store).await;
    let lens = outlines(dir.path()).iter().map(|path| path.metadata().unwrap().len()).sum::<u64>();
    let volumes: u64 = store.shared.index().volumes().map(|(_, volume)| volume.bytes).sum();
    assert_eq!(store.totals().used_bytes, volumes + lens);
    kill(store).await;
    agrees(dir.path()).await;
}

/// A compaction was cut off between its copies and the end of the old volume, which has an outline that tells of the old copy.
#[tokio::test]
async fn a_superseded_copy_is_gone_from_the_outline_before_it_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let volumes = options(dir.path()).dir;
    let old = [volume::path(&volumes, 1), path(&volumes, 1)];
    let shards: Vec<_> = (0..9).map(|seed| shard(seed, 60_000)).collect();
    for (id, data) in &shards {
        store.put(*id, data.clone(), 0).await.unwrap();
    }
    let (id, data) = shards[0].clone();
    store.delete(&[1, 2, 3].map(|at| shards[at].0)).await.unwrap();
    outline_all(&store).await;
    let kept = old.each_ref().map(|path| (fs::read(path).unwrap(), changed(path)));
    compact(&store).await;
    assert!(!old[0].exists() && !old[1].exists());
    store.close().await;
    for (path, (bytes, changed)) in old.iter().zip(kept) {
        fs::write(path, bytes).unwrap();
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_times(FileTimes::new().set_modified(changed)).unwrap();
    }
    let store = open(dir.path());
    assert!(!old[1].exists());
    assert_eq!(store.get(id, None).await, Ok(data));
    store.close().await;
    // The newer copy goes its way, and takes every trace of itself along.
    for number in volume::list(&volumes).unwrap().into_iter().filter(|number| *number != 1) {
        fs::remove_file(volume::path(&volumes, number)).unwrap();
    }
    assert_eq!(open(dir.path()).len_of(&id), None);
}

#[tokio::test]
async fn a_volume_that_is_written_to_meanwhile_gets_no_outline() {
    let dir = stopped().await;
    let store = open(dir.path());
    let volumes = options(dir.path()).dir;
    let newest = store.shared.index().newest().unwrap();
    outline::remove(&volumes, newest, false).unwrap();
    let mut draft = Draft::begin(&volumes, newest, store.shared.index().volume(newest).unwrap()).unwrap();
    while draft.step(3).unwrap() {}
    let (id, data) = shard(1_000, 3_000);
    store.put(id, data, 0).await.unwrap();
    assert!(!draft.finish(true).unwrap());
    assert!(!path(&volumes, newest).exists() && !path(&volumes, newest).with_extension("out.new").exists());
}

#[tokio::test]
async fn an_outline_takes_no_room_that_puts_would_not_get() {
    let dir = tempfile::tempdir().unwrap();
    let tight = StoreOptions { capacity_bytes: 1 << 20, ..options(dir.path()) };
    let store = Store::open(tight.clone()).unwrap();
    for seed in 0.. {
        let (id, data) = shard(seed, 100);
        if store.put(id, data, 0).await.is_err() {
            break;
        }
    }
    outline_all(&store).await;
    store.close().await;
    assert!(outlines(dir.path()).is_empty() && store.totals().used_bytes <= 1 << 20);
    drop(store);
    let store = Store::open(StoreOptions { capacity_bytes: 2 << 20, ..tight }).unwrap();
    outline_all(&store).await;
    assert!(!outlines(dir.path()).is_empty() && store.totals().used_bytes <= 2 << 20);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever bytes change, are cut off or added, in however many outlines: the index is what the volumes say.
    #[test]
    fn a_damaged_outline_never_makes_a_wrong_index(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0u8..3, 1u8..), 1..6)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = stopped().await;
            let outlines = outlines(dir.path());
            for (which, at, what, flipped) in damage {
                let outline = &outlines[which.index(outlines.len())];
                let mut bytes = fs::read(outline).unwrap();
                let at = at.index(bytes.len());
                match what {
                    0 => bytes[at] ^= flipped,
                    1 => bytes.truncate(at.max(1)),
                    _ => bytes.insert(at, flipped),
                }
                fs::write(outline, bytes).unwrap();
            }
            agrees(dir.path()).await;
        });
    }
}
