//! What every store must do, as one suite that each implementation's tests run.

// A suite that panics is how it reports.
#![allow(clippy::unwrap_used)]

mod counters;

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use crate::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use crate::{Commit, CommitError, Direction, KeyRange, Outcome, RowRef, Step, Store, StoreError, Sums, Version, transact};

/// Runs every case, each on an empty store of its own. Wants a runtime with more than one thread, for the cases that race.
///
/// # Panics
/// When the store does something else than the memory model would.
pub async fn conforms(make: impl AsyncFn() -> Arc<dyn Store>) {
    rows_come_back_with_their_version(&*make().await).await;
    any_bytes_are_a_key_or_value(&*make().await).await;
    checks_hold_or_conflict(&*make().await).await;
    a_conflict_writes_nothing(&*make().await).await;
    a_row_made_again_has_another_version(&*make().await).await;
    writes_apply_in_order(&*make().await).await;
    what_is_appended_lies_in_the_order_of_commits(&*make().await).await;
    ranges_are_deleted_within_their_bounds(&*make().await).await;
    scans_keep_bounds_limit_and_direction(&*make().await).await;
    walks_show_each_row_and_leap(&*make().await).await;
    walks_go_on_however_many_rows_there_are(&*make().await).await;
    rows_too_long_are_refused(&*make().await).await;
    counters::counters_are_rows_that_are_added_to(&*make().await).await;
    counters::no_addition_is_lost_and_no_limit_passed(make().await).await;
    no_increment_is_lost(make().await).await;
    a_scan_sees_one_moment(make().await).await;
    one_of_many_creators_wins(make().await).await;
    nothing_is_put_under_a_deleted_parent(make().await).await;
}

async fn must(store: &dyn Store, commit: Commit) -> Version {
    store.commit(commit).await.unwrap()
}

async fn conflicts(store: &dyn Store, commit: Commit) -> bool {
    matches!(store.commit(commit).await, Err(CommitError::Conflict))
}

async fn value(store: &dyn Store, key: &str) -> Option<Bytes> {
    store.get(key.as_bytes()).await.unwrap().map(|row| row.value)
}

async fn keys(store: &dyn Store, range: KeyRange, limit: usize, direction: Direction) -> String {
    let rows = store.scan(range, limit, direction).await.unwrap();
    rows.iter().map(|row| std::str::from_utf8(&row.key).unwrap()).collect()
}

async fn all_keys(store: &dyn Store) -> String {
    keys(store, KeyRange::all(), usize::MAX, Direction::Ascending).await
}

async fn put_keys(store: &dyn Store, keys: &str) -> Version {
    let commit = keys.chars().fold(Commit::new(), |commit, key| commit.put(key.to_string(), "value"));
    must(store, commit).await
}

async fn rows_come_back_with_their_version(store: &dyn Store) {
    assert_eq!(store.get(b"a").await.unwrap(), None);
    let first = must(store, Commit::new().put("a", "1").put("b", "2")).await;
    let second = must(store, Commit::new().put("b", "3")).await;
    assert!(second > first);
    let a = store.get(b"a").await.unwrap().unwrap();
    assert_eq!((a.value, a.version), ("1".into(), first));
    let rows = store.scan(KeyRange::all(), 10, Direction::Ascending).await.unwrap();
    let rows: Vec<_> = rows.into_iter().map(|row| (row.key, row.value, row.version)).collect();
    assert_eq!(rows, [("a".into(), "1".into(), first), ("b".into(), "3".into(), second)]);
    let nothing = must(store, Commit::new()).await;
    assert!(nothing > second, "a commit without writes has its number too");
}

async fn any_bytes_are_a_key_or_value(store: &dyn Store) {
    let odd: [&[u8]; 5] = [b"", b"\0", b"\0\xff", b"\xff", b"\xff\xff"];
    let commit = odd.iter().fold(Commit::new(), |commit, bytes| commit.put(*bytes, *bytes));
    must(store, commit).await;
    for bytes in odd {
        assert_eq!(store.get(bytes).await.unwrap().unwrap().value, bytes);
    }
    let rows = store.scan(KeyRange::all(), 10, Direction::Ascending).await.unwrap();
    assert_eq!(rows.iter().map(|row| &row.key[..]).collect::<Vec<_>>(), odd);
}

async fn checks_hold_or_conflict(store: &dyn Store) {
    let version = must(store, Commit::new().put("b", "1")).await;
    let held = Commit::new()
        .check_at("b", version)
        .check_absent("a")
        .check_empty(KeyRange::after("b", "z"))
        .check_empty(KeyRange::between("z", "a"));
    must(store, held).await;
    assert!(conflicts(store, Commit::new().check_at("b", version + 1)).await);
    assert!(conflicts(store, Commit::new().check_at("a", version)).await);
    assert!(conflicts(store, Commit::new().check_absent("b")).await);
    assert!(conflicts(store, Commit::new().check_empty(KeyRange::between("a", "c"))).await);
    assert!(conflicts(store, Commit::new().check_empty(KeyRange::all())).await);
    assert!(conflicts(store, Commit::new().check_absent("a").check_absent("b")).await);
}

async fn a_conflict_writes_nothing(store: &dyn Store) {
    must(store, Commit::new().put("a", "1")).await;
    let refused = Commit::new().check_absent("a").put("a", "2").put("b", "2").delete_range(KeyRange::all());
    assert!(conflicts(store, refused).await);
    assert_eq!(all_keys(store).await, "a");
    assert_eq!(value(store, "a").await.unwrap(), "1");
}

async fn a_row_made_again_has_another_version(store: &dyn Store) {
    let first = must(store, Commit::new().put("a", "1")).await;
    must(store, Commit::new().delete("a")).await;
    must(store, Commit::new().put("a", "1")).await;
    assert!(conflicts(store, Commit::new().check_at("a", first)).await);
}

async fn writes_apply_in_order(store: &dyn Store) {
    must(store, Commit::new().put("a", "1").delete("a").put("a", "2").put("b", "1").delete("b")).await;
    assert_eq!((value(store, "a").await, value(store, "b").await), (Some("2".into()), None));
    let version = must(store, Commit::new().put("c", "1").delete_range(KeyRange::all()).put("d", "1")).await;
    assert_eq!(all_keys(store).await, "d");
    // Checks are about what was there before.
    must(store, Commit::new().put("d", "2").check_at("d", version)).await;
    must(store, Commit::new().delete("missing")).await;
}

async fn what_is_appended_lies_in_the_order_of_commits(store: &dyn Store) {
    let mut versions = Vec::new();
    for values in [["1", "2"], ["3", "4"]] {
        let commit = values.iter().fold(Commit::new().put("a/", "x"), |commit, value| commit.append("a/", *value));
        versions.push(must(store, commit).await);
    }
    must(store, Commit::new().append("b/", "5")).await;
    assert!(conflicts(store, Commit::new().check_absent("a/").append("a/", "6")).await);
    let rows = store.scan(KeyRange::prefix(b"a/"), 10, Direction::Ascending).await.unwrap();
    let rows: Vec<_> = rows.into_iter().map(|row| (row.value, row.version)).collect();
    let [first, second] = versions[..] else { panic!("two commits") };
    let expected = [("x", second), ("1", first), ("2", first), ("3", second), ("4", second)];
    assert_eq!(rows, expected.map(|(value, version)| (value.into(), version)));
}

async fn ranges_are_deleted_within_their_bounds(store: &dyn Store) {
    put_keys(store, "abcdef").await;
    must(store, Commit::new().delete_range(KeyRange::between("b", "d"))).await;
    assert_eq!(all_keys(store).await, "adef");
    must(store, Commit::new().delete_range(KeyRange::after("d", "f"))).await;
    assert_eq!(all_keys(store).await, "adf");
    must(store, Commit::new().delete_range(KeyRange::between("f", "a")).delete_range(KeyRange::prefix(b"x"))).await;
    assert_eq!(all_keys(store).await, "adf");
    must(store, Commit::new().delete_range(KeyRange::all())).await;
    assert_eq!(all_keys(store).await, "");
}

async fn scans_keep_bounds_limit_and_direction(store: &dyn Store) {
    use Direction::{Ascending, Descending};
    put_keys(store, "abcdef").await;
    let scanned = async |range, limit, direction| keys(store, range, limit, direction).await;
    assert_eq!(scanned(KeyRange::between("b", "e"), 9, Ascending).await, "bcd");
    assert_eq!(scanned(KeyRange::between("b", "e"), 9, Descending).await, "dcb");
    assert_eq!(scanned(KeyRange::after("b", "e"), 9, Ascending).await, "cd");
    assert_eq!(scanned(KeyRange::new(Bytes::from("c")..=Bytes::from("e")), 2, Ascending).await, "cd");
    assert_eq!(scanned(KeyRange::new(Bytes::from("c")..=Bytes::from("e")), 2, Descending).await, "ed");
    assert_eq!(scanned(KeyRange::all().starting_after("d"), 9, Ascending).await, "ef");
    assert_eq!(scanned(KeyRange::all().ending_before("c"), 1, Descending).await, "b");
    assert_eq!(scanned(KeyRange::all(), 0, Ascending).await, "");
    assert_eq!(scanned(KeyRange::between("e", "b"), 9, Ascending).await, "");
    assert_eq!(scanned(KeyRange::after("c", "c"), 9, Descending).await, "");
    assert_eq!(scanned(KeyRange::prefix(b"c"), 9, Ascending).await, "c");
}

/// The keys that a walk shows which, at each of these keys, goes on as said.
async fn walked(store: &dyn Store, range: KeyRange, steps: &[(&str, Step)]) -> String {
    let mut shown = String::new();
    let mut visit = |row: RowRef<'_>| {
        let key = std::str::from_utf8(row.key).unwrap();
        assert_eq!((row.value, row.version), (&b"value"[..], 1));
        shown.push_str(key);
        steps.iter().find(|(at, _)| *at == key).map_or(Step::Next, |(_, step)| step.clone())
    };
    store.walk(range, &mut visit).await.unwrap();
    shown
}

async fn walks_show_each_row_and_leap(store: &dyn Store) {
    put_keys(store, "abcdef").await;
    let leap = |to: &'static str| Step::Leap(to.into());
    let walk = async |range, steps: &[(&str, Step)]| walked(store, range, steps).await;
    assert_eq!(walk(KeyRange::all(), &[]).await, "abcdef");
    assert_eq!(walk(KeyRange::after("b", "e"), &[]).await, "cd");
    assert_eq!(walk(KeyRange::between("e", "b"), &[]).await, "");
    assert_eq!(walk(KeyRange::all(), &[("c", Step::Stop)]).await, "abc");
    assert_eq!(walk(KeyRange::all(), &[("a", leap("c")), ("d", leap("dd"))]).await, "acdef");
    assert_eq!(walk(KeyRange::all(), &[("b", leap("b")), ("d", leap("a"))]).await, "abcdef");
    assert_eq!(walk(KeyRange::between("a", "e"), &[("b", leap("e"))]).await, "ab");
    assert_eq!(walk(KeyRange::all(), &[("b", leap("x"))]).await, "ab");
}

async fn walks_go_on_however_many_rows_there_are(store: &dyn Store) {
    let keys = || (0..3000_u32).map(|number| number.to_be_bytes());
    must(store, keys().fold(Commit::new(), |commit, key| commit.put(key.to_vec(), ""))).await;
    let mut shown = Vec::new();
    let mut all = |row: RowRef<'_>| {
        shown.push(row.key.to_vec());
        Step::Next
    };
    store.walk(KeyRange::all(), &mut all).await.unwrap();
    assert!(shown.into_iter().eq(keys().map(|key| key.to_vec())));
    let (mut shown, mut next) = (0, 0);
    let mut leaping = |row: RowRef<'_>| {
        assert_eq!(row.key, u32::to_be_bytes(next));
        (shown, next) = (shown + 1, next + 7);
        Step::Leap(Bytes::copy_from_slice(&next.to_be_bytes()))
    };
    store.walk(KeyRange::all(), &mut leaping).await.unwrap();
    assert_eq!(shown, 3000_u32.div_ceil(7));
}

async fn rows_too_long_are_refused(store: &dyn Store) {
    for commit in [Commit::new().put(vec![0; KEY_BYTES_MAX + 1], ""), Commit::new().put("a", vec![0; VALUE_BYTES_MAX + 1])] {
        let refused = store.commit(commit.put("b", "")).await;
        assert!(matches!(refused, Err(CommitError::Store(StoreError::Failed(_)))));
    }
    assert!(store.commit(Commit::new().add(vec![0; KEY_BYTES_MAX + 1], Sums::default())).await.is_err());
    must(store, Commit::new().put("c", "")).await;
    assert_eq!(all_keys(store).await, "c");
}

async fn add_one(store: &dyn Store, key: &str) -> Result<u64, StoreError> {
    transact(store, async || {
        let row = store.get(key.as_bytes()).await?;
        let count = row.as_ref().map_or(0, |row| u64::from_be_bytes(row.value[..].try_into().unwrap())) + 1;
        let commit = Commit::new().check_unchanged(key.to_owned(), row.as_ref());
        Ok(Outcome::Commit(commit.put(key.to_owned(), count.to_be_bytes().to_vec()), count))
    })
    .await
}

async fn no_increment_is_lost(store: Arc<dyn Store>) {
    const TASKS: u64 = 8;
    const EACH: u64 = 25;
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = store.clone();
        tasks.spawn(async move {
            let mut seen = Vec::new();
            for _ in 0..EACH {
                seen.push(add_one(&*store, "counter").await.unwrap());
            }
            seen
        });
    }
    let mut seen: Vec<u64> = tasks.join_all().await.concat();
    seen.sort_unstable();
    assert_eq!(seen, (1..=TASKS * EACH).collect::<Vec<_>>());
}

/// A scan that is under way while many commits write the same rows again shows all of them as one commit left them.
async fn a_scan_sees_one_moment(store: Arc<dyn Store>) {
    const ROWS: u32 = 20_000;
    const TIMES: u32 = 500;
    let key = |row: u32| row.to_be_bytes().to_vec();
    let written_again = move |time: u32| {
        [0, ROWS / 2, ROWS - 1].into_iter().fold(Commit::new(), |all, row| all.put(key(row), time.to_be_bytes().to_vec()))
    };
    must(&*store, (0..ROWS).fold(Commit::new(), |all, row| all.put(key(row), vec![0; 40]))).await;
    must(&*store, written_again(0)).await;
    let writing = store.clone();
    let writer = tokio::spawn(async move {
        for time in 1..=TIMES {
            must(&*writing, written_again(time)).await;
        }
    });
    while !writer.is_finished() {
        for direction in [Direction::Ascending, Direction::Descending] {
            let rows = store.scan(KeyRange::all(), ROWS as usize, direction).await.unwrap();
            let (first, middle, last) =
                (&rows[0], rows.iter().find(|row| row.key[..] == key(ROWS / 2)), &rows[ROWS as usize - 1]);
            assert_eq!(middle.map(|row| (&row.value, row.version)), Some((&first.value, first.version)));
            assert_eq!((&last.value, last.version), (&first.value, first.version));
        }
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
}

async fn one_of_many_creators_wins(store: Arc<dyn Store>) {
    let mut tasks = JoinSet::new();
    for creator in 0..16_u8 {
        let store = store.clone();
        tasks.spawn(async move {
            let made = store.commit(Commit::new().check_absent("bucket").put("bucket", vec![creator])).await;
            made.is_ok().then_some(creator)
        });
    }
    let winners: Vec<u8> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(value(&*store, "bucket").await.unwrap(), winners);
}

/// DeleteBucket against PUT: whoever comes first, no object is left in a bucket that is gone.
async fn nothing_is_put_under_a_deleted_parent(store: Arc<dyn Store>) {
    for round in 0..20_u32 {
        let (bucket, object) = (format!("{round}"), format!("{round}/object"));
        let made = must(&*store, Commit::new().put(bucket.clone(), "")).await;
        let inside = KeyRange::prefix(format!("{bucket}/").as_bytes());
        let delete = Commit::new().check_empty(inside).delete(bucket.clone());
        let put = Commit::new().check_at(bucket.clone(), made).put(object.clone(), "");
        let (deleted, written) = tokio::join!(spawned(&store, delete), spawned(&store, put));
        assert!(deleted != written, "exactly one of the two is made");
        assert_eq!(value(&*store, &bucket).await.is_some(), written);
        assert_eq!(value(&*store, &object).await.is_some(), written);
    }
}

async fn spawned(store: &Arc<dyn Store>, commit: Commit) -> bool {
    let store = store.clone();
    tokio::spawn(async move { store.commit(commit).await.is_ok() }).await.unwrap()
}
