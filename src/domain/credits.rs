//! Credits: whole, never negative.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A sum left the range that credits or money may have. Never reached by inputs within their bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an amount left its range")]
pub struct OutOfRange;

/// A number of credits, 0 or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Credits(i64);

impl Credits {
    /// No credits.
    pub const ZERO: Self = Self(0);
    /// Most credits that one call may name: far above any package, far below where sums overflow.
    pub const MAX_PER_CALL: Self = Self(1_000_000_000_000);

    /// `None` below zero.
    #[must_use]
    pub const fn new(credits: i64) -> Option<Self> {
        if credits < 0 { None } else { Some(Self(credits)) }
    }

    /// The plain number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`OutOfRange`] on overflow.
    pub fn plus(self, other: Self) -> Result<Self, OutOfRange> {
        self.0.checked_add(other.0).map(Self).ok_or(OutOfRange)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`OutOfRange`] when `other` is more than `self`.
    pub fn minus(self, other: Self) -> Result<Self, OutOfRange> {
        self.0.checked_sub(other.0).and_then(Self::new).ok_or(OutOfRange)
    }

    /// The difference, or zero when `other` is more.
    #[must_use]
    pub fn minus_at_most(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }

    /// `floor(self × part / whole)`: how a partial output is charged and a partial dispute revoked.
    ///
    /// # Errors
    /// [`OutOfRange`] when `whole` is not positive, `part` is negative, or the result does not fit.
    pub fn share(self, part: i64, whole: i64) -> Result<Self, OutOfRange> {
        if whole <= 0 || part < 0 {
            return Err(OutOfRange);
        }
        i128::from(self.0)
            .checked_mul(i128::from(part))
            .and_then(|product| product.checked_div(i128::from(whole)))
            .and_then(|share| i64::try_from(share).ok())
            .map(Self)
            .ok_or(OutOfRange)
    }

    /// The sum of many.
    ///
    /// # Errors
    /// [`OutOfRange`] on overflow.
    pub fn sum(credits: impl IntoIterator<Item = Self>) -> Result<Self, OutOfRange> {
        credits.into_iter().try_fold(Self::ZERO, Self::plus)
    }
}

impl TryFrom<i64> for Credits {
    type Error = OutOfRange;
    fn try_from(credits: i64) -> Result<Self, OutOfRange> {
        Self::new(credits).ok_or(OutOfRange)
    }
}

impl From<Credits> for i64 {
    fn from(credits: Credits) -> Self {
        credits.0
    }
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
