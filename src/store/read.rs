//! From columns to domain values. A row that cannot be is an error that names table, column and key.

use super::Error;
use crate::domain::credits::Credits;
use crate::domain::entry::Hash;
use crate::domain::ids::InvalidId;
use crate::domain::money::{Currency, Money};

/// Where a value was read, for the error when it cannot be.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) table: &'static str,
    pub(super) key: &'a dyn std::fmt::Display,
}

impl Place<'_> {
    pub(super) fn corrupt(self, column: &'static str) -> Error {
        Error::CorruptRow { table: self.table, column, key: self.key.to_string() }
    }

    pub(super) fn credits(self, column: &'static str, value: i64) -> Result<Credits, Error> {
        Credits::new(value).ok_or_else(|| self.corrupt(column))
    }

    /// A stored word, by the `parse` of its enumeration.
    pub(super) fn word<T>(
        self,
        column: &'static str,
        value: &str,
        parse: fn(&str) -> Option<T>,
    ) -> Result<T, Error> {
        parse(value).ok_or_else(|| self.corrupt(column))
    }

    pub(super) fn id<T: TryFrom<String, Error = InvalidId>>(
        self,
        column: &'static str,
        value: String,
    ) -> Result<T, Error> {
        T::try_from(value).map_err(|_| self.corrupt(column))
    }

    pub(super) fn money(
        self,
        column: &'static str,
        currency: &str,
        minor_units: i64,
    ) -> Result<Money, Error> {
        let currency = Currency::parse(currency).map_err(|_| self.corrupt(column))?;
        Money::new(currency, minor_units).ok_or_else(|| self.corrupt(column))
    }

    pub(super) fn hash(self, column: &'static str, value: Vec<u8>) -> Result<Hash, Error> {
        Hash::try_from(value).map_err(|_| self.corrupt(column))
    }

    pub(super) fn json<T: serde::de::DeserializeOwned>(
        self,
        column: &'static str,
        value: serde_json::Value,
    ) -> Result<T, Error> {
        serde_json::from_value(value).map_err(|_| self.corrupt(column))
    }
}

/// The JSON form of a domain value for a `jsonb` column. Domain values always have one.
pub(super) fn to_json(value: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}
