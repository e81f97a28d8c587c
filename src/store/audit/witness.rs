//! Witnesses and told attempts, as an audit reads them: what was written, and what callers were answered.

use super::super::Error;
use super::{Snapshot, visit_rows};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A row and its witness that do not agree.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns' names")]
pub struct AuditUnwitnessed {
    pub of_table: String,
    pub of_key: String,
    /// Whether the row is there.
    pub is_there: bool,
    /// Whether it has a witness.
    pub is_witnessed: bool,
}

/// An attempt as it is, beside the answer of a call about it.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns' names")]
pub struct AuditTold {
    pub account_id: String,
    pub attempt: String,
    pub method: String,
    pub request_id: Uuid,
    pub answer: String,
    pub cost: i64,
    pub outputs: i32,
    pub delivered_outputs: Option<i32>,
    pub held_at: DateTime<Utc>,
    pub hold_expires_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub trace_id: Option<String>,
    pub cause: Option<String>,
    pub fault: Option<String>,
    pub failed_at: Option<DateTime<Utc>>,
    pub reported_at: Option<DateTime<Utc>>,
    pub failure_trace_id: Option<String>,
}

impl Snapshot {
    /// Every row that is not what its witness saw, that has none, or that is missing beside one. What is no account's
    /// is read whatever the time.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_unwitnessed(
        &mut self,
        since: Option<DateTime<Utc>>,
        mut visit: impl FnMut(AuditUnwitnessed),
    ) -> Result<(), Error> {
        let rows = sqlx::query_as!(
            AuditUnwitnessed,
            r#"SELECT of_table AS "of_table!", of_key AS "of_key!", rows.digest IS NOT NULL AS "is_there!",
                witness.digest IS NOT NULL AS "is_witnessed!"
             FROM witnessed_rows() AS rows FULL JOIN witness USING (account_id, of_table, of_key)
             WHERE rows.digest IS DISTINCT FROM witness.digest AND ($1::timestamptz IS NULL OR account_id = ''
                OR account_id IN (SELECT account_id FROM account WHERE last_at >= $1))
             ORDER BY of_table, of_key"#,
            since,
        );
        visit_rows!(self, rows, visit)
    }

    /// Every answer that tells of an attempt, beside that attempt; those of one attempt follow each other.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_told_usage(
        &mut self,
        since: Option<DateTime<Utc>>,
        mut visit: impl FnMut(AuditTold),
    ) -> Result<(), Error> {
        let told = sqlx::query_as!(
            AuditTold,
            r#"SELECT k.account_id, u.job_id || '#' || u.attempt AS "attempt!", k.method, k.request_id, k.answer, u.cost,
                u.outputs, u.delivered_outputs, u.held_at, u.hold_expires_at, u.ended_at, u.trace_id, u.cause, u.fault,
                u.failed_at, u.reported_at, u.failure_trace_id
             FROM idempotency_key k
             CROSS JOIN LATERAL (SELECT regexp_match(
                k.answer, '"attempt":\{"job_id":("(?:[^"\\]|\\.)*"),"number":([0-9]{1,9})\}') AS of) AS told
             JOIN usage u ON u.account_id = k.account_id AND to_json(u.job_id)::text = told.of[1]
                AND u.attempt = told.of[2]::integer
             WHERE k.method IN ('HoldCredits', 'CaptureCredits', 'ReleaseCredits', 'RestoreCredits') AND NOT k.refused
                AND ($1::timestamptz IS NULL OR k.account_id IN (SELECT account_id FROM account WHERE last_at >= $1))
             ORDER BY u.account_id, u.job_id, u.attempt, k.created_at"#,
            since,
        );
        visit_rows!(self, told, visit)
    }
}
