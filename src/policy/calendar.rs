//! Business days (§4.1): until when a request must be answered.

use chrono::{
    DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc, Weekday,
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
    /// Business days within which a request is answered.
    pub respond_within_business_days: u32,
}

/// Longest promise that makes sense, in business days.
const MAX_RESPOND_DAYS: u32 = 60;

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
        if !(1..=MAX_RESPOND_DAYS).contains(&self.respond_within_business_days) {
            return Err(format!("`respond_within_business_days` must be 1 to {MAX_RESPOND_DAYS}"));
        }
        Ok(())
    }

    /// Whether business is done on this date.
    #[must_use]
    pub fn is_business_day(&self, date: NaiveDate) -> bool {
        !self.weekend.contains(&date.weekday()) && !self.holidays.contains(&date)
    }

    /// The first business day after `date`; `None` only at the end of representable time.
    fn next_business_day(&self, date: NaiveDate) -> Option<NaiveDate> {
        // Every week has a business day unless holidays take it, so this many days always hold one.
        let bound = self.holidays.len().saturating_add(1).saturating_mul(7);
        date.iter_days().skip(1).take(bound).find(|day| self.is_business_day(*day))
    }

    /// The instant of a local time. Where a clock change repeats it, the earlier of the two, so that the promise is
    /// never stretched; where one skips it, a day after the same time of the day before.
    fn instant(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        let exact = |local: NaiveDateTime| self.time_zone.from_local_datetime(&local).earliest();
        let day_before =
            || exact(local.checked_sub_days(Days::new(1))?)?.checked_add_signed(TimeDelta::hours(24));
        exact(local).or_else(day_before).map(|time| time.with_timezone(&Utc))
    }
}

/// Until when a request received at this instant must be answered: the same local time so many business days later
/// (§4.1). A request received on a day without business counts from the start of the next business day.
#[must_use]
pub fn respond_by(received_at: DateTime<Utc>, calendar: &Calendar) -> DateTime<Utc> {
    due(received_at, calendar).unwrap_or(received_at)
}

/// `None` only at the end of representable time.
fn due(received_at: DateTime<Utc>, calendar: &Calendar) -> Option<DateTime<Utc>> {
    let received = received_at.with_timezone(&calendar.time_zone).naive_local();
    let (mut day, time) = if calendar.is_business_day(received.date()) {
        (received.date(), received.time())
    } else {
        (calendar.next_business_day(received.date())?, NaiveTime::MIN)
    };
    for _ in 0..calendar.respond_within_business_days {
        day = calendar.next_business_day(day)?;
    }
    calendar.instant(day.and_time(time))
}
