//! How safe segments are, from what is known of the donors that hold them. The model, its assumptions and worked numbers are in
//! `docs/DURABILITY.md`; the tests here hold that page to this code.
//!
//! ```text
//!   every donor: record, age, domain ─► risk ─┐
//!   time to repair, pace of rebuilding ───────┴─► Outlook ─(one segment's donors)─► odds ─► Prospect ─► Tally
//! ```
//! Promises: probabilities are sums of positive terms, so that they hold down to 1e-18 and below; a shard more never makes a segment
//! look worse; assessing a segment allocates nothing.

mod odds;
mod pace;
#[cfg(test)]
mod page;
mod risk;
mod tally;
#[cfg(test)]
mod tests;

use nodio_wire::limits::CODE_N_MAX;
use nodio_wire::{Code, NodeId, UnixMs};

use super::liveness::{Presence, Timing};
use super::node::Node;
use super::nodes::Nodes;
use crate::limits::{AVAILABILITY_MIN, DAMAGE_DRAWS_PER_YEAR, SHOCK_LOSS_SHARE, SHOCKS_PER_YEAR, YEAR_MS};
use odds::{Growing, Position, fewer_than};
pub(crate) use pace::{Pace, Sample};
pub(crate) use risk::Risk;
pub(crate) use tally::{Held, Tally};

/// The domain of a donor that isn't there yet: no known one has this number.
const NEW_DOMAIN: u32 = u32::MAX;
/// The shards of the widest code, and one more.
const POSITIONS_MAX: usize = CODE_N_MAX as usize + 1;

/// What is to be expected of one segment, each a probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Prospect {
    /// Positions that a live donor is named for.
    pub live: usize,
    pub unreadable_now: f64,
    pub lost_per_year: f64,
    pub next_donor: f64,
    pub next_parity: f64,
}

/// How long a shard stays missing, years: from its donor's last heartbeat to its being rebuilt elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Windows {
    /// As the network is, and with one donor more.
    pub now: f64,
    pub next: f64,
}

/// The network as the meter sees it at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Outlook {
    /// By donor number; only live ones.
    live: Vec<Option<Position>>,
    /// A donor as they are on average, in a domain of its own.
    average: Position,
    donors: usize,
}

impl Outlook {
    /// From every known donor. `pace` is how fast they rebuild.
    pub(crate) fn of(nodes: &Nodes, timing: &Timing, pace: &Pace, now: UnixMs) -> Self {
        let risks = risk::all(nodes, now);
        let live = || risks.iter().map(|(_, risk)| risk).filter(|risk| risk.live);
        let used: u64 = nodes.all().filter(|node| is_live(node)).map(|node| node.space.used).sum();
        let windows = Windows::of(timing, pace, used, live());
        Self::new(&risks, windows)
    }

    pub(crate) fn new(risks: &[(NodeId, Risk)], windows: Windows) -> Self {
        let top = risks.iter().map(|(id, _)| id.0 as usize + 1).max().unwrap_or(0);
        let mut live = vec![None; top];
        for (id, risk) in risks.iter().filter(|(_, risk)| risk.live) {
            live[id.0 as usize] = Some(position_of(risk, &windows));
        }
        let average = position_of(&risk::average(risks.iter().map(|(_, risk)| risk)), &windows);
        Self { donors: live.iter().flatten().count(), live, average }
    }

    /// One segment, by the position and the donor of each shard that the map names. A position with several live holders counts as held
    /// by the steadiest of them alone.
    pub(crate) fn assess(&self, code: Code, placed: impl Iterator<Item = (u8, NodeId)>) -> Prospect {
        let mut held = Shards::of(&self.held(code, placed));
        let live = held.len;
        held.in_use().sort_unstable_by_key(|position| position.domain);
        let with = |shards: &mut Shards, next: bool| self.lost_per_year(code.k(), shards.in_use(), next);
        let lost_per_year = with(&mut held, false);
        let next_donor = with(&mut self.with_next_donor(code, &held), true).min(lost_per_year);
        let next_parity = with(&mut held.with(self.average), false).min(lost_per_year);
        let unreadable_now = fewer_than(code.k(), held.in_use(), |_| 0.0).min(1.0);
        Prospect { live, unreadable_now, lost_per_year, next_donor, next_parity }
    }

    fn held(&self, code: Code, placed: impl Iterator<Item = (u8, NodeId)>) -> [Option<Position>; POSITIONS_MAX] {
        let mut held = [None; POSITIONS_MAX];
        for (at, node) in placed.filter(|(at, _)| usize::from(*at) < code.n()) {
            let Some(donor) = self.live.get(node.0 as usize).copied().flatten() else { continue };
            let place = &mut held[usize::from(at)];
            if place.is_none_or(|other: Position| donor.steadier_than(&other)) {
                *place = Some(donor);
            }
        }
        held
    }

    /// A newcomer takes a shard that none could be found for, or one of a domain that has several.
    fn with_next_donor(&self, code: Code, held: &Shards) -> Shards {
        if held.len < code.n() && self.donors < code.n() { held.with(self.average) } else { held.declumped(self.average) }
    }

    /// Probability that the segment is lost for good within a year, were its live shards these (sorted by domain).
    fn lost_per_year(&self, k: usize, live: &[Position], next: bool) -> f64 {
        let damaged: f64 = fewer_than(k, live, |_| 0.0);
        let in_window = fewer_than(k, live, |domain| worst(domain, next));
        if damaged >= 1.0 || in_window.value >= 1.0 {
            return 1.0;
        }
        let hazard = in_window.slope.max(0.0) / (1.0 - in_window.value);
        let in_shock = (fewer_than(k, live, |_| SHOCK_LOSS_SHARE) - damaged).max(0.0) / (1.0 - damaged);
        let survival_ln = DAMAGE_DRAWS_PER_YEAR * (-damaged).ln_1p() - hazard - SHOCKS_PER_YEAR * in_shock;
        -survival_ln.exp_m1()
    }
}

impl Windows {
    /// Detection, patience, and the time in which all donors together rebuild what one of them holds.
    pub(crate) fn of<'a>(timing: &Timing, pace: &Pace, used_bytes: u64, live: impl Iterator<Item = &'a Risk>) -> Self {
        let (donors, there) = live.fold((0.0, 0.0), |(count, there), risk| (count + 1.0, there + risk.availability));
        let availability = if donors > 0.0 { f64::max(there / donors, AVAILABILITY_MIN) } else { 1.0 };
        let waiting_ms = timing.heartbeat_ms.saturating_mul(3).saturating_add(timing.repair_after_ms) as f64;
        let rebuild_ms = |donors: f64| {
            let bytes_per_s = pace.bytes_per_s_of_a_donor() * availability * donors;
            used_bytes as f64 / donors / bytes_per_s * 1000.0
        };
        let years = |donors: f64| (waiting_ms + rebuild_ms(donors.max(1.0))) / YEAR_MS as f64;
        Self { now: years(donors), next: years(donors + 1.0) }
    }
}

/// Live shards of one segment.
#[derive(Debug, Clone)]
struct Shards {
    positions: [Position; POSITIONS_MAX],
    len: usize,
}

impl Shards {
    fn of(held: &[Option<Position>; POSITIONS_MAX]) -> Self {
        let mut shards = Self { positions: [Position::default(); POSITIONS_MAX], len: 0 };
        for position in held.iter().flatten() {
            shards.positions[shards.len] = *position;
            shards.len += 1;
        }
        shards
    }

    fn in_use(&mut self) -> &mut [Position] {
        &mut self.positions[..self.len]
    }

    /// With one more, in a domain of its own.
    fn with(&self, more: Position) -> Self {
        let mut shards = self.clone();
        if let Some(place) = shards.positions.get_mut(self.len) {
            *place = Position { domain: NEW_DOMAIN, ..more };
            shards.len += 1;
        }
        shards
    }

    /// With one shard of the fullest domain moved to a domain of its own, if any domain holds two. Sorted by domain, before and after.
    fn declumped(&self, to: Position) -> Self {
        let domains = self.positions[..self.len].chunk_by(Position::together);
        let fullest = domains.max_by_key(|domain| domain.len()).filter(|domain| domain.len() > 1);
        let Some(domain) = fullest.map(|domain| domain[0].domain) else { return self.clone() };
        let mut shards = self.clone();
        if let Some(moved) = shards.in_use().iter_mut().find(|position| position.domain == domain) {
            *moved = Position { domain: NEW_DOMAIN, ..to };
        }
        shards.in_use().sort_unstable_by_key(|position| position.domain);
        shards
    }
}

/// A domain is lost when its worst donor would be: what takes one takes all.
fn worst(domain: &[Position], next: bool) -> Growing {
    let lost_of = |position: &Position| if next { position.lost_next } else { position.lost };
    let (lost, rate) = domain
        .iter()
        .fold((0.0, 0.0), |(lost, rate), position| (f64::max(lost, lost_of(position)), f64::max(rate, position.losses_per_year)));
    Growing { value: lost, slope: rate * (1.0 - lost) }
}

fn position_of(risk: &Risk, windows: &Windows) -> Position {
    let lost = |years: f64| -(-risk.losses_per_year * years).exp_m1();
    Position {
        domain: risk.domain,
        hidden: risk.hidden,
        losses_per_year: risk.losses_per_year,
        lost: lost(windows.now),
        lost_next: lost(windows.next),
    }
}

fn is_live(node: &Node) -> bool {
    node.presence() == Presence::Live
}
