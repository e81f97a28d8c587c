//! Sharding by account, as far as it can be tried on one server: what a distributed engine asks of keys, and
//! docs/operations.md says of each table.

use crate::service::Service;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// How each table is kept, by the guide: `account` (beside its account), `everywhere`, `aside`.
fn guide() -> BTreeMap<String, String> {
    let guide =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations/scaling.md")).unwrap();
    let rows = guide.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix('|')?.split('|').map(str::trim).collect();
        let kept = ["by account", "everywhere", "aside"].into_iter().find(|kept| cells[1] == *kept)?;
        Some(
            cells[0]
                .split(", ")
                .map(|table| (table.trim_matches('`').to_owned(), kept.to_owned()))
                .collect::<Vec<_>>(),
        )
    });
    rows.flatten().collect()
}

/// A constraint or unique index: its table, kind, name, columns, and the table that it points to.
type Key = (String, String, String, Vec<String>, Option<String>);

async fn keys(database: &mut PgConnection) -> Vec<Key> {
    sqlx::query_as(
        "SELECT c.conrelid::regclass::text, c.contype::text, c.conname::text,
            ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY k (num, place)
                JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num ORDER BY place),
            nullif(c.confrelid, 0)::regclass::text
         FROM pg_constraint c WHERE c.connamespace = 'public'::regnamespace AND c.contype IN ('p', 'u', 'f')
         UNION ALL
         SELECT i.indrelid::regclass::text, 'u', i.indexrelid::regclass::text,
            ARRAY(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY k (num, place)
                JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num ORDER BY place),
            NULL
         FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
         WHERE i.indisunique AND t.relnamespace = 'public'::regnamespace",
    )
    .fetch_all(database)
    .await
    .unwrap()
}

#[tokio::test]
async fn every_key_of_an_account_s_table_holds_the_account() {
    let service = Service::start().await;
    let mut database = service.database().await;
    let (guide, keys) = (guide(), keys(&mut database).await);
    let tables: BTreeSet<String> = sqlx::query_scalar(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations'",
    )
    .fetch_all(&mut database)
    .await
    .unwrap()
    .into_iter()
    .collect();
    let told: BTreeSet<String> = guide.keys().cloned().collect();
    assert_eq!(tables, told, "the tables, and those that the guide tells of");
    let kept = |table: &String| guide[table].as_str();
    let mut seen = 0;
    for (table, kind, name, columns, target) in keys.iter().filter(|key| tables.contains(&key.0)) {
        if kept(table) == "by account" {
            assert!(columns.contains(&"account_id".to_owned()), "{table}: {name} ({})", columns.join(", "));
            seen += 1;
        }
        if let Some(target) = target {
            assert_eq!(kind, "f");
            // A table that is everywhere points to none that is not; a table beside its account to its neighbours, or
            // to what is everywhere.
            let allowed = match kept(table) {
                "by account" => ["by account", "everywhere"].contains(&kept(target)),
                "everywhere" => kept(target) == "everywhere",
                _ => kept(target) == "aside",
            };
            assert!(allowed, "{name}: {table} ({}) points to {target} ({})", kept(table), kept(target));
        }
    }
    assert!(seen > 30, "{seen}");
    // What a table is cut by must not change once it is there.
    let movable: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT table_name::text FROM information_schema.column_privileges
         WHERE table_schema = 'public' AND grantee = 'makegood_app' AND privilege_type = 'UPDATE'
            AND column_name = 'account_id' ORDER BY 1",
    )
    .fetch_all(&mut database)
    .await
    .unwrap();
    let movable: Vec<&String> = movable.iter().filter(|table| kept(table) == "by account").collect();
    assert_eq!(movable, ["chargeback", "chargeback_event"], "a dispute that waited moves to its account");
    service.stop().await;
}
