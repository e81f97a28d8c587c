//! What came due: holds, lots and questions whose time is over.

use super::read::Place;
use super::request::select_requests;
use super::{Error, Tx};
use crate::domain::ids::{AccountId, Attempt};
use crate::domain::request::RefundRequest;
use chrono::{DateTime, Utc};

impl Tx {
    /// Accounts where a hold, a lot with available credits or a question ran out at `now`, longest overdue first,
    /// without those named. Lots of suspended accounts wait for the suspension's end and are left out.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_due_accounts(
        &mut self,
        now: DateTime<Utc>,
        without: &[AccountId],
        limit: u32,
    ) -> Result<Vec<AccountId>, Error> {
        let without: Vec<String> = without.iter().map(|account_id| account_id.as_str().to_owned()).collect();
        let rows = sqlx::query_scalar!(
            "SELECT account_id AS \"account_id!\" FROM (
                (SELECT account_id, hold_expires_at AS due_at FROM usage
                 WHERE stage = 'held' AND hold_expires_at <= $1 AND account_id <> ALL($2)
                 ORDER BY hold_expires_at LIMIT $3)
                UNION ALL
                (SELECT account_id, expires_at AS due_at FROM lot
                 WHERE is_spendable AND expires_at IS NOT NULL AND expires_at <= $1 AND account_id <> ALL($2)
                    AND NOT EXISTS (
                        SELECT FROM restriction
                        WHERE restriction.account_id = lot.account_id AND kind = 'suspended' AND lifted_at IS NULL)
                 ORDER BY expires_at LIMIT $3)
                UNION ALL
                (SELECT account_id, expires_at AS due_at FROM refund_request
                 WHERE expires_at IS NOT NULL AND expires_at <= $1 AND account_id <> ALL($2)
                 ORDER BY expires_at LIMIT $3)) AS due
             GROUP BY account_id ORDER BY min(due_at), account_id LIMIT $3",
            now,
            &without,
            i64::from(limit),
        )
        .fetch_all(self.connection())
        .await?;
        let place = Place { table: "account", key: &"a due account" };
        rows.into_iter().map(|account_id| place.id("account_id", account_id)).collect()
    }

    /// The account's requests whose question nobody answered by `now`, longest overdue first.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_run_out_requests(
        &mut self,
        account_id: &AccountId,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<RefundRequest>, Error> {
        let rows = select_requests!(
            "account_id = $1 AND expires_at IS NOT NULL AND expires_at <= $2
             ORDER BY expires_at, refund_request_id LIMIT $3",
            account_id.as_str(),
            now,
            i64::from(limit),
        )
        .fetch_all(self.connection())
        .await?;
        let requests = self.complete_requests(rows).await?;
        Ok(requests.into_iter().map(|(_, request)| request).collect())
    }

    /// The account's attempts whose hold ran out at `now`, longest overdue first.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_overdue_attempts(
        &mut self,
        account_id: &AccountId,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Attempt>, Error> {
        let rows = sqlx::query!(
            "SELECT job_id, attempt FROM usage
             WHERE account_id = $1 AND stage = 'held' AND hold_expires_at <= $2
             ORDER BY hold_expires_at, job_id, attempt LIMIT $3",
            account_id.as_str(),
            now,
            i64::from(limit),
        )
        .fetch_all(self.connection())
        .await?;
        let place = Place { table: "usage", key: account_id };
        rows.into_iter()
            .map(|row| Ok(Attempt { job_id: place.id("job_id", row.job_id)?, number: row.attempt }))
            .collect()
    }
}
