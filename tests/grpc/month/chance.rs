//! Chance from a seed: the same seed is the same month.

use chrono::TimeDelta;

/// A stream of chance (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    /// A stream of its own for each number under one seed.
    pub(crate) const fn new(seed: u64, number: u64) -> Self {
        let mut first = Self(seed ^ number.wrapping_mul(0xD134_2543_DE82_EF95));
        Self(first.next() ^ seed.rotate_left(17))
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, and without, `end`.
    pub(crate) fn below(&mut self, end: u64) -> i64 {
        i64::try_from(self.next() % end).unwrap()
    }

    /// Whether something of this probability happens.
    pub(crate) fn percent(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(u64::try_from(all.len()).unwrap())).unwrap()]
    }

    /// A span of `from` to `to` hours, to the second.
    pub(crate) fn hours(&mut self, from: i64, to: i64) -> TimeDelta {
        let range = u64::try_from((to - from) * 3_600).unwrap();
        TimeDelta::seconds(from * 3_600 + self.below(range) + 1)
    }
}
