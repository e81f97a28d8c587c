//! Business days: until when a request must be answered (§4.1).

use super::desk::{at, shipped};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc, Weekday};
use makegood::policy::calendar::{Calendar, respond_by};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::BTreeSet;

fn calendar(zone: &str, holidays: &[&str]) -> Calendar {
    Calendar {
        time_zone: zone.parse().unwrap(),
        weekend: vec![Weekday::Sat, Weekday::Sun],
        holidays: holidays.iter().map(|day| day.parse().unwrap()).collect(),
        respond_within_business_days: 3,
    }
}

fn due(received_at: &str, calendar: &Calendar) -> String {
    let due = respond_by(at(received_at), calendar);
    due.with_timezone(&calendar.time_zone).format("%a %Y-%m-%d %H:%M:%S%.f %z").to_string()
}

#[test]
fn three_business_days_later_at_the_same_local_time() {
    let utc = calendar("UTC", &[]);
    assert_eq!(due("2025-03-10T10:00:00Z", &utc), "Thu 2025-03-13 10:00:00 +0000");
    assert_eq!(due("2025-03-12T23:59:59.999999Z", &utc), "Mon 2025-03-17 23:59:59.999999 +0000");
}

#[test]
fn a_request_of_a_weekend_counts_from_the_next_business_morning() {
    let utc = calendar("UTC", &[]);
    assert_eq!(due("2025-03-14T23:59:59Z", &utc), "Wed 2025-03-19 23:59:59 +0000");
    assert_eq!(due("2025-03-15T00:00:00Z", &utc), "Thu 2025-03-20 00:00:00 +0000");
    assert_eq!(due("2025-03-16T23:59:59Z", &utc), "Thu 2025-03-20 00:00:00 +0000");
    assert_eq!(due("2025-03-17T00:00:00Z", &utc), "Thu 2025-03-20 00:00:00 +0000");
}

#[test]
fn holidays_are_no_business_days() {
    let christmas = calendar("UTC", &["2025-12-25", "2025-12-26"]);
    assert_eq!(due("2025-12-23T09:00:00Z", &christmas), "Tue 2025-12-30 09:00:00 +0000");
    assert_eq!(due("2025-12-25T09:00:00Z", &christmas), "Thu 2026-01-01 00:00:00 +0000");
}

#[test]
fn days_begin_and_end_where_the_desk_is() {
    // 22:00 UTC on Friday is Saturday in Tokyo already.
    assert_eq!(due("2025-03-14T22:00:00Z", &calendar("Asia/Tokyo", &[])), "Thu 2025-03-20 00:00:00 +0900");
    assert_eq!(
        due("2025-03-14T22:00:00Z", &calendar("America/New_York", &[])),
        "Wed 2025-03-19 18:00:00 -0400"
    );
}

#[test]
fn a_clock_change_moves_the_instant_and_not_the_local_time() {
    // Berlin leaves winter time on 2025-03-30 at 02:00.
    let berlin = calendar("Europe/Berlin", &[]);
    assert_eq!(due("2025-03-27T09:00:00Z", &berlin), "Tue 2025-04-01 10:00:00 +0200");
}

#[test]
fn a_local_time_that_a_clock_change_skips_is_a_day_after_the_day_before() {
    let mut berlin = calendar("Europe/Berlin", &[]);
    berlin.weekend = vec![Weekday::Sat];
    // Three business days after Wednesday 02:30 is Sunday 2025-03-30 02:30, which does not exist.
    assert_eq!(due("2025-03-26T01:30:00Z", &berlin), "Sun 2025-03-30 03:30:00 +0200");
}

#[test]
fn of_a_local_time_that_a_clock_change_repeats_the_earlier_counts() {
    let mut berlin = calendar("Europe/Berlin", &[]);
    berlin.weekend = vec![Weekday::Sat];
    assert_eq!(due("2025-10-22T00:30:00Z", &berlin), "Sun 2025-10-26 02:30:00 +0200");
}

#[test]
fn a_skipped_day_is_not_lost() {
    // Samoa crossed the date line: 2011-12-30 did not happen there.
    let mut apia = calendar("Pacific/Apia", &[]);
    apia.weekend = vec![Weekday::Sat, Weekday::Sun];
    assert_eq!(due("2011-12-27T20:00:00Z", &apia), "Sat 2011-12-31 10:00:00 +1400");
}

#[test]
fn the_end_of_time_is_no_panic() {
    assert_eq!(respond_by(DateTime::<Utc>::MAX_UTC, &calendar("UTC", &[])), DateTime::<Utc>::MAX_UTC);
    let _ = respond_by(DateTime::<Utc>::MIN_UTC, &calendar("Asia/Tokyo", &[]));
}

#[test]
fn the_shipped_calendar_promises_three_business_days() {
    let document = shipped();
    assert_eq!(document.calendar().respond_within_business_days, 3);
    assert!(document.calendar().is_business_day(NaiveDate::from_ymd_opt(2025, 3, 14).unwrap()));
    assert!(!document.calendar().is_business_day(NaiveDate::from_ymd_opt(2025, 3, 15).unwrap()));
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(20_241_219),
        failure_persistence: None,
        ..ProptestConfig::with_cases(256)
    })]

    #[test]
    fn the_answer_is_due_on_a_business_day_after_exactly_so_many(
        seconds in 1_600_000_000_i64..1_900_000_000,
        zone in prop::sample::select(vec!["UTC", "Asia/Tokyo", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"]),
        days in 1_u32..10,
        offsets in prop::collection::btree_set(0_i64..40, 0..8),
    ) {
        let received = DateTime::from_timestamp(seconds, 0).unwrap();
        let local = |time: DateTime<Utc>, calendar: &Calendar| time.with_timezone(&calendar.time_zone).date_naive();
        let mut calendar = calendar(zone, &[]);
        calendar.respond_within_business_days = days;
        let today = local(received, &calendar);
        calendar.holidays =
            offsets.iter().map(|offset| today.checked_add_signed(TimeDelta::days(*offset)).unwrap()).collect();

        let due = respond_by(received, &calendar);
        let last = local(due, &calendar);
        let between: BTreeSet<_> =
            today.iter_days().skip(1).take_while(|day| *day <= last).filter(|day| calendar.is_business_day(*day)).collect();
        // On a day without business the clock starts with the next business day.
        let waited = days.saturating_add(u32::from(!calendar.is_business_day(today)));
        prop_assert!(due > received);
        prop_assert!(calendar.is_business_day(last), "{last}");
        prop_assert_eq!(u32::try_from(between.len()).unwrap(), waited);
        prop_assert!(last.weekday() != Weekday::Sun);
    }

    #[test]
    fn who_asks_later_is_not_answered_earlier(seconds in 1_600_000_000_i64..1_900_000_000, later in 0_i64..1_000_000) {
        let zone = calendar("Europe/Berlin", &["2024-12-25", "2025-05-01"]);
        let first = DateTime::from_timestamp(seconds, 0).unwrap();
        let second = first.checked_add_signed(TimeDelta::seconds(later)).unwrap();
        // A clock change may turn a day into 23 or 25 hours, so promises can cross by an hour.
        let hour = TimeDelta::hours(1);
        prop_assert!(respond_by(second, &zone).checked_add_signed(hour).unwrap() >= respond_by(first, &zone));
    }
}
