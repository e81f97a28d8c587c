//! Lots, read.

use super::connected::Connected;
use super::read::Place;
use super::{Error, Tx};
use crate::domain::ids::{AccountId, LotId, PurchaseId, RefundId};
use crate::domain::lot::{Lot, Repaid, Source};
use chrono::{DateTime, Utc};
use uuid::Uuid;

pub(super) struct Row {
    pub(super) account_id: String,
    pub(super) lot_id: Uuid,
    pub(super) source: String,
    pub(super) purchase_id: Option<Uuid>,
    pub(super) order_id: Option<String>,
    pub(super) priority: i32,
    pub(super) granted_at: DateTime<Utc>,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) granted: i64,
    pub(super) available: i64,
    pub(super) held: i64,
    pub(super) frozen: i64,
    pub(super) consumed: i64,
    pub(super) expired: i64,
    pub(super) revoked: i64,
    pub(super) refunded: i64,
    pub(super) owed: i64,
    pub(super) disputed: bool,
    pub(super) repaid_by: Option<Uuid>,
    pub(super) repaid: Option<i64>,
}

impl Row {
    pub(super) fn lot(self) -> Result<(AccountId, Lot), Error> {
        let place = Place { table: "lot", key: &self.lot_id };
        let account_id = place.id("account_id", self.account_id)?;
        let lot = Lot {
            lot_id: LotId(self.lot_id),
            source: place.word("source", &self.source, Source::parse)?,
            purchase_id: self.purchase_id.map(PurchaseId),
            order_id: self.order_id.map(|id| place.id("order_id", id)).transpose()?,
            priority: self.priority,
            granted_at: self.granted_at,
            expires_at: self.expires_at,
            granted: place.credits("granted", self.granted)?,
            available: place.credits("available", self.available)?,
            held: place.credits("held", self.held)?,
            frozen: place.credits("frozen", self.frozen)?,
            consumed: place.credits("consumed", self.consumed)?,
            expired: place.credits("expired", self.expired)?,
            revoked: place.credits("revoked", self.revoked)?,
            refunded: place.credits("refunded", self.refunded)?,
            owed: place.credits("owed", self.owed)?,
            disputed: self.disputed,
            repaid: match self.repaid_by {
                Some(refund_id) => {
                    let credits = place.credits("repaid", self.repaid.unwrap_or_default())?;
                    Some(Repaid { refund_id: RefundId(refund_id), credits })
                }
                None => None,
            },
        };
        Ok((account_id, lot))
    }
}

/// Lots by one condition: the same columns each time.
macro_rules! list_lots {
    ($tx:expr, $condition:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            "SELECT lot.account_id, lot.lot_id, source, purchase_id, order_id, priority, granted_at, expires_at, granted,
                available, held, frozen, consumed, expired, revoked, refunded, owed, disputed,
                repaid_by, repaid
             FROM lot " + $condition,
            $($argument),+
        )
        .fetch_all($tx.connection())
        .await?
        .into_iter()
        .map(Row::lot)
        .collect()
    };
}

/// Lots by their ids.
///
/// # Errors
/// A failure of the database.
pub async fn list_lots_by_id(
    at: &mut impl Connected,
    lots: &[(&AccountId, LotId)],
) -> Result<Vec<(AccountId, Lot)>, Error> {
    let account_ids: Vec<String> = lots.iter().map(|(id, _)| id.as_str().to_owned()).collect();
    let lot_ids: Vec<Uuid> = lots.iter().map(|(_, lot_id)| lot_id.0).collect();
    list_lots!(
        at,
        "JOIN unnest($1::text[], $2::uuid[]) AS asked (account_id, lot_id)
            ON lot.account_id = asked.account_id AND lot.lot_id = asked.lot_id",
        &account_ids,
        &lot_ids
    )
}

impl Tx {
    /// The lots of these accounts that still have credits to move.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_open_lots(
        &mut self,
        account_ids: &[&AccountId],
    ) -> Result<Vec<(AccountId, Lot)>, Error> {
        let account_ids: Vec<String> = account_ids.iter().map(|id| id.as_str().to_owned()).collect();
        list_lots!(self, "WHERE account_id = ANY($1) AND is_open", &account_ids)
    }

    /// Every lot of one purchase.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_lots_of_purchase(
        &mut self,
        account_id: &AccountId,
        purchase_id: PurchaseId,
    ) -> Result<Vec<(AccountId, Lot)>, Error> {
        list_lots!(self, "WHERE account_id = $1 AND purchase_id = $2", account_id.as_str(), purchase_id.0)
    }
}
