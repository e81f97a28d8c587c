//! What an account has.

use super::run::{Reading, account_not_found};
use super::session::grace;
use super::{Context, Desk, Error};
use crate::domain::book::{Balance, Book};
use crate::domain::ids::AccountId;
use crate::domain::lot::Lot;
use crate::store::{AccountRow, Tx};
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
        let grace = grace(self.policies.in_force(now));
        let account_id = query.account_id.clone();
        let (lots, account) = self.read(OpenLots(query)).await?;
        self.rehearsals.note(context.clock, &account_id);
        let book = Book::open(lots, now, grace);
        let balance = BalanceAt { balance: book.balance()?, last_seq: account.head.seq, as_of: now };
        Ok(BalanceView { balance, lots: book.lots().to_vec() })
    }
}

struct OpenLots(GetBalance);

impl Reading for OpenLots {
    type Answer = (Vec<Lot>, AccountRow);

    async fn read(&self, tx: &mut Tx) -> Result<Self::Answer, Error> {
        let account_id = &self.0.account_id;
        let account = tx.find_account(account_id).await?.ok_or_else(account_not_found)?;
        Ok((tx.list_open_lots(account_id, &[]).await?, account))
    }
}
