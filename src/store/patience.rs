//! How long the database is waited for where nothing comes from it at all.
//!
//! The database ends by itself what takes too long, and says so. Where its machine, or the way to it, is gone without a word,
//! nobody does: neither it nor the driver. Whoever waited on would keep a lane or a connection of the pool for ever.

use sqlx::Error;
use sqlx::postgres::{PgQueryResult, PgRow};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};
use tokio_stream::Stream;

/// What an answer may need beyond the time that the database allows a statement.
const GRACE: Duration = Duration::from_secs(2);

type Row = Result<sqlx::Either<PgQueryResult, PgRow>, Error>;

/// The rows of a statement, as they come.
pub(super) type Rows<'a> = Pin<Box<dyn Stream<Item = Row> + Send + 'a>>;

/// How long the answer to one statement is waited for. A connection on which it did not come is of no use any more: what it
/// says next answers an old question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience(Option<Duration>);

impl Patience {
    /// A little more than the database allows a statement; where it allows any time, so does this.
    pub(super) fn beyond(statement_timeout: Duration) -> Self {
        let has_bound = !statement_timeout.is_zero();
        Self(has_bound.then(|| statement_timeout.saturating_add(GRACE)))
    }

    /// Waits for an answer.
    ///
    /// # Errors
    /// The answer's own; an error of the connection when none came.
    pub(super) async fn with<T>(self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match self.0 {
            Some(limit) => tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| Err(silence())),
            None => answer.await,
        }
    }

    /// Waits for all rows of an answer together.
    pub(super) fn for_rows(self, rows: Rows<'_>) -> Rows<'_> {
        match self.0 {
            Some(limit) => Box::pin(Bounded { rows, limit: Box::pin(sleep(limit)) }),
            None => rows,
        }
    }
}

fn silence() -> Error {
    Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the database says nothing"))
}

/// Rows that all come in time.
struct Bounded<'a> {
    rows: Rows<'a>,
    limit: Pin<Box<Sleep>>,
}

impl Stream for Bounded<'_> {
    type Item = Row;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Row>> {
        match self.rows.as_mut().poll_next(cx) {
            Poll::Pending => self.limit.as_mut().poll(cx).map(|()| Some(Err(silence()))),
            row @ Poll::Ready(_) => row,
        }
    }
}
