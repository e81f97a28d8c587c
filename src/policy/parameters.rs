//! What a policy states beside its table: windows, thresholds, limits, required details, what follows a chargeback.

use super::document::{Wrong, is_clause};
use super::facts::FactName;
use super::share::Share;
use super::span::Span;
use super::spelling::hint;
use crate::domain::chargeback::Determination;
use crate::domain::money::Currency;
use crate::domain::request::{Claim, Detail};
use crate::domain::restriction::RestrictionKind;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One named parameter; its notation says its kind: `"7d"`, `"50%"`, `3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "must be a whole number, a length of time such as `7d`, or a share such as `50%`"
)]
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

impl Limits {
    fn check(&self) -> Result<(), Wrong> {
        if self.recent_refunds_at_most < 0 {
            return Err(Wrong::new("must not be negative").below("recent_refunds_at_most"));
        }
        match self.approve_at_most.iter().find(|(_, minor)| **minor < 0) {
            Some((currency, _)) => {
                Err(Wrong::new("must not be negative").below(currency.code()).below("approve_at_most"))
            }
            None => Ok(()),
        }
    }
}

/// What follows when a person finds a chargeback to be of one kind (§6, §3.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChargebackRule {
    /// The clause that it rests on, such as `6`.
    pub clause: String,
    /// The restrictions that the account is put under, each once.
    #[serde(default)]
    pub impose: Vec<RestrictionKind>,
    /// Whether the account's available credits are revoked.
    #[serde(default)]
    pub revoke_credits: bool,
}

/// What follows a determination. Nothing follows one that is not listed, and nothing ever follows a legitimate chargeback.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chargebacks {
    /// When somebody deceived.
    pub fraudulent: Option<ChargebackRule>,
    /// When the dispute was a misuse.
    pub abusive: Option<ChargebackRule>,
}

impl Chargebacks {
    fn check(&self) -> Result<(), Wrong> {
        for (name, rule) in [("fraudulent", &self.fraudulent), ("abusive", &self.abusive)] {
            let Some(rule) = rule else { continue };
            if !is_clause(&rule.clause) {
                return Err(Wrong::new("is no clause such as `3.3`").below("clause").below(name));
            }
            let mut seen = BTreeSet::new();
            if let Some(index) = rule.impose.iter().position(|kind| !seen.insert(kind)) {
                return Err(Wrong::new("is named twice").item(index).below("impose").below(name));
            }
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The parameters of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    named: BTreeMap<String, Parameter>,
    discretionary: BTreeSet<String>,
    required: BTreeMap<Claim, BTreeSet<Detail>>,
    limits: Limits,
    chargebacks: Chargebacks,
    duplicate_window: Span,
    purchase_date_tolerance: Span,
    outage_failures: i64,
    expired_credits_grace: Span,
    refund_business_days: Option<(u32, u32)>,
}

/// The parameters that say in which business days after it left a refund arrives (§4.2); both or neither.
const REFUND_ARRIVES: [&str; 2] =
    ["refund_arrives_after_business_days", "refund_arrives_within_business_days"];

/// Longest travel of money that makes sense, in business days.
const MAX_REFUND_BUSINESS_DAYS: u32 = 60;

/// When money arrives, if the document says.
fn refund_business_days(named: &BTreeMap<String, Parameter>) -> Result<Option<(u32, u32)>, Wrong> {
    let [after, within] = REFUND_ARRIVES;
    let wrong = |name: &str, problem: String| Err(Wrong::new(problem).below(name).below("parameters"));
    let days = |name: &str| match named.get(name)? {
        Parameter::Number(days) => u32::try_from(*days).ok().filter(|days| *days <= MAX_REFUND_BUSINESS_DAYS),
        Parameter::Duration(_) | Parameter::Share(_) => None,
    };
    match (named.contains_key(after), named.contains_key(within)) {
        (false, false) => return Ok(None),
        (true, false) => return wrong(after, format!("needs `{within}` beside it")),
        (false, true) => return wrong(within, format!("needs `{after}` beside it")),
        (true, true) => {}
    }
    let range = format!("must be 0 to {MAX_REFUND_BUSINESS_DAYS} business days");
    match (days(after), days(within)) {
        (None, _) => wrong(after, range),
        (_, None) => wrong(within, range),
        (Some(least), Some(most)) if least > most => {
            wrong(within, format!("must not be less than `{after}`"))
        }
        (Some(least), Some(most)) => Ok(Some((least, most))),
    }
}

impl Parameters {
    /// Checks that the parameters which facts are computed with are there, and that nothing is out of range.
    pub(super) fn new(
        named: BTreeMap<String, Parameter>,
        discretionary: Vec<String>,
        required: BTreeMap<Claim, BTreeSet<Detail>>,
        limits: Limits,
        chargebacks: Chargebacks,
    ) -> Result<Self, Wrong> {
        for (name, parameter) in &named {
            if matches!(parameter, Parameter::Number(number) if *number < 0) {
                return Err(Wrong::new("must not be negative").below(name.as_str()).below("parameters"));
            }
            if !is_name(name) {
                let problem = "a parameter's name has small letters, digits and `_` only";
                return Err(Wrong::new(problem).below(name.as_str()).below("parameters"));
            }
            if FactName::find(name).is_some() {
                let problem = "is the name of a fact, so that `{…}` in a sentence could mean both";
                return Err(Wrong::new(problem).below(name.as_str()).below("parameters"));
            }
        }
        for (index, name) in discretionary.iter().enumerate() {
            if !named.contains_key(name) {
                let near = hint(name, named.keys().map(String::as_str));
                let problem = format!("there is no parameter `{name}`{near}");
                return Err(Wrong::new(problem).item(index).below("discretionary"));
            }
        }
        limits.check().map_err(|wrong| wrong.below("limits"))?;
        chargebacks.check().map_err(|wrong| wrong.below("chargebacks"))?;
        let needed = |name: &str, what: &str| {
            let near = hint(name, named.keys().map(String::as_str));
            Wrong::new(format!("needs `{name}`, {what}{near}")).below("parameters")
        };
        let duration = |name: &str| match named.get(name) {
            Some(Parameter::Duration(span)) => Ok(*span),
            _ => Err(needed(name, "a length of time")),
        };
        let outage_failures = match named.get("outage_failures") {
            Some(Parameter::Number(failures)) if *failures > 0 => *failures,
            _ => return Err(needed("outage_failures", "a count above 0")),
        };
        Ok(Self {
            duplicate_window: duration("duplicate_window")?,
            purchase_date_tolerance: duration("purchase_date_tolerance")?,
            outage_failures,
            expired_credits_grace: duration("expired_credits_grace")?,
            refund_business_days: refund_business_days(&named)?,
            discretionary: discretionary.into_iter().collect(),
            named,
            required,
            limits,
            chargebacks,
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

    /// What follows when a person finds a chargeback to be of a kind; `None` when nothing does (§6).
    #[must_use]
    pub const fn chargeback_rule(&self, determination: Determination) -> Option<&ChargebackRule> {
        match determination {
            Determination::Legitimate => None,
            Determination::Fraudulent => self.chargebacks.fraudulent.as_ref(),
            Determination::Abusive => self.chargebacks.abusive.as_ref(),
        }
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

    /// How long credits stay usable that come back after they expired (§2.2, §2.3).
    #[must_use]
    pub const fn expired_credits_grace(&self) -> Span {
        self.expired_credits_grace
    }

    /// In how many business days after it left a refund typically arrives, at least and at most (§4.2).
    #[must_use]
    pub const fn refund_business_days(&self) -> Option<(u32, u32)> {
        self.refund_business_days
    }

    /// How long an approved refund counts as recent.
    #[must_use]
    pub const fn recent_refund_window(&self) -> Span {
        self.limits.recent_refund_window
    }
}
