//! An upgrade while it rolls out: the version before goes on working on a database that the next one has migrated.

use crate::cluster::{Watch, database};
use crate::service::Service;
use makegood::store;
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Column, Connection, Either, Executor, PgConnection, SqlSafeStr, Statement, TypeInfo,
};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// What a statement takes and gives, and whose rights it needs; or why it cannot be run.
type Understood = Result<(String, &'static str), String>;

/// How the database understands a statement, with the service's rights or else the auditor's. Nothing is run.
async fn understood(database: &mut PgConnection, query: &str) -> Understood {
    let statement = database.prepare(AssertSqlSafe(query.to_owned()).into_sql_str()).await;
    let statement = statement.map_err(|error| error.to_string())?;
    let types = statement.parameters().map_or_else(String::new, |parameters| match parameters {
        Either::Left(types) => types.iter().map(TypeInfo::name).collect::<Vec<_>>().join(", "),
        Either::Right(count) => count.to_string(),
    });
    let columns =
        statement.columns().iter().map(|column| format!("{} {}", column.name(), column.type_info().name()));
    let shape = format!("({types}) -> {}", columns.collect::<Vec<_>>().join(", "));
    let count = statement.parameters().map_or(0, |parameters| match parameters {
        Either::Left(types) => types.len(),
        Either::Right(count) => count,
    });
    // A plan is made with the rights of who asks for it, and is not run. What has no plan is run, and rolled back.
    let has_plan = !query.starts_with("LOCK ");
    let tried = match (has_plan, vec!["NULL"; count].join(", ")) {
        (false, _) => query.to_owned(),
        (true, nulls) if nulls.is_empty() => "EXPLAIN EXECUTE tried".to_owned(),
        (true, nulls) => format!("EXPLAIN EXECUTE tried({nulls})"),
    };
    if has_plan {
        let prepared = database.execute(AssertSqlSafe(format!("PREPARE tried AS {query}"))).await;
        prepared.map_err(|error| error.to_string())?;
    }
    let mut refused = String::new();
    let mut allowed = None;
    for role in ["makegood_app", "makegood_auditor"] {
        database.execute(AssertSqlSafe(format!("BEGIN; SET LOCAL ROLE {role}"))).await.unwrap();
        let planned = database.execute(AssertSqlSafe(tried.clone())).await;
        database.execute("ROLLBACK").await.unwrap();
        match planned {
            Ok(_) => allowed = allowed.or(Some(role)),
            Err(error) => refused = format!("{refused}{role}: {error}; "),
        }
    }
    if has_plan {
        database.execute("DEALLOCATE tried").await.unwrap();
    }
    allowed.map(|role| (shape, role)).ok_or(refused)
}

#[tokio::test]
async fn every_statement_of_the_published_version_is_understood_as_before() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/published-statements.json"))
            .unwrap();
    let published: Value = serde_json::from_str(&text).unwrap();
    let queries: Vec<&str> =
        published["queries"].as_array().unwrap().iter().map(|query| query.as_str().unwrap()).collect();
    assert!(queries.len() > 100, "{}", queries.len());
    let service = Service::start().await;
    let mut superuser = service.database().await;
    superuser.execute("CREATE DATABASE published TEMPLATE template0").await.unwrap();
    let older = format!("{}/published", service.url.rsplit_once('/').unwrap().0);
    let mut before = PgConnection::connect(&older).await.unwrap();
    MIGRATIONS.run_to(published["migration"].as_i64().unwrap(), &mut before).await.unwrap();
    before.execute("RESET ROLE").await.unwrap();
    let mut roles = BTreeMap::<&str, usize>::new();
    for query in queries {
        let (then, now) = (understood(&mut before, query).await, understood(&mut superuser, query).await);
        assert_eq!(then, now, "{query}");
        *roles.entry(now.unwrap().1).or_default() += 1;
    }
    assert!(roles["makegood_app"] > roles["makegood_auditor"], "{roles:?}");

    // What the next version must not do is seen.
    superuser.execute("ALTER TABLE lot RENAME COLUMN frozen TO iced").await.unwrap();
    superuser.execute("REVOKE UPDATE ON usage FROM makegood_app").await.unwrap();
    superuser.execute("ALTER TABLE refund_request ALTER COLUMN claim TYPE varchar").await.unwrap();
    let freezes = understood(&mut superuser, "SELECT frozen FROM lot").await.unwrap_err();
    assert!(freezes.contains("frozen"), "{freezes}");
    let ends = understood(&mut superuser, "UPDATE usage SET stage = 'failed' WHERE account_id = $1")
        .await
        .unwrap_err();
    assert!(ends.contains("permission denied"), "{ends}");
    let claims = understood(&mut superuser, "SELECT claim FROM refund_request").await.unwrap();
    assert_eq!(claims, ("() -> claim VARCHAR".to_owned(), "makegood_app"));
    service.stop().await;
}

/// A database that a version to come has migrated.
async fn migrated_further() -> (String, Watch) {
    let (url, watch) = database().await;
    let mut superuser = PgConnection::connect(&url).await.unwrap();
    superuser
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'to come', true, '', 0);
             ALTER TABLE refund ADD COLUMN to_come text;
             CREATE TABLE to_come (account_id text PRIMARY KEY)",
        )
        .await
        .unwrap();
    (url, watch)
}

fn makegood(arguments: &[&str], url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_makegood"));
    command.args(arguments).args(["--database-url", url]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// What a command says that ends by itself.
async fn said(arguments: &[&str], url: &str) -> (bool, String) {
    let ended = makegood(arguments, url).output().await.unwrap();
    (ended.status.success(), String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap())
}

#[tokio::test]
async fn a_database_that_a_later_version_migrated_is_served_and_neither_migrated_nor_judged() {
    let (url, _watch) = migrated_further().await;
    let mut serve = makegood(&["serve", "--listen", "127.0.0.1:0"], &url);
    let mut child = serve.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut greeting = Vec::new();
    while !greeting.iter().any(|line: &String| line.starts_with("serving")) {
        greeting.push(lines.next_line().await.unwrap().unwrap());
    }
    assert!(greeting[0].contains("migrated by a later version"), "{greeting:?}");
    let endpoint = greeting.last().unwrap().split_whitespace().nth(1).unwrap();
    let tried = Command::new(env!("CARGO_BIN_EXE_makegood"))
        .args(["try", "--endpoint", endpoint])
        .output()
        .await
        .unwrap();
    assert!(String::from_utf8(tried.stdout).unwrap().contains("APPROVE by row 10"));
    child.kill().await.unwrap();

    let (done, told) = said(&["migrate"], &url).await;
    assert!(done && told.contains("a later version has migrated the database already"), "{told}");
    let (done, told) = said(&["audit"], &url).await;
    assert!(
        !done && told.contains("a later version has migrated the database: read it with that one"),
        "{told}"
    );
}

#[tokio::test]
async fn a_database_without_a_migration_is_not_served_however_new_it_is() {
    let (url, _watch) = migrated_further().await;
    let mut superuser = PgConnection::connect(&url).await.unwrap();
    superuser.execute("DELETE FROM _sqlx_migrations WHERE version = 2").await.unwrap();
    for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["audit"]] {
        let (done, told) = said(arguments, &url).await;
        assert!(!done && told.contains("run `makegood migrate` first"), "{told}");
    }
    assert!(store::migrate(&url).await.is_err());
}
