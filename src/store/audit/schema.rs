//! The database itself, as an audit reads it: what it enforces, and how it keeps what it acknowledged.

use super::super::Error;
use super::super::constraint::CONSTRAINTS;
use super::Snapshot;
use sqlx::AssertSqlSafe;

/// A setting of the server or of one of its roles and databases.
#[derive(Debug, Clone)]
pub struct ServerSetting {
    /// Its name.
    pub name: String,
    /// What it is set to.
    pub value: String,
    /// Whether it was set for a role or a database, not for the server.
    pub is_local: bool,
}

/// A foreign key, as the catalogue has it.
struct ForeignKey {
    name: String,
    child: String,
    parent: String,
    child_columns: Vec<String>,
    parent_columns: Vec<String>,
    key_columns: Vec<String>,
}

impl ForeignKey {
    /// The keys of rows that point to nothing. Names come quoted from the catalogue.
    fn statement(&self) -> String {
        let Self { child, parent, .. } = self;
        let key = self.key_columns.iter().map(|column| format!("c.{column}::text")).collect::<Vec<_>>();
        let pairs = self.child_columns.iter().zip(&self.parent_columns);
        let same = pairs.map(|(child, parent)| format!("p.{parent} = c.{child}")).collect::<Vec<_>>();
        let set = self.child_columns.iter().map(|column| format!("c.{column} IS NOT NULL"));
        format!(
            "SELECT concat_ws('/', {}) FROM {child} c WHERE {} AND NOT EXISTS (SELECT FROM {parent} p WHERE {})",
            key.join(", "),
            set.collect::<Vec<_>>().join(" AND "),
            same.join(" AND "),
        )
    }
}

impl Snapshot {
    /// The settings that can lose what was acknowledged.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_settings(&mut self, names: &[&str]) -> Result<Vec<ServerSetting>, Error> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let settings = sqlx::query_as!(
            ServerSetting,
            r#"SELECT name AS "name!", setting AS "value!", false AS "is_local!" FROM pg_settings
             WHERE name = ANY($1)
             UNION ALL
             SELECT split_part(pair, '=', 1), substring(pair FROM position('=' IN pair) + 1), true
             FROM pg_db_role_setting, unnest(setconfig) AS pair
             WHERE split_part(pair, '=', 1) = ANY($1)
                AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
             ORDER BY 1, 3"#,
            &names,
        )
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(settings)
    }

    /// The constraints, unique indexes and triggers that this version relies on and the database does not enforce.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_unenforced_constraints(&mut self) -> Result<Vec<String>, Error> {
        let names: Vec<String> = CONSTRAINTS.iter().map(|(name, _)| (*name).to_owned()).collect();
        let missing = sqlx::query_scalar!(
            r#"SELECT name AS "name!" FROM unnest($1::text[]) AS name
             WHERE NOT EXISTS (SELECT FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
                    WHERE c.conname = name AND n.nspname = current_schema() AND c.convalidated)
                AND NOT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                    JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE c.relname = name AND n.nspname = current_schema() AND i.indisunique AND i.indisvalid)
                AND NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                    JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE t.tgname = name AND n.nspname = current_schema() AND t.tgenabled IN ('O', 'A'))
             ORDER BY name"#,
            &names,
        )
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(missing)
    }

    /// Hands out every row that points to a row that is not there: the foreign key's name, the row's table and its
    /// key.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_dangling_row(
        &mut self,
        mut visit: impl FnMut(&str, &str, &str, String),
    ) -> Result<(), Error> {
        for foreign_key in self.list_foreign_keys().await? {
            let statement = AssertSqlSafe(foreign_key.statement());
            let mut rows = sqlx::query_scalar::<_, String>(statement).fetch(&mut *self.inner);
            while let Some(key) = tokio_stream::StreamExt::next(&mut rows).await {
                visit(&foreign_key.name, &foreign_key.child, &foreign_key.parent, key?);
            }
        }
        Ok(())
    }

    async fn list_foreign_keys(&mut self) -> Result<Vec<ForeignKey>, Error> {
        let foreign_keys = sqlx::query_as!(
            ForeignKey,
            r#"SELECT f.conname::text AS "name!", f.conrelid::regclass::text AS "child!",
                f.confrelid::regclass::text AS "parent!",
                ARRAY(SELECT quote_ident(a.attname) FROM unnest(f.conkey) WITH ORDINALITY AS k (num, place)
                    JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.num ORDER BY place)
                    AS "child_columns!",
                ARRAY(SELECT quote_ident(a.attname) FROM unnest(f.confkey) WITH ORDINALITY AS k (num, place)
                    JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.num ORDER BY place)
                    AS "parent_columns!",
                ARRAY(SELECT quote_ident(a.attname) FROM pg_constraint p,
                    unnest(p.conkey) WITH ORDINALITY AS k (num, place)
                    JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.num
                    WHERE p.conrelid = f.conrelid AND p.contype = 'p' ORDER BY place) AS "key_columns!"
             FROM pg_constraint f JOIN pg_namespace n ON n.oid = f.connamespace
             WHERE f.contype = 'f' AND n.nspname = current_schema() ORDER BY f.conname"#,
        )
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(foreign_keys)
    }
}
