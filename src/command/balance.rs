//! What an account has.

use super::run::account_not_found;
use super::session::grace;
use super::{Context, Desk, Error};
use crate::domain::book::{Balance, Book};
use crate::domain::ids::AccountId;
use crate::domain::lot::Lot;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

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

impl Desk {
    /// What an account has now.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such account.
    pub async fn get_balance(&self, context: &Context, query: GetBalance) -> Result<BalanceView, Error> {
        let now = context.clock.now();
        let mut books = self.store.list_open_books(&[&query.account_id]).await?;
        let open = books.remove(&query.account_id).ok_or_else(account_not_found)?;
        self.rehearsals.note(context.clock, &query.account_id);
        let policy = self.policies.at(&self.store, now).await?;
        let book = Book::open(open.lots, now, grace(&policy));
        let balance = BalanceAt { balance: book.balance()?, last_seq: open.last_seq, as_of: now };
        Ok(BalanceView { balance, lots: book.lots().to_vec() })
    }
}
