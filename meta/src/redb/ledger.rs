//! The rows of one transaction, and the counters that its commits add to: these are read once and written once, before the transaction
//! ends or whoever else asks for them.

use std::collections::BTreeMap;

use ::redb::{ReadableTable, Table};
use bytes::Bytes;

use super::{VERSION_BYTES, unpack, version_of};
use crate::commit::appended_key;
use crate::{Check, KeyRange, Sums, Version, Write};

type Rows<'t> = Table<'t, &'static [u8], &'static [u8]>;

pub(super) struct Ledger<'t> {
    rows: Rows<'t>,
    /// Not written yet.
    counters: BTreeMap<Bytes, Counter>,
}

#[derive(Clone, Copy)]
struct Counter {
    sums: Sums,
    /// Of the commit that added last.
    version: Version,
}

impl<'t> Ledger<'t> {
    pub(super) fn new(rows: Rows<'t>) -> Self {
        Self { rows, counters: BTreeMap::new() }
    }

    pub(super) fn holds(&mut self, check: &Check) -> Result<bool, ::redb::Error> {
        Ok(match check {
            Check::At(key, version) => {
                self.settle(key)?;
                match self.rows.get(key.as_ref())? {
                    Some(stored) => version_of(stored.value())? == *version,
                    None => false,
                }
            }
            Check::Absent(key) => {
                self.settle(key)?;
                self.rows.get(key.as_ref())?.is_none()
            }
            Check::Empty(range) => {
                self.settle_range(range)?;
                range.is_empty() || self.rows.range::<&[u8]>(range.as_slices())?.next().transpose()?.is_none()
            }
            Check::AtMost(key, max) => self.sums(key)?.at_most(*max),
        })
    }

    /// `place`: of the write in its commit.
    pub(super) fn apply(&mut self, write: &Write, version: Version, place: usize) -> Result<(), ::redb::Error> {
        match write {
            Write::Put(key, value) => {
                self.counters.remove(key);
                self.put(key, value, version)
            }
            Write::Append(prefix, value) => {
                let key = appended_key(prefix, version, place).into();
                self.counters.remove(&key);
                self.put(&key, value, version)
            }
            Write::Delete(key) => {
                self.counters.remove(key);
                drop(self.rows.remove(key.as_ref())?);
                Ok(())
            }
            Write::DeleteRange(range) => {
                self.settle_range(range)?;
                if !range.is_empty() {
                    self.rows.retain_in::<&[u8], _>(range.as_slices(), |_, _| false)?;
                }
                Ok(())
            }
            Write::Add(key, amounts) => {
                let sums = self.sums(key)?.plus(*amounts);
                self.counters.insert(key.clone(), Counter { sums, version });
                Ok(())
            }
        }
    }

    /// Writes all counters. Without it, what was added is lost.
    pub(super) fn finish(mut self) -> Result<(), ::redb::Error> {
        for (key, counter) in std::mem::take(&mut self.counters) {
            self.put(&key, &counter.sums.to_value(), counter.version)?;
        }
        Ok(())
    }

    fn sums(&self, key: &Bytes) -> Result<Sums, ::redb::Error> {
        if let Some(counter) = self.counters.get(key) {
            return Ok(counter.sums);
        }
        match self.rows.get(key.as_ref())? {
            Some(stored) => Ok(Sums::read(unpack(stored.value())?.1)),
            None => Ok(Sums::default()),
        }
    }

    fn settle(&mut self, key: &Bytes) -> Result<(), ::redb::Error> {
        match self.counters.remove(key) {
            Some(counter) => self.put(key, &counter.sums.to_value(), counter.version),
            None => Ok(()),
        }
    }

    fn settle_range(&mut self, range: &KeyRange) -> Result<(), ::redb::Error> {
        let within: Vec<Bytes> = self.counters.keys().filter(|key| range.contains(key)).cloned().collect();
        within.iter().try_for_each(|key| self.settle(key))
    }

    fn put(&mut self, key: &Bytes, value: &Bytes, version: Version) -> Result<(), ::redb::Error> {
        let mut place = self.rows.insert_reserve(key.as_ref(), VERSION_BYTES + value.len())?;
        let (head, body) = place.as_mut().split_at_mut(VERSION_BYTES);
        head.copy_from_slice(&version.to_be_bytes());
        body.copy_from_slice(value);
        Ok(())
    }
}
