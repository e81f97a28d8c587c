//! Lots: loaded open ones first, written many at once.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::ids::{AccountId, LotId, PurchaseId};
use crate::domain::lot::{Lot, Source};
use chrono::{DateTime, Utc};
use uuid::Uuid;

struct Row {
    lot_id: Uuid,
    source: String,
    purchase_id: Option<Uuid>,
    order_id: Option<String>,
    priority: i32,
    granted_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    granted: i64,
    available: i64,
    held: i64,
    frozen: i64,
    consumed: i64,
    expired: i64,
    revoked: i64,
    refunded: i64,
    owed: i64,
    disputed: bool,
}

impl Row {
    fn lot(self) -> Result<Lot, Error> {
        let place = Place { table: "lot", key: &self.lot_id };
        Ok(Lot {
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
        })
    }
}

/// Lots by one condition: the same columns each time.
macro_rules! list_lots {
    ($tx:expr, $condition:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            "SELECT lot_id, source, purchase_id, order_id, priority, granted_at, expires_at, granted, available,
                held, frozen, consumed, expired, revoked, refunded, owed, disputed
             FROM lot WHERE " + $condition,
            $($argument),+
        )
        .fetch_all($tx.connection())
        .await?
        .into_iter()
        .map(Row::lot)
        .collect()
    };
}

impl Tx {
    /// The account's lots that still have credits to move, and those named besides.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_open_lots(
        &mut self,
        account_id: &AccountId,
        besides: &[LotId],
    ) -> Result<Vec<Lot>, Error> {
        let besides: Vec<Uuid> = besides.iter().map(|lot_id| lot_id.0).collect();
        if besides.is_empty() {
            return list_lots!(
                self,
                "account_id = $1 AND available + held + frozen > 0",
                account_id.as_str()
            );
        }
        list_lots!(
            self,
            "account_id = $1 AND (available + held + frozen > 0 OR lot_id = ANY($2))",
            account_id.as_str(),
            &besides
        )
    }

    /// The lots named, in no order.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_lots(&mut self, account_id: &AccountId, lot_ids: &[LotId]) -> Result<Vec<Lot>, Error> {
        let lot_ids: Vec<Uuid> = lot_ids.iter().map(|lot_id| lot_id.0).collect();
        list_lots!(self, "account_id = $1 AND lot_id = ANY($2)", account_id.as_str(), &lot_ids)
    }

    /// Every lot of one purchase.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_lots_of_purchase(
        &mut self,
        account_id: &AccountId,
        purchase_id: PurchaseId,
    ) -> Result<Vec<Lot>, Error> {
        list_lots!(self, "account_id = $1 AND purchase_id = $2", account_id.as_str(), purchase_id.0)
    }

    /// Writes new lots.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_lots(&mut self, account_id: &AccountId, lots: &[Lot]) -> Result<(), Error> {
        for lot in lots {
            sqlx::query!(
                "INSERT INTO lot (account_id, lot_id, source, purchase_id, order_id, priority, granted_at,
                    expires_at, granted, available, held, frozen, consumed, expired, revoked, refunded, owed,
                    disputed)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
                account_id.as_str(),
                lot.lot_id.0,
                lot.source.name(),
                lot.purchase_id.map(|id| id.0),
                lot.order_id.as_ref().map(crate::domain::ids::OrderId::as_str),
                lot.priority,
                lot.granted_at,
                lot.expires_at,
                lot.granted.get(),
                lot.available.get(),
                lot.held.get(),
                lot.frozen.get(),
                lot.consumed.get(),
                lot.expired.get(),
                lot.revoked.get(),
                lot.refunded.get(),
                lot.owed.get(),
                lot.disputed,
            )
            .execute(self.connection())
            .await?;
        }
        Ok(())
    }

    /// Writes changed lots back, all in one statement.
    ///
    /// # Errors
    /// [`Error::Refused`] when a bucket would lie; a failure of the database.
    pub async fn update_lots(&mut self, account_id: &AccountId, lots: &[Lot]) -> Result<(), Error> {
        let column = |of: fn(&Lot) -> i64| lots.iter().map(of).collect::<Vec<i64>>();
        let lot_ids: Vec<Uuid> = lots.iter().map(|lot| lot.lot_id.0).collect();
        let expires_at: Vec<Option<DateTime<Utc>>> = lots.iter().map(|lot| lot.expires_at).collect();
        let disputed: Vec<bool> = lots.iter().map(|lot| lot.disputed).collect();
        sqlx::query!(
            "UPDATE lot SET expires_at = new.expires_at, available = new.available, held = new.held,
                frozen = new.frozen, consumed = new.consumed, expired = new.expired, revoked = new.revoked,
                refunded = new.refunded, owed = new.owed, disputed = new.disputed
             FROM unnest($2::uuid[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                    $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::boolean[])
                AS new (lot_id, expires_at, available, held, frozen, consumed, expired, revoked, refunded, owed,
                    disputed)
             WHERE lot.account_id = $1 AND lot.lot_id = new.lot_id",
            account_id.as_str(),
            &lot_ids,
            &expires_at as &[Option<DateTime<Utc>>],
            &column(|lot| lot.available.get()),
            &column(|lot| lot.held.get()),
            &column(|lot| lot.frozen.get()),
            &column(|lot| lot.consumed.get()),
            &column(|lot| lot.expired.get()),
            &column(|lot| lot.revoked.get()),
            &column(|lot| lot.refunded.get()),
            &column(|lot| lot.owed.get()),
            &disputed,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
