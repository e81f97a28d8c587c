//! What an account has.

use super::run::{Reading, account_not_found};
use super::session::grace;
use super::{Context, Desk, Error};
use crate::domain::book::{Balance, Book};
use crate::domain::ids::AccountId;
use crate::domain::lot::Lot;
use crate::store::Tx;
use chrono::{DateTime, Utc};

/// Asks what an account has.
#[derive(Debug, Clone)]
pub struct GetBalance {
    /// The account.
    pub account_id: AccountId,
}

/// What an account has, and in which lots.
#[derive(Debug)]
pub struct BalanceView {
    /// The sums.
    pub balance: Balance,
    /// The lots that still have credits to move, in burn order.
    pub lots: Vec<Lot>,
    /// When.
    pub as_of: DateTime<Utc>,
}

impl Desk {
    /// What an account has now.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such account.
    pub async fn get_balance(&self, context: &Context, query: GetBalance) -> Result<BalanceView, Error> {
        let now = context.clock.now();
        let grace = grace(self.policies.in_force(now));
        let lots = self.read(OpenLots(query)).await?;
        let book = Book::open(lots, now, grace);
        Ok(BalanceView { balance: book.balance()?, lots: book.lots().to_vec(), as_of: now })
    }
}

struct OpenLots(GetBalance);

impl Reading for OpenLots {
    type Answer = Vec<Lot>;

    async fn read(&self, tx: &mut Tx) -> Result<Vec<Lot>, Error> {
        let account_id = &self.0.account_id;
        let lots = tx.list_open_lots(account_id, &[]).await?;
        if lots.is_empty() && !tx.find_account(account_id).await? {
            return Err(account_not_found());
        }
        Ok(lots)
    }
}
