//! Which donors take the shards of a new segment.
//!
//! Distinct donors in distinct failure domains. Each is the better of two drawn at random, draws weighted by free space: so disks fill
//! evenly, and of the two the one with less under way is taken: so nobody is swamped.
//!
//! This is what the choice is; [`super::pool`] makes it without looking at every donor for every shard. The plain version stands
//! below for the tests, as the specification.

use std::cmp::Reverse;

use nodio_wire::NodeId;
use rand::{Rng, RngExt};

/// What a donor weighs at most, bytes: 64 TiB. So sums stay within 64 bits at `NODES_MAX` donors, and one that boasts doesn't draw
/// everything.
const WEIGHT_MAX: u64 = 1 << 46;

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

impl Candidate {
    /// How likely it is drawn.
    pub(crate) fn weight(&self) -> u64 {
        self.available.min(WEIGHT_MAX)
    }
}

/// What is asked for: `segments` times up to `donors` donors, never fewer than `quorum`.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// Per donor and segment.
    pub bytes: u64,
    pub segments: usize,
    pub quorum: usize,
    pub donors: usize,
    /// Domains that are taken already.
    pub taken: Vec<u32>,
}

/// What a receiver of one shard must be.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    pub bytes: u64,
    /// Donors that hold, or are getting, a shard of the segment, or that can't take this one now.
    pub not: Vec<NodeId>,
    /// Domains that hold, or are getting, one.
    pub domains: Vec<u32>,
    /// Another domain, or none at all.
    pub apart: bool,
    /// Pieces of work at which a donor is too busy.
    pub most: usize,
}

impl Need {
    /// Another shard of the segment goes to this donor.
    pub(crate) fn also(&mut self, chosen: &Candidate) {
        self.not.push(chosen.node);
        self.domains.push(chosen.domain);
    }

    pub(crate) fn is_met_by(&self, one: &Candidate) -> bool {
        one.available >= self.bytes && !self.not.contains(&one.node)
    }

    pub(crate) fn is_apart(&self, one: &Candidate) -> bool {
        !self.domains.contains(&one.domain)
    }
}

/// True if `a` is to be taken rather than `b`.
pub(crate) fn is_better(a: &Candidate, b: &Candidate) -> bool {
    let rank = |one: &Candidate| (one.pending, Reverse(one.available));
    rank(a) < rank(b)
}

/// One of `open` by the power of two choices; `None` if there is none.
pub(crate) fn better_of_two(pool: &[Candidate], open: &[usize], rng: &mut impl Rng) -> Option<usize> {
    let (a, b) = (draw(pool, open, rng)?, draw(pool, open, rng)?);
    Some(if is_better(&pool[b], &pool[a]) { b } else { a })
}

/// One of `open`, the likelier the more it can take.
fn draw(pool: &[Candidate], open: &[usize], rng: &mut impl Rng) -> Option<usize> {
    let total: u64 = open.iter().map(|at| pool[*at].weight()).sum();
    if total == 0 {
        return None;
    }
    let mut left = rng.random_range(0..total);
    for at in open {
        let weight = pool[*at].weight();
        if left < weight {
            return Some(*at);
        }
        left -= weight;
    }
    open.last().copied()
}

#[cfg(test)]
pub(crate) mod plain {
    //! Every donor is looked at for every shard.

    use super::*;
    use nodio_wire::fleet::FleetError;

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
        let fits = |one: &Candidate| one.available >= ask.bytes && !ask.taken.contains(&one.domain);
        let mut open: Vec<usize> = (0..pool.len()).filter(|at| fits(&pool[*at])).collect();
        let mut picked = Vec::with_capacity(ask.donors);
        while picked.len() < ask.donors {
            let Some(best) = better_of_two(pool, &open, rng) else { break };
            picked.push(best);
            open.retain(|at| pool[*at].domain != pool[best].domain);
        }
        picked
    }

    /// Those that may receive a shard: apart from its domains if there are any, else any that fit, unless that is ruled out.
    pub(crate) fn fitting(pool: &[Candidate], need: &Need, load: impl Fn(NodeId) -> usize) -> Vec<usize> {
        let fits = |at: &usize| {
            let one = &pool[*at];
            one.available >= need.bytes && !need.not.contains(&one.node) && load(one.node) < need.most
        };
        let fitting: Vec<usize> = (0..pool.len()).filter(fits).collect();
        let apart: Vec<usize> = fitting.iter().copied().filter(|at| !need.domains.contains(&pool[*at].domain)).collect();
        if apart.is_empty() && !need.apart { fitting } else { apart }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use std::collections::HashMap;

    #[test]
    fn equal_donors_get_equal_shares_and_roomier_ones_more() {
        let donor = |id: u32, available| Candidate { node: NodeId(id), domain: id, available, pending: 0 };
        let mut pool: Vec<Candidate> = (1..=20).map(|id| donor(id, 1 << 40)).collect();
        pool.push(donor(21, 4 << 40));
        let ask = Ask { bytes: 1 << 20, segments: 1, quorum: 5, donors: 6, taken: Vec::new() };
        let mut shares: HashMap<NodeId, u32> = HashMap::new();
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..2000 {
            for id in plain::plan(pool.clone(), &ask, &mut rng).expect("room").concat() {
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
