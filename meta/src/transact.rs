//! Reading, deciding, committing; and again when another commit came first.

use std::time::Duration;

use crate::limits::{TRANSACT_ATTEMPTS_MAX, TRANSACT_PAUSE_MAX_US, TRANSACT_PAUSE_MIN_US};
use crate::{Commit, CommitError, Store, StoreError};

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// Make this commit; if it is made, the answer is `T`.
    Commit(Commit, T),
    /// Nothing to write.
    Done(T),
}

/// Runs `attempt` and makes the commit it asks for. On a conflict runs it again, so it must read afresh each time and do nothing that
/// can't be done twice. Waits a random, growing time between attempts.
///
/// An `async || { .. }` that captures by shared reference will do. (Not `AsyncFnMut`: its futures could not be shown to be `Send`, so no
/// handler could run a transaction.)
///
/// # Errors
/// What `attempt` says; [`StoreError`] of the store, also after too many conflicts.
pub async fn transact<T, E, F, Attempt>(store: &dyn Store, mut attempt: F) -> Result<T, E>
where
    F: FnMut() -> Attempt,
    Attempt: Future<Output = Result<Outcome<T>, E>>,
    E: From<StoreError>,
{
    for conflicts in 0..TRANSACT_ATTEMPTS_MAX {
        let (commit, answer) = match attempt().await? {
            Outcome::Done(answer) => return Ok(answer),
            Outcome::Commit(commit, answer) => (commit, answer),
        };
        match store.commit(commit).await {
            Ok(_) => return Ok(answer),
            Err(CommitError::Store(error)) => return Err(error.into()),
            Err(CommitError::Conflict) => tokio::time::sleep(pause(conflicts, rand::random())).await,
        }
    }
    Err(StoreError::Failed("too many conflicts".to_owned()).into())
}

/// Up to twice as long after each conflict. `random` is in `0.0..1.0`.
fn pause(conflicts: u32, random: f64) -> Duration {
    let longest_us = TRANSACT_PAUSE_MIN_US.saturating_mul(1 << conflicts.min(20)).min(TRANSACT_PAUSE_MAX_US);
    Duration::from_micros(longest_us).mul_f64(random)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::MemoryStore;

    #[derive(Debug, PartialEq, thiserror::Error)]
    enum TestError {
        #[error("no")]
        No,
        #[error("{0}")]
        Store(String),
    }

    impl From<StoreError> for TestError {
        fn from(error: StoreError) -> Self {
            Self::Store(error.to_string())
        }
    }

    #[tokio::test]
    async fn what_the_attempt_decides_is_answered() {
        let store = MemoryStore::new();
        let done = transact(&store, async || Ok::<_, TestError>(Outcome::Done(1))).await;
        assert_eq!(done, Ok(1));
        let refused = transact(&store, async || Err::<Outcome<()>, _>(TestError::No)).await;
        assert_eq!(refused, Err(TestError::No));
        let made = transact(&store, async || Ok::<_, TestError>(Outcome::Commit(Commit::new().put("a", "1"), 2))).await;
        assert_eq!(made, Ok(2));
        assert_eq!(store.get(b"a").await.unwrap().unwrap().value, "1");
    }

    #[tokio::test]
    async fn a_conflict_runs_the_attempt_again() {
        let store = MemoryStore::new();
        let runs = AtomicU32::new(0);
        let answer = transact(&store, async || {
            let run = runs.fetch_add(1, Ordering::Relaxed) + 1;
            let read = store.get(b"a").await?;
            if run == 1 {
                store.commit(Commit::new().put("a", "theirs")).await.map_err(|e| TestError::Store(e.to_string()))?;
            }
            Ok::<_, TestError>(Outcome::Commit(Commit::new().check_unchanged("a", read.as_ref()).put("a", "ours"), run))
        });
        assert_eq!(answer.await, Ok(2));
        assert_eq!(store.get(b"a").await.unwrap().unwrap().value, "ours");
    }

    #[tokio::test]
    async fn it_gives_up_after_too_many_conflicts() {
        let store = MemoryStore::new();
        let runs = AtomicU32::new(0);
        let answer = transact(&store, async || {
            runs.fetch_add(1, Ordering::Relaxed);
            Ok::<_, TestError>(Outcome::Commit(Commit::new().check_at("missing", 1), ()))
        })
        .await;
        assert_eq!(answer, Err(TestError::Store("the metadata store failed: too many conflicts".into())));
        assert_eq!(runs.into_inner(), TRANSACT_ATTEMPTS_MAX);
    }

    /// Compiles only if the future can move between threads, as a handler's must.
    #[tokio::test]
    async fn a_transaction_runs_in_a_spawned_task() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let keys = vec!["a".to_owned(), "b".to_owned()];
        let task = tokio::spawn(async move {
            let store = store.as_ref();
            transact(store, async || {
                let mut commit = Commit::new();
                for key in &keys {
                    commit = commit.check_unchanged(key.clone(), store.get(key.as_bytes()).await?.as_ref()).put(key.clone(), "x");
                }
                Ok::<_, StoreError>(Outcome::Commit(commit, keys.len()))
            })
            .await
        });
        assert_eq!(task.await.unwrap().unwrap(), 2);
    }

    #[test]
    fn pauses_grow_to_a_bound() {
        assert_eq!(pause(0, 1.0), Duration::from_micros(TRANSACT_PAUSE_MIN_US));
        assert_eq!(pause(63, 1.0), Duration::from_micros(TRANSACT_PAUSE_MAX_US));
        assert_eq!(pause(5, 0.0), Duration::ZERO);
    }
}
