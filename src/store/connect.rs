//! The pool, and the migrations.

use super::Error;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Executor};
use std::str::FromStr;
use std::time::Duration;

/// Bounds on every statement, so that no request can wait for ever: sqlx never cancels what a server runs.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most connections at once.
    pub max_connections: u32,
    /// Longest wait for a free connection.
    pub acquire_timeout: Duration,
    /// Longest wait for a lock.
    pub lock_timeout: Duration,
    /// Longest single statement.
    pub statement_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 16,
            acquire_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
        }
    }
}

/// The way to the database. Clones share one pool.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
}

impl Store {
    /// Opens the pool and checks that the database answers.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when it does not, [`Error::Database`] for a malformed address.
    pub async fn connect(url: &str, limits: Limits) -> Result<Self, Error> {
        let millis = |limit: Duration| limit.as_millis().to_string();
        let options = PgConnectOptions::from_str(url)
            .map_err(Error::Database)?
            .application_name("makegood")
            .options([
                ("lock_timeout", millis(limits.lock_timeout)),
                ("statement_timeout", millis(limits.statement_timeout)),
                ("idle_in_transaction_session_timeout", millis(limits.statement_timeout.saturating_mul(2))),
                ("default_transaction_isolation", "read committed".to_owned()),
                // The roll-back below warns when there is nothing to roll back, which is nearly always.
                ("client_min_messages", "error".to_owned()),
            ])
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(limits.max_connections)
            .acquire_timeout(limits.acquire_timeout)
            // sqlx 0.9.0 may hand back a connection inside a transaction when a `begin` was cancelled (its issue
            // 4393): the next statement would then be lost. Rolling back makes such a connection clean.
            .after_release(|connection, _| {
                Box::pin(async move {
                    connection.execute("ROLLBACK").await?;
                    Ok(true)
                })
            })
            .connect_with(options)
            .await?;
        Ok(Self { pool })
    }

    /// The pool, for statements outside a transaction.
    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Closes every connection; running transactions end first.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Whether the database holds exactly the migrations that this binary knows.
    ///
    /// # Errors
    /// [`Error::Migration`] naming the first difference.
    pub async fn check_migrations(&self) -> Result<bool, Error> {
        let known: Vec<i64> = MIGRATOR.iter().map(|migration| migration.version).collect();
        let applied = sqlx::query_scalar::<_, i64>(
            "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version",
        )
        .fetch_all(&self.pool)
        .await;
        match applied {
            Ok(applied) => Ok(applied == known),
            // The table is missing: nothing was ever migrated.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Applies the migrations that a database lacks.
///
/// # Errors
/// [`Error::Migration`] when one fails or an applied one has changed.
pub async fn migrate(store: &Store) -> Result<(), Error> {
    Ok(MIGRATOR.run(store.pool()).await?)
}
