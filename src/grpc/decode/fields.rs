//! Reads single fields and remembers what is wrong with them.

use crate::command::{PurchaseReference, TimeWindow};
use crate::domain::credits::Credits;
use crate::domain::ids::{Attempt, InvalidId, JobId, PaymentId, Provider, PurchaseId, RequestId, check_text};
use crate::domain::money::{Currency, Money};
use crate::domain::redacted::FreeText;
use crate::grpc::page::size_of;
use crate::grpc::status::{self, Violation};
use crate::proto::makegood::v1;
use chrono::{DateTime, TimeDelta, Utc};
use prost_types::Timestamp;
use tonic::Status;

/// 2020-01-01T00:00:00Z in seconds: nothing that we are told of happened earlier.
pub(in crate::grpc) const EARLIEST: i64 = 1_577_836_800;

/// 2100-01-01T00:00:00Z in seconds: no rehearsal is later.
pub(in crate::grpc) const LATEST_TEST_CLOCK: i64 = 4_102_444_800;

/// How far a caller's clock may be ahead of ours.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// 2200-01-01T00:00:00Z in seconds: an expiry later than this is a mistake; leave it out for "never".
const LATEST_EXPIRY: i64 = 7_258_118_400;

const MISSING: &str = "is required";

/// The fields of one message: reads them, and keeps what is wrong.
pub(super) struct Fields {
    now: DateTime<Utc>,
    violations: Vec<Violation>,
}

impl Fields {
    pub(super) const fn at(now: DateTime<Utc>) -> Self {
        Self { now, violations: Vec::new() }
    }

    /// Says that a field is wrong.
    pub(super) fn wrong<T>(&mut self, field: &str, description: impl Into<String>) -> Option<T> {
        self.violations.push(Violation { field: field.to_owned(), description: description.into() });
        None
    }

    /// The status that names everything wrong. Called when a required value is missing, so there is something.
    pub(super) fn refuse(self) -> Status {
        status::invalid(self.violations)
    }

    /// The value, if nothing at all was wrong.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Status> {
        match value {
            Some(value) if self.violations.is_empty() => Ok(value),
            _ => Err(self.refuse()),
        }
    }

    pub(super) fn id<T: TryFrom<String, Error = InvalidId>>(
        &mut self,
        field: &str,
        text: String,
    ) -> Option<T> {
        if text.is_empty() {
            return self.wrong(field, MISSING);
        }
        match T::try_from(text) {
            Ok(id) => Some(id),
            Err(error) => self.wrong(field, error.to_string()),
        }
    }

    /// An id that may be left out.
    pub(super) fn optional_id<T: TryFrom<String, Error = InvalidId>>(
        &mut self,
        field: &str,
        text: String,
    ) -> Option<Option<T>> {
        if text.is_empty() { Some(None) } else { self.id(field, text).map(Some) }
    }

    /// An id of ours.
    pub(super) fn own_id<T>(
        &mut self,
        field: &str,
        text: &str,
        parse: fn(&str) -> Result<T, InvalidId>,
    ) -> Option<T> {
        if text.is_empty() {
            return self.wrong(field, MISSING);
        }
        match parse(text) {
            Ok(id) => Some(id),
            Err(error) => self.wrong(field, error.to_string()),
        }
    }

    pub(super) fn request_id(&mut self, text: &str) -> Option<RequestId> {
        let id = self.own_id("request_id", text, RequestId::parse)?;
        if id.0.is_nil() { self.wrong("request_id", "must not be the nil UUID") } else { Some(id) }
    }

    /// Text of a bounded length that may be empty. Line breaks and tabs are allowed, other control characters not.
    pub(super) fn text(&mut self, field: &str, text: String, max_bytes: usize) -> Option<String> {
        let flat: String = text.chars().filter(|c| !matches!(c, '\n' | '\r' | '\t')).collect();
        if flat.is_empty() && text.len() <= max_bytes {
            return Some(text);
        }
        match check_text(&flat, max_bytes) {
            Ok(()) if text.len() <= max_bytes => Some(text),
            Ok(()) => self.wrong(field, InvalidId::TooLong(max_bytes).to_string()),
            Err(error) => self.wrong(field, error.to_string()),
        }
    }

    /// Text that must say something.
    pub(super) fn required_text(&mut self, field: &str, text: String, max_bytes: usize) -> Option<String> {
        if text.trim().is_empty() { self.wrong(field, MISSING) } else { self.text(field, text, max_bytes) }
    }

    /// The same for what a person wrote, or a place that may name one.
    pub(super) fn prose(&mut self, field: &str, text: String, max_bytes: usize) -> Option<FreeText> {
        self.text(field, text, max_bytes).map(FreeText::new)
    }

    pub(super) fn required_prose(&mut self, field: &str, text: String, max_bytes: usize) -> Option<FreeText> {
        self.required_text(field, text, max_bytes).map(FreeText::new)
    }

    pub(super) fn credits(&mut self, field: &str, credits: i64) -> Option<Credits> {
        if credits == 0 {
            return self.wrong(field, "must be at least 1");
        }
        self.credits_or_none(field, credits)
    }

    pub(super) fn credits_or_none(&mut self, field: &str, credits: i64) -> Option<Credits> {
        match Credits::new(credits) {
            Some(credits) if credits <= Credits::MAX_PER_CALL => Some(credits),
            Some(_) => self.wrong(field, format!("must be at most {}", Credits::MAX_PER_CALL)),
            None => self.wrong(field, "must not be negative"),
        }
    }

    /// A number between bounds, both included.
    pub(super) fn number<T: PartialOrd + std::fmt::Display + Copy>(
        &mut self,
        field: &str,
        number: T,
        (least, most): (T, T),
    ) -> Option<T> {
        if number < least || number > most {
            return self.wrong(field, format!("must be between {least} and {most}"));
        }
        Some(number)
    }

    pub(super) fn attempt(&mut self, prefix: &str, job_id: String, number: i32) -> Option<Attempt> {
        let job_id = self.id::<JobId>(&format!("{prefix}job_id"), job_id);
        let number = self.number(&format!("{prefix}attempt"), number, (1, Attempt::MAX_NUMBER));
        Some(Attempt { job_id: job_id?, number: number? })
    }

    pub(super) fn money(&mut self, field: &str, money: Option<v1::Money>) -> Option<Money> {
        let Some(v1::Money { currency_code, minor_units }) = money else {
            return self.wrong(field, MISSING);
        };
        let currency = match Currency::parse(&currency_code) {
            Ok(currency) => Some(currency),
            Err(error) => self.wrong(&format!("{field}.currency_code"), error.to_string()),
        };
        let minor_units =
            self.number(&format!("{field}.minor_units"), minor_units, (0, Money::MAX_MINOR_UNITS));
        Money::new(currency?, minor_units?)
    }

    /// When something happened: between 2020 and five minutes from now.
    pub(super) fn past(&mut self, field: &str, time: Option<Timestamp>) -> Option<DateTime<Utc>> {
        let time = self.time(field, time)?;
        let latest = self.now.checked_add_signed(CLOCK_SKEW).unwrap_or(self.now);
        if time.timestamp() < EARLIEST || time > latest {
            return self.wrong(field, "must be between 2020-01-01T00:00:00Z and five minutes from now");
        }
        Some(time)
    }

    /// When something happened, if told.
    pub(super) fn optional_past(
        &mut self,
        field: &str,
        time: Option<Timestamp>,
    ) -> Option<Option<DateTime<Utc>>> {
        if time.is_none() { Some(None) } else { self.past(field, time).map(Some) }
    }

    /// When something ends, if ever.
    pub(super) fn expiry(&mut self, field: &str, time: Option<Timestamp>) -> Option<Option<DateTime<Utc>>> {
        if time.is_none() {
            return Some(None);
        }
        let time = self.time(field, time)?;
        if !(EARLIEST..LATEST_EXPIRY).contains(&time.timestamp()) {
            return self.wrong(field, "must be between 2020 and 2200; leave it out for never");
        }
        Some(Some(time))
    }

    /// Where a span of time begins or ends, if it does.
    pub(super) fn bound(&mut self, field: &str, time: Option<Timestamp>) -> Option<Option<DateTime<Utc>>> {
        if time.is_none() { Some(None) } else { self.time(field, time).map(Some) }
    }

    /// A span of time to look at. It may end in the future: "this month" is asked for on its first day too.
    pub(super) fn window(&mut self, field: &str, window: Option<v1::TimeWindow>) -> Option<TimeWindow> {
        let v1::TimeWindow { start_time, end_time } = window.unwrap_or_default();
        let start = self.bound(&format!("{field}.start_time"), start_time);
        let end = self.bound(&format!("{field}.end_time"), end_time);
        let window = TimeWindow { start: start?, end: end? };
        if let (Some(start), Some(end)) = (window.start, window.end)
            && end < start
        {
            return self.wrong(&format!("{field}.end_time"), "must not be earlier than `start_time`");
        }
        Some(window)
    }

    /// How many items a page has at most (AIP-158).
    pub(super) fn page_size(&mut self, told: i32) -> Option<usize> {
        size_of(told).or_else(|| self.wrong("page_size", "must not be negative"))
    }

    /// An id of ours that may be left out.
    pub(super) fn optional_own_id<T>(
        &mut self,
        field: &str,
        text: &str,
        parse: fn(&str) -> Result<T, InvalidId>,
    ) -> Option<Option<T>> {
        if text.is_empty() { Some(None) } else { self.own_id(field, text, parse).map(Some) }
    }

    /// Words of an enumeration, at most so many; none for all of them.
    pub(super) fn words<E: TryFrom<i32>, T>(
        &mut self,
        field: &str,
        numbers: &[i32],
        most: usize,
        read: fn(E) -> Option<T>,
    ) -> Option<Vec<T>> {
        if numbers.len() > most {
            return self.wrong(field, format!("must have at most {most} items"));
        }
        let read: Vec<_> = numbers.iter().map(|number| self.word(field, *number, read)).collect();
        read.into_iter().collect()
    }

    /// A point in time as our database keeps it: in whole microseconds.
    fn time(&mut self, field: &str, time: Option<Timestamp>) -> Option<DateTime<Utc>> {
        let Some(Timestamp { seconds, nanos }) = time else { return self.wrong(field, MISSING) };
        let micros = u32::try_from(nanos)
            .ok()
            .filter(|nanos| *nanos < 1_000_000_000)
            .and_then(|n| n.checked_div(1_000));
        let time = micros.and_then(|micros| DateTime::from_timestamp(seconds, micros.checked_mul(1_000)?));
        if time.is_none() { self.wrong(field, "is not a point in time") } else { time }
    }

    /// One of the words of an enumeration; `read` knows none for the unspecified one.
    pub(super) fn word<E: TryFrom<i32>, T>(
        &mut self,
        field: &str,
        number: i32,
        read: fn(E) -> Option<T>,
    ) -> Option<T> {
        if number == 0 {
            return self.wrong(field, MISSING);
        }
        match E::try_from(number).ok().and_then(read) {
            Some(value) => Some(value),
            None => self.wrong(field, format!("{number} is not a value of this enumeration")),
        }
    }

    pub(super) fn purchase(
        &mut self,
        field: &str,
        reference: Option<v1::PurchaseReference>,
    ) -> Option<PurchaseReference> {
        use v1::purchase_reference::Reference;
        let reference = reference.and_then(|v1::PurchaseReference { reference }| reference);
        match reference {
            None => self.wrong(field, MISSING),
            Some(Reference::PurchaseId(id)) => {
                let id = self.own_id(&format!("{field}.purchase_id"), &id, PurchaseId::parse)?;
                Some(PurchaseReference::Purchase(id))
            }
            Some(Reference::OrderId(id)) => {
                Some(PurchaseReference::Order(self.id(&format!("{field}.order_id"), id)?))
            }
            Some(Reference::Payment(v1::Payment { provider, payment_id })) => {
                let provider = self.id::<Provider>(&format!("{field}.payment.provider"), provider);
                let payment_id = self.id::<PaymentId>(&format!("{field}.payment.payment_id"), payment_id);
                Some(PurchaseReference::Payment(provider?, payment_id?))
            }
        }
    }
}
