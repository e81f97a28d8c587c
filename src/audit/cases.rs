//! Requests, decisions, policy versions and stored answers: what was said, and that it still says so.

use super::finding::{Check, Row, Violation, attempt_key};
use crate::domain::purchase::Purchase;
use crate::domain::request::RequestStage;
use crate::store::{AuditDecision, AuditHeld, AuditKey, AuditPolicyVersion, AuditRequest};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// Checks one decision against its digests, its columns and its version.
pub(super) fn check_decision(decision: &AuditDecision, found: &mut Vec<Violation>) {
    let d = decision;
    let key = format!("{}/{}/{}", d.account_id, d.refund_request_id, d.ordinal);
    let mut row = Row::new("decision", key, found);
    if sha256(&d.facts) != d.facts_sha256 {
        row.broken(Check::DecisionDigest, "its facts are not those of their digest");
    }
    if sha256(&d.body) != d.decision_sha256 {
        row.broken(Check::DecisionDigest, "its text is not that of its digest");
    }
    let body: Value = serde_json::from_str(&d.body).unwrap_or_default();
    for (name, column) in [
        ("outcome", &d.outcome),
        ("row", &d.row),
        ("policy_version", &d.policy_version),
        ("document_sha256", &d.document_sha256),
        ("facts_sha256", &d.facts_sha256),
    ] {
        if body.get(name).and_then(Value::as_str) != Some(column) {
            row.broken(Check::DecisionDigest, format!("{name} is not what its text says"));
        }
    }
    match &d.version_sha256 {
        None => {
            row.broken(Check::DecisionDigest, format!("policy version `{}` is missing", d.policy_version));
        }
        Some(sha256) if *sha256 != d.document_sha256 => {
            row.broken(Check::DecisionDigest, "its policy version is another document now");
        }
        Some(_) => {}
    }
}

/// Checks one request: its decisions are there, and it was answered or still has time (§4.1).
pub(super) fn check_request(request: &AuditRequest, now: DateTime<Utc>, found: &mut Vec<Violation>) {
    let r = request;
    let mut row = Row::new("refund_request", format!("{}/{}", r.account_id, r.refund_request_id), found);
    if r.decisions == 0 || i64::from(r.last_ordinal) != r.decisions {
        row.broken(
            Check::RequestDecisions,
            format!("it has {} decisions and the last is number {}", r.decisions, r.last_ordinal),
        );
    }
    if i64::from(r.counted_decisions) != r.decisions {
        row.broken(Check::RequestDecisions, format!("it counts {} decisions", r.counted_decisions));
    }
    let awaits_us = RequestStage::parse(&r.stage).is_some_and(RequestStage::awaits_us);
    if awaits_us && r.respond_by < now {
        row.broken(Check::RequestOverdue, format!("it should have been answered by {}", r.respond_by));
    }
}

/// Checks one policy version.
pub(super) fn check_policy_version(version: &AuditPolicyVersion, found: &mut Vec<Violation>) {
    if sha256(&version.document) != version.document_sha256 {
        let message = "its document is not that of its digest";
        found.push(Violation::new(Check::PolicyDigest, "policy_version", &version.version, message));
    }
}

/// Checks one stored answer, and the purchase that it told of.
pub(super) fn check_key(key: &AuditKey, found: &mut Vec<Violation>) {
    let name = format!("{}/{}/{}/{}", key.account_id, key.caller, key.method, key.request_id);
    let mut row = Row::new("idempotency_key", name, found);
    let digest = key.fingerprint.split_once(':').map(|(_, digest)| digest);
    if !digest.is_some_and(|digest| digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        row.broken(Check::StoredAnswer, "its fingerprint cannot be compared with a request");
    }
    let answer: Option<Value> = serde_json::from_str(&key.answer).ok();
    let readable = answer.as_ref().is_some_and(|answer| {
        // Only a refusal has a reason and says it.
        let is_told = |name| answer.get(name).is_some_and(Value::is_string);
        answer.is_object() && (is_told("reason") && is_told("message")) == key.refused
    });
    if !readable {
        row.broken(Check::StoredAnswer, "it cannot be read");
        return;
    }
    if let Some(told) = &key.told_purchase_id {
        match serde_json::from_str::<Purchase>(&key.answer) {
            Err(_) => row.broken(Check::StoredAnswer, "it cannot be read"),
            Ok(purchase) => check_record(key, told, &purchase, found),
        }
    }
}

/// What was paid for what never changes.
fn check_record(key: &AuditKey, told: &str, purchase: &Purchase, found: &mut Vec<Violation>) {
    let mut row = Row::new("purchase", format!("{}/{told}", key.account_id), found);
    if key.purchase_id.is_none() {
        row.broken(Check::PurchaseRecord, "it is missing; its recording was answered");
        return;
    }
    let same = |stored: &Option<String>, told: &str| stored.as_deref() == Some(told);
    for (column, is_same) in [
        ("provider", same(&key.provider, purchase.provider.as_str())),
        ("payment_id", same(&key.payment_id, purchase.payment_id.as_str())),
        ("order_id", same(&key.order_id, purchase.order_id.as_str())),
        ("package_id", same(&key.package_id, purchase.package_id.as_str())),
        ("kind", same(&key.kind, purchase.kind.name())),
        ("currency", same(&key.currency, purchase.price.currency.code())),
        ("price_minor", key.price_minor == Some(purchase.price.minor_units)),
        ("credits", key.credits == Some(purchase.credits.get())),
        ("bonus_credits", key.bonus_credits == Some(purchase.bonus_credits.get())),
        ("paid_at", key.paid_at == Some(purchase.paid_at)),
    ] {
        if !is_same {
            row.broken(Check::PurchaseRecord, format!("{column} is not what its recording was answered"));
        }
    }
}

/// An attempt reserved credits while its account was suspended or closed.
pub(super) fn held_while_suspended(held: &AuditHeld) -> Violation {
    let AuditHeld { account_id, attempt, held_at, restriction_id, since } = held;
    let key = attempt_key(account_id, attempt);
    let message =
        format!("it reserved credits at {held_at}; restriction {restriction_id} is in force since {since}");
    Violation::new(Check::UsageSuspended, "usage", key, message)
}
