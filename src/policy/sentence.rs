//! The sentences of a policy: text with `{placeholders}` that are checked when the document is loaded.

use super::amount::Grant;
use super::facts::{FactKind, FactName, Facts, Value};
use super::parameters::{Parameter, Parameters};
use super::spelling::hint;
use crate::domain::credits::Credits;
use crate::domain::money::{Currency, Money};
use crate::domain::request::Detail;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::collections::BTreeSet;
use std::fmt;

/// What a template is filled from.
pub(super) struct Scene<'a> {
    pub(super) facts: &'a Facts,
    pub(super) parameters: &'a Parameters,
    pub(super) time_zone: Tz,
    pub(super) grants: &'a [Grant],
    pub(super) requested: &'a BTreeSet<Detail>,
    pub(super) respond_by: DateTime<Utc>,
    pub(super) clauses: &'a [String],
}

/// Which figures a template may name: what is not given must not be promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope {
    /// `{amount}` and the other figures of what is given.
    pub(super) grants: bool,
    /// `{requested}`.
    pub(super) requested: bool,
}

/// Text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Fact(FactName),
    Parameter(String),
    Figure(Figure),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    /// Money given.
    Amount,
    /// Credits given.
    CreditsGiven,
    /// Credits given up for the money.
    CreditsGivenUp,
    /// The price, as money.
    Price,
    /// What was paid back before or is on its way.
    PaidBack,
    /// What the customer is asked for.
    Requested,
    /// Until when we answer.
    RespondBy,
    /// The clauses that the decision rests on.
    Clauses,
}

const FIGURES: [(&str, Figure); 8] = [
    ("amount", Figure::Amount),
    ("credits_given", Figure::CreditsGiven),
    ("credits_given_up", Figure::CreditsGivenUp),
    ("price", Figure::Price),
    ("paid_back", Figure::PaidBack),
    ("requested", Figure::Requested),
    ("respond_by", Figure::RespondBy),
    ("clauses", Figure::Clauses),
];

impl Template {
    /// Reads a text; every placeholder must name a figure that the scope has, a fact or a parameter.
    pub(super) fn parse(text: &str, scope: Scope, parameters: &Parameters) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, tail)) = rest.split_once('{') {
            let (name, after) = tail.split_once('}').ok_or("a `{` is not closed")?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::parse(name, scope, parameters)?);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        if parts.iter().any(|part| matches!(part, Part::Text(text) if text.contains(['{', '}']))) {
            return Err("a `}` was not opened".to_owned());
        }
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        Ok(Self { parts })
    }

    /// Whether there is no text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The clauses that the text cites, such as `2.1` for `§2.1`.
    pub(super) fn cited(&self) -> Vec<String> {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            _ => None,
        });
        let cited = texts.flat_map(|text| text.split('§').skip(1));
        cited
            .map(|tail| {
                let number: String = tail.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
                number.trim_end_matches('.').to_owned()
            })
            .collect()
    }

    /// Whether the text tells the value of a parameter.
    pub(super) fn names_parameter(&self, name: &str) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Parameter(told) if told == name))
    }

    pub(super) fn fill(&self, scene: &Scene<'_>) -> String {
        self.parts.iter().map(|part| part.fill(scene)).collect()
    }
}

impl fmt::Display for Template {
    /// As the document writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Fact(fact) => write!(f, "{{{}}}", fact.name()),
            Part::Parameter(name) => write!(f, "{{{name}}}"),
            Part::Figure(figure) => {
                let named = FIGURES.iter().find(|(_, known)| known == figure);
                write!(f, "{{{}}}", named.map_or("", |(name, _)| name))
            }
        })
    }
}

impl Part {
    fn parse(name: &str, scope: Scope, parameters: &Parameters) -> Result<Self, String> {
        if let Some((_, figure)) = FIGURES.iter().find(|(known, _)| *known == name) {
            let allowed = match figure {
                Figure::Amount | Figure::CreditsGiven | Figure::CreditsGivenUp => scope.grants,
                Figure::Requested => scope.requested,
                Figure::Price | Figure::PaidBack | Figure::RespondBy | Figure::Clauses => true,
            };
            return if allowed {
                Ok(Self::Figure(*figure))
            } else {
                Err(format!("`{{{name}}}` has no value where this text is used"))
            };
        }
        if let Some(fact) = FactName::find(name) {
            return Ok(Self::Fact(fact));
        }
        if parameters.get(name).is_some() {
            return Ok(Self::Parameter(name.to_owned()));
        }
        let known = FIGURES.iter().map(|(known, _)| *known);
        let known = known.chain(FactName::ALL.iter().map(|fact| fact.name()));
        let known = known.chain(parameters.iter().map(|(known, _)| known));
        Err(format!("there is nothing called `{{{name}}}`{}", hint(name, known)))
    }

    fn fill(&self, scene: &Scene<'_>) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Fact(fact) => fact_words(*fact, scene),
            Self::Parameter(name) => scene.parameters.get(name).map(Parameter::words).unwrap_or_default(),
            Self::Figure(figure) => figure.words(scene),
        }
    }
}

impl Figure {
    fn words(self, scene: &Scene<'_>) -> String {
        let number = |name| scene.facts.number(name).unwrap_or(0);
        match self {
            Self::Amount => {
                let given = scene.grants.iter().filter_map(|grant| grant.money);
                money(scene, given.fold(0, |sum, money| money.minor_units.saturating_add(sum)))
            }
            Self::CreditsGiven => credits_of(scene.grants, |grant| !grant.kind.pays()),
            Self::CreditsGivenUp => credits_of(scene.grants, |grant| grant.kind.pays()),
            Self::Price => money(scene, number(FactName::PriceMinor)),
            Self::PaidBack => {
                let paid = number(FactName::RefundedMinor).saturating_add(number(FactName::PendingMinor));
                money(scene, paid)
            }
            Self::Requested => list(scene.requested.iter().map(|detail| detail_words(*detail))),
            Self::Clauses if scene.clauses.is_empty() => "our refund policy".to_owned(),
            Self::Clauses => {
                scene.clauses.iter().map(|clause| format!("§{clause}")).collect::<Vec<_>>().join(", ")
            }
            Self::RespondBy => {
                let local = scene.respond_by.with_timezone(&scene.time_zone);
                local.format("%-d %B %Y, %H:%M %Z").to_string()
            }
        }
    }
}

/// A fact as a person says it.
fn fact_words(fact: FactName, scene: &Scene<'_>) -> String {
    match (fact.kind(), scene.facts.get(fact)) {
        (FactKind::Credits, Some(Value::Number(number))) => credits_words(*number),
        (FactKind::Minor, Some(Value::Number(number))) => money(scene, *number),
        (_, Some(Value::Duration(span))) => span.words(),
        (_, Some(Value::Time(time))) => time.with_timezone(&scene.time_zone).format("%-d %B %Y").to_string(),
        (_, Some(value)) => value.to_string(),
        (FactKind::Credits, None) => credits_words(0),
        (FactKind::Time, None) => "a day that we have no record of".to_owned(),
        (FactKind::Duration, None) => "some time".to_owned(),
        (_, None) => "unknown".to_owned(),
    }
}

fn credits_of(grants: &[Grant], wanted: impl Fn(&Grant) -> bool) -> String {
    let credits = grants.iter().filter(|grant| wanted(grant)).map(|grant| grant.credits);
    credits_words(Credits::sum(credits).map_or(i64::MAX, Credits::get))
}

fn credits_words(number: i64) -> String {
    if number == 1 { "1 credit".to_owned() } else { format!("{number} credits") }
}

fn money(scene: &Scene<'_>, minor_units: i64) -> String {
    let currency = scene.facts.text(FactName::Currency).and_then(|code| Currency::parse(code).ok());
    let money = currency.and_then(|currency| Money::new(currency, minor_units));
    money.map_or_else(|| "an unknown amount".to_owned(), |money| money.to_string())
}

const fn detail_words(detail: Detail) -> &'static str {
    match detail {
        Detail::OrderId => "the order or transaction number",
        Detail::AccountEmail => "the email address of your account",
        Detail::PurchasedAt => "the date of the purchase",
        Detail::AmountPaid => "the amount and currency that you paid",
        Detail::Explanation => "a brief explanation",
        Detail::AttemptedAt => "the date and time of the failed attempts",
        Detail::Attempt => "the job that failed",
        Detail::Statement => "a bank or card statement, redacted as needed",
        Detail::Logs => "error screenshots or logs",
    }
}

/// `a, b and c`; parts with a comma of their own are kept apart by semicolons.
fn list<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let parts: Vec<_> = parts.collect();
    let comma = if parts.iter().any(|part| part.contains(',')) { "; " } else { ", " };
    match parts.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, [first])) => format!("{first} and {last}"),
        Some((last, others)) => format!("{} and {last}", others.join(comma)),
    }
}
