//! The specification: a map under a lock. What it does is right; what else a store does differently is wrong. Nothing of it lasts.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use bytes::Bytes;

use crate::commit::appended_key;
use crate::{Check, Commit, CommitError, Direction, KeyRange, Row, Store, StoreError, Sums, Version, Versioned, Write};

#[derive(Debug, Default)]
pub struct MemoryStore {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<Bytes, Versioned>,
    /// Of the last commit that was made.
    sequence: Version,
}

impl MemoryStore {
    pub fn new() -> Self {
        Self::default()
    }

    // A panic can't leave the state half-written: every step below only moves values.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn rows(&self, range: &KeyRange) -> impl DoubleEndedIterator<Item = (&Bytes, &Versioned)> {
        // BTreeMap refuses crossed bounds with a panic.
        let rows = (!range.is_empty()).then(|| self.rows.range::<[u8], _>(range.as_slices()));
        rows.into_iter().flatten()
    }

    fn holds(&self, check: &Check) -> bool {
        match check {
            Check::At(key, version) => self.rows.get(key).is_some_and(|row| row.version == *version),
            Check::Absent(key) => !self.rows.contains_key(key),
            Check::Empty(range) => self.rows(range).next().is_none(),
            Check::AtMost(key, max) => self.sums(key).at_most(*max),
        }
    }

    fn apply(&mut self, place: usize, write: Write) {
        match write {
            Write::Put(key, value) => {
                self.rows.insert(key, Versioned { value, version: self.sequence });
            }
            Write::Append(prefix, value) => {
                let key = appended_key(&prefix, self.sequence, place).into();
                self.rows.insert(key, Versioned { value, version: self.sequence });
            }
            Write::Delete(key) => {
                self.rows.remove(&key);
            }
            Write::DeleteRange(range) => self.rows.retain(|key, _| !range.contains(key)),
            Write::Add(key, amounts) => {
                let value = self.sums(&key).plus(amounts).to_value();
                self.rows.insert(key, Versioned { value, version: self.sequence });
            }
        }
    }

    fn sums(&self, key: &Bytes) -> Sums {
        self.rows.get(key).map_or(Sums::default(), |row| Sums::read(&row.value))
    }

    fn commit(&mut self, commit: Commit) -> Result<Version, CommitError> {
        if !commit.checks.iter().all(|check| self.holds(check)) {
            return Err(CommitError::Conflict);
        }
        self.sequence += 1;
        commit.writes.into_iter().enumerate().for_each(|(place, write)| self.apply(place, write));
        Ok(self.sequence)
    }
}

fn row((key, found): (&Bytes, &Versioned)) -> Row {
    Row { key: key.clone(), value: found.value.clone(), version: found.version }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        Ok(self.read().rows.get(key).cloned())
    }

    async fn scan(&self, range: KeyRange, limit: usize, direction: Direction) -> Result<Vec<Row>, StoreError> {
        let state = self.read();
        let rows = state.rows(&range);
        Ok(match direction {
            Direction::Ascending => rows.take(limit).map(row).collect(),
            Direction::Descending => rows.rev().take(limit).map(row).collect(),
        })
    }

    async fn commit(&self, commit: Commit) -> Result<Version, CommitError> {
        commit.check_lengths()?;
        self.write().commit(commit)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::conformance::conforms;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_memory_store_conforms() {
        conforms(async || Arc::new(MemoryStore::new()) as Arc<dyn Store>).await;
    }
}
