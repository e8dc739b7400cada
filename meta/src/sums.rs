//! Counters: rows that commits add to without reading them.
//!
//! ```text
//!   commit 1: Add(c, [5, 1]) ─┐
//!   commit 2: Add(c, [7, 1]) ─┼─▶ one transaction: c is read once, written once
//!   commit 3: Add(c, [-5,-1])─┘
//! ```
//! An addition is never the cause of a conflict, so that any number of commits change one counter at once; [`Check::AtMost`](crate::Check)
//! holds it to a limit, decided by the writer like every check.

use bytes::Bytes;

/// What a counter row holds: two sums that change together, such as bytes and how many things they are in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums(pub [i64; 2]);

impl Sums {
    /// Bytes of a counter row's value: each sum big-endian.
    pub(crate) const BYTES: usize = 16;

    /// No limit.
    pub const MAX: Self = Self([i64::MAX; 2]);

    /// What a row's value says. A row that is no counter counts as none: zeros.
    pub fn read(value: &[u8]) -> Self {
        match (value.first_chunk::<8>(), value.last_chunk::<8>()) {
            (Some(first), Some(last)) if value.len() == Self::BYTES => {
                Self([i64::from_be_bytes(*first), i64::from_be_bytes(*last)])
            }
            _ => Self::default(),
        }
    }

    /// As the value of a row.
    pub fn to_value(self) -> Bytes {
        Bytes::copy_from_slice(self.0.map(i64::to_be_bytes).as_flattened())
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self([self.0[0].saturating_add(other.0[0]), self.0[1].saturating_add(other.0[1])])
    }

    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self([self.0[0].saturating_sub(other.0[0]), self.0[1].saturating_sub(other.0[1])])
    }

    /// Neither sum is above its limit.
    pub fn at_most(self, max: Self) -> bool {
        self.0.iter().zip(max.0).all(|(sum, max)| *sum <= max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_comes_back_from_its_row_and_anything_else_counts_as_none() {
        let sums = Sums([-1, i64::MAX]);
        assert_eq!(hex(&sums.to_value()), "ffffffffffffffff7fffffffffffffff");
        assert_eq!(Sums::read(&sums.to_value()), sums);
        for other in [&b""[..], &[1; 8], &[1; 15], &[1; 17]] {
            assert_eq!(Sums::read(other), Sums::default());
        }
    }

    #[test]
    fn both_sums_are_held_to_their_limits() {
        let sums = Sums([5, 5]);
        assert!(
            sums.at_most(Sums([5, 5])) && sums.at_most(Sums::MAX) && !sums.at_most(Sums([4, 6])) && !sums.at_most(Sums([6, 4]))
        );
        assert_eq!(sums.plus(Sums([1, -7])).minus(Sums([2, 0])), Sums([4, -2]));
        assert_eq!(Sums::MAX.plus(sums), Sums::MAX);
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
