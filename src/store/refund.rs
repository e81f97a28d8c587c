//! Refunds: money on its way back.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::ids::{AccountId, ProviderRefundId, PurchaseId, RefundId, RefundRequestId};
use crate::domain::refund::{ExpectedWindow, Refund, RefundLife, RefundMethod, RefundStage};
use chrono::{DateTime, Utc};
use uuid::Uuid;

pub(super) struct RefundRow {
    pub(super) account_id: String,
    pub(super) refund_id: Uuid,
    pub(super) refund_request_id: Uuid,
    pub(super) purchase_id: Uuid,
    pub(super) currency: String,
    pub(super) amount_minor: i64,
    pub(super) credits: i64,
    pub(super) stage: String,
    pub(super) provider: String,
    pub(super) payment_id: String,
    pub(super) provider_refund_id: Option<String>,
    pub(super) idempotency_key: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) submitted_at: Option<DateTime<Utc>>,
    pub(super) stage_since: Option<DateTime<Utc>>,
    pub(super) settled_at: Option<DateTime<Utc>>,
    pub(super) expected_from: Option<DateTime<Utc>>,
    pub(super) expected_until: Option<DateTime<Utc>>,
    pub(super) failure_reason: String,
    pub(super) method: String,
}

impl RefundRow {
    /// The stage with its data.
    fn life(&self, place: Place<'_>) -> Result<RefundLife, Error> {
        let submitted_at = || self.submitted_at.ok_or_else(|| place.corrupt("submitted_at"));
        let since = || self.stage_since.ok_or_else(|| place.corrupt("stage_since"));
        let settled_at = || self.settled_at.ok_or_else(|| place.corrupt("settled_at"));
        let expected =
            self.expected_from.zip(self.expected_until).map(|(from, until)| ExpectedWindow { from, until });
        Ok(match place.word("stage", &self.stage, RefundStage::parse)? {
            RefundStage::Pending => RefundLife::Pending,
            RefundStage::Submitted => {
                RefundLife::Submitted { submitted_at: submitted_at()?, since: since()?, expected }
            }
            RefundStage::Unknown => {
                RefundLife::Unknown { submitted_at: submitted_at()?, since: since()?, expected }
            }
            RefundStage::Succeeded => {
                RefundLife::Succeeded { submitted_at: submitted_at()?, settled_at: settled_at()?, expected }
            }
            RefundStage::Failed => RefundLife::Failed {
                submitted_at: submitted_at()?,
                settled_at: settled_at()?,
                failure_reason: self.failure_reason.clone().into(),
            },
            RefundStage::Canceled => RefundLife::Canceled { settled_at: settled_at()? },
        })
    }

    pub(super) fn refund(self) -> Result<Refund, Error> {
        let place = Place { table: "refund", key: &self.refund_id };
        Ok(Refund {
            refund_id: RefundId(self.refund_id),
            refund_request_id: RefundRequestId(self.refund_request_id),
            purchase_id: PurchaseId(self.purchase_id),
            amount: place.money("amount_minor", &self.currency, self.amount_minor)?,
            credits: place.credits("credits", self.credits)?,
            life: self.life(place)?,
            provider: place.id("provider", self.provider)?,
            payment_id: place.id("payment_id", self.payment_id)?,
            provider_refund_id: self
                .provider_refund_id
                .map(|id| place.id::<ProviderRefundId>("provider_refund_id", id))
                .transpose()?,
            idempotency_key: self.idempotency_key,
            created_at: self.created_at,
            method: place.word("method", &self.method, RefundMethod::parse)?,
        })
    }
}

/// Refunds by one condition: the same columns each time.
macro_rules! select_refunds {
    ($first:literal $(+ $condition:literal)*, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            crate::store::refund::RefundRow,
            "SELECT account_id, refund_id, refund_request_id, purchase_id, currency, amount_minor, credits, stage,
                provider, payment_id, provider_refund_id, idempotency_key, created_at, submitted_at, stage_since,
                settled_at, expected_from, expected_until, failure_reason, method
             FROM refund WHERE " + $first $(+ $condition)*,
            $($argument),+
        )
    };
}
pub(super) use select_refunds;

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
            .map(RefundRow::refund)
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
        .map(RefundRow::refund)
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
        .map(RefundRow::refund)
        .collect()
    }

    /// Records a refund, pending: nobody has called the processor, and the key for that call is kept first.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_refund(&mut self, account_id: &AccountId, refund: &Refund) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO refund (account_id, refund_id, refund_request_id, purchase_id, currency, amount_minor,
                credits, stage, provider, payment_id, idempotency_key, created_at, failure_reason, method)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '', $13)",
            account_id.as_str(),
            refund.refund_id.0,
            refund.refund_request_id.0,
            refund.purchase_id.0,
            refund.amount.currency.code(),
            refund.amount.minor_units,
            refund.credits.get(),
            refund.stage().name(),
            refund.provider.as_str(),
            refund.payment_id.as_str(),
            refund.idempotency_key,
            refund.created_at,
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
        let life = &refund.life;
        sqlx::query!(
            "UPDATE refund SET stage = $3, provider_refund_id = $4, submitted_at = $5, stage_since = $6,
                settled_at = $7, expected_from = $8, expected_until = $9, failure_reason = $10
             WHERE account_id = $1 AND refund_id = $2",
            account_id.as_str(),
            refund.refund_id.0,
            life.stage().name(),
            refund.provider_refund_id.as_ref().map(ProviderRefundId::as_str),
            life.submitted_at(),
            life.since(),
            life.settled_at(),
            life.expected().map(|window| window.from),
            life.expected().map(|window| window.until),
            life.failure_reason().map_or("", |reason| reason.expose()),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
