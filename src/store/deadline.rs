//! How long the database may take over what one caller waits for.
//!
//! The pool's own bounds hold for everything. Who waits for less time has shorter ones, set with the statement that begins
//! the transaction, so that they cost nothing: a lock that nobody waits for any more is not waited for either.

use super::connect::Limits;
use super::pool::{Begun, Pool};
use super::{Error, Fault};
use sqlx::{AssertSqlSafe, SqlSafeStr};
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

tokio::task_local! {
    /// Of the call that is worked on.
    static TIME: Time;
}

/// The part of a caller's time that is kept for telling the answer.
const TELLING_PART: u32 = 10;

/// What rounding to milliseconds and a clock of the database's own may add to it.
const SLACK: Duration = Duration::from_millis(5);

/// Does work whose transactions may take this long.
pub async fn within<F: Future>(time: Duration, work: F) -> F::Output {
    match Instant::now().checked_add(time) {
        Some(until) => TIME.scope(Time { until, whole: time }, work).await,
        None => work.await,
    }
}

/// A caller's time.
#[derive(Debug, Clone, Copy)]
struct Time {
    /// When the answer is of no use any more.
    until: Instant,
    /// How long that was when the work began.
    whole: Duration,
}

impl Time {
    fn left(self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

/// The time that a transaction may take, read where its caller still is: the task that runs it has no caller.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeLeft(Option<Time>);

impl TimeLeft {
    /// Of the work that this is part of.
    pub(super) fn here() -> Self {
        Self(TIME.try_with(|time| *time).ok())
    }

    /// Whether nobody waits any more.
    pub(super) fn is_over(self) -> bool {
        self.0.is_some_and(|time| time.left().is_zero())
    }

    /// Begins a transaction that may take this long.
    ///
    /// # Errors
    /// As [`Pool::begin`]; [`Error::Late`] when nobody waits any more.
    pub(super) async fn begin(self, pool: &Pool, begin: &'static str) -> Result<Begun, Error> {
        let statement = match self.bounds() {
            None => begin.into_sql_str(),
            Some([lock, statement]) => AssertSqlSafe(format!(
                "{begin}; SET LOCAL lock_timeout = {lock}; SET LOCAL statement_timeout = {statement}"
            ))
            .into_sql_str(),
        };
        let transaction = pool.begin(statement).await?;
        if self.is_over() { Err(Error::Late) } else { Ok(transaction) }
    }

    /// The bounds of lock and statement in milliseconds, where they are shorter than the pool's.
    fn bounds(self) -> Option<[u128; 2]> {
        let left = self.0?.left();
        let usable = left.saturating_sub(left.checked_div(TELLING_PART)?);
        let Limits { lock_timeout, statement_timeout, .. } = Limits::default();
        // A bound of nothing would be none.
        let millis = |limit: Duration| limit.min(usable).as_millis().max(1);
        (usable < lock_timeout.max(statement_timeout))
            .then(|| [millis(lock_timeout), millis(statement_timeout)])
    }

    /// An error as the caller is told it: what took longer than the caller's own time was not somebody else's fault.
    pub(super) fn judge<E: Fault + From<Error>>(self, error: E) -> E {
        let telling =
            |time: Time| time.whole.checked_div(TELLING_PART).unwrap_or_default().saturating_add(SLACK);
        let is_late = self.0.is_some_and(|time| time.left() <= telling(time));
        match error.store_error() {
            Some(Error::TooSlow(_)) if is_late => Error::Late.into(),
            _ => error,
        }
    }
}
