//! One lie at a time, told with triggers off: an edited, a missing and an added row of every table that matters.

use super::{EVENING, day, found, found_after, names_exactly, one};
use crate::determinations::determination;
use crate::service::when;
use makegood::audit::Violation;
use makegood::proto::makegood::v1;

/// A row's key as the audit writes it.
fn key_of(table: &str) -> &'static str {
    match table {
        "account" => "account_id",
        "allocation" => "account_id || '/' || job_id || '/' || attempt || '/' || lot_id",
        "chargeback" => "account_id || '/' || chargeback_id",
        "decision" => "account_id || '/' || refund_request_id || '/' || ordinal",
        "idempotency_key" => "account_id || '/' || caller || '/' || method || '/' || request_id",
        "lot" => "account_id || '/' || lot_id",
        "policy_version" => "version",
        "purchase" => "account_id || '/' || purchase_id",
        "refund" => "account_id || '/' || refund_id",
        "usage" => "account_id || '/' || job_id || '/' || attempt",
        _ => unreachable!("`{table}` has no key here"),
    }
}

#[tokio::test]
async fn every_column_of_an_entry_is_under_its_hash() {
    let service = day().await;
    let other = "(SELECT lot_id FROM lot WHERE account_id = 'ada' AND lot_id <> entry.lot_id LIMIT 1)";
    for (check, set) in [
        ("entry_hash", format!("lot_id = {other}")),
        ("entry_hash", "from_bucket = 'frozen'".to_owned()),
        ("entry_hash", "to_bucket = 'revoked'".to_owned()),
        ("entry_hash", "credits = credits + 1".to_owned()),
        ("entry_hash", "cause_kind = 'person'".to_owned()),
        ("entry_hash", "cause_id = 'job-9#1'".to_owned()),
        ("entry_hash", "actor = 'nobody'".to_owned()),
        ("entry_hash", "trace_id = 'another'".to_owned()),
        ("entry_hash", "at = at + interval '1 microsecond'".to_owned()),
        ("entry_prev_hash", "prev_hash = sha256('another')".to_owned()),
        ("entry_hash", "hash = sha256('another')".to_owned()),
    ] {
        let lie = format!("UPDATE entry SET {set} WHERE account_id = 'ada' AND seq = 4");
        let violations = found_after(&service, "entry", &lie).await;
        names_exactly(&violations, (check, "entry", "ada/4"), &lie);
    }
    for (lie, key) in [
        ("UPDATE entry SET seq = 400 WHERE account_id = 'ada' AND seq = 4", "ada/4"),
        ("UPDATE entry SET account_id = 'zed' WHERE account_id = 'ada' AND seq = 4", "ada/4"),
    ] {
        let violations = found_after(&service, "entry", lie).await;
        let is_named = |violation: &Violation| violation.check.name() == "entry_seq" && violation.key == key;
        assert!(violations.iter().any(is_named), "{lie}: {violations:#?}");
        assert!(violations.iter().any(|violation| violation.check.name() == "entry_hash"), "{lie}");
    }
    assert_eq!(found(&service).await, []);
    service.stop().await;
}

#[tokio::test]
async fn a_missing_or_an_added_entry_is_named_by_its_place() {
    let service = day().await;
    let last = one(&service, "SELECT last_seq::text FROM account WHERE account_id = 'ada'").await;
    let after = last.parse::<i64>().unwrap() + 1;
    let copy = format!(
        "INSERT INTO entry SELECT account_id, {after}, lot_id, from_bucket, to_bucket, credits, cause_kind, cause_id,
            actor, trace_id, at, hash, hash FROM entry WHERE account_id = 'ada' AND seq = {last}"
    );
    for (lie, key) in [
        ("DELETE FROM entry WHERE account_id = 'ada' AND seq = 1".to_owned(), "ada/1".to_owned()),
        ("DELETE FROM entry WHERE account_id = 'ada' AND seq = 4".to_owned(), "ada/4".to_owned()),
        (format!("DELETE FROM entry WHERE account_id = 'ada' AND seq = {last}"), format!("ada/{last}")),
        (copy, format!("ada/{after}")),
    ] {
        let violations = found_after(&service, "entry", &lie).await;
        names_exactly(&violations, ("entry_seq", "entry", &key), &lie);
    }
    assert_eq!(found(&service).await, []);
    service.stop().await;
}

/// The promise, the table, the row, and what is changed in it.
const EDITS: &[(&str, &str, &str, &str)] = &[
    ("lot_buckets", "lot", "account_id = 'dee'", "available = available + 1, granted = granted + 1"),
    ("lot_buckets", "lot", "account_id = 'dee'", "available = available + 1, consumed = consumed - 1"),
    ("lot_buckets", "lot", "account_id = 'dee'", "held = 1, available = available - 1"),
    ("lot_buckets", "lot", "account_id = 'dee'", "expired = 1, available = available - 1"),
    ("lot_buckets", "lot", "account_id = 'dee'", "revoked = 1, available = available - 1"),
    ("lot_buckets", "lot", "account_id = 'dee'", "refunded = 1, available = available - 1"),
    ("lot_buckets", "lot", "account_id = 'cyn'", "frozen = frozen - 1, available = 1"),
    ("lot_dispute", "lot", "account_id = 'dee'", "owed = 5"),
    ("lot_dispute", "lot", "account_id = 'dan'", "owed = 1"),
    ("lot_dispute", "lot", "account_id = 'cyn'", "disputed = false"),
    ("lot_origin", "lot", "account_id = 'dee'", "granted_at = granted_at - interval '1 day'"),
    ("lot_origin", "lot", "account_id = 'dee'", "purchase_id = NULL"),
    ("refund_cap", "purchase", "payment_id = 'bob-1'", "refunded_minor = 1"),
    ("refund_cap", "purchase", "payment_id = 'bob-1'", "pending_minor = 1"),
    ("refund_cap", "purchase", "payment_id = 'bob-1'", "refunded_credits = 1"),
    ("purchase_delivery", "purchase", "payment_id = 'bob-1'", "delivered_credits = 1"),
    ("purchase_delivery", "purchase", "payment_id = 'bob-1'", "last_delivered_at = NULL"),
    ("purchase_dispute", "purchase", "payment_id = 'cyn-1'", "dispute = 'won'"),
    ("purchase_dispute", "purchase", "payment_id = 'dan-1'", "returned_minor = 1"),
    ("purchase_record", "purchase", "payment_id = 'bob-1'", "price_minor = 99900"),
    ("purchase_record", "purchase", "payment_id = 'bob-1'", "order_id = 'another'"),
    ("purchase_record", "purchase", "payment_id = 'bob-1'", "paid_at = paid_at - interval '1 day'"),
    ("refund_record", "refund", "account_id = 'bob'", "amount_minor = 1"),
    ("refund_record", "refund", "account_id = 'bob'", "credits = 99"),
    ("refund_record", "refund", "account_id = 'bea'", "stage = 'succeeded', failure_reason = ''"),
    (
        "refund_record",
        "refund",
        "account_id = 'ben'",
        "stage = 'failed', stage_since = NULL, settled_at = submitted_at, expected_from = NULL, expected_until = NULL",
    ),
    ("refund_record", "refund", "account_id = 'bob'", "payment_id = 'another'"),
    ("decision_digest", "decision", "account_id = 'bob'", "outcome = 'deny'"),
    ("decision_digest", "decision", "account_id = 'bob'", "body = body || ' '"),
    ("decision_digest", "decision", "account_id = 'bob'", "facts = '{}'"),
    ("decision_digest", "decision", "account_id = 'bob'", "policy_version = 'another'"),
    ("decision_digest", "decision", "account_id = 'bob'", "decision_sha256 = repeat('0', 64)"),
    ("account_head", "account", "account_id = 'ada'", "last_seq = last_seq + 1"),
    ("account_head", "account", "account_id = 'ada'", "last_seq = last_seq - 1"),
    ("usage_record", "usage", "account_id = 'ada' AND job_id = 'job-1'", "hold_expires_at = held_at"),
    ("usage_record", "usage", "account_id = 'ada' AND job_id = 'job-4'", "outputs = 2"),
    (
        "usage_record",
        "usage",
        "account_id = 'ada' AND job_id = 'job-1'",
        "cause = 'gpu_error', fault = 'platform', failed_at = ended_at, reported_at = ended_at",
    ),
    ("usage_record", "usage", "account_id = 'ada' AND job_id = 'job-2'", "fault = 'customer'"),
    (
        "usage_record",
        "usage",
        "account_id = 'ada' AND job_id = 'job-2'",
        "reported_at = reported_at - interval '1 s'",
    ),
    (
        "usage_record",
        "usage",
        "account_id = 'ada' AND job_id = 'job-2'",
        "cause = NULL, fault = NULL, failed_at = NULL, reported_at = NULL, failure_trace_id = NULL",
    ),
    ("usage_entries", "allocation", "account_id = 'ada' AND job_id = 'job-1'", "position = 2"),
    (
        "stored_answer",
        "idempotency_key",
        "account_id = 'eve' AND method = 'EvaluateRequest'",
        "refused = true",
    ),
    ("witness", "lot", "account_id = 'dee'", "expires_at = '2030-01-01Z'"),
    ("witness", "lot", "account_id = 'dee'", "priority = 0"),
    ("witness", "purchase", "payment_id = 'bob-1'", "attributes = '{\"country\": \"DE\"}'"),
    ("account_head", "account", "account_id = 'ada'", "last_hash = sha256('another')"),
    ("account_head", "account", "account_id = 'ada'", "last_at = '2025-01-01Z'"),
    ("usage_stage", "usage", "account_id = 'ada' AND job_id = 'job-1'", "cost = 31"),
    ("usage_stage", "usage", "account_id = 'ada' AND job_id = 'job-1'", "stage = 'released'"),
    ("usage_stage", "usage", "account_id = 'ada' AND job_id = 'job-2'", "stage = 'captured'"),
    ("usage_stage", "usage", "account_id = 'ada' AND job_id = 'job-5'", "delivered_outputs = 4"),
    ("usage_entries", "usage", "account_id = 'ada' AND job_id = 'job-1'", "held_at = '2025-01-01Z'"),
    ("usage_suspended", "usage", "account_id = 'cyn'", "held_at = '2025-03-03T17:00:00Z'"),
    ("usage_entries", "allocation", "account_id = 'ada' AND job_id = 'job-1'", "taken = 31"),
    ("usage_entries", "allocation", "account_id = 'ada' AND job_id = 'job-4'", "captured = 1, released = 9"),
    ("stored_answer", "idempotency_key", "account_id = 'eve' AND method = 'EvaluateRequest'", "answer = '{'"),
];

#[tokio::test]
async fn an_edited_row_of_any_table_is_named() {
    let service = day().await;
    for (check, table, of, change) in EDITS {
        let key = one(&service, &format!("SELECT {} FROM {table} WHERE {of}", key_of(table))).await;
        let lie = format!("UPDATE {table} SET {change} WHERE {of}");
        let violations = found_after(&service, table, &lie).await;
        names_exactly(&violations, (check, table, &key), &lie);
    }
    assert_eq!(found(&service).await, []);
    service.stop().await;
}

#[tokio::test]
async fn an_edited_dispute_or_policy_is_named_by_all_that_contradicts_it() {
    let service = day().await;
    let lie = "UPDATE chargeback SET stage = 'open', closed_at = NULL WHERE account_id = 'dot'";
    let violations = found_after(&service, "chargeback", lie).await;
    assert!(
        violations.iter().any(|violation| violation.check.name() == "purchase_dispute"),
        "{violations:#?}"
    );
    assert!(violations.iter().any(|violation| violation.check.name() == "lot_dispute"), "{violations:#?}");
    assert!(violations.iter().all(|violation| violation.key.starts_with("dot/")), "{violations:#?}");
    let lie = "UPDATE policy_version SET document = document || ' '";
    let violations = found_after(&service, "policy_version", lie).await;
    let named: Vec<_> = violations.iter().map(|found| (found.check.name(), found.key.as_str())).collect();
    assert_eq!(named, [("policy_digest", "2024-12-19"), ("witness", "2024-12-19")]);
    service.stop().await;
}

#[tokio::test]
async fn a_missing_row_of_any_table_is_named() {
    let service = day().await;
    for (check, table, of) in [
        ("lot_buckets", "lot", "account_id = 'dot'"),
        ("purchase_record", "purchase", "account_id = 'eve'"),
        ("entry_cause", "refund", "account_id = 'bob'"),
        ("entry_cause", "chargeback", "account_id = 'cyn'"),
        ("account_head", "account", "account_id = 'ada'"),
        ("usage_entries", "usage", "account_id = 'ada' AND job_id = 'job-3'"),
        ("usage_entries", "allocation", "account_id = 'ada' AND job_id = 'job-1'"),
    ] {
        let key = one(&service, &format!("SELECT {} FROM {table} WHERE {of}", key_of(table))).await;
        let lie = format!("DELETE FROM {table} WHERE {of}");
        names_exactly(&found_after(&service, table, &lie).await, (check, table, &key), &lie);
    }
    // What is missing here is known by what pointed to it, and by nothing of another account.
    for (check, table, account) in [
        ("request_decisions", "decision", "eve"),
        ("foreign_key", "refund_request", "eve"),
        ("purchase_delivery", "delivery", "eve"),
        ("dispute", "restriction", "cyn"),
        ("dispute", "chargeback_event", "cyn"),
        ("external_key", "external_key", "eve"),
    ] {
        let lie = format!("DELETE FROM {table} WHERE account_id = '{account}'");
        let violations = found_after(&service, table, &lie).await;
        assert!(violations.iter().any(|violation| violation.check.name() == check), "{lie}: {violations:#?}");
        let is_theirs = |violation: &Violation| violation.key.contains(account);
        assert!(violations.iter().all(is_theirs), "{lie}: {violations:#?}");
    }
    assert_eq!(found(&service).await, []);
    service.stop().await;
}

#[tokio::test]
async fn an_added_row_of_any_table_is_named() {
    const NEW: &str = "00000000-0000-7000-8000-000000000001";
    let service = day().await;
    let lot = format!(
        "INSERT INTO lot SELECT account_id, '{NEW}', 'promotion', NULL, NULL, 100, granted_at, NULL, 50, 50, 0, 0, 0,
            0, 0, 0, 0, false FROM lot WHERE account_id = 'dee'"
    );
    let refund = format!(
        "INSERT INTO refund SELECT 'eve', '{NEW}', refund_request_id, purchase_id, 'USD', 100, 10, 'succeeded',
            'stripe', 'eve-1', NULL, 'x', received_at, received_at, received_at, ''
         FROM refund_request WHERE account_id = 'eve'"
    );
    let usage =
        "INSERT INTO usage (account_id, job_id, attempt, stage, cost, outputs, held_at, hold_expires_at)
        VALUES ('ada', 'job-9', 1, 'held', 5, 1, '2025-03-03Z', '2025-03-04Z')";
    let account = "INSERT INTO account (account_id, last_hash, last_at, created_at)
        VALUES ('zoe', sha256('x'), now(), now())";
    for (check, table, key, lie) in [
        ("lot_buckets", "lot", format!("dee/{NEW}"), lot.as_str()),
        ("refund_record", "refund", format!("eve/{NEW}"), refund.as_str()),
        ("usage_stage", "usage", "ada/job-9/1".to_owned(), usage),
        ("account_head", "account", "zoe".to_owned(), account),
    ] {
        names_exactly(&found_after(&service, table, lie).await, (check, table, &key), lie);
    }
    assert_eq!(found(&service).await, []);
    service.stop().await;
}

#[tokio::test]
async fn a_restriction_of_an_earlier_finding_that_is_in_force_again_is_named_by_its_dispute() {
    let service = day().await;
    let id = one(&service, "SELECT chargeback_id::text FROM chargeback WHERE account_id = 'cyn'").await;
    for told in [v1::ChargebackDetermination::Abusive, v1::ChargebackDetermination::Legitimate] {
        service.refunds().determine_chargeback(when(EVENING, determination(&id, told))).await.unwrap();
    }
    assert_eq!(found(&service).await, []);
    let lie = "UPDATE restriction SET lifted_at = NULL, lifted_by = NULL, lift_note = NULL
        WHERE account_id = 'cyn' AND kind = 'purchase_blocked'";
    let violations = found_after(&service, "restriction", lie).await;
    let is_named = |found: &Violation| found.check.name() == "dispute" && found.key == format!("cyn/{id}");
    assert!(violations.iter().any(is_named), "{violations:#?}");
    service.stop().await;
}
