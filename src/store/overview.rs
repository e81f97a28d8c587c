//! What the whole desk has to do, for figures: counts that stop at a bound, over indexes that hold open work only.

use super::{Error, Tx};
use chrono::{DateTime, Utc};

/// What is open at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overview {
    /// Refund requests whose customers wait for us.
    pub in_review: i64,
    /// Refund requests that wait for their customers.
    pub awaiting_information: i64,
    /// Of those in review, those that should have been answered.
    pub overdue: i64,
    /// When the most urgent one in review is to be answered; `None` when nobody waits.
    pub respond_by: Option<DateTime<Utc>>,
    /// Disputes that the bank has not decided.
    pub open_chargebacks: i64,
    /// Refunds that have neither arrived nor failed, by stage.
    pub refunds: Vec<RefundsOnTheirWay>,
}

/// Refunds in one stage of their way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundsOnTheirWay {
    /// The stage.
    pub stage: String,
    /// How many there are.
    pub refunds: i64,
    /// When the oldest was decided.
    pub oldest: DateTime<Utc>,
}

impl Tx {
    /// Ends each further statement of this transaction that takes longer.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn limit_statements(&mut self, millis: u32) -> Result<(), Error> {
        sqlx::query!("SELECT set_config('statement_timeout', $1, true)", millis.to_string())
            .fetch_one(self.connection())
            .await?;
        Ok(())
    }

    /// What is open now. No count goes on past `limit`.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn load_overview(&mut self, now: DateTime<Utc>, limit: i64) -> Result<Overview, Error> {
        let open = sqlx::query!(
            r#"WITH open AS MATERIALIZED (
                SELECT stage, respond_by FROM refund_request
                WHERE stage IN ('awaiting_information', 'in_review') ORDER BY respond_by LIMIT $2
             )
             SELECT count(*) FILTER (WHERE stage = 'in_review') AS "in_review!",
                count(*) FILTER (WHERE stage = 'awaiting_information') AS "awaiting_information!",
                count(*) FILTER (WHERE stage = 'in_review' AND respond_by < $1) AS "overdue!",
                min(respond_by) FILTER (WHERE stage = 'in_review') AS respond_by,
                (SELECT count(*) FROM (
                    SELECT FROM chargeback WHERE stage = 'open' LIMIT $2
                 ) AS disputed) AS "open_chargebacks!"
             FROM open"#,
            now,
            limit,
        )
        .fetch_one(self.connection())
        .await?;
        let refunds = sqlx::query_as!(
            RefundsOnTheirWay,
            r#"WITH travelling AS MATERIALIZED (
                SELECT stage, created_at FROM refund WHERE stage IN ('pending', 'submitted', 'unknown')
                ORDER BY created_at, refund_id LIMIT $1
             )
             SELECT stage, count(*) AS "refunds!", min(created_at) AS "oldest!" FROM travelling GROUP BY stage"#,
            limit,
        )
        .fetch_all(self.connection())
        .await?;
        Ok(Overview {
            in_review: open.in_review,
            awaiting_information: open.awaiting_information,
            overdue: open.overdue,
            respond_by: open.respond_by,
            open_chargebacks: open.open_chargebacks,
            refunds,
        })
    }
}
