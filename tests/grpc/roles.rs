//! Who may do what in the database: the service adds and changes what it must, an auditor reads, nobody rewrites.

use crate::service::Service;
use makegood::store::{self, Limits, Schema, Store};
use sqlx::{Connection, Executor, PgConnection};

const NOON: &str = "2025-03-03T12:00:00Z";

/// A connection with one role's rights.
async fn acting_as(service: &Service, role: &str) -> PgConnection {
    let mut connection = service.database().await;
    connection.execute(sqlx::AssertSqlSafe(format!("SET ROLE {role}"))).await.unwrap();
    connection
}

/// The code and the constraint with which the database refuses a statement.
async fn refusal(connection: &mut PgConnection, statement: &'static str) -> (String, String) {
    let error = connection.execute(statement).await.unwrap_err();
    let error = error.as_database_error().unwrap();
    (error.code().unwrap().into_owned(), error.constraint().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn the_service_works_with_the_rights_of_its_role_alone() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let mut database = service.database().await;
    database.execute("REVOKE INSERT ON usage FROM makegood_app").await.unwrap();
    let refused = service.credits().hold_credits(crate::service::hold("ada", "job-1", 1)).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::Internal, "the service wrote without the right to");
    service.stop().await;
}

#[tokio::test]
async fn the_service_may_not_change_or_remove_what_is_for_ever() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let mut app = acting_as(&service, "makegood_app").await;
    for statement in [
        "UPDATE entry SET credits = credits + 1",
        "DELETE FROM entry",
        "TRUNCATE entry",
        "UPDATE decision SET outcome = 'approve'",
        "DELETE FROM decision",
        "UPDATE approval SET approver = 'agent:kim'",
        "DELETE FROM approval",
        "UPDATE request_note SET text = ''",
        "UPDATE refund_request SET received_at = now()",
        "UPDATE policy_version SET document = ''",
        "UPDATE delivery SET credits = 1",
        "UPDATE chargeback_event SET event = 'won'",
        "DELETE FROM chargeback_event",
        "DELETE FROM lot",
        "UPDATE lot SET granted = granted + 1",
        "UPDATE purchase SET price_minor = 1",
        "UPDATE refund SET amount_minor = 1",
        "UPDATE usage SET cost = 1",
        "UPDATE allocation SET taken = 1",
        "DELETE FROM idempotency_key",
        "UPDATE idempotency_key SET answer = ''",
        "INSERT INTO witness VALUES ('ada', 'lot', 'x', sha256('x'))",
        "UPDATE witness SET digest = sha256('x')",
        "SELECT * FROM witnessed_rows()",
        "ALTER TABLE entry DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "INSERT INTO _sqlx_migrations VALUES (9)",
    ] {
        assert_eq!(refusal(&mut app, statement).await.0, "42501", "{statement}");
    }
    service.stop().await;
}

#[tokio::test]
async fn even_a_superuser_is_stopped_by_the_triggers() {
    let service = Service::start().await;
    let mut superuser = service.database().await;
    for (statement, trigger) in [
        ("UPDATE entry SET credits = credits + 1", "entry_append_only"),
        ("DELETE FROM entry", "entry_append_only"),
        ("TRUNCATE entry CASCADE", "entry_append_only"),
        ("UPDATE decision SET outcome = 'approve'", "decision_append_only"),
        ("DELETE FROM decision", "decision_append_only"),
        ("UPDATE policy_version SET document = ''", "policy_version_append_only"),
    ] {
        assert_eq!(refusal(&mut superuser, statement).await.1, trigger, "{statement}");
    }
    service.stop().await;
}

#[tokio::test]
async fn an_auditor_reads_every_table_and_writes_none() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let mut auditor = acting_as(&service, "makegood_auditor").await;
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&mut auditor)
            .await
            .unwrap();
    assert!(tables.len() > 15, "{tables:?}");
    for table in tables {
        let may: (bool, bool, bool, bool) = sqlx::query_as(
            "SELECT has_any_column_privilege($1, 'SELECT'),
                has_any_column_privilege($1, 'INSERT, UPDATE') OR has_table_privilege($1, 'DELETE, TRUNCATE'),
                has_table_privilege('makegood_app', $1, 'DELETE, TRUNCATE'),
                has_table_privilege('makegood_app', $1, 'SELECT')
                    AND has_table_privilege('makegood_app', $1, 'INSERT')
                        = ($1 NOT IN ('_sqlx_migrations', 'witness', 'account_erasure'))",
        )
        .bind(&table)
        .fetch_one(&mut auditor)
        .await
        .unwrap();
        assert_eq!(may, (true, false, false, true), "auditor reads, writes; app removes, adds: {table}");
    }
    for statement in [
        "SELECT explanation FROM request_text",
        "SELECT error_message FROM failure_text",
        "SELECT text FROM request_note",
        "SELECT reason FROM operator_note",
        "SELECT text FROM account_note",
    ] {
        assert_eq!(refusal(&mut auditor, statement).await.0, "42501", "{statement}");
    }
    let (code, _) = refusal(&mut auditor, "UPDATE account SET last_seq = 0").await;
    assert_eq!(code, "42501");
    service.stop().await;
}

#[tokio::test]
async fn a_login_has_only_the_roles_that_it_was_given() {
    let service = Service::start().await;
    let mut superuser = service.database().await;
    superuser.execute("CREATE ROLE only_an_auditor LOGIN IN ROLE makegood_auditor").await.unwrap();
    let url = service.url.replace("postgres://postgres@", "postgres://only_an_auditor@");
    assert!(Store::connect_to_audit(&url).await.is_ok());
    let refused = Store::connect(&url, Limits::default()).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the login may not act as `makegood_app`: an administrator must grant it that role"
    );
    PgConnection::connect(&url).await.unwrap().execute("SELECT 1 FROM entry").await.unwrap();
    service.stop().await;
}

#[tokio::test]
async fn a_login_without_superuser_rights_migrates_its_own_database() {
    let service = Service::start().await;
    let mut superuser = service.database().await;
    superuser.execute("CREATE ROLE migrating LOGIN IN ROLE makegood_owner").await.unwrap();
    superuser.execute("CREATE ROLE serving LOGIN IN ROLE makegood_app").await.unwrap();
    superuser.execute("CREATE DATABASE its_own OWNER migrating TEMPLATE template0").await.unwrap();
    let (server, _) = service.url.rsplit_once('/').unwrap();
    let url = |login: &str| format!("{server}/its_own").replace("//postgres@", &format!("//{login}@"));
    store::migrate(&url("migrating")).await.unwrap();
    store::migrate(&url("migrating")).await.unwrap();
    let store = Store::connect(&url("serving"), Limits::default()).await.unwrap();
    assert_eq!(store.schema().await.unwrap(), Schema::Same);
    store.close().await;
    let mut database = PgConnection::connect(&url("postgres")).await.unwrap();
    let others: Vec<String> = sqlx::query_scalar(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tableowner <> 'makegood_owner'",
    )
    .fetch_all(&mut database)
    .await
    .unwrap();
    assert_eq!(others, <[String; 0]>::default());
    service.stop().await;
}
