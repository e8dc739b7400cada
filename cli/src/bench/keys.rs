//! Which objects there are and what they are called: `PREFIX/NUMBER`, a fixed number of keys under each prefix. Prefixes are scattered
//! over the bucket, so that new keys don't all land at its end.

use super::data::{Dice, Object};

/// Odd, so that no two prefixes fall together.
const SCATTER: u32 = 0x9e37_79b1;

/// How keys are made of numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Naming {
    pub(super) keys_per_prefix: u32,
}

impl Naming {
    pub(super) fn prefix_of(self, number: u32) -> u32 {
        number / self.keys_per_prefix
    }

    pub(super) fn prefix(self, prefix: u32) -> String {
        format!("{:08x}/", prefix.wrapping_mul(SCATTER))
    }

    pub(super) fn key(self, number: u32) -> String {
        format!("{:08x}/{number:08x}", self.prefix_of(number).wrapping_mul(SCATTER))
    }
}

/// The objects that are known to be there, oldest first. One whose last write was not answered is not known to be.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) live: Vec<Object>,
    /// The next number never used.
    pub(super) next: u32,
}

impl Book {
    /// How many of the live objects lie under each prefix.
    pub(super) fn per_prefix(&self, naming: Naming) -> Vec<u32> {
        let mut counts = vec![0; naming.prefix_of(self.next) as usize + 1];
        self.live.iter().for_each(|object| counts[naming.prefix_of(object.number) as usize] += 1);
        counts
    }

    /// The live objects dealt to so many workers, so that none touches another's.
    pub(super) fn dealt(&self, workers: usize) -> Vec<Vec<Object>> {
        let mut hands = vec![Vec::with_capacity(self.live.len() / workers + 1); workers];
        self.live.iter().enumerate().for_each(|(at, object)| hands[at % workers].push(*object));
        hands
    }
}

/// One of them, by chance; `None` where there is none.
pub(super) fn draw(objects: &[Object], dice: &mut Dice) -> Option<usize> {
    (!objects.is_empty()).then(|| dice.below(objects.len() as u64) as usize)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_differ_and_lie_under_their_prefix() {
        let naming = Naming { keys_per_prefix: 10 };
        let keys: BTreeSet<String> = (0..10_000).map(|number| naming.key(number)).collect();
        assert_eq!(keys.len(), 10_000);
        let prefix = naming.prefix(naming.prefix_of(4321));
        let under: Vec<_> = keys.iter().filter(|key| key.starts_with(&prefix)).collect();
        assert_eq!(under.len(), 10);
        assert!(under.contains(&&naming.key(4320)) && under.contains(&&naming.key(4329)));
    }

    #[test]
    fn every_object_is_dealt_once_and_counted_once() {
        let live: Vec<_> = (0..25).filter(|number| number % 7 != 3).map(|number| Object { number, generation: 1 }).collect();
        let book = Book { live: live.clone(), next: 25 };
        let mut all = book.dealt(4).concat();
        all.sort();
        assert_eq!(all, live);
        assert_eq!(book.per_prefix(Naming { keys_per_prefix: 10 }), [9, 8, 4]);
    }
}
