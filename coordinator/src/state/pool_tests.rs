//! The plain version, which looks at every donor for every shard, is the specification: the pool must be as legal and as fair.

use super::super::nodes::tests::up;
use super::super::placement::plain;
use super::*;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::HashSet;

/// Weighed and judged as it is now.
fn pool_of(donors: &[Candidate]) -> Pool {
    let mut pool = Pool::default();
    donors.iter().for_each(|one| pool.touch(one.node));
    pool.refresh(|id| donors.iter().find(|one| one.node == id).copied());
    pool
}

fn donors() -> impl Strategy<Value = Vec<Candidate>> {
    prop::collection::vec((0u32..12, 0u64..5000, 0u64..3), 0..30).prop_map(|donors| {
        let numbered = (1u32..).zip(donors);
        numbered
            .map(|(id, (domain, available, pending))| Candidate { node: NodeId(id), domain, available, pending: pending * 100 })
            .collect()
    })
}

proptest! {
    #[test]
    fn picks_are_distinct_have_room_and_fail_only_for_want_of_domains(
        donors in donors(), seed: u64, bytes in 1u64..2000, segments in 1usize..8, quorum in 1usize..6, more in 0usize..4,
        taken in prop::collection::vec(0u32..12, 0..4),
    ) {
        let ask = Ask { bytes, segments, quorum, donors: quorum + more, taken: taken.clone() };
        let by_id: HashMap<NodeId, Candidate> = donors.iter().map(|one| (one.node, *one)).collect();
        let fits = |one: &&Candidate| one.available >= bytes && !taken.contains(&one.domain);
        let roomy: HashSet<u32> = donors.iter().filter(fits).map(|one| one.domain).collect();
        match pool_of(&donors).plan(&ask, &mut StdRng::seed_from_u64(seed)) {
            Ok(planned) => {
                prop_assert_eq!(planned.len(), segments);
                let mut filled: HashMap<NodeId, u64> = HashMap::new();
                for chosen in &planned {
                    prop_assert!(chosen.len() >= quorum && chosen.len() <= ask.donors);
                    let domains: HashSet<u32> = chosen.iter().map(|id| by_id[id].domain).collect();
                    prop_assert_eq!(domains.len(), chosen.len(), "two in one domain");
                    prop_assert!(domains.iter().all(|domain| !taken.contains(domain)), "in one that is taken");
                    chosen.iter().for_each(|id| *filled.entry(*id).or_default() += bytes);
                }
                prop_assert_eq!(planned[0].len(), ask.donors.min(roomy.len()), "a domain with room was left out");
                for (id, bytes) in filled {
                    prop_assert!(bytes <= by_id[&id].available, "overfilled");
                }
            }
            Err(FleetError::NotEnoughDonors { need, have }) => {
                prop_assert_eq!(need, quorum);
                prop_assert!(have < quorum);
                prop_assert!(segments > 1 || roomy.len() < quorum, "refused although there was room");
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn a_receiver_is_found_exactly_where_the_plain_version_finds_one(
        donors in donors(), seed: u64, bytes in 1u64..5000, not in prop::collection::vec(1u32..30, 0..20),
        domains in prop::collection::vec(0u32..12, 0..12), apart: bool, most in 0usize..4,
    ) {
        let need = Need { bytes, not: not.into_iter().map(NodeId).collect(), domains, apart, most };
        let load = |id: NodeId| id.0 as usize % 4;
        let fitting = plain::fitting(&donors, &need, load);
        let pool = pool_of(&donors);
        let mut rng = StdRng::seed_from_u64(seed);
        prop_assert_eq!(pool.has_idle(most, load, &mut rng), donors.iter().any(|one| load(one.node) < most));
        match pool.receiver(&need, load, &mut rng) {
            Some(found) => prop_assert!(fitting.iter().any(|at| donors[*at] == found), "{} doesn't fit", found.node),
            None => prop_assert!(fitting.is_empty(), "nobody was found"),
        }
    }

    #[test]
    fn what_changes_is_drawn_as_it_is_now(changes in prop::collection::vec((1u32..9, 0u64..4000, any::<bool>()), 1..40), seed: u64) {
        let mut nodes = up(8, 1000);
        let mut rng = StdRng::seed_from_u64(seed);
        for (id, free, leaving) in changes {
            nodes.heard(NodeId(id), leaving, 5);
            nodes.get_mut(NodeId(id)).expect("known").space.measured(1 << 20, 0, free);
            let planned = nodes.pool().plan(&Ask { bytes: 900, segments: 1, quorum: 1, donors: 8, taken: Vec::new() }, &mut rng);
            let mut chosen = planned.map_or_else(|_| Vec::new(), |segments| segments.concat());
            chosen.sort();
            let takes = |id: &NodeId| nodes.get(*id).is_some_and(|node| node.takes_shards() && node.space.available() >= 900);
            let open: Vec<NodeId> = (1..9).map(NodeId).filter(takes).collect();
            prop_assert_eq!(chosen, open, "what was planned and never reserved counts again");
        }
    }
}

/// How often each donor is named in 20,000 grants of 4 donors.
fn shares(donors: &[Candidate], mut plan: impl FnMut(&Ask) -> Vec<Vec<NodeId>>) -> Vec<f64> {
    let ask = Ask { bytes: 10, segments: 1, quorum: 4, donors: 4, taken: Vec::new() };
    let mut counts = vec![0.0; donors.len()];
    for _ in 0..20_000 {
        plan(&ask).concat().iter().for_each(|id| counts[id.0 as usize - 1] += 1.0);
    }
    counts
}

/// The chi-square statistic of two samples of equal size, over its degrees of freedom: near 1 if they are of one distribution. Donors of
/// one grant depend on each other, which makes it smaller.
fn chi_square(a: &[f64], b: &[f64]) -> f64 {
    let of_one = |(a, b): (&f64, &f64)| if a + b > 0.0 { (a - b).powi(2) / (a + b) } else { 0.0 };
    a.iter().zip(b).map(of_one).sum::<f64>() / (a.len() - 1) as f64
}

/// 40 donors in 20 domains, of very different room, some with much under way, some too full.
fn uneven() -> Vec<Candidate> {
    let donor = |id: u32| Candidate {
        node: NodeId(id),
        domain: id % 20,
        available: u64::from(id * id % 97) * 1000,
        pending: u64::from(id % 3) * 500,
    };
    (1..=40).map(donor).collect()
}

#[test]
fn grants_are_spread_as_the_plain_version_spreads_them() {
    let donors = uneven();
    let mut rng = StdRng::seed_from_u64(11);
    let plainly = shares(&donors, |ask| plain::plan(donors.clone(), ask, &mut rng).expect("room"));
    let mut pool = pool_of(&donors);
    let mut rng = StdRng::seed_from_u64(12);
    let pooled = shares(&donors, |ask| {
        let planned = pool.plan(ask, &mut rng).expect("room");
        pool.refresh(|id| donors.get(id.0 as usize - 1).copied());
        planned
    });
    let differ = chi_square(&plainly, &pooled);
    assert!(differ < 1.6, "{differ}: {plainly:?} {pooled:?}");
    let even = vec![plainly.iter().sum::<f64>() / 40.0; 40];
    assert!(chi_square(&plainly, &even) > 100.0, "the measure can tell distributions apart");
}

#[test]
fn looking_at_all_draws_with_the_same_likelihoods() {
    let donors = uneven();
    let pool = pool_of(&donors);
    let mut rng = StdRng::seed_from_u64(5);
    let fits = |one: &Candidate| one.available >= 10 && one.domain.is_multiple_of(2);
    let mut counts = [vec![0.0; 40], vec![0.0; 40]];
    for _ in 0..40_000 {
        counts[0][pool.better_of_two(fits, &mut rng).expect("some fit")] += 1.0;
        counts[1][pool.look_at_all(fits, &mut rng).expect("some fit")] += 1.0;
    }
    assert!(chi_square(&counts[0], &counts[1]) < 1.6, "{counts:?}");
}

#[test]
fn a_receiver_that_few_draws_would_hit_is_found() {
    let mut donors: Vec<Candidate> =
        (1..=5000).map(|id| Candidate { node: NodeId(id), domain: id, available: 1 << 40, pending: 0 }).collect();
    donors[4321].available = 5000;
    let mut pool = Pool::default();
    donors.iter().for_each(|one| pool.touch(one.node));
    pool.refresh(|id| donors.get(id.0 as usize - 1).copied());
    let need = Need { bytes: 4000, not: Vec::new(), domains: Vec::new(), apart: false, most: 1 };
    let found = pool.receiver(&need, |id| usize::from(id != NodeId(4322)), &mut StdRng::seed_from_u64(0));
    assert_eq!(found.map(|one| one.node), Some(NodeId(4322)));
}

#[test]
fn a_donor_that_boasts_draws_no_more_than_its_weight_is_bounded_to() {
    let donor = |id: u32, available| Candidate { node: NodeId(id), domain: id, available, pending: 0 };
    let donors = [donor(1, u64::MAX), donor(2, u64::MAX), donor(3, 1 << 45)];
    let pool = pool_of(&donors);
    let mut rng = StdRng::seed_from_u64(2);
    let third = (0..3000).filter(|_| pool.draw(|_| true, &mut rng).is_some_and(|(at, _)| at == 2)).count();
    assert!((400..800).contains(&third), "{third} of 3000, by a weight of one in five");
}
