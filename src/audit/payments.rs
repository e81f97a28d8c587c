//! Purchases, refunds and disputes: what money went where, added up again.

use super::finding::{Check, Row, Violation};
use super::lots::Sum;
use crate::domain::chargeback::{ChargebackStage, dispute_state};
use crate::domain::purchase::DisputeState;
use crate::domain::refund::RefundStage;
use crate::store::{AuditChargeback, AuditDangling, AuditPurchase, AuditRefund};
use serde_json::Value;

/// Checks one purchase.
pub(super) fn check_purchase(purchase: &AuditPurchase, found: &mut Vec<Violation>) {
    const REFUNDS: &str = "its refunds make it";
    let p = purchase;
    let mut row = Row::new("purchase", format!("{}/{}", p.account_id, p.purchase_id), found);
    row.compare(Check::RefundCap, "refunded_minor", p.refunded_minor, p.refunds_succeeded_minor, REFUNDS);
    row.compare(Check::RefundCap, "pending_minor", p.pending_minor, p.refunds_pending_minor, REFUNDS);
    row.compare(Check::RefundCap, "refunded_credits", p.refunded_credits, p.refunds_credits, REFUNDS);
    let paid_back = Sum::from(p.refunds_succeeded_minor).saturating_add(Sum::from(p.refunds_pending_minor));
    if paid_back > Sum::from(p.price_minor) {
        row.broken(
            Check::RefundCap,
            format!("its refunds pay {paid_back} back and {} was paid", p.price_minor),
        );
    }
    if p.refunds_credits > p.credits {
        row.broken(Check::RefundCap, "its refunds were paid for more credits than it bought");
    }
    let delivered = p.delivered_credits;
    row.compare(
        Check::PurchaseDelivery,
        "delivered_credits",
        delivered,
        p.deliveries_credits,
        "its deliveries make it",
    );
    row.compare(Check::PurchaseDelivery, "delivered_credits", delivered, p.lots_paid, "its lots make it");
    let bonus = if delivered > 0 { p.bonus_credits } else { 0 };
    row.compare(Check::PurchaseDelivery, "bonus_credits", bonus, p.lots_bonus, "its lots make it");
    if p.last_delivered_at != p.deliveries_last_at {
        row.broken(Check::PurchaseDelivery, "its last delivery was not when it says");
    }
    row.compare(
        Check::PurchaseDispute,
        "returned_minor",
        p.returned_minor,
        p.lost_minor,
        "its lost disputes make it",
    );
    let stages = p.dispute_stages.iter().flatten().filter_map(|stage| ChargebackStage::parse(stage));
    let state = dispute_state(stages);
    if DisputeState::parse(&p.dispute) != Some(state) {
        row.broken(Check::PurchaseDispute, format!("dispute is {}, its disputes make it {state}", p.dispute));
    }
    if p.key_owner.as_ref() != Some(&p.account_id) {
        row.broken(Check::ExternalKey, "its payment does not belong to its account");
    }
}

/// Checks one refund.
pub(super) fn check_refund(refund: &AuditRefund, found: &mut Vec<Violation>) {
    let r = refund;
    let mut row = Row::new("refund", format!("{}/{}", r.account_id, r.refund_id), found);
    if !r.is_of_its_payment {
        row.broken(Check::RefundRecord, "it does not go back to the payment of its purchase");
    }
    let counts = RefundStage::parse(&r.stage).is_some_and(RefundStage::counts);
    // What was never delivered is paid for without an entry (§2.3).
    let undelivered = r.undelivered.unwrap_or_default();
    let unmoved = Sum::from(r.credits).saturating_sub(Sum::from(r.moved_paid));
    if counts && !(0..=Sum::from(undelivered)).contains(&unmoved) {
        row.broken(
            Check::RefundRecord,
            format!("it was paid for {} credits and its entries took {}", r.credits, r.moved_paid),
        );
    }
    if !counts && r.moved_paid != 0 {
        row.broken(Check::RefundRecord, format!("it is {} and kept {} credits", r.stage, r.moved_paid));
    }
    if r.has_key && r.key_owner.as_ref() != Some(&r.account_id) {
        row.broken(Check::ExternalKey, "the processor's id of it does not belong to its account");
    }
    let told = r.answer.as_deref().and_then(|answer| serde_json::from_str::<Value>(answer).ok());
    let id = r.refund_id.to_string();
    if let Some(told) = told.as_ref().and_then(|told| find_object(told, "refund_id", &id)) {
        let same = told.pointer("/amount/minor_units").and_then(Value::as_i64) == Some(r.amount_minor)
            && told.pointer("/amount/currency").and_then(Value::as_str) == Some(&r.currency)
            && told.get("credits").and_then(Value::as_i64) == Some(r.credits)
            && told.get("purchase_id").and_then(Value::as_str) == Some(&r.purchase_id.to_string());
        if !same {
            row.broken(Check::RefundRecord, "it is not what its decision was answered");
        }
    }
}

/// The object that has this id under this name, anywhere in a value.
fn find_object<'a>(value: &'a Value, name: &str, id: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) if fields.get(name).and_then(Value::as_str) == Some(id) => Some(value),
        Value::Object(fields) => fields.values().find_map(|field| find_object(field, name, id)),
        Value::Array(items) => items.iter().find_map(|item| find_object(item, name, id)),
        _ => None,
    }
}

/// Checks one dispute.
pub(super) fn check_chargeback(chargeback: &AuditChargeback, found: &mut Vec<Violation>) {
    let c = chargeback;
    let mut row = Row::new("chargeback", format!("{}/{}", c.account_id, c.chargeback_id), found);
    if c.events == 0 || i64::from(c.last_ordinal) != c.events {
        row.broken(
            Check::Dispute,
            format!("it has {} events and the last is number {}", c.events, c.last_ordinal),
        );
    }
    let is_undecided = matches!(c.stage.as_str(), "open" | "lost");
    if is_undecided && c.purchase_id.is_some() && !c.has_restriction {
        row.broken(Check::Dispute, format!("it is {} and brought no restriction", c.stage));
    }
    if !is_undecided && c.has_restriction_in_force {
        row.broken(Check::Dispute, format!("it is {} and its restriction is in force", c.stage));
    }
    if c.has_outdated_restriction {
        row.broken(Check::Dispute, "a restriction of an earlier determination is in force");
    }
    if !c.is_of_its_payment {
        row.broken(Check::Dispute, "it is not about the payment of its purchase");
    }
    if c.key_owner.as_ref() != Some(&c.account_id) {
        row.broken(Check::ExternalKey, "the processor's id of it does not belong to its account");
    }
}

/// Something that entries name as their cause is missing.
pub(super) fn missing_cause(missing: &AuditDangling) -> Violation {
    let key = format!("{}/{}", missing.account_id, missing.id);
    Violation::new(Check::EntryCause, &missing.kind, key, "it is missing; entries name it as their cause")
}

/// A processor's id belongs to something that is missing.
pub(super) fn ownerless_key(missing: &AuditDangling) -> Violation {
    let key = format!("{}/{}", missing.kind, missing.id.replacen(':', "/", 1));
    let message = format!("account `{}` has no such {}", missing.account_id, missing.kind);
    Violation::new(Check::ExternalKey, "external_key", key, message)
}
