//! The golden cases against the document: each threshold nudged by one unit must break one of them.
//!
//! A threshold is every number that the document states: parameters, limits, the figures of the rows, the term of the
//! calendar. Those that work before there are facts, or after the decision, are held by cases of their own kind.

use super::case::{Case, differences};
use super::desk::{at, before, case_file, credits, shown};
use super::golden::{cases, facts};
use chrono::{DateTime, TimeDelta, Utc};
use makegood::domain::book::Book;
use makegood::domain::case_file::{AttemptEnd, AttemptFile, CaseFile, TwinFile};
use makegood::domain::entry::EntryCause;
use makegood::domain::ids::{LotId, PurchaseId};
use makegood::domain::lot::{Bucket, Lot, NewLot, Source};
use makegood::domain::purchase::DisputeState;
use makegood::domain::request::Claim;
use makegood::policy::calendar::{money_expected, question_ends};
use makegood::policy::share::Share;
use makegood::policy::span::Span;
use makegood::policy::{Document, FactName, Facts, SHIPPED, decide};
use toml::Value;

/// A way to a number: keys and places in lists.
type Way = Vec<String>;

/// Every threshold of the document with its neighbours, one unit below and one above.
fn thresholds(document: &Value) -> Vec<(Way, Vec<Value>)> {
    let mut found = Vec::new();
    for part in ["parameters", "limits", "calendar", "rows"] {
        walk(&document[part], vec![part.to_owned()], &mut found);
    }
    found
}

fn walk(value: &Value, way: Way, found: &mut Vec<(Way, Vec<Value>)>) {
    let below = |step: String| [way.clone(), vec![step]].concat();
    match value {
        Value::Table(table) => table.iter().for_each(|(key, value)| walk(value, below(key.clone()), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| walk(value, below(index.to_string()), found));
        }
        _ => {
            let nudged = nudged(value);
            if !nudged.is_empty() {
                found.push((way, nudged));
            }
        }
    }
}

/// The value one unit less and one unit more, where it is a number: a plain one, a share or a length of time.
fn nudged(value: &Value) -> Vec<Value> {
    let around = |number: i64| [number.checked_sub(1), number.checked_add(1)].into_iter().flatten();
    match value {
        Value::Integer(number) => around(*number).filter(|next| *next >= 0).map(Value::Integer).collect(),
        Value::String(text) => {
            if let Ok(share) = Share::parse(text) {
                let shares = around(share.basis_points()).filter_map(Share::from_basis_points);
                shares.map(|share| Value::String(share.to_string())).collect()
            } else if let Ok(span) = Span::parse(text) {
                let spans = around(span.micros()).filter_map(Span::from_micros);
                spans.map(|span| Value::String(span.to_string())).collect()
            } else {
                Vec::new()
            }
        }
        _ => Vec::new(),
    }
}

fn with(document: &Value, way: &[String], new: &Value) -> Value {
    let Some((step, rest)) = way.split_first() else { return new.clone() };
    let mut changed = document.clone();
    match &mut changed {
        Value::Table(table) => {
            let next = with(&table[step], rest, new);
            table.insert(step.clone(), next);
        }
        Value::Array(items) => {
            let index: usize = step.parse().unwrap();
            items[index] = with(&items[index], rest, new);
        }
        _ => panic!("no way through a number"),
    }
    changed
}

/// A case that is held before there are facts: records in, one fact out.
struct Observed {
    about: &'static str,
    file: CaseFile,
    fact: FactName,
    wanted: &'static str,
}

fn observed(about: &'static str, fact: FactName, wanted: &'static str, file: CaseFile) -> Observed {
    Observed { about, file, fact, wanted }
}

fn file(change: impl FnOnce(&mut CaseFile)) -> CaseFile {
    let mut file = case_file(Claim::DuplicatePurchase);
    change(&mut file);
    file
}

/// Parameters that facts are computed with, on their boundaries.
fn observations() -> Vec<Observed> {
    let told = |age: &str| file(|file| file.details.purchased_at = Some(before(age)));
    let refunded = |age: &str| file(|file| file.account.refunds_at = vec![before(age)]);
    // The ordinary purchase was paid two days ago.
    let twin = |paid: &str| {
        let purchase_id = PurchaseId::parse("018f2b1c-5f0e-7c3a-9d53-2b6f6a0f1c12").unwrap();
        let paid_at = before(paid);
        file(|file| {
            file.twins =
                vec![TwinFile { purchase_id, paid_at, refunded: false, dispute: DisputeState::None }];
        })
    };
    let failed = |times: usize| {
        let failure = AttemptFile { at: before("1h"), end: AttemptEnd::PlatformFailure };
        file(|file| file.attempts = vec![failure; times])
    };
    vec![
        observed("two days off fit", FactName::MismatchedDetails, "nothing", told("4d")),
        observed("a moment more does not", FactName::MismatchedDetails, "purchased_at", told("4d1us")),
        observed("90 days ago is recent", FactName::RecentRefunds, "1", refunded("90d")),
        observed("a moment more is not", FactName::RecentRefunds, "0", refunded("90d1us")),
        observed("a day apart is a slip", FactName::DuplicatesFound, "1", twin("72h")),
        observed("a moment more is a purchase", FactName::DuplicatesFound, "0", twin("72h1us")),
        observed("two failures are bad luck", FactName::Outage, "none", failed(2)),
        observed("three are an outage", FactName::Outage, "open", failed(3)),
    ]
}

/// When credits run out that came back to a lot after its end: what the grace period is for.
fn end_of_returned_credits(document: &Document) -> Option<DateTime<Utc>> {
    let now = before("0s");
    let mut lot = Lot::empty(NewLot {
        lot_id: LotId::parse("018f2b1c-5f0e-7c3a-9d53-2b6f6a0f1c13").unwrap(),
        source: Source::Purchase,
        purchase_id: Some(PurchaseId::parse("018f2b1c-5f0e-7c3a-9d53-2b6f6a0f1c11").unwrap()),
        order_id: None,
        priority: 0,
        granted_at: before("60d"),
        expires_at: Some(before("1d")),
    });
    lot.shift(Bucket::Granted, Bucket::Refunded, credits(10)).unwrap();
    let lot_id = lot.lot_id;
    let grace = TimeDelta::microseconds(document.parameters().expired_credits_grace().micros());
    let mut book = Book::open(vec![lot], now, grace);
    book.undo_refund(&[(lot_id, credits(10))], &EntryCause::Expiry).unwrap();
    book.lots()[0].expires_at
}

/// What breaks under a document; empty when every case holds.
fn broken(document: &Document, cases: &[(String, Case, Facts)]) -> Option<String> {
    for case in observations() {
        let found = shown(&Facts::observe(&case.file, document.parameters()), case.fact);
        if found != case.wanted {
            return Some(format!("{}: {found}", case.about));
        }
    }
    let end = end_of_returned_credits(document);
    if end != Some(at("2025-04-13T10:00:00Z")) {
        return Some(format!("credits that come back after their end live until {end:?}"));
    }
    let end = question_ends(at("2025-04-13T10:00:00Z"), document.parameters());
    if end != Some(at("2025-05-13T10:00:00Z")) {
        return Some(format!("a question that nobody answers ends its request at {end:?}"));
    }
    // A Wednesday; the weekends are no business days.
    let window =
        money_expected(at("2025-04-09T10:00:00Z"), document).map(|window| (window.from, window.until));
    if window != Some((at("2025-04-14T10:00:00Z"), at("2025-04-23T10:00:00Z"))) {
        return Some(format!("money that leaves is expected within {window:?}"));
    }
    cases.iter().find_map(|(name, case, facts)| {
        let found = differences(case, &decide(document, facts));
        found.first().map(|first| format!("{name}: {first}"))
    })
}

fn read(text: &str) -> (Value, Document) {
    (Value::Table(toml::from_str(text).unwrap()), Document::parse(text).unwrap())
}

#[test]
fn every_threshold_nudged_by_one_unit_breaks_a_golden_case() {
    let (value, document) = read(SHIPPED);
    let cases: Vec<_> = cases()
        .into_iter()
        .map(|(name, case)| {
            let facts = facts(&case).unwrap();
            (name, case, facts)
        })
        .collect();
    assert_eq!(broken(&document, &cases), None);
    let (mut nudges, mut survivors) = (0_usize, Vec::new());
    for (way, neighbours) in thresholds(&value) {
        for neighbour in neighbours {
            nudges = nudges.saturating_add(1);
            let text = toml::to_string(&with(&value, &way, &neighbour)).unwrap();
            // A neighbour that the parser refuses is told before anybody decides by it.
            if let Ok(mutant) = Document::parse(&text)
                && broken(&mutant, &cases).is_none()
            {
                survivors.push(format!("{} = {neighbour}", way.join(".")));
            }
        }
    }
    let killed = nudges.saturating_sub(survivors.len());
    println!("mutation score: {killed} of {nudges} nudges break a golden case");
    assert!(nudges > 80, "the thresholds were not found");
    assert!(survivors.is_empty(), "{killed} of {nudges}; no case notices\n{}", survivors.join("\n"));
}
