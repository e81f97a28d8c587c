//! How fast one caller may call: a bucket of tokens each, kept as the instant at which it will be full again.

use crate::domain::ids::Actor;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A bucket holds what may be called in this time, so that calls may come in bursts.
const BURST: Duration = Duration::from_secs(1);

/// Callers remembered before those whose buckets are full again are forgotten: they are as good as new.
const MANY_CALLERS: usize = 10_000;

/// The buckets.
#[derive(Debug)]
pub(super) struct Pace {
    /// A bucket gains one call in this time.
    every: Duration,
    full_at: Mutex<HashMap<Actor, Instant>>,
}

impl Pace {
    pub(super) fn new(calls_per_second: NonZeroU32) -> Self {
        let every = Duration::from_secs(1).checked_div(calls_per_second.get()).unwrap_or(BURST);
        Self { every, full_at: Mutex::default() }
    }

    /// Takes one call out of a caller's bucket.
    ///
    /// # Errors
    /// How long it takes until there is one, when it is empty.
    pub(super) fn take(&self, caller: &Actor, now: Instant) -> Result<(), Duration> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full = full_at.get(caller).copied().unwrap_or(now);
        let missing = full.saturating_duration_since(now).saturating_add(self.every);
        if let Some(wait) = missing.checked_sub(BURST).filter(|wait| !wait.is_zero()) {
            return Err(wait);
        }
        if full_at.len() >= MANY_CALLERS {
            full_at.retain(|_, full| *full > now);
        }
        full_at.insert(caller.clone(), now.checked_add(missing).unwrap_or(now));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str) -> Actor {
        Actor::parse(name).unwrap()
    }

    #[test]
    fn a_bucket_gives_a_seconds_worth_at_once_and_fills_again_for_each_caller_alone() {
        let (start, pace) = (Instant::now(), Pace::new(NonZeroU32::new(4).unwrap()));
        let (worker, desk) = (caller("worker:7"), caller("agent:maria"));
        for _ in 0..4 {
            assert_eq!(pace.take(&worker, start), Ok(()));
        }
        assert_eq!(pace.take(&worker, start), Err(Duration::from_millis(250)));
        assert_eq!(pace.take(&desk, start), Ok(()), "another's bucket");
        let soon = start + Duration::from_millis(100);
        assert_eq!(pace.take(&worker, soon), Err(Duration::from_millis(150)));
        let then = start + Duration::from_millis(250);
        assert_eq!(pace.take(&worker, then), Ok(()));
        assert_eq!(pace.take(&worker, then), Err(Duration::from_millis(250)), "one came back, not more");
        let much_later = start + Duration::from_hours(1);
        for _ in 0..4 {
            assert_eq!(pace.take(&worker, much_later), Ok(()), "no more than a bucket is saved up");
        }
        assert!(pace.take(&worker, much_later).is_err());
    }

    #[test]
    fn callers_with_full_buckets_are_forgotten() {
        let (start, pace) = (Instant::now(), Pace::new(NonZeroU32::MIN));
        for number in 0..MANY_CALLERS {
            pace.take(&caller(&format!("worker:{number}")), start).unwrap();
        }
        let later = start + Duration::from_secs(2);
        pace.take(&caller("worker:late"), later).unwrap();
        assert_eq!(pace.full_at.lock().unwrap().len(), 1);
    }
}
