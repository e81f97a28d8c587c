//! Every column and every row of every table, one after the other: whatever is changed, emptied, removed or added behind
//! the service's back is named by its row, or stands in the list of what nothing proves.

use super::{EVENING, LATER, day, found_after, one};
use crate::by_hand::grant;
use crate::canary::words;
use crate::determinations::determination;
use crate::incidents::{incident, resolution};
use crate::restorations::restoration;
use crate::service::{Service, evaluate, request_id, restore, timestamp, when};
use makegood::audit::{Check, Violation};
use makegood::proto::makegood::v1;
use sqlx::Executor;
use std::collections::BTreeSet;
use v1::resolve_refund_request_request as resolve;

/// What no check can know, and why.
///
/// Answers are kept to be given again, and may all be thrown away: natural keys keep every effect single. Where they
/// tell of an attempt, a purchase or a refund they are compared with it; whose they are, of when, and for what request
/// (as long as it looks like a fingerprint) nothing else knows.
/// How often an account was changed counts no lie: it only says whether what was read is still true.
/// How far ahead servers know the policies is no record: they ask again when it is not there or too early.
/// An account's time may be later than its last entry, since writes that move no credits move it too.
const UNPROVED: &[&str] = &[
    "account.last_at",
    "account.revision",
    "idempotency_key: added",
    "idempotency_key: removed",
    "idempotency_key.account_id",
    "idempotency_key.caller",
    "idempotency_key.created_at",
    "idempotency_key.method",
    "idempotency_key.request_id",
    "policy_horizon.single",
    "policy_horizon.until",
    "policy_horizon: added",
    "policy_horizon: removed",
];

/// When the incident is made good.
const LATE: &str = "2025-03-05T20:00:00Z";

const LEDGER: &[&str] = &["account", "allocation", "entry", "idempotency_key", "lot", "usage"];
const PAYMENTS: &[&str] = &[
    "chargeback",
    "chargeback_determination",
    "chargeback_event",
    "delivery",
    "external_key",
    "purchase",
    "refund",
    "restriction",
];

/// A day with a row in every table.
pub(super) async fn full_day() -> Service {
    let service = day().await;
    let reported = v1::RestoreCreditsRequest {
        error_message: words("out of memory"),
        ..restore("ada", "job-5", "mystery", LATER)
    };
    let mut reported = when(LATER, reported);
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    reported.metadata_mut().insert("traceparent", traceparent.parse().unwrap());
    service.credits().restore_credits(reported).await.unwrap();
    let gift = grant("ada", v1::LotSource::Promotion, 10);
    service.credits().grant_credits(when(LATER, gift)).await.unwrap();
    let details = v1::RequestDetails {
        account_email: words("eve@example.com"),
        explanation: words("it does not work"),
        purchased_at: Some(timestamp(LATER)),
        ..Default::default()
    };
    let paper = v1::Evidence {
        kind: v1::EvidenceKind::Log.into(),
        uri: words("https://example.com/log"),
        sha256: vec![7; 32],
        size_bytes: 9,
    };
    let request = v1::EvaluateRequestRequest {
        details: Some(details),
        evidence: vec![paper],
        ..evaluate("eve", "eve-2", v1::Claim::TechnicalIssue)
    };
    service.bought("eve", "eve-2", LATER).await;
    service.refunds().evaluate_request(when(LATER, request)).await.unwrap();
    service.decided_by_a_person().await;
    service.restricted_by_persons().await;
    let gift = grant("zoe", v1::LotSource::Promotion, 10);
    service.credits().grant_credits(when(LATER, gift)).await.unwrap();
    service.erased_account("zoe", LATER).await;
    let incident_id = service.declared(incident(None)).await.incident_id;
    let over = resolution(&incident_id, "2025-03-05T19:00:00Z");
    service.incidents().resolve_incident(when(LATE, over)).await.unwrap();
    let restored = service.incidents().restore_incident(when(LATE, restoration(&incident_id))).await.unwrap();
    let mut progress = restored.into_inner();
    while progress.message().await.unwrap().is_some() {}
    // A lie past the constraints is the harder one to find.
    let mut superuser = service.database().await;
    let drops = one(
        &service,
        "SELECT string_agg(drops, '; ') FROM (
            SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS drops
            FROM pg_constraint WHERE contype IN ('c', 'u') AND connamespace = 'public'::regnamespace
            UNION ALL
            SELECT format('DROP INDEX %s', c.oid::regclass) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace
                AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid)) AS all_of_them",
    )
    .await;
    superuser.execute(sqlx::AssertSqlSafe(drops)).await.unwrap();
    service
}

impl Service {
    /// Cyn's dispute is found abusive, and one of the restrictions that follow is lifted again.
    async fn restricted_by_persons(&self) {
        let id: uuid::Uuid =
            sqlx::query_scalar("SELECT chargeback_id FROM chargeback WHERE account_id = 'cyn'")
                .fetch_one(&mut self.database().await)
                .await
                .unwrap();
        let found = determination(&id.to_string(), v1::ChargebackDetermination::Abusive);
        let found = self.refunds().determine_chargeback(when(EVENING, found)).await.unwrap().into_inner();
        let restrictions = found.account.unwrap().restrictions;
        let blocked =
            restrictions.iter().find(|one| one.kind() == v1::RestrictionKind::PurchaseBlocked).unwrap();
        self.lifted(blocked, "cyn", EVENING).await;
    }

    /// A person approves Eve's request and leaves a note.
    async fn decided_by_a_person(&self) {
        let query = v1::ListRefundRequestsRequest {
            account_id: "eve".to_owned(),
            claim: v1::Claim::Other.into(),
            ..Default::default()
        };
        let listed = self.refunds().list_refund_requests(when(LATER, query)).await.unwrap().into_inner();
        let request = &listed.refund_requests[0];
        let approve = resolve::Approve {
            remedies: vec![v1::Remedy { kind: v1::RemedyKind::Compensate.into(), credits: 5, amount: None }],
            ..Default::default()
        };
        let resolution = v1::ResolveRefundRequestRequest {
            request_id: request_id(),
            account_id: "eve".to_owned(),
            refund_request_id: request.refund_request_id.clone(),
            etag: request.etag.clone(),
            reason: words("it was our fault"),
            note: words("called her"),
            assignee: Some("agent:kim".to_owned()),
            resolution: Some(resolve::Resolution::Approve(approve)),
        };
        let mut resolution = when(LATER, resolution);
        resolution.metadata_mut().insert("makegood-test-caller", "agent:kim".parse().unwrap());
        self.refunds().resolve_refund_request(resolution).await.unwrap();
    }
}

/// The tables that hold something, and the columns of each one's key.
async fn tables(service: &Service) -> Vec<(String, Vec<String>)> {
    sqlx::query_as(
        "SELECT c.relname::text, ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS key (num, place)
                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = num ORDER BY place)
         FROM pg_class c JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
         WHERE c.relnamespace = 'public'::regnamespace AND c.relname <> '_sqlx_migrations' ORDER BY 1",
    )
    .fetch_all(&mut service.database().await)
    .await
    .unwrap()
}

/// A column's name, its type, and whether it may be empty. What the database computes itself cannot lie.
async fn columns(service: &Service, table: &str) -> Vec<(String, String, bool)> {
    sqlx::query_as(
        "SELECT attname::text, format_type(atttypid, NULL), NOT attnotnull FROM pg_attribute
         WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
         ORDER BY attname",
    )
    .bind(table)
    .fetch_all(&mut service.database().await)
    .await
    .unwrap()
}

/// Another value of a type; one that no other row has, where it is part of the key.
fn other(column: &str, kind: &str, is_key: bool) -> String {
    match kind {
        // The database reads it itself, so that only another text of the same meaning gets past it.
        "text" if column == "body" => "body || ' '".to_owned(),
        "text" => format!("coalesce({column}, '') || '!'"),
        "bigint" | "integer" if is_key => format!("{column} + 1000"),
        "bigint" | "integer" => format!("coalesce({column}, 0) + 1"),
        "boolean" => format!("NOT coalesce({column}, false)"),
        "uuid" => "'00000000-0000-7000-8000-00000000abcd'".to_owned(),
        "timestamp with time zone" => format!("coalesce({column}, '2025-01-01Z') + interval '1 microsecond'"),
        "bytea" => "sha256('another')".to_owned(),
        "jsonb" => "'{\"another\": 1}'".to_owned(),
        "text[]" => format!("{column} || '{{another}}'"),
        unknown => unreachable!("`{column}` is a {unknown}"),
    }
}

/// How the audit writes a row's table and key.
fn name_of(table: &str, key: &[String]) -> String {
    match table {
        "witness" => "of_table || ' ' || of_key".to_owned(),
        "allocation" => "'allocation ' || concat_ws('/', account_id, job_id, attempt, lot_id)".to_owned(),
        _ => format!("'{table} ' || concat_ws('/', {})", key.join(", ")),
    }
}

/// What the audit says wrongly after a lie: that the row is not named, or that others of its table are. A row whose own
/// key was changed is missing under the old one and new under another.
fn mistake(violations: &[Violation], row: &str, is_moved: bool) -> Option<String> {
    let table = row.split(' ').next().unwrap();
    let found = violations.iter().filter(|found| found.check != Check::Constraint);
    let mut names: BTreeSet<String> = found.map(|found| format!("{} {}", found.table, found.key)).collect();
    if !names.remove(row) {
        return Some(String::new());
    }
    names.retain(|name| !is_moved && name.starts_with(&format!("{table} ")));
    (!names.is_empty()).then(|| format!(" names {names:?} beside {row}"))
}

/// Tells every lie about some tables and returns those that were not found.
async fn unfound(service: &Service, tables: &[(String, Vec<String>)]) -> BTreeSet<String> {
    let mut unfound = BTreeSet::new();
    for (table, key) in tables {
        let name = name_of(table, key);
        let last = key.last().unwrap();
        for (column, kind, is_nullable) in columns(service, table).await {
            let is_told =
                one(service, &format!("SELECT (count({column}) > 0)::text FROM {table}")).await == "true";
            let value = other(&column, &kind, key.contains(&column));
            let values = [Some(value), (is_nullable && is_told).then(|| "NULL".to_owned())];
            for value in values.into_iter().flatten() {
                let row = format!(
                    "(SELECT ctid FROM {table} ORDER BY {column} IS NULL, {} LIMIT 1)",
                    key.join(", ")
                );
                let named = one(service, &format!("SELECT {name} FROM {table} WHERE ctid = {row}")).await;
                let lie = format!("UPDATE {table} SET {column} = {value} WHERE ctid = {row}");
                // An allocation is named by its lot, which is no part of its key.
                let is_moved = key.contains(&column) || column == "lot_id";
                let wrong = mistake(&found_after(service, table, &lie).await, &named, is_moved);
                unfound.extend(wrong.map(|wrong| format!("{table}.{column}{wrong}")));
            }
        }
        let row = format!("(SELECT ctid FROM {table} ORDER BY {} LIMIT 1)", key.join(", "));
        let named = one(service, &format!("SELECT {name} FROM {table} WHERE ctid = {row}")).await;
        let lie = format!("DELETE FROM {table} WHERE ctid = {row}");
        let wrong = mistake(&found_after(service, table, &lie).await, &named, false);
        unfound.extend(wrong.map(|wrong| format!("{table}: removed{wrong}")));
        let kind = columns(service, table).await.into_iter().find(|(column, ..)| column == last).unwrap().1;
        let changed = format!("jsonb_build_object('{last}', {})", other(last, &kind, true));
        let all: Vec<String> =
            columns(service, table).await.into_iter().map(|(column, ..)| format!("copy.{column}")).collect();
        let copy = format!(
            "SELECT {} FROM {table} t, jsonb_populate_record(NULL::{table}, to_jsonb(t) || {changed}) AS copy
             WHERE t.ctid = {row}",
            all.join(", ")
        );
        let named = one(service, &format!("SELECT {name} FROM ({copy}) AS copy")).await;
        let lie = format!("INSERT INTO {table} ({}) {copy}", all.join(", ").replace("copy.", ""));
        let wrong = mistake(&found_after(service, table, &lie).await, &named, table == "entry");
        unfound.extend(wrong.map(|wrong| format!("{table}: added{wrong}")));
    }
    unfound
}

async fn proves_all_of(is_mine: impl Fn(&str) -> bool) {
    let service = full_day().await;
    let mut tables = tables(&service).await;
    tables.retain(|(table, _)| is_mine(table));
    let known = UNPROVED.iter().map(|name| (*name).to_owned());
    let known: BTreeSet<String> =
        known.filter(|name| is_mine(name.split(['.', ':']).next().unwrap())).collect();
    assert_eq!(unfound(&service, &tables).await, known);
    service.stop().await;
}

#[tokio::test]
async fn whatever_is_altered_in_the_ledger_is_named_by_its_row() {
    proves_all_of(|table| LEDGER.contains(&table)).await;
}

#[tokio::test]
async fn whatever_is_altered_about_payments_is_named_by_its_row() {
    proves_all_of(|table| PAYMENTS.contains(&table)).await;
}

#[tokio::test]
async fn whatever_is_altered_at_the_desk_is_named_by_its_row() {
    proves_all_of(|table| !LEDGER.contains(&table) && !PAYMENTS.contains(&table)).await;
}
