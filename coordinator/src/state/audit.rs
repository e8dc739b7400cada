//! Which shards of one donor are asked about, and what was asked and not answered yet.
//!
//! ```text
//!   walk over its holdings ─► Sample ─► scheduled ─┐  audits_per_day          answer ─► passed, failed
//!                                                  ├───────────────► open ──┤
//!   an operator's audit ──────────────► urgent ────┤  at once                 3 beats ─► offline ─► asked again, later
//!   others call it missing or wrong ──► accused ───┘  at once
//! ```
//! To answer, an honest donor reads the whole shard and checks it against its id: so a question finds rot wherever it is, and the donor
//! tells of it. Of a dishonest one the proof shows the slice only.
//!
//! Promises: a shard is drawn with a chance in proportion to its bytes (Efraimidis and Spirakis, "Weighted random sampling with a
//! reservoir", 2006), and its slice at the moment it is asked for, so nothing can be prepared. An answer is matched by its number and by
//! the donor that was asked: a book belongs to one donor. A question counts once. Silence is no failure; only a donor that is heard and
//! still leaves the same shard unanswered [`TRIES_MAX`] times, an hour at the usual pace, fails: else not answering would be the best lie.
//!
//! What it finds and costs, at 96 audits a day: a donor that dropped a tenth of its shards passes a whole day with a chance of
//! 0.9^96 = 0.004 %. An answer is a slice of 16 KiB and the hashes beside it, at most 22.6 kB as JSON; 96 of them a day are 0.002 % of
//! what a line of 10 Mbit/s carries. What is kept in memory is about 100 bytes a question, 32 questions a donor.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use nodio_wire::api::Challenge;
use nodio_wire::limits::{AUDIT_SLICE_BYTES, CHALLENGES_MAX};
use nodio_wire::proof::Slice;
use nodio_wire::{SegmentId, ShardId, UnixMs};
use rand::{Rng, RngExt};

use crate::limits::{AUDIT_ACCUSED_MAX, AUDIT_BURST, AUDIT_SAMPLE_MAX, AUDIT_SAMPLE_SPARE};

/// Questions about one shard that may stay open, one after the other, until that is as good as a failure.
pub(crate) const TRIES_MAX: u8 = 5;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A shard to ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pick {
    pub shard: ShardId,
    /// One that names the donor for it.
    pub segment: SegmentId,
    pub position: u8,
    /// Times it was asked and left open by a donor that was heard.
    pub tries: u8,
    /// The operator's audit that asks.
    pub run: Option<u64>,
    /// Somebody met it missing or wrong. Passing such a question earns nothing: else friends could accuse each other to trust.
    pub accused: bool,
}

/// A question that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Open {
    pub challenge: Challenge,
    pub shard_bytes: u32,
    pub asked_at: UnixMs,
    pub pick: Pick,
}

/// How many shards to draw for the time until the next walk.
pub(crate) fn sample_size(per_day: u32, period_ms: u64) -> usize {
    let expected = u64::from(per_day).saturating_mul(period_ms).div_ceil(DAY_MS);
    usize::try_from(expected).unwrap_or(usize::MAX).saturating_add(AUDIT_SAMPLE_SPARE).min(AUDIT_SAMPLE_MAX)
}

/// A weighted draw without replacement from a stream of unknown length.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    size: usize,
    /// The lowest key on top.
    kept: BinaryHeap<Reverse<Keyed>>,
}

#[derive(Debug, Clone, Copy)]
struct Keyed {
    key: f64,
    pick: Pick,
}

impl PartialEq for Keyed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Keyed {}

impl PartialOrd for Keyed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Keyed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.total_cmp(&other.key)
    }
}

impl Sample {
    pub(crate) fn of(size: usize) -> Self {
        Self { size, kept: BinaryHeap::new() }
    }

    /// Shows the draw one more shard.
    pub(crate) fn offer(&mut self, pick: Pick, weight: u32, rng: &mut impl Rng) {
        // The logarithm of u^(1/weight): same order, and no weight is too big for it.
        let key = (1.0 - rng.random::<f64>()).ln() / f64::from(weight.max(1));
        if self.kept.len() < self.size {
            self.kept.push(Reverse(Keyed { key, pick }));
        } else if self.kept.peek().is_some_and(|lowest| key > lowest.0.key) {
            self.kept.pop();
            self.kept.push(Reverse(Keyed { key, pick }));
        }
    }

    /// As if drawn one by one: a first part of it is a weighted draw as well.
    fn into_picks(self) -> impl Iterator<Item = Pick> {
        self.kept.into_sorted_vec().into_iter().map(|kept| kept.0.pick)
    }
}

/// All questions to one donor.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    /// Left open before; asked again before those that are new.
    repeated: VecDeque<Pick>,
    scheduled: VecDeque<Pick>,
    urgent: VecDeque<Pick>,
    /// Each shard once, and bounded: whoever has more is found out by these.
    accused: VecDeque<Pick>,
    open: Vec<Open>,
    /// Scheduled questions that may be asked now, and when that was counted.
    allowance: f64,
    counted: UnixMs,
}

impl Book {
    pub(crate) fn new(now: UnixMs) -> Self {
        Self { counted: now, ..Self::default() }
    }

    /// Takes over what a walk has drawn, in place of what the last one drew.
    pub(crate) fn refill(&mut self, sample: Sample) {
        self.scheduled = sample.into_picks().collect();
    }

    /// Adds a question of an operator's audit.
    pub(crate) fn urge(&mut self, pick: Pick) {
        self.urgent.push_back(pick);
    }

    /// Adds a question about a shard that others call missing or wrong, unless it is or was just asked.
    pub(crate) fn accuse(&mut self, shard: ShardId, segment: SegmentId) {
        let is_asked = self.open.iter().map(|open| &open.pick).chain(&self.accused).any(|pick| pick.shard == shard);
        if !is_asked && self.accused.len() < AUDIT_ACCUSED_MAX {
            self.accused.push_back(Pick { shard, segment, position: 0, tries: 0, run: None, accused: true });
        }
    }

    /// The open question about this shard.
    pub(crate) fn about(&self, shard: &ShardId) -> Option<Open> {
        self.open.iter().find(|open| open.challenge.shard == *shard).copied()
    }

    /// What to ask about now: what others accuse it of, the scheduled ones at `per_day`, and the operator's questions.
    pub(crate) fn due(&mut self, now: UnixMs, per_day: u32) -> Vec<Pick> {
        let earned = now.saturating_sub(self.counted) as f64 * f64::from(per_day) / DAY_MS as f64;
        self.allowance = (self.allowance + earned).min(AUDIT_BURST);
        self.counted = now;
        let room = CHALLENGES_MAX.saturating_sub(self.open.len());
        let accused = room.min(self.accused.len());
        let room = room - accused;
        let repeated = (self.allowance as usize).min(room).min(self.repeated.len());
        let scheduled = (self.allowance as usize).min(room).saturating_sub(repeated).min(self.scheduled.len());
        self.allowance -= (repeated + scheduled) as f64;
        let urgent = (room - repeated - scheduled).min(self.urgent.len());
        let paced = self.repeated.drain(..repeated).chain(self.scheduled.drain(..scheduled));
        self.accused.drain(..accused).chain(paced).chain(self.urgent.drain(..urgent)).collect()
    }

    /// Draws the slice and notes the question; `None` for a shard without bytes.
    pub(crate) fn ask(&mut self, pick: Pick, shard_bytes: u32, now: UnixMs, rng: &mut impl Rng) -> Option<Challenge> {
        let slice = Slice::around(rng.random(), AUDIT_SLICE_BYTES, shard_bytes)?;
        let challenge = Challenge { id: rng.random(), shard: pick.shard, slice };
        self.open.push(Open { challenge, shard_bytes, asked_at: now, pick });
        Some(challenge)
    }

    pub(crate) fn find(&self, id: u64) -> Option<Open> {
        self.open.iter().find(|open| open.challenge.id == id).copied()
    }

    /// The question, which no longer is one; `None` if it was closed before.
    pub(crate) fn close(&mut self, id: u64) -> Option<Open> {
        let at = self.open.iter().position(|open| open.challenge.id == id)?;
        Some(self.open.swap_remove(at))
    }

    /// Questions open for `patience_ms` or longer.
    pub(crate) fn overdue(&self, now: UnixMs, patience_ms: u64) -> impl Iterator<Item = Open> {
        self.open.iter().filter(move |open| now.saturating_sub(open.asked_at) >= patience_ms).copied()
    }

    /// Has a shard asked about once more. Only scheduled questions are repeated.
    pub(crate) fn again(&mut self, pick: Pick, was_heard: bool) {
        if pick.run.is_none() && self.repeated.len() < AUDIT_SAMPLE_MAX {
            self.repeated.push_back(Pick { tries: pick.tries + u8::from(was_heard), ..pick });
        }
    }

    /// The operator's questions that were not asked yet; a donor that is away won't answer them.
    pub(crate) fn give_up_urgent(&mut self) -> Vec<Pick> {
        self.urgent.drain(..).collect()
    }
}

/// True if leaving this question open was once too often, now that the donor was heard again since.
pub(crate) fn is_stonewalled(open: &Open, was_heard: bool) -> bool {
    open.pick.run.is_none() && was_heard && open.pick.tries + 1 >= TRIES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodio_wire::PartId;
    use nodio_wire::proof::Proof;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    const BEAT_MS: u64 = 30_000;
    const WALK_MS: u64 = 6 * 60 * 60 * 1000;

    fn pick(number: u32) -> Pick {
        let mut shard = ShardId([0; 32]);
        shard.0[..4].copy_from_slice(&number.to_be_bytes());
        let segment = SegmentId { part: PartId([0; 16]), index: number };
        Pick { shard, segment, position: 0, tries: 0, run: None, accused: false }
    }

    fn sample(shards: u32, size: usize, rng: &mut StdRng) -> Sample {
        let mut sample = Sample::of(size);
        (0..shards).for_each(|number| sample.offer(pick(number), 1_048_832, rng));
        sample
    }

    #[test]
    fn shards_are_drawn_in_proportion_to_their_bytes() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut drawn = [0u32; 4];
        for _ in 0..20_000 {
            let mut sample = Sample::of(1);
            (0..4).for_each(|number| sample.offer(pick(number), 1000 * (number + 1), &mut rng));
            sample.into_picks().for_each(|pick| drawn[pick.segment.index as usize] += 1);
        }
        for (number, count) in (1u32..).zip(drawn) {
            assert!(count.abs_diff(2000 * number) < 300, "{drawn:?}");
        }
    }

    #[test]
    fn a_draw_has_no_shard_twice_and_no_more_than_there_are() {
        let mut rng = StdRng::seed_from_u64(2);
        let few: Vec<Pick> = sample(3, 10, &mut rng).into_picks().collect();
        assert_eq!(few.len(), 3);
        let mut many: Vec<u32> = sample(1000, 32, &mut rng).into_picks().map(|pick| pick.segment.index).collect();
        many.sort_unstable();
        many.dedup();
        assert_eq!(many.len(), 32);
    }

    /// A day of a donor that beats twice a minute and whose map side is walked every six hours; true if a question meets a shard that
    /// it dropped.
    fn is_found_within_a_day(shards: u32, dropped: u32, rng: &mut StdRng) -> (bool, u64) {
        let (mut book, mut asked, mut found) = (Book::new(0), 0, false);
        let per_day = crate::config::CoordinatorConfig::default().audits_per_day;
        for now in (0..DAY_MS).step_by(BEAT_MS as usize) {
            if now % WALK_MS == 0 {
                book.refill(sample(shards, sample_size(per_day, WALK_MS), rng));
            }
            for pick in book.due(now, per_day) {
                let challenge = book.ask(pick, 1_048_832, now, rng).expect("has bytes");
                assert!(book.close(challenge.id).is_some());
                asked += 1;
                found |= pick.segment.index < dropped;
            }
        }
        (found, asked)
    }

    #[test]
    fn a_tenth_dropped_is_found_within_a_day() {
        let mut rng = StdRng::seed_from_u64(4);
        let lives: Vec<_> = (0..1000).map(|_| is_found_within_a_day(200, 20, &mut rng)).collect();
        let found = lives.iter().filter(|(found, _)| *found).count();
        println!("{found} of 1000 donors that dropped a tenth of their shards were found within a day");
        assert!(found >= 990, "{found}");
        assert!(lives.iter().all(|(_, asked)| (94..=96).contains(asked)), "the pace holds");
    }

    #[test]
    fn a_day_of_audits_costs_less_than_a_thousandth_of_a_slow_line() {
        let bytes: Vec<u8> = (0..nodio_wire::limits::SHARD_BYTES_MAX).map(|at| (at % 251) as u8).collect();
        let mut rng = StdRng::seed_from_u64(5);
        let mut longest = 0;
        for _ in 0..50 {
            let slice = Slice::around(rng.random(), AUDIT_SLICE_BYTES, bytes.len() as u32).expect("has bytes");
            let proof = Proof::of(&bytes, slice).expect("within");
            let answer = nodio_wire::api::AuditAnswer { id: rng.random(), answer: nodio_wire::api::Answer::Proof(proof) };
            longest = longest.max(serde_json::to_vec(&answer).expect("encodes").len());
        }
        let challenge = Challenge { id: u64::MAX, shard: ShardId([255; 32]), slice: Slice { start: 1 << 20, len: 1 << 14 } };
        let asked = serde_json::to_vec(&challenge).expect("encodes").len();
        let per_day = crate::config::CoordinatorConfig::default().audits_per_day as usize;
        let line_bytes_per_day = 10_000_000_u64 / 8 * 86_400;
        let share = (per_day * (longest + asked)) as f64 / line_bytes_per_day as f64;
        println!("an answer is at most {longest} bytes, a day's audits {:.5} % of 10 Mbit/s", share * 100.0);
        assert!(share < 0.001 / 10.0, "{share}");
    }

    #[test]
    fn silence_saves_up_no_more_than_a_burst_and_open_questions_are_bounded() {
        let mut rng = StdRng::seed_from_u64(6);
        let mut book = Book::new(0);
        book.refill(sample(1000, 1000, &mut rng));
        assert!(book.due(DAY_MS / 96 - 1, 96).is_empty());
        assert_eq!(book.due(10 * DAY_MS, 96).len(), AUDIT_BURST as usize);
        assert_eq!(book.due(20 * DAY_MS, 0).len(), 0, "none a day is none");
        (0..200).for_each(|number| book.urge(Pick { run: Some(1), ..pick(number) }));
        let due = book.due(20 * DAY_MS, 96);
        assert_eq!(due.len(), CHALLENGES_MAX);
        for pick in due {
            book.ask(pick, 1000, 0, &mut rng).expect("has bytes");
        }
        assert!(book.due(21 * DAY_MS, 96).is_empty(), "as many as may be are open");
        assert_eq!(book.give_up_urgent().len(), 200 - CHALLENGES_MAX);
    }

    #[test]
    fn the_accused_is_asked_at_once_about_each_shard_once_and_about_a_bounded_number() {
        let mut rng = StdRng::seed_from_u64(8);
        let mut book = Book::new(0);
        let accuse = |book: &mut Book, number| book.accuse(pick(number).shard, pick(number).segment);
        accuse(&mut book, 1);
        accuse(&mut book, 1);
        let due = book.due(0, 0);
        assert!(due == [Pick { accused: true, ..pick(1) }], "{due:?}");
        book.ask(due[0], 1000, 0, &mut rng).expect("has bytes");
        accuse(&mut book, 1);
        assert!(book.due(0, 0).is_empty() && book.about(&pick(1).shard).is_some() && book.about(&pick(2).shard).is_none());
        (0..2 * AUDIT_ACCUSED_MAX as u32).for_each(|number| accuse(&mut book, number));
        assert_eq!((book.accused.len(), book.due(0, 0).len()), (AUDIT_ACCUSED_MAX, CHALLENGES_MAX - 1));
    }

    #[test]
    fn a_shard_left_open_is_asked_first_and_in_the_end_held_against_a_donor_that_was_heard() {
        let mut rng = StdRng::seed_from_u64(7);
        let mut book = Book::new(0);
        book.refill(sample(50, 50, &mut rng));
        let mut now = 0;
        let mut next = |book: &mut Book| {
            now += DAY_MS / 96 + 1;
            book.due(now, 96)[0]
        };
        let mut wanted = next(&mut book);
        book.again(wanted, false);
        for tries in 0..TRIES_MAX {
            let pick = next(&mut book);
            assert_eq!((pick.shard, pick.tries), (wanted.shard, tries));
            let challenge = book.ask(pick, 1000, 0, &mut rng).expect("has bytes");
            let open = book.close(challenge.id).expect("open");
            assert_eq!(is_stonewalled(&open, true), tries + 1 == TRIES_MAX);
            assert!(!is_stonewalled(&open, false), "whoever isn't heard isn't blamed");
            book.again(pick, true);
            book.refill(sample(50, 50, &mut rng));
            wanted = pick;
        }
    }
}
