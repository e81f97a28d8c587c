//! Values of facts, and the map that a decision is made from.

use super::super::share::Share;
use super::super::span::Span;
use super::super::spelling::hint;
use super::{FactKind, FactName};
use crate::domain::request::{Claim, Detail};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The value of one fact. It is written in the notation of the documents: `"7d"`, `"50%"`, `40`, `["suspended"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A word or a text.
    Text(String),
    /// Words.
    Set(BTreeSet<String>),
    /// A count, credits, or minor units of money.
    Number(i64),
    /// A part of a whole.
    Share(Share),
    /// Elapsed time.
    Duration(Span),
    /// An instant.
    Time(DateTime<Utc>),
    /// Text by key.
    Map(BTreeMap<String, String>),
}

/// A value that does not fit the fact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("fact `{name}`: {problem}")]
pub struct FactError {
    /// The fact, as it was written.
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Value {
    /// The number behind counts, credits, money, shares (basis points) and durations (microseconds).
    pub(in crate::policy) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Share(share) => Some(share.basis_points()),
            Self::Duration(span) => Some(span.micros()),
            Self::Bool(_) | Self::Text(_) | Self::Set(_) | Self::Time(_) | Self::Map(_) => None,
        }
    }

    /// Reads what [`Serialize`] writes, for a fact of this kind.
    fn read(kind: FactKind, written: serde_json::Value) -> Result<Self, String> {
        fn typed<T: DeserializeOwned>(written: serde_json::Value) -> Result<T, String> {
            serde_json::from_value(written).map_err(|error| error.to_string())
        }
        let value = match kind {
            FactKind::Bool => Self::Bool(typed(written)?),
            FactKind::Word(_) | FactKind::Text => Self::Text(typed(written)?),
            FactKind::Set(_) => Self::Set(typed(written)?),
            FactKind::Count | FactKind::Credits | FactKind::Minor => Self::Number(typed(written)?),
            FactKind::Share => Self::Share(typed(written)?),
            FactKind::Duration => Self::Duration(typed(written)?),
            FactKind::Time => Self::Time(typed(written)?),
            FactKind::Map => Self::Map(typed(written)?),
        };
        value.fits(kind).map(|()| value)
    }

    /// Whether a fact of this kind may have this value.
    fn fits(&self, kind: FactKind) -> Result<(), String> {
        let known = |word: &String, words: &'static [&'static str]| {
            if words.contains(&word.as_str()) {
                Ok(())
            } else {
                Err(format!("unknown word `{word}`{}", hint(word, words.iter().copied())))
            }
        };
        match (kind, self) {
            (FactKind::Word(words), Self::Text(word)) => known(word, words),
            (FactKind::Set(words), Self::Set(set)) => set.iter().try_for_each(|word| known(word, words)),
            (FactKind::Count | FactKind::Credits | FactKind::Minor, Self::Number(number)) if *number < 0 => {
                Err("must not be negative".to_owned())
            }
            (FactKind::Bool, Self::Bool(_))
            | (FactKind::Text, Self::Text(_))
            | (FactKind::Count | FactKind::Credits | FactKind::Minor, Self::Number(_))
            | (FactKind::Share, Self::Share(_))
            | (FactKind::Duration, Self::Duration(_))
            | (FactKind::Time, Self::Time(_))
            | (FactKind::Map, Self::Map(_)) => Ok(()),
            _ => Err(format!("the value `{self}` is of another kind")),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(truth) => truth.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::Set(words) => words.serialize(serializer),
            Self::Number(number) => number.serialize(serializer),
            Self::Share(share) => share.serialize(serializer),
            Self::Duration(span) => span.serialize(serializer),
            Self::Time(time) => instant(*time).serialize(serializer),
            Self::Map(map) => map.serialize(serializer),
        }
    }
}

/// An instant with all its microseconds, so that it is always written the same way.
fn instant(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(truth) => truth.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Set(words) if words.is_empty() => f.write_str("nothing"),
            Self::Set(words) => f.write_str(&words.iter().map(String::as_str).collect::<Vec<_>>().join(", ")),
            Self::Number(number) => number.fmt(f),
            Self::Share(share) => share.fmt(f),
            Self::Duration(span) => span.fmt(f),
            Self::Time(time) => f.write_str(&instant(*time)),
            Self::Map(map) => {
                let pairs = map.iter().map(|(key, text)| format!("{key}={text}")).collect::<Vec<_>>();
                f.write_str(&pairs.join(", "))
            }
        }
    }
}

/// Everything that a decision depends on, besides the document.
///
/// INVARIANT: every value fits its fact's kind, and `claim` and `received_at` are present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts(BTreeMap<FactName, Value>);

impl Facts {
    /// The least that can be known: what is claimed, and since when.
    #[must_use]
    pub fn new(claim: Claim, received_at: DateTime<Utc>) -> Self {
        let mut facts = Self(BTreeMap::new());
        facts.put(FactName::Claim, Value::Text(word(&claim)));
        facts.put(FactName::ReceivedAt, Value::Time(received_at));
        facts
    }

    /// Sets one fact.
    ///
    /// # Errors
    /// [`FactError`] when the value is of another kind than the fact, an unknown word, or negative.
    pub fn set(&mut self, name: FactName, value: Value) -> Result<(), FactError> {
        value.fits(name.kind()).map_err(|problem| FactError { name: name.name().to_owned(), problem })?;
        self.put(name, value);
        Ok(())
    }

    /// Sets a fact whose value is known to fit.
    pub(in crate::policy) fn put(&mut self, name: FactName, value: Value) {
        self.0.insert(name, value);
    }

    /// Makes a fact one that cannot be known.
    pub(in crate::policy) fn forget(&mut self, name: FactName) {
        self.0.remove(&name);
    }

    /// The value of a fact; `None` when it cannot be known.
    #[must_use]
    pub fn get(&self, name: FactName) -> Option<&Value> {
        self.0.get(&name)
    }

    /// A count, credits, minor units, basis points of a share or microseconds of a duration.
    #[must_use]
    pub fn number(&self, name: FactName) -> Option<i64> {
        self.get(name).and_then(Value::number)
    }

    /// True only when the fact is known to be true.
    #[must_use]
    pub fn is_true(&self, name: FactName) -> bool {
        self.get(name) == Some(&Value::Bool(true))
    }

    /// A word or a text.
    #[must_use]
    pub fn text(&self, name: FactName) -> Option<&str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The words of a set; `None` when the fact is absent.
    #[must_use]
    pub fn words(&self, name: FactName) -> Option<&BTreeSet<String>> {
        match self.get(name) {
            Some(Value::Set(words)) => Some(words),
            _ => None,
        }
    }

    /// An instant.
    #[must_use]
    pub fn time(&self, name: FactName) -> Option<DateTime<Utc>> {
        match self.get(name) {
            Some(Value::Time(time)) => Some(*time),
            _ => None,
        }
    }

    /// What is claimed; `None` only when the invariant is broken.
    #[must_use]
    pub fn claim(&self) -> Option<Claim> {
        self.text(FactName::Claim).and_then(read_word)
    }

    /// The details in a set such as `missing_details`; none when the fact is absent.
    #[must_use]
    pub fn details(&self, name: FactName) -> BTreeSet<Detail> {
        self.words(name).into_iter().flatten().filter_map(|word| read_word(word)).collect()
    }

    /// When the request was received.
    #[must_use]
    pub fn received_at(&self) -> DateTime<Utc> {
        // The invariant says that it is present; the epoch stands for a broken one and shows at once as overdue.
        self.time(FactName::ReceivedAt).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// Since when the customer waits for our next answer (§4.1).
    #[must_use]
    pub fn waiting_since(&self) -> DateTime<Utc> {
        self.time(FactName::WaitingSince).unwrap_or_else(|| self.received_at())
    }

    /// All known facts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (FactName, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// JSON with sorted keys: the same facts are always the same text.
    #[must_use]
    pub fn canonical_json(&self) -> String {
        // Cannot fail: the keys are text and no value has a number that JSON lacks.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// SHA-256 of [`Facts::canonical_json`], in hex.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(self.canonical_json()))
    }
}

impl Serialize for Facts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name.name(), value)))
    }
}

impl<'de> Deserialize<'de> for Facts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
        let refuse = |name: &str, problem: String| {
            serde::de::Error::custom(FactError { name: name.to_owned(), problem })
        };
        let mut facts = BTreeMap::new();
        for (key, value) in written {
            let name = FactName::find(&key).ok_or_else(|| {
                let near = hint(&key, FactName::ALL.iter().map(|fact| fact.name()));
                refuse(&key, format!("there is no such fact{near}"))
            })?;
            let value = Value::read(name.kind(), value).map_err(|problem| refuse(&key, problem))?;
            facts.insert(name, value);
        }
        for name in [FactName::Claim, FactName::ReceivedAt] {
            if !facts.contains_key(&name) {
                return Err(refuse(name.name(), "is needed by every decision".to_owned()));
            }
        }
        Ok(Self(facts))
    }
}

/// The variant that serde reads from a word.
pub(in crate::policy) fn read_word<T: DeserializeOwned>(word: &str) -> Option<T> {
    T::deserialize(IntoDeserializer::<serde::de::value::Error>::into_deserializer(word)).ok()
}

/// The word that serde writes for a variant without data.
pub(in crate::policy) fn word(variant: &impl Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_read_back_what_they_write() {
        let written = r#"{"attributes":{"country":"DE"},"claim":"other","purchase_age":"7d1us","received_at":"2024-12-20T10:00:00.000000Z","standing":["suspended"],"unused":40,"used_share":"33.33%"}"#;
        let facts: Facts = serde_json::from_str(written).unwrap();
        assert_eq!(facts.canonical_json(), written);
        assert_eq!(facts.sha256().len(), 64);
    }

    #[test]
    fn a_fact_that_is_unknown_misfit_or_negative_is_refused_by_name() {
        let refusal = |field: &str| {
            let text = format!(r#"{{"claim":"other","received_at":"2024-12-20T10:00:00Z",{field}}}"#);
            serde_json::from_str::<Facts>(&text).unwrap_err().to_string()
        };
        assert!(refusal(r#""unusd":1"#).contains("did you mean `unused`?"));
        assert!(refusal(r#""unused":-1"#).contains("fact `unused`: must not be negative"));
        assert!(refusal(r#""dispute":"opened""#).contains("did you mean `open`?"));
        assert!(refusal(r#""purchase_age":7"#).contains("fact `purchase_age`"));
        assert!(serde_json::from_str::<Facts>(r#"{"claim":"other"}"#).is_err());
    }

    #[test]
    fn setting_a_fact_checks_its_kind() {
        let mut facts = Facts::new(Claim::Other, DateTime::UNIX_EPOCH);
        assert!(facts.set(FactName::Unused, Value::Number(4)).is_ok());
        assert!(facts.set(FactName::Unused, Value::Bool(true)).is_err());
        assert_eq!(facts.number(FactName::Unused), Some(4));
    }
}
