//! Refunds: money on its way back.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::ids::{AccountId, ProviderRefundId, PurchaseId, RefundId, RefundRequestId};
use crate::domain::refund::{Refund, RefundMethod, RefundStage};
use chrono::{DateTime, Utc};
use uuid::Uuid;

struct Row {
    refund_id: Uuid,
    refund_request_id: Uuid,
    purchase_id: Uuid,
    currency: String,
    amount_minor: i64,
    credits: i64,
    stage: String,
    provider: String,
    payment_id: String,
    provider_refund_id: Option<String>,
    idempotency_key: String,
    created_at: DateTime<Utc>,
    submitted_at: Option<DateTime<Utc>>,
    settled_at: Option<DateTime<Utc>>,
    failure_reason: String,
    method: String,
}

impl Row {
    fn refund(self) -> Result<Refund, Error> {
        let place = Place { table: "refund", key: &self.refund_id };
        Ok(Refund {
            refund_id: RefundId(self.refund_id),
            refund_request_id: RefundRequestId(self.refund_request_id),
            purchase_id: PurchaseId(self.purchase_id),
            amount: place.money("amount_minor", &self.currency, self.amount_minor)?,
            credits: place.credits("credits", self.credits)?,
            stage: place.word("stage", &self.stage, RefundStage::parse)?,
            provider: place.id("provider", self.provider)?,
            payment_id: place.id("payment_id", self.payment_id)?,
            provider_refund_id: self
                .provider_refund_id
                .map(|id| place.id::<ProviderRefundId>("provider_refund_id", id))
                .transpose()?,
            idempotency_key: self.idempotency_key,
            created_at: self.created_at,
            submitted_at: self.submitted_at,
            settled_at: self.settled_at,
            failure_reason: self.failure_reason,
            method: place.word("method", &self.method, RefundMethod::parse)?,
        })
    }
}

/// Refunds by one condition: the same columns each time.
macro_rules! select_refunds {
    ($condition:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            "SELECT refund_id, refund_request_id, purchase_id, currency, amount_minor, credits, stage, provider,
                payment_id, provider_refund_id, idempotency_key, created_at, submitted_at, settled_at, failure_reason,
                method
             FROM refund WHERE " + $condition,
            $($argument),+
        )
    };
}

impl Tx {
    /// A refund of the account.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_refund(
        &mut self,
        account_id: &AccountId,
        refund_id: RefundId,
    ) -> Result<Option<Refund>, Error> {
        select_refunds!("account_id = $1 AND refund_id = $2", account_id.as_str(), refund_id.0)
            .fetch_optional(self.connection())
            .await?
            .map(Row::refund)
            .transpose()
    }

    /// The refunds that answer a request, oldest first.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_refunds_of_request(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
    ) -> Result<Vec<Refund>, Error> {
        select_refunds!(
            "account_id = $1 AND refund_request_id = $2 ORDER BY created_at, refund_id LIMIT 100",
            account_id.as_str(),
            refund_request_id.0
        )
        .fetch_all(self.connection())
        .await?
        .into_iter()
        .map(Row::refund)
        .collect()
    }

    /// The refunds of a purchase that are still on their way, oldest first.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_refunds_on_their_way(
        &mut self,
        account_id: &AccountId,
        purchase_id: PurchaseId,
    ) -> Result<Vec<Refund>, Error> {
        select_refunds!(
            "account_id = $1 AND purchase_id = $2 AND stage IN ('pending', 'submitted', 'unknown')
             ORDER BY created_at, refund_id LIMIT 100",
            account_id.as_str(),
            purchase_id.0
        )
        .fetch_all(self.connection())
        .await?
        .into_iter()
        .map(Row::refund)
        .collect()
    }

    /// Records a refund before anybody calls the processor.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_refund(&mut self, account_id: &AccountId, refund: &Refund) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO refund (account_id, refund_id, refund_request_id, purchase_id, currency, amount_minor,
                credits, stage, provider, payment_id, idempotency_key, created_at, failure_reason, method)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            account_id.as_str(),
            refund.refund_id.0,
            refund.refund_request_id.0,
            refund.purchase_id.0,
            refund.amount.currency.code(),
            refund.amount.minor_units,
            refund.credits.get(),
            refund.stage.name(),
            refund.provider.as_str(),
            refund.payment_id.as_str(),
            refund.idempotency_key,
            refund.created_at,
            refund.failure_reason,
            refund.method.name(),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Writes back what changes in a refund's life.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn update_refund(&mut self, account_id: &AccountId, refund: &Refund) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE refund SET stage = $3, provider_refund_id = $4, submitted_at = $5, settled_at = $6,
                failure_reason = $7
             WHERE account_id = $1 AND refund_id = $2",
            account_id.as_str(),
            refund.refund_id.0,
            refund.stage.name(),
            refund.provider_refund_id.as_ref().map(ProviderRefundId::as_str),
            refund.submitted_at,
            refund.settled_at,
            refund.failure_reason,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
