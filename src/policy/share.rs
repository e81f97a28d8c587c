//! A part of a whole, in hundredths of a percent: `50%`, `33.33%`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Basis points, 0 to [`Share::WHOLE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Share(i64);

/// The text is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a share such as `50%` or `33.33%`, at most `100%`")]
pub struct InvalidShare;

impl Share {
    /// All of it, in basis points.
    pub const WHOLE: i64 = 10_000;

    /// `part` of `whole`, rounded down; nothing of nothing, and never more than all.
    #[must_use]
    pub fn of(part: i64, whole: i64) -> Self {
        let share = i128::from(part.max(0))
            .checked_mul(i128::from(Self::WHOLE))
            .and_then(|scaled| scaled.checked_div(i128::from(whole.max(0))))
            .unwrap_or(0);
        Self(i64::try_from(share).unwrap_or(Self::WHOLE).min(Self::WHOLE))
    }

    /// This part of a number that is not negative, rounded down.
    #[must_use]
    pub fn part_of(self, whole: i64) -> i64 {
        i128::from(whole)
            .checked_mul(i128::from(self.0))
            .and_then(|product| product.checked_div(i128::from(Self::WHOLE)))
            .and_then(|part| i64::try_from(part).ok())
            .unwrap_or(0)
    }

    /// The basis points.
    #[must_use]
    pub const fn basis_points(self) -> i64 {
        self.0
    }

    /// `None` below nothing and above the whole.
    #[must_use]
    pub const fn from_basis_points(points: i64) -> Option<Self> {
        if points < 0 || points > Self::WHOLE { None } else { Some(Self(points)) }
    }

    /// Reads `50%` or `33.33%`, at most two digits after the point.
    ///
    /// # Errors
    /// [`InvalidShare`] for anything else, and above `100%`.
    pub fn parse(text: &str) -> Result<Self, InvalidShare> {
        let number = text.strip_suffix('%').ok_or(InvalidShare)?;
        let (percent, hundredths) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str| (1..=3).contains(&part.len()) && part.chars().all(|c| c.is_ascii_digit());
        if !digits(percent) || !digits(hundredths) || hundredths.len() > 2 {
            return Err(InvalidShare);
        }
        let percent = percent.parse::<i64>().map_err(|_| InvalidShare)?;
        let hundredths = format!("{hundredths:0<2}").parse::<i64>().map_err(|_| InvalidShare)?;
        percent
            .checked_mul(100)
            .and_then(|points| points.checked_add(hundredths))
            .filter(|points| *points <= Self::WHOLE)
            .map(Self)
            .ok_or(InvalidShare)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.0.checked_div(100).unwrap_or(0);
        let hundredths = self.0.checked_rem(100).unwrap_or(0);
        if hundredths == 0 { write!(f, "{percent}%") } else { write!(f, "{percent}.{hundredths:02}%") }
    }
}

impl TryFrom<String> for Share {
    type Error = InvalidShare;
    fn try_from(text: String) -> Result<Self, InvalidShare> {
        Self::parse(&text)
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_reads_back_what_it_prints() {
        for text in ["0%", "50%", "33.33%", "0.05%", "100%"] {
            assert_eq!(Share::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Share::parse("0.5%"), Share::parse("0.50%"));
        for text in ["", "%", "50", "100.01%", "1000%", "-1%", "1.%", ".5%", "1.234%", "5 %"] {
            assert_eq!(Share::parse(text), Err(InvalidShare), "{text}");
        }
    }

    #[test]
    fn a_share_is_rounded_down_and_stays_within_the_whole() {
        assert_eq!(Share::of(1, 3).to_string(), "33.33%");
        assert_eq!(Share::of(5, 0).basis_points(), 0);
        assert_eq!(Share::of(7, 5).basis_points(), Share::WHOLE);
        assert_eq!(Share::of(i64::MAX, i64::MAX).basis_points(), Share::WHOLE);
    }
}
