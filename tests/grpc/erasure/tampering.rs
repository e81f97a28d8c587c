//! An erasure leaves a record, and whatever is gone without one is named.

use super::*;
use makegood::audit::Violation;
use sqlx::{Executor, PgConnection};

/// The tables of words, with the column that holds them and what it holds once erased.
const WORDS: [(&str, &str, &str); 6] = [
    ("request_text", "explanation", "NULL"),
    ("request_note", "text", "NULL"),
    ("evidence", "uri", "''"),
    ("account_note", "text", "NULL"),
    ("operator_note", "reason", "NULL"),
    ("failure_text", "error_message", "NULL"),
];

async fn run(database: &mut PgConnection, statement: String) -> Result<u64, String> {
    let done = database.execute(AssertSqlSafe(statement)).await;
    done.map(|done| done.rows_affected()).map_err(|error| error.to_string())
}

/// What an audit names, as its check, table and key.
fn named(found: &[Violation]) -> Vec<String> {
    found.iter().map(|it| format!("{} {} {}", it.check.name(), it.table, it.key)).collect()
}

#[tokio::test]
async fn nobody_changes_empties_or_removes_words_past_an_erasure() {
    let (service, _) = told().await;
    let mut superuser = service.database().await;
    for (table, column, nothing) in WORDS {
        for change in [
            format!("UPDATE {table} SET {column} = {nothing}"),
            format!("UPDATE {table} SET {column} = {nothing}, erasure = 99"),
            format!("UPDATE {table} SET {column} = 'nothing of the kind'"),
            format!("DELETE FROM {table}"),
        ] {
            let refused = run(&mut superuser, format!("{change} WHERE account_id = 'ada'")).await;
            assert!(refused.is_err(), "{change}");
        }
    }
    let emptied = "UPDATE account_erasure SET account_notes = account_notes + 1";
    assert!(run(&mut superuser, emptied.to_owned()).await.is_err());
    assert_eq!(found_at(&service, None, AFTER).await, []);
    service.audited().await;
}

#[tokio::test]
async fn the_service_itself_can_empty_no_word_without_the_record() {
    let (service, _) = told().await;
    let mut app = service.database().await;
    app.execute("SET ROLE makegood_app").await.unwrap();
    for (table, column, nothing) in WORDS {
        let refused = run(&mut app, format!("UPDATE {table} SET {column} = {nothing}, erasure = 1")).await;
        assert!(refused.unwrap_err().contains("permission denied"), "{table}");
    }
    for statement in [
        "INSERT INTO account_erasure SELECT 'ada', 1, 'x', now(), 1, 0, 0, 0, 0, 0, 0",
        "UPDATE idempotency_key SET answer = '{}'",
        "DELETE FROM account_erasure",
    ] {
        assert!(
            run(&mut app, statement.to_owned()).await.unwrap_err().contains("permission denied"),
            "{statement}"
        );
    }
    app.execute("RESET ROLE; SET ROLE makegood_auditor").await.unwrap();
    let erased = run(&mut app, "SELECT erase_account('ada', 'x', now(), 'x')".to_owned()).await;
    assert!(erased.unwrap_err().contains("permission denied"));
    service.audited().await;
}

#[tokio::test]
async fn words_that_a_superuser_empties_are_named_by_their_row() {
    let (service, _) = told().await;
    let mut superuser = service.database().await;
    for (table, column, nothing) in WORDS {
        let row = format!(
            "(SELECT ctid FROM {table} WHERE account_id = 'ada' AND {column} IS NOT NULL ORDER BY ctid LIMIT 1)"
        );
        superuser.execute("BEGIN; SET LOCAL session_replication_role = replica").await.unwrap();
        let rest = if table == "request_text" { ", account_email = NULL" } else { "" };
        let lie = format!("UPDATE {table} SET {column} = {nothing}{rest}, erasure = 1 WHERE ctid = {row}");
        assert_eq!(run(&mut superuser, lie).await, Ok(1), "{table}");
        superuser.execute("COMMIT").await.unwrap();
        let found = named(&found_at(&service, None, AFTER).await);
        let is_named = |it: &String| it.starts_with(&format!("witness {table} ada/"));
        assert!(found.iter().any(is_named), "{table}: {found:?}");
        assert!(found.iter().any(|it| it.starts_with(&format!("foreign_key {table}"))), "{table}: {found:?}");
    }
    service.stop().await;
}

#[tokio::test]
async fn words_that_go_in_the_name_of_an_erasure_that_did_not_take_them_are_named() {
    for (table, column, nothing) in WORDS {
        let service = Service::start().await;
        let mut story = Story::new(service.channel(), "for good");
        service.bought("ada", "pay-0", NOON).await;
        service.erased(NOON, "by ticket 4711").await;
        story.told().await;
        let rest = if table == "request_text" { ", account_email = NULL" } else { "" };
        let row = format!("(SELECT ctid FROM {table} WHERE account_id = 'ada' AND erasure IS NULL LIMIT 1)");
        let lie = format!("UPDATE {table} SET {column} = {nothing}{rest}, erasure = 1 WHERE ctid = {row}");
        assert_eq!(
            run(&mut service.database().await, lie).await,
            Ok(1),
            "with every trigger in force: {table}"
        );
        let found = found_at(&service, None, AFTER).await;
        assert_eq!(named(&found), ["erasure account_erasure ada/1"], "{table}");
        assert_eq!(found[0].message, format!("it took 0 texts of {table}, and 1 are gone in its name"));
        service.stop().await;
    }
}

#[tokio::test]
async fn reasons_that_are_gone_from_money_and_a_record_that_is_gone_are_named() {
    let (service, _) = told().await;
    let mut superuser = service.database().await;
    for (table, lie) in [
        ("purchase", "UPDATE purchase SET undeliverable_reason = '' WHERE undeliverable_reason <> ''"),
        ("refund", "UPDATE refund SET failure_reason = '' WHERE failure_reason <> ''"),
        (
            "idempotency_key",
            "UPDATE idempotency_key SET fingerprint = 'erased:' || repeat('0', 64)
             WHERE account_id = 'ada' AND method = 'GrantCredits'",
        ),
    ] {
        assert_eq!(run(&mut superuser, lie.to_owned()).await, Ok(1));
        let found = named(&found_at(&service, None, AFTER).await);
        assert!(found.iter().any(|it| it.starts_with(&format!("erasure {table} ada/"))), "{found:?}");
    }
    service.erased(AFTER, "by ticket 4711").await;
    assert_eq!(found_at(&service, None, AFTER).await, []);
    superuser.execute("SET session_replication_role = replica").await.unwrap();
    run(&mut superuser, "DELETE FROM account_erasure WHERE account_id = 'ada'".to_owned()).await.unwrap();
    let found = named(&found_at(&service, None, AFTER).await);
    assert!(found.contains(&"witness account_erasure ada/1".to_owned()), "{found:?}");
    assert!(found.iter().any(|it| it.starts_with("foreign_key request_note ada/")), "{found:?}");
    assert!(found.iter().any(|it| it.starts_with("erasure refund ada/")), "{found:?}");
    service.stop().await;
}
