//! Lots: loaded open ones first, written many at once.

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
        list_lots!(self, "WHERE account_id = ANY($1) AND available + held + frozen > 0", &account_ids)
    }

    /// Lots by their ids.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_lots_by_id(
        &mut self,
        lots: &[(&AccountId, LotId)],
    ) -> Result<Vec<(AccountId, Lot)>, Error> {
        let account_ids: Vec<String> = lots.iter().map(|(id, _)| id.as_str().to_owned()).collect();
        let lot_ids: Vec<Uuid> = lots.iter().map(|(_, lot_id)| lot_id.0).collect();
        list_lots!(
            self,
            "JOIN unnest($1::text[], $2::uuid[]) AS asked (account_id, lot_id)
                ON lot.account_id = asked.account_id AND lot.lot_id = asked.lot_id",
            &account_ids,
            &lot_ids
        )
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

    /// Writes new lots.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_lots(&mut self, lots: &[(&AccountId, &Lot)]) -> Result<(), Error> {
        if lots.is_empty() {
            return Ok(());
        }
        let column = |of: fn(&Lot) -> i64| lots.iter().map(|(_, lot)| of(lot)).collect::<Vec<i64>>();
        let purchase_ids: Vec<Option<Uuid>> =
            lots.iter().map(|(_, lot)| lot.purchase_id.map(|id| id.0)).collect();
        let order_ids: Vec<Option<String>> =
            lots.iter().map(|(_, lot)| lot.order_id.as_ref().map(ToString::to_string)).collect();
        let priorities: Vec<i32> = lots.iter().map(|(_, lot)| lot.priority).collect();
        let granted_at: Vec<DateTime<Utc>> = lots.iter().map(|(_, lot)| lot.granted_at).collect();
        sqlx::query!(
            "INSERT INTO lot (account_id, lot_id, source, purchase_id, order_id, priority, granted_at, expires_at,
                granted, available, held, frozen, consumed, expired, revoked, refunded, owed, disputed, repaid_by,
                repaid)
             SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::integer[],
                $7::timestamptz[], $8::timestamptz[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],
                $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::boolean[], $19::uuid[],
                $20::bigint[])",
            &accounts(lots),
            &ids(lots),
            &lots.iter().map(|(_, lot)| lot.source.name().to_owned()).collect::<Vec<_>>(),
            &purchase_ids as &[Option<Uuid>],
            &order_ids as &[Option<String>],
            &priorities,
            &granted_at,
            &expiries(lots) as &[Option<DateTime<Utc>>],
            &column(|lot| lot.granted.get()),
            &column(|lot| lot.available.get()),
            &column(|lot| lot.held.get()),
            &column(|lot| lot.frozen.get()),
            &column(|lot| lot.consumed.get()),
            &column(|lot| lot.expired.get()),
            &column(|lot| lot.revoked.get()),
            &column(|lot| lot.refunded.get()),
            &column(|lot| lot.owed.get()),
            &disputed(lots),
            &repaid_by(lots) as &[Option<Uuid>],
            &repaid(lots) as &[Option<i64>],
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Writes changed lots back.
    ///
    /// # Errors
    /// [`Error::Refused`] when a bucket would lie; a failure of the database.
    pub async fn update_lots(&mut self, lots: &[(&AccountId, &Lot)]) -> Result<(), Error> {
        if lots.is_empty() {
            return Ok(());
        }
        let column = |of: fn(&Lot) -> i64| lots.iter().map(|(_, lot)| of(lot)).collect::<Vec<i64>>();
        sqlx::query!(
            "UPDATE lot SET expires_at = new.expires_at, available = new.available, held = new.held,
                frozen = new.frozen, consumed = new.consumed, expired = new.expired, revoked = new.revoked,
                refunded = new.refunded, owed = new.owed, disputed = new.disputed,
                repaid_by = new.repaid_by, repaid = new.repaid
             FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::bigint[],
                    $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::boolean[],
                    $13::uuid[], $14::bigint[])
                AS new (account_id, lot_id, expires_at, available, held, frozen, consumed, expired, revoked,
                    refunded, owed, disputed, repaid_by, repaid)
             WHERE lot.account_id = new.account_id AND lot.lot_id = new.lot_id",
            &accounts(lots),
            &ids(lots),
            &expiries(lots) as &[Option<DateTime<Utc>>],
            &column(|lot| lot.available.get()),
            &column(|lot| lot.held.get()),
            &column(|lot| lot.frozen.get()),
            &column(|lot| lot.consumed.get()),
            &column(|lot| lot.expired.get()),
            &column(|lot| lot.revoked.get()),
            &column(|lot| lot.refunded.get()),
            &column(|lot| lot.owed.get()),
            &disputed(lots),
            &repaid_by(lots) as &[Option<Uuid>],
            &repaid(lots) as &[Option<i64>],
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

fn accounts(lots: &[(&AccountId, &Lot)]) -> Vec<String> {
    lots.iter().map(|(account_id, _)| account_id.as_str().to_owned()).collect()
}

fn ids(lots: &[(&AccountId, &Lot)]) -> Vec<Uuid> {
    lots.iter().map(|(_, lot)| lot.lot_id.0).collect()
}

fn expiries(lots: &[(&AccountId, &Lot)]) -> Vec<Option<DateTime<Utc>>> {
    lots.iter().map(|(_, lot)| lot.expires_at).collect()
}

fn disputed(lots: &[(&AccountId, &Lot)]) -> Vec<bool> {
    lots.iter().map(|(_, lot)| lot.disputed).collect()
}

fn repaid_by(lots: &[(&AccountId, &Lot)]) -> Vec<Option<Uuid>> {
    lots.iter().map(|(_, lot)| lot.repaid.map(|repaid| repaid.refund_id.0)).collect()
}

fn repaid(lots: &[(&AccountId, &Lot)]) -> Vec<Option<i64>> {
    lots.iter().map(|(_, lot)| lot.repaid.map(|repaid| repaid.credits.get())).collect()
}
