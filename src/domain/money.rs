//! Money: an ISO 4217 currency and whole minor units (none for JPY, three digits for KWD).

use super::credits::OutOfRange;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An ISO 4217 currency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(iso_currency::Currency);

/// The text is no ISO 4217 alphabetic code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an ISO 4217 code in capitals, such as `USD`")]
pub struct UnknownCurrency;

impl Currency {
    /// Reads an alphabetic code.
    ///
    /// # Errors
    /// [`UnknownCurrency`] when ISO 4217 does not list the code in capitals.
    pub fn parse(code: &str) -> Result<Self, UnknownCurrency> {
        iso_currency::Currency::from_code(code).map(Self).ok_or(UnknownCurrency)
    }

    /// The three letters.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Digits after the decimal point of the major unit: 0 for JPY, 2 for USD, 3 for KWD.
    #[must_use]
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }
}

impl TryFrom<String> for Currency {
    type Error = UnknownCurrency;
    fn try_from(code: String) -> Result<Self, UnknownCurrency> {
        Self::parse(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount of money, 0 or more, in minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// The currency.
    pub currency: Currency,
    /// Cents, yen, fils: 0 or more.
    pub minor_units: i64,
}

impl Money {
    /// Largest amount that one call may name, in minor units.
    pub const MAX_MINOR_UNITS: i64 = 1_000_000_000_000;

    /// An amount; `None` below zero.
    #[must_use]
    pub const fn new(currency: Currency, minor_units: i64) -> Option<Self> {
        if minor_units < 0 { None } else { Some(Self { currency, minor_units }) }
    }

    /// Nothing of this currency.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self { currency, minor_units: 0 }
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.minor_units == 0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`OutOfRange`] on overflow or when the currencies differ.
    pub fn plus(self, other: Self) -> Result<Self, OutOfRange> {
        if self.currency != other.currency {
            return Err(OutOfRange);
        }
        let minor_units = self.minor_units.checked_add(other.minor_units).ok_or(OutOfRange)?;
        Ok(Self { currency: self.currency, minor_units })
    }
}

impl fmt::Display for Money {
    /// As people write it: `19.99 USD`, `1200 JPY`, `3.500 KWD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.currency.exponent();
        let scale = 10_i64.checked_pow(digits).unwrap_or(1);
        let major = self.minor_units.checked_div(scale).unwrap_or(self.minor_units);
        if digits == 0 {
            return write!(f, "{major} {}", self.currency);
        }
        let minor = self.minor_units.checked_rem(scale).unwrap_or(0);
        let width = usize::try_from(digits).unwrap_or(2);
        write!(f, "{major}.{minor:0width$} {}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_prints_with_the_digits_of_its_currency() {
        let show =
            |code, minor| Money { currency: Currency::parse(code).unwrap(), minor_units: minor }.to_string();
        assert_eq!(show("USD", 1999), "19.99 USD");
        assert_eq!(show("USD", 5), "0.05 USD");
        assert_eq!(show("JPY", 1200), "1200 JPY");
        assert_eq!(show("KWD", 3500), "3.500 KWD");
    }

    #[test]
    fn a_code_that_iso_4217_does_not_list_is_refused() {
        for code in ["", "usd", "US", "ABC", "USDX"] {
            assert_eq!(Currency::parse(code), Err(UnknownCurrency), "{code}");
        }
    }
}
