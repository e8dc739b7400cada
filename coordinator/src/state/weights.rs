//! Drawing by weight: a Fenwick tree (P. Fenwick, "A New Data Structure for Cumulative Frequency Tables", 1994).
//!
//! ```text
//!   sums[i] = weights of (i & -i) slots up to i          set, draw: one step per binary digit of the number of slots
//! ```

use rand::{Rng, RngExt};

/// Weights by slot, and their partial sums.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weights {
    weights: Vec<u64>,
    /// One-based; as long as a power of two, plus one.
    sums: Vec<u64>,
}

impl Weights {
    /// A new slot, of weight 0.
    pub(crate) fn push(&mut self) {
        self.weights.push(0);
        if self.weights.len() >= self.sums.len() {
            self.grow();
        }
    }

    /// Changes one weight. The sum of all must stay below 2^64.
    pub(crate) fn set(&mut self, slot: usize, weight: u64) {
        let before = std::mem::replace(&mut self.weights[slot], weight);
        if before == weight {
            return;
        }
        let mut at = slot + 1;
        while at < self.sums.len() {
            self.sums[at] = self.sums[at].wrapping_add(weight).wrapping_sub(before);
            at += at & at.wrapping_neg();
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.sums.last().copied().unwrap_or(0)
    }

    /// A slot, the likelier the more it weighs; `None` if nothing weighs anything.
    pub(crate) fn draw(&self, rng: &mut impl Rng) -> Option<usize> {
        let total = self.total();
        if total == 0 { None } else { Some(self.slot_at(rng.random_range(0..total))) }
    }

    /// The slot in which the `left`-th unit of weight lies.
    fn slot_at(&self, mut left: u64) -> usize {
        let mut at = 0;
        let mut step = self.sums.len() / 2;
        while step > 0 {
            if self.sums[at + step] <= left {
                at += step;
                left -= self.sums[at];
            }
            step /= 2;
        }
        at
    }

    fn grow(&mut self) {
        let slots = self.weights.len().next_power_of_two();
        self.sums = vec![0; slots + 1];
        for at in 1..=slots {
            self.sums[at] += self.weights.get(at - 1).copied().unwrap_or(0);
            let above = at + (at & at.wrapping_neg());
            if above <= slots {
                self.sums[above] += self.sums[at];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_unit_of_weight_lies_in_its_slot(changes in prop::collection::vec((0usize..40, 0u64..6), 0..80)) {
            let (mut weights, mut plain) = (Weights::default(), Vec::new());
            for (slot, weight) in changes {
                while plain.len() <= slot {
                    weights.push();
                    plain.push(0);
                }
                weights.set(slot, weight);
                plain[slot] = weight;
            }
            let units: Vec<usize> = (0..plain.len()).flat_map(|slot| vec![slot; plain[slot] as usize]).collect();
            prop_assert_eq!(weights.total(), units.len() as u64);
            for (unit, slot) in units.into_iter().enumerate() {
                prop_assert_eq!(weights.slot_at(unit as u64), slot);
            }
        }
    }

    #[test]
    fn nothing_is_drawn_from_nothing() {
        let mut weights = Weights::default();
        assert_eq!(weights.draw(&mut rand::rng()), None);
        weights.push();
        assert_eq!(weights.draw(&mut rand::rng()), None);
        weights.set(0, u64::MAX);
        assert_eq!(weights.draw(&mut rand::rng()), Some(0));
    }
}
