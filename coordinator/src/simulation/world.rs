//! Time passes: events by the millisecond, repairs by the minute.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use nodio_wire::NodeId;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::Settings;
use super::decide::Rules;
use super::donors::{Donor, Known, row_of};
use super::layout::Layout;
use super::mending::Rebuild;
use super::queue::Queue;
use super::report::{Day, Report, Tally, median, memory_bytes};
use crate::config::DomainRule;
use crate::state::liveness::{Presence, Timing};
use crate::state::node::Transition;
use crate::state::nodes::Nodes;
use crate::state::reservations::Reservations;
use crate::state::tasks::TaskBook;
use crate::state::walks::Walks;
use crate::state::{State, footprint};

pub(super) const MINUTE_MS: u64 = 60_000;
const DAY_MINUTES: u64 = 24 * 60;
const HEARTBEAT_MS: u64 = nodio_wire::limits::HEARTBEAT_MS;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    Leaves {
        donor: u16,
        for_ms: u64,
    },
    Returns {
        donor: u16,
    },
    Dies {
        donor: u16,
    },
    Joins,
    /// Its silence is looked at.
    Look {
        donor: u16,
    },
}

pub(super) struct World<'a> {
    pub(super) settings: &'a Settings,
    pub(super) now: u64,
    pub(super) rng: StdRng,
    pub(super) state: State,
    pub(super) known: Vec<Known>,
    pub(super) donors: Vec<Donor>,
    pub(super) layout: Layout,
    pub(super) rules: Rules,
    pub(super) queue: Queue,
    pub(super) calendar: BinaryHeap<Reverse<(u64, u64, Event)>>,
    pub(super) scheduled: u64,
    pub(super) under_way: Vec<Rebuild>,
    pub(super) is_under_way: Vec<bool>,
    pub(super) is_lost: Vec<bool>,
    pub(super) tally: Tally,
    pub(super) started: Instant,
    /// Of the coordinator's state with all donors, and of all when the map was filled.
    pub(super) rss: [u64; 2],
    pub(super) grant_ns: f64,
}

impl<'a> World<'a> {
    pub(super) fn new(settings: &'a Settings) -> Result<Self, String> {
        let segments = settings.segments as usize;
        let timing = Timing { heartbeat_ms: HEARTBEAT_MS, repair_after_ms: settings.repair_after_ms };
        let before = memory_bytes();
        let mut world = Self {
            settings,
            now: 0,
            rng: StdRng::seed_from_u64(settings.seed),
            state: State {
                nodes: Nodes::new(DomainRule::Auto, timing, 0),
                reservations: Reservations::new(1),
                tasks: TaskBook::new(1),
                walks: Walks::default(),
            },
            known: vec![Known { presence: Presence::Gone, domain: 0 }],
            donors: vec![Donor::new(0, None)],
            layout: Layout::new(settings.code.n(), segments),
            rules: Rules::new(settings.code, settings.shard_bytes, settings.emergency_margin),
            queue: Queue::new(settings.order, segments, settings.code.parity() + 1),
            calendar: BinaryHeap::new(),
            scheduled: 0,
            under_way: Vec::new(),
            is_under_way: vec![false; segments],
            is_lost: vec![false; segments],
            tally: Tally::default(),
            started: Instant::now(),
            rss: [before, 0],
            grant_ns: 0.0,
        };
        (0..settings.donors).try_for_each(|_| world.join())?;
        world.rss[0] = memory_bytes().saturating_sub(before);
        world.fill()?;
        world.rss[1] = memory_bytes().saturating_sub(before);
        Ok(world)
    }

    pub(super) fn live_a_day(&mut self, number: u32) -> Result<Day, String> {
        for _ in 0..DAY_MINUTES {
            self.now += MINUTE_MS;
            self.pass_time()?;
            self.land();
            self.mend();
            self.tally.unreadable_minutes += self.unreadable();
        }
        Ok(self.day(number))
    }

    fn schedule(&mut self, in_ms: u64, event: Event) {
        self.scheduled += 1;
        self.calendar.push(Reverse((self.now.saturating_add(in_ms), self.scheduled, event)));
    }

    /// Plays what is due, each event at its own millisecond.
    fn pass_time(&mut self) -> Result<(), String> {
        let minute = self.now;
        while let Some(Reverse((at, _, event))) = self.calendar.peek().copied().filter(|Reverse((at, ..))| *at <= minute) {
            self.calendar.pop();
            self.now = at;
            match event {
                Event::Leaves { donor, for_ms } => self.leaves(donor, for_ms),
                Event::Returns { donor } => self.returns(donor),
                Event::Dies { donor } => self.dies(donor),
                Event::Joins => self.join()?,
                Event::Look { donor } => self.look(donor),
            }
        }
        self.now = minute;
        Ok(())
    }

    fn join(&mut self) -> Result<(), String> {
        let donor = u16::try_from(self.donors.len()).map_err(|_| "more donors join than 16 bits name".to_owned())?;
        let id = NodeId(donor.into());
        let capacity_bytes = self.capacity();
        let operator = self.rng.random_range(0..self.settings.donors.max(5) * 4 / 5);
        self.state.nodes.load(id, &row_of(id, operator, capacity_bytes), self.now);
        self.state.nodes.heard(id, false, self.now);
        let domain = self.state.nodes.get(id).map_or(0, |node| node.domain_number);
        self.known.push(Known { presence: self.state.nodes.presence(id), domain });
        self.donors.push(Donor::new(capacity_bytes, self.settings.churn.bedtime_ms(&mut self.rng)));
        self.layout.know(donor);
        self.measure(donor);
        let life_ms = self.settings.churn.life_ms(&mut self.rng);
        self.schedule(life_ms, Event::Dies { donor });
        self.plan_absence(donor);
        Ok(())
    }

    /// Between half and three halves of its share.
    fn capacity(&mut self) -> u64 {
        let settings = self.settings;
        let stored = f64::from(settings.segments) * settings.code.n() as f64 * footprint(settings.shard_bytes) as f64;
        let share = stored / f64::from(settings.donors) * settings.room;
        (share * self.rng.random_range(0.5..1.5)) as u64
    }

    fn plan_absence(&mut self, donor: u16) {
        let bedtime_ms = self.donors[usize::from(donor)].bedtime_ms;
        let absence = self.settings.churn.absence(self.now, bedtime_ms, &mut self.rng);
        self.schedule(absence.after_ms, Event::Leaves { donor, for_ms: absence.length_ms });
    }

    fn leaves(&mut self, donor: u16, for_ms: u64) {
        if !self.donors[usize::from(donor)].dead {
            self.falls_silent(donor);
            self.schedule(for_ms, Event::Returns { donor });
        }
    }

    /// Its last heartbeat was now. Its silence will be looked at when it may mean something.
    fn falls_silent(&mut self, donor: u16) {
        self.donors[usize::from(donor)].there = false;
        self.hear(donor);
        for silence_ms in [HEARTBEAT_MS * 3 / 2, HEARTBEAT_MS * 3, HEARTBEAT_MS * 3 + self.settings.repair_after_ms] {
            self.schedule(silence_ms, Event::Look { donor });
        }
    }

    fn returns(&mut self, donor: u16) {
        if !self.donors[usize::from(donor)].dead {
            self.donors[usize::from(donor)].there = true;
            self.hear(donor);
            self.plan_absence(donor);
        }
    }

    fn hear(&mut self, donor: u16) {
        if let Some(change) = self.state.nodes.heard(NodeId(donor.into()), false, self.now) {
            self.follow(donor, change);
        }
    }

    fn look(&mut self, donor: u16) {
        if !self.donors[usize::from(donor)].there
            && let Some(change) = self.state.nodes.look(NodeId(donor.into()), self.now)
        {
            self.follow(donor, change);
        }
    }

    /// What the coordinator does when a donor changes its state.
    fn follow(&mut self, donor: u16, change: Transition) {
        let (was, is) = (change.from.presence(), change.to.presence());
        self.known[usize::from(donor)].presence = is;
        match (was, is) {
            (Presence::Live, Presence::Away) => self.goes_away(donor),
            (Presence::Away, Presence::Gone) => self.is_given_up(donor),
            (Presence::Away | Presence::Gone, Presence::Live) => self.comes_back(donor),
            _ => {}
        }
    }

    fn goes_away(&mut self, donor: u16) {
        let Self { layout, queue, settings, .. } = self;
        let (k, urgent) = (settings.code.k(), settings.code.k() + usize::from(settings.emergency_margin));
        layout.away(donor, |segment, live| {
            if (k..=urgent).contains(&live) {
                queue.push(segment, live - k);
            }
        });
        self.tally.went_away += 1;
    }

    fn is_given_up(&mut self, donor: u16) {
        let held = self.layout.lost(donor, self.donors[usize::from(donor)].dead);
        held.into_iter().for_each(|segment| self.enqueue(segment));
        self.tally.given_up += 1;
    }

    /// Segments that were beyond mending may be mended again; its disk has room for what was rebuilt elsewhere.
    fn comes_back(&mut self, donor: u16) {
        let Self { layout, queue, settings, .. } = self;
        let k = settings.code.k();
        layout.back(donor, |segment, live| {
            if live == k {
                queue.push(segment, 0);
            }
        });
        self.measure(donor);
    }

    fn dies(&mut self, donor: u16) {
        let was_there = std::mem::take(&mut self.donors[usize::from(donor)].there);
        self.donors[usize::from(donor)].dead = true;
        let Self { layout, is_lost, tally, settings, .. } = self;
        layout.dead(donor, |segment, alive| {
            if alive < settings.code.k() && !std::mem::replace(&mut is_lost[segment as usize], true) {
                tally.lost += 1;
            }
        });
        if was_there {
            self.falls_silent(donor);
        } else if self.known[usize::from(donor)].presence == Presence::Gone {
            self.layout.lost(donor, true);
        }
        let vacancy_ms = self.settings.churn.vacancy_ms(&mut self.rng);
        self.schedule(vacancy_ms, Event::Joins);
    }

    /// What a heartbeat says of the disk.
    pub(super) fn measure(&mut self, donor: u16) {
        let (capacity, used) = (self.donors[usize::from(donor)].capacity_bytes, self.used(donor));
        if let Some(node) = self.state.nodes.get_mut(NodeId(donor.into())) {
            node.space.measured(capacity, used, capacity.saturating_sub(used));
        }
    }

    fn used(&self, donor: u16) -> u64 {
        self.layout.held(donor) as u64 * footprint(self.settings.shard_bytes)
    }

    pub(super) fn enqueue(&mut self, segment: u32) {
        let live = self.layout.live(segment);
        if let Some(spare) = live.checked_sub(self.settings.code.k()) {
            self.queue.push(segment, spare.min(self.settings.code.parity()));
        }
    }

    fn unreadable(&self) -> u64 {
        let below_k: u64 = self.layout.by_live()[..self.settings.code.k()].iter().sum();
        below_k.saturating_sub(self.tally.lost)
    }
}

/// What is told.
impl World<'_> {
    fn day(&mut self, number: u32) -> Day {
        let (k, n) = (self.settings.code.k(), self.settings.code.n());
        let tally = std::mem::take(&mut self.tally);
        self.tally.lost = tally.lost;
        let by_live = self.layout.by_live();
        Day {
            day: number,
            donors: self.donors.iter().skip(1).filter(|donor| !donor.dead).count(),
            donors_live: self.known.iter().filter(|known| known.presence == Presence::Live).count(),
            went_away: tally.went_away,
            given_up: tally.given_up,
            lost: tally.lost,
            unreadable: self.unreadable(),
            unreadable_minutes: tally.unreadable_minutes,
            by_spare: by_live[k..=n].to_vec(),
            queued: self.queue.len(),
            repaired_segments: tally.segments,
            urgent_segments: tally.urgent,
            repaired_shards: tally.shards,
            repair_bytes: tally.bytes,
            plan_ns: median(tally.timed_ns),
        }
    }

    pub(super) fn report(&mut self, days: Vec<Day>) -> Report {
        self.state.nodes.advance(self.now);
        let begun = Instant::now();
        let changes = self.state.nodes.advance(self.now + 1).len();
        let advance_us = begun.elapsed().as_secs_f64() * 1e6;
        tracing::debug!(changes, "timed");
        Report {
            title: self.settings.title(),
            donors: self.settings.donors,
            segments: self.settings.segments,
            wall_s: self.started.elapsed().as_secs_f64(),
            state_bytes: self.rss[0],
            filled_bytes: self.rss[1],
            layout_bytes: self.layout.bytes(),
            row_bytes: self.rules.row_bytes(),
            grant_ns: self.grant_ns,
            advance_us,
            days,
        }
    }
}
