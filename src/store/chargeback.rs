//! Chargebacks and the events that told of them.

use super::read::{Place, to_json};
use super::{Error, Tx};
use crate::domain::chargeback::{
    Chargeback, ChargebackEvent, ChargebackPhase, ChargebackStage, Determination, Determined, ReportedEvent,
};
use crate::domain::ids::{
    AccountId, ChargebackId, DisputeId, PaymentId, Provider, ProviderEventId, PurchaseId,
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

pub(super) struct ChargebackRow {
    pub(super) account_id: String,
    pub(super) chargeback_id: Uuid,
    pub(super) purchase_id: Option<Uuid>,
    pub(super) provider: String,
    pub(super) dispute_id: String,
    pub(super) payment_id: String,
    pub(super) stage: String,
    pub(super) phase: String,
    pub(super) provider_status: String,
    pub(super) reason_code: String,
    pub(super) currency: String,
    pub(super) amount_minor: i64,
    pub(super) losses: serde_json::Value,
    pub(super) frozen_credits: i64,
    pub(super) opened_at: DateTime<Utc>,
    pub(super) closed_at: Option<DateTime<Utc>>,
    pub(super) last_event_at: DateTime<Utc>,
    pub(super) determination: Option<String>,
    pub(super) determined_by: Option<String>,
    pub(super) determined_at: Option<DateTime<Utc>>,
    pub(super) reason_note: Option<i32>,
}

impl ChargebackRow {
    /// The account that it is kept at, or the place where disputes wait for their purchase.
    pub(super) fn kept_at(&self) -> Result<AccountId, Error> {
        if self.account_id.is_empty() {
            return Ok(AccountId::unmatched());
        }
        let place = Place { table: "chargeback", key: &self.chargeback_id };
        place.id("account_id", self.account_id.clone())
    }

    pub(super) fn chargeback(self) -> Result<Chargeback, Error> {
        let place = Place { table: "chargeback", key: &self.chargeback_id };
        let told = self.determination.zip(self.determined_by).zip(self.determined_at).zip(self.reason_note);
        let determined = match told {
            Some((((determination, by), at), reason_note)) => Some(Determined {
                determination: place.word("determination", &determination, Determination::parse)?,
                by: place.id("determined_by", by)?,
                at,
                reason_note,
            }),
            None => None,
        };
        Ok(Chargeback {
            chargeback_id: ChargebackId(self.chargeback_id),
            purchase_id: self.purchase_id.map(PurchaseId),
            provider: place.id("provider", self.provider)?,
            dispute_id: place.id("dispute_id", self.dispute_id)?,
            payment_id: place.id("payment_id", self.payment_id)?,
            stage: place.word("stage", &self.stage, ChargebackStage::parse)?,
            phase: place.word("phase", &self.phase, ChargebackPhase::parse)?,
            provider_status: self.provider_status,
            reason_code: self.reason_code,
            amount: place.money("amount_minor", &self.currency, self.amount_minor)?,
            losses: place.json("losses", self.losses)?,
            frozen_credits: place.credits("frozen_credits", self.frozen_credits)?,
            opened_at: self.opened_at,
            closed_at: self.closed_at,
            last_event_at: self.last_event_at,
            determined,
        })
    }
}

/// Chargebacks by one condition: the same columns each time, with the last determination.
macro_rules! select_chargebacks {
    ($first:literal $(+ $condition:literal)*, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            crate::store::chargeback::ChargebackRow,
            // What an open dispute keeps from use grows with deliveries and returns; at its end it is told once more.
            "SELECT account_id, chargeback_id, purchase_id, provider, dispute_id, payment_id, stage, phase,
                provider_status, reason_code, currency, amount_minor, losses,
                CASE WHEN stage <> 'open' THEN frozen_credits ELSE (
                    SELECT coalesce(sum(lot.frozen), 0)::bigint FROM lot
                    WHERE lot.account_id = c.account_id AND lot.purchase_id = c.purchase_id)
                END AS \"frozen_credits!\",
                opened_at, closed_at, last_event_at,
                found.determination AS \"determination?\", found.determined_by AS \"determined_by?\",
                found.determined_at AS \"determined_at?\", found.reason_note AS \"reason_note?\"
             FROM chargeback c LEFT JOIN LATERAL (
                SELECT determination, determined_by, determined_at, reason_note FROM chargeback_determination d
                WHERE d.account_id = c.account_id AND d.chargeback_id = c.chargeback_id
                ORDER BY ordinal DESC LIMIT 1) AS found ON true
             WHERE " + $first $(+ $condition)*,
            $($argument),+
        )
    };
}
pub(super) use select_chargebacks;

impl Tx {
    /// A chargeback by the processor's id of the dispute.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_chargeback(
        &mut self,
        account_id: &AccountId,
        provider: &Provider,
        dispute_id: &DisputeId,
    ) -> Result<Option<Chargeback>, Error> {
        select_chargebacks!(
            "account_id = $1 AND provider = $2 AND dispute_id = $3",
            account_id.as_str(),
            provider.as_str(),
            dispute_id.as_str()
        )
        .fetch_optional(self.connection())
        .await?
        .map(ChargebackRow::chargeback)
        .transpose()
    }

    /// A chargeback of an account by our id.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_chargeback_of_account(
        &mut self,
        account_id: &AccountId,
        chargeback_id: ChargebackId,
    ) -> Result<Option<Chargeback>, Error> {
        select_chargebacks!("account_id = $1 AND chargeback_id = $2", account_id.as_str(), chargeback_id.0)
            .fetch_optional(self.connection())
            .await?
            .map(ChargebackRow::chargeback)
            .transpose()
    }

    /// The chargebacks of a payment, oldest first, whether or not its purchase is recorded.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_chargebacks_of_payment(
        &mut self,
        account_id: &AccountId,
        provider: &Provider,
        payment_id: &PaymentId,
    ) -> Result<Vec<Chargeback>, Error> {
        select_chargebacks!(
            "account_id = $1 AND provider = $2 AND payment_id = $3 ORDER BY opened_at, chargeback_id LIMIT 100",
            account_id.as_str(),
            provider.as_str(),
            payment_id.as_str()
        )
        .fetch_all(self.connection())
        .await?
        .into_iter()
        .map(ChargebackRow::chargeback)
        .collect()
    }

    /// Writes a chargeback, new or known.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn upsert_chargeback(
        &mut self,
        account_id: &AccountId,
        chargeback: &Chargeback,
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO chargeback (account_id, chargeback_id, purchase_id, provider, dispute_id, payment_id,
                stage, phase, provider_status, reason_code, currency, amount_minor, losses, frozen_credits,
                opened_at, closed_at, last_event_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
             ON CONFLICT ON CONSTRAINT chargeback_key DO UPDATE SET purchase_id = excluded.purchase_id,
                stage = excluded.stage, phase = excluded.phase, provider_status = excluded.provider_status,
                reason_code = excluded.reason_code, currency = excluded.currency,
                amount_minor = excluded.amount_minor, losses = excluded.losses,
                frozen_credits = excluded.frozen_credits, opened_at = excluded.opened_at,
                closed_at = excluded.closed_at, last_event_at = excluded.last_event_at",
            account_id.as_str(),
            chargeback.chargeback_id.0,
            chargeback.purchase_id.map(|id| id.0),
            chargeback.provider.as_str(),
            chargeback.dispute_id.as_str(),
            chargeback.payment_id.as_str(),
            chargeback.stage.name(),
            chargeback.phase.name(),
            chargeback.provider_status,
            chargeback.reason_code,
            chargeback.amount.currency.code(),
            chargeback.amount.minor_units,
            to_json(&chargeback.losses),
            chargeback.frozen_credits.get(),
            chargeback.opened_at,
            chargeback.closed_at,
            chargeback.last_event_at,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Moves a chargeback, its events and its key to the account of its purchase, in one statement.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn update_chargeback_account(
        &mut self,
        from: &AccountId,
        to: &AccountId,
        chargeback: &Chargeback,
    ) -> Result<(), Error> {
        sqlx::query!(
            "WITH moved AS (
                UPDATE chargeback SET account_id = $2 WHERE account_id = $1 AND chargeback_id = $3
                RETURNING provider, dispute_id),
             events AS (
                UPDATE chargeback_event SET account_id = $2 WHERE account_id = $1 AND chargeback_id = $3)
             UPDATE external_key SET account_id = $2 FROM moved
             WHERE kind = 'dispute' AND external_key.provider = moved.provider AND external_id = moved.dispute_id",
            from.as_str(),
            to.as_str(),
            chargeback.chargeback_id.0,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Keeps an event, for ever.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn append_chargeback_event(
        &mut self,
        account_id: &AccountId,
        chargeback_id: ChargebackId,
        event: &ReportedEvent,
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO chargeback_event (account_id, chargeback_id, ordinal, event, phase, provider_status,
                currency, amount_minor, occurred_at, recorded_at, provider_event_id)
             SELECT $1, $2, count(*)::integer + 1, $3, $4, $5, $6, $7, $8, $9, $10
             FROM chargeback_event WHERE account_id = $1 AND chargeback_id = $2",
            account_id.as_str(),
            chargeback_id.0,
            event.event.name(),
            event.phase.name(),
            event.provider_status,
            event.amount.currency.code(),
            event.amount.minor_units,
            event.occurred_at,
            event.recorded_at,
            event.provider_event_id.as_ref().map(ProviderEventId::as_str),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// The events of a chargeback in the order we heard of them.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_chargeback_events(
        &mut self,
        account_id: &AccountId,
        chargeback_id: ChargebackId,
    ) -> Result<Vec<ReportedEvent>, Error> {
        let rows = sqlx::query!(
            "SELECT event, phase, provider_status, currency, amount_minor, occurred_at, recorded_at,
                provider_event_id
             FROM chargeback_event WHERE account_id = $1 AND chargeback_id = $2 ORDER BY ordinal LIMIT 1000",
            account_id.as_str(),
            chargeback_id.0,
        )
        .fetch_all(self.connection())
        .await?;
        let place = Place { table: "chargeback_event", key: &chargeback_id };
        rows.into_iter()
            .map(|row| {
                Ok(ReportedEvent {
                    event: place.word("event", &row.event, ChargebackEvent::parse)?,
                    phase: place.word("phase", &row.phase, ChargebackPhase::parse)?,
                    provider_status: row.provider_status,
                    provider_event_id: row
                        .provider_event_id
                        .map(|id| place.id::<ProviderEventId>("provider_event_id", id))
                        .transpose()?,
                    amount: place.money("amount_minor", &row.currency, row.amount_minor)?,
                    occurred_at: row.occurred_at,
                    recorded_at: row.recorded_at,
                })
            })
            .collect()
    }
}
