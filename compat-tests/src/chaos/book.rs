//! What the gateway acknowledged, where an answer may also have been lost on its way.
//!
//! ```text
//!   log of a key:   absent   v1   v2   v3   (begun last)
//!                             └─────────┴── each of these may be there now: v1 was acknowledged, v2 broke off, v3 is under way
//! ```
//! One writer writes a key, one request at a time, so what may be there is always the end of the log. Every version carries its number
//! as metadata, and its bytes follow from key and number: a reader knows at once what it should be getting.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::data::Data;
use crate::dice::Dice;

/// What was asked to be under a key; `None` for a delete.
pub type Version = Option<Data>;

#[derive(Debug)]
struct Entry {
    log: Vec<Version>,
    /// The earliest that may be there.
    first: usize,
}

/// A key and what may be found under it from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub key: String,
    first: usize,
}

#[derive(Debug, Default)]
pub struct Book {
    keys: Mutex<BTreeMap<String, Entry>>,
}

impl Book {
    fn keys(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request is about to be sent; its version's number. `len` of `None` is a delete.
    pub fn begin(&self, key: &str, len: Option<u64>) -> (usize, Version) {
        let mut keys = self.keys();
        let entry = keys.entry(key.to_owned()).or_insert_with(|| Entry { log: vec![None], first: 0 });
        let number = entry.log.len();
        entry.log.push(len.map(|len| Data::new(seed_of(key, number), len)));
        (number, entry.log[number])
    }

    /// The answer came: nothing before `number` is there any more.
    pub fn acknowledge(&self, key: &str, number: usize) {
        if let Some(entry) = self.keys().get_mut(key) {
            entry.first = number;
        }
    }

    /// Any key, and what may be there.
    pub fn pick(&self, dice: &mut Dice) -> Option<Expected> {
        let keys = self.keys();
        let at = dice.within(0..keys.len() as u64) as usize;
        keys.iter().nth(at).map(|(key, entry)| Expected { key: key.clone(), first: entry.first })
    }

    pub fn all(&self) -> Vec<Expected> {
        self.keys().iter().map(|(key, entry)| Expected { key: key.clone(), first: entry.first }).collect()
    }

    /// What `number` of the key is, if it may have been there since `expected` was picked.
    pub fn found(&self, expected: &Expected, number: usize) -> Result<Data, String> {
        let keys = self.keys();
        let log = keys.get(&expected.key).map_or(&[][..], |entry| &entry.log);
        let allowed = number >= expected.first;
        let why = || format!("version {number} of {:?}.., of which {} and later may be there", log, expected.first);
        log.get(number).copied().flatten().filter(|_| allowed).ok_or_else(why)
    }

    /// Fails if the key must have been there all the time.
    pub fn absent(&self, expected: &Expected) -> Result<(), String> {
        self.any(expected, Option::is_none).then_some(()).ok_or_else(|| "an acknowledged object is not there".to_owned())
    }

    /// True if some version that may have been there has at most `len` bytes.
    pub fn may_be_shorter(&self, expected: &Expected, len: u64) -> bool {
        self.any(expected, |version| version.is_none_or(|data| data.len <= len))
    }

    fn any(&self, expected: &Expected, holds: impl Fn(&Version) -> bool) -> bool {
        self.keys().get(&expected.key).is_none_or(|entry| entry.log[expected.first..].iter().any(holds))
    }

    /// Keys under which an object may be, and the bytes that those may have together at most.
    pub fn live(&self) -> (usize, u64) {
        let keys = self.keys();
        let longest = |entry: &Entry| entry.log[entry.first..].iter().flatten().map(|data| data.len).max();
        let sizes: Vec<u64> = keys.values().filter_map(longest).collect();
        (sizes.len(), sizes.iter().sum())
    }
}

fn seed_of(key: &str, number: usize) -> u64 {
    let key = key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    Dice::new(key.wrapping_add(number as u64)).word()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(book: &Book) -> Expected {
        book.pick(&mut Dice::new(0)).unwrap()
    }

    #[test]
    fn an_acknowledged_version_is_the_only_one_until_the_next_is_begun() {
        let book = Book::default();
        let (one, data) = book.begin("k", Some(10));
        assert_eq!(book.absent(&expected(&book)), Ok(()));
        assert_eq!(book.found(&expected(&book), one), Ok(data.unwrap()));
        book.acknowledge("k", one);
        let before = expected(&book);
        assert!(book.absent(&before).is_err());
        let (two, _) = book.begin("k", Some(20));
        for number in [one, two] {
            assert!(book.found(&before, number).is_ok(), "a read from before the overwrite may meet either");
        }
        book.acknowledge("k", two);
        assert!(book.found(&before, one).is_ok() && book.found(&expected(&book), one).is_err());
        assert_eq!(book.live(), (1, 20));
    }

    #[test]
    fn an_answer_that_never_came_leaves_both() {
        let book = Book::default();
        let (one, _) = book.begin("k", Some(10));
        book.acknowledge("k", one);
        book.begin("k", None);
        let now = expected(&book);
        assert!(book.absent(&now).is_ok() && book.found(&now, one).is_ok());
        assert_eq!(book.live(), (1, 10));
        let (three, _) = book.begin("k", Some(5));
        book.acknowledge("k", three);
        let now = expected(&book);
        assert!(book.absent(&now).is_err() && book.found(&now, one).is_err() && book.found(&now, three).is_ok());
    }

    #[test]
    fn an_acknowledged_delete_stays() {
        let book = Book::default();
        let (one, _) = book.begin("k", Some(10));
        book.acknowledge("k", one);
        let (two, _) = book.begin("k", None);
        book.acknowledge("k", two);
        let now = expected(&book);
        assert!(book.absent(&now).is_ok() && book.found(&now, one).is_err() && book.found(&now, two).is_err());
    }

    #[test]
    fn every_version_has_bytes_of_its_own() {
        let book = Book::default();
        let versions = [book.begin("a", Some(9)), book.begin("a", Some(9)), book.begin("b", Some(9))].map(|(_, version)| version);
        assert!(versions[0] != versions[1] && versions[0] != versions[2]);
    }
}
