//! Keys: idempotency keys of requests, and the processors' ids that are unique for ever.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::ids::{AccountId, PaymentId, Provider, RequestId};
use crate::domain::names::names;
use chrono::{DateTime, Utc};

/// Names one call: the same caller, method and request id on the same account is the same call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key<'a> {
    /// The account.
    pub account_id: &'a AccountId,
    /// Who calls.
    pub caller: &'a str,
    /// What is called.
    pub method: &'a str,
    /// The caller's id of the call.
    pub request_id: RequestId,
}

/// What a call was answered.
#[derive(Debug, Clone)]
pub struct StoredAnswer {
    /// The digest of what was asked, with its version in front.
    pub fingerprint: String,
    /// Whether the answer is a refusal.
    pub refused: bool,
    /// The answer, as JSON.
    pub answer: String,
}

impl StoredAnswer {
    /// Whether its account was erased since: what was asked went with the words, and is compared no more.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.fingerprint.starts_with("erased:")
    }
}

/// What a processor's id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExternalKind {
    /// A payment.
    Payment,
    /// A dispute.
    Dispute,
    /// A refund.
    Refund,
}

names!(ExternalKind { Payment => "payment", Dispute => "dispute", Refund => "refund" });

impl Tx {
    /// The answer that the call had, if it was answered before.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_answer(&mut self, key: Key<'_>) -> Result<Option<StoredAnswer>, Error> {
        let answer = sqlx::query_as!(
            StoredAnswer,
            "SELECT fingerprint, refused, answer FROM idempotency_key
             WHERE account_id = $1 AND caller = $2 AND method = $3 AND request_id = $4",
            key.account_id.as_str(),
            key.caller,
            key.method,
            key.request_id.0,
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(answer)
    }

    /// Keeps the answer of a call, in the transaction of its effect.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_answer(
        &mut self,
        key: Key<'_>,
        answer: &StoredAnswer,
        at: DateTime<Utc>,
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO idempotency_key
                (account_id, caller, method, request_id, fingerprint, refused, answer, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            key.account_id.as_str(),
            key.caller,
            key.method,
            key.request_id.0,
            answer.fingerprint,
            answer.refused,
            answer.answer,
            at,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// The account that a processor's id belongs to.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_owner(
        &mut self,
        kind: ExternalKind,
        provider: &str,
        external_id: &str,
    ) -> Result<Option<AccountId>, Error> {
        let owner = sqlx::query_scalar!(
            "SELECT account_id FROM external_key WHERE kind = $1 AND provider = $2 AND external_id = $3",
            kind.name(),
            provider,
            external_id,
        )
        .fetch_optional(self.connection())
        .await?;
        let place = Place { table: "external_key", key: &external_id };
        match owner {
            Some(owner) if owner.is_empty() => Ok(Some(AccountId::unmatched())),
            Some(owner) => place.id("account_id", owner).map(Some),
            None => Ok(None),
        }
    }

    /// Claims a processor's id for an account.
    ///
    /// # Errors
    /// [`Error::Refused`] when it belongs to somebody already; a failure of the database.
    pub async fn insert_owner(
        &mut self,
        kind: ExternalKind,
        provider: &str,
        external_id: &str,
        account_id: &AccountId,
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO external_key (kind, provider, external_id, account_id) VALUES ($1, $2, $3, $4)",
            kind.name(),
            provider,
            external_id,
            account_id.as_str(),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Gives a payment that waited for its purchase to the purchase's account.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn update_payment_owner(
        &mut self,
        account_id: &AccountId,
        provider: &Provider,
        payment_id: &PaymentId,
    ) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE external_key SET account_id = $1 WHERE kind = 'payment' AND provider = $2 AND external_id = $3",
            account_id.as_str(),
            provider.as_str(),
            payment_id.as_str(),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
