//! Which donors take the shards of a new segment.
//!
//! Distinct donors in distinct failure domains. Each is the better of two drawn at random, draws weighted by free space: so disks fill
//! evenly, and of the two the one with less under way is taken: so nobody is swamped.

use nodio_wire::NodeId;
use nodio_wire::fleet::FleetError;
use rand::{Rng, RngExt};

/// An Up donor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub node: NodeId,
    pub domain: u32,
    /// Bytes it can still take.
    pub available: u64,
    /// Bytes on their way to it.
    pub pending: u64,
}

/// What is asked for: `segments` times up to `donors` donors, never fewer than `quorum`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    /// Per donor and segment.
    pub bytes: u64,
    pub segments: usize,
    pub quorum: usize,
    pub donors: usize,
}

/// Donors for every segment, or the reason why there are none. What one segment takes is not there for the next.
pub(crate) fn plan(mut pool: Vec<Candidate>, ask: &Ask, rng: &mut impl Rng) -> Result<Vec<Vec<NodeId>>, FleetError> {
    let mut segments = Vec::with_capacity(ask.segments);
    for _ in 0..ask.segments {
        let picked = pick(&pool, ask, rng);
        if picked.len() < ask.quorum {
            return Err(FleetError::NotEnoughDonors { need: ask.quorum, have: picked.len() });
        }
        for at in &picked {
            pool[*at].available -= ask.bytes;
            pool[*at].pending += ask.bytes;
        }
        segments.push(picked.into_iter().map(|at| pool[at].node).collect());
    }
    Ok(segments)
}

fn pick(pool: &[Candidate], ask: &Ask, rng: &mut impl Rng) -> Vec<usize> {
    let mut open: Vec<usize> = (0..pool.len()).filter(|at| pool[*at].available >= ask.bytes).collect();
    let mut picked = Vec::with_capacity(ask.donors);
    while picked.len() < ask.donors {
        let Some(best) = better_of_two(pool, &open, rng) else { break };
        picked.push(best);
        open.retain(|at| pool[*at].domain != pool[best].domain);
    }
    picked
}

/// One of `open` by the power of two choices; `None` if there is none.
pub(crate) fn better_of_two(pool: &[Candidate], open: &[usize], rng: &mut impl Rng) -> Option<usize> {
    let (a, b) = (draw(pool, open, rng)?, draw(pool, open, rng)?);
    let rank = |at: usize| (pool[at].pending, std::cmp::Reverse(pool[at].available));
    Some(if rank(b) < rank(a) { b } else { a })
}

/// One of `open`, the likelier the more it can take.
fn draw(pool: &[Candidate], open: &[usize], rng: &mut impl Rng) -> Option<usize> {
    let weight = |at: usize| u128::from(pool[at].available.max(1));
    let total: u128 = open.iter().map(|at| weight(*at)).sum();
    if total == 0 {
        return None;
    }
    let mut left = rng.random_range(0..total);
    for at in open {
        let weight = weight(*at);
        if left < weight {
            return Some(*at);
        }
        left -= weight;
    }
    open.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use std::collections::{HashMap, HashSet};

    fn pool() -> impl Strategy<Value = Vec<Candidate>> {
        prop::collection::vec((0u32..12, 0u64..5000), 0..30).prop_map(|donors| {
            let numbered = donors.into_iter().enumerate();
            numbered
                .map(|(at, (domain, available))| Candidate { node: NodeId(at as u32 + 1), domain, available, pending: 0 })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn picks_are_distinct_have_room_and_fail_only_for_want_of_domains(
            pool in pool(), seed: u64, bytes in 1u64..2000, segments in 1usize..8, quorum in 1usize..6, more in 0usize..4,
        ) {
            let ask = Ask { bytes, segments, quorum, donors: quorum + more };
            let by_id: HashMap<NodeId, Candidate> = pool.iter().map(|c| (c.node, *c)).collect();
            let roomy: HashSet<u32> = pool.iter().filter(|c| c.available >= bytes).map(|c| c.domain).collect();
            match plan(pool, &ask, &mut StdRng::seed_from_u64(seed)) {
                Ok(planned) => {
                    prop_assert_eq!(planned.len(), segments);
                    let mut taken: HashMap<NodeId, u64> = HashMap::new();
                    for donors in &planned {
                        prop_assert!(donors.len() >= quorum && donors.len() <= ask.donors);
                        let domains: HashSet<u32> = donors.iter().map(|id| by_id[id].domain).collect();
                        prop_assert_eq!(domains.len(), donors.len(), "two in one domain");
                        for id in donors {
                            *taken.entry(*id).or_default() += bytes;
                        }
                    }
                    prop_assert_eq!(planned[0].len(), ask.donors.min(roomy.len()), "a domain with room was left out");
                    for (id, bytes) in taken {
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
    }

    #[test]
    fn equal_donors_get_equal_shares_and_roomier_ones_more() {
        let donor = |id: u32, available| Candidate { node: NodeId(id), domain: id, available, pending: 0 };
        let mut pool: Vec<Candidate> = (1..=20).map(|id| donor(id, 1 << 40)).collect();
        pool.push(donor(21, 4 << 40));
        let ask = Ask { bytes: 1 << 20, segments: 1, quorum: 5, donors: 6 };
        let mut shares: HashMap<NodeId, u32> = HashMap::new();
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..2000 {
            for id in plan(pool.clone(), &ask, &mut rng).expect("room").concat() {
                *shares.entry(id).or_default() += 1;
            }
        }
        let mean = (1..=20).map(|id| shares[&NodeId(id)]).sum::<u32>() / 20;
        for id in 1..=20 {
            assert!(shares[&NodeId(id)].abs_diff(mean) < mean / 4, "donor {id}: {} of mean {mean}", shares[&NodeId(id)]);
        }
        assert!(shares[&NodeId(21)] > 2 * mean);
    }

    #[test]
    fn of_two_the_one_with_less_under_way_is_taken() {
        let donor = |id: u32, pending| Candidate { node: NodeId(id), domain: id, available: 1000, pending };
        let pool = [donor(1, 900), donor(2, 0)];
        let mut rng = StdRng::seed_from_u64(3);
        let calm = (0..1000).filter(|_| better_of_two(&pool, &[0, 1], &mut rng) == Some(1)).count();
        assert!(calm > 650, "{calm} of 1000");
        assert_eq!(better_of_two(&pool, &[], &mut rng), None);
    }
}
