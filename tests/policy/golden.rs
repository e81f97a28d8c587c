//! Golden cases: a file each, facts in, decision out, the reasons asserted.
//!
//! A case starts from the facts of a base, changes some, and says what must come of it: the row that decides, and for
//! its neighbours why they did not.

use super::desk::shipped;
use makegood::policy::amount::Grant;
use makegood::policy::share::Share;
use makegood::policy::{
    Decision, FactName, Facts, Outcome, Recommendation, ReviewReason, RowOutcome, decide,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the case shows, as a sentence.
    about: String,
    /// The base's file name.
    base: String,
    /// The facts that differ from the base.
    facts: toml::Table,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    outcome: Outcome,
    row: String,
    clauses: Vec<String>,
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
    fails: BTreeMap<String, Vec<String>>,
    /// Rows behind the deciding one that would have held.
    #[serde(default)]
    beats: Vec<String>,
    /// Rows that do not speak to the claim.
    #[serde(default)]
    not_applicable: Vec<String>,
    /// Parts of the customer's sentence.
    #[serde(default)]
    sentence: Vec<String>,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy").join(name)
}

/// Every case with the name of its file, such as `14/exactly_seven_days.toml`.
fn cases() -> Vec<(String, Case)> {
    let mut cases = Vec::new();
    for group in std::fs::read_dir(folder("cases")).unwrap() {
        for file in std::fs::read_dir(group.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(folder("cases")).unwrap().display().to_string();
            let text = std::fs::read_to_string(&path).unwrap();
            match toml::from_str(&text) {
                Ok(case) => cases.push((name, case)),
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
    cases.sort_by(|(one, _), (other, _)| one.cmp(other));
    cases
}

fn facts(case: &Case) -> Result<Facts, String> {
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

fn differences(case: &Case, decision: &Decision) -> Vec<String> {
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

#[test]
fn every_golden_case_decides_as_written() {
    let document = shipped();
    let mut wrong = Vec::new();
    for (name, case) in cases() {
        match facts(&case) {
            Ok(facts) => {
                let differences = differences(&case, &decide(document, &facts));
                wrong.extend(differences.into_iter().map(|line| format!("{name} ({}): {line}", case.about)));
            }
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_row_has_golden_cases_where_it_decides_and_where_it_just_does_not() {
    let document = shipped();
    let cases = cases();
    for row in document.rows() {
        let decides = cases.iter().filter(|(_, case)| case.expect.row == row.id).count();
        assert!(decides > 0, "row {} decides no golden case", row.id);
        // A row without conditions can only lose to the rows before it, or not speak to the claim.
        let conditional = !row.when.is_empty();
        let refused = cases.iter().any(|(_, case)| case.expect.fails.contains_key(&row.id));
        assert!(refused || !conditional, "no golden case says why row {} does not hold", row.id);
    }
}

#[test]
fn every_case_stands_in_the_folder_of_its_row_or_clause() {
    let document = shipped();
    for (name, case) in cases() {
        let group = name.split('/').next().unwrap();
        let of_row = group == case.expect.row;
        let clause = group.strip_prefix("clause_").map(str::to_owned);
        let of_clause = clause.is_some_and(|clause| case.expect.clauses.contains(&clause));
        assert!(of_row || of_clause, "{name} decides by row {}", case.expect.row);
        let known = |row: &String| document.rows().iter().any(|known| known.id == *row);
        assert!(case.expect.fails.keys().chain(&case.expect.beats).all(known), "{name} names an unknown row");
    }
}

#[test]
fn every_row_without_conditions_is_refused_or_bounded_by_its_claims() {
    for row in shipped().rows().iter().filter(|row| row.when.is_empty()) {
        assert!(row.claims.is_some() || row.id == "30", "row {} would end the table", row.id);
    }
}

#[test]
fn every_base_is_used() {
    let cases = cases();
    for base in std::fs::read_dir(folder("bases")).unwrap() {
        let path = base.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(cases.iter().any(|(_, case)| case.base == name), "base {name} is not used");
    }
}

#[test]
fn every_sentence_cites_a_clause_and_fills_its_placeholders() {
    let document = shipped();
    for (name, case) in cases() {
        let decision = decide(document, &facts(&case).unwrap());
        assert!(decision.sentence.contains('§'), "{name}: {}", decision.sentence);
        for text in [&decision.sentence, &decision.advice] {
            assert!(!text.contains(['{', '}']), "{name}: {text}");
            assert!(!text.contains("unknown") && !text.contains("no record"), "{name}: {text}");
        }
    }
}
