//! The page that explains the model says what the code computes.

use std::fmt::Write;
use std::time::Instant;

use nodio_wire::api::AuditCounts;

use super::tests::{TIMING, code};
use super::*;
use crate::limits::{AUDITS_BEFORE, FAILURES_BEFORE, LOSSES_PER_YEAR_BEFORE, NEWCOMERS_BEFORE, PACE_BYTES_PER_S_BEFORE};

/// What a donor of the page is like: how long it is known, how many audits it passed, without one that failed.
#[derive(Clone, Copy)]
struct Known {
    years: f64,
    audits: u64,
}

const NEWCOMER: Known = Known { years: 0.0, audits: 0 };
const A_YEAR: Known = Known { years: 1.0, audits: 4000 };
const FIVE_YEARS: Known = Known { years: 5.0, audits: 20_000 };

/// Donors with 100 GB each, there nine tenths of the time; the first `together` of them share a domain.
fn network(known: Known, donors: u32, together: u32) -> (Vec<(NodeId, Risk)>, Windows) {
    let audits = AuditCounts { passed: known.audits, ..AuditCounts::default() };
    let risk = |number: u32| Risk {
        domain: if number <= together { 0 } else { number },
        live: true,
        availability: 0.9,
        hidden: risk::hidden(&audits),
        losses_per_year: risk::aged(LOSSES_PER_YEAR_BEFORE, known.years),
    };
    let risks: Vec<(NodeId, Risk)> = (1..=donors).map(|number| (NodeId(number), risk(number))).collect();
    let windows = Windows::of(&TIMING, &Pace::default(), u64::from(donors) * 100_000_000_000, risks.iter().map(|(_, risk)| risk));
    (risks, windows)
}

fn of_network((risks, windows): (Vec<(NodeId, Risk)>, Windows), code: Code, live: u8) -> Prospect {
    Outlook::new(&risks, windows).assess(code, (0..live).zip((1..).map(NodeId)))
}

fn tables() -> String {
    let mut text =
        String::from("| code | space | newcomers | known for a year | known for five years |\n|---|---|---|---|---|\n");
    for (k, n) in [(4, 6), (4, 8), (10, 16), (1, 3)] {
        let of = |known| {
            let prospect = of_network(network(known, 100, 0), code(k, n), n);
            format!("{:.1e} / {:.1e}", prospect.unreadable_now, prospect.lost_per_year)
        };
        let space = f64::from(n) / f64::from(k);
        writeln!(text, "| {k}/{n} | {space:.1} | {} | {} | {} |", of(NEWCOMER), of(A_YEAR), of(FIVE_YEARS)).expect("a string");
    }
    text +=
        "\n| code | donors | live shards | unreadable now | lost per year | with one donor more | with one parity shard more |\n";
    text += "|---|---|---|---|---|---|---|\n";
    for (k, n, donors, live, together) in [
        (4, 6, 100, 6, 0),
        (4, 6, 100, 5, 0),
        (4, 6, 100, 4, 0),
        (4, 6, 100, 3, 0),
        (4, 6, 5, 5, 0),
        (4, 6, 6, 6, 2),
        (4, 6, 6, 6, 3),
        (4, 8, 100, 6, 0),
    ] {
        let of = of_network(network(A_YEAR, donors, together), code(k, n), live);
        let figures = [of.unreadable_now, of.lost_per_year, of.next_donor, of.next_parity].map(|figure| format!("{figure:.1e}"));
        let clumped = if together > 0 { format!(", {together} in one domain") } else { String::new() };
        writeln!(text, "| {k}/{n} | {donors} | {live}{clumped} | {} |", figures.join(" | ")).expect("a string");
    }
    text
}

#[test]
fn the_tables_of_the_page_are_what_the_code_computes() {
    let page = include_str!("../../../../docs/DURABILITY.md");
    let (_, rest) = page.split_once("<!-- tables -->\n").expect("the tables begin");
    let (shown, _) = rest.split_once("<!-- end -->").expect("and end");
    let parts: Vec<&str> = shown.split("\n\n").filter(|part| part.starts_with('|')).map(str::trim_end).collect();
    assert_eq!(parts.join("\n\n"), tables().trim_end(), "docs/DURABILITY.md must show:\n{}", tables());
}

#[test]
fn the_page_names_every_parameter_with_its_value() {
    let page = include_str!("../../../../docs/DURABILITY.md");
    let (_, windows) = network(A_YEAR, 100, 0);
    let rows = [
        format!("| `LOSSES_PER_YEAR_BEFORE` | {LOSSES_PER_YEAR_BEFORE} |"),
        format!("| `NEWCOMERS_BEFORE` | {} |", NEWCOMERS_BEFORE),
        format!("| `FAILURES_BEFORE` / `AUDITS_BEFORE` | {} / {} |", FAILURES_BEFORE, AUDITS_BEFORE),
        format!("| `DAMAGE_DRAWS_PER_YEAR` | {DAMAGE_DRAWS_PER_YEAR:.1} |"),
        format!("| `SHOCKS_PER_YEAR` | {SHOCKS_PER_YEAR} |"),
        format!("| `SHOCK_LOSS_SHARE` | {SHOCK_LOSS_SHARE} |"),
        format!("| `PACE_BYTES_PER_S_BEFORE` | {} KiB/s |", PACE_BYTES_PER_S_BEFORE / 1024.0),
        format!("a window of {:.1} hours", windows.now * 365.0 * 24.0),
    ];
    for row in rows {
        assert!(page.contains(&row), "docs/DURABILITY.md must say: {row}");
    }
}

/// Not a test of speed: what it prints is what docs/DURABILITY.md tells.
#[test]
fn what_one_segment_costs() {
    let (risks, windows) = network(A_YEAR, 100, 0);
    let outlook = Outlook::new(&risks, windows);
    for (k, n) in [(1, 3), (4, 6), (4, 8), (10, 16), (20, 32), (64, 96)] {
        const ROUNDS: u32 = 2000;
        let began = Instant::now();
        let mut sum = 0.0;
        for round in 0..ROUNDS {
            let placed = (0..n).map(|at| (at, NodeId(1 + (u32::from(at) * 7 + round) % 100)));
            sum += outlook.assess(code(k, n), placed).lost_per_year;
        }
        assert!(sum > 0.0);
        println!("{k}/{n}: {} ns a segment", began.elapsed().as_nanos() / u128::from(ROUNDS));
    }
}
