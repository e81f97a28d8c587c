//! Business days: until when a request must be answered (§4.1).

use super::desk::{at, shipped};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc, Weekday};
use makegood::policy::calendar::{Calendar, money_expected, respond_by};
use makegood::policy::{Document, SHIPPED};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::BTreeSet;

fn calendar(zone: &str, holidays: &[&str]) -> Calendar {
    Calendar {
        time_zone: zone.parse().unwrap(),
        weekend: vec![Weekday::Sat, Weekday::Sun],
        holidays: holidays.iter().map(|day| day.parse().unwrap()).collect(),
        respond_within_business_days: 3,
        respond_within_hours: 0,
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
fn a_term_in_hours_runs_through_nights_weekends_and_clock_changes() {
    let berlin = Calendar {
        respond_within_business_days: 0,
        respond_within_hours: 48,
        ..calendar("Europe/Berlin", &["2025-03-31"])
    };
    assert_eq!(due("2025-03-28T10:00:00Z", &berlin), "Sun 2025-03-30 12:00:00 +0200");
    assert_eq!(due("2025-03-29T10:00:00.000001Z", &berlin), "Mon 2025-03-31 12:00:00.000001 +0200");
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
fn a_local_time_that_a_clock_change_skips_is_when_the_clocks_go_on() {
    let mut berlin = calendar("Europe/Berlin", &[]);
    berlin.weekend = vec![Weekday::Sat];
    // Three business days after Wednesday 02:30 is Sunday 2025-03-30 02:30, which does not exist.
    assert_eq!(due("2025-03-26T00:59:59.999999Z", &berlin), "Sun 2025-03-30 01:59:59.999999 +0100");
    assert_eq!(due("2025-03-26T01:00:00Z", &berlin), "Sun 2025-03-30 03:00:00 +0200");
    assert_eq!(due("2025-03-26T01:30:00Z", &berlin), "Sun 2025-03-30 03:00:00 +0200");
    assert_eq!(due("2025-03-26T02:00:00Z", &berlin), "Sun 2025-03-30 03:00:00 +0200");
    assert_eq!(due("2025-03-26T02:00:00.000001Z", &berlin), "Sun 2025-03-30 03:00:00.000001 +0200");
}

#[test]
fn a_midnight_that_a_clock_change_skips_is_the_beginning_of_its_day() {
    // In Beirut, Sunday 2025-03-30 began at 01:00.
    let mut beirut = calendar("Asia/Beirut", &[]);
    beirut.weekend = vec![Weekday::Wed];
    assert_eq!(due("2025-03-26T10:00:00Z", &beirut), "Sun 2025-03-30 01:00:00 +0300");
}

#[test]
fn a_late_evening_that_a_clock_change_skips_is_the_end_of_its_day() {
    // In Nuuk, Saturday 2024-03-30 ended at 23:00.
    let mut nuuk = calendar("America/Nuuk", &[]);
    nuuk.weekend = vec![Weekday::Sun];
    assert_eq!(due("2024-03-28T01:30:00Z", &nuuk), "Sat 2024-03-30 22:59:59.999999 -0200");
}

#[test]
fn of_a_local_time_that_a_clock_change_repeats_the_earlier_counts() {
    let mut berlin = calendar("Europe/Berlin", &[]);
    berlin.weekend = vec![Weekday::Sat];
    assert_eq!(due("2025-10-22T00:30:00Z", &berlin), "Sun 2025-10-26 02:30:00 +0200");
}

#[test]
fn who_asks_in_an_hour_that_is_repeated_is_not_overtaken_by_who_asks_in_its_repetition() {
    let mut berlin = calendar("Europe/Berlin", &[]);
    berlin.weekend = vec![Weekday::Sat];
    // Sunday 2025-10-26, 02:00 to 03:00 happens twice; the first time around counts as its beginning.
    assert_eq!(due("2025-10-25T23:59:59.999999Z", &berlin), "Wed 2025-10-29 01:59:59.999999 +0100");
    assert_eq!(due("2025-10-26T00:00:00Z", &berlin), "Wed 2025-10-29 02:00:00 +0100");
    assert_eq!(due("2025-10-26T00:59:59Z", &berlin), "Wed 2025-10-29 02:00:00 +0100");
    assert_eq!(due("2025-10-26T01:00:00Z", &berlin), "Wed 2025-10-29 02:00:00 +0100");
    assert_eq!(due("2025-10-26T01:30:00Z", &berlin), "Wed 2025-10-29 02:30:00 +0100");
    assert_eq!(due("2025-10-26T02:00:00Z", &berlin), "Wed 2025-10-29 03:00:00 +0100");
}

#[test]
fn a_date_that_did_not_happen_is_no_business_day() {
    // Samoa crossed the date line: Friday 2011-12-30 did not happen there.
    let apia = calendar("Pacific/Apia", &[]);
    assert!(!apia.is_business_day(NaiveDate::from_ymd_opt(2011, 12, 30).unwrap()));
    assert_eq!(due("2011-12-27T20:00:00Z", &apia), "Mon 2012-01-02 10:00:00 +1400");
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
        ..ProptestConfig::with_cases(2_000)
    })]

    #[test]
    fn the_answer_is_due_on_a_business_day_after_exactly_so_many(
        seconds in instants(),
        zone in zones(),
        days in 1_u32..10,
        offsets in prop::collection::btree_set(0_i64..40, 0..8),
        weekend in weekends(),
    ) {
        let received = DateTime::from_timestamp(seconds, 0).unwrap();
        let local = |time: DateTime<Utc>, calendar: &Calendar| time.with_timezone(&calendar.time_zone).date_naive();
        let mut calendar = calendar(zone, &[]);
        (calendar.respond_within_business_days, calendar.weekend) = (days, weekend);
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
    }

    #[test]
    fn who_asks_later_is_not_due_earlier(
        seconds in instants(),
        later in prop_oneof![0_i64..7_200, 0_i64..1_000_000],
        zone in zones(),
        weekend in weekends(),
    ) {
        let mut calendar = calendar(zone, &["2024-12-25", "2025-05-01"]);
        calendar.weekend = weekend;
        let first = DateTime::from_timestamp(seconds, 0).unwrap();
        let second = first.checked_add_signed(TimeDelta::seconds(later)).unwrap();
        prop_assert!(respond_by(second, &calendar) >= respond_by(first, &calendar));
    }
}

/// Zones with clock changes at night, at midnight, before midnight, of half an hour, of a whole day, and none.
fn zones() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "UTC",
        "Asia/Tokyo",
        "America/New_York",
        "Asia/Kolkata",
        "Pacific/Auckland",
        "Europe/Berlin",
        "Asia/Beirut",
        "America/Nuuk",
        "America/Havana",
        "America/Asuncion",
        "Australia/Lord_Howe",
        "Pacific/Apia",
    ])
}

/// Any time of 24 years, and often one about which clocks change: three to six days around them.
fn instants() -> impl Strategy<Value = i64> {
    let near = |text: &str| {
        let middle = at(text).timestamp();
        middle.saturating_sub(600_000)..middle.saturating_add(200_000)
    };
    prop_oneof![
        1_150_000_000_i64..1_900_000_000,
        near("2025-03-30T01:00:00Z"),
        near("2025-10-26T01:00:00Z"),
        near("2024-03-31T01:00:00Z"),
        near("2025-03-09T05:00:00Z"),
        near("2025-11-02T05:00:00Z"),
        near("2025-10-05T15:30:00Z"),
        near("2011-12-30T10:00:00Z"),
    ]
}

fn weekends() -> impl Strategy<Value = Vec<Weekday>> {
    prop::sample::select(vec![
        vec![],
        vec![Weekday::Sat],
        vec![Weekday::Sun],
        vec![Weekday::Sat, Weekday::Sun],
        vec![Weekday::Fri, Weekday::Sat],
    ])
}

#[test]
fn money_is_expected_some_business_days_after_it_left() {
    let window = |left_at: &str| money_expected(at(left_at), shipped()).unwrap();
    // From a Monday to the Thursday, and to the Monday of the second week after.
    let monday = window("2025-03-03T13:00:00Z");
    assert_eq!((monday.from, monday.until), (at("2025-03-06T13:00:00Z"), at("2025-03-17T13:00:00Z")));
    // What leaves on a weekend leaves on the next business morning.
    let saturday = window("2025-03-08T13:00:00Z");
    assert_eq!((saturday.from, saturday.until), (at("2025-03-13T00:00:00Z"), at("2025-03-24T00:00:00Z")));
}

/// The shipped document without the lines that begin like this, and with these beside its parameters.
fn other(without: &str, with: &str) -> Result<Document, String> {
    let kept: Vec<&str> = SHIPPED.lines().filter(|line| !line.starts_with(without)).collect();
    let text = kept.join("\n").replace("[parameters]\n", &format!("[parameters]\n{with}\n"));
    Document::parse(&text).map_err(|error| error.to_string())
}

#[test]
fn a_policy_may_leave_open_when_money_arrives_and_may_not_say_it_by_half() {
    const NAME: &str = "refund_arrives_";
    let silent = other(NAME, "").unwrap();
    assert_eq!(money_expected(at("2025-03-03T13:00:00Z"), &silent), None);
    let same_day = format!("{NAME}after_business_days = 0\n{NAME}within_business_days = 0");
    let left_at = at("2025-03-03T13:00:00Z");
    let window = money_expected(left_at, &other(NAME, &same_day).unwrap()).unwrap();
    assert_eq!((window.from, window.until), (left_at, left_at));
    for (with, field, problem) in [
        (format!("{NAME}after_business_days = 3"), "after", "needs `refund_arrives_within_business_days`"),
        (format!("{NAME}within_business_days = 3"), "within", "needs `refund_arrives_after_business_days`"),
        (
            format!("{NAME}after_business_days = \"3d\"\n{NAME}within_business_days = 9"),
            "after",
            "must be 0 to 60",
        ),
        (
            format!("{NAME}after_business_days = 3\n{NAME}within_business_days = 61"),
            "within",
            "must be 0 to 60",
        ),
        (
            format!("{NAME}after_business_days = 5\n{NAME}within_business_days = 4"),
            "within",
            "must not be less",
        ),
    ] {
        let error = other(NAME, &with).unwrap_err();
        assert!(
            error.contains(problem) && error.contains(&format!("{NAME}{field}_business_days")),
            "{error}"
        );
    }
}
