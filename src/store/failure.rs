//! Attempts that failed. What counts as a failure of ours is the database's `failed_through_us`, for the facts of a
//! decision and for its remedy alike.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::credits::Credits;
use crate::domain::ids::{AccountId, Attempt, IncidentId};

/// Most attempts that are listed at once: with their usages a few hundred kilobytes.
const MAX_FAILURES: i64 = 500;

impl Tx {
    /// Charged credits of failed attempts whose fault is ours, over all lots.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn load_failed_credits(&mut self, account_id: &AccountId) -> Result<Credits, Error> {
        let failed = sqlx::query_scalar!(
            "SELECT coalesce(sum(a.captured - a.restored), 0)::bigint AS \"failed!\"
             FROM usage u
             JOIN allocation a ON a.account_id = u.account_id AND a.job_id = u.job_id AND a.attempt = u.attempt
             WHERE u.account_id = $1 AND u.stage = 'captured' AND u.fault IS NOT NULL
                AND failed_through_us(u.account_id, u.cause, u.fault, u.failed_at)",
            account_id.as_str(),
        )
        .fetch_one(self.connection())
        .await?;
        Place { table: "allocation", key: account_id }.credits("captured", failed)
    }

    /// Attempts whose failure is ours and whose charge was not given back, the latest first, at most 500.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_failed_attempts(&mut self, account_id: &AccountId) -> Result<Vec<Attempt>, Error> {
        let rows = sqlx::query!(
            "SELECT u.job_id, u.attempt FROM usage u
             WHERE u.account_id = $1 AND u.stage = 'captured' AND u.fault IS NOT NULL
                AND failed_through_us(u.account_id, u.cause, u.fault, u.failed_at)
                AND EXISTS (
                    SELECT FROM allocation a
                    WHERE a.account_id = u.account_id AND a.job_id = u.job_id AND a.attempt = u.attempt
                        AND a.captured > a.restored)
             ORDER BY u.ended_at DESC, u.job_id DESC, u.attempt DESC LIMIT $2",
            account_id.as_str(),
            MAX_FAILURES,
        )
        .fetch_all(self.connection())
        .await?;
        let place = Place { table: "usage", key: account_id };
        rows.into_iter()
            .map(|row| Ok(Attempt { job_id: place.id("job_id", row.job_id)?, number: row.attempt }))
            .collect()
    }

    /// The account's attempts that an incident covers, whatever became of them, by job and attempt, at most 500.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_failures_of_incident(
        &mut self,
        account_id: &AccountId,
        incident_id: IncidentId,
        after: Option<&Attempt>,
    ) -> Result<Vec<Attempt>, Error> {
        let rows = sqlx::query!(
            "SELECT u.job_id, u.attempt FROM incident i JOIN usage u
                ON u.failed_at IS NOT NULL AND incident_covers(i.started_at, i.ended_at, i.accounts, i.causes,
                    u.account_id, u.cause, u.fault, u.failed_at)
             WHERE i.incident_id = $2 AND u.account_id = $1 AND (u.job_id, u.attempt) > ($3, $4)
             ORDER BY u.job_id, u.attempt LIMIT $5",
            account_id.as_str(),
            incident_id.0,
            after.map_or("", |after| after.job_id.as_str()),
            after.map_or(0, |after| after.number),
            MAX_FAILURES,
        )
        .fetch_all(self.connection())
        .await?;
        let place = Place { table: "usage", key: account_id };
        rows.into_iter()
            .map(|row| Ok(Attempt { job_id: place.id("job_id", row.job_id)?, number: row.attempt }))
            .collect()
    }
}
