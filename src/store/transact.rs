//! Transactions that nobody can drop half done.

use super::constraint::Meaning;
use super::deadline::TimeLeft;
use super::patience::Patience;
use super::pool::{Begun, Pool};
use super::traced::{self, Traced};
use super::{Error, Store};
use crate::clock::chance_below;
use sqlx::pool::PoolConnection;
use sqlx::{Executor, Postgres};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;

/// Most times one piece of work is run: the database resolves a race by refusing one side, and after five
/// refusals in a row the caller is better served by an answer.
const MAX_RUNS: u32 = 5;

/// A running transaction.
#[derive(Debug)]
pub struct Tx {
    connection: PoolConnection<Postgres>,
    patience: Patience,
    /// Given back when the transaction has ended.
    _place: OwnedSemaphorePermit,
}

/// How what reads begins: everything it sees is of one moment.
const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

impl Tx {
    async fn begin(pool: &Pool, time: TimeLeft, begin: &'static str) -> Result<Self, Error> {
        let Begun { connection, place } = time.begin(pool, begin).await?;
        Ok(Self { connection, patience: pool.patience(), _place: place })
    }

    pub(super) fn connection(&mut self) -> Traced<'_> {
        Traced { connection: &mut self.connection, patience: self.patience }
    }

    async fn commit(mut self) -> Result<(), Error> {
        let committed = self.patience.with(self.connection.execute("COMMIT"));
        let committed = committed.instrument(traced::span_of("COMMIT")).await;
        if committed.is_err() {
            self.connection.close_on_drop();
        }
        committed.map(drop).map_err(in_doubt)
    }

    /// Ends it without a trace; `error` is why. A connection that broke, or on which nothing comes, takes no other work.
    async fn roll_back(mut self, error: Option<&Error>) {
        let is_broken = matches!(error, Some(Error::Unreachable(_)))
            || self.patience.with(self.connection.execute("ROLLBACK")).await.is_err();
        if is_broken {
            self.connection.close_on_drop();
        }
    }
}

/// An error that may carry a failure of the store.
pub trait Fault {
    /// The failure of the store, if that is what it was.
    fn store_error(&self) -> Option<&Error>;

    /// Whether it is an answer, which the same work has each time, and no failure.
    fn is_answer(&self) -> bool {
        false
    }
}

impl Fault for Error {
    fn store_error(&self) -> Option<&Error> {
        Some(self)
    }
}

/// Something to do in one transaction. It may run several times, each from the start, and must not keep
/// anything between runs.
pub trait Work: Send + Sync + 'static {
    /// What comes out once committed.
    type Output: Send + 'static;
    /// Why nothing was written.
    type Error: From<Error> + Fault + Send + 'static;

    /// Does it.
    fn run(&self, tx: &mut Tx) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;
}

/// Work that its owner keeps, to run it once more when its error says so.
impl<W: Work> Work for Arc<W> {
    type Output = W::Output;
    type Error = W::Error;

    async fn run(&self, tx: &mut Tx) -> Result<W::Output, W::Error> {
        self.as_ref().run(tx).await
    }
}

impl Store {
    /// Runs work in one transaction and commits it. The transaction lives in a task of its own: a caller that
    /// goes away cannot cut it in two.
    ///
    /// Races that the database wants repeated are repeated. A commit whose answer was lost is run again: the
    /// work finds its own idempotency key if the first commit happened.
    ///
    /// # Errors
    /// The work's own error, rolled back; or a failure of the store.
    pub async fn transact<W: Work>(&self, work: W) -> Result<W::Output, W::Error> {
        let (store, time) = (self.clone(), TimeLeft::here());
        let work = async move { store.run_to_the_end(&work, time).await };
        let task = tokio::spawn(work.in_current_span());
        task.await.unwrap_or_else(|_| Err(Error::TaskLost.into()))
    }

    /// Runs work that only reads, over one moment of the database.
    ///
    /// # Errors
    /// The work's own error, or a failure of the store.
    pub async fn read<W: Work>(&self, work: W) -> Result<W::Output, W::Error> {
        read_from(self.calls().clone(), work).await
    }

    /// The same for work that looks through many things, on connections of its own: it may be slow, and there may be much
    /// of it, and nobody else waits for it.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn browse<W: Work>(&self, work: W) -> Result<W::Output, W::Error> {
        read_from(self.browsing().clone(), work).await
    }

    async fn run_to_the_end<W: Work>(&self, work: &W, time: TimeLeft) -> Result<W::Output, W::Error> {
        let mut run = 1;
        let mut doubt = None;
        loop {
            let error = match self.run_once(work, time).await {
                Ok(output) => return Ok(output),
                Err(error) => error,
            };
            // Work looks before it inserts: what exists after all was inserted by another transaction since the
            // look, and the next run finds it.
            let again = matches!(
                error.store_error(),
                Some(
                    Error::RunAgain(_)
                        | Error::CommitInDoubt(_)
                        | Error::Refused(Meaning::Exists)
                        | Error::Changed
                )
            );
            if !again || run == MAX_RUNS || time.is_over() {
                return Err(match doubt {
                    // This run wrote nothing, but an earlier one may have.
                    Some(doubt) if !error.is_answer() => doubt,
                    _ => time.judge(error),
                });
            }
            if matches!(error.store_error(), Some(Error::CommitInDoubt(_))) {
                doubt = Some(error);
            }
            tokio::time::sleep(pause(run)).await;
            run = run.saturating_add(1);
        }
    }

    async fn run_once<W: Work>(&self, work: &W, time: TimeLeft) -> Result<W::Output, W::Error> {
        let mut tx = Tx::begin(self.calls(), time, "BEGIN").await?;
        match work.run(&mut tx).await {
            Ok(output) => {
                tx.commit().await?;
                Ok(output)
            }
            Err(error) => {
                tx.roll_back(error.store_error()).await;
                Err(error)
            }
        }
    }
}

async fn read_from<W: Work>(pool: Pool, work: W) -> Result<W::Output, W::Error> {
    let time = TimeLeft::here();
    let reading = async move {
        let mut tx = Tx::begin(&pool, time, READ).await?;
        let output = work.run(&mut tx).await;
        tx.roll_back(output.as_ref().err().and_then(Fault::store_error)).await;
        output.map_err(|error| time.judge(error))
    };
    let task = tokio::spawn(reading.in_current_span());
    task.await.unwrap_or_else(|_| Err(Error::TaskLost.into()))
}

/// A commit that the database refused did not happen; one whose answer was lost is in doubt.
pub(super) fn in_doubt(error: sqlx::Error) -> Error {
    match Error::from(error) {
        Error::Unreachable(error) => Error::CommitInDoubt(error),
        other => other,
    }
}

/// A growing pause, of a length that differs between tasks, so that two that met do not meet again.
fn pause(run: u32) -> Duration {
    let millis = u64::from(run).saturating_mul(5).saturating_add(chance_below(8).into());
    Duration::from_millis(millis)
}
