//! Answers to "prove that you hold this": the slice asked for and the hashes beside it, from bytes just read and checked.
//!
//! ```text
//!   challenges ─▶ at most AUDITS_MAX in hand ─▶ AUDITS_AT_ONCE reads ─▶ answers ─▶ next beat, at once
//! ```
//! Promises: an answer is told until a beat that carried it was answered; one shard a read is all that is in memory beside the
//! answers; "not held" is said only of what is not there or rotten, never of what the disk failed to give this time.

use std::collections::HashSet;
use std::sync::Arc;

use nodio_host::blocking;
use nodio_wire::api::{Answer, AuditAnswer, Challenge};
use nodio_wire::limits::CHALLENGES_MAX;
use nodio_wire::proof::Proof;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::limits::{AUDITS_AT_ONCE, AUDITS_MAX};
use crate::store::{Store, StoreError};

/// The challenges in hand. Dropping it drops those that are being answered.
pub(crate) struct Auditor {
    store: Store,
    turns: Arc<Semaphore>,
    in_hand: HashSet<u64>,
    running: JoinSet<AuditAnswer>,
    answers: Vec<AuditAnswer>,
}

impl Auditor {
    pub(crate) fn new(store: Store) -> Self {
        let turns = Arc::new(Semaphore::new(AUDITS_AT_ONCE));
        Self { store, turns, in_hand: HashSet::new(), running: JoinSet::new(), answers: Vec::new() }
    }

    /// Takes on the challenges that are not in hand already, as many as there is room for.
    pub(crate) fn accept(&mut self, challenges: Vec<Challenge>) {
        for challenge in challenges {
            if self.in_hand.len() < AUDITS_MAX && self.in_hand.insert(challenge.id) {
                let (store, turns) = (self.store.clone(), self.turns.clone());
                self.running.spawn(async move {
                    let _turn = turns.acquire().await;
                    AuditAnswer { id: challenge.id, answer: answer(&store, challenge).await }
                });
            }
        }
    }

    /// Waits for an answer; never returns while none is due.
    pub(crate) async fn answered(&mut self) {
        match self.running.join_next().await {
            Some(Ok(answer)) => self.answers.push(answer),
            Some(Err(error)) => {
                // Which one it was isn't known. Unanswered is not failed: it is asked again.
                tracing::error!("an audit panicked: {error}");
                if self.running.is_empty() {
                    self.in_hand = self.answers.iter().map(|answer| answer.id).collect();
                }
            }
            None => std::future::pending().await,
        }
    }

    /// Answers not yet told, as many as go with one beat.
    pub(crate) fn answers(&self) -> &[AuditAnswer] {
        &self.answers[..self.answers.len().min(CHALLENGES_MAX)]
    }

    /// Forgets the first `count` answers, which the coordinator has heard.
    pub(crate) fn told(&mut self, count: usize) {
        for answer in self.answers.drain(..count) {
            self.in_hand.remove(&answer.id);
        }
    }

    /// True if answers wait to be told.
    pub(crate) fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }
}

async fn answer(store: &Store, Challenge { shard, slice, .. }: Challenge) -> Answer {
    let bytes = match store.get(shard, None).await {
        Ok(bytes) => bytes,
        Err(StoreError::NotHeld | StoreError::Rotten) => return Answer::NotHeld,
        Err(error) => {
            tracing::warn!(%shard, "an audited shard can't be read just now: {error}");
            return Answer::Unreadable;
        }
    };
    match blocking(move || Proof::of(&bytes, slice)).await {
        Ok(Some(proof)) => Answer::Proof(proof),
        Ok(None) => {
            tracing::warn!(%shard, ?slice, "the coordinator asks for a slice that the shard doesn't have");
            Answer::Unreadable
        }
        Err(error) => {
            tracing::error!(%shard, "an audit panicked: {error}");
            Answer::Unreadable
        }
    }
}

#[cfg(test)]
mod tests {
    use nodio_wire::ShardId;
    use nodio_wire::proof::Slice;

    use super::*;
    use crate::store::StoreOptions;

    fn store(dir: &std::path::Path) -> Store {
        let options = StoreOptions {
            dir: dir.to_owned(),
            capacity_bytes: 64 << 20,
            volume_bytes: 16 << 20,
            disk_reserve_bytes: 0,
            direct_min_bytes: 0,
            fsync: false,
        };
        Store::open(options).unwrap()
    }

    fn challenges(ids: std::ops::Range<u64>, shard: ShardId, slice: Slice) -> Vec<Challenge> {
        ids.map(|id| Challenge { id, shard, slice }).collect()
    }

    #[tokio::test]
    async fn answers_are_told_until_heard_each_challenge_once_and_never_too_many() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let bytes = vec![7; 5000];
        let (shard, slice) = (ShardId::of(&bytes), Slice { start: 1024, len: 2048 });
        store.put(shard, bytes.into(), 0).await.unwrap();
        let mut auditor = Auditor::new(store.clone());
        auditor.accept(challenges(0..1000, shard, slice));
        auditor.accept(challenges(0..1000, shard, slice));
        for _ in 0..AUDITS_MAX {
            auditor.answered().await;
        }
        assert!(auditor.running.is_empty(), "no more than there is room for, none twice");
        let told = auditor.answers().to_vec();
        assert_eq!((told.len(), auditor.answers()), (CHALLENGES_MAX, &told[..]), "the same until they were heard");
        for answer in &told {
            let Answer::Proof(proof) = &answer.answer else { panic!("{answer:?}") };
            assert!(proof.proves(&shard, 5000, slice));
        }
        auditor.told(told.len());
        assert_eq!(auditor.answers().len(), AUDITS_MAX - CHALLENGES_MAX);
        auditor.told(AUDITS_MAX - CHALLENGES_MAX);
        assert!(!auditor.has_answers() && auditor.in_hand.is_empty());
        store.close().await;
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_held_and_a_slice_beyond_the_end_accuses_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let bytes = vec![7; 5000];
        let shard = ShardId::of(&bytes);
        store.put(shard, bytes.into(), 0).await.unwrap();
        let ask = async |shard, start| {
            let slice = Slice { start, len: 1024 };
            answer(&store, Challenge { id: 0, shard, slice }).await
        };
        assert!(matches!(ask(shard, 0).await, Answer::Proof(_)));
        assert_eq!(ask(ShardId::of(b"another"), 0).await, Answer::NotHeld);
        assert_eq!(ask(shard, 8192).await, Answer::Unreadable);
        store.close().await;
    }
}
