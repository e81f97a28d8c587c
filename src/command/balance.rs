//! What an account has: asked by many at once, read with one statement.

use super::lane::MAX_QUEUED;
use super::run::account_not_found;
use super::session::grace;
use super::{Context, Desk, Error, StoreFailure};
use crate::domain::book::{Balance, Book};
use crate::domain::ids::AccountId;
use crate::domain::lot::Lot;
use crate::store::{self, Line, OpenBook, Store};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::{mpsc, oneshot};

/// Most balances read with one statement.
const MAX_READ: usize = 256;

/// Asks what an account has.
#[derive(Debug, Clone)]
pub struct GetBalance {
    /// The account.
    pub account_id: AccountId,
}

/// A balance with its place in the account's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceAt {
    /// The sums.
    pub balance: Balance,
    /// The account's last entry that they include; 0 before the first.
    pub last_seq: i64,
    /// When.
    pub as_of: DateTime<Utc>,
}

/// What an account has, and in which lots.
#[derive(Debug)]
pub struct BalanceView {
    /// The sums.
    pub balance: BalanceAt,
    /// The lots that still have credits to move, in burn order.
    pub lots: Vec<Lot>,
}

type Reply = Result<Option<OpenBook>, Error>;

/// Somebody who waits for an account's book.
type Question = (AccountId, oneshot::Sender<Reply>);

/// The way to the balances. Reading waits for no writer: what was acknowledged before it began is in it.
#[derive(Debug, Clone)]
pub(super) struct Balances {
    queue: mpsc::Sender<Question>,
}

impl Balances {
    pub(super) fn start(store: &Store) -> Self {
        let (queue, questions) = mpsc::channel(MAX_QUEUED);
        tokio::spawn(run(store.clone(), questions));
        Self { queue }
    }

    async fn find(&self, account_id: AccountId) -> Reply {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send((account_id, reply)).map_err(|_| Error::Overloaded)?;
        answer.await.unwrap_or(Err(Error::Failed(StoreFailure::Unavailable)))
    }
}

impl Desk {
    /// What an account has now.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such account; [`Error::Overloaded`] when too many ask at once.
    pub async fn get_balance(&self, context: &Context, query: GetBalance) -> Result<BalanceView, Error> {
        let now = context.clock.now();
        let book = self.balances.find(query.account_id.clone()).await?;
        let OpenBook { account, lots, restrictions: _ } = book.ok_or_else(account_not_found)?;
        self.rehearsals.note(context.clock, &query.account_id);
        let policy = self.policies.at(&self.store, now).await?;
        let book = Book::open(lots, now, grace(&policy));
        let balance = BalanceAt { balance: book.balance()?, last_seq: account.head.seq, as_of: now };
        Ok(BalanceView { balance, lots: book.lots().to_vec() })
    }
}

async fn run(store: Store, mut questions: mpsc::Receiver<Question>) {
    let mut line = None;
    let mut asked = Vec::with_capacity(MAX_READ);
    while questions.recv_many(&mut asked, MAX_READ).await > 0 {
        let books = match read(&store, &mut line, &asked).await {
            // A line may have died of age while nobody asked: one more try, on a new one.
            Err(_) if line.take().is_some() => read(&store, &mut line, &asked).await,
            read => read,
        };
        match books {
            Ok(books) => {
                for (account_id, reply) in asked.drain(..) {
                    // Somebody who went away is told nothing.
                    let _ = reply.send(Ok(books.get(&account_id).cloned()));
                }
            }
            Err(error) => {
                line = None;
                let failure = StoreFailure::of(&error);
                tracing::error!(error = &error as &dyn std::error::Error, "balances cannot be read");
                for (_, reply) in asked.drain(..) {
                    let _ = reply.send(Err(Error::Failed(failure)));
                }
            }
        }
    }
}

async fn read(
    store: &Store,
    line: &mut Option<Line>,
    asked: &[Question],
) -> Result<BTreeMap<AccountId, OpenBook>, store::Error> {
    let line = match line {
        Some(line) => line,
        closed => closed.insert(store.open_line().await?),
    };
    let account_ids: BTreeSet<&AccountId> = asked.iter().map(|(account_id, _)| account_id).collect();
    store::list_open_books(line, &account_ids.into_iter().collect::<Vec<_>>()).await
}
