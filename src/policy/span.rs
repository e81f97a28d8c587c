//! Elapsed time as a policy writes it: `7d`, `48h`, `30m`, or exactly, `7d1us`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A length of elapsed time in whole microseconds, never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(i64);

/// The text is no length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a length of time such as `7d`, `48h`, `30m` or `1h30m`")]
pub struct InvalidSpan;

/// The units of the notation with their microseconds, longest first; each may occur once, in this order.
const UNITS: [(&str, i64); 6] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// Up to three days hours say more than days do: policies write "48 hours" and "7 days".
const THREE_DAYS: i64 = 259_200_000_000;

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// `None` below zero.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros < 0 { None } else { Some(Self(micros)) }
    }

    /// Whole microseconds.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The time from `earlier` to `later`; zero when `later` is in truth earlier.
    #[must_use]
    pub fn between(earlier: DateTime<Utc>, later: DateTime<Utc>) -> Self {
        if later <= earlier {
            return Self::ZERO;
        }
        Self(later.signed_duration_since(earlier).num_microseconds().unwrap_or(i64::MAX))
    }

    /// Reads the notation.
    ///
    /// # Errors
    /// [`InvalidSpan`] when the text is not numbers with units `d h m s ms us` in this order, or is too long a time.
    pub fn parse(text: &str) -> Result<Self, InvalidSpan> {
        let mut rest = text;
        let mut micros = 0_i64;
        let mut units = UNITS.iter();
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(InvalidSpan)?;
            let (number, tail) = rest.split_at_checked(digits).ok_or(InvalidSpan)?;
            let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at_checked(letters).ok_or(InvalidSpan)?;
            let (_, scale) = units.find(|(name, _)| *name == unit).ok_or(InvalidSpan)?;
            let part = number.parse::<i64>().ok().and_then(|n| n.checked_mul(*scale)).ok_or(InvalidSpan)?;
            micros = micros.checked_add(part).ok_or(InvalidSpan)?;
            rest = tail;
        }
        if text.is_empty() { Err(InvalidSpan) } else { Ok(Self(micros)) }
    }

    /// As a person says it, in one unit: `7 days`, `48 hours`, or `more than 7 days` when it is not exact.
    #[must_use]
    pub fn words(self) -> String {
        let (unit, scale) = match self.0 {
            0..120_000_000 => ("second", 1_000_000),
            120_000_000..7_200_000_000 => ("minute", 60_000_000),
            7_200_000_000..THREE_DAYS => ("hour", 3_600_000_000),
            _ => ("day", 86_400_000_000),
        };
        let count = self.0.checked_div(scale).unwrap_or(0);
        let exact = self.0.checked_rem(scale) == Some(0);
        let more = if exact { "" } else { "more than " };
        let plural = if count == 1 { "" } else { "s" };
        format!("{more}{count} {unit}{plural}")
    }
}

impl fmt::Display for Span {
    /// The exact notation, in hours up to three days as in [`Span::words`]; [`Span::parse`] reads it back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        let without_days = usize::from(self.0 < THREE_DAYS);
        for (unit, scale) in UNITS.into_iter().skip(without_days) {
            let count = rest.checked_div(scale).unwrap_or(0);
            rest = rest.checked_rem(scale).unwrap_or(0);
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Span {
    type Error = InvalidSpan;
    fn try_from(text: String) -> Result<Self, InvalidSpan> {
        Self::parse(&text)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notation_reads_back_what_it_prints() {
        for text in ["0s", "7d", "48h", "30m", "7d1us", "1h30m", "6d23h59m59s999ms999us"] {
            let span = Span::parse(text).unwrap();
            assert_eq!(Span::parse(&span.to_string()), Ok(span), "{text}");
        }
        assert_eq!(Span::parse("48h"), Span::parse("2d"));
        assert_eq!(Span::parse("7d1us").unwrap().to_string(), "7d1us");
        assert_eq!(Span::parse("2d1us").unwrap().to_string(), "48h1us");
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for text in ["", "7", "d", "7w", "1h1d", "1d1d", "-1d", " 7d", "7 d", "99999999999999999d", "7d3"] {
            assert_eq!(Span::parse(text), Err(InvalidSpan), "{text}");
        }
    }

    #[test]
    fn people_read_one_unit_and_learn_whether_it_is_exact() {
        let words = |text| Span::parse(text).unwrap().words();
        assert_eq!(words("7d"), "7 days");
        assert_eq!(words("7d1us"), "more than 7 days");
        assert_eq!(words("48h"), "48 hours");
        assert_eq!(words("1m"), "60 seconds");
        assert_eq!(words("0s"), "0 seconds");
        assert_eq!(words("1s"), "1 second");
    }
}
