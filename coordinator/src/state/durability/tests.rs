//! The model against its specification: enumeration, closed forms, a simulation.

use nodio_wire::api::AuditCounts;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::odds::{Position, fewer_than};
use super::*;
use crate::limits::LOSSES_PER_YEAR_BEFORE;

pub(super) const TIMING: Timing = Timing { heartbeat_ms: 30_000, repair_after_ms: 6 * 60 * 60 * 1000 };
const DAY: f64 = 1.0 / 365.0;

pub(super) fn code(k: u8, n: u8) -> Code {
    Code::new(k, n).expect("a code")
}

fn position(domain: u32, hidden: f64, lost: f64) -> Position {
    Position { domain, hidden, lost, lost_next: lost, losses_per_year: 0.0 }
}

fn lost_of(domain: &[Position]) -> f64 {
    worst(domain, false).value
}

/// Every combination of lost domains and missing shards.
fn enumerated(k: usize, shards: &[Position]) -> f64 {
    let domains: Vec<&[Position]> = shards.chunk_by(Position::together).collect();
    let mut total = 0.0;
    for lost in 0..1u32 << domains.len() {
        for missing in 0..1u32 << shards.len() {
            let (mut chance, mut left, mut at) = (1.0, 0, 0);
            for (number, domain) in domains.iter().enumerate() {
                let is_lost = lost >> number & 1 == 1;
                chance *= if is_lost { lost_of(domain) } else { 1.0 - lost_of(domain) };
                for shard in *domain {
                    let is_missing = missing >> at & 1 == 1;
                    chance *= if is_missing { shard.hidden } else { 1.0 - shard.hidden };
                    left += usize::from(!is_lost && !is_missing);
                    at += 1;
                }
            }
            total += if left < k { chance } else { 0.0 };
        }
    }
    total
}

fn binomial(n: usize, j: usize) -> f64 {
    (0..j).map(|i| (n - i) as f64 / (i + 1) as f64).product()
}

fn close(a: f64, b: f64, relative: f64) -> bool {
    (a - b).abs() <= relative * a.abs().max(b.abs())
}

fn chance() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), 0.0..1.0, (-9.0..0.0f64).prop_map(|exponent| 10f64.powf(exponent)), Just(1.0)]
}

fn donor() -> impl Strategy<Value = Risk> {
    (0u32..10, 0.0..0.05, 0.05..1.0f64, 0.1..=1.0f64).prop_map(|(domain, hidden, losses_per_year, availability)| Risk {
        domain,
        live: true,
        availability,
        hidden,
        losses_per_year,
    })
}

fn outlook(risks: &[Risk], window: f64) -> Outlook {
    let numbered: Vec<(NodeId, Risk)> = (1..).map(NodeId).zip(risks.iter().copied()).collect();
    Outlook::new(&numbered, Windows { now: window, next: window * 0.9 })
}

fn all_of(risks: &[Risk]) -> impl Iterator<Item = (u8, NodeId)> {
    (0u8..).zip((1..=risks.len() as u32).map(NodeId))
}

fn prospect(k: usize, risks: &[Risk], window: f64) -> Prospect {
    outlook(risks, window).assess(code(k as u8, risks.len() as u8), all_of(risks))
}

proptest! {
    #[test]
    fn it_agrees_with_enumeration(shards in prop::collection::vec((0u32..5, chance(), chance()), 1..7), k in 1usize..8) {
        let mut shards: Vec<Position> = shards.into_iter().map(|(domain, hidden, lost)| position(domain, hidden, lost)).collect();
        shards.sort_by_key(|shard| shard.domain);
        let (got, want) = (fewer_than(k, &shards, lost_of), enumerated(k, &shards));
        prop_assert!(close(got, want, 1e-12), "{got} is not {want}");
    }

    #[test]
    fn equal_donors_follow_the_binomial_law_far_into_the_tail(n in 1usize..=128, more: prop::sample::Index, exponent in -9.0..-0.3f64, hidden: bool) {
        let k = 1 + more.index(n);
        let p = 10f64.powf(exponent);
        let (hide, lose) = if hidden { (p, 0.0) } else { (0.0, p) };
        let shards: Vec<Position> = (0..n as u32).map(|domain| position(domain, hide, lose)).collect();
        let want: f64 = (n - k + 1..=n).map(|j| binomial(n, j) * p.powi(j as i32) * (1.0 - p).powi((n - j) as i32)).sum();
        let got = fewer_than(k, &shards, lost_of);
        prop_assert!(close(got, want, 1e-10) || want < 1e-200, "{got:e} is not {want:e}");
    }

    /// Within what donors are like: lost less than once a year, damaged in less than 5 % of their shards, in a domain with others like them.
    #[test]
    fn whatever_gets_worse_makes_it_worse(
        donors in prop::collection::vec(donor(), 1..12), rates in prop::collection::vec(0.05..1.0f64, 10), spare in 0usize..6, which: prop::sample::Index, more in 1.0..1.5f64, days in 0.1..7.0f64,
    ) {
        let like_neighbours = |donor: &Risk| Risk { losses_per_year: rates[donor.domain as usize], ..*donor };
        let donors: Vec<Risk> = donors.iter().map(like_neighbours).collect();
        let k = donors.len().saturating_sub(spare).max(1);
        let before = prospect(k, &donors, days * DAY);
        let worsened = |change: &dyn Fn(&mut Risk)| {
            let mut donors = donors.clone();
            change(&mut donors[which.index(before.live)]);
            prospect(k, &donors, days * DAY)
        };
        let at_least = |worse: Prospect, slack: f64| {
            worse.lost_per_year >= before.lost_per_year * (1.0 - slack) && worse.unreadable_now >= before.unreadable_now * (1.0 - slack)
        };
        prop_assert!(at_least(worsened(&|donor| donor.hidden *= more), 1e-9), "hidden");
        prop_assert!(at_least(worsened(&|donor| donor.losses_per_year *= more), 1e-9), "losses");
        prop_assert!(at_least(worsened(&|donor| donor.live = false), 1e-9), "live");
        // What still stands at the end of a longer window is a little likelier to be free of hidden damage: by less than its 5 % times
        // the 3 % that are lost within the longest window, for each donor that matters.
        prop_assert!(at_least(prospect(k, &donors, days * more * DAY), 1e-2), "window");
        prop_assert!(before.next_donor <= before.lost_per_year && before.next_parity <= before.lost_per_year);
        for figure in [before.unreadable_now, before.lost_per_year, before.next_donor, before.next_parity] {
            prop_assert!((0.0..=1.0).contains(&figure), "{figure}");
        }
    }

    #[test]
    fn donors_that_are_seldom_there_mend_slowly(availability in 0.02..0.9f64) {
        let at = |availability| {
            let risk = Risk { domain: 0, live: true, availability, hidden: 0.0, losses_per_year: 1.0 };
            Windows::of(&TIMING, &Pace::default(), 1 << 40, [risk; 20].iter())
        };
        let (seldom, often) = (at(availability), at(availability * 1.1));
        prop_assert!(seldom.now > often.now && seldom.next < seldom.now);
    }
}

#[test]
fn the_slope_is_that_of_the_window() {
    let at = |days: f64| {
        let windows = Windows { now: days * DAY, next: days * DAY };
        let risk =
            |domain: u32| Risk { domain, live: true, availability: 1.0, hidden: 0.01, losses_per_year: 0.5 + f64::from(domain) };
        let shards = [0, 1, 1, 2, 3, 4].map(|domain| position_of(&risk(domain), &windows));
        fewer_than(4, &shards, |domain| worst(domain, false))
    };
    for days in [0.25, 1.0, 30.0] {
        let step = days * 1e-4;
        let difference = (at(days + step).value - at(days - step).value) / (2.0 * step * DAY);
        assert!(close(at(days).slope, difference, 1e-6), "{} is not {difference}", at(days).slope);
    }
}

#[test]
fn more_than_enough_losses_are_certain_and_too_few_are_impossible() {
    let sure = [position(0, 0.0, 1.0), position(1, 0.0, 1.0), position(2, 0.0, 0.0)];
    assert_eq!((fewer_than(2, &sure, lost_of), fewer_than(1, &sure, lost_of)), (1.0, 0.0));
    assert_eq!(fewer_than(4, &sure, |_| 0.0), 1.0, "there never were four");
    let gone = Prospect { live: 0, unreadable_now: 1.0, lost_per_year: 1.0, next_donor: 1.0, next_parity: 1.0 };
    assert_eq!(outlook(&[], DAY).assess(code(2, 3), std::iter::empty()), gone);
}

#[test]
fn a_domain_is_lost_as_a_whole_and_the_next_donor_takes_shards_apart() {
    let risk = |domain| Risk { domain, live: true, availability: 1.0, hidden: 0.0, losses_per_year: 1.0 };
    let apart = [0, 1, 2, 3, 4, 5].map(risk);
    let clumped = [0, 0, 0, 3, 4, 5].map(risk);
    let (apart, clumped) = (prospect(4, &apart, DAY), prospect(4, &clumped, DAY));
    assert!(clumped.lost_per_year > 100.0 * apart.lost_per_year, "{clumped:?} {apart:?}");
    assert!(clumped.lost_per_year > 0.5, "one loss takes three shards: {clumped:?}");
    assert!(clumped.next_donor < clumped.lost_per_year / 20.0, "then one loss takes two: {clumped:?}");
}

#[test]
fn a_position_with_two_holders_counts_once_and_as_the_steadier_of_them() {
    let risk = |domain, losses_per_year| Risk { domain, live: true, availability: 1.0, hidden: 0.0, losses_per_year };
    let donors = [risk(0, 1.0), risk(1, 1.0), risk(2, 0.1)];
    let outlook = outlook(&donors, DAY);
    let at = |placed: &[(u8, u32)]| outlook.assess(code(1, 2), placed.iter().map(|(at, node)| (*at, NodeId(*node))));
    let (doubled, plain) = (at(&[(0, 1), (1, 2), (1, 3)]), at(&[(0, 1), (1, 3)]));
    assert_eq!(doubled, plain);
    assert!(doubled.lost_per_year < at(&[(0, 1), (1, 2)]).lost_per_year);
    assert_eq!(at(&[(0, 1), (1, 77)]).live, 1, "a donor nobody knows");
}

/// Donors lost at a rate, their shards back after a fixed time: how often does a segment fall below `k` within a year?
fn simulated(k: usize, n: usize, rate: f64, window: f64, years: u32) -> f64 {
    let mut rng = StdRng::seed_from_u64(5);
    let mut wait = || -(1.0 - rng.random::<f64>()).ln() / rate;
    let mut lost = 0;
    for _ in 0..years {
        let mut next: Vec<f64> = (0..n).map(|_| wait()).collect();
        let mut back = vec![0.0; n];
        lost += loop {
            let at = (0..n).min_by(|a, b| next[*a].total_cmp(&next[*b])).expect("donors");
            let now = next[at];
            if now > 1.0 {
                break 0;
            }
            back[at] = now + window;
            next[at] = now + window + wait();
            if back.iter().filter(|back| **back <= now).count() < k {
                break 1;
            }
        };
    }
    f64::from(lost) / f64::from(years)
}

#[test]
fn a_simulation_loses_as_many_segments_as_the_model_says() {
    for (k, n, rate, window) in [(1, 2, 1.0, 0.02), (2, 4, 2.0, 0.02), (4, 6, 1.0, 0.03), (1, 3, 3.0, 0.02)] {
        let risk = |domain| Risk { domain, live: true, availability: 1.0, hidden: 0.0, losses_per_year: rate };
        let risks: Vec<Risk> = (0..n).map(risk).collect();
        let (model, seen) = (prospect(k, &risks, window).lost_per_year, simulated(k, n as usize, rate, window, 200_000));
        assert!(close(model, seen, 0.1), "{k}/{n}: {model} by the model, {seen} seen");
    }
}

#[test]
fn a_donors_word_is_weighed_with_what_is_known_of_donors() {
    let audited = |passed, failed| risk::hidden(&AuditCounts { passed, failed, offline: 0 });
    assert!(close(audited(0, 0), 1e-3, 1e-9), "a stranger");
    assert!(audited(10_000, 0) < 1e-4 && audited(100, 10) > 0.01);
    assert!(close(risk::aged(1.0, 1.0), 0.5, 1e-12) && close(risk::aged(2.0, 4.5), 0.2, 1e-12));
}

#[test]
fn the_rate_of_losses_is_measured() {
    assert!(close(risk::rate(&[], 0.0), LOSSES_PER_YEAR_BEFORE, 1e-9), "nothing seen");
    let watched = vec![2.0; 1000];
    let expected = |rate: f64| 1000.0 * (2.0 * rate).ln_1p();
    for rate in [0.05, 0.3, 1.0, 5.0] {
        assert!(close(risk::rate(&watched, expected(rate)), rate, 0.05), "{rate}");
    }
    let hour = 1.0 / 24.0 / 365.0;
    let massacre = risk::rate(&[hour; 12], 12.0);
    assert!(massacre > 10.0 && massacre.is_finite(), "{massacre}");
}
