//! Balances of many accounts: one statement, one moment, no lock.

use super::lot::Row as LotRow;
use super::read::Place;
use super::{Error, Store};
use crate::domain::ids::AccountId;
use crate::domain::lot::Lot;
use std::collections::BTreeMap;

/// What an account's balance is made from.
#[derive(Debug, Clone, Default)]
pub struct OpenBook {
    /// The account's last entry.
    pub last_seq: i64,
    /// The lots that still have credits to move.
    pub lots: Vec<Lot>,
}

impl Store {
    /// The open books of these accounts, those that exist.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_open_books(
        &self,
        account_ids: &[&AccountId],
    ) -> Result<BTreeMap<AccountId, OpenBook>, Error> {
        let asked: Vec<String> = account_ids.iter().map(|id| id.as_str().to_owned()).collect();
        let rows = sqlx::query!(
            "SELECT a.account_id AS \"account_id!\", a.last_seq AS \"last_seq!\", l.lot_id AS \"lot_id?\", source AS \"source?\", purchase_id, order_id,
                priority AS \"priority?\", granted_at AS \"granted_at?\", expires_at, granted AS \"granted?\",
                available AS \"available?\", held AS \"held?\", frozen AS \"frozen?\", consumed AS \"consumed?\",
                expired AS \"expired?\", revoked AS \"revoked?\", refunded AS \"refunded?\", owed AS \"owed?\",
                disputed AS \"disputed?\", repaid_by, repaid
             FROM account a
             LEFT JOIN lot l ON l.account_id = a.account_id AND l.available + l.held + l.frozen > 0
             WHERE a.account_id = ANY($1)",
            &asked,
        )
        .fetch_all(self.pool())
        .await?;
        let mut books: BTreeMap<AccountId, OpenBook> = BTreeMap::new();
        for row in rows {
            let place = Place { table: "account", key: &row.account_id };
            let account_id: AccountId = place.id("account_id", row.account_id.clone())?;
            let book = books.entry(account_id).or_default();
            book.last_seq = row.last_seq;
            let Some(lot_id) = row.lot_id else { continue };
            let lot = LotRow {
                account_id: row.account_id.clone(),
                lot_id,
                source: row.source.ok_or_else(|| place.corrupt("source"))?,
                purchase_id: row.purchase_id,
                order_id: row.order_id,
                priority: row.priority.unwrap_or_default(),
                granted_at: row.granted_at.ok_or_else(|| place.corrupt("granted_at"))?,
                expires_at: row.expires_at,
                granted: row.granted.unwrap_or_default(),
                available: row.available.unwrap_or_default(),
                held: row.held.unwrap_or_default(),
                frozen: row.frozen.unwrap_or_default(),
                consumed: row.consumed.unwrap_or_default(),
                expired: row.expired.unwrap_or_default(),
                revoked: row.revoked.unwrap_or_default(),
                refunded: row.refunded.unwrap_or_default(),
                owed: row.owed.unwrap_or_default(),
                disputed: row.disputed.unwrap_or_default(),
                repaid_by: row.repaid_by,
                repaid: row.repaid,
            };
            book.lots.push(lot.lot()?.1);
        }
        Ok(books)
    }
}
