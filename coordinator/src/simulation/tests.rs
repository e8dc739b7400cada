//! A small network through a month.

use super::*;

/// 200 donors, 5,000 segments, 30 days.
fn small() -> Settings {
    Settings { donors: 200, segments: 5000, days: 30, ..Settings::default() }
}

fn live(settings: &Settings) -> Report {
    run(settings, |_| ()).expect("it can be simulated")
}

/// What doesn't depend on how fast the machine is.
fn outcome(report: &Report) -> Vec<Day> {
    report.days.iter().map(|day| Day { plan_ns: 0, ..day.clone() }).collect()
}

#[test]
fn the_same_seed_gives_the_same_year() {
    let (once, again) = (live(&small()), live(&small()));
    assert_eq!(outcome(&once), outcome(&again));
    assert_ne!(outcome(&once), outcome(&live(&Settings { seed: 2, ..small() })));
}

#[test]
fn a_network_that_mends_stays_whole() {
    let settings = Settings { code: Code::new(4, 8).expect("a code"), ..small() };
    let report = live(&settings);
    for day in &report.days {
        assert_eq!(day.by_spare.iter().sum::<u64>() + day.unreadable + day.lost, 5000, "each segment is counted once: {day:?}");
        assert!(day.donors.abs_diff(200) <= 10 && day.donors_live > 180, "{day:?}");
    }
    let sum = report.summary();
    assert_eq!((sum.lost, sum.queued_max), (0, 0), "{sum:?}");
    let given_up_shards = sum.given_up as f64 * 5000.0 * 8.0 / 200.0;
    let share = sum.repaired_shards as f64 / given_up_shards;
    assert!((0.8..1.3).contains(&share), "about what the given up donors held is rebuilt: {share}");
}

#[test]
fn a_network_that_does_not_mend_wastes_away() {
    let churn = Churn { life_days: 60.0, ..Churn::default() };
    let idle = live(&Settings { repair_mbit: 0.0, churn: churn.clone(), ..small() });
    let busy = live(&Settings { churn, ..small() });
    assert_eq!(idle.summary().repaired_shards, 0);
    assert!(idle.summary().lost > 500, "{}", idle.summary().lost);
    assert!(busy.summary().lost < 10, "{}", busy.summary().lost);
}

#[test]
fn where_bandwidth_is_scarce_danger_first_loses_less() {
    let churn = Churn { life_days: 60.0, short_per_day: 0.0, long_every_days: 1e6, ..Churn::default() };
    let scarce = Settings { repair_mbit: 0.003, code: Code::new(4, 8).expect("a code"), churn, days: 60, ..small() };
    let by_danger = live(&scarce).summary();
    let by_arrival = live(&Settings { order: Order::Arrival, ..scarce }).summary();
    assert!(by_danger.lost * 4 < by_arrival.lost, "{} against {}", by_danger.lost, by_arrival.lost);
}

#[test]
fn what_can_not_be_simulated_is_refused() {
    let refused = run(&Settings { donors: 3, ..small() }, |_| ()).expect_err("too few donors for 4/6");
    assert!(refused.contains("donors"), "{refused}");
}

#[test]
fn the_plot_has_a_line_for_each_series() {
    let report = live(&Settings { days: 3, ..small() });
    let svg = plot(&report.summary(), &report.days);
    assert_eq!(svg.matches("stroke-width").count(), 3 + 2 + 3);
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}
