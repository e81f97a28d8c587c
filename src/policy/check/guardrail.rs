//! What no decision may do: the guardrails of the engine, which hold for every document, and those that a document
//! declares. Each is a set of cells in which a row may not decide.

use super::diagram::Region;
use super::field::Field;
use super::space::Cell;
use crate::domain::money::Currency;
use crate::domain::request::{Claim, Detail};
use crate::policy::document::{Document, Guardrail};
use crate::policy::facts::{CLAIMS, FactName, Value, read_word, word};
use crate::policy::table::{Deductions, Outcome, Remedy, Row};
use std::collections::BTreeMap;

/// A guardrail and the cells in which the row breaks it.
pub(super) struct Breach {
    /// Its name, such as `pay_while_disputed`.
    pub(super) guardrail: String,
    /// Whether it is the engine's, and not declared by the document.
    pub(super) engine: bool,
    /// What the row does there, to go behind "row 5".
    pub(super) does: &'static str,
    pub(super) region: Region,
}

// What the engine never does, whatever a document says: the names, and what a row does that breaks them.
const PAY_WHILE_DISPUTED: (&str, &str) = (
    "pay_while_disputed",
    "pays while the bank has yet to decide a dispute, or after it returned the money (§6)",
);
const PAY_AFTER_VIOLATION: (&str, &str) =
    ("pay_after_violation", "pays to a terminated account or after a confirmed violation (§3.3)");
const PAY_FOR_REFUNDED_CREDITS: (&str, &str) =
    ("pay_for_refunded_credits", "pays the full price when all credits were given up before (§7.1)");
const APPROVE_ON_EVIDENCE: (&str, &str) = (
    "approve_on_evidence",
    "approves because of papers, which no machine can read; without them the answer is another",
);

/// Every guardrail that a row breaks. `hits` are the cells that it decides, `unread` those that papers alone approve.
pub(super) fn breaches(
    field: &mut Field,
    document: &Document,
    row: &Row,
    hits: Region,
    unread: Region,
) -> Vec<Breach> {
    if row.outcome != Outcome::Approve {
        return Vec::new();
    }
    let pays = pays(field, &row.remedies);
    let pays = field.sets.and(hits, pays);
    let mut breaches = Vec::new();
    let engine = [
        (PAY_WHILE_DISPUTED, disputed(field)),
        (PAY_AFTER_VIOLATION, violated(field)),
        (PAY_FOR_REFUNDED_CREDITS, given_up(field, &row.remedies)),
    ];
    for ((name, does), forbidden) in engine {
        let region = field.sets.and(pays, forbidden);
        breaches.push(Breach { guardrail: name.to_owned(), engine: true, does, region });
    }
    let (name, does) = APPROVE_ON_EVIDENCE;
    let region = field.sets.and(hits, unread);
    breaches.push(Breach { guardrail: name.to_owned(), engine: true, does, region });
    // What a machine must leave to a person it does not pay.
    let may = approvable(field, document);
    let pays = field.sets.and(pays, may);
    for guardrail in document.never() {
        let (does, forbidden) = declared(field, *guardrail, &row.remedies);
        let region = field.sets.and(pays, forbidden);
        breaches.push(Breach { guardrail: word(guardrail), engine: false, does, region });
    }
    breaches.retain(|breach| !breach.region.is_empty());
    breaches
}

/// The cells in which these remedies may pay money.
pub(super) fn pays(field: &mut Field, remedies: &[Remedy]) -> Region {
    let mut any = Region::NONE;
    let mut restored = Region::NONE;
    for remedy in remedies {
        let pays = match remedy {
            Remedy::RestoreFailed => {
                restored = field.some(FactName::FailedOfPurchase);
                Region::NONE
            }
            Remedy::RestoreUndelivered | Remedy::RestoreAttempt | Remedy::Compensate(_) => Region::NONE,
            Remedy::RefundUnused(less) => {
                let (unused, undelivered) = (field.some(FactName::Unused), field.some(FactName::Undelivered));
                let there = field.any([unused, undelivered, restored]);
                let fee = with_fee(field, less);
                field.sets.and(there, fee)
            }
            Remedy::RefundFull(less) => with_fee(field, less),
            Remedy::RefundFixed(amounts) => paid_in(field, amounts),
        };
        any = field.sets.or(any, pays);
    }
    let priced = field.some(FactName::PriceMinor);
    let currency = field.known(FactName::Currency);
    field.all([any, priced, currency])
}

/// The cells in which the policy says what a refund is after its fee.
fn with_fee(field: &mut Field, less: &Deductions) -> Region {
    if less.fee.is_empty() { Region::ALL } else { paid_in(field, &less.fee) }
}

/// The cells in which one of these currencies was paid.
fn paid_in(field: &mut Field, amounts: &BTreeMap<Currency, i64>) -> Region {
    let codes: Vec<&str> = amounts.keys().map(|currency| currency.code()).collect();
    field.is(FactName::Currency, &codes)
}

/// The cells in which a machine may approve money at all: in a currency with a limit, and not after too many refunds.
pub(super) fn approvable(field: &mut Field, document: &Document) -> Region {
    let limits = document.parameters().limits();
    let codes: Vec<&str> = limits
        .approve_at_most
        .iter()
        .filter(|(_, most)| **most > 0)
        .map(|(currency, _)| currency.code())
        .collect();
    let currency = field.is(FactName::Currency, &codes);
    let most = limits.recent_refunds_at_most;
    let few = field.fact(FactName::RecentRefunds, |cell| match cell {
        Cell::Range(first, _) => *first <= most,
        // What is not known counts as none.
        _ => true,
    });
    field.sets.and(currency, few)
}

/// The bank has yet to decide, or has returned the money (§6).
pub(super) fn disputed(field: &mut Field) -> Region {
    field.is(FactName::Dispute, &["open", "lost"])
}

/// The account was terminated, or its violation is confirmed (§3.3).
pub(super) fn violated(field: &mut Field) -> Region {
    let parts = [
        field.is(FactName::Violation, &["confirmed"]),
        field.has(FactName::Standing, "violation_confirmed"),
        field.has(FactName::Standing, "terminated"),
    ];
    field.any(parts)
}

/// The full price, where nothing of the purchase is left that it could be paid for.
fn given_up(field: &mut Field, remedies: &[Remedy]) -> Region {
    if remedies.iter().any(|remedy| matches!(remedy, Remedy::RefundFull(_))) {
        field.is(FactName::Refunded, &["full"])
    } else {
        Region::NONE
    }
}

/// What a document forbids itself.
fn declared(field: &mut Field, guardrail: Guardrail, remedies: &[Remedy]) -> (&'static str, Region) {
    match guardrail {
        Guardrail::PayForChangeOfMind => {
            ("pays for a change of mind (§3.2)", field.is(FactName::Claim, &["change_of_mind"]))
        }
        Guardrail::PayForDissatisfaction => {
            ("pays for dissatisfaction (§3.1)", field.is(FactName::Claim, &["dissatisfied"]))
        }
        Guardrail::PayForUsedCredits => {
            // What pays for unused credits alone, or charges those that were used, cannot pay for others.
            let blind = |remedy: &Remedy| match remedy {
                Remedy::RefundFull(less) => !less.used_at_list_price,
                Remedy::RefundFixed(_) => true,
                _ => false,
            };
            let (used, held) = (field.some(FactName::Used), field.some(FactName::Held));
            let any = if remedies.iter().any(blind) { field.sets.or(used, held) } else { Region::NONE };
            ("pays for credits that were used or are held (§3.1, §7.1)", any)
        }
        Guardrail::PayBeforeRestoring => {
            let missing = field.some(FactName::Undelivered);
            let claimed = field.is(FactName::Claim, &["credits_not_delivered"]);
            let restorable = field.truth(FactName::RestorationPossible);
            let money = remedies.iter().position(|remedy| remedy.kind().pays());
            let restored = remedies.iter().position(|remedy| *remedy == Remedy::RestoreUndelivered);
            let first = restored.is_some_and(|restored| money.is_none_or(|money| restored < money));
            let region = if first { Region::NONE } else { field.all([missing, claimed, restorable]) };
            ("pays for missing credits that can still be delivered (§2.3)", region)
        }
    }
}

/// The cells of `approved` that would not be approved if the case were the same without its papers: no statement, no
/// logs, and no order but the one that the request names.
pub(super) fn on_evidence(field: &mut Field, document: &Document, approved: Region) -> Region {
    let evidence = field.truth(FactName::EvidenceGiven);
    let with = field.sets.and(approved, evidence);
    let purchase = field.truth(FactName::PurchaseKnown);
    let order = field.has(FactName::DetailsGiven, "order_id");
    let listed = field.sets.minus(order, purchase);
    let mut breach = Region::NONE;
    for claim in CLAIMS {
        let Some(known) = read_word::<Claim>(claim) else { continue };
        let required = document.parameters().required_details(known);
        let claimed = field.is(FactName::Claim, &[claim]);
        for on_paper in
            [&[Detail::Statement, Detail::Logs][..], &[Detail::Statement, Detail::Logs, Detail::OrderId]]
        {
            let mut without = vec![];
            choose(field, &mut without, FactName::EvidenceGiven);
            choose(field, &mut without, FactName::EvidenceReused);
            for detail in on_paper {
                let name = word(detail);
                let given = field.space.word(FactName::DetailsGiven, &name);
                let missing = field.space.word(FactName::MissingDetails, &name);
                without.extend(given.map(|variable| (variable, 0)));
                without.extend(missing.map(|variable| (variable, usize::from(required.contains(detail)))));
            }
            let here = field.sets.and(with, claimed);
            let here = if on_paper.contains(&Detail::OrderId) {
                field.sets.and(here, listed)
            } else {
                field.sets.minus(here, listed)
            };
            let still = field.sets.given(approved, &without);
            let here = field.sets.minus(here, still);
            breach = field.sets.or(breach, here);
        }
    }
    breach
}

/// Chooses that a fact is false.
fn choose(field: &Field, chosen: &mut Vec<(usize, usize)>, fact: FactName) {
    if let Some((variable, cells)) = field.space.fact(fact, None)
        && let Some(choice) = cells.iter().position(|cell| *cell == Cell::Is(Value::Bool(false)))
    {
        chosen.push((variable, choice));
    }
}
