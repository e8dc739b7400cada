//! The one sum behind every figure: how likely are fewer than `k` shards left, and how fast does that grow?

use std::ops::{Add, Mul, Sub};

use super::POSITIONS_MAX;

/// A shard on a live donor.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Position {
    pub domain: u32,
    /// Probability that it isn't really there, though the donor is.
    pub hidden: f64,
    pub losses_per_year: f64,
    /// Probability that the donor is lost within one repair window, as the network is and with one donor more.
    pub lost: f64,
    pub lost_next: f64,
}

impl Position {
    pub(super) fn together(&self, other: &Self) -> bool {
        self.domain == other.domain
    }

    pub(super) fn steadier_than(&self, other: &Self) -> bool {
        (self.lost, self.hidden) < (other.lost, other.hidden)
    }
}

/// A probability and how fast it grows with the length of the window, per year: a number of which sums and products know their slope.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Growing {
    pub value: f64,
    pub slope: f64,
}

impl From<f64> for Growing {
    fn from(value: f64) -> Self {
        Self { value, slope: 0.0 }
    }
}

impl Add for Growing {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, slope: self.slope + other.slope }
    }
}

impl Sub for Growing {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { value: self.value - other.value, slope: self.slope - other.slope }
    }
}

impl Mul for Growing {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self { value: self.value * other.value, slope: self.slope * other.value + self.value * other.slope }
    }
}

/// What the sum is made of: plain probabilities, or growing ones.
pub(super) trait Number:
    Copy + Default + From<f64> + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self>
{
}
impl Number for f64 {}
impl Number for Growing {}

/// Probability that fewer than `k` of these shards are left when each domain is lost, whole, with the probability that `fails` says,
/// and each shard of a domain that is left is missing with its own hidden probability. Sorted by domain.
///
/// `left[j]` is the probability that exactly `j` are left of those looked at so far, for `j < k`: what is left is never taken back, so
/// the rest needn't be known. Values are sums of products of what isn't negative: nothing cancels. O(n k).
pub(super) fn fewer_than<N: Number>(k: usize, shards: &[Position], fails: impl Fn(&[Position]) -> N) -> N {
    let mut left = [N::default(); POSITIONS_MAX];
    let left = &mut left[..k];
    if let Some(none) = left.first_mut() {
        *none = N::from(1.0);
    }
    let mut seen = 0;
    for domain in shards.chunk_by(Position::together) {
        seen += domain.len();
        let left = &mut left[..k.min(seen + 1)];
        let lost = fails(domain);
        let spared = N::from(1.0) - lost;
        match domain {
            [single] => add(left, lost + spared * N::from(single.hidden), spared * N::from(1.0 - single.hidden)),
            several => add_domain(left, lost, spared, several),
        }
    }
    left.iter().fold(N::default(), |sum, chance| sum + *chance)
}

/// Looks at one shard more.
fn add<N: Number>(left: &mut [N], missing: N, there: N) {
    for j in (1..left.len()).rev() {
        left[j] = left[j] * missing + left[j - 1] * there;
    }
    if let Some(none) = left.first_mut() {
        *none = *none * missing;
    }
}

/// Looks at all shards of one domain: it is lost, or each is there or not by itself.
fn add_domain<N: Number>(left: &mut [N], lost: N, spared: N, domain: &[Position]) {
    let mut there = [N::default(); POSITIONS_MAX];
    let there = &mut there[..left.len()];
    there.copy_from_slice(left);
    domain.iter().for_each(|shard| add(there, N::from(shard.hidden), N::from(1.0 - shard.hidden)));
    for (left, there) in left.iter_mut().zip(there) {
        *left = *left * lost + *there * spared;
    }
}
