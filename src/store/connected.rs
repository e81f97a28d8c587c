//! Where a statement runs: in a transaction, or by itself on a line of its own.

use super::patience::Patience;
use super::traced::Traced;
use super::{Error, Store, Tx};
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::time::timeout;

/// What gives the connection. It is sealed, so that no other room runs a statement of its own.
pub(super) mod sealed {
    use crate::store::traced::Traced;

    pub trait Connection {
        /// Whether each statement commits by itself.
        const COMMITS: bool;

        fn connection(&mut self) -> Traced<'_>;
    }
}

/// Something that statements can be run on.
pub trait Connected: sealed::Connection + Send {}

impl<C: sealed::Connection + Send> Connected for C {}

impl sealed::Connection for Tx {
    const COMMITS: bool = false;

    fn connection(&mut self) -> Traced<'_> {
        Self::connection(self)
    }
}

/// A connection outside the pool, for somebody who keeps it: each statement on it commits by itself, and none is
/// spent on taking it or giving it back.
#[derive(Debug)]
pub struct Line {
    connection: PgConnection,
    patience: Patience,
}

impl sealed::Connection for Line {
    const COMMITS: bool = true;

    fn connection(&mut self) -> Traced<'_> {
        Traced { connection: &mut self.connection, patience: self.patience }
    }
}

/// Plans of a line find every row by its key, from the first one on: a plan made while a table was empty would read
/// it whole until somebody counts its rows again.
const PLANS: [(&str, &str); 3] =
    [("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off")];

impl Store {
    /// Opens a line with the pool's own settings.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the database does not answer.
    pub async fn open_line(&self) -> Result<Line, Error> {
        let (connections, patience) = (self.calls().connections(), self.calls().patience());
        let options = connections.connect_options().as_ref().clone().options(PLANS);
        let opened =
            timeout(connections.options().get_acquire_timeout(), PgConnection::connect_with(&options));
        let connection = opened.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        Ok(Line { connection, patience })
    }
}
