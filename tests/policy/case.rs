//! Golden cases: a file each, facts in, decision out, the reasons asserted.
//!
//! A case starts from the facts of a base, changes some, and says what must come of it: the row that decides, and for
//! its neighbours why they did not. With `[[each]]` it stands for several that differ in a fact or two.

use chrono::{DateTime, Utc};
use makegood::policy::amount::Grant;
use makegood::policy::share::Share;
use makegood::policy::{Decision, FactName, Facts, Outcome, Recommendation, ReviewReason, RowOutcome};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// What the case shows, as a sentence.
    pub(super) about: String,
    /// The base's file name.
    pub(super) base: String,
    /// The facts that differ from the base.
    facts: toml::Table,
    pub(super) expect: Expect,
    #[serde(default)]
    each: Vec<Variant>,
}

/// What one of several like cases has of its own.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    facts: toml::Table,
    remedies: Option<Vec<String>>,
    recommendation: Option<Vec<String>>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    outcome: Outcome,
    pub(super) row: String,
    pub(super) clauses: Vec<String>,
    /// Such as `refund_unused: 60 credits, 11.99 USD`; of undelivered credits, `(60 undelivered)`.
    #[serde(default)]
    remedies: Vec<String>,
    /// `deny`, or remedies.
    #[serde(default)]
    recommendation: Vec<String>,
    review_reason: Option<ReviewReason>,
    #[serde(default)]
    requested: BTreeSet<String>,
    /// Rows that did not hold, with the failed condition of each alternative.
    #[serde(default)]
    pub(super) fails: BTreeMap<String, Vec<String>>,
    /// Rows behind the deciding one that would have held.
    #[serde(default)]
    pub(super) beats: Vec<String>,
    /// Rows that do not speak to the claim.
    #[serde(default)]
    not_applicable: Vec<String>,
    /// Parts of the customer's sentence.
    #[serde(default)]
    sentence: Vec<String>,
    /// Until when the customer is answered.
    respond_by: Option<DateTime<Utc>>,
}

pub(super) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy").join(name)
}

/// Every case below a folder with the name of its file, such as `14/exactly_seven_days.toml`.
pub(super) fn cases_in(place: &str) -> Vec<(String, Case)> {
    let mut cases = Vec::new();
    for group in std::fs::read_dir(folder(place)).unwrap() {
        for file in std::fs::read_dir(group.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(folder(place)).unwrap().display().to_string();
            let text = std::fs::read_to_string(&path).unwrap();
            match toml::from_str::<Case>(&text) {
                Ok(case) => cases.extend(case.variants().into_iter().map(|case| (name.clone(), case))),
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
    cases.sort_by(|(one, _), (other, _)| one.cmp(other));
    cases
}

impl Case {
    /// The cases that it stands for.
    fn variants(mut self) -> Vec<Self> {
        let each = std::mem::take(&mut self.each);
        if each.is_empty() {
            return vec![self];
        }
        let variant = |own: Variant| {
            let mut case = self.clone();
            case.facts.extend(own.facts);
            case.expect.remedies = own.remedies.unwrap_or(case.expect.remedies);
            case.expect.recommendation = own.recommendation.unwrap_or(case.expect.recommendation);
            case
        };
        each.into_iter().map(variant).collect()
    }
}

pub(super) fn facts(case: &Case) -> Result<Facts, String> {
    let base = std::fs::read_to_string(folder("bases").join(format!("{}.toml", case.base)))
        .map_err(|error| format!("base: {error}"))?;
    let mut facts: toml::Table = toml::from_str(&base).map_err(|error| format!("base: {error}"))?;
    for (name, value) in &case.facts {
        if facts.get(name) == Some(value) {
            return Err(format!("`{name}` is the base's already"));
        }
        facts.insert(name.clone(), value.clone());
    }
    let facts: Facts = facts.try_into().map_err(|error| format!("facts: {error}"))?;
    consistent(&facts).map(|()| facts)
}

/// A case that could not happen proves nothing.
pub(super) fn consistent(facts: &Facts) -> Result<(), String> {
    let number = |name| facts.number(name).unwrap_or(0);
    let bought = number(FactName::Bought);
    let buckets =
        [FactName::Unused, FactName::Used, FactName::Held, FactName::Undelivered, FactName::CreditsRefunded];
    let untouched = number(FactName::Unused).saturating_add(number(FactName::Undelivered)) == bought
        && facts.text(FactName::Refunded) == Some("none");
    let share = Share::of(number(FactName::Used), bought).basis_points();
    if buckets.map(number).into_iter().sum::<i64>() > bought {
        Err("more credits than were bought".to_owned())
    } else if facts.is_true(FactName::PurchaseKnown) && untouched != facts.is_true(FactName::Untouched) {
        Err(format!("`untouched` should be {untouched}"))
    } else if number(FactName::UsedShare) != share {
        Err(format!("`used_share` should be {share} basis points"))
    } else if number(FactName::FailedOfPurchase) > number(FactName::Used).min(number(FactName::FailedCredits))
    {
        Err("more failed credits of the purchase than used or failed ones".to_owned())
    } else {
        Ok(())
    }
}

fn written(grants: &[Grant]) -> Vec<String> {
    let line = |grant: &Grant| {
        let kind = serde_json::to_value(grant.kind).unwrap();
        let undelivered = match grant.undelivered.get() {
            0 => String::new(),
            number => format!(" ({number} undelivered)"),
        };
        let money = grant.money.map(|money| format!(", {money}")).unwrap_or_default();
        format!("{}: {} credits{undelivered}{money}", kind.as_str().unwrap(), grant.credits)
    };
    grants.iter().map(line).collect()
}

fn recommended(decision: &Decision) -> Vec<String> {
    match &decision.recommendation {
        None => Vec::new(),
        Some(Recommendation::Deny) => vec!["deny".to_owned()],
        Some(Recommendation::Approve(grants)) => written(grants),
    }
}

/// What became of a row, in words.
fn result(decision: &Decision, id: &str) -> Vec<String> {
    let row = decision.rows.iter().find(|row| row.row == id);
    match row.map(|row| &row.result) {
        None => vec!["no such row".to_owned()],
        Some(RowOutcome::Hit) => vec!["hit".to_owned()],
        Some(RowOutcome::NotApplicable) => vec!["not applicable".to_owned()],
        Some(RowOutcome::NoHit { failed }) => failed
            .iter()
            .map(|one| {
                let found =
                    one.found.as_deref().map_or("absent".to_owned(), |found| format!("found {found}"));
                format!("{}: {}, {found}", one.fact, one.wanted)
            })
            .collect(),
    }
}

/// How a decision differs from what a case expects.
pub(super) fn differences(case: &Case, decision: &Decision) -> Vec<String> {
    let expect = &case.expect;
    let mut wrong = Vec::new();
    let mut same = |what: &str, expected: String, found: String| {
        if expected != found {
            wrong.push(format!("{what}: expected {expected}, found {found}"));
        }
    };
    let requested: BTreeSet<_> = decision
        .requested_details
        .iter()
        .map(|detail| serde_json::to_value(detail).unwrap().as_str().unwrap().to_owned())
        .collect();
    let reason = expect.review_reason.or((expect.outcome == Outcome::Review).then_some(ReviewReason::Row));
    same("row", expect.row.clone(), decision.row.clone());
    same("outcome", format!("{:?}", expect.outcome), format!("{:?}", decision.outcome));
    same("clauses", format!("{:?}", expect.clauses), format!("{:?}", decision.clauses));
    same("remedies", format!("{:?}", expect.remedies), format!("{:?}", written(&decision.remedies)));
    same("recommendation", format!("{:?}", expect.recommendation), format!("{:?}", recommended(decision)));
    same("review reason", format!("{reason:?}"), format!("{:?}", decision.review_reason));
    same("requested", format!("{:?}", expect.requested), format!("{requested:?}"));
    if let Some(respond_by) = expect.respond_by {
        same("respond by", respond_by.to_rfc3339(), decision.respond_by.to_rfc3339());
    }
    for (row, failed) in &expect.fails {
        same(&format!("row {row}"), format!("{failed:?}"), format!("{:?}", result(decision, row)));
    }
    let place = |id: &str| decision.rows.iter().position(|row| row.row == id);
    for row in &expect.beats {
        same(&format!("row {row}"), "[\"hit\"]".to_owned(), format!("{:?}", result(decision, row)));
        same(
            &format!("row {row} is later"),
            "true".to_owned(),
            (place(row) > place(&decision.row)).to_string(),
        );
    }
    for row in &expect.not_applicable {
        same(
            &format!("row {row}"),
            "[\"not applicable\"]".to_owned(),
            format!("{:?}", result(decision, row)),
        );
    }
    for part in &expect.sentence {
        if !decision.sentence.contains(part) {
            wrong.push(format!("sentence: `{}` lacks `{part}`", decision.sentence));
        }
    }
    wrong
}
