//! The audit: silent about a real day, and exact about a single lie told behind the service's back.

use crate::service::{Service, capture, hold, instant, refund_result, release, when};
use makegood::audit::{self, Listener, Scope, Violation};
use makegood::proto::makegood::v1;
use makegood::store::Store;
use sqlx::{AssertSqlSafe, Executor};
use std::collections::BTreeSet;
use std::process::Output;
use v1::{ChargebackEventKind as Event, Claim};

const NOON: &str = "2025-03-03T12:00:00Z";
const LATER: &str = "2025-03-03T13:00:00Z";
const EVENING: &str = "2025-03-03T18:00:00Z";

/// What the tests' own server is rightly blamed for: it only has to outlive its processes.
const NOT_DURABLE: [&str; 2] = ["fsync", "full_page_writes"];

#[derive(Default)]
struct Heard {
    violations: Vec<Violation>,
    parts: BTreeSet<&'static str>,
}

impl Listener for Heard {
    fn found(&mut self, violation: &Violation) {
        self.violations.push(violation.clone());
    }

    fn progress(&mut self, part: &'static str, _rows: u64) {
        self.parts.insert(part);
    }
}

/// What an audit finds at an instant, the server's own settings aside.
async fn found_at(service: &Service, since: Option<&str>, now: &str) -> Vec<Violation> {
    let store = Store::connect_to_audit(service.url()).await.unwrap();
    let scope = Scope { since: since.map(instant), now: instant(now) };
    let mut heard = Heard::default();
    let tally = audit::run(&store, scope, &mut heard).await.unwrap();
    store.close().await;
    assert_eq!(tally.violations, u64::try_from(heard.violations.len()).unwrap());
    assert_eq!(heard.parts.len(), 12, "{:?}", heard.parts);
    heard.violations.retain(|violation| !NOT_DURABLE.contains(&violation.key.as_str()));
    heard.violations
}

async fn found(service: &Service) -> Vec<Violation> {
    found_at(service, None, EVENING).await
}

/// A day with everything in it: charges, failures, holds, duplicates, refunds paid and failed, disputes open, lost,
/// and won after all, a case for a person, and a refusal.
async fn day() -> Service {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.purchase("ada", "pay-2", NOON).await;
    service.deliver("ada", "pay-2", 60, LATER).await;
    service.used("ada", "job-1", 30, LATER).await;
    service.used("ada", "job-2", 20, LATER).await;
    service.failed("ada", "job-2", "gpu_error", LATER).await;
    service.credits().hold_credits(when(LATER, hold("ada", "job-3", 90))).await.unwrap();
    service.credits().hold_credits(when(LATER, hold("ada", "job-4", 10))).await.unwrap();
    service.credits().release_credits(when(LATER, release("ada", "job-4"))).await.unwrap();
    let halves = v1::HoldCreditsRequest { outputs: Some(4), ..hold("ada", "job-5", 7) };
    service.credits().hold_credits(when(LATER, halves)).await.unwrap();
    let three = v1::CaptureCreditsRequest { delivered_outputs: Some(3), ..capture("ada", "job-5") };
    service.credits().capture_credits(when(LATER, three)).await.unwrap();
    service.credits().hold_credits(when(LATER, hold("ada", "job-6", 10_000))).await.unwrap_err();

    for (account, result) in [
        ("bob", v1::RefundResult::Succeeded),
        ("bea", v1::RefundResult::Failed),
        ("ben", v1::RefundResult::Submitted),
    ] {
        service.bought(account, &format!("{account}-1"), NOON).await;
        service.bought(account, &format!("{account}-2"), "2025-03-03T12:00:04Z").await;
        let answer = service.claim(account, &format!("{account}-2"), Claim::DuplicatePurchase, LATER).await;
        let refund = answer.refund_request.unwrap().refunds.remove(0);
        let told = refund_result(account, &refund.refund_id, result, EVENING);
        service.refunds().record_refund_result(when(EVENING, told)).await.unwrap();
    }
    for (account, events) in [
        ("cyn", vec![Event::Opened]),
        ("dan", vec![Event::Opened, Event::Lost]),
        ("dee", vec![Event::Opened, Event::Lost, Event::Won]),
        ("dot", vec![Event::Opened, Event::Withdrawn]),
    ] {
        service.bought(account, &format!("{account}-1"), NOON).await;
        service.used(account, "job-1", 40, LATER).await;
        for (hour, event) in (14..).zip(events) {
            let at = format!("2025-03-03T{hour}:00:00Z");
            service.dispute(&format!("{account}-1"), &format!("dispute-{account}"), event, &at).await;
        }
    }
    service.failed("dan", "job-1", "gpu_error", EVENING).await;
    service.dispute("nobody-1", "dispute-nobody", Event::Opened, LATER).await;
    service.bought("eve", "eve-1", NOON).await;
    service.claim("eve", "eve-1", Claim::Other, LATER).await;
    service
}

/// Tells a lie as a superuser with triggers off, hears the audit, and takes the lie back.
async fn found_after(service: &Service, table: &str, lie: &str) -> Vec<Violation> {
    let mut superuser = service.database().await;
    let run = |statement: String| AssertSqlSafe(statement);
    superuser.execute("SET session_replication_role = replica").await.unwrap();
    superuser.execute(run(format!("CREATE TEMP TABLE truth AS SELECT * FROM {table}"))).await.unwrap();
    let lied = superuser.execute(run(lie.to_owned())).await.unwrap();
    assert_eq!(lied.rows_affected(), 1, "{lie}");
    let violations = found(service).await;
    superuser.execute(run(format!("DELETE FROM {table}"))).await.unwrap();
    superuser.execute(run(format!("INSERT INTO {table} SELECT * FROM truth"))).await.unwrap();
    violations
}

/// One value out of the database.
async fn one(service: &Service, select: &str) -> String {
    let mut database = service.database().await;
    sqlx::query_scalar(AssertSqlSafe(select.to_owned())).fetch_one(&mut database).await.unwrap()
}

/// The audit must name this row by this check, no other row of the table, and nothing of another account.
#[track_caller]
fn names_exactly(violations: &[Violation], (check, table, key): (&str, &str, &str), lie: &str) {
    let is_named = |violation: &Violation| {
        (violation.check.name(), violation.table.as_str(), violation.key.as_str()) == (check, table, key)
    };
    assert!(violations.iter().any(is_named), "{lie}: not named {check} {table} {key}: {violations:#?}");
    let account = key.split('/').next().unwrap();
    for violation in violations {
        if violation.table == table {
            assert_eq!(violation.key, key, "{lie}: {violations:#?}");
        }
        assert!(violation.key.contains(account), "{lie}: {violations:#?}");
    }
}

#[tokio::test]
async fn a_day_with_everything_in_it_audits_clean_but_for_what_is_overdue() {
    let service = day().await;
    assert_eq!(found(&service).await, []);
    let key = one(
        &service,
        "SELECT account_id || '/' || refund_request_id FROM refund_request WHERE account_id = 'eve'",
    )
    .await;
    let overdue = found_at(&service, None, "2025-04-01T00:00:00Z").await;
    assert_eq!(overdue.len(), 1, "{overdue:#?}");
    names_exactly(&overdue, ("request_overdue", "refund_request", &key), "time passed");
    service.stop().await;
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

#[tokio::test]
async fn an_edited_row_of_any_table_is_named() {
    const LOT: &str =
        "SELECT account_id || '/' || lot_id FROM lot WHERE account_id = 'ada' ORDER BY lot_id LIMIT 1";
    const ADA_LOT: &str = "WHERE lot_id = (SELECT min(lot_id::text)::uuid FROM lot WHERE account_id = 'ada')";
    let service = day().await;
    let of = |table: &str, column: &str, account: &str| {
        format!("SELECT account_id || '/' || {column} FROM {table} WHERE account_id = '{account}'")
    };
    let refund_of = |account| of("refund", "refund_id", account);
    let decision_of = |account| of("decision", "refund_request_id || '/' || ordinal", account);
    let first = |account: &str| {
        format!("SELECT '{account}/' || purchase_id FROM purchase WHERE payment_id = '{account}-1'")
    };
    for (check, table, key, change) in [
        (
            "lot_buckets",
            "lot",
            LOT.to_owned(),
            format!("available = available + 1, granted = granted + 1 {ADA_LOT}"),
        ),
        (
            "lot_buckets",
            "lot",
            LOT.to_owned(),
            format!("available = available + 1, consumed = consumed - 1 {ADA_LOT}"),
        ),
        ("lot_dispute", "lot", LOT.to_owned(), format!("owed = 5 {ADA_LOT}")),
        (
            "lot_dispute",
            "lot",
            of("lot", "lot_id", "cyn"),
            "disputed = false WHERE account_id = 'cyn'".to_owned(),
        ),
        ("lot_dispute", "lot", of("lot", "lot_id", "dan"), "owed = 1 WHERE account_id = 'dan'".to_owned()),
        (
            "lot_origin",
            "lot",
            LOT.to_owned(),
            format!("granted_at = granted_at - interval '1 day' {ADA_LOT}"),
        ),
        ("refund_cap", "purchase", first("bob"), "refunded_minor = 1 WHERE payment_id = 'bob-1'".to_owned()),
        ("refund_cap", "purchase", first("bob"), "pending_minor = 1 WHERE payment_id = 'bob-1'".to_owned()),
        (
            "refund_cap",
            "purchase",
            first("bob"),
            "refunded_credits = 1 WHERE payment_id = 'bob-1'".to_owned(),
        ),
        (
            "purchase_delivery",
            "purchase",
            first("bob"),
            "delivered_credits = 1 WHERE payment_id = 'bob-1'".to_owned(),
        ),
        (
            "purchase_dispute",
            "purchase",
            first("cyn"),
            "dispute = 'won' WHERE payment_id = 'cyn-1'".to_owned(),
        ),
        (
            "purchase_dispute",
            "purchase",
            first("dan"),
            "returned_minor = 1 WHERE payment_id = 'dan-1'".to_owned(),
        ),
        (
            "purchase_record",
            "purchase",
            first("bob"),
            "price_minor = 99900 WHERE payment_id = 'bob-1'".to_owned(),
        ),
        ("purchase_record", "purchase", first("bob"), "order_id = 'x' WHERE payment_id = 'bob-1'".to_owned()),
        ("refund_record", "refund", refund_of("bob"), "amount_minor = 1 WHERE account_id = 'bob'".to_owned()),
        ("refund_record", "refund", refund_of("bob"), "credits = 99 WHERE account_id = 'bob'".to_owned()),
        (
            "refund_record",
            "refund",
            refund_of("bea"),
            "stage = 'succeeded' WHERE account_id = 'bea'".to_owned(),
        ),
        ("refund_record", "refund", refund_of("ben"), "stage = 'failed' WHERE account_id = 'ben'".to_owned()),
        ("refund_record", "refund", refund_of("bob"), "payment_id = 'x' WHERE account_id = 'bob'".to_owned()),
        (
            "decision_digest",
            "decision",
            decision_of("bob"),
            "outcome = 'deny' WHERE account_id = 'bob'".to_owned(),
        ),
        (
            "decision_digest",
            "decision",
            decision_of("bob"),
            "body = body || ' ' WHERE account_id = 'bob'".to_owned(),
        ),
        (
            "decision_digest",
            "decision",
            decision_of("bob"),
            "facts = '{}' WHERE account_id = 'bob'".to_owned(),
        ),
        (
            "decision_digest",
            "decision",
            decision_of("bob"),
            "policy_version = 'x' WHERE account_id = 'bob'".to_owned(),
        ),
        (
            "account_head",
            "account",
            "SELECT 'ada'".to_owned(),
            "last_seq = last_seq + 1 WHERE account_id = 'ada'".to_owned(),
        ),
        (
            "account_head",
            "account",
            "SELECT 'ada'".to_owned(),
            "last_seq = last_seq - 1 WHERE account_id = 'ada'".to_owned(),
        ),
        (
            "account_head",
            "account",
            "SELECT 'ada'".to_owned(),
            "last_hash = sha256('x') WHERE account_id = 'ada'".to_owned(),
        ),
        (
            "account_head",
            "account",
            "SELECT 'ada'".to_owned(),
            "last_at = '2025-01-01Z' WHERE account_id = 'ada'".to_owned(),
        ),
        (
            "usage_stage",
            "usage",
            "SELECT 'ada/job-1/1'".to_owned(),
            "cost = 31 WHERE account_id = 'ada' AND job_id = 'job-1'".to_owned(),
        ),
        (
            "usage_stage",
            "usage",
            "SELECT 'ada/job-1/1'".to_owned(),
            "stage = 'released' WHERE account_id = 'ada' AND job_id = 'job-1'".to_owned(),
        ),
        (
            "usage_stage",
            "usage",
            "SELECT 'ada/job-2/1'".to_owned(),
            "stage = 'captured' WHERE account_id = 'ada' AND job_id = 'job-2'".to_owned(),
        ),
        (
            "usage_stage",
            "usage",
            "SELECT 'ada/job-5/1'".to_owned(),
            "delivered_outputs = 4 WHERE account_id = 'ada' AND job_id = 'job-5'".to_owned(),
        ),
        (
            "usage_entries",
            "usage",
            "SELECT 'ada/job-1/1'".to_owned(),
            "held_at = '2025-01-01Z' WHERE account_id = 'ada' AND job_id = 'job-1'".to_owned(),
        ),
        (
            "usage_suspended",
            "usage",
            "SELECT 'cyn/job-1/1'".to_owned(),
            "held_at = '2025-03-03T17:00:00Z' WHERE account_id = 'cyn'".to_owned(),
        ),
        (
            "dispute",
            "chargeback",
            of("chargeback", "chargeback_id", "dot"),
            "stage = 'open', closed_at = NULL WHERE account_id = 'dot'".to_owned(),
        ),
        (
            "policy_digest",
            "policy_version",
            "SELECT version FROM policy_version".to_owned(),
            "document = document || ' '".to_owned(),
        ),
        (
            "stored_answer",
            "idempotency_key",
            "SELECT account_id || '/' || caller || '/' || method || '/' || request_id
            FROM idempotency_key WHERE account_id = 'eve' AND method = 'EvaluateRequest'"
                .to_owned(),
            "answer = left(answer, 40) WHERE account_id = 'eve' AND method = 'EvaluateRequest'".to_owned(),
        ),
    ] {
        let key = one(&service, &key).await;
        let lie = format!("UPDATE {table} SET {change}");
        let violations = found_after(&service, table, &lie).await;
        if check == "dispute" {
            // A dispute that says it is open lacks nothing of its own: its lot and its purchase contradict it.
            assert!(violations.iter().all(|violation| violation.key.starts_with("dot/")), "{violations:#?}");
            assert!(violations.iter().any(|violation| violation.check.name() == "purchase_dispute"));
        } else if table == "policy_version" {
            assert!(violations.iter().any(|violation| violation.key == key), "{violations:#?}");
        } else {
            names_exactly(&violations, (check, table, &key), &lie);
        }
    }
    assert_eq!(found(&service).await, []);
    service.stop().await;
}

#[tokio::test]
async fn a_missing_row_of_any_table_is_named() {
    let service = day().await;
    for (check, table, key, of) in [
        (
            "lot_buckets",
            "lot",
            "SELECT 'dot/' || lot_id FROM lot WHERE account_id = 'dot'",
            "account_id = 'dot'",
        ),
        (
            "purchase_record",
            "purchase",
            "SELECT 'eve/' || purchase_id FROM purchase WHERE account_id = 'eve'",
            "account_id = 'eve'",
        ),
        (
            "entry_cause",
            "refund",
            "SELECT 'bob/' || refund_id FROM refund WHERE account_id = 'bob'",
            "account_id = 'bob'",
        ),
        ("account_head", "account", "SELECT 'ada'", "account_id = 'ada'"),
        ("usage_entries", "usage", "SELECT 'ada/job-3/1'", "account_id = 'ada' AND job_id = 'job-3'"),
        (
            "usage_entries",
            "allocation",
            "SELECT 'ada/job-1/1/' || lot_id FROM allocation WHERE account_id = 'ada' AND job_id = 'job-1'",
            "account_id = 'ada' AND job_id = 'job-1'",
        ),
        (
            "entry_cause",
            "chargeback",
            "SELECT 'cyn/' || chargeback_id FROM chargeback WHERE account_id = 'cyn'",
            "account_id = 'cyn'",
        ),
    ] {
        let key = one(&service, key).await;
        let lie = format!("DELETE FROM {table} WHERE {of}");
        names_exactly(&found_after(&service, table, &lie).await, (check, table, &key), &lie);
    }
    for (check, table, of) in [
        ("request_decisions", "decision", "account_id = 'eve'"),
        ("foreign_key", "refund_request", "account_id = 'eve'"),
        ("purchase_delivery", "delivery", "account_id = 'eve'"),
        ("dispute", "restriction", "account_id = 'cyn'"),
        ("dispute", "chargeback_event", "account_id = 'cyn'"),
        ("external_key", "external_key", "account_id = 'eve'"),
    ] {
        let lie = format!("DELETE FROM {table} WHERE {of}");
        let violations = found_after(&service, table, &lie).await;
        let account = of.split('\'').nth(1).unwrap();
        assert!(violations.iter().any(|violation| violation.check.name() == check), "{lie}: {violations:#?}");
        assert!(
            violations.iter().all(|violation| violation.key.starts_with(account)),
            "{lie}: {violations:#?}"
        );
    }
    assert_eq!(found(&service).await, []);
    service.stop().await;
}

#[tokio::test]
async fn an_added_row_of_any_table_is_named() {
    const NEW: &str = "00000000-0000-7000-8000-000000000001";
    let service = day().await;
    for (check, table, key, lie) in [
        ("lot_buckets", "lot", format!("ada/{NEW}"), format!(
            "INSERT INTO lot SELECT account_id, '{NEW}', 'promotion', NULL, NULL, 100, granted_at, NULL, 50, 50, 0, 0, 0,
                0, 0, 0, 0, false FROM lot WHERE account_id = 'ada' LIMIT 1")),
        ("refund_record", "refund", format!("eve/{NEW}"), format!(
            "INSERT INTO refund SELECT 'eve', '{NEW}', q.refund_request_id, q.purchase_id, 'USD', 100, 10, 'succeeded',
                'stripe', 'eve-1', NULL, 'x', q.received_at, NULL, NULL, '' FROM refund_request q WHERE account_id = 'eve'")),
        ("usage_stage", "usage", "ada/job-9/1".to_owned(),
            "INSERT INTO usage (account_id, job_id, attempt, stage, cost, outputs, held_at, hold_expires_at)
             VALUES ('ada', 'job-9', 1, 'held', 5, 1, '2025-03-03Z', '2025-03-04Z')".to_owned()),
        ("account_head", "account", "zoe".to_owned(),
            "INSERT INTO account (account_id, last_hash, last_at, created_at) VALUES ('zoe', sha256('x'), now(), now())".to_owned()),
    ] {
        names_exactly(&found_after(&service, table, &lie).await, (check, table, &key), &lie);
    }
    assert_eq!(found(&service).await, []);
    service.stop().await;
}

#[tokio::test]
async fn since_leaves_out_accounts_that_did_not_change() {
    let service = day().await;
    let mut superuser = service.database().await;
    superuser.execute("SET session_replication_role = replica").await.unwrap();
    superuser.execute("UPDATE entry SET actor = 'x' WHERE account_id = 'ada' AND seq = 2").await.unwrap();
    superuser.execute("UPDATE entry SET actor = 'x' WHERE account_id = 'dan' AND seq = 2").await.unwrap();
    let keys = |violations: Vec<Violation>| violations.into_iter().map(|found| found.key).collect::<Vec<_>>();
    assert_eq!(keys(found(&service).await), ["ada/2", "dan/2"]);
    assert_eq!(keys(found_at(&service, Some(EVENING), EVENING).await), ["dan/2"]);
    service.stop().await;
}

#[tokio::test]
async fn a_disabled_trigger_and_a_dropped_constraint_are_named() {
    let service = Service::start().await;
    let mut superuser = service.database().await;
    superuser.execute("ALTER TABLE entry DISABLE TRIGGER entry_append_only").await.unwrap();
    superuser.execute("ALTER TABLE lot DROP CONSTRAINT lot_buckets_sum").await.unwrap();
    let found: Vec<_> =
        found(&service).await.into_iter().map(|found| (found.check.name(), found.key)).collect();
    assert_eq!(
        found,
        [("constraint", "entry_append_only".to_owned()), ("constraint", "lot_buckets_sum".to_owned())]
    );
    service.stop().await;
}

#[tokio::test]
async fn the_command_prints_one_object_a_line_and_fails() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let mut superuser = service.database().await;
    superuser.execute("SET session_replication_role = replica").await.unwrap();
    superuser.execute("UPDATE entry SET credits = 99").await.unwrap();
    let Output { status, stdout, .. } = tokio::process::Command::new(env!("CARGO_BIN_EXE_makegood"))
        .args(["audit", "--json", "--database-url", service.url()])
        .output()
        .await
        .unwrap();
    assert_eq!(status.code(), Some(1));
    let text = String::from_utf8(stdout).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (summary, violations) = lines.split_last().unwrap();
    assert_eq!(summary["violations"], violations.len());
    assert_eq!(summary["checks"]["entry_hash"], 1);
    let entry = violations.iter().find(|violation| violation["check"] == "entry_hash").unwrap();
    assert_eq!((&entry["table"], &entry["key"]), (&"entry".into(), &"ada/1".into()));
    service.stop().await;
}
