//! What is to be feared of a donor, from its record.

use nodio_wire::api::{AuditCounts, StandingState};
use nodio_wire::{NodeId, UnixMs};

use super::super::liveness::Presence;
use super::super::node::Node;
use super::super::nodes::Nodes;
use super::NEW_DOMAIN;
use crate::limits::{AUDITS_BEFORE, FAILURES_BEFORE, LOSSES_PER_YEAR_BEFORE, NEWCOMERS_BEFORE, RATE_STEPS_MAX, YEAR_MS};

/// One donor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Risk {
    pub domain: u32,
    pub live: bool,
    /// Share of the time it is there.
    pub availability: f64,
    /// Probability that a shard it should hold isn't really there.
    pub hidden: f64,
    /// How often a year it would be lost for good, if it could be lost more than once.
    pub losses_per_year: f64,
}

/// Of every donor.
pub(super) fn all(nodes: &Nodes, now: UnixMs) -> Vec<(NodeId, Risk)> {
    let rate = newcomer_rate(nodes, now);
    let of = |node: &Node| Risk {
        domain: node.domain_number,
        live: node.presence() == Presence::Live,
        availability: node.record.availability(),
        hidden: hidden(&node.audits),
        losses_per_year: aged(rate, years_known(node, now)),
    };
    nodes.all().map(|node| (node.id, of(node))).collect()
}

/// The average of the live ones, each in a domain of its own.
pub(super) fn average<'a>(risks: impl Iterator<Item = &'a Risk>) -> Risk {
    let (mut sum, mut count) =
        (Risk { domain: NEW_DOMAIN, live: true, availability: 0.0, hidden: 0.0, losses_per_year: 0.0 }, 0.0);
    for risk in risks.filter(|risk| risk.live) {
        count += 1.0;
        sum.availability += risk.availability;
        sum.hidden += risk.hidden;
        sum.losses_per_year += risk.losses_per_year;
    }
    if count == 0.0 {
        return Risk {
            availability: 1.0,
            hidden: hidden(&AuditCounts::default()),
            losses_per_year: LOSSES_PER_YEAR_BEFORE,
            ..sum
        };
    }
    let mean = |total: f64| total / count;
    Risk { availability: mean(sum.availability), hidden: mean(sum.hidden), losses_per_year: mean(sum.losses_per_year), ..sum }
}

/// The share of audits it would fail: its own count, and a little of what donors in general would have to show.
pub(super) fn hidden(audits: &AuditCounts) -> f64 {
    let (passed, failed) = (audits.passed as f64, audits.failed as f64);
    (FAILURES_BEFORE + failed) / (AUDITS_BEFORE + passed + failed)
}

/// The rate of a donor known for so long, when newcomers are lost at `newcomers` a year: who has stayed long stays on (Lomax).
pub(super) fn aged(newcomers: f64, years: f64) -> f64 {
    newcomers / (1.0 + newcomers * years)
}

/// How many newcomers a year are lost, so that the donors lost so far are as many as were to be expected of the time all were known.
fn newcomer_rate(nodes: &Nodes, now: UnixMs) -> f64 {
    let years: Vec<f64> = nodes.all().map(|node| years_known(node, now)).collect();
    rate(&years, nodes.all().filter(|node| is_lost(node)).count() as f64)
}

/// Solves `expected losses = losses` for the rate, by Newton's method: the expectation is concave in the rate, so that the steps come
/// from below and never overshoot.
pub(super) fn rate(years: &[f64], losses: f64) -> f64 {
    let all = || years.iter().map(|years| (1.0, *years)).chain([(NEWCOMERS_BEFORE, 1.0)]);
    let losses = losses + NEWCOMERS_BEFORE * LOSSES_PER_YEAR_BEFORE.ln_1p();
    let mut rate = 0.0;
    for _ in 0..RATE_STEPS_MAX {
        let expected: f64 = all().map(|(weight, years)| weight * (rate * years).ln_1p()).sum();
        let slope: f64 = all().map(|(weight, years)| weight * years / (1.0 + rate * years)).sum();
        rate += (losses - expected) / slope;
    }
    rate
}

/// How long it has been watched: until it went away for good, or left.
fn years_known(node: &Node, now: UnixMs) -> f64 {
    let until = match node.standing.state {
        StandingState::Released | StandingState::Refused => node.standing.since,
        _ if is_lost(node) => node.away_since.unwrap_or(now),
        _ => now,
    };
    until.min(now).saturating_sub(node.joined) as f64 / YEAR_MS as f64
}

/// One that left in good order, or that was sent away, is no loss.
fn is_lost(node: &Node) -> bool {
    let sent_away = matches!(node.standing.state, StandingState::Released | StandingState::Refused);
    !sent_away && node.presence() == Presence::Gone
}
