//! The audit: silent about a real day, and exact about a single lie told behind the service's back.

mod columns;
mod lies;

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
pub(crate) async fn found_at(service: &Service, since: Option<&str>, now: &str) -> Vec<Violation> {
    found_in(&service.url, since, now).await
}

pub(crate) async fn found_in(url: &str, since: Option<&str>, now: &str) -> Vec<Violation> {
    let store = Store::connect_to_audit(url).await.unwrap();
    let scope = Scope { since: since.map(instant), now: instant(now) };
    let mut heard = Heard::default();
    let tally = audit::run(&store, scope, &mut heard).await.unwrap();
    store.close().await;
    assert_eq!(tally.violations, u64::try_from(heard.violations.len()).unwrap());
    assert_eq!(heard.parts.len(), 14, "{:?}", heard.parts);
    heard.violations.retain(|violation| !NOT_DURABLE.contains(&violation.key.as_str()));
    heard.violations
}

async fn found(service: &Service) -> Vec<Violation> {
    found_at(service, None, EVENING).await
}

/// A day with everything in it: charges, failures, holds, duplicates, refunds paid and failed, disputes open, lost,
/// and won after all, a case for a person, and a refusal.
pub(crate) async fn day() -> Service {
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
    // What the database computes itself cannot be put back, and need not be.
    let columns = one(
        service,
        &format!(
            "SELECT string_agg(attname, ', ') FROM pg_attribute
             WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
        ),
    )
    .await;
    superuser
        .execute(run(format!("CREATE TEMP TABLE truth AS SELECT {columns} FROM {table}")))
        .await
        .unwrap();
    let lied = superuser.execute(run(lie.to_owned())).await.unwrap();
    assert_eq!(lied.rows_affected(), 1, "{lie}");
    let violations = found(service).await;
    superuser.execute(run(format!("DELETE FROM {table}"))).await.unwrap();
    superuser.execute(run(format!("INSERT INTO {table} ({columns}) SELECT * FROM truth"))).await.unwrap();
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
        // A processor's id has no account in its key.
        let told = format!("{} {}", violation.key, violation.message);
        assert!(told.contains(account), "{lie}: {violations:#?}");
    }
}

#[tokio::test]
async fn a_day_with_everything_in_it_audits_clean_but_for_what_is_overdue() {
    let service = day().await;
    assert_eq!(found(&service).await, []);
    let overdue = found_at(&service, None, "2025-04-01T00:00:00Z").await;
    assert_eq!(overdue.len(), 2, "{overdue:#?}");
    // Eve waits for her first answer, and Bea for another one, since her refund failed.
    for account in ["bea", "eve"] {
        let select = "SELECT account_id || '/' || refund_request_id FROM refund_request WHERE account_id = ";
        let key = one(&service, &format!("{select}'{account}'")).await;
        let hers: Vec<_> = overdue.iter().filter(|one| one.key.starts_with(account)).cloned().collect();
        names_exactly(&hers, ("request_overdue", "refund_request", &key), "time passed");
    }
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
async fn settings_that_can_lose_what_was_acknowledged_are_named() {
    let service = Service::start().await;
    let mut superuser = service.database().await;
    let name = service.url.rsplit('/').next().unwrap();
    for setting in ["synchronous_commit = off", "zero_damaged_pages = on"] {
        superuser.execute(AssertSqlSafe(format!("ALTER DATABASE {name} SET {setting}"))).await.unwrap();
    }
    let store = Store::connect_to_audit(&service.url).await.unwrap();
    let mut heard = Heard::default();
    audit::run(&store, Scope { since: None, now: instant(EVENING) }, &mut heard).await.unwrap();
    store.close().await;
    let named: BTreeSet<(&str, &str)> =
        heard.violations.iter().map(|found| (found.check.name(), found.key.as_str())).collect();
    let unsafe_here = [NOT_DURABLE.as_slice(), &["synchronous_commit", "zero_damaged_pages"]].concat();
    assert_eq!(named, unsafe_here.into_iter().map(|setting| ("server_setting", setting)).collect());
    service.stop().await;
}

#[tokio::test]
async fn an_audit_sees_one_moment_while_workers_write() {
    let service = std::sync::Arc::new(day().await);
    let workers: tokio::task::JoinSet<()> = (0..4)
        .map(|worker| {
            let service = service.clone();
            async move {
                let account_id = format!("worker-{}", worker % 2);
                for turn in 0..15 {
                    service.bought(&account_id, &format!("w{worker}-{turn}"), EVENING).await;
                    service.used(&account_id, &format!("job-{worker}-{turn}"), 40, EVENING).await;
                    service.failed(&account_id, &format!("job-{worker}-{turn}"), "gpu_error", EVENING).await;
                }
            }
        })
        .collect();
    let (audits, ()) = tokio::join!(
        async {
            let mut audits = Vec::new();
            for _ in 0..4 {
                audits.push(found(&service).await);
            }
            audits
        },
        async { drop(workers.join_all().await) },
    );
    assert_eq!(audits, [const { Vec::<Violation>::new() }; 4]);
    std::sync::Arc::into_inner(service).unwrap().stop().await;
}

#[tokio::test]
async fn words_that_their_owner_would_change_are_refused_and_rows_of_before_can_be_witnessed() {
    let service = columns::full_day().await;
    let mut owner = service.database().await;
    owner.execute("SET ROLE makegood_owner").await.unwrap();
    for change in [
        "UPDATE operator_note SET reason = NULL",
        "UPDATE request_note SET text = NULL",
        "UPDATE request_text SET account_email = NULL",
        "DELETE FROM request_text",
        "DELETE FROM failure_text",
    ] {
        assert!(owner.execute(change).await.is_err(), "{change}");
    }
    let unwitnessed = || async {
        let found = found(&service).await;
        found.into_iter().filter(|found| found.check == audit::Check::Witness).count()
    };
    assert_eq!(unwitnessed().await, 0);
    owner.execute("DELETE FROM witness").await.unwrap();
    assert!(unwitnessed().await > 30);
    owner.execute("INSERT INTO witness SELECT * FROM witnessed_rows()").await.unwrap();
    assert_eq!(unwitnessed().await, 0);
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
        .args(["audit", "--json", "--database-url", &service.url])
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
