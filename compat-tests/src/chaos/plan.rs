//! What harm is done when: a pure function of the seed.
//!
//! **The rule.** Of a segment's n shards any n-k may be missing. One donor drops what it was given and one lets it rot, for good, so those
//! two are taken off first; at most `n - k - 2` other donors' processes are down at any moment. The slow donor and the one with the full
//! disk don't count against it: what they hold can be read. Everything killed comes back on its own folder.

use std::time::Duration;

use crate::dice::Dice;

/// Who plays which part. Each is another donor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cast {
    pub donors: usize,
    /// Its disk flips bytes.
    pub rotten: usize,
    /// Says it stored every tenth shard, and didn't.
    pub dropping: usize,
    /// Answers after five seconds.
    pub slow: usize,
    /// Its disk runs full.
    pub full: usize,
}

impl Cast {
    /// Donors whose word on what they hold is wrong for good.
    const FALSE: usize = 2;

    pub fn draw(donors: usize, dice: &mut Dice) -> Self {
        let mut free: Vec<usize> = (0..donors).collect();
        let mut draw = || free.swap_remove(dice.within(0..free.len() as u64) as usize);
        Self { donors, rotten: draw(), dropping: draw(), slow: draw(), full: draw() }
    }

    /// See the rule.
    pub fn down_max(spare: usize) -> usize {
        spare.saturating_sub(Self::FALSE)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    Kill(usize),
    Return(usize),
    KillCoordinator,
    ReturnCoordinator,
    KillGateway,
    ReturnGateway,
    /// One byte of the rotten donor's disk.
    Flip,
    FillDisk,
    FreeDisk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    pub at: Duration,
    pub harm: Harm,
}

/// Milliseconds between two kills of donors, and that each stays away.
const KILL_EVERY_MS: std::ops::Range<u64> = 1500..5000;
const DONOR_AWAY_MS: std::ops::Range<u64> = 500..12_000;
const FLIP_EVERY_MS: std::ops::Range<u64> = 1000..4000;
const GATEWAY_EVERY_MS: std::ops::Range<u64> = 20_000..45_000;
const COORDINATOR_EVERY_MS: std::ops::Range<u64> = 35_000..90_000;
const ROLE_AWAY_MS: std::ops::Range<u64> = 200..3000;
/// Everything goes well for so long at first.
const PEACE_MS: u64 = 3000;

/// Every event of a run of `length` under a code with `spare` shards more than needed, in order.
pub fn plan(seed: u64, length: Duration, cast: Cast, spare: usize) -> Vec<Event> {
    let mut dice = Dice::new(seed);
    let end_ms = length.as_millis() as u64;
    let mut events = donors(&mut dice.fork(), end_ms, cast, Cast::down_max(spare));
    let gateway = (GATEWAY_EVERY_MS, Harm::KillGateway, Harm::ReturnGateway);
    let coordinator = (COORDINATOR_EVERY_MS, Harm::KillCoordinator, Harm::ReturnCoordinator);
    for (every, kill, back) in [gateway, coordinator] {
        events.extend(role(&mut dice.fork(), end_ms, every, kill, back));
    }
    events.extend(flips(&mut dice.fork(), end_ms));
    for (percent, harm) in [(10, Harm::FillDisk), (50, Harm::FreeDisk), (60, Harm::FillDisk)] {
        events.push(event(end_ms * percent / 100, harm));
    }
    events.sort_by_key(|event| event.at);
    events
}

fn event(at_ms: u64, harm: Harm) -> Event {
    Event { at: Duration::from_millis(at_ms), harm }
}

fn donors(dice: &mut Dice, end_ms: u64, cast: Cast, down_max: usize) -> Vec<Event> {
    let (mut events, mut back_ms, mut at) = (Vec::new(), vec![0; cast.donors], PEACE_MS);
    while at < end_ms {
        let up: Vec<usize> = (0..cast.donors).filter(|donor| back_ms[*donor] <= at).collect();
        if cast.donors - up.len() < down_max
            && let Some(donor) = dice.pick(&up).copied()
        {
            let back = (at + dice.within(DONOR_AWAY_MS)).min(end_ms);
            events.extend([event(at, Harm::Kill(donor)), event(back, Harm::Return(donor))]);
            // It needs a moment before it can be killed again.
            back_ms[donor] = back + 1;
        }
        // Now and then two go down together.
        at += if dice.chance(15) { 1 } else { dice.within(KILL_EVERY_MS) };
    }
    events
}

fn role(dice: &mut Dice, end_ms: u64, every: std::ops::Range<u64>, kill: Harm, back: Harm) -> Vec<Event> {
    let mut events = Vec::new();
    // The first one comes in any run, however short.
    let mut at = (end_ms * dice.within(20..50) / 100).min(dice.within(every.clone()));
    while at < end_ms {
        let away = dice.within(ROLE_AWAY_MS);
        events.extend([event(at, kill), event((at + away).min(end_ms), back)]);
        at += away + dice.within(every.clone());
    }
    events
}

fn flips(dice: &mut Dice, end_ms: u64) -> Vec<Event> {
    let times = std::iter::successors(Some(PEACE_MS), |at| Some(at + dice.within(FLIP_EVERY_MS)));
    times.take_while(|at| *at < end_ms).map(|at| event(at, Harm::Flip)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const LENGTH: Duration = Duration::from_secs(120);

    fn of(seed: u64) -> (Cast, Vec<Event>) {
        let cast = Cast::draw(12, &mut Dice::new(seed));
        (cast, plan(seed, LENGTH, cast, 4))
    }

    #[test]
    fn the_same_seed_does_the_same_harm() {
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn never_more_are_down_than_the_rule_allows_and_all_come_back() {
        for seed in 0..200 {
            let (cast, events) = of(seed);
            let parts = BTreeSet::from([cast.rotten, cast.dropping, cast.slow, cast.full]);
            assert!(parts.len() == 4 && parts.iter().all(|donor| *donor < 12), "{cast:?}");
            let (mut down, mut most) = (BTreeSet::new(), 0);
            for event in &events {
                assert!(event.at <= LENGTH);
                match event.harm {
                    Harm::Kill(donor) => assert!(down.insert(donor), "{donor} is killed twice"),
                    Harm::Return(donor) => assert!(down.remove(&donor)),
                    _ => {}
                }
                most = most.max(down.len());
            }
            assert!(down.is_empty() && most == 2, "seed {seed}: {most} at once, {down:?} left");
        }
    }

    #[test]
    fn every_kind_of_harm_is_in_every_run_and_roles_return() {
        for seed in 0..200 {
            let (_, events) = of(seed);
            let count = |harm| events.iter().filter(|event| event.harm == harm).count();
            assert!(count(Harm::KillGateway) >= 2 && count(Harm::KillGateway) == count(Harm::ReturnGateway));
            assert!(count(Harm::KillCoordinator) >= 1 && count(Harm::KillCoordinator) == count(Harm::ReturnCoordinator));
            assert!(count(Harm::Flip) >= 30 && count(Harm::FillDisk) == 2);
            let kills = events.iter().filter(|event| matches!(event.harm, Harm::Kill(_))).count();
            assert!(kills >= 15, "seed {seed}: {kills} kills");
        }
    }
}
