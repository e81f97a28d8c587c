//! What our records say about a disputed purchase: its deliveries, its use, its refunds.

use super::read::Place;
use super::refund::{RefundRow, select_refunds};
use super::request::select_requests;
use super::{Error, Tx};
use crate::domain::ids::{AccountId, Attempt, JobId, PurchaseId};
use crate::domain::purchase::Delivery;
use crate::domain::refund::Refund;
use crate::domain::request::RefundRequest;
use chrono::{DateTime, Utc};

impl Tx {
    /// When a purchase of the account was recorded.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_purchase_recorded_at(
        &mut self,
        account_id: &AccountId,
        purchase_id: PurchaseId,
    ) -> Result<Option<DateTime<Utc>>, Error> {
        let recorded_at = sqlx::query_scalar!(
            "SELECT recorded_at FROM purchase WHERE account_id = $1 AND purchase_id = $2",
            account_id.as_str(),
            purchase_id.0,
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(recorded_at)
    }

    /// The deliveries of a purchase, oldest first, and how many there are.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_deliveries(
        &mut self,
        account_id: &AccountId,
        purchase_id: PurchaseId,
        limit: i64,
    ) -> Result<(Vec<Delivery>, i64), Error> {
        let rows = sqlx::query!(
            "SELECT delivery_id, credits, bonus_credits, delivered_at, recorded_at, count(*) OVER () AS \"in_all!\"
             FROM delivery WHERE account_id = $1 AND purchase_id = $2
             ORDER BY delivered_at, recorded_at, delivery_id LIMIT $3",
            account_id.as_str(),
            purchase_id.0,
            limit,
        )
        .fetch_all(self.connection())
        .await?;
        let in_all = rows.first().map(|row| row.in_all).unwrap_or_default();
        let place = Place { table: "delivery", key: &purchase_id };
        let deliveries = rows.into_iter().map(|row| {
            Ok(Delivery {
                delivery_id: place.id("delivery_id", row.delivery_id)?,
                credits: place.credits("credits", row.credits)?,
                bonus_credits: place.credits("bonus_credits", row.bonus_credits)?,
                delivered_at: row.delivered_at,
                recorded_at: row.recorded_at,
            })
        });
        Ok((deliveries.collect::<Result<_, Error>>()?, in_all))
    }

    /// The attempts that were charged to lots of a purchase, by when their work ended, and how many there are.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_attempts_charged_to(
        &mut self,
        account_id: &AccountId,
        purchase_id: PurchaseId,
        limit: i64,
    ) -> Result<(Vec<Attempt>, i64), Error> {
        let rows = sqlx::query!(
            "SELECT u.job_id, u.attempt, count(*) OVER () AS \"in_all!\"
             FROM (SELECT DISTINCT a.job_id, a.attempt FROM lot l
                JOIN allocation a ON a.account_id = l.account_id AND a.lot_id = l.lot_id
                WHERE l.account_id = $1 AND l.purchase_id = $2 AND a.captured > 0) AS charged
             JOIN usage u ON u.account_id = $1 AND u.job_id = charged.job_id AND u.attempt = charged.attempt
             ORDER BY u.ended_at, u.job_id, u.attempt LIMIT $3",
            account_id.as_str(),
            purchase_id.0,
            limit,
        )
        .fetch_all(self.connection())
        .await?;
        let in_all = rows.first().map(|row| row.in_all).unwrap_or_default();
        let place = Place { table: "usage", key: &purchase_id };
        let attempts = rows
            .into_iter()
            .map(|row| Ok(Attempt { job_id: place.id::<JobId>("job_id", row.job_id)?, number: row.attempt }));
        Ok((attempts.collect::<Result<_, Error>>()?, in_all))
    }

    /// The refund requests about a purchase, oldest first.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_requests_of_purchase(
        &mut self,
        account_id: &AccountId,
        purchase_id: PurchaseId,
    ) -> Result<Vec<RefundRequest>, Error> {
        let rows = select_requests!(
            "account_id = $1 AND purchase_id = $2 ORDER BY received_at, refund_request_id LIMIT 100",
            account_id.as_str(),
            purchase_id.0
        )
        .fetch_all(self.connection())
        .await?;
        let requests = self.complete_requests(rows).await?;
        Ok(requests.into_iter().map(|(_, request)| request).collect())
    }

    /// The refunds of a purchase, oldest first.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_refunds_of_purchase(
        &mut self,
        account_id: &AccountId,
        purchase_id: PurchaseId,
    ) -> Result<Vec<Refund>, Error> {
        select_refunds!(
            "account_id = $1 AND purchase_id = $2 ORDER BY created_at, refund_id LIMIT 100",
            account_id.as_str(),
            purchase_id.0
        )
        .fetch_all(self.connection())
        .await?
        .into_iter()
        .map(RefundRow::refund)
        .collect()
    }
}
