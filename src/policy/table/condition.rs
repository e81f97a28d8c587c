//! One condition on one fact.

use crate::policy::facts::{FactName, Facts, Value};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// A number to compare with, in the unit of the fact: credits, minor units, basis points, microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The number.
    pub number: i64,
    /// As the document writes it, with the parameter it came from.
    pub written: String,
    /// The parameter that it came from; `None` for a literal.
    pub parameter: Option<String>,
}

/// What is asked of a fact's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// It is true, or false.
    Is(bool),
    /// It is one of these words.
    OneOf(BTreeSet<String>),
    /// It is none of these words.
    NoneOf(BTreeSet<String>),
    /// It is exactly this number.
    Exactly(Bound),
    /// It is this number or more.
    AtLeast(Bound),
    /// It is more than this number.
    MoreThan(Bound),
    /// It is this number or less.
    AtMost(Bound),
    /// It is less than this number.
    LessThan(Bound),
    /// The set has all these words.
    Has(BTreeSet<String>),
    /// The set has at least one of these words.
    HasAny(BTreeSet<String>),
    /// The set has none of these words.
    Lacks(BTreeSet<String>),
    /// The set is empty, or is not.
    Empty(bool),
    /// The set has a word that this other set has not.
    AnyOutside(FactName),
}

/// Tests of one fact, which must all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The fact.
    pub fact: FactName,
    /// The key, when the fact is text by key.
    pub key: Option<String>,
    /// The tests.
    pub tests: Vec<Test>,
}

/// A condition that did not hold, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedCondition {
    /// The fact, such as `purchase_age` or `attributes.country`.
    pub fact: String,
    /// What was wanted, such as `at most 7d (claim_window)`.
    pub wanted: String,
    /// What was found; `None` when the fact is absent.
    pub found: Option<String>,
}

impl fmt::Display for FailedCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fact, wanted, found } = self;
        match found {
            Some(found) => write!(f, "{fact} is {found}, wanted {wanted}"),
            None => write!(f, "{fact} is not known, wanted {wanted}"),
        }
    }
}

impl Condition {
    /// `None` when the condition holds. An absent fact fulfils no condition, not even a negative one.
    #[must_use]
    pub fn failure(&self, facts: &Facts) -> Option<FailedCondition> {
        let value = self.value(facts);
        let value = value.as_deref();
        let failed = self.tests.iter().find(|test| !value.is_some_and(|value| test.holds(value, facts)))?;
        let fact = match &self.key {
            Some(key) => format!("{}.{key}", self.fact.name()),
            None => self.fact.name().to_owned(),
        };
        Some(FailedCondition { fact, wanted: failed.to_string(), found: value.map(ToString::to_string) })
    }

    /// Whether it holds.
    pub(super) fn holds(&self, facts: &Facts) -> bool {
        let value = self.value(facts);
        value.is_some_and(|value| self.tests.iter().all(|test| test.holds(&value, facts)))
    }

    /// The value that is tested; `None` when it is absent.
    fn value<'a>(&self, facts: &'a Facts) -> Option<Cow<'a, Value>> {
        let value = facts.get(self.fact);
        match (self.key.as_deref(), value) {
            (None, value) => value.map(Cow::Borrowed),
            (Some(key), Some(Value::Map(map))) => {
                map.get(key).map(|text| Cow::Owned(Value::Text(text.clone())))
            }
            (Some(_), _) => None,
        }
    }
}

impl Test {
    /// The bound of a comparison.
    #[must_use]
    pub const fn bound(&self) -> Option<&Bound> {
        match self {
            Self::Exactly(bound)
            | Self::AtLeast(bound)
            | Self::MoreThan(bound)
            | Self::AtMost(bound)
            | Self::LessThan(bound) => Some(bound),
            _ => None,
        }
    }

    fn holds(&self, value: &Value, facts: &Facts) -> bool {
        match (self, value) {
            (Self::Is(wanted), Value::Bool(truth)) => wanted == truth,
            (Self::OneOf(words), Value::Text(word)) => words.contains(word),
            (Self::NoneOf(words), Value::Text(word)) => !words.contains(word),
            (Self::Has(words), Value::Set(set)) => words.is_subset(set),
            (Self::HasAny(words), Value::Set(set)) => !words.is_disjoint(set),
            (Self::Lacks(words), Value::Set(set)) => words.is_disjoint(set),
            (Self::Empty(wanted), Value::Set(set)) => *wanted == set.is_empty(),
            (Self::AnyOutside(other), Value::Set(set)) => {
                facts.words(*other).is_some_and(|other| !set.is_subset(other))
            }
            _ => value.number().is_some_and(|number| self.compares(number)),
        }
    }

    fn compares(&self, number: i64) -> bool {
        match self {
            Self::Exactly(bound) => number == bound.number,
            Self::AtLeast(bound) => number >= bound.number,
            Self::MoreThan(bound) => number > bound.number,
            Self::AtMost(bound) => number <= bound.number,
            Self::LessThan(bound) => number < bound.number,
            _ => false,
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |words: &BTreeSet<String>| words.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        match self {
            Self::Is(truth) => truth.fmt(f),
            Self::OneOf(words) if words.len() == 1 => f.write_str(&list(words)),
            Self::OneOf(words) => write!(f, "one of {}", list(words)),
            Self::NoneOf(words) => write!(f, "not {}", list(words)),
            Self::Exactly(bound) => f.write_str(&bound.written),
            Self::AtLeast(bound) => write!(f, "at least {}", bound.written),
            Self::MoreThan(bound) => write!(f, "more than {}", bound.written),
            Self::AtMost(bound) => write!(f, "at most {}", bound.written),
            Self::LessThan(bound) => write!(f, "less than {}", bound.written),
            Self::Has(words) => write!(f, "has {}", list(words)),
            Self::HasAny(words) => write!(f, "has any of {}", list(words)),
            Self::Lacks(words) => write!(f, "lacks {}", list(words)),
            Self::Empty(true) => f.write_str("empty"),
            Self::Empty(false) => f.write_str("not empty"),
            Self::AnyOutside(fact) => write!(f, "something outside {}", fact.name()),
        }
    }
}
