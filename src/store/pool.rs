//! Connections that are shared, and how many may wait for one.

use super::connect::Limits;
use super::patience::Patience;
use super::{Error, PoolState, Role, traced};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Executor, Postgres, SqlStr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument;

/// Most that work or wait at once, for each connection. Past it one is refused at once: it would wait past its deadline,
/// and who comes after it, too.
const MAX_WAITING: u32 = 64;

/// A pool. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    connections: PgPool,
    patience: Patience,
    places: Arc<Semaphore>,
    waiting: Arc<AtomicU32>,
}

/// Somebody who waits for a connection.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn among(waiting: &'a AtomicU32) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection on which a transaction has begun, with its place among those that may wait.
pub(super) struct Begun {
    pub(super) connection: PoolConnection<Postgres>,
    pub(super) place: OwnedSemaphorePermit,
}

impl Pool {
    /// A pool that opens a connection when one is needed.
    pub(super) fn lazy(options: PgConnectOptions, max_connections: u32, limits: Limits) -> Self {
        let patience = Patience::beyond(limits.statement_timeout);
        let connections = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(limits.acquire_timeout)
            // Whatever was left of it, a transaction ends with its task: a connection inside one would lose the next
            // statement.
            .after_release(move |connection, _| {
                Box::pin(async move {
                    patience.with(connection.execute("ROLLBACK")).await?;
                    Ok(true)
                })
            })
            .connect_lazy_with(options);
        let places = usize::try_from(max_connections.saturating_mul(MAX_WAITING)).unwrap_or(usize::MAX);
        Self { connections, patience, places: Arc::new(Semaphore::new(places)), waiting: Arc::default() }
    }

    /// Opens the first connection.
    ///
    /// # Errors
    /// As `Store::connect`.
    pub(super) async fn check(&self, role: Role) -> Result<(), Error> {
        self.connections.acquire().await.map(drop).map_err(|error| refused_role(error, role))
    }

    /// The connections themselves, for statements outside a transaction.
    pub(super) const fn connections(&self) -> &PgPool {
        &self.connections
    }

    /// Begins a transaction as a statement says.
    ///
    /// # Errors
    /// [`Error::Crowded`] when too many wait already, [`Error::Unreachable`] when no connection could be had in time.
    pub(super) async fn begin(&self, statement: SqlStr) -> Result<Begun, Error> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Error::Crowded)?;
        let _waiting = Waiting::among(&self.waiting);
        let begin = async {
            let mut connection = self.connections.acquire().await?;
            match self.patience.with(connection.execute(sqlx::raw_sql(statement))).await {
                Ok(_) => Ok(connection),
                Err(error) => {
                    connection.close_on_drop();
                    Err(error)
                }
            }
        };
        let connection = begin.instrument(traced::span_of("BEGIN")).await?;
        Ok(Begun { connection, place })
    }

    /// How long its connections wait for an answer.
    pub(super) const fn patience(&self) -> Patience {
        self.patience
    }

    /// How much of it is in use now.
    pub(super) fn state(&self) -> PoolState {
        PoolState {
            open: self.connections.size(),
            idle: u32::try_from(self.connections.num_idle()).unwrap_or(u32::MAX),
            limit: self.connections.options().get_max_connections(),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    pub(super) async fn close(&self) {
        self.connections.close().await;
    }
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
