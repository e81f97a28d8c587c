//! Until when a request must be answered (§4.1) and when money arrives (§4.2), in business days, and until when a question
//! waits.

use super::document::Document;
use super::parameters::Parameters;
use crate::domain::refund::ExpectedWindow;
use chrono::{
    DateTime, Datelike, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta,
    TimeZone, Utc, Weekday,
};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most holidays that a document may list: decades of them, and still a search that ends at once.
pub const MAX_HOLIDAYS: usize = 1_000;

/// The business calendar of one policy version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// Where the desk is: its midnight begins and ends days.
    pub time_zone: Tz,
    /// Days of the week without business, such as `saturday`.
    pub weekend: Vec<Weekday>,
    /// Dates without business.
    pub holidays: BTreeSet<NaiveDate>,
    /// Business days within which a request is answered; 0 where the term is in hours.
    #[serde(default)]
    pub respond_within_business_days: u32,
    /// Hours within which a request is answered, day and night; 0 where the term is in business days.
    #[serde(default)]
    pub respond_within_hours: u32,
}

/// Longest promise that makes sense, in business days.
const MAX_RESPOND_DAYS: u32 = 60;

/// Longest promise that makes sense, in hours: as many days.
const MAX_RESPOND_HOURS: u32 = 1_440;

const NOON_SECONDS: u32 = 43_200;

/// The parameter that says how long a question waits for its answer; a policy without it lets it wait for ever.
const QUESTION_TERM: &str = "question_term";

/// No clock is further from UTC, so a skipped local time lies within this of itself read as UTC.
const SEARCH: TimeDelta = TimeDelta::hours(26);

impl Calendar {
    /// Says what makes the calendar unusable.
    pub(super) fn check(&self) -> Result<(), String> {
        let weekend: BTreeSet<u32> = self.weekend.iter().map(Weekday::num_days_from_monday).collect();
        if weekend.len() > 6 {
            return Err("`weekend` leaves no business day".to_owned());
        }
        if self.holidays.len() > MAX_HOLIDAYS {
            return Err(format!("`holidays` may list at most {MAX_HOLIDAYS} days"));
        }
        match (self.respond_within_business_days, self.respond_within_hours) {
            (1..=MAX_RESPOND_DAYS, 0) | (0, 1..=MAX_RESPOND_HOURS) => {}
            (_, 0) => return Err(format!("`respond_within_business_days` must be 1 to {MAX_RESPOND_DAYS}")),
            (0, _) => return Err(format!("`respond_within_hours` must be 1 to {MAX_RESPOND_HOURS}")),
            _ => return Err("a term is in business days or in hours, not in both".to_owned()),
        }
        Ok(())
    }

    /// Whether business is done on this date. A date that the desk's clocks skipped, as when a country crosses the
    /// date line, has no business.
    #[must_use]
    pub fn is_business_day(&self, date: NaiveDate) -> bool {
        !self.weekend.contains(&date.weekday()) && !self.holidays.contains(&date) && self.happens(date)
    }

    /// Clock changes are made at night, so a date without a noon did not happen at all.
    fn happens(&self, date: NaiveDate) -> bool {
        let noon = NaiveTime::from_num_seconds_from_midnight_opt(NOON_SECONDS, 0).unwrap_or_default();
        self.time_zone.from_local_datetime(&date.and_time(noon)).earliest().is_some()
    }

    /// The first business day after `date`; `None` only at the end of representable time.
    fn next_business_day(&self, date: NaiveDate) -> Option<NaiveDate> {
        // Every week has a business day unless holidays or a skipped date take it, so this many days always hold one.
        let bound = self.holidays.len().saturating_add(2).saturating_mul(7);
        date.iter_days().skip(1).take(bound).find(|day| self.is_business_day(*day))
    }

    fn local(&self, instant: DateTime<Utc>) -> NaiveDateTime {
        instant.with_timezone(&self.time_zone).naive_local()
    }

    /// The local time at which a request counts as received. Where a clock change repeats an hour, all that comes the
    /// first time around counts from the hour's beginning: so who asks later is never due earlier, and the promise is
    /// never stretched.
    fn counted_from(&self, received_at: DateTime<Utc>) -> NaiveDateTime {
        let local = self.local(received_at);
        let LocalResult::Ambiguous(first, second) = self.time_zone.from_local_datetime(&local) else {
            return local;
        };
        let again = second.with_timezone(&Utc);
        if received_at >= again {
            return local;
        }
        let changed = |instant: DateTime<Utc>| self.offset(instant) == self.offset(again);
        let change = first_when(first.with_timezone(&Utc), again, changed);
        self.local(change).min(local)
    }

    fn offset(&self, instant: DateTime<Utc>) -> FixedOffset {
        self.time_zone.offset_from_utc_datetime(&instant.naive_utc()).fix()
    }

    /// The instant of a local time. Where a clock change repeats it, the earlier of the two, so that the promise is
    /// never stretched. Where one skips it, the first instant that the clocks show afterwards, or, when that is
    /// another day already, the last one before.
    fn instant(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        if let Some(time) = self.time_zone.from_local_datetime(&local).earliest() {
            return Some(time.with_timezone(&Utc));
        }
        let [early, late] = [local.checked_sub_signed(SEARCH)?, local.checked_add_signed(SEARCH)?];
        let after = first_when(early.and_utc(), late.and_utc(), |instant| self.local(instant) >= local);
        if self.local(after).date() == local.date() {
            return Some(after);
        }
        after.checked_sub_signed(TimeDelta::microseconds(1))
    }
}

/// The first instant after `early`, up to `late`, at which `holds`; it holds at `late` and from its beginning on.
fn first_when(
    early: DateTime<Utc>,
    late: DateTime<Utc>,
    holds: impl Fn(DateTime<Utc>) -> bool,
) -> DateTime<Utc> {
    let (mut early, mut late) = (early, late);
    while let Some(half) = late.signed_duration_since(early).num_microseconds().filter(|micros| *micros > 1) {
        let half = TimeDelta::microseconds(half.checked_div(2).unwrap_or_default());
        let Some(middle) = early.checked_add_signed(half) else { break };
        if holds(middle) {
            late = middle;
        } else {
            early = middle;
        }
    }
    late
}

/// Until when a customer who waits since this instant must be answered: the same local time so many business days
/// later (§4.1), or so many hours of elapsed time. On a day without business the wait for business days begins with
/// the next business day.
#[must_use]
pub fn respond_by(since: DateTime<Utc>, calendar: &Calendar) -> DateTime<Utc> {
    due(since, calendar).unwrap_or(since)
}

/// When a customer can expect money that left at this instant (§4.2); `None` under a policy that does not say.
#[must_use]
pub fn money_expected(left_at: DateTime<Utc>, policy: &Document) -> Option<ExpectedWindow> {
    let (least, most) = policy.parameters().refund_business_days()?;
    let calendar = policy.calendar();
    let from = business_days_after(left_at, least, calendar)?;
    let until = business_days_after(left_at, most, calendar)?;
    Some(ExpectedWindow { from, until })
}

/// `None` only at the end of representable time.
fn due(since: DateTime<Utc>, calendar: &Calendar) -> Option<DateTime<Utc>> {
    if calendar.respond_within_hours > 0 {
        return since.checked_add_signed(TimeDelta::hours(i64::from(calendar.respond_within_hours)));
    }
    business_days_after(since, calendar.respond_within_business_days, calendar)
}

/// The same local time so many business days later; `None` only at the end of representable time.
fn business_days_after(since: DateTime<Utc>, days: u32, calendar: &Calendar) -> Option<DateTime<Utc>> {
    let from = calendar.counted_from(since);
    let (mut day, time) = if calendar.is_business_day(from.date()) {
        (from.date(), from.time())
    } else {
        (calendar.next_business_day(from.date())?, NaiveTime::MIN)
    };
    for _ in 0..days {
        day = calendar.next_business_day(day)?;
    }
    calendar.instant(day.and_time(time))
}

/// When a question ends its request that nobody answered (§5.2); `None` for never.
#[must_use]
pub fn question_ends(asked_at: DateTime<Utc>, parameters: &Parameters) -> Option<DateTime<Utc>> {
    let term = parameters.duration(QUESTION_TERM)?;
    asked_at.checked_add_signed(TimeDelta::microseconds(term.micros()))
}
