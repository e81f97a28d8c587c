//! The pool, and the migrations.

use super::Error;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor};
use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
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

/// Whose rights a connection has, whatever else its login may do. Migrations make the roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The service's: it adds and changes what it must, and deletes nothing.
    App,
    /// The audit's: it reads.
    Auditor,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::App => "makegood_app",
            Self::Auditor => "makegood_auditor",
        }
    }
}

/// The way to the database. Clones share one pool.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
    waiting: Arc<AtomicU32>,
}

/// How much of the pool is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Connections that are open.
    pub open: u32,
    /// Of these, those that nobody uses.
    pub idle: u32,
    /// Most that may be open.
    pub limit: u32,
    /// Transactions that wait for one to begin on.
    pub waiting: u32,
}

/// Somebody who waits for a connection.
struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Store {
    /// Opens the service's pool, with the rights of [`Role::App`], and checks that the database answers.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when it does not, [`Error::NoRole`] before the first migration,
    /// [`Error::NotMember`] when the login may not have the role, [`Error::Database`] for a malformed address.
    pub async fn connect(url: &str, limits: Limits) -> Result<Self, Error> {
        let options =
            options(url, limits, Role::App)?.options([("default_transaction_isolation", "read committed")]);
        Self::open(options, limits, Role::App).await
    }

    /// Opens one connection that only reads, with the rights of [`Role::Auditor`] and without a bound on time.
    ///
    /// # Errors
    /// As [`Store::connect`].
    pub async fn connect_to_audit(url: &str) -> Result<Self, Error> {
        let limits = Limits {
            max_connections: 1,
            statement_timeout: Duration::ZERO, // which PostgreSQL reads as none
            ..Limits::default()
        };
        Self::open(options(url, limits, Role::Auditor)?, limits, Role::Auditor).await
    }

    async fn open(options: PgConnectOptions, limits: Limits, role: Role) -> Result<Self, Error> {
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
            .await
            .map_err(|error| refused_role(error, role))?;
        Ok(Self { pool, waiting: Arc::default() })
    }

    /// Counts who begins a transaction among those that wait until it has begun.
    pub(super) async fn waiting_for<T>(&self, begin: impl Future<Output = T>) -> T {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        begin.await
    }

    /// How much of the pool is in use now. The lanes' own connections are not of it.
    #[must_use]
    pub fn pool_state(&self) -> Pool {
        Pool {
            open: self.pool.size(),
            idle: u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX),
            limit: self.pool.options().get_max_connections(),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
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

/// Applies the migrations that a database lacks, on a connection of its own with the login's own rights.
///
/// # Errors
/// [`Error::Migration`] when one fails or an applied one has changed; [`Error::Unreachable`].
pub async fn migrate(url: &str) -> Result<(), Error> {
    let connection = PgConnectOptions::from_str(url)
        .map_err(Error::Database)?
        .application_name("makegood migrate")
        .disable_statement_logging()
        .connect()
        .await;
    let mut connection = connection?;
    if is_owned_by_role(&mut connection).await? {
        connection.execute("SET ROLE makegood_owner").await?;
    }
    MIGRATOR.run(&mut connection).await?;
    Ok(connection.close().await?)
}

/// Whether earlier migrations gave the tables to the owner's role: the next ones then run as that role, so that
/// what they make is its own, too.
async fn is_owned_by_role(connection: &mut PgConnection) -> Result<bool, Error> {
    let owned = sqlx::query_scalar::<_, bool>(
        "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema()
            AND tablename = '_sqlx_migrations' AND tableowner = 'makegood_owner')",
    )
    .fetch_one(connection)
    .await?;
    Ok(owned)
}

fn options(url: &str, limits: Limits, role: Role) -> Result<PgConnectOptions, Error> {
    let millis = |limit: Duration| limit.as_millis().to_string();
    Ok(PgConnectOptions::from_str(url)
        .map_err(Error::Database)?
        .application_name("makegood")
        .options([
            ("role", role.name().to_owned()),
            ("lock_timeout", millis(limits.lock_timeout)),
            ("statement_timeout", millis(limits.statement_timeout)),
            // Statements find rows by their keys, however many are asked for: planning each anew for its arguments
            // costs several times what running it does.
            ("plan_cache_mode", "force_generic_plan".to_owned()),
            ("jit", "off".to_owned()),
            ("idle_in_transaction_session_timeout", millis(limits.statement_timeout.saturating_mul(2))),
            // The roll-back after a release warns when there is nothing to roll back, which is nearly always.
            ("client_min_messages", "error".to_owned()),
        ])
        .disable_statement_logging())
}

/// What a refused start of a connection means: the role is the only setting in it that a server may refuse.
fn refused_role(error: sqlx::Error, role: Role) -> Error {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    match code.as_deref() {
        Some("22023") => Error::NoRole(role.name()),
        Some("42501") => Error::NotMember(role.name()),
        _ => error.into(),
    }
}
