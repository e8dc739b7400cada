//! Chance from a seed: the same throws for the same seed, on every machine.

/// SplitMix64.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Others, for somebody who throws at times of his own.
    pub fn fork(&mut self) -> Self {
        Self(self.word())
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number of the range; the bias towards its low end is far below what a test could see.
    pub fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.word() % (range.end - range.start).max(1)
    }

    /// True in `percent` of 100 throws.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.within(0..100) < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.within(0..from.len() as u64) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throws_depend_on_the_seed_alone_and_stay_in_range() {
        let throws = |seed| (0..100).scan(Dice::new(seed), |dice, _| Some(dice.within(3..9))).collect::<Vec<_>>();
        assert_eq!(throws(1), throws(1));
        assert_ne!(throws(1), throws(2));
        assert!(throws(1).iter().all(|throw| (3..9).contains(throw)));
        assert!(Dice::new(1).pick::<u8>(&[]).is_none());
    }
}
