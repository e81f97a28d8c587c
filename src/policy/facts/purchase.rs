//! The purchase: what was bought, what became of it, and what was paid for it (§2.3, §5.3, §7).

use super::value::word;
use super::{FactName, Facts, Value};
use crate::domain::case_file::{CaseFile, PurchaseFile};
use crate::domain::credits::Credits;
use crate::domain::purchase::{DisputeState, Purchase};
use crate::policy::share::Share;
use crate::policy::span::Span;

pub(super) fn observe(facts: &mut Facts, file: &CaseFile) {
    facts.put(FactName::PurchaseKnown, Value::Bool(file.purchase.is_some()));
    let Some(known) = &file.purchase else { return };
    kind(facts, known);
    delivery(facts, file, known);
    use_of_credits(facts, known);
    money(facts, file, &known.purchase);
}

fn kind(facts: &mut Facts, known: &PurchaseFile) {
    let purchase = &known.purchase;
    facts.put(FactName::OrderId, Value::Text(purchase.order_id.as_str().to_owned()));
    facts.put(FactName::FirstPurchase, Value::Bool(known.first_purchase));
    facts.put(FactName::PurchaseKind, Value::Text(word(&purchase.kind)));
    facts.put(FactName::Renewal, Value::Bool(purchase.renewal));
    facts.put(FactName::Plan, Value::Text(purchase.plan.clone()));
    facts.put(FactName::Attributes, Value::Map(purchase.attributes.clone()));
    if let Some(list) = purchase.list_price.filter(|list| list.currency == purchase.price.currency) {
        facts.put(FactName::ListPriceMinor, Value::Number(list.minor_units.max(0)));
        facts.put(FactName::PriceReduced, Value::Bool(purchase.price.minor_units < list.minor_units));
    }
}

fn delivery(facts: &mut Facts, file: &CaseFile, known: &PurchaseFile) {
    let purchase = &known.purchase;
    let undelivered = undelivered(known);
    facts.put(FactName::Bought, credits(purchase.credits));
    facts.put(FactName::Delivered, credits(purchase.delivered_credits));
    facts.put(FactName::Undelivered, credits(undelivered));
    if let Some(at) = purchase.last_delivered_at {
        facts.put(FactName::DeliveredAt, Value::Time(at));
    }
    if !undelivered.is_zero() {
        let waited = Span::between(purchase.paid_at, file.decided_at);
        facts.put(FactName::UndeliveredFor, Value::Duration(waited));
    }
    let restorable = file.account.standing.may_purchase()
        && purchase.undeliverable_reason.is_none()
        && refunded(purchase) != "full"
        && !matches!(purchase.dispute, DisputeState::Open | DisputeState::Lost);
    facts.put(FactName::RestorationPossible, Value::Bool(restorable));
}

/// Bought credits that never arrived, less those already given up for a refund: whatever has been unused, used, held
/// or refunded is no longer missing.
fn undelivered(known: &PurchaseFile) -> Credits {
    let accounted = [known.unused, known.used, known.held, known.purchase.refunded_credits];
    let unaccounted = accounted.into_iter().fold(known.purchase.credits, Credits::minus_at_most);
    known.purchase.undelivered().min(unaccounted)
}

fn use_of_credits(facts: &mut Facts, known: &PurchaseFile) {
    let purchase = &known.purchase;
    let whole = known.unused.plus(undelivered(known)) == Ok(purchase.credits);
    let share = Share::of(known.used.get(), purchase.credits.get());
    facts.put(FactName::Unused, credits(known.unused));
    facts.put(FactName::Held, credits(known.held));
    facts.put(FactName::Used, credits(known.used));
    facts.put(FactName::UsedShare, Value::Share(share));
    facts.put(FactName::FailedOfPurchase, credits(known.failed));
    facts.put(FactName::CreditsRefunded, credits(purchase.refunded_credits));
    facts.put(FactName::Untouched, Value::Bool(whole && refunded(purchase) == "none"));
}

fn money(facts: &mut Facts, file: &CaseFile, purchase: &Purchase) {
    let age = Span::between(purchase.paid_at, file.received_at);
    facts.put(FactName::PaidAt, Value::Time(purchase.paid_at));
    facts.put(FactName::PurchaseAge, Value::Duration(age));
    facts.put(FactName::Refunded, Value::Text(refunded(purchase).to_owned()));
    facts.put(FactName::Dispute, Value::Text(word(&purchase.dispute)));
    facts.put(FactName::Currency, Value::Text(purchase.price.currency.code().to_owned()));
    facts.put(FactName::PriceMinor, Value::Number(purchase.price.minor_units.max(0)));
    facts.put(FactName::RefundedMinor, Value::Number(purchase.refunded_minor.max(0)));
    facts.put(FactName::PendingMinor, Value::Number(purchase.pending_minor.max(0)));
    facts.put(FactName::ReturnedMinor, Value::Number(purchase.returned_minor.max(0)));
}

/// How much was refunded, by money or by credits, whichever says more; money on its way counts. What cost nothing is
/// fully refunded only when all its credits were given up.
fn refunded(purchase: &Purchase) -> &'static str {
    let paid_back = purchase.refunded_minor.saturating_add(purchase.pending_minor);
    let all_money = purchase.price.minor_units > 0 && paid_back >= purchase.price.minor_units;
    let all_credits = !purchase.credits.is_zero() && purchase.refunded_credits >= purchase.credits;
    if all_money || all_credits {
        "full"
    } else if paid_back > 0 || !purchase.refunded_credits.is_zero() {
        "part"
    } else {
        "none"
    }
}

fn credits(credits: Credits) -> Value {
    Value::Number(credits.get())
}
