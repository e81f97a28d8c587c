//! The pool, and the migrations.

use super::Error;
use super::pool::Pool;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor};
use std::str::FromStr;
use std::time::Duration;

/// The part of the connections that browses.
const BROWSING_PART: u32 = 4;

/// Bounds on every statement, so that no request can wait for ever: sqlx never cancels what a server runs.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most connections at once. A quarter of them, and one at least, is for what browses.
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
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::App => "makegood_app",
            Self::Auditor => "makegood_auditor",
        }
    }
}

/// The way to the database. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Store {
    /// For what changes an account or looks at one thing.
    calls: Pool,
    /// For what browses: lists, reports, packs of evidence, backtests. However many of those there are, nothing else waits.
    browsing: Pool,
}

/// How much of the connections is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolState {
    /// Connections that are open.
    pub open: u32,
    /// Of these, those that nobody uses.
    pub idle: u32,
    /// Most that may be open.
    pub limit: u32,
    /// Transactions that wait for one to begin on.
    pub waiting: u32,
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
        let browsing = limits.max_connections.div_euclid(BROWSING_PART).max(1);
        let calls = limits.max_connections.saturating_sub(browsing).max(1);
        let browsing = Pool::lazy(options.clone(), browsing, limits);
        let calls = Pool::lazy(options, calls, limits);
        calls.check(role).await?;
        Ok(Self { calls, browsing })
    }

    /// How much of the connections is in use now. The lanes' own are not of them.
    #[must_use]
    pub fn pool_state(&self) -> PoolState {
        let (calls, browsing) = (self.calls.state(), self.browsing.state());
        PoolState {
            open: calls.open.saturating_add(browsing.open),
            idle: calls.idle.saturating_add(browsing.idle),
            limit: calls.limit.saturating_add(browsing.limit),
            waiting: calls.waiting.saturating_add(browsing.waiting),
        }
    }

    /// The connections for everything but browsing.
    pub(super) const fn calls(&self) -> &Pool {
        &self.calls
    }

    /// The connections for what browses.
    pub(super) const fn browsing(&self) -> &Pool {
        &self.browsing
    }

    /// Closes every connection; running transactions end first.
    pub async fn close(&self) {
        self.browsing.close().await;
        self.calls.close().await;
    }

    /// How the database's schema compares with the one that this binary knows.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Unreachable`].
    pub async fn schema(&self) -> Result<Schema, Error> {
        let mut connection = self.calls.connections().acquire().await?;
        Schema::of(&mut connection).await
    }
}

/// How a database's schema compares with the one that this binary knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Migrations are missing, or others were applied in their place.
    Missing,
    /// They are the same.
    Same,
    /// A later version migrated it further. Migrations only add to what an earlier version uses, until none of it runs.
    Newer,
}

impl Schema {
    async fn of(connection: &mut PgConnection) -> Result<Self, Error> {
        let known: Vec<i64> = MIGRATOR.iter().map(|migration| migration.version).collect();
        let applied = sqlx::query_scalar::<_, i64>(
            "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version",
        )
        .fetch_all(connection)
        .await;
        match applied {
            Ok(applied) if applied == known => Ok(Self::Same),
            Ok(applied) if applied.starts_with(&known) => Ok(Self::Newer),
            Ok(_) => Ok(Self::Missing),
            // The table is missing: nothing was ever migrated.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => {
                Ok(Self::Missing)
            }
            Err(error) => Err(error.into()),
        }
    }
}

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Applies the migrations that a database lacks, on a connection of its own with the login's own rights. One that a later
/// version migrated is left as it is, and [`Schema::Newer`].
///
/// # Errors
/// [`Error::Migration`] when one fails or an applied one has changed; [`Error::Unreachable`].
pub async fn migrate(url: &str) -> Result<Schema, Error> {
    let connection = PgConnectOptions::from_str(url)
        .map_err(Error::Database)?
        .application_name("makegood migrate")
        .disable_statement_logging()
        .connect()
        .await;
    let mut connection = connection?;
    if Schema::of(&mut connection).await? == Schema::Newer {
        connection.close().await?;
        return Ok(Schema::Newer);
    }
    if is_owned_by_role(&mut connection).await? {
        connection.execute("SET ROLE makegood_owner").await?;
    }
    MIGRATOR.run(&mut connection).await?;
    connection.close().await?;
    Ok(Schema::Same)
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
