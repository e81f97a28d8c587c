//! What is claimed, and what we were told (§5.2).

use super::value::word;
use super::{FactName, Facts, Value};
use crate::domain::case_file::CaseFile;
use crate::domain::request::{Detail, EvidenceKind};
use crate::policy::parameters::Parameters;
use crate::policy::span::Span;
use std::collections::BTreeSet;

pub(super) fn observe(facts: &mut Facts, file: &CaseFile, parameters: &Parameters) {
    let given = given(file);
    let mismatched = mismatched(file, parameters);
    let missing = parameters.required_details(file.claim).difference(&given).copied().collect();
    let matching = given.difference(&mismatched).copied().collect();
    if let Some(since) = file.waiting_since {
        facts.put(FactName::WaitingSince, Value::Time(since));
    }
    facts.put(FactName::MissingDetails, words(&missing));
    facts.put(FactName::MismatchedDetails, words(&mismatched));
    facts.put(FactName::DetailsGiven, words(&matching));
    facts.put(FactName::InformationAsked, words(&file.asked));
    facts.put(FactName::EvidenceGiven, Value::Bool(!file.evidence.is_empty()));
    facts.put(FactName::EvidenceReused, Value::Bool(file.evidence_reused));
}

/// The details given. Papers count as the detail that they can show: a screenshot as logs (§2.2 asks for "error
/// screenshots or logs"), a list of orders as order ids (§2.1).
fn given(file: &CaseFile) -> BTreeSet<Detail> {
    let details = &file.details;
    let told = [
        (Detail::OrderId, file.names_purchase),
        (Detail::AccountEmail, details.account_email.is_some()),
        (Detail::PurchasedAt, details.purchased_at.is_some()),
        (Detail::AmountPaid, details.amount_paid.is_some()),
        (Detail::Explanation, details.explanation.is_some()),
        (Detail::AttemptedAt, details.attempted_at.is_some()),
        (Detail::Attempt, details.attempt.is_some()),
    ];
    let papers = file.evidence.iter().filter_map(|kind| match kind {
        EvidenceKind::Statement => Some(Detail::Statement),
        EvidenceKind::Screenshot | EvidenceKind::Log => Some(Detail::Logs),
        EvidenceKind::OrderIds => Some(Detail::OrderId),
        EvidenceKind::Other => None,
    });
    told.into_iter().filter_map(|(detail, given)| given.then_some(detail)).chain(papers).collect()
}

/// The details that contradict our records. What the customer need not tell is not held against them while it is
/// missing, but when told it must fit: otherwise another purchase may be meant.
fn mismatched(file: &CaseFile, parameters: &Parameters) -> BTreeSet<Detail> {
    let mut mismatched = BTreeSet::new();
    let Some(known) = file.purchase.as_ref().map(|known| &known.purchase) else {
        if file.names_purchase {
            mismatched.insert(Detail::OrderId);
        }
        return mismatched;
    };
    if file.details.amount_paid.is_some_and(|amount| amount != known.price) {
        mismatched.insert(Detail::AmountPaid);
    }
    let tolerance = parameters.purchase_date_tolerance();
    if file.details.purchased_at.is_some_and(|told| apart(told, known.paid_at) > tolerance) {
        mismatched.insert(Detail::PurchasedAt);
    }
    mismatched
}

/// The time between two instants, whichever came first.
pub(super) fn apart(one: chrono::DateTime<chrono::Utc>, other: chrono::DateTime<chrono::Utc>) -> Span {
    Span::between(one.min(other), one.max(other))
}

fn words(details: &BTreeSet<Detail>) -> Value {
    Value::Set(details.iter().map(word).collect())
}
