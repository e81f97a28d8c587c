//! The clock: the only reader of time, and of the chance inside new ids.
//!
//! Every other room is given an instant. A request asks the clock once, after
//! its account is locked, so that one request has one time.

use chrono::{DateTime, SubsecRound, Utc};
use uuid::{NoContext, Timestamp, Uuid};

/// Digits kept after the second: what a `timestamptz` column can hold, so that
/// an instant is the same before and after it was stored.
const SUBSECOND_DIGITS: u16 = 6;

/// Where a request takes its time from; copying it costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock(Source);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    System,
    Fixed(DateTime<Utc>),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still at `instant`: a test, or a request that carries
    /// the development mode's test clock.
    #[must_use]
    pub fn fixed(instant: DateTime<Utc>) -> Self {
        Self(Source::Fixed(instant))
    }

    /// The instant at which it stands still; `None` for the machine's clock.
    #[must_use]
    pub const fn fixed_at(&self) -> Option<DateTime<Utc>> {
        match self.0 {
            Source::System => None,
            Source::Fixed(instant) => Some(instant),
        }
    }

    /// The present instant, truncated to microseconds.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let instant = match self.0 {
            Source::System => system_now(),
            Source::Fixed(instant) => instant,
        };
        instant.trunc_subsecs(SUBSECOND_DIGITS)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's time")]
fn system_now() -> DateTime<Utc> {
    Utc::now()
}

/// A new id of ours: a `UUIDv7` (RFC 9562) whose time part is `at`, in milliseconds,
/// and whose rest is chance. Ids of one instant have no order among themselves.
///
/// An instant before 1970 has no `UUIDv7` and counts as 1970.
#[must_use]
pub fn new_id(at: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(at.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, at.timestamp_subsec_nanos()))
}

/// A number from 0 to below `bound`, by chance: for spreading retries, never for a
/// decision. 0 where the bound leaves no choice.
#[must_use]
pub fn chance_below(bound: u32) -> u32 {
    let (_, low) = new_id(DateTime::UNIX_EPOCH).as_u64_pair();
    // The low bits of a `UUIDv7` are chance alone.
    let remainder = low.checked_rem(u64::from(bound)).unwrap_or(0);
    u32::try_from(remainder).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Clock, chance_below, new_id};
    use chrono::{DateTime, TimeDelta, Utc};

    fn instant(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_fixed_clock_stands_still() {
        let clock = Clock::fixed(instant("2024-12-19T09:00:00Z"));
        assert_eq!(clock.now(), clock.now());
    }

    #[test]
    fn an_instant_is_cut_to_microseconds_and_never_rounded_up() {
        let clock = Clock::fixed(instant("2024-12-19T09:00:00.123456999Z"));
        assert_eq!(clock.now(), instant("2024-12-19T09:00:00.123456Z"));
    }

    #[test]
    fn the_system_clock_gives_whole_microseconds() {
        assert_eq!(Clock::system().now().timestamp_subsec_nanos() % 1_000, 0);
    }

    #[test]
    fn ids_of_later_milliseconds_sort_later() {
        let first = instant("2024-12-19T09:00:00.001Z");
        assert!(new_id(first) < new_id(first + TimeDelta::milliseconds(1)));
    }

    #[test]
    fn an_id_carries_its_instant() {
        let at = instant("2024-12-19T09:00:00.250Z");
        let (seconds, nanos) = new_id(at).get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos), (u64::try_from(at.timestamp()).unwrap(), 250_000_000));
    }

    #[test]
    fn two_ids_of_one_instant_differ() {
        let at = instant("2024-12-19T09:00:00Z");
        assert_ne!(new_id(at), new_id(at));
    }

    #[test]
    fn chance_stays_below_its_bound_and_meets_every_number() {
        let drawn: std::collections::BTreeSet<u32> = (0..1_000).map(|_| chance_below(8)).collect();
        assert_eq!(drawn, (0..8).collect());
        assert_eq!((chance_below(1), chance_below(0)), (0, 0));
    }

    #[test]
    fn an_instant_before_1970_still_gives_an_id() {
        assert_eq!(new_id(instant("1969-12-31T00:00:00Z")).get_version_num(), 7);
    }
}
