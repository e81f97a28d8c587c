//! An upgrade: what an older version wrote is still what its witnesses saw, whatever columns were added since.

use crate::service::Service;
use makegood::audit::Check;
use makegood::store;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// The first schema with witnesses.
const WITNESSES: i64 = 6;

/// A row in every table that has witnesses, as that schema knew it.
const ROWS: &[&str] = &[
    "account SELECT 'ada', 0, decode(repeat('00', 32), 'hex'), now(), now()",
    "policy_version SELECT 'old', now(), 'title = \"old\"', repeat('0', 64), now()",
    "purchase (account_id, purchase_id, provider, payment_id, order_id, package_id, kind, renewal, plan, currency,
        price_minor, credits, bonus_credits, paid_at, recorded_at, policy_version, attributes)
     SELECT 'ada', id, 'stripe', 'pay-1', 'o', 'p', 'one_time', false, '', 'USD', 999, 100, 0, now(), now(), 'old', '{}'
     FROM one",
    "external_key SELECT 'payment', 'stripe', 'pay-1', 'ada'",
    "delivery SELECT 'ada', id, 'd', 100, 0, now(), now() FROM one",
    "lot SELECT 'ada', id, 'purchase', id, 'o', 400, now(), NULL, 100, 100, 0, 0, 0, 0, 0, 0, 0, false FROM one",
    "entry SELECT 'ada', 1, id, 'granted', 'available', 100, 'purchase', id::text, 'x', NULL, now(), sha256(''),
        sha256('') FROM one",
    "operator_note SELECT 'ada', 1, NULL, 'because', repeat('0', 64)",
    // Its words were emptied by hand, as could be done then.
    "entry SELECT 'ada', 2, id, 'available', 'revoked', 1, 'person', 'x', 'x', NULL, now(), sha256(''), sha256('')
     FROM one",
    "operator_note SELECT 'ada', 2, NULL, NULL, repeat('0', 64)",
    "usage (account_id, job_id, attempt, stage, cost, outputs, held_at, hold_expires_at)
     SELECT 'ada', 'job-1', 1, 'held', 1, 1, now(), now()",
    "failure_text SELECT 'ada', 'job-1', 1, 'out of memory'",
    "refund_request (account_id, refund_request_id, purchase_id, names_purchase, claim, stage, received_at, respond_by,
        policy_version, revision, opened_by)
     SELECT 'ada', id, id, true, 'other', 'in_review', now(), now(), 'old', 1, 'x' FROM one",
    "request_text SELECT 'ada', id, 1, 'ada@example.com', 'it does not work' FROM one",
    "evidence SELECT 'ada', id, 1, 'log', 'https://example.com', repeat('0', 64), 9 FROM one",
    "decision SELECT 'ada', id, 1, id, 'REVIEW', '30', 'old', repeat('0', 64), repeat('0', 64), repeat('0', 64), '{}',
        '{\"remedies\": [], \"requested_details\": []}', now(), NULL FROM one",
    "refund SELECT 'ada', id, id, id, 'USD', 999, 100, 'pending', 'stripe', 'pay-1', NULL, 'k', now(), NULL, NULL, ''
     FROM one",
    "chargeback SELECT 'ada', id, id, 'stripe', 'dp-1', 'pay-1', 'open', 'chargeback', '', '', 'USD', 999, '[]', 0,
        now(), NULL, now() FROM one",
    "chargeback_event SELECT 'ada', id, 1, 'opened', 'chargeback', '', 'USD', 999, now(), now(), NULL FROM one",
    "restriction SELECT 'ada', id, 'suspended', '6', id, 'x', now(), NULL, NULL FROM one",
    "incident SELECT id, 't', 'open', now(), NULL, '{}', '{}', 'r', 'x', now(), NULL, NULL, NULL FROM one",
    "restoration (incident_id, restoration_id, caller, request_id, started_at, attempts_total)
     SELECT id, id, 'x', id, now(), 0 FROM one",
];

#[tokio::test]
async fn what_an_older_version_wrote_is_still_witnessed_after_an_upgrade() {
    let service = Service::start().await;
    let mut superuser = service.database().await;
    superuser.execute("CREATE DATABASE older TEMPLATE template0").await.unwrap();
    let older = format!("{}/older", service.url.rsplit_once('/').unwrap().0);
    let mut database = PgConnection::connect(&older).await.unwrap();
    MIGRATIONS.run_to(WITNESSES, &mut database).await.unwrap();
    database
        .execute("CREATE TEMP TABLE one AS SELECT '00000000-0000-7000-8000-000000000001'::uuid AS id")
        .await
        .unwrap();
    for row in ROWS {
        database.execute(AssertSqlSafe(format!("INSERT INTO {row}"))).await.unwrap();
    }
    let unseen: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT c.relname::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
         WHERE t.tgfoid = 'bear_witness'::regproc AND c.relname NOT IN (SELECT of_table FROM witness)",
    )
    .fetch_all(&mut database)
    .await
    .unwrap();
    assert_eq!(unseen, <[String; 0]>::default(), "tables without a row");
    store::migrate(&older).await.unwrap();
    let lies = || async {
        let found = crate::audit::found_in(&older, None, "2000-01-01T00:00:00Z").await;
        let lies = found.into_iter().filter(|found| found.check == Check::Witness);
        lies.map(|found| format!("{}: {}", found.table, found.message)).collect::<Vec<_>>()
    };
    assert_eq!(lies().await, <[String; 0]>::default(), "a migration that adds columns calls `witness_again`");

    let erased: Vec<(String, i32)> = sqlx::query_as("SELECT erased_by, operator_notes FROM account_erasure")
        .fetch_all(&mut database)
        .await
        .unwrap();
    assert_eq!(erased, [("system".to_owned(), 1)], "what was emptied by hand has a record");

    // A column that old rows have a value in is no lie once it is said, and a lie stays one.
    database.execute("ALTER TABLE evidence ADD COLUMN pages integer NOT NULL DEFAULT 1").await.unwrap();
    assert_eq!(lies().await, ["evidence: it is not what its witness saw written"]);
    database.execute("SELECT witness_again('evidence', '{pages}')").await.unwrap();
    assert_eq!(lies().await, <[String; 0]>::default());
    database.execute("RESET ROLE; SET session_replication_role = replica").await.unwrap();
    database.execute("UPDATE evidence SET uri = 'another'").await.unwrap();
    database.execute("ALTER TABLE evidence ADD COLUMN colour text NOT NULL DEFAULT 'grey'").await.unwrap();
    database.execute("SELECT witness_again('evidence', '{colour}')").await.unwrap();
    assert_eq!(lies().await, ["evidence: it is not what its witness saw written"]);
    service.stop().await;
}
