//! Chargebacks and the events that told of them.

use super::read::{Place, to_json};
use super::{Error, Tx};
use crate::domain::chargeback::{
    Chargeback, ChargebackEvent, ChargebackPhase, ChargebackStage, Determination, Determined,
};
use crate::domain::ids::{
    AccountId, ChargebackId, DisputeId, PaymentId, Provider, ProviderEventId, PurchaseId,
};
use crate::domain::money::Money;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// One event as it was told.
#[derive(Debug, Clone)]
pub struct ChargebackEventRow {
    /// What happened.
    pub event: ChargebackEvent,
    /// How far the dispute had gone.
    pub phase: ChargebackPhase,
    /// The processor's own word, verbatim.
    pub provider_status: String,
    /// The processor's id of the event.
    pub provider_event_id: Option<ProviderEventId>,
    /// What was disputed then.
    pub amount: Money,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When we were told.
    pub recorded_at: DateTime<Utc>,
}

struct Row {
    chargeback_id: Uuid,
    purchase_id: Option<Uuid>,
    provider: String,
    dispute_id: String,
    payment_id: String,
    stage: String,
    phase: String,
    provider_status: String,
    reason_code: String,
    currency: String,
    amount_minor: i64,
    losses: serde_json::Value,
    frozen_credits: i64,
    opened_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    last_event_at: DateTime<Utc>,
    determination: Option<String>,
    determined_by: Option<String>,
    determined_at: Option<DateTime<Utc>>,
    reason_note: Option<i32>,
}

impl Row {
    fn chargeback(self) -> Result<Chargeback, Error> {
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
    ($condition:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            "SELECT chargeback_id, purchase_id, provider, dispute_id, payment_id, stage, phase, provider_status,
                reason_code, currency, amount_minor, losses, frozen_credits, opened_at, closed_at, last_event_at,
                found.determination AS \"determination?\", found.determined_by AS \"determined_by?\",
                found.determined_at AS \"determined_at?\", found.reason_note AS \"reason_note?\"
             FROM chargeback c LEFT JOIN LATERAL (
                SELECT determination, determined_by, determined_at, reason_note FROM chargeback_determination d
                WHERE d.account_id = c.account_id AND d.chargeback_id = c.chargeback_id
                ORDER BY ordinal DESC LIMIT 1) AS found ON true
             WHERE " + $condition,
            $($argument),+
        )
    };
}

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
        .map(Row::chargeback)
        .transpose()
    }

    /// A chargeback of an account by our id.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_chargeback_by_id(
        &mut self,
        account_id: &AccountId,
        chargeback_id: ChargebackId,
    ) -> Result<Option<Chargeback>, Error> {
        select_chargebacks!(
            "c.account_id = $1 AND c.chargeback_id = $2",
            account_id.as_str(),
            chargeback_id.0
        )
        .fetch_optional(self.connection())
        .await?
        .map(Row::chargeback)
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
        .map(Row::chargeback)
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
        event: &ChargebackEventRow,
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
    ) -> Result<Vec<ChargebackEventRow>, Error> {
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
                Ok(ChargebackEventRow {
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
