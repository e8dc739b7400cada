//! What a worker asks for next. Pure: what there is, dice and answers in, operations out.
//!
//! Promise: no operation names a key that isn't there. Phases that read share what nobody changes; in phases that change something each
//! key has one worker, who knows the outcome of its last operation before it decides on the next. A write that failed leaves its key
//! unknown, and it is not asked for again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::data::{Dice, Object};
use super::keys::{Naming, draw};

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Put(Object),
    Get(Object),
    Range {
        object: Object,
        from: u64,
    },
    Head(Object),
    /// With the number of keys that must come back, where that is known.
    List {
        prefix: u32,
        keys: Option<u32>,
    },
    Delete(Object),
}

/// The kinds of operation, which are the kinds of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Put,
    Get,
    Range,
    Head,
    List,
    Delete,
}

impl Op {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Put(_) => Kind::Put,
            Self::Get(_) => Kind::Get,
            Self::Range { .. } => Kind::Range,
            Self::Head(_) => Kind::Head,
            Self::List { .. } => Kind::List,
            Self::Delete(_) => Kind::Delete,
        }
    }
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::Range => "range",
            Self::Head => "head",
            Self::List => "list",
            Self::Delete => "delete",
        }
    }
}

/// Where one worker's operations come from.
#[derive(Debug)]
pub(super) enum Source {
    New(New),
    Read(Read),
    Delete(Delete),
    Mixed(Mixed),
}

impl Source {
    /// `None` where there is nothing left to do.
    pub(super) fn next(&mut self, dice: &mut Dice) -> Option<Op> {
        match self {
            Self::New(new) => new.next(),
            Self::Read(read) => read.next(dice),
            Self::Delete(delete) => delete.next(),
            Self::Mixed(mixed) => mixed.next(dice),
        }
    }

    /// Tells how the operation that came last went.
    pub(super) fn settle(&mut self, op: Op, done: bool) {
        match (self, op) {
            (Self::New(new), Op::Put(object)) if done => new.written.push(object),
            (Self::Mixed(mixed), op) => mixed.settle(op, done),
            _ => {}
        }
    }

    /// The objects that this worker knows to be there, of those that it alone may change.
    pub(super) fn into_objects(self) -> Vec<Object> {
        match self {
            Self::New(new) => new.written,
            Self::Mixed(mixed) => mixed.live,
            Self::Read(_) | Self::Delete(_) => Vec::new(),
        }
    }
}

/// Keys that never were, from a counter that all workers share.
#[derive(Debug, Clone)]
pub(super) struct New {
    pub(super) next: Arc<AtomicU32>,
    pub(super) written: Vec<Object>,
}

impl New {
    fn next(&mut self) -> Option<Op> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < u32::MAX / 2).then_some(Op::Put(Object { number, generation: 1 }))
    }
}

/// Evenly from objects that stay.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) kind: Kind,
    pub(super) objects: Arc<Vec<Object>>,
    pub(super) size: u64,
    /// Bytes of a range.
    pub(super) range: u64,
    pub(super) naming: Naming,
    pub(super) per_prefix: Arc<Vec<u32>>,
}

impl Read {
    fn next(&mut self, dice: &mut Dice) -> Option<Op> {
        let object = self.objects[draw(&self.objects, dice)?];
        Some(match self.kind {
            Kind::Range => Op::Range { object, from: dice.below(self.size - self.range + 1) },
            Kind::Head => Op::Head(object),
            Kind::List => {
                let prefix = self.naming.prefix_of(object.number);
                Op::List { prefix, keys: self.per_prefix.get(prefix as usize).copied() }
            }
            _ => Op::Get(object),
        })
    }
}

/// Each object once, the newest first, from a place in the list that all workers share.
#[derive(Debug, Clone)]
pub(super) struct Delete {
    pub(super) objects: Arc<Vec<Object>>,
    pub(super) left: Arc<AtomicUsize>,
}

impl Delete {
    fn next(&mut self) -> Option<Op> {
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).ok()?;
        Some(Op::Delete(self.objects[left - 1]))
    }
}

/// 60 % get, 25 % put, 5 % head, 5 % list, 5 % delete. A put brings a deleted key back or overwrites one, so the bucket keeps its size.
#[derive(Debug, Clone)]
pub(super) struct Mixed {
    pub(super) live: Vec<Object>,
    pub(super) deleted: Vec<Object>,
    pub(super) naming: Naming,
}

impl Mixed {
    fn next(&mut self, dice: &mut Dice) -> Option<Op> {
        let roll = dice.below(100);
        let Some(at) = draw(&self.live, dice) else { return self.deleted.pop().map(rewritten) };
        let object = self.live[at];
        Some(match roll {
            0..60 => Op::Get(object),
            60..65 => Op::Head(object),
            65..70 => Op::List { prefix: self.naming.prefix_of(object.number), keys: None },
            70..75 if self.live.len() > 1 => Op::Delete(self.live.swap_remove(at)),
            _ => match self.deleted.pop() {
                Some(deleted) => rewritten(deleted),
                None => rewritten(self.live.swap_remove(at)),
            },
        })
    }

    /// What is being changed is in no list until it is known how that went.
    fn settle(&mut self, op: Op, done: bool) {
        match op {
            Op::Put(object) if done => self.live.push(object),
            Op::Delete(object) if done => self.deleted.push(object),
            _ => {}
        }
    }
}

fn rewritten(object: Object) -> Op {
    Op::Put(Object { generation: object.generation + 1, ..object })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const NAMING: Naming = Naming { keys_per_prefix: 10 };

    fn objects(count: u32) -> Vec<Object> {
        (0..count).map(|number| Object { number, generation: 1 }).collect()
    }

    /// A store that knows what is there; what fails may have happened or not.
    fn play(mixed: Mixed, rounds: u32, fails_percent: u64) -> (BTreeMap<Kind, u32>, Source) {
        let mut there: BTreeMap<u32, u32> = mixed.live.iter().map(|object| (object.number, object.generation)).collect();
        let (mut source, mut dice, mut counts) = (Source::Mixed(mixed), Dice::new(1), BTreeMap::new());
        for round in 0..rounds {
            let Some(op) = source.next(&mut dice) else { return (counts, source) };
            let (fails, happens) = (dice.below(100) < fails_percent, dice.below(2) == 0);
            match op {
                Op::Put(object) if !fails || happens => {
                    let before = there.insert(object.number, object.generation);
                    assert!(before.is_none_or(|before| before < object.generation), "round {round}: {op:?}");
                }
                Op::Delete(object) if !fails || happens => {
                    assert!(there.remove(&object.number).is_some(), "round {round}: {op:?}")
                }
                Op::Get(object) | Op::Head(object) => {
                    assert_eq!(there.get(&object.number), Some(&object.generation), "round {round}: {op:?}")
                }
                Op::List { prefix, .. } => {
                    assert!(there.keys().any(|number| NAMING.prefix_of(*number) == prefix), "round {round}: {op:?}")
                }
                _ => {}
            }
            *counts.entry(op.kind()).or_default() += 1;
            source.settle(op, !fails);
        }
        (counts, source)
    }

    fn mixed(count: u32) -> Mixed {
        Mixed { live: objects(count), deleted: Vec::new(), naming: NAMING }
    }

    #[test]
    fn mixed_keeps_its_shares_and_its_size_and_asks_for_nothing_that_isnt_there() {
        let (counts, source) = play(mixed(50), 100_000, 0);
        for (kind, percent) in [(Kind::Get, 60), (Kind::Put, 25), (Kind::Head, 5), (Kind::List, 5), (Kind::Delete, 5)] {
            let share = f64::from(counts[&kind]) / 1000.0;
            assert!((share - f64::from(percent)).abs() < 1.0, "{kind:?}: {share} %");
        }
        assert!(source.into_objects().len() > 40);
    }

    #[test]
    fn mixed_with_one_key_never_stands_without() {
        let (counts, source) = play(mixed(1), 1000, 0);
        assert!(!counts.contains_key(&Kind::Delete) && counts[&Kind::Put] > 200);
        assert_eq!(source.into_objects().len(), 1);
        assert!(play(mixed(0), 1, 0).0.is_empty());
    }

    #[test]
    fn a_key_whose_fate_is_unknown_is_let_go() {
        let (counts, source) = play(mixed(2000), 1_000_000, 5);
        assert!(counts[&Kind::Get] > 1000);
        assert!(source.into_objects().is_empty(), "every write that fails costs a key");
    }

    #[test]
    fn workers_share_new_keys_and_deletions_without_meeting() {
        let new = New { next: Arc::new(AtomicU32::new(7)), written: Vec::new() };
        let mut sources = [Source::New(new.clone()), Source::New(new)];
        let mut dice = Dice::new(1);
        for (at, number) in [(0, 7), (1, 8), (0, 9)] {
            let op = sources[at].next(&mut dice).unwrap();
            assert_eq!(op, Op::Put(Object { number, generation: 1 }));
            sources[at].settle(op, number != 9);
        }
        assert_eq!(sources.map(|source| source.into_objects().len()), [1, 1], "9 failed");
        let delete = Delete { objects: objects(3).into(), left: Arc::new(AtomicUsize::new(3)) };
        let mut sources = [Source::Delete(delete.clone()), Source::Delete(delete)];
        let deleted: Vec<_> = (0..5).map(|turn| sources[turn % 2].next(&mut dice)).collect();
        let op = |number| Some(Op::Delete(Object { number, generation: 1 }));
        assert_eq!(deleted, [op(2), op(1), op(0), None, None]);
    }

    #[test]
    fn ranges_lie_within_the_object_and_reach_its_ends() {
        let read = Read {
            kind: Kind::Range,
            objects: objects(2).into(),
            size: 100,
            range: 98,
            naming: NAMING,
            per_prefix: vec![2].into(),
        };
        let (mut source, mut dice) = (Source::Read(read.clone()), Dice::new(1));
        let mut seen = [false; 3];
        for _ in 0..100 {
            let Some(Op::Range { from, .. }) = source.next(&mut dice) else { panic!("not a range") };
            seen[from as usize] = true;
        }
        assert_eq!(seen, [true; 3]);
        let mut list = Source::Read(Read { kind: Kind::List, ..read });
        assert_eq!(list.next(&mut dice), Some(Op::List { prefix: 0, keys: Some(2) }));
    }
}
