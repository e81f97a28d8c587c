//! The numbers that a policy states: windows, thresholds, limits, required details.

use super::share::Share;
use super::span::Span;
use super::spelling::hint;
use crate::domain::money::Currency;
use crate::domain::request::{Claim, Detail};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One named parameter; its notation says its kind: `"7d"`, `"50%"`, `3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Parameter {
    /// A count, credits or minor units.
    Number(i64),
    /// Elapsed time.
    Duration(Span),
    /// A part of a whole.
    Share(Share),
}

impl Parameter {
    /// As a person says it in a sentence.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Duration(span) => span.words(),
            Self::Share(share) => share.to_string(),
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Duration(span) => span.fmt(f),
            Self::Share(share) => share.fmt(f),
        }
    }
}

/// What a machine may approve by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Most money that one decision may pay, in minor units by currency. A currency that is not listed goes to a
    /// person.
    pub approve_at_most: BTreeMap<Currency, i64>,
    /// Most refunds that an account may have had within `recent_refund_window`; more go to a person.
    pub recent_refunds_at_most: i64,
    /// How long a refund counts as recent.
    pub recent_refund_window: Span,
}

/// The parameters of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    named: BTreeMap<String, Parameter>,
    discretionary: BTreeSet<String>,
    required: BTreeMap<Claim, BTreeSet<Detail>>,
    limits: Limits,
    duplicate_window: Span,
    purchase_date_tolerance: Span,
    outage_failures: i64,
}

impl Parameters {
    /// Checks that the parameters which facts are computed with are there, and that nothing is out of range.
    pub(super) fn new(
        named: BTreeMap<String, Parameter>,
        discretionary: Vec<String>,
        required: BTreeMap<Claim, BTreeSet<Detail>>,
        limits: Limits,
    ) -> Result<Self, (&'static str, String)> {
        for (name, parameter) in &named {
            if matches!(parameter, Parameter::Number(number) if *number < 0) {
                return Err(("parameters", format!("`{name}` must not be negative")));
            }
        }
        for name in &discretionary {
            if !named.contains_key(name) {
                let near = hint(name, named.keys().map(String::as_str));
                return Err(("discretionary", format!("there is no parameter `{name}`{near}")));
            }
        }
        if limits.recent_refunds_at_most < 0 || limits.approve_at_most.values().any(|minor| *minor < 0) {
            return Err(("limits", "must not be negative".to_owned()));
        }
        let duration = |name: &str| match named.get(name) {
            Some(Parameter::Duration(span)) => Ok(*span),
            _ => Err(("parameters", format!("needs `{name}`, a length of time"))),
        };
        let outage_failures = match named.get("outage_failures") {
            Some(Parameter::Number(failures)) if *failures > 0 => *failures,
            _ => return Err(("parameters", "needs `outage_failures`, a count above 0".to_owned())),
        };
        Ok(Self {
            duplicate_window: duration("duplicate_window")?,
            purchase_date_tolerance: duration("purchase_date_tolerance")?,
            outage_failures,
            discretionary: discretionary.into_iter().collect(),
            named,
            required,
            limits,
        })
    }

    /// A parameter by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Parameter> {
        self.named.get(name).copied()
    }

    /// A length of time by its name.
    #[must_use]
    pub fn duration(&self, name: &str) -> Option<Span> {
        match self.get(name) {
            Some(Parameter::Duration(span)) => Some(span),
            _ => None,
        }
    }

    /// All parameters, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Parameter)> {
        self.named.iter().map(|(name, parameter)| (name.as_str(), *parameter))
    }

    /// Whether the parameter stands for a vague word of the text ("reasonable", "substantial").
    #[must_use]
    pub fn is_discretionary(&self, name: &str) -> bool {
        self.discretionary.contains(name)
    }

    /// The details without which this claim cannot be judged (§5.2).
    #[must_use]
    pub fn required_details(&self, claim: Claim) -> &BTreeSet<Detail> {
        static NONE: BTreeSet<Detail> = BTreeSet::new();
        self.required.get(&claim).unwrap_or(&NONE)
    }

    /// What a machine may approve by itself.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How far apart two payments for the same thing may be to count as duplicates (§2.1).
    #[must_use]
    pub const fn duplicate_window(&self) -> Span {
        self.duplicate_window
    }

    /// How far the date that a customer remembers may be from the payment (§5.2).
    #[must_use]
    pub const fn purchase_date_tolerance(&self) -> Span {
        self.purchase_date_tolerance
    }

    /// How many failures of ours in a row, with no success between them, count as an outage (§2.2).
    #[must_use]
    pub const fn outage_failures(&self) -> i64 {
        self.outage_failures
    }

    /// How long an approved refund counts as recent.
    #[must_use]
    pub const fn recent_refund_window(&self) -> Span {
        self.limits.recent_refund_window
    }
}
