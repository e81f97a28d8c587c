//! Counting without waiting: what the hot path notes costs it two atomic additions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How values are spread over intervals, as a histogram of Prometheus is.
#[derive(Debug)]
pub struct Spread {
    bounds: &'static [u64],
    /// One more than bounds: the last is for whatever is above all of them.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What a [`Spread`] held at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Each interval's upper bound, itself included, and how many values lay in it; `None` has no bound.
    pub intervals: Vec<(Option<u64>, u64)>,
    /// All values together.
    pub sum: u64,
}

impl Spread {
    /// Nothing noted yet. The bounds ascend.
    #[must_use]
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// Notes a value.
    pub fn note(&self, value: u64) {
        let interval = self.bounds.partition_point(|bound| *bound < value);
        // There is a count for every interval.
        if let Some(count) = self.counts.get(interval) {
            count.fetch_add(1, Ordering::Relaxed);
            self.sum.fetch_add(value, Ordering::Relaxed);
        }
    }

    /// Notes a time in whole microseconds.
    pub fn note_time(&self, time: Duration) {
        self.note(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// What was noted so far. A value that is noted meanwhile may be in the counts and not in the sum.
    #[must_use]
    pub fn read(&self) -> Counted {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        Counted { intervals: bounds.zip(counts).collect(), sum: self.sum.load(Ordering::Relaxed) }
    }
}

impl Counted {
    /// How many values were noted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.intervals.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;
    use std::time::Duration;

    #[test]
    fn a_value_lies_in_the_first_interval_whose_bound_it_does_not_pass() {
        let spread = Spread::new(&[1, 10]);
        for value in [0, 1, 2, 10, 11, 1_000] {
            spread.note(value);
        }
        let counted = spread.read();
        assert_eq!(counted.intervals, [(Some(1), 2), (Some(10), 2), (None, 2)]);
        assert_eq!((counted.sum, counted.count()), (1_024, 6));
    }

    #[test]
    fn a_time_is_noted_in_microseconds() {
        let spread = Spread::new(&[1_500]);
        spread.note_time(Duration::from_nanos(1_500_999));
        assert_eq!(spread.read().intervals, [(Some(1_500), 1), (None, 0)]);
    }
}
