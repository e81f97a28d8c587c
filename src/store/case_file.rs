//! What our records say about a case: the reads behind [`crate::domain::case_file`].

use super::read::Place;
use super::{Error, Tx};
use crate::domain::case_file::{AccountFile, AttemptEnd, AttemptFile, NamedAttemptFile, TwinFile};
use crate::domain::credits::Credits;
use crate::domain::ids::{AccountId, Attempt, PurchaseId};
use crate::domain::purchase::{DisputeState, Purchase};
use crate::domain::restriction::Standing;
use crate::domain::usage::UsageStage;
use chrono::{DateTime, Utc};

/// Where the bought credits of one purchase are.
#[derive(Debug, Clone, Copy)]
pub struct PurchaseCredits {
    /// Available and not expired.
    pub unused: Credits,
    /// Consumed.
    pub used: Credits,
    /// Reserved.
    pub held: Credits,
    /// Of `used`: by failed attempts whose fault is ours.
    pub failed: Credits,
}

impl Tx {
    /// Where the bought credits of a purchase are.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn load_purchase_credits(
        &mut self,
        account_id: &AccountId,
        purchase_id: PurchaseId,
        now: DateTime<Utc>,
    ) -> Result<PurchaseCredits, Error> {
        let row = sqlx::query!(
            "SELECT
                coalesce(sum(available) FILTER (WHERE expires_at IS NULL OR expires_at > $3), 0)::bigint AS \"unused!\",
                coalesce(sum(consumed), 0)::bigint AS \"used!\",
                coalesce(sum(held), 0)::bigint AS \"held!\",
                (SELECT coalesce(sum(a.captured - a.restored), 0)::bigint
                 FROM usage u
                 JOIN allocation a
                    ON a.account_id = u.account_id AND a.job_id = u.job_id AND a.attempt = u.attempt
                 JOIN lot l ON l.account_id = a.account_id AND l.lot_id = a.lot_id
                 WHERE u.account_id = $1 AND u.stage = 'captured' AND u.fault IS NOT NULL
                    AND failed_through_us(u.account_id, u.cause, u.fault, u.failed_at)
                    AND l.purchase_id = $2 AND l.source = 'purchase') AS \"failed!\"
             FROM lot WHERE account_id = $1 AND purchase_id = $2 AND source = 'purchase'",
            account_id.as_str(),
            purchase_id.0,
            now,
        )
        .fetch_one(self.connection())
        .await?;
        let place = Place { table: "lot", key: &purchase_id };
        Ok(PurchaseCredits {
            unused: place.credits("available", row.unused)?,
            used: place.credits("consumed", row.used)?,
            held: place.credits("held", row.held)?,
            failed: place.credits("captured", row.failed)?,
        })
    }

    /// The account's refunds and credits, with the standing that the caller read already.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn load_account_file(
        &mut self,
        account_id: &AccountId,
        standing: Standing,
        now: DateTime<Utc>,
    ) -> Result<AccountFile, Error> {
        let refunds_at = sqlx::query_scalar!(
            "SELECT created_at FROM refund WHERE account_id = $1 AND stage NOT IN ('failed', 'canceled')
             ORDER BY created_at DESC LIMIT 100",
            account_id.as_str(),
        )
        .fetch_all(self.connection())
        .await?;
        let totals = sqlx::query!(
            "SELECT
                (SELECT count(*) FROM refund WHERE account_id = $1 AND stage NOT IN ('failed', 'canceled'))
                    AS \"refunds!\",
                coalesce(sum(consumed), 0)::bigint AS \"used!\",
                coalesce(sum(available) FILTER (WHERE expires_at IS NULL OR expires_at > $2), 0)::bigint
                    AS \"available!\"
             FROM lot WHERE account_id = $1",
            account_id.as_str(),
            now,
        )
        .fetch_one(self.connection())
        .await?;
        let compensated_at = sqlx::query_scalar!(
            "SELECT granted_at FROM lot WHERE account_id = $1 AND source = 'compensation'
             ORDER BY granted_at DESC LIMIT 100",
            account_id.as_str(),
        )
        .fetch_all(self.connection())
        .await?;
        let place = Place { table: "lot", key: account_id };
        Ok(AccountFile {
            standing,
            refunds_at,
            refunds_ever: totals.refunds,
            used_credits: place.credits("consumed", totals.used)?,
            available_credits: place.credits("available", totals.available)?,
            compensated_at,
        })
    }

    /// Other purchases of the account with the same package, amount and currency, nearest in time first.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_twins(
        &mut self,
        account_id: &AccountId,
        purchase: &Purchase,
    ) -> Result<Vec<TwinFile>, Error> {
        let rows = sqlx::query!(
            "SELECT purchase_id, paid_at, dispute,
                (refunded_minor + pending_minor > 0 OR refunded_credits > 0) AS \"refunded!\"
             FROM purchase
             WHERE account_id = $1 AND package_id = $2 AND price_minor = $3 AND currency = $4
                AND purchase_id <> $5
             ORDER BY abs(extract(epoch FROM paid_at - $6)), purchase_id LIMIT 50",
            account_id.as_str(),
            purchase.package_id.as_str(),
            purchase.price.minor_units,
            purchase.price.currency.code(),
            purchase.purchase_id.0,
            purchase.paid_at,
        )
        .fetch_all(self.connection())
        .await?;
        let place = Place { table: "purchase", key: account_id };
        rows.into_iter()
            .map(|row| {
                Ok(TwinFile {
                    purchase_id: PurchaseId(row.purchase_id),
                    paid_at: row.paid_at,
                    refunded: row.refunded,
                    dispute: place.word("dispute", &row.dispute, DisputeState::parse)?,
                })
            })
            .collect()
    }

    /// Whether an earlier purchase of the account is recorded.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_earlier_purchase(
        &mut self,
        account_id: &AccountId,
        purchase: &Purchase,
    ) -> Result<Option<PurchaseId>, Error> {
        let earlier = sqlx::query_scalar!(
            "SELECT purchase_id FROM purchase WHERE account_id = $1 AND (paid_at, purchase_id) < ($2, $3) LIMIT 1",
            account_id.as_str(),
            purchase.paid_at,
            purchase.purchase_id.0,
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(earlier.map(PurchaseId))
    }

    /// The account's latest attempts that ended, oldest first. A failure counts when it happened, and as ours when a
    /// declared incident covers it.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_attempts(&mut self, account_id: &AccountId) -> Result<Vec<AttemptFile>, Error> {
        let rows = sqlx::query!(
            "SELECT stage, fault IS NOT NULL AS \"failed!\",
                fault IS NOT NULL AND failed_through_us(account_id, cause, fault, failed_at) AS \"ours!\",
                delivered_outputs, coalesce(failed_at, ended_at) AS \"at!\" FROM usage
             WHERE account_id = $1 AND ended_at IS NOT NULL
             ORDER BY ended_at DESC, job_id DESC, attempt DESC LIMIT 1000",
            account_id.as_str(),
        )
        .fetch_all(self.connection())
        .await?;
        let place = Place { table: "usage", key: account_id };
        let mut attempts = Vec::with_capacity(rows.len());
        for row in rows {
            let stage = place.word("stage", &row.stage, UsageStage::parse)?;
            attempts.push(AttemptFile {
                at: row.at,
                end: end(stage, row.failed, row.ours, row.delivered_outputs),
            });
        }
        attempts.sort_by_key(|attempt| attempt.at);
        Ok(attempts)
    }

    /// What is known of one attempt of the account.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_named_attempt(
        &mut self,
        account_id: &AccountId,
        attempt: &Attempt,
    ) -> Result<Option<NamedAttemptFile>, Error> {
        let row = sqlx::query!(
            "SELECT stage, fault IS NOT NULL AS \"failed!\",
                fault IS NOT NULL AND failed_through_us(account_id, cause, fault, failed_at) AS \"ours!\",
                delivered_outputs, ended_at,
                (SELECT coalesce(sum(a.captured - a.restored), 0)::bigint FROM allocation a
                 WHERE a.account_id = usage.account_id AND a.job_id = usage.job_id AND a.attempt = usage.attempt)
                    AS \"charged!\"
             FROM usage WHERE account_id = $1 AND job_id = $2 AND attempt = $3",
            account_id.as_str(),
            attempt.job_id.as_str(),
            attempt.number,
        )
        .fetch_optional(self.connection())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let place = Place { table: "usage", key: attempt };
        let stage = place.word("stage", &row.stage, UsageStage::parse)?;
        let end = end(stage, row.failed, row.ours, row.delivered_outputs);
        Ok(Some(NamedAttemptFile {
            ended: row.ended_at.map(|at| AttemptFile { at, end }),
            charged: place.credits("captured", row.charged)?,
        }))
    }
}

/// How an attempt that is over ended.
fn end(stage: UsageStage, failed: bool, ours: bool, delivered_outputs: Option<i32>) -> AttemptEnd {
    let delivered = stage == UsageStage::Captured && delivered_outputs.is_some_and(|outputs| outputs > 0);
    match (failed, ours) {
        (true, true) => AttemptEnd::PlatformFailure,
        (false, _) if delivered => AttemptEnd::Success,
        _ => AttemptEnd::OtherFailure,
    }
}
