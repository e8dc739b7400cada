//! Against the memory store: the same answers to the same questions, versions included.

use std::future::poll_fn;
use std::ops::Bound;
use std::task::Poll;

use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};

use super::*;
use crate::{Check, MemoryStore, RowRef, Step as Go, Sums, Write};

#[derive(Debug, Clone)]
enum Step {
    Get(Bytes),
    Scan(KeyRange, usize, Direction),
    Walk(KeyRange, Vec<Go>),
    Commit(Vec<WantedCheck>, Vec<Write>),
    /// Sent before the first is answered, so that some share a transaction.
    AtOnce(Vec<(Vec<WantedCheck>, Vec<Write>)>),
    Reopen,
}

/// Versions are looked up when the step runs: most guesses would be conflicts.
#[derive(Debug, Clone)]
enum WantedCheck {
    AsItIs(Bytes),
    Exactly(Check),
}

/// Few and short, so that they meet.
fn key() -> impl Strategy<Value = Bytes> {
    vec(prop_oneof![Just(0), Just(b'a'), Just(b'b'), Just(u8::MAX)], 0..3).prop_map(Bytes::from)
}

fn value() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..20).prop_map(Bytes::from)
}

fn bound() -> impl Strategy<Value = Bound<Bytes>> {
    prop_oneof![Just(Bound::Unbounded), key().prop_map(Bound::Included), key().prop_map(Bound::Excluded)]
}

fn range() -> impl Strategy<Value = KeyRange> {
    prop_oneof![
        (bound(), bound()).prop_map(|(start, end)| KeyRange { start, end }),
        key().prop_map(|prefix| KeyRange::prefix(&prefix))
    ]
}

fn sums() -> impl Strategy<Value = Sums> {
    [-5..10_i64, -5..10_i64].prop_map(Sums)
}

fn check() -> impl Strategy<Value = WantedCheck> {
    prop_oneof![
        6 => key().prop_map(WantedCheck::AsItIs),
        1 => (key(), 0..20_u64).prop_map(|(key, version)| WantedCheck::Exactly(Check::At(key, version))),
        1 => key().prop_map(|key| WantedCheck::Exactly(Check::Absent(key))),
        1 => range().prop_map(|range| WantedCheck::Exactly(Check::Empty(range))),
        2 => (key(), sums()).prop_map(|(key, max)| WantedCheck::Exactly(Check::AtMost(key, max))),
    ]
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        6 => (key(), value()).prop_map(|(key, value)| Write::Put(key, value)),
        1 => (key(), value()).prop_map(|(prefix, value)| Write::Append(prefix, value)),
        2 => key().prop_map(Write::Delete),
        1 => range().prop_map(Write::DeleteRange),
        4 => (key(), sums()).prop_map(|(key, amounts)| Write::Add(key, amounts)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let direction = prop_oneof![Just(Direction::Ascending), Just(Direction::Descending)];
    prop_oneof![
        4 => key().prop_map(Step::Get),
        6 => (range(), 0..8_usize, direction).prop_map(|(range, limit, direction)| Step::Scan(range, limit, direction)),
        4 => (range(), vec(go(), 0..8)).prop_map(|(range, go)| Step::Walk(range, go)),
        10 => (vec(check(), 0..3), vec(write(), 0..5)).prop_map(|(checks, writes)| Step::Commit(checks, writes)),
        4 => vec((vec(check(), 0..2), vec(write(), 0..4)), 1..6).prop_map(Step::AtOnce),
        1 => Just(Step::Reopen),
    ]
}

/// Where a walk goes on after its first rows; after more it stops.
fn go() -> impl Strategy<Value = Go> {
    prop_oneof![3 => Just(Go::Next), 3 => key().prop_map(Go::Leap), 1 => Just(Go::Stop)]
}

async fn walked(store: &dyn Store, range: KeyRange, go: &[Go]) -> Vec<Row> {
    let mut shown = Vec::new();
    let mut go = go.iter();
    let mut visit = |row: RowRef<'_>| {
        let (key, value) = (Bytes::copy_from_slice(row.key), Bytes::copy_from_slice(row.value));
        shown.push(Row { key, value, version: row.version });
        go.next().cloned().unwrap_or(Go::Stop)
    };
    store.walk(range, &mut visit).await.unwrap();
    shown
}

async fn resolve(model: &MemoryStore, wanted: WantedCheck) -> Check {
    match wanted {
        WantedCheck::Exactly(check) => check,
        WantedCheck::AsItIs(key) => match model.get(&key).await.unwrap() {
            Some(row) => Check::At(key, row.version),
            None => Check::Absent(key),
        },
    }
}

async fn resolve_all(model: &MemoryStore, wanted: Vec<WantedCheck>) -> Vec<Check> {
    let mut checks = Vec::new();
    for check in wanted {
        checks.push(resolve(model, check).await);
    }
    checks
}

/// Sends all of them, in this order, then waits for their answers.
async fn at_once(store: &RedbStore, commits: Vec<Commit>) -> Vec<Option<Version>> {
    let mut waiting: Vec<_> = commits.into_iter().map(|commit| (Box::pin(store.commit(commit)), None)).collect();
    poll_fn(|context| {
        for (answer, outcome) in waiting.iter_mut().filter(|(_, outcome)| outcome.is_none()) {
            if let Poll::Ready(answered) = answer.as_mut().poll(context) {
                *outcome = Some(answered);
            }
        }
        if waiting.iter().all(|(_, outcome)| outcome.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, answered)| answered.map(outcome)).collect()
}

/// A conflict, or the version.
fn outcome(result: Result<Version, CommitError>) -> Option<Version> {
    match result {
        Ok(version) => Some(version),
        Err(CommitError::Conflict) => None,
        Err(CommitError::Store(error)) => panic!("{error}"),
    }
}

async fn both_agree(steps: Vec<Step>) {
    let (_dir, path) = folder();
    let model = MemoryStore::new();
    let mut store = RedbStore::open(&path, QUICK).unwrap();
    for step in steps {
        match step {
            Step::Get(key) => assert_eq!(store.get(&key).await.unwrap(), model.get(&key).await.unwrap()),
            Step::Scan(range, limit, direction) => {
                let expected = model.scan(range.clone(), limit, direction).await.unwrap();
                assert_eq!(store.scan(range, limit, direction).await.unwrap(), expected);
            }
            Step::Walk(range, go) => {
                assert_eq!(walked(&store, range.clone(), &go).await, walked(&model, range, &go).await);
            }
            Step::Commit(wanted, writes) => {
                let commit = Commit { checks: resolve_all(&model, wanted).await, writes };
                let expected = outcome(model.commit(commit.clone()).await);
                assert_eq!(outcome(store.commit(commit).await), expected);
            }
            Step::AtOnce(wanted) => {
                let mut commits = Vec::new();
                for (wanted, writes) in wanted {
                    commits.push(Commit { checks: resolve_all(&model, wanted).await, writes });
                }
                let mut expected = Vec::new();
                for commit in &commits {
                    expected.push(outcome(model.commit(commit.clone()).await));
                }
                assert_eq!(at_once(&store, commits).await, expected);
            }
            Step::Reopen => {
                drop(store);
                store = RedbStore::open(&path, QUICK).unwrap();
            }
        }
    }
    let expected = model.scan(KeyRange::all(), usize::MAX, Direction::Ascending).await.unwrap();
    assert_eq!(store.scan(KeyRange::all(), usize::MAX, Direction::Ascending).await.unwrap(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn redb_agrees_with_the_memory_store(steps in vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(both_agree(steps));
    }
}
