//! What a document says, in words: the same for every place where it is shown.

use crate::domain::chargeback::Determination;
use crate::domain::fault::Fault;
use crate::policy::document::Document;
use crate::policy::facts::{DETAILS, word};
use crate::policy::table::{Advised, Ask, Condition, Outcome, Row, Test};
use std::collections::BTreeSet;

/// How the table is read.
pub(super) const HOW_TO_READ: &str = "The first row that speaks to the claim and whose conditions hold decides. A condition on what is not known does not hold.";

/// One row of the table.
pub(super) struct Line {
    pub(super) row: String,
    pub(super) clauses: String,
    pub(super) claims: String,
    /// One for each alternative; empty for a row that always holds.
    pub(super) when: Vec<String>,
    pub(super) answer: String,
    pub(super) sentence: String,
}

/// A heading with names and what they mean.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) items: Vec<(String, String)>,
}

/// `2024-12-19, in force from 2024-12-19 00:00 UTC`.
pub(super) fn version(document: &Document) -> String {
    let from = document.effective_from().format("%Y-%m-%d %H:%M UTC");
    format!("Version {}, in force from {from}", document.version())
}

pub(super) fn lines(document: &Document) -> impl Iterator<Item = Line> {
    document.rows().iter().map(line)
}

fn line(row: &Row) -> Line {
    Line {
        row: row.id.clone(),
        clauses: row.clauses.iter().map(|clause| format!("§{clause}")).collect::<Vec<_>>().join(", "),
        claims: row.claims.as_ref().map_or("any claim".to_owned(), |claims| {
            claims.iter().map(|claim| plain(claim.name())).collect::<Vec<_>>().join(", ")
        }),
        when: row.when.iter().map(|all| all.iter().map(condition).collect::<Vec<_>>().join("; ")).collect(),
        answer: answer(row),
        sentence: row.sentence.to_string(),
    }
}

fn plain(name: &str) -> String {
    name.replace('_', " ")
}

fn condition(condition: &Condition) -> String {
    let fact = match &condition.key {
        Some(key) => format!("{} {key}", plain(condition.fact.name())),
        None => plain(condition.fact.name()),
    };
    match condition.tests.as_slice() {
        [Test::Is(true)] => format!("{fact}: yes"),
        [Test::Is(false)] => format!("{fact}: no"),
        tests => format!("{fact} {}", tests.iter().map(test).collect::<Vec<_>>().join(" and ")),
    }
}

fn test(test: &Test) -> String {
    let asked = test.to_string();
    match test {
        Test::NoneOf(words) if words.len() > 1 => {
            let words: Vec<String> = words.iter().map(|word| plain(word)).collect();
            format!("is none of {}", words.join(", "))
        }
        Test::OneOf(_) | Test::NoneOf(_) => format!("is {}", plain(&asked)),
        Test::Is(_) | Test::Empty(_) | Test::Exactly(_) => format!("is {asked}"),
        Test::AnyOutside(_) => format!("has {}", plain(&asked)),
        Test::Has(_) | Test::HasAny(_) | Test::Lacks(_) => plain(&asked),
        Test::AtLeast(_) | Test::MoreThan(_) | Test::AtMost(_) | Test::LessThan(_) => asked,
    }
}

fn answer(row: &Row) -> String {
    let list = |remedies: &[crate::policy::table::Remedy]| {
        remedies.iter().map(ToString::to_string).collect::<Vec<_>>().join(", then ")
    };
    match (&row.outcome, &row.recommend) {
        (Outcome::Approve, _) => format!("Approve: {}", list(&row.remedies)),
        (Outcome::Deny, _) => "Deny".to_owned(),
        (Outcome::RequestInformation, _) => {
            let asks: Vec<String> = row.request.iter().copied().map(ask).collect();
            format!("Ask for {}", asks.join(", "))
        }
        (Outcome::Review, None) => "A person decides".to_owned(),
        (Outcome::Review, Some(Advised::Deny)) => "A person decides; advised: deny".to_owned(),
        (Outcome::Review, Some(Advised::Remedies(remedies))) => {
            format!("A person decides; advised: {}", list(remedies))
        }
    }
}

fn ask(ask: Ask) -> String {
    match ask {
        Ask::Detail(detail) => plain(detail.name()),
        Ask::DetailsIn(fact) => plain(fact.name()),
    }
}

/// Everything beside the table.
pub(super) fn sections(document: &Document) -> Vec<Section> {
    let sections = [
        Section { title: "Parameters", items: parameters(document) },
        Section { title: "Approved without a person", items: limits(document) },
        Section { title: "What follows a chargeback", items: chargebacks(document) },
        Section { title: "Answered within", items: vec![calendar(document)] },
        Section { title: "Details that a claim needs", items: required(document) },
        Section { title: "Whose fault a failed attempt is", items: causes(document) },
        Section { title: "What is never done", items: never(document) },
    ];
    sections.into_iter().filter(|section| !section.items.is_empty()).collect()
}

fn parameters(document: &Document) -> Vec<(String, String)> {
    let parameters = document.parameters();
    let shown = parameters.iter().map(|(name, value)| {
        let mark = if parameters.is_discretionary(name) { " (a vague word of the text)" } else { "" };
        (name.to_owned(), format!("{value}{mark}"))
    });
    shown.collect()
}

fn limits(document: &Document) -> Vec<(String, String)> {
    let limits = document.parameters().limits();
    let money = limits.approve_at_most.iter().map(|(currency, minor)| {
        crate::domain::money::Money { currency: *currency, minor_units: *minor }.to_string()
    });
    let money: Vec<String> = money.collect();
    let refunds = format!("at most {} in {}", limits.recent_refunds_at_most, limits.recent_refund_window);
    let money = if money.is_empty() { "nothing".to_owned() } else { money.join(", ") };
    vec![("money at most".to_owned(), money), ("earlier refunds".to_owned(), refunds)]
}

fn chargebacks(document: &Document) -> Vec<(String, String)> {
    let rules =
        Determination::ALL.iter().map(|found| (*found, document.parameters().chargeback_rule(*found)));
    let some = rules.filter_map(|(found, rule)| rule.map(|rule| (found, rule)));
    some.map(|(found, rule)| {
        let mut follows: Vec<String> = rule.impose.iter().map(|kind| plain(kind.name())).collect();
        if rule.revoke_credits {
            follows.push("available credits revoked".to_owned());
        }
        let follows = if follows.is_empty() { "nothing".to_owned() } else { follows.join(", ") };
        (format!("found {found}"), format!("{follows} (§{})", rule.clause))
    })
    .collect()
}

fn calendar(document: &Document) -> (String, String) {
    let calendar = document.calendar();
    let term = if calendar.respond_within_hours > 0 {
        format!("{} hours", calendar.respond_within_hours)
    } else {
        format!("{} business days", calendar.respond_within_business_days)
    };
    let weekend: Vec<String> = calendar.weekend.iter().map(ToString::to_string).collect();
    let weekend = if weekend.is_empty() { "none".to_owned() } else { weekend.join(", ") };
    let holidays: Vec<String> = calendar.holidays.iter().map(ToString::to_string).collect();
    let holidays = if holidays.is_empty() { "none".to_owned() } else { holidays.join(", ") };
    (term, format!("in {}; weekend: {weekend}; holidays: {holidays}", calendar.time_zone))
}

fn required(document: &Document) -> Vec<(String, String)> {
    use crate::domain::request::Claim;
    let needed = Claim::ALL.iter().map(|claim| (claim, document.parameters().required_details(*claim)));
    let some = needed.filter(|(_, details)| !details.is_empty());
    some.map(|(claim, details)| {
        let names: BTreeSet<&str> = details.iter().map(|detail| detail.name()).collect();
        let in_order: Vec<String> =
            DETAILS.iter().filter(|name| names.contains(*name)).map(|name| plain(name)).collect();
        (plain(claim.name()), in_order.join(", "))
    })
    .collect()
}

fn causes(document: &Document) -> Vec<(String, String)> {
    let of = |fault: Fault| {
        let causes = document.causes().iter().filter(|(_, whose)| **whose == fault);
        causes.map(|(cause, _)| cause.to_string()).collect::<Vec<_>>().join(", ")
    };
    let named = Fault::ALL.iter().map(|fault| (fault.name().to_owned(), of(*fault)));
    named.filter(|(_, causes)| !causes.is_empty()).collect()
}

fn never(document: &Document) -> Vec<(String, String)> {
    document.never().iter().map(|guardrail| (plain(&word(guardrail)), String::new())).collect()
}
